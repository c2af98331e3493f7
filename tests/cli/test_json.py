"""``--json``: one lawful document on standard output, and nothing else, however a command ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import typer

from tests.rigs.vaults import TREE, make_vault
from vault.cli.app import app
from vault.ledger.dsse import Envelope, RestoreTest, Statement
from vault.ledger.notes import VaultKey
from vault.statefile import StateFolder

pytestmark = pytest.mark.xdist_group("cli")

SOUND = [
    ("status",),
    ("gaps",),
    ("gaps", "--source", "pmsi"),
    ("pmsi",),
    ("pmsi", "--year", "2024", "--field", "smr", "--finess", "990000010"),
    ("report",),
    ("report", "--for", "dim"),
    ("ls", "pmsi"),
    ("ls", "pmsi", "--all"),
    ("ls", "coffre", "--cycle", "1"),
    ("target", "list"),
    ("target", "due"),
    ("target", "due", "--days", "400"),
    ("target", "close"),
    ("target", "close", "trial"),
    ("config", "validate"),
    ("config", "show"),
    ("config", "schema"),
    ("drill", "run", "--source", "pmsi"),
    ("drill", "run", "--from", "trial", "--level", "l0"),
    ("drill", "list"),
    ("version",),
    ("doctor",),
    ("schedule", "show"),
    ("schedule", "evaluate"),
    ("init",),
    ("run", "--dry-run"),
    ("run", "--now"),
]
FAILED = [  # words, exit code, reference
    (("run", "--target", "nowhere"), 2, "usage"),
    (("run", "--for", "2h"), 2, "usage"),
    (("run", "--now", "--for", "20"), 2, "usage"),
    (("run", "--nonsense"), 2, "usage"),
    (("run", "--now", "--catch-up"), 2, "usage"),
    (("serve",), 2, "usage"),
    (("ls",), 2, "usage"),
    (("ls", "nothing"), 2, "usage"),
    (("ls", "pmsi", "--at", "soon"), 2, "usage"),
    (("ls", "pmsi", "--at", "1999-12-31"), 1, "nothing-to-restore"),
    (("restore", "pmsi", "nowhere.txt", "--to", "{new}"), 1, "nothing-to-restore"),
    (("restore", "pmsi", "--to", "{old}"), 2, "destination-not-empty"),
    (("restore", "pmsi", "--from", "nowhere", "--to", "{new}"), 1, "nothing-to-restore"),
    (("drill", "run", "--source", "nothing"), 2, "usage"),
    (("drill", "run", "--level", "L4"), 2, "usage"),
    (("drill", "run", "--sample", "0"), 2, "usage"),
    (("drill", "run", "--seed", "a b"), 2, "usage"),
    (("drill", "run", "--source", "hr", "--from", "nowhere"), 1, "nothing-to-restore"),
    (("drill", "show", "999"), 2, "usage"),
    (("drill", "sign", "999", "--by", "x"), 2, "usage"),
    (("drill", "show"), 2, "usage"),
    (("target", "enrol", "trial", "--yes"), 2, "usage"),
    (("target", "enrol", "nowhere", "--yes"), 2, "usage"),
    (("target", "retire", "trial"), 2, "usage"),
    (("target", "close", "nowhere"), 2, "usage"),
    (("target", "due", "--days", "0"), 2, "usage"),
    (("target", "slip", "nowhere", "--to", "{new}"), 2, "usage"),
    (("target", "slip", "trial", "--to", "{new}", "--format", "svg"), 2, "usage"),
    (("target", "open", "trial", "--for", "25h", "--reason", "x"), 2, "usage"),
    (("source", "key", "pmsi"), 2, "usage"),
    (("source", "trust", "pmsi"), 2, "usage"),
    (("source", "test", "pmsi"), 2, "usage"),
    (("release", "--by", "somebody"), 2, "usage"),
    (("clock", "confirm", "--reason", "r", "--by", "b"), 2, "usage"),
    (("pmsi", "explain"), 2, "usage"),
    (("pmsi", "explain", "990000010/SMR/2024/M13"), 2, "usage"),
    (("pmsi", "explain", "990000010/SMR/2024/M11"), 2, "usage"),
    (("pmsi", "--year", "soon"), 2, "usage"),
    (("report", "--for", "nobody"), 2, "usage"),
    (("nonsense",), 2, "usage"),
    (("target",), 2, "usage"),
    ((), 2, "usage"),
    (("status", "--lang", "de"), 2, "usage"),
    (("status", "--config"), 2, "usage"),
]


def one_document(told) -> dict:
    """Insist on one line, one object, with the code the process ended with."""
    lines = told.stdout.splitlines()
    assert len(lines) == 1, (told.words, told.stdout, told.stderr)
    document = json.loads(lines[0])
    assert document["exit_code"] == told.code, told.words
    return document


@pytest.mark.parametrize("words", SOUND, ids=" ".join)
def test_a_command_that_succeeds_prints_one_lawful_document(vault, ask, faults, words):
    """Whatever it says to a person goes elsewhere."""
    document = one_document(ask(vault, *words))
    assert document["exit_code"] == 0, document
    assert faults(document) == []


@pytest.mark.parametrize(("words", "code", "reference"), FAILED, ids=lambda item: str(item)[:40])
def test_a_command_that_fails_prints_one_lawful_document(
    vault, ask, faults, tmp_path, words, code, reference
):
    """Also when the parser itself refuses the words, and nothing is written anywhere."""
    old = tmp_path / "old"
    old.mkdir()
    (old / "file").write_text("kept")
    places = {"old": str(old), "new": str(tmp_path / "new")}
    told = ask(vault, *[word.format(**places) for word in words])
    document = one_document(told)
    assert (told.code, document["error"]["reference"]) == (code, reference), document
    if document["schema"] not in ("coffre/nonsense/1", "coffre/target/1", "coffre/coffre/1"):
        assert faults(document) == []
    assert sorted(os.listdir(tmp_path)) == ["old"]


def test_nagios_gives_its_own_codes_and_one_line(vault, ask, faults):
    """A folder does not disconnect: critical, 2; without JSON one line for the monitor."""
    told = ask(vault, "gaps", "--nagios")
    assert told.code == 2
    assert faults(one_document(told)) == []
    line = ask(vault, "gaps", "--nagios", json_too=False).stdout
    assert line.startswith("COFFRE CRITICAL - ")
    assert line.count("\n") == 1
    assert "critical=" in line


def test_a_slip_is_written_once(vault, ask, faults, tmp_path):
    """Into a file that is not there yet."""
    words = ("target", "slip", "trial", "--to", str(tmp_path / "slip.html"))
    document = one_document(ask(vault, *words))
    assert faults(document) == []
    identity = ask(vault, "target", "list").document["targets"][0]["target_id"]
    assert identity in (tmp_path / "slip.html").read_text("utf-8")
    assert ask(vault, *words).code == 2


def test_restoring_prints_one_lawful_document(vault, ask, faults, tmp_path):
    """From the landing and from the target, whole and in part."""
    for number, more in enumerate(([], ["--from", "trial"], ["2026"])):
        paths = [word for word in more if not word.startswith("--from") and word != "trial"]
        option = more if "--from" in more else []
        told = ask(vault, "restore", "pmsi", *paths, "--to", str(tmp_path / str(number)), *option)
        document = one_document(told)
        assert faults(document) == []
        assert document["mismatches"] == []
        assert document["files"] == (3 if paths else len(vault.history["pmsi"][-1]))


def test_a_missing_vault_is_one_document_with_code_2(scratch, ask, faults):
    """Every command that needs a vault says that there is none, and makes nothing."""
    for words in (
        ("run",), ("status",), ("gaps",), ("ls", "pmsi"), ("target", "list"), ("target", "close"),
        ("restore", "pmsi", "--to", str(scratch.folder / "new")), ("keys", "confirm"),
        ("secure", "--reason", "r", "--by", "b"), ("release", "--by", "b"),
        ("target", "enrol", "trial", "--yes"), ("target", "retire", "trial", "--yes"),
        ("target", "open", "trial", "--for", "1m", "--reason", "r"),
    ):  # fmt: skip
        told = ask(scratch, *words)
        document = one_document(told)
        assert (told.code, document["error"]["reference"]) == (2, "not-initialised"), document
        assert faults(document) == []
    assert not scratch.state.exists()
    assert not (scratch.folder / "new").exists()


def test_an_unknown_key_names_file_line_and_the_nearest_key(scratch, ask, faults):
    """For every command that reads the configuration whole; nothing is made."""
    text = scratch.config.read_text().replace("{policy: pmsi,", "{polcy: pmsi,")
    scratch.config.write_text(text)
    line = 1 + text[: text.index("polcy")].count("\n")
    for words in (("config", "validate"), ("init",), ("run",), ("doctor",), ("target", "list")):
        document = one_document(told := ask(scratch, *words))
        assert (told.code, document["error"]["reference"]) == (2, "config-invalid")
        assert f"vault.yaml:{line}" in document["error"]["message"]
        assert '"policy"' in document["error"]["message"]
        assert faults(document) == []
    assert not scratch.state.exists()


def test_another_coffre_at_work_is_named_and_left_alone(vault, ask, faults):
    """A night, a restore and a ceremony wait for nobody: code 1, with the holder's number."""
    with StateFolder(str(vault.state)).lock():
        for words in (
            ("run", "--now"),
            ("restore", "pmsi", "--to", str(vault.folder / "never")),
            ("target", "retire", "trial", "--yes"),
            ("target", "open", "trial", "--for", "1m", "--reason", "r"),
            ("release", "--by", "b"),
        ):
            document = one_document(told := ask(vault, *words))
            assert (told.code, document["error"]["reference"]) == (1, "already-running")
            assert str(os.getpid()) in document["error"]["message"]
            assert faults(document) == []
        assert ask(vault, "status").code == 0
        assert ask(vault, "doctor").code == 0
    assert not (vault.folder / "never").exists()


def test_the_red_button_from_press_to_release(vault, ask, faults):
    """Pressed: 6 for nights and targets, the landing still gives back; another person releases."""
    try:
        pressed = one_document(ask(vault, "secure", "--reason", "trial", "--by", "Ada  L"))
        assert pressed["status"] == "secured"
        assert faults(pressed) == []
        night = one_document(told := ask(vault, "run", "--now"))
        assert (told.code, night["verdict"], night["status"]) == (6, "secured", "secured")
        assert faults(night) == []
        assert ask(vault, "status").code == 6
        assert ask(vault, "gaps", "--nagios").code == 2
        to = str(vault.folder / "secured")
        assert ask(vault, "restore", "pmsi", "--from", "trial", "--to", to).code == 6
        ask(vault, "restore", "pmsi", "--to", to).ok()
        refused = one_document(ask(vault, "release", "--by", "ada l"))
        assert refused["error"]["reference"] == "usage"
    finally:
        released = one_document(ask(vault, "release", "--by", "Grace H"))
    assert faults(released) == []
    assert ask(vault, "status").code == 0


def test_the_commands_that_need_a_process_of_their_own(vault, faults):
    """``target open`` runs a command inside; its words go to standard error."""
    words = ("target", "open", "trial", "--for", "1m", "--reason", "look", "--", "sh", "-c")
    told = vault.coffre(*words, "ls; exit 3")
    document = one_document(told)
    assert (told.code, document["exit"]) == (1, 3)  # 3 and 5 to 7 have a meaning of ours
    assert faults(document) == []
    assert "repository" in told.stderr
    assert "repository" not in told.stdout


def test_making_a_vault_prints_lawful_documents(founded, ask, faults):
    """The first ``init`` shows the recovery password, once; ``keys confirm`` takes it."""
    vault, first = founded
    assert faults(first) == []
    password = first["recovery_password"]
    assert "recovery_password" not in one_document(ask(vault, "init"))
    assert password not in (vault.state / "ledger" / "ledger.jsonl").read_text()
    confirmed = one_document(ask(vault, "keys", "confirm", stdin=password.lower() + "\n"))
    assert faults(confirmed) == []
    wrong = one_document(told := ask(vault, "keys", "confirm", stdin="x\n"))
    assert (told.code, wrong["error"]["reference"]) == (2, "secret-unsafe")


def test_enrolling_and_retiring_print_lawful_documents(vault, ask, faults):
    """A second medium comes and goes."""
    config = vault.folder / "with-spare.yaml"
    spare = "spare: {door: {folder: spare}}\n  trial: {"
    config.write_text(vault.config.read_text().replace("trial: {", spare))
    config.chmod(0o644)
    for act in ("enrol", "retire"):
        document = one_document(
            ask(vault, "--config", str(config), "target", act, "spare", "--yes")
        )
        assert document["exit_code"] == 0, document
        assert faults(document) == []
    listed = one_document(ask(vault, "target", "list"))
    assert listed["exit_code"] == 0, listed
    assert [t["name"] for t in listed["targets"] if t["retired_at"]] == ["spare"]


def test_init_in_an_empty_folder_puts_an_example_and_makes_no_vault(ask, faults, tmp_path):
    """No keys are made for the example's hospital; whoever reads the status may pass through."""
    here = tmp_path / "etc"
    before = os.umask(0o077)
    try:
        told = ask(None, "init", str(here))
    finally:
        os.umask(before)
    document = one_document(told)
    assert told.code == 0
    assert faults(document) == []
    assert {"vault.yaml", "policies", "hooks"} == set(os.listdir(here))
    assert (here.stat().st_mode & 0o777, (here / "vault.yaml").stat().st_mode & 0o777) == (
        0o755,
        0o644,
    )


def test_the_demo_prints_one_document_and_plays_on_standard_error(tmp_path: Path):
    """The schema says what; the play itself is a scenario of its own."""
    schema = json.loads((TREE / "docs" / "schemas" / "demo.json").read_text())
    assert schema["anyOf"][0]["properties"].keys() == {
        "schema",
        "exit_code",
        "acts",
        "kept",
        "root",
    }


def test_every_command_has_a_schema_and_every_schema_a_command():
    """The files in ``docs/schemas`` and the commands are the same set."""
    names = set()
    for name, command in typer.main.get_command(app).commands.items():
        below = getattr(command, "commands", None)
        names |= {f"{name}-{one}" for one in below} if below else {name}
        if below and command.invoke_without_command:  # a command itself, besides those below it
            names.add(name)
    assert {path.stem for path in (TREE / "docs" / "schemas").iterdir()} == names


def test_the_validator_refuses_what_a_schema_refuses(vault, ask, faults):
    """A judge that lets everything pass would prove nothing."""
    good = one_document(ask(vault, "status"))
    assert faults(good) == []
    assert faults({**good, "status": "open"})
    assert faults({**good, "surplus": 1})
    assert faults({key: value for key, value in good.items() if key != "targets"})
    assert faults({**good, "written_at": "yesterday"})


@pytest.mark.root
def test_a_disk_door_without_root_is_refused_before_anything_moves(vault, ask_as, faults):
    """Code 2 with the mend, in a process that gave root away."""
    config = vault.folder / "with-disk.yaml"
    config.write_text(
        vault.config.read_text().replace("trial: {", "disk-a: {door: disk}\n  trial: {")
    )
    config.chmod(0o644)
    told = ask_as([], vault, "--config", str(config), "run", "--now")
    document = one_document(told)
    assert (told.code, document["error"]["reference"]) == (2, "needs-root"), document
    assert faults(document) == []


def test_tests_that_are_owed_are_one_lawful_document(vault, ask, faults):
    """With a time and its days; 3 where a level that a policy asks for was not reached."""
    told = ask(vault, "drill", "run", "--due", "--for", "3s")
    assert told.code in (0, 3)
    assert faults(one_document(told)) == []
    for words in (("--for", "3s"), ("--due", "--source", "hr")):
        assert ask(vault, "drill", "run", *words).code == 2


def test_a_fiche_is_written_once_and_told_in_one_document(vault, ask, faults, tmp_path):
    """Where it lies; a fiche that is there is never written over."""
    number = str(ask(vault, "drill", "run", "--source", "hr").document["drill"])
    for act in (("show", number), ("sign", number, "--by", "Jean R")):
        assert faults(one_document(ask(vault, "drill", *act).ok())) == []
    to = tmp_path / "fiche.html"
    words = ("drill", "show", number, "--fiche", "--lang", "fr", "--to", str(to))
    document = one_document(ask(vault, *words))
    assert (faults(document), document["written"]) == ([], str(to))
    assert "Fiche de restauration n°\u00a0" + number in to.read_text("utf-8")
    assert one_document(ask(vault, *words))["error"]["reference"] == "usage"
    assert ask(vault, "drill", "show", number, "--fiche").code == 2
    assert ask(vault, *words[:-1], str(tmp_path / "x"), "--format", "odt").code == 2
    ask(vault, *words[:-1], str(tmp_path / "signed"), "--format", "dsse").ok()
    envelope = Envelope.from_members(json.loads((tmp_path / "signed").read_text()))
    key = VaultKey.load(str(vault.state / "keys" / "vault.key"))
    assert len(envelope.signers([key.public])) == 1
    test = RestoreTest.from_statement(Statement.from_payload(envelope.payload))
    assert (test.drill, test.level_reached, test.source) == (number, "L1", "hr")


def test_a_source_that_no_night_took_is_told_so_and_not_as_too_old(ask, tmp_path):
    """Without a date or a night asked for, nothing is "as old as that"."""
    fresh = make_vault(tmp_path / "v", targets={"trial": "folder"})
    fresh.init()
    told = ask(fresh, "restore", "hr", "--to", str(tmp_path / "back"))
    assert told.document["error"]["reference"] == "nothing-to-restore"
    assert told.document["error"]["message"] == "there is no snapshot of hr yet"
    told = ask(fresh, "restore", "hr", "--at", "1999-12-31", "--to", str(tmp_path / "back"))
    assert "as old as that" in told.document["error"]["message"]
