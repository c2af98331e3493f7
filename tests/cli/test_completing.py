"""Shells complete names and numbers of this vault, quickly and without a word of their own."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from vault.cli.app import app
from vault.cli.completing import drill_numbers, source_names

pytestmark = pytest.mark.xdist_group("cli")

_BIN = Path(sys.executable).parent
_SOURCED = """
source <(coffre --show-completion)
ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); COMPREPLY=(); _coffre_completion coffre
        echo "${COMPREPLY[*]}"; }
"""


def environment(**more: str) -> dict[str, str]:
    path = f"{_BIN}:{os.environ['PATH']}"
    return {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "TERM": "dumb", **more}


@pytest.fixture(scope="module")
def bash(vault):
    """Ask a real bash what it proposes; one shell for all questions, one answer for each."""

    def ask(*lines: str, config: Path | None = None) -> tuple[list[list[str]], str]:
        script = _SOURCED + "\n".join(f"ask {line}" for line in lines)
        ended = subprocess.run(
            ["bash", "--norc", "-c", script],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=environment(COFFRE_CONFIG=str(config or vault.config)),
            cwd="/",
        )
        return [line.split() for line in ended.stdout.splitlines()], ended.stderr

    return ask


def test_bash_proposes_commands_options_and_the_names_of_this_vault(bash, vault):
    """Global options stand after the command too; a file's name is left to bash."""
    answers, errors = bash(
        "coffre stat",
        "coffre gaps --source ''",
        "coffre target open ''",
        "coffre target list --l",
        f"coffre ls -c {vault.config} pm",
        "coffre restore pmsi --from ''",
        "coffre ls pmsi --cycle ''",
        "coffre restore pmsi --to ''",
    )
    assert answers[:6] == [
        ["status"], ["pmsi", "hr"], ["trial"], ["--lang"], ["pmsi"], ["landing", "trial"],
    ]  # fmt: skip
    assert {"1", "2"} <= set(answers[6])
    assert answers[7] == []
    assert errors == ""


def test_the_words_for_a_shell_are_told_with_success():
    """A script that sources them under ``set -e`` goes on."""
    asked = [f"{_BIN}/coffre", "--show-completion", "bash"]
    told = subprocess.run(asked, env=environment(), capture_output=True, timeout=60, check=False)
    assert (told.returncode, told.stderr) == (0, b"")
    assert b"_coffre_completion" in told.stdout


def test_what_cannot_be_read_is_not_proposed_and_nothing_is_said(bash, tmp_path):
    """No configuration, one that is no YAML, one without a vault: silence."""
    spoilt = tmp_path / "spoilt.yaml"
    spoilt.write_text("{ not yaml")
    bare = tmp_path / "bare.yaml"
    bare.write_text("state: nowhere\nsources: {one: {}}\n")
    for path in (spoilt, bare):
        path.chmod(0o600)
    assert bash("coffre gaps --source ''", config=tmp_path / "none.yaml") == ([[]], "")
    assert bash("coffre gaps --source ''", config=spoilt) == ([[]], "")
    questions = ("coffre gaps --source ''", "coffre ls one --cycle ''")
    assert bash(*questions, config=bare) == ([["one"], []], "")


def test_bash_completes_a_name_joined_by_an_equals_sign(vault):
    """At a real prompt: bash makes the sign a word of its own."""
    child, master = pty.fork()
    if child == 0:
        env = environment(COFFRE_CONFIG=str(vault.config), PS1="> ")
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], env)
    try:
        os.write(master, b"source <(coffre --show-completion)\n")
        _read_until(master, b"> ", times=2)
        os.write(master, b"coffre gaps --source=h\t")
        assert b"--source=hr " in _read_until(master, b"--source=hr ")
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(master)


def _read_until(master: int, wanted: bytes, *, times: int = 1) -> bytes:
    read, ends_at = b"", time.monotonic() + 30
    while read.count(wanted) < times and time.monotonic() < ends_at:
        if select.select([master], [], [], 0.1)[0]:
            read += os.read(master, 4096)
    return read


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("fish"), reason="no fish on this host")
def test_fish_proposes_the_names_of_this_vault(vault):
    """By its own ``complete``."""
    script = 'coffre --show-completion | source; complete -C "coffre ls pm"'
    ended = subprocess.run(
        ["fish", "--no-config", "-c", script],
        capture_output=True, text=True, timeout=60, check=True,
        env=environment(COFFRE_CONFIG=str(vault.config), HOME="/tmp"),
    )  # fmt: skip
    assert ended.stdout.split() == ["pmsi"]


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh on this host")
def test_zsh_proposes_the_names_of_this_vault(vault):
    """What its ``_arguments`` would show."""
    script = (
        "compdef() { : }; _arguments() { print -r -- $@ }; source <(coffre --show-completion); "
        "words=(coffre ls pm); CURRENT=3; _coffre_completion"
    )
    ended = subprocess.run(
        ["zsh", "-f", "-c", script],
        capture_output=True, text=True, timeout=60, check=True,
        env=environment(COFFRE_CONFIG=str(vault.config)),
    )  # fmt: skip
    assert '"pmsi"' in ended.stdout


def test_every_option_and_argument_that_is_a_name_is_completed(vault, monkeypatch):
    """Of whatever command: a source, a target, a night, a restore test."""
    monkeypatch.setenv("COFFRE_CONFIG", str(vault.config))
    seen = set()
    for group, command in _leaves():
        context = command.context_class(command)
        for param in command.params:
            name = param.opts[0] if param.opts[0].startswith("-") else param.metavar or param.name
            if name == "NAME" and group in ("target", "source"):
                name = f"{group} {name}"
            if name in ("--source", "--target", "--cycle", "SOURCE", "target NAME"):
                seen.add(name)
                assert param.shell_complete(context, ""), (group, command.name, name)
    assert seen == {"--source", "--target", "--cycle", "SOURCE", "target NAME"}


def _leaves():
    for name, command in typer.main.get_command(app).commands.items():
        for below in getattr(command, "commands", {"": command}).values():
            yield name, below


def test_numbers_of_restore_tests_are_the_newest_first(vault, ask):
    """From the catalogue's file alone."""
    for _ in range(2):
        ask(vault, "drill", "run", "--source", "pmsi", "--level", "L0").ok()
    listed = [str(one["drill"]) for one in ask(vault, "drill", "list").document["drills"]]
    context = _Context({"_config": str(vault.config)})
    assert drill_numbers(context) == listed[:30]
    assert len(listed) >= 2
    assert drill_numbers(_Context({"_config": "/nowhere/vault.yaml"})) == []
    assert source_names(_Context({}, _Context({"_config": str(vault.config)}))) == ["pmsi", "hr"]


class _Context:
    """The part of a parser's context that names are found by."""

    def __init__(self, params: dict[str, str], parent: _Context | None = None) -> None:
        self.params, self.parent = params, parent


def test_proposing_a_name_loads_no_database_and_no_vault():
    """It happens between two keys; what typer itself loads is typer's."""
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "vault.cli.main"],
        capture_output=True, text=True, timeout=60, check=True,
        env=environment(
            _COFFRE_COMPLETE="complete_bash", COMP_WORDS="coffre\ngaps\n--source\n", COMP_CWORD="3"
        ),
    )  # fmt: skip
    loaded = {line.split("|")[-1].strip() for line in told.stderr.splitlines()}
    assert "vault.config.glance" in loaded
    assert not {"sqlalchemy", "alembic", "rich", "vault.wiring", "vault.config.settings"} & loaded
