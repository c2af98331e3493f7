"""What a start costs: each command loads what it works with, and nothing else."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tests.rigs.vaults import TREE
from vault import retelling
from vault.cli import words
from vault.cli.app import _narrow, app
from vault.cli.main import run_words
from vault.errors import Interrupted
from vault.statefile import StateFolder

pytestmark = pytest.mark.xdist_group("cli")

# The top names whose loading is felt, and modules of ours that no look at the records needs.
FELT = {
    "alembic", "apprise", "apscheduler", "asyncio", "cryptography", "jinja2", "lxml", "paramiko",
    "prometheus_client", "pydantic", "pydicom", "rich", "segno", "sqlalchemy", "typer",
    "weasyprint",
}  # fmt: skip
OURS = {
    "vault.carrying", "vault.config.compliance_file", "vault.config.formats_file", "vault.cycle",
    "vault.doors.disk", "vault.drill", "vault.gatekeeper", "vault.inspection.examiner",
    "vault.intake", "vault.recovery", "vault.report", "vault.restic", "vault.sources.sftp",
}  # fmt: skip


def loaded(vault, *said: str) -> set[str]:
    """Give which of those modules a command loads."""
    script = (
        "import json, sys\n"
        "from vault.cli.main import run_words\n"
        f"run_words({['-c', str(vault.config), *said]!r})\n"
        f"print(json.dumps(sorted({FELT | OURS!r} & set(sys.modules))), file=sys.stderr)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(TREE)},
        check=True,
    )
    return set(json.loads(told.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (["status"], set()),
        (["version"], {"vault.restic"}),
        # SQLAlchemy brings asyncio; the vault signs nothing here, and no schema is brought up.
        (["gaps"], {"asyncio", "pydantic", "sqlalchemy"}),
        (["gaps", "--nagios"], {"asyncio", "pydantic", "sqlalchemy"}),
        (["gaps", "--since", "2026-01-01"], {"asyncio", "pydantic", "sqlalchemy", "typer"}),
        (["config", "validate"], {"pydantic", "typer"}),
    ],
)
def test_a_command_loads_what_it_works_with(vault, said, wanted):
    """A tenth of a second here and there made each start one."""
    assert loaded(vault, *said) == wanted


def test_the_parser_of_one_word_says_of_it_what_that_of_all_says():
    """Options, help and commands below are the same, and the order of the whole help stays."""
    whole = typer.main.get_command(app)
    before = list(whole.commands)
    for word, command in whole.commands.items():
        narrow = typer.main.get_command(_narrow(word))
        assert list(narrow.commands) == [word]
        context = typer.Context(command, info_name=word)
        assert narrow.commands[word].get_help(context) == command.get_help(context)
        assert sorted(getattr(narrow.commands[word], "commands", ())) == sorted(
            getattr(command, "commands", ())
        )
    assert list(typer.main.get_command(_narrow("nothing")).commands) == before


def test_no_sentence_is_passed_over_by_the_glance_at_its_fixed_parts(french):
    """A sentence that a template makes holds the template's fixed parts; so it is looked at."""
    templates = words._retelling()._templates
    assert len(templates) > 500
    for longest, literals, template in templates:
        pattern = retelling._pattern(template)
        if pattern is None:
            continue
        names = pattern.groupindex
        sentence = template.format(**dict.fromkeys(names, "some: value; {of} it"))
        assert pattern.fullmatch(sentence), template
        assert longest in sentence, template
        assert retelling._holds(sentence, literals), template
    assert not retelling._holds("b then a", ("a", "b"))


@pytest.fixture
def french():
    """Speak French for one test."""
    words.speak("fr")
    yield
    words.speak("en")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_waits_for_what_loads(tmp_path: Path, number: signal.Signals) -> None:
    """What loads is loaded whole, even by one that makes another error of ours, then it ends."""
    (tmp_path / "loading.py").write_text(
        "import signal, time\n"
        "try:\n"
        f"    signal.raise_signal({int(number)})\n"
        "    time.sleep(0.1)\n"
        "except BaseException as error:\n"
        "    raise RuntimeError('torn') from error\n"
        "IS_WHOLE = True\n"
    )
    (tmp_path / "script.py").write_text(
        "import sys, time\n"
        "from vault.cli import main\n"
        "from vault.errors import Interrupted\n"
        "main._end_on_signals()\n"
        "try:\n"
        "    import loading\n"
        "    time.sleep(20)\n"
        "except Interrupted:\n"
        "    print(loading.IS_WHOLE)\n"
    )
    told = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TREE)},
    )
    assert (told.stdout, told.stderr) == ("True\n", "")


def ended(vault, *said: str, stdout: str) -> int:
    """Give how a process of its own ends, which buffers as it does for everybody."""
    environment = {**os.environ, "PYTHONPATH": str(TREE)}
    environment.pop("PYTHONUNBUFFERED", None)
    with open(stdout, "wb") as file:
        command = [sys.executable, "-m", "vault.cli.main", "-c", str(vault.config), *said]
        return subprocess.run(
            command, stdout=file, stderr=subprocess.DEVNULL, env=environment
        ).returncode


def test_what_cannot_be_said_ends_with_a_code_of_the_table(vault):
    """The interpreter's own is 120; another code than 0 stays what it was."""
    assert ended(vault, "config", "validate", stdout="/dev/null") == 0
    assert ended(vault, "config", "validate", stdout="/dev/full") == 1
    assert ended(vault, "gaps", "--nagios", stdout="/dev/full") == 2
    assert ended(vault, "no-such-word", "--json", stdout="/dev/full") == 2


def test_a_monitoring_host_reads_unknown_where_the_status_is_none(mine, ask):
    """Neither a warning nor a traceback."""
    (mine.state / "public" / "status.json").write_text('{"status": "locked"}')
    assert ask(mine, "gaps", "--nagios").code == 3


@pytest.mark.parametrize("lacks", ["state", "pid", "gaps", "last_cycle", "targets", "written_at"])
def test_a_status_that_lacks_a_member_counts_as_a_door_that_may_be_open(mine, ask, lacks):
    """It is none that we wrote: nobody is told LOCKED by it."""
    path = mine.state / "public" / "status.json"
    status = json.loads(path.read_text())
    del status[lacks]
    path.write_text(json.dumps(status))
    assert [ask(mine, word).code for word in ("status", "gaps")] == [5, 5]


def test_a_signal_while_the_status_is_written_leaves_it_written(mine, ask, monkeypatch):
    """It comes once, when the act has ended: what that came to is told all the same."""
    path, publish, asked = mine.state / "public" / "status.json", StateFolder.publish, []
    path.unlink()

    def interrupted(folder, status):
        asked.append(status)
        if len(asked) == 1:
            raise Interrupted("ended by SIGTERM")
        publish(folder, status)

    monkeypatch.setattr(StateFolder, "publish", interrupted)
    told = ask(mine, "schedule", "evaluate")
    assert (len(asked) > 1, "could not be written" in told.stderr) == (True, False)
    assert json.loads(path.read_text())["status"] == "locked"


def test_a_pipe_that_is_not_the_one_to_us_is_told(mine, ask, monkeypatch):
    """A child that died in mid-sentence: nothing about it may end in silence."""

    def broken(*_: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("vault.wiring.retention.read_dates", broken)
    told = ask(mine, "retention", "plan", json_too=False)
    assert told.code == 1
    assert "ended too early" in told.stderr


def test_an_error_that_nobody_hears_keeps_its_code(vault, monkeypatch):
    """A journal that was restarted, a dead ``tee``: no second error takes its place."""

    class Deaf(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Deaf())
    assert run_words(["-c", str(vault.config), "gaps", "--since", "yesterday"]) == 2
