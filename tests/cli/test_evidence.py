"""``coffre evidence``: what a sysadmin, a cosigner and an auditor type, each elsewhere."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rigs.vaults import ScratchVault, write_file
from vault.errors import Interrupted
from vault.ledger.checkpoint import Checkpoint

pytestmark = pytest.mark.xdist_group("cli")


@dataclass(slots=True, kw_only=True)
class KeyedVault(ScratchVault):
    """A vault and the public key of its sheet."""

    key: str = ""


@pytest.fixture(scope="module")
def mine(tmp_path_factory, founded):
    """Give a copy of the session's vault: it is cosigned, given another key, tampered with."""
    vault, first = founded
    folder = tmp_path_factory.mktemp("evidence") / "v"
    shutil.copytree(vault.folder, folder, symlinks=True)
    return KeyedVault(folder=folder, history=copy.deepcopy(vault.history), key=first["vault_key"])


@pytest.fixture(scope="module")
def laptop(tmp_path_factory, ask, mine):
    """Give the folder of a cosigner's machine, with a key that vault.yaml knows."""
    folder = tmp_path_factory.mktemp("laptop")
    told = ask(None, "evidence", "keygen", "rssi", "--to", str(folder / "rssi.key")).ok()
    line = told.document["key"]
    mine.config.write_text(
        mine.config.read_text() + f"evidence: {{cosigners: {{rssi: {{key: {line}}}}}}}\n"
    )
    (folder / "public").write_text(line)
    return folder


def alone(folder: Path, *words: str):
    argv = [sys.executable, "-I", str(folder / "verify_evidence.py"), str(folder), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def kinds(vault) -> list[str]:
    lines = (vault.state / "ledger" / "ledger.jsonl").read_bytes().splitlines()
    return [json.loads(line)["kind"] for line in lines]


def test_a_night_ends_under_a_signed_head_and_the_medium_carries_one(mine):
    """The newest checkpoint covers the whole ledger; the target's head holds the one of then."""
    sizes = sorted(int(path.name) for path in (mine.state / "ledger" / "checkpoints").iterdir())
    assert sizes[-1] == len(kinds(mine))
    path = max((mine.trial / "coffre" / "heads").iterdir(), key=lambda path: int(path.name))
    members = json.loads(path.read_bytes().split(b"\n")[0])
    head = Checkpoint.peek(members["checkpoint"].encode())
    assert head.size == members["ledger_n"] + 1
    assert head.size in sizes


def test_what_is_exported_verifies_without_a_line_of_ours(mine, ask, faults, tmp_path):
    """The command of the contract, isolated, in the folder that was given away."""
    told = ask(mine, "evidence", "export", "--to", str(tmp_path / "e")).ok()
    assert faults(told.document) == []
    good = alone(tmp_path / "e", "--key", mine.key)
    assert good.returncode == 0, good.stdout + good.stderr
    assert f"all holds: {told.document['entries']} entries" in good.stdout
    assert re.search(r"openings: (\d+), proven shut: \1\n", good.stdout)
    again = ask(mine, "evidence", "export", "--to", str(tmp_path / "e"))
    assert (again.code, again.document["error"]["reference"]) == (2, "destination-not-empty")


def test_verify_says_the_same_of_an_export_and_of_this_hosts_own(mine, ask, faults, tmp_path):
    """Entries, head, signatures, problems; a tampered export ends with 4 and names the entry."""
    ask(mine, "evidence", "export", "--to", str(tmp_path / "e")).ok()
    own = ask(mine, "evidence", "verify", "--ledger").ok().document
    given = ask(None, "evidence", "verify", str(tmp_path / "e"), "--key", mine.key).ok().document
    for document in (own, given):
        assert faults(document) == []
    assert own["problems"] == given["problems"] == []
    assert own["head"] == given["head"]
    assert own["entries"] == given["entries"] == given["head"]["size"]
    ledger = tmp_path / "e" / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b'"shut"', b'"open"', 1))
    bad = ask(None, "evidence", "verify", str(tmp_path / "e"), "--key", mine.key)
    assert bad.code == 4
    assert faults(bad.document) == []
    named = bad.document["problems"][0]["entry"]
    assert kinds(mine)[named] == "vault-shut"
    assert alone(tmp_path / "e", "--key", mine.key).stdout.startswith(f"BAD entry {named}: ")


def test_a_head_is_cosigned_elsewhere_and_comes_back(mine, laptop, ask, faults, tmp_path):
    """By file: head, cosign, add; then the export says before when the entries were there."""
    head, back = tmp_path / "head", tmp_path / "back"
    given = ask(mine, "evidence", "head", "--to", str(head)).ok()
    key = str(laptop / "rssi.key")
    signed = ask(
        None, "evidence", "cosign", str(head), "--key", key, "--vault-key", mine.key,
        "--to", str(back),
    ).ok()  # fmt: skip
    added = ask(mine, "evidence", "cosign", "--add", str(back)).ok()
    for told in (given, signed, added):
        assert faults(told.document) == []
    assert kinds(mine)[-2:] == ["cosigner-enrolled", "head-cosigned"]
    before = len(kinds(mine))
    ask(mine, "evidence", "cosign", "--add", str(back)).ok()
    assert len(kinds(mine)) == before  # twice is once
    ask(mine, "evidence", "export", "--to", str(tmp_path / "e")).ok()
    public = (laptop / "public").read_text()
    told = alone(tmp_path / "e", "--key", mine.key, "--key", public, "--head", str(head))
    assert told.returncode == 0, told.stdout
    assert f"entries to {given.document['size'] - 1} are from before" in told.stdout


def test_a_head_is_pasted_on_standard_input_and_proves_that_it_continues(
    mine, laptop, ask, tmp_path
):
    """What a scanner types or a person pastes; with --since the cosigner need not believe."""
    words = ("evidence", "cosign", "--key", str(laptop / "rssi.key"))
    first = ask(mine, "evidence", "head", json_too=False).ok()
    ask(None, *words, "--vault-key", mine.key, stdin=first.stdout, json_too=False).ok()
    seen = json.loads((laptop / "rssi.key.seen").read_text())
    ((size, _root),) = seen.values()
    ask(mine, "run", "--now").ok()
    asked = ask(mine, "evidence", "head", "--since", str(size), json_too=False).ok()
    assert asked.stdout.startswith(f"old {size}\n")
    signed = ask(None, *words, stdin=asked.stdout, json_too=False).ok()
    assert "continues" in signed.stderr
    ask(mine, "evidence", "cosign", "--add", "-", stdin=signed.stdout).ok()
    assert kinds(mine)[-1] == "head-cosigned"
    late = ask(mine, "evidence", "head", "--since", "9999")
    assert (late.code, late.document["error"]["reference"]) == (2, "usage")


def test_a_head_of_another_vault_or_signer_is_not_imported(mine, laptop, ask, tmp_path):
    """Nobody known signed it, or it is no head of this ledger."""
    ask(mine, "evidence", "head", "--to", str(tmp_path / "head")).ok()
    told = ask(mine, "evidence", "cosign", "--add", str(tmp_path / "head"))
    assert (told.code, told.document["error"]["reference"]) == (7, "signature-invalid")
    ask(None, "evidence", "keygen", "stranger", "--to", str(tmp_path / "s.key")).ok()
    words = ("evidence", "cosign", str(tmp_path / "head"), "--key", str(tmp_path / "s.key"))
    ask(None, *words, "--to", str(tmp_path / "s")).ok()
    assert ask(mine, "evidence", "cosign", "--add", str(tmp_path / "s")).code == 7
    other = "coffre-990000010+00000000+AAAA"
    assert ask(None, *words, "--vault-key", other).code == 7


def test_a_qr_code_holds_the_head_in_the_terminal_and_as_a_picture(mine, ask, tmp_path):
    """SVG and PNG by the file's name; half blocks in the terminal."""
    for name, start in (("head.svg", b"<?xml"), ("head.png", b"\x89PNG")):
        ask(mine, "evidence", "head", "--to", str(tmp_path / name)).ok()
        assert (tmp_path / name).read_bytes().startswith(start)
    shown = ask(mine, "evidence", "head", "--qr", json_too=False).ok().stdout
    assert "▀" in shown or "▄" in shown
    assert max(map(len, shown.splitlines())) < 100  # escape sequences included where there are any


def test_81_the_key_is_exchanged_and_both_readings_follow(mine, laptop, ask, faults, tmp_path):
    """Nights go on with media that the old key signed; either sheet verifies the whole."""
    old = mine.key
    told = ask(mine, "evidence", "rotate", "--by", "A", "--reason", "yearly")
    assert (told.code, told.document["error"]["reference"]) == (2, "usage")
    told = ask(mine, "evidence", "rotate", "--by", "A", "--reason", "yearly", "--yes").ok()
    assert faults(told.document) == []
    mine.key = told.document["new"]
    assert told.document["old"] == old != mine.key
    mine.grow(3)
    ask(mine, "run", "--now").ok()
    ask(mine, "evidence", "verify", "--ledger").ok()
    ask(mine, "evidence", "export", "--to", str(tmp_path / "e")).ok()
    for key in (old, mine.key):
        assert alone(tmp_path / "e", "--key", key).returncode == 0
    medium = sorted((mine.trial / "coffre" / "heads").iterdir(), key=lambda path: int(path.name))
    heads = [word for path in medium for word in ("--head", str(path))]
    assert alone(tmp_path / "e", "--key", mine.key, *heads).returncode == 0
    assert not os.path.exists(mine.state / "keys" / "vault.key.next")


@pytest.mark.parametrize(
    ("place", "is_entered"),
    [("vault.wiring.heads.rotation_note", False), ("vault.wiring.heads._put_in_force", True)],
    ids=["before-the-entry", "after-it"],
)
def test_81_a_death_during_the_exchange_leaves_one_key_in_force(
    mine, ask, monkeypatch, place, is_entered
):
    """Before the entry the old key signs on; after it the new one does, from the next start."""

    def die(*_words, **_more):
        raise Interrupted("ended by {name}", name="SIGKILL")

    words = ("evidence", "rotate", "--by", "A", "--reason", "death", "--yes")
    entered = kinds(mine).count("key-rotated")
    with monkeypatch.context() as patched:
        patched.setattr(place, die)
        assert ask(mine, *words).code == 130
    assert (mine.state / "keys" / "vault.key.next").exists()
    assert kinds(mine).count("key-rotated") == entered + is_entered
    ask(mine, "evidence", "head").ok()
    ask(mine, "evidence", "verify", "--ledger").ok()
    assert (mine.state / "keys" / "vault.key.next").exists() is not is_entered
    ask(mine, *words).ok()
    ask(mine, "evidence", "verify", "--ledger").ok()


def test_a_ledger_that_was_changed_is_no_longer_signed_and_is_a_gap(mine, ask, tmp_path):
    """The night goes on, for copies matter more; gaps and verify say it; put back, it is over."""
    ledger = mine.state / "ledger" / "ledger.jsonl"
    whole = ledger.read_bytes()
    ledger.write_bytes(whole.replace(b'"purpose":"carry"', b'"purpose":"CARRY"', 1))
    (mine.state / "ledger" / "ledger.tree").unlink()
    mine.grow(9)
    ask(mine, "run", "--now").ok()
    gaps = ask(mine, "gaps").document["gaps"]
    assert [gap["severity"] for gap in gaps if gap["kind"] == "ledger-unsigned"] == ["critical"]
    told = ask(mine, "evidence", "verify", "--ledger")
    assert told.code == 4
    assert told.document["problems"]
    ledger.write_bytes(ledger.read_bytes().replace(b'"purpose":"CARRY"', b'"purpose":"carry"', 1))
    ask(mine, "run", "--now").ok()
    kept = ask(mine, "gaps").document["gaps"]
    (over,) = [gap for gap in kept if gap["kind"] == "ledger-unsigned"]
    assert over["over_since"]
    ask(mine, "evidence", "verify", "--ledger").ok()


@pytest.mark.parametrize(
    "words",
    [
        ("evidence", "verify"),
        ("evidence", "verify", "somewhere", "--ledger"),
        ("evidence", "verify", "nowhere", "--key", "{key}"),
        ("evidence", "cosign"),
        ("evidence", "cosign", "--key", "a", "--add", "b"),
        ("evidence", "cosign", "--add", "nowhere"),
        ("evidence", "keygen", "two words"),
    ],
)
def test_words_that_make_no_sense_end_with_2(mine, ask, faults, tmp_path, words):
    """One lawful document, nothing made."""
    told = ask(mine, *[word.format(key=mine.key) for word in words])
    assert told.code == 2, told.document
    assert faults(told.document) == []


def test_a_key_that_stands_in_the_way_is_named_and_stays(mine, ask, tmp_path):
    place = tmp_path / "rssi.key"
    ask(mine, "evidence", "keygen", "rssi", "--to", str(place)).ok()
    before = place.read_bytes()
    again = ask(mine, "evidence", "keygen", "rssi", "--to", str(place))
    assert again.code != 0
    assert str(place) in again.document["error"]["message"]
    assert place.read_bytes() == before


def test_the_ledger_of_whole_nights_holds_no_record_and_no_name_of_an_export(mine, ask, tmp_path):
    """Sound, refused, incomplete and restored: no marker of a name or content is in any line."""
    person, number = "MARTIN-DURAND", "1850799123456"
    exports = mine.exports("hr")
    names = [f"{person}.txt", f"paie/{number}-{person}.csv", f"{person}\n{number}.bin"]
    for name in names:
        write_file(os.fsencode(exports / name), f"{person};{number};diagnostic\n".encode() * 50)
    (exports / f"link-{person}").symlink_to("/etc/hostname")
    alien = mine.landing / "data" / "00" / f"{person}-{number}"
    alien.write_bytes(number.encode())
    ask(mine, "run", "--now").ok(0, 3)
    alien.unlink()
    ask(mine, "restore", "hr", names[0], "--to", str(tmp_path / person)).ok()
    ask(mine, "drill", "run", "--source", "hr").ok()
    for name in (f"{person}.txt.locked", f"{number}.locked", f"README-DECRYPT-{person}.txt"):
        write_file(os.fsencode(exports / name), os.urandom(5000))
    for name in names:
        (exports / name).unlink()
    night = ask(mine, "run", "--now").ok(0, 3, 7).document
    assert night["sources"]
    ledger = (mine.state / "ledger" / "ledger.jsonl").read_bytes()
    told = set(kinds(mine))
    assert {"aliens", "carried", "restored", "drill-ended", "export-refused"} <= told, told
    for marker in (person, number, "diagnostic", "night-3.txt", "back\\\\slash", ".locked"):
        assert marker.encode() not in ledger, marker
    heads = b"".join(
        path.read_bytes() for path in (mine.state / "ledger" / "checkpoints").iterdir()
    )
    assert person.encode() not in heads
