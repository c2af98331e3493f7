"""Who may read what: ``status`` and ``gaps`` without root, and what never stands in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from tests.rigs.vaults import ODD_NAMES, TREE
from vault.cli.standing import status_command

pytestmark = pytest.mark.xdist_group("cli")

HEAVY = ("sqlalchemy", "alembic", "pydantic", "typer", "click", "rich", "paramiko", "cryptography")


@pytest.mark.root
def test_a_member_of_the_state_group_reads_status_and_gaps(vault, ask_as, group, faults):
    """Without root, without the catalogue; the same words as root reads."""
    for words in (("status",), ("gaps",), ("gaps", "--source", "hr"), ("pmsi",), ("report",)):
        told = ask_as([group.gr_gid], vault, *words)
        assert told.code == 0, told.stderr
        assert faults(told.document) == []
    assert ask_as([group.gr_gid], vault, "gaps", "--nagios").code == 2


@pytest.mark.root
def test_nobody_else_reads_them(vault, ask_as):
    """An account outside the group is told why, with code 2."""
    for words in (("status",), ("gaps",), ("pmsi",), ("report",)):
        told = ask_as([], vault, *words)
        assert told.code == 2
        assert told.document["error"]["reference"] == "not-initialised"
        assert "state_group" in told.document["error"]["hint"]


@pytest.mark.root
def test_a_member_of_the_group_reads_nothing_else(vault, ask_as, group):
    """Catalogue, ledger, landing and keys stay root's; a command that needs them fails in words."""
    for words in (
        ("ls", "pmsi"),
        ("target", "list"),
        ("target", "close"),
        ("run", "--now"),
        ("init",),
        ("secure", "--reason", "r", "--by", "b"),
        ("release", "--by", "b"),
        ("keys", "confirm"),
        ("restore", "pmsi", "--to", "/nowhere"),
    ):
        told = ask_as([group.gr_gid], vault, *words)
        assert (told.code, told.document["error"]["reference"]) == (2, "needs-root"), told.document


def test_the_state_lets_others_through_to_public_only(vault):
    """Folders 0700 and files 0600, but for the way to ``public/``."""
    assert vault.state.stat().st_mode & 0o7777 == 0o711
    assert [path.name for path in vault.state.iterdir() if path.stat().st_mode & 0o077] == [
        "public"
    ]
    assert (vault.state / "public").stat().st_mode & 0o7777 == 0o750
    assert (vault.state / "public" / "status.json").stat().st_mode & 0o7777 == 0o640


def test_no_name_of_an_exported_file_is_public_or_in_the_ledger(vault, ask):
    """Neither in ``public/``, nor in the ledger, nor in what ``status`` and ``gaps`` print."""
    told = ask(vault, "status").stdout + ask(vault, "gaps").stdout
    told += ask(vault, "status", json_too=False).stdout + ask(vault, "gaps", json_too=False).stdout
    for path in [path for path in (vault.state / "public").rglob("*") if path.is_file()]:
        told += path.read_text("utf-8")
    told += (vault.state / "ledger" / "ledger.jsonl").read_text("utf-8")
    names = [name.decode("utf-8", "replace") for name in ODD_NAMES if len(name) > 4]
    for name in (*names, "M01.txt", "night-1", "deep/er", "résumé", "r\\xe9sum"):
        assert name not in told


def test_status_imports_neither_database_nor_models(vault):
    """The promise of 150 ms rests on it; how long it takes is printed, not judged."""
    script = (
        "import json, sys\n"
        "from vault.cli.main import run_words\n"
        f"code = run_words(['-c', {str(vault.config)!r}, 'status'])\n"
        f"print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(TREE)}
    took = []
    for _ in range(3):
        began = time.monotonic()
        told = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, env=environment, check=True
        )
        took.append(time.monotonic() - began)
        assert json.loads(told.stderr) == []
        assert told.stdout
    print(f"status, warm: {min(took) * 1000:.0f} ms, the start of Python included")  # noqa: T201


def test_status_tells_an_opening_whose_process_is_gone_as_degraded(vault, ask):
    """A file that says unlocked, written by nobody who lives, is no proof that anything is shut."""
    path = vault.state / "public" / "status.json"
    kept = path.read_bytes()
    document = json.loads(kept) | {"status": "unlocked", "pid": 2**22 + 1}
    try:
        path.write_text(json.dumps(document))
        assert ask(vault, "status").code == 5
        assert "DEGRADED" in ask(vault, "status", json_too=False).stdout
        path.write_text(json.dumps(document | {"pid": os.getpid()}))
        assert ask(vault, "status").code == 0
        assert "UNLOCKED" in ask(vault, "status", json_too=False).stdout
        path.write_text(json.dumps(document | {"status": "degraded"}))
        assert ask(vault, "status").code == 5
    finally:
        path.write_bytes(kept)


def test_instants_are_told_on_the_clock_of_the_site(vault, ask):
    """Paris is an hour or two ahead of UTC: a gap's ``since`` too, in both languages."""
    path = vault.state / "public" / "status.json"
    kept = path.read_bytes()
    document = json.loads(kept)
    document["gaps"] = [
        {"kind": "no-night", "severity": "critical", "source": None, "target": None,
         "since": "2026-01-15T23:30:00+00:00", "message": "no night has run", "mend": "m",
         "template": "no night has run", "mend_template": "m", "values": {}}
    ]  # fmt: skip
    try:
        path.write_text(json.dumps(document))
        assert "(since 2026-01-16 00:30)" in ask(vault, "status", json_too=False).stdout
        french = ask(vault, "status", "--lang", "fr", json_too=False).stdout
        assert "(depuis le 16/01/2026 00:30)" in french
    finally:
        path.write_bytes(kept)


def test_gaps_since_a_day_leaves_out_what_began_before_it(vault, ask, faults):
    """Midnight is the site's; what has no known beginning stays; each names its owner or null."""
    everything = ask(vault, "gaps").document["gaps"]
    owners = {gap["source"]: gap["owner"] for gap in everything if gap["source"]}
    assert owners["pmsi"]
    assert owners["hr"] != owners["pmsi"]
    (door,) = [gap for gap in everything if gap["kind"] == "production-door-none"]
    assert door["owner"] is None
    told = ask(vault, "gaps", "--since", "2999-01-01").document
    assert faults(told) == []
    assert told["gaps"] == [gap for gap in everything if gap["since"] is None] != []
    assert ask(vault, "gaps", "--since", "2001-01-01").document["gaps"] == everything
    wrong = ask(vault, "gaps", "--since", "yesterday")
    assert (wrong.code, wrong.document["error"]["reference"]) == (2, "usage")
    assert owners["pmsi"] in ask(vault, "gaps", "--source", "pmsi", json_too=False).stdout


def test_the_front_door_of_status_is_the_one_that_is_tested():
    """``main`` calls it without the parser; the parser's own ``status`` is the same."""
    from vault.cli.commands.status import status

    assert status_command.__module__ == "vault.cli.standing"
    assert "status_command" in status.__code__.co_names
