"""Every worked hook, run as a vault runs it, beside stand-ins for the tools it drives.

A PDU, a switch, a hub, a hypervisor and a mail system are not to be had here: what is shown is that
the hook calls its tool with these words and ends as the tool does, not that the tool obeys.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from vault.config.safety import check_executable
from vault.hooks import MOMENTS, HookFolder
from vault.results import HookOutcome

EXAMPLES = Path(__file__).parents[1] / "hooks"
TOOLS = ("snmpset", "uhubctl", "virsh", "pg_dump", "sendmail", "logger")
STAND_IN = """#!/bin/sh
printf '%s\\n' "$(basename "$0") $*" >> {said}
[ "$(basename "$0")" != sendmail ] || cat >> {said}
exit {code}
"""


@pytest.fixture
def act(tmp_path, monkeypatch):
    """Put an example into service, fire its moment, give the outcome and what tools were told."""
    bin_, site = tmp_path / "bin", tmp_path / "site"
    bin_.mkdir()
    site.mkdir(mode=0o755)
    monkeypatch.setenv("PATH", f"{bin_}:/usr/bin:/bin")

    def fire(example: str, moment: str, *, code: int = 0, edit=(), **facts: object):
        said = tmp_path / "said"
        said.unlink(missing_ok=True)
        for tool in TOOLS:
            (bin_ / tool).write_text(STAND_IN.format(said=said, code=code))
            (bin_ / tool).chmod(0o755)
        text = (EXAMPLES / example).read_text()
        for old, new in edit:
            assert old in text
            text = text.replace(old, str(new))
        (site / moment).write_text(text)
        (site / moment).chmod(0o755)
        hooks = HookFolder(folder=str(site), check=check_executable, timeout_s=10)
        result = hooks.fire(moment, facts)
        return result.outcome, said.read_text() if said.exists() else ""

    return fire


VIRSH = "virsh -c qemu+ssh://coffre@hypervisor.example.org/system?no_tty=1"
DOOR = {"purpose": "carry", "cycle": 7}


@pytest.mark.parametrize(
    ("example", "moment", "facts", "told"),
    [
        ("door-open.pdu.example", "door-open", {"target": "disk-a", **DOOR},
         "snmpset -t 5 -r 2 pdu-vault.example.org .1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.3 i 1\n"),
        ("door-open.pdu.example", "door-shut", {"target": "disk-b", **DOOR},
         "snmpset -t 5 -r 2 pdu-vault.example.org .1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.4 i 2\n"),
        ("door-open.usb-port.example", "door-open", {"target": "disk-a", **DOOR},
         "uhubctl -l 1-1 -p 2 -a on\n"),
        ("door-open.usb-port.example", "door-shut", {"target": "disk-a", **DOOR},
         "uhubctl -l 1-1 -p 2 -a off\n"),
        ("door-open.hypervisor-disk.example", "door-open", {"target": "disk-a", **DOOR},
         f"{VIRSH} attach-disk coffre /dev/disk/by-id/ata-EXAMPLE_DISK_A sdx --targetbus scsi\n"),
        ("door-open.hypervisor-disk.example", "door-shut", {"target": "disk-a", **DOOR},
         f"{VIRSH} detach-disk coffre sdx\n"),
        ("before-collect.switch-port.example", "before-collect", {"cycle": 7, "sources": ["hr"]},
         "snmpset -t 5 -r 2 switch-vault.example.org .1.3.6.1.2.1.2.2.1.7.17 i 1\n"),
        ("before-collect.switch-port.example", "after-collect", {"cycle": 7, "sources": ["hr"]},
         "snmpset -t 5 -r 2 switch-vault.example.org .1.3.6.1.2.1.2.2.1.7.17 i 2\n"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)  # fmt: skip
def test_what_powers_and_cuts_is_told_so_and_its_failure_is_told(act, example, moment, facts, told):
    """The tool's words for the moment; a tool that fails is a hook that failed."""
    assert act(example, moment, **facts) == (HookOutcome.RAN, told)
    assert act(example, moment, code=1, **facts) == (HookOutcome.FAILED, told)


@pytest.mark.parametrize("kind", ["pdu", "usb-port", "hypervisor-disk"])
def test_a_medium_that_is_not_the_hooks_business_is_left_alone(act, kind):
    """Another target powers nothing, and that is no failure."""
    said = act(f"door-open.{kind}.example", "door-open", target="disk-z", **DOOR)
    assert said == (HookOutcome.RAN, "")


def test_a_dump_is_complete_only_once_it_ended_well(act, tmp_path):
    """The done-file goes first and comes last; a dump that fails leaves none."""
    edit = [("/srv/exports/records", tmp_path)]
    done = tmp_path / "records.done"
    facts = {"cycle": 7, "sources": ["records"]}
    example = "before-collect.pg-dump.example"
    words = f"pg_dump --no-password --format=custom --file={tmp_path}/records.dump records\n"
    assert act(example, "before-collect", edit=edit, **facts) == (HookOutcome.RAN, words)
    assert done.exists()
    assert act(example, "before-collect", code=1, edit=edit, **facts)[0] is HookOutcome.FAILED
    assert not done.exists()


def _night(verdict: str) -> dict[str, object]:
    sources = [{"name": "hr", "verdict": "sound"}, {"name": "pmsi", "verdict": "corrupt"}] * 40
    return {
        "schema": "coffre/run/1", "exit_code": 7, "cycle": 7, "verdict": verdict,
        "status": "locked", "sources": sources, "targets": [], "hooks": [],
    }  # fmt: skip


def test_a_night_that_was_not_sound_is_mailed_and_a_sound_one_is_not(act):
    """The night's verdict, not a source's; no line longer than a mail carries."""
    assert act("after-cycle.example", "after-cycle", **_night("sound")) == (HookOutcome.RAN, "")
    outcome, mail = act("after-cycle.example", "after-cycle", **_night("media-absent"))
    assert outcome is HookOutcome.RAN
    assert mail.startswith(
        "sendmail -t\nTo: root\nSubject: coffre: the night ended media-absent\n\n{"
    )
    assert max(map(len, mail.splitlines())) <= 76
    assert json.loads(mail.partition("\n\n")[2].replace("\n", ""))["cycle"] == 7


def test_each_kind_of_new_gap_is_one_line_of_the_log(act):
    """The kind and how many, and no word of the gap itself."""
    gap = {"severity": "critical", "source": "hr", "message": 'hr: "kind" of; $(reboot)'}
    gaps = [{"kind": "stale", **gap}, {"kind": "no-medium", **gap}, {"kind": "stale", **gap}]
    outcome, said = act("on-gap.syslog.example", "on-gap", gaps=gaps)
    assert outcome is HookOutcome.RAN
    assert said.splitlines() == [
        "logger -t coffre -p daemon.warning newly missing: no-medium (1)",
        "logger -t coffre -p daemon.warning newly missing: stale (2)",
    ]


def test_the_pages_are_copied_and_nothing_else_of_what_is_public(act, tmp_path):
    """Under their names, readable, whole: no half page is ever served."""
    reports, www = tmp_path / "v" / "public" / "reports", tmp_path / "www"
    reports.mkdir(parents=True)
    www.mkdir()
    for name in ("dim.fr.html", "auditor.en.html", "dim.csv"):
        (reports / name).write_text(name)
        (reports / name).chmod(0o640)
    status = reports.parent / "status.json"
    status.write_text("{}")
    edit = [("/srv/www/coffre", www)]
    paths = [str(status), *map(str, sorted(reports.iterdir()))]
    assert act("publish.copy.example", "publish", edit=edit, paths=paths)[0] is HookOutcome.RAN
    assert sorted(path.name for path in www.iterdir()) == ["auditor.en.html", "dim.fr.html"]
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in www.iterdir())


def test_every_example_is_run_here_and_named_after_a_moment():
    """A new one needs its stand-in; and its line in hooks/README.md."""
    text = Path(__file__).read_text() + (EXAMPLES / "README.md").read_text()
    for path in EXAMPLES.glob("*.example"):
        assert path.name.split(".")[0] in MOMENTS
        assert text.count(f'"{path.name}"') + text.count(f"`{path.name}`") >= 2 or (
            path.name.startswith("door-open.") and f"`{path.name}`" in text
        )


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("shellcheck"), reason="no shellcheck on this host")
def test_the_examples_are_clean_shell():
    """To shellcheck, without an exception."""
    paths = sorted(map(str, EXAMPLES.glob("*.example")))
    ended = subprocess.run(["shellcheck", *paths], capture_output=True, text=True, check=False)
    assert ended.stdout == ""
