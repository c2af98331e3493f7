"""What ``coffre doctor`` finds before a night does."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("cli")

_BLOB = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)
_HOST_KEY = f"ssh-ed25519 {base64.b64encode(_BLOB).decode()}"  # of no host


def landing_finding(told) -> dict:
    """Give what it says of the landing."""
    return next(item for item in told.document["findings"] if item["name"] == "landing")


def test_password_that_opens_no_key_is_found(mine, ask) -> None:
    """The file is there and read; only the landing can tell that it is the wrong one."""
    assert landing_finding(ask(mine, "doctor").ok())["good"]
    (mine.folder / "secrets" / "landing.pw").write_text("another\n")
    found = landing_finding(ask(mine, "doctor").ok(1))
    assert not found["good"]
    assert "opens no key" in found["says"]
    assert "recovery password" in found["mend"]


def test_recovery_password_does_in_the_place_of_the_landings(mine, ask, founded) -> None:
    """A lost landing password stops no night while the sheet is in the safe."""
    password = Path(mine.folder / "secrets" / "landing.pw")
    password.write_text(founded[1]["recovery_password"] + "\n")
    ask(mine, "doctor").ok()
    mine.grow(3)
    ask(mine, "run", "--now").ok()


def findings(told) -> dict[str, dict]:
    """Give what it says, by name."""
    return {item["name"]: item for item in told.document["findings"]}


def test_a_hook_that_would_be_refused_is_told_before_its_night(mine, ask) -> None:
    """``on-gap`` may not be run for months; who forgot chmod hears of it today."""
    hooks = mine.folder / "hooks"
    for name, mode in (("on-gap", 0o644), ("publish", 0o755), ("door-open", 0o777)):
        (hooks / name).write_text("#!/bin/sh\n")
        (hooks / name).chmod(mode)
    told = findings(ask(mine, "doctor").ok(1))
    assert [told[f"hook {name}"]["good"] for name in ("publish", "door-open", "on-gap")] == [
        True,
        False,
        False,
    ]
    assert told["hook on-gap"]["mend"] == f"chmod +x {hooks / 'on-gap'}?"
    (hooks / "on-gap").chmod(0o755)
    (hooks / "door-open").unlink()
    assert "hook door-open" not in findings(ask(mine, "doctor").ok())


def test_a_source_that_is_not_ready_is_told_with_the_command_that_makes_it_so(mine, ask) -> None:
    """Key, confirmed host key and program are looked for; no host is asked."""
    port = 9  # nobody listens there, and nobody is asked
    more = (
        f"  lab: {{policy: laboratory, sftp: {{host: 127.0.0.1, port: {port}, user: lab, "
        "path: /out, key: {file: secrets/lab_ed25519}}}\n"
        "  ldap: {policy: directory, command: [no-such-program-here], output: a.ldif}\n"
    )
    text = mine.config.read_text()
    mine.config.write_text(text.replace("targets:\n", more + "targets:\n", 1))
    told = findings(ask(mine, "doctor").ok(1))
    assert "does not exist" in told["source lab"]["says"]
    assert told["source lab"]["mend"] == "coffre source key lab makes one"
    assert "no-such-program-here" in told["source ldap"]["says"]
    ask(mine, "source", "key", "lab").ok()
    told = findings(ask(mine, "doctor").ok(1))
    assert told["source lab"]["mend"].startswith("coffre source trust lab")
    (mine.folder / "secrets" / "lab_ed25519").write_text("not a key\n")
    pinned = mine.folder / "secrets" / "known_hosts"
    pinned.write_text(f"[127.0.0.1]:{port} {_HOST_KEY}\n")
    pinned.chmod(0o600)
    assert "no private key" in findings(ask(mine, "doctor").ok(1))["source lab"]["says"]
    (mine.folder / "secrets" / "lab_ed25519").unlink()
    ask(mine, "source", "key", "lab").ok()
    assert findings(ask(mine, "doctor").ok(1))["source lab"]["good"]
