"""The units for systemd: judged by systemd's own tools, and by what is done with the files."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.rigs.vaults import TREE, ScratchVault, make_vault
from vault.units import NightUnit, UnitFacts, calendars, make_daemon_unit, make_units
from vault.window import ALL_DAYS, Window, next_opening

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 1, 15, tzinfo=UTC)
NIGHT = Window(name="night", start=time(2, 30), for_s=7200)
FACTS = UnitFacts(
    program="/bin/true",
    config="/etc/coffre/vault.yaml",
    state="/var/lib/coffre",
    zone="Europe/Paris",
    nights=(
        NightUnit(window=NIGHT, catch_up_s=6 * 3600),
        NightUnit(window=replace(NIGHT, name="sunday", days=frozenset({6, 2}))),
    ),
    drills_s=1800,
    drills_at=time(4, 30),
    evaluate_s=3600,
    lets_go=True,
    stop_s=240,
    credentials=("landing.pw", "lab"),
    writable=("/srv/trial",),
    moves_link=True,
    tells=True,
)


@pytest.fixture(scope="module")
def analyze() -> str:
    """Give systemd's own judge."""
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed: package systemd")
    return found


def judged(*words: str) -> tuple[int, str]:
    """Run a judge with the clock of UTC; give its code and all it said."""
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "TZ": "UTC"}
    )
    return done.returncode, done.stdout + done.stderr


def laid_out(units: dict[str, str], folder: Path) -> list[str]:
    for name, text in units.items():
        (folder / name).write_text(text)
    return [str(folder / name) for name in units]


def odd(path: str) -> str:
    """Give a path that a unit must escape."""
    return f"{path}/100 % of $HOME"


@pytest.mark.parametrize("facts", [FACTS, replace(FACTS, config=odd("/etc"), state=odd("/srv"))])
def test_systemd_accepts_every_unit_without_a_word(analyze: str, tmp_path: Path, facts) -> None:
    """Services, timers, the alert's template and the daemon; also with odd paths."""
    units = {**make_units(facts, NOW, PARIS), **make_daemon_unit(facts)}
    assert len(units) == 14
    assert judged(analyze, "verify", "--man=no", *laid_out(units, tmp_path)) == (0, "")


def test_a_fault_in_a_unit_would_be_found(analyze: str, tmp_path: Path) -> None:
    """What judges the units is not blind."""
    units = make_units(FACTS, NOW, PARIS)
    name = "coffre-night.timer"
    units[name] = units[name].replace("Persistent=true", "Persistence=true")
    code, said = judged(analyze, "verify", "--man=no", *laid_out(units, tmp_path))
    assert (code, "Persistence" in said) != (0, False)


def elapses(analyze: str, rule: str, *, since: datetime, until: datetime) -> set[datetime]:
    """Ask systemd when a calendar elapses between two instants."""
    base = f"--base-time={since:%Y-%m-%d %H:%M:%S} UTC"
    _code, said = judged(analyze, "calendar", base, "--iterations=12", rule)
    found = re.findall(r"(?:elapse|#\d+): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", said)
    instants = {datetime.fromisoformat(one).replace(tzinfo=UTC) for one in found}
    assert instants or "never" in said, said
    return {one for one in instants if since < one <= until}


@pytest.mark.parametrize("change", [datetime(2026, 3, 29), datetime(2026, 10, 25)])  # noqa: DTZ001
@pytest.mark.parametrize("at", [time(1), time(2), time(2, 30), time(3), time(23, 30)])
@pytest.mark.parametrize("days", [ALL_DAYS, frozenset({5, 6})])
def test_timers_elapse_when_windows_open_also_when_the_clocks_change(analyze, change, at, days):
    """In the week around either change; a start that is skipped has a line of its own."""
    window = replace(NIGHT, start=at, days=days)
    since = change.replace(tzinfo=UTC) - timedelta(days=4)
    until = since + timedelta(days=8)
    rules = calendars(window, "Europe/Paris", NOW, PARIS)
    told = set().union(*(elapses(analyze, one, since=since, until=until) for one in rules))
    ours, opens = set(), next_opening(window, since, PARIS)
    while opens <= until:
        ours.add(opens)
        opens = next_opening(window, opens, PARIS)
    assert told == ours


def test_the_manual_says_how_exposed_systemd_finds_a_night(analyze: str, tmp_path: Path) -> None:
    """The figure in docs/sysadmin.md is near what the tool says that is installed here."""
    units = make_units(replace(FACTS, moves_link=False), NOW, PARIS)
    laid_out(units, tmp_path)
    unit = str(tmp_path / "coffre-night.service")
    _code, said = judged(analyze, "security", "--offline=yes", "--no-pager", unit)
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", said)
    assert exposure, said
    manual = (TREE / "docs" / "sysadmin.md").read_text("utf-8")
    told = re.search(r"`systemd-analyze security` gives a night ([\d.]+) of 10", manual)
    assert told
    assert abs(float(told[1]) - float(exposure[1])) <= 0.5  # releases of systemd count differently


def test_no_unit_has_what_fails_silently() -> None:
    """No Condition, no interval that dies with the manager, no delay, no prefix that forgives."""
    for name, text in {**make_units(FACTS, NOW, PARIS), **make_daemon_unit(FACTS)}.items():
        assert not re.search(r"^(Condition|Assert|OnBoot|OnUnit|OnActive|OnStartup)", text, re.M)
        assert not re.search(r"^Exec\w+=-", text, re.M), name
        if name.endswith(".service") and "@" not in name:
            assert "OnFailure=coffre-alert@%n.service" in text
            # What opens no door asks none: while a night has one open, that would be a failed unit.
            opens = not re.search("-(evaluate|notify)[.]", name)
            assert ("target close" in text) is opens, name
    assert "CAP_NET_ADMIN" in make_daemon_unit(FACTS)["coffre-serve.service"]


# -- the files


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> ScratchVault:
    """Give a vault with two windows; it was never founded, and need not be."""
    made = make_vault(tmp_path_factory.mktemp("units") / "v", targets={"trial": "folder"})
    text = made.config.read_text().replace("trial}, ", "trial}, window: night, ")
    text = text.replace("{file: secrets/landing.pw}", "{credential: landing.pw}")
    windows = 'night: {start: "01:00", for: 2h}, unused: {start: "05:00", for: 1h}'
    made.config.write_text(f"{text}windows: {{{windows}}}\n")
    return made


def test_install_writes_and_switches_nothing_on_and_remove_takes_it_away(vault, tmp_path):
    """What was written is named, a second time nothing is; enabled units are not removed."""
    to = ("--to", str(tmp_path))
    first = vault.coffre("schedule", "install", "--systemd", *to).ok()
    assert set(first.document["written"]) == {path.name for path in tmp_path.iterdir()}
    assert "systemctl enable --now coffre-night.timer" in first.stderr
    assert "coffre-unused.timer" not in first.document["units"]
    night = (tmp_path / "coffre-night.service").read_text()
    assert "LoadCredentialEncrypted=landing.pw:" in night
    assert f"ReadWritePaths={vault.state} {vault.trial}\n" in night
    assert vault.coffre("schedule", "install", *to).ok().document["written"] == []
    daemon = vault.coffre("schedule", "install", "--daemon", *to).ok().document
    assert daemon["written"] == ["coffre-serve.service"]
    assert "coffre-night.timer" in daemon["stale"]
    wanted = tmp_path / "timers.target.wants"
    wanted.mkdir()
    (wanted / "coffre-night.timer").symlink_to(tmp_path / "coffre-night.timer")
    refused = vault.coffre("schedule", "remove", *to).ok(2)
    assert "coffre-night.timer" in refused.document["error"]["message"]
    (wanted / "coffre-night.timer").unlink()
    (tmp_path / "coffre-of-the-site.service").write_text("[Service]\nExecStart=/bin/true\n")
    removed = vault.coffre("schedule", "remove", *to).ok().document["removed"]
    assert set(removed) == {*first.document["written"], "coffre-serve.service"}
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"timers.target.wants", "coffre-of-the-site.service"}


def test_a_unit_of_the_site_is_not_written_over_and_nothing_else_is_written(vault, tmp_path):
    """The site wrote its own coffre-night.service: all or nothing."""
    own = tmp_path / "coffre-night.service"
    own.write_text("[Service]\nExecStart=/bin/true\n")
    vault.coffre("schedule", "install", "--to", str(tmp_path)).ok(2)
    assert [path.name for path in tmp_path.iterdir()] == ["coffre-night.service"]
    assert own.read_text().startswith("[Service]")
    shown = vault.coffre("schedule", "install", "--print", "--to", str(tmp_path)).ok()
    assert json.loads(shown.stdout)["written"] == []
    assert "OnCalendar=*-*-* 01:00:00 Europe/Paris" in shown.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["coffre-night.service"]
