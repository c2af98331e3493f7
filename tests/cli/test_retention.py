"""Letting go, in a real vault: ten nights three days apart, then the landing forgets."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard

from tests.rigs.judge import files_of
from tests.rigs.vaults import TREE, ScratchVault, cheap_restic, make_vault
from tests.scenarios.conftest import copied
from vault import retention
from vault.airlock import Airlock, Opening
from vault.catalogue import Catalogue
from vault.clock import SystemClock
from vault.errors import StoreError
from vault.removal import Remover
from vault.results import RepositoryFile
from vault.retention import FLOOR
from vault.stores.removal import remove
from vault.wiring.removal import ASKED_FACT

pytestmark = pytest.mark.xdist_group("retention")  # the nights they share take half a minute

NIGHTS = FLOOR + 3
DAYS_APART = 3  # a longer leap of the clock would be asked about
LONG_AGO = 1_700_000_000
RETENTION = "retention: {nightly_days: 1, monthlies: 0, yearlies: 0, max_forget: 2}\n"


def _short_policies(vault: ScratchVault) -> None:
    """Give the sources policies that keep next to nothing."""
    import yaml

    folder = vault.folder / "policies"
    folder.mkdir()
    for name in ("pmsi", "hr"):
        policy = yaml.safe_load((TREE / "policies" / f"{name}.yaml").read_text())
        del policy["retention"]
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(policy) + RETENTION)
    views = "retention: {nightly_days: 1, monthlies: 0, yearlies: 0, hold: 1d}"
    text = vault.config.read_text()
    vault.config.write_text(text.replace("store: files}", f"store: files, {views}}}"))


def _finish_long_ago(vault: ScratchVault) -> None:
    """Date every export before the first night: by that night's clock it is complete."""
    for path in (vault.folder / "exports").rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))


@pytest.fixture(scope="module")
def aged_once(ask) -> Iterator[ScratchVault]:
    """A vault with its nights behind it, the last of them just now, every one on its target."""
    with (
        tempfile.TemporaryDirectory(prefix="coffre-old-") as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        ago = timedelta(days=DAYS_APART * (NIGHTS - 1))
        patch.setattr(SystemClock, "now", lambda _self: datetime.now(UTC) - ago)
        patch.setattr(SystemClock, "boot_id", lambda _self: f"started-{ago.days}-days-ago")
        vault = make_vault(Path(folder) / "v", targets={"trial": "folder"})
        _short_policies(vault)
        with pytest.MonkeyPatch.context() as founding:
            shim = cheap_restic(vault.folder / "cheap", vault.restic)
            founding.setenv("PATH", f"{shim}:{os.environ['PATH']}")
            password = ask(vault, "init").ok().document["recovery_password"]
        ask(vault, "keys", "confirm", stdin=f"{password}\n").ok()
        ask(vault, "target", "enrol", "trial", "--yes").ok()
        ask(vault, "config", "review", "--by", "M. Martin").ok()
        for night in range(1, NIGHTS + 1):
            _finish_long_ago(vault)
            ask(vault, "run", "--now").ok()
            if night < NIGHTS:
                vault.grow(night)
                ago -= timedelta(days=DAYS_APART)
        # The host was off between the nights; somebody says that the clock is right.
        ask(vault, "clock", "confirm", "--by", "M. Martin", "--reason", "off all summer").ok()
        yield vault


@pytest.fixture
def aged(aged_once: ScratchVault, tmp_path: Path) -> ScratchVault:
    """A copy of that vault, of this test's own."""
    return copied(aged_once, tmp_path / "v")


def test_a_sample_makes_no_point_the_last_proven_one(aged, ask):
    """Two files of it came back; nothing is known of the others."""
    with contextlib.closing(Catalogue.open(str(aged.state / "catalogue.sqlite"))) as catalogue:
        ask(aged, "drill", "run", "--source", "pmsi", "--sample", "2").ok()
        assert catalogue.proven_points() == {}
        ask(aged, "drill", "run", "--source", "pmsi").ok()
        assert len(catalogue.proven_points()) == 1


def snapshots(vault: ScratchVault) -> set[str]:
    return {path.name for path in (vault.landing / "snapshots").iterdir()}


def entries(vault: ScratchVault) -> list[dict]:
    lines = (vault.state / "ledger" / "ledger.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def kinds(vault: ScratchVault) -> list[str]:
    return [entry["kind"] for entry in entries(vault)]


def test_a_plan_gives_each_point_that_stays_its_reasons_and_touches_nothing(aged, ask, faults):
    """The oldest go, no more than the policy lets go in a run; the seven newest always stay."""
    before = snapshots(aged)
    document = ask(aged, "retention", "plan").ok().document
    assert faults(document) == []
    assert document["stops"] == []
    assert snapshots(aged) == before
    going = {(one["source"], one["cycle"]) for one in document["let_go"]}
    assert going == {(name, night) for name in ("pmsi", "hr", "coffre") for night in (1, 2)}
    rules = {
        (one["source"], one["cycle"]): [why["rule"] for why in one["reasons"]]
        for one in document["kept"]
    }
    assert rules["pmsi", 3] == ["held-back"]
    assert "newest" in rules["pmsi", 4]
    assert rules["hr", NIGHTS] == ["newest", "nightly", "last-clean"]
    assert ask(aged, "retention", "plan", json_too=False).ok().stdout.count("goes") == len(going)


def test_the_landing_lets_go_and_what_it_kept_and_what_media_hold_comes_back_whole(
    aged, ask, faults, monkeypatch, tmp_path
):
    """The next night carries the new index; the old view still gives the old point back."""
    gone = ask(aged, "retention", "plan").document["let_go"]
    refused = ask(aged, "retention", "apply", "--by", "M. Martin")
    assert refused.code == 2, refused.stdout
    done = ask(aged, "retention", "apply", "--by", "M. Martin", "--yes").ok().document
    assert faults(done) == []
    assert done["pruned"]
    assert done["written_files"] == 1
    assert snapshots(aged).isdisjoint({one["snapshot_id"] for one in gone})
    assert kinds(aged)[-4:].count("retention-ended") == 1
    # what is no longer in the landing is told, with who holds it
    again = ask(aged, "retention", "plan").document
    assert again["let_go"] == [], "what one day may let go of has gone"
    away = ask(aged, "restore", "pmsi", "--cycle", "1", "--to", str(tmp_path / "no"))
    assert away.code == 1
    assert away.document["error"]["reference"] == "nothing-to-restore"
    assert "trial" in away.document["error"]["hint"]
    # a night after it: the new index crosses, nothing else is wrong
    aged.grow(NIGHTS + 1)
    night = ask(aged, "run", "--now").ok().document
    assert night["verdict"] == "sound"
    for name, origin, cycle, state in (
        ("old", "trial", 1, 0),
        ("kept", "landing", 5, 4),
        ("new", "trial", NIGHTS + 1, NIGHTS),
    ):
        words = ("restore", "pmsi", "--to", str(tmp_path / name), "--from", origin)
        ask(aged, *words, "--cycle", str(cycle)).ok()
        assert files_of(tmp_path / name) == aged.history["pmsi"][state], name
    # and a second one has nothing new to carry
    again = ask(aged, "run", "--now").ok().document
    assert [target["outcome"] for target in again["targets"]] == ["nothing-new"]
    # a timer goes on day after day until nothing goes, and then leaves no trace
    for days in range(1, NIGHTS):
        _now_in(monkeypatch, days)
        if not ask(aged, "retention", "plan").document["let_go"]:
            break
        ask(aged, "retention", "apply", "--due", "--by", "schedule", "--yes").ok()
    entries = kinds(aged)
    idle = ask(aged, "retention", "apply", "--due", "--by", "schedule", "--yes").ok().document
    assert faults(idle) == []
    assert (idle["forgotten"], kinds(aged)) == ([], entries)


class Died(BaseException):
    """The process is gone: nothing catches it, nothing is written after it."""


@pytest.mark.parametrize("place", ["mark_forgotten", "settle_prune"])
def test_a_run_that_died_is_finished_by_the_next_night(aged, ask, monkeypatch, place, tmp_path):
    """Died with the snapshots gone, or with the packs gone and the index new: before a record."""
    from vault.catalogue import Catalogue

    def die(*_args: object, **_named: object) -> None:
        raise Died

    with monkeypatch.context() as dying:
        dying.setattr(Catalogue, place, die)
        with pytest.raises(Died):
            ask(aged, "retention", "apply", "--by", "M. Martin", "--yes")
    aged.grow(NIGHTS + 1)
    assert ask(aged, "run", "--now").ok().document["verdict"] == "sound"
    assert kinds(aged).count("retention-settled") == 1
    known = {f"snapshots/{name}" for name in snapshots(aged)}
    document = ask(aged, "retention", "plan").ok().document
    points = {one["snapshot_id"] for one in document["kept"] + document["let_go"]}
    assert {f"snapshots/{one}" for one in points} == known
    ask(aged, "restore", "hr", "--to", str(tmp_path / "back"), "--from", "trial").ok()
    assert files_of(tmp_path / "back") == aged.history["hr"][NIGHTS]


@pytest.mark.long
def test_killed_at_any_moment_the_landing_stays_sound_and_the_records_follow(aged, ask, tmp_path):
    """The whole family is killed, restic among it, later each time."""
    for turn in range(12):
        vault = copied(aged, tmp_path / f"turn-{turn}")
        process = vault.start("retention", "apply", "--by", "M. Martin", "--yes")
        time.sleep(0.6 + turn * 0.12)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        vault.grow(NIGHTS + 1)
        night = vault.run()
        assert night.ok().document["verdict"] == "sound", turn
        check = ["restic", "--no-cache", "-r", str(vault.landing), "check"]
        subprocess.run(check, env=restic_environment(vault), check=True, capture_output=True)
        document = ask(vault, "retention", "plan").ok().document
        points = {one["snapshot_id"] for one in document["kept"] + document["let_go"]}
        assert points == snapshots(vault)


def restic_environment(vault: ScratchVault) -> dict[str, str]:
    return {**os.environ, "RESTIC_PASSWORD": vault.password.decode()}


# -- what stops it


def refusal(vault: ScratchVault, ask) -> str:
    """Insist that nothing goes, by the plan and by the act; give the reason."""
    before = snapshots(vault)
    told = ask(vault, "retention", "apply", "--by", "M. Martin", "--yes")
    assert told.code == 7, told.stdout
    assert told.document["error"]["reference"] == "retention-refused"
    assert snapshots(vault) == before
    assert kinds(vault).count("retention-refused") >= 1
    return str(told.document["error"]["message"])


def test_nothing_goes_under_an_alarm_nor_by_policies_nobody_has_read(aged, ask):
    """A policy that was changed since its review is an alarm of its own."""
    policy = aged.folder / "policies" / "hr.yaml"
    policy.write_text(policy.read_text().replace("max_forget: 2", "max_forget: 900"))
    assert "policy-changed" in refusal(aged, ask)
    # a timer is refused like a person as long as something goes
    due = ("retention", "apply", "--due", "--by", "schedule", "--yes")
    assert ask(aged, *due).code == 7
    ask(aged, "config", "review", "--by", "Mme Durand").ok()
    document = ask(aged, "retention", "plan").document
    assert document["stops"] == []
    assert len([one for one in document["let_go"] if one["source"] == "hr"]) == NIGHTS - FLOOR


def test_nothing_goes_from_a_landing_with_something_in_it_that_is_not_ours(aged, ask):
    """A prune would take it in or away."""
    (aged.landing / "data" / "00" / ("00" * 32)).write_bytes(b"not ours")
    assert "no run of ours made" in refusal(aged, ask)


def test_nothing_goes_by_a_clock_that_leapt_until_a_person_has_said_that_it_is_right(
    aged, ask, monkeypatch
):
    """Set to 2037 all points are old; the policy would keep the seven newest."""
    at = datetime(2037, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(SystemClock, "now", lambda _self: at)
    assert "leapt" in refusal(aged, ask)
    ask(aged, "clock", "confirm", "--by", "M. Martin", "--reason", "we were away").ok()
    kinds_of_stops = [one["kind"] for one in ask(aged, "retention", "plan").document["stops"]]
    assert "clock-leapt" not in kinds_of_stops


# -- a target lets go


def _now_in(patch: pytest.MonkeyPatch, days: float) -> None:
    """Be that much later, on a host that was started anew: the boot clock goes on as it is."""
    patch.setattr(SystemClock, "boot_id", lambda _self: f"started-in-{days}-days")
    patch.setattr(SystemClock, "now", lambda _self: datetime.now(UTC) + timedelta(days=days))


LAST = NIGHTS + 3


@pytest.fixture(scope="module")
def thinned_once(aged_once, ask) -> Iterator[ScratchVault]:
    """The landing let go, and the target was carried to three times since, three days apart.

    The floor is lowered, so that three nights are enough for no kept view to name what went.
    """
    folder = tempfile.TemporaryDirectory(prefix="coffre-thin-")
    with folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(retention, "FLOOR", 2)
        vault = copied(aged_once, Path(folder.name) / "v")
        ask(vault, "retention", "apply", "--by", "M. Martin", "--yes").ok()
        for turn in (1, 2, 3):
            vault.grow(NIGHTS + turn)
            _finish_long_ago(vault)
            _now_in(patch, turn * DAYS_APART)
            ask(vault, "run", "--now").ok()
        yield vault


@pytest.fixture
def thinned(thinned_once, tmp_path, monkeypatch) -> ScratchVault:
    """A copy of that vault, in its last night."""
    monkeypatch.setattr(retention, "FLOOR", 2)
    _now_in(monkeypatch, 3 * DAYS_APART)
    return copied(thinned_once, tmp_path / "v")


def on_target(vault: ScratchVault) -> set[str]:
    root = vault.trial / "repository"
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def listed(vault: ScratchVault, *nights: int) -> set[str]:
    """Give what the lists of nights name, as the target itself has them."""
    found: set[str] = set()
    for night in nights:
        packed = (vault.trial / "coffre" / "views" / f"{night}.zst").read_bytes()
        text = zstandard.ZstdDecompressor().decompress(packed, max_output_size=1 << 26).decode()
        found |= {line.split(" ")[0] for line in text.split("\n\n")[0].splitlines()[1:]}
    return found


def propose(vault: ScratchVault, ask) -> str:
    words = ("retention", "plan", "--target", "trial", "--propose", "--by", "M. Martin")
    document = ask(vault, *words, "--reason", "room").ok().document
    return str(document["proposal"]["id"])


def plain_check(vault: ScratchVault, repository: Path) -> None:
    """Let restic judge a repository as it lies there, with no view over it."""
    check = ["restic", "--no-cache", "--no-lock", "-r", str(repository), "check"]
    subprocess.run(check, env=restic_environment(vault), check=True, capture_output=True)


def test_a_target_without_a_retention_keeps_every_view_and_says_why(thinned, ask, faults):
    """Not that a policy is missing: it is a key of the target that is not there."""
    views = ", retention: {nightly_days: 1, monthlies: 0, yearlies: 0, hold: 1d}"
    config = thinned.config.read_text()
    assert views in config
    thinned.config.write_text(config.replace(views, ""))
    plan = ask(thinned, "retention", "plan", "--target", "trial").ok().document
    assert faults(plan) == []
    reasons = [why["rule"] for one in plan["kept"] for why in one["reasons"]]
    assert (set(reasons), plan["let_go"]) == ({"no-retention"}, [])
    assert "no-retention" in [stop["kind"] for stop in plan["stops"]]


def test_a_removal_takes_two_persons_and_its_time(thinned, ask, faults, monkeypatch):
    """Refused: who proposed it, by any spelling; before the hold is over; without --yes."""
    before = on_target(thinned)
    plan = ask(thinned, "retention", "plan", "--target", "trial").ok().document
    assert faults(plan) == []
    assert plan["proposal"] is None
    assert [one["cycle"] for one in plan["kept"]] == [LAST - 1, LAST]
    apply = ("retention", "apply", propose(thinned, ask), "--yes", "--by")
    assert faults(ask(thinned, "retention", "plan", "--target", "trial").document) == []
    assert ask(thinned, *apply, "m.  MARTIN").code == 2
    early = ask(thinned, *apply, "Mme Durand")
    assert early.code == 7
    assert "waits until" in early.document["error"]["message"]
    _now_in(monkeypatch, 3 * DAYS_APART + 1.5)
    assert ask(thinned, *apply[:3], "--by", "Mme Durand").code == 2
    assert on_target(thinned) == before


def test_a_removal_goes_by_the_rule_of_today(thinned, ask, monkeypatch):
    """What the rule keeps by now stays, whatever two persons agreed on under the old one."""
    before, agreed = on_target(thinned), propose(thinned, ask)
    config = thinned.config.read_text()
    thinned.config.write_text(config.replace("nightly_days: 1,", "nightly_days: 400,"))
    apply = ("retention", "apply", agreed, "--by", "Mme Durand", "--yes")
    _now_in(monkeypatch, 3 * DAYS_APART + 1.5)
    told = ask(thinned, *apply)
    assert (told.code, on_target(thinned)) == (7, before)
    assert "has changed since" in told.document["error"]["message"]


def test_a_target_lets_go_of_just_what_no_kept_view_names(
    thinned, ask, faults, monkeypatch, tmp_path
):
    """Tried on a view first; the ledger names each file; kept nights come back byte by byte."""
    before = on_target(thinned)
    number = propose(thinned, ask)
    _now_in(monkeypatch, 3 * DAYS_APART + 1.5)
    words = ("retention", "apply", number, "--by", "Mme Durand", "--yes")
    unvouched = ask(thinned, *words)
    assert (unvouched.code, on_target(thinned)) == (7, before), "the wall clock alone says so"
    assert "clock confirm" in unvouched.document["error"]["hint"]
    ask(thinned, "clock", "confirm", "--by", "Mme Durand", "--reason", "it was off").ok()
    with _no_list_read_while_open(monkeypatch) as openings:
        done = ask(thinned, *words).ok().document
    assert openings == [False, True], "the trial reads, the removal writes"
    assert faults(done) == []
    kept = listed(thinned, LAST - 1, LAST)
    assert on_target(thinned) == before & kept
    assert done["removed_files"] == len(before - kept) > 0
    assert (done["absent_files"], done["refused_files"]) == (0, 0)
    plain_check(thinned, thinned.trial / "repository")
    drill = ask(thinned, "drill", "show", str(done["drill"])).document
    assert (drill["from"], drill["verdict"]) == ("trial", "sound")
    lines = (thinned.state / "ledger" / "ledger.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    names = [e["body"]["names"] for e in entries if e["kind"] == "removal-names"]
    assert sorted(name for some in names for name in some) == sorted(before - kept)
    (begun,) = (e["body"] for e in entries if e["kind"] == "removal-begun")
    assert (begun["by"], begun["seconded_by"]) == ("M. Martin", "Mme Durand")
    held = ask(thinned, "target", "list").document["targets"][0]["held_cycles"]
    assert held == [LAST - 2, LAST - 1, LAST], "a night that lost nothing is held, kept or not"
    restore = ("restore", "pmsi", "--from", "trial", "--to")
    assert ask(thinned, *restore, str(tmp_path / "no"), "--cycle", "1").code == 1
    for night in (LAST - 1, LAST):
        to = tmp_path / f"night-{night}"
        ask(thinned, *restore, str(to), "--cycle", str(night)).ok()
        assert files_of(to) == thinned.history["pmsi"][night - 1], night
    assert ask(thinned, *words).code == 2, "a proposal is carried out once"
    thinned.grow(LAST + 1)
    _finish_long_ago(thinned)
    assert ask(thinned, "run", "--now").ok().document["verdict"] == "sound"


@contextlib.contextmanager
def _no_list_read_while_open(patch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Fail when a night's list is read while a door is open; give whether each opening writes."""
    vault_open, landing_list = Airlock.vault_open, Catalogue.landing_list
    openings: list[bool] = []
    is_open = [False]

    @contextlib.contextmanager
    def opening(airlock: Airlock, wanted: Opening):
        openings.append(wanted.writing)
        with vault_open(airlock, wanted) as opened:
            is_open[0] = wanted.writing
            try:
                yield opened
            finally:
                is_open[0] = False

    def reading(catalogue: Catalogue, night: int):
        assert not is_open[0], "a list is read while the medium waits"
        return landing_list(catalogue, night)

    with patch.context() as watching:
        watching.setattr(Airlock, "vault_open", opening)
        watching.setattr(Catalogue, "landing_list", reading)
        yield openings


def test_a_proposal_is_withdrawn_by_anybody_and_nothing_goes_by_it(
    thinned, ask, faults, monkeypatch
):
    """Who, and why, is in the ledger; it can be proposed anew."""
    number, before = propose(thinned, ask), on_target(thinned)
    words = ("retention", "withdraw", number, "--by", "Mme Durand", "--reason", "the wrong medium")
    assert ask(thinned, *words[:3], "--by", "Mme Durand", "--reason", " ").code == 2
    document = ask(thinned, *words).ok().document
    assert faults(document) == []
    assert document["begun"] is False
    assert ask(thinned, *words).code == 2, "it is withdrawn once"
    assert ask(thinned, "retention", "plan", "--target", "trial").document["proposal"] is None
    _now_in(monkeypatch, 3 * DAYS_APART + 1.5)
    apply = ("retention", "apply", number, "--by", "Mme Durand", "--yes")
    assert (ask(thinned, *apply).code, on_target(thinned)) == (2, before)
    assert kinds(thinned).count("removal-withdrawn") == 1
    assert propose(thinned, ask) != number


def test_withdrawing_after_a_removal_that_was_broken_off_says_that_files_may_be_gone(
    thinned, ask, faults, monkeypatch
):
    """What went stays gone, and no person and no ledger says otherwise."""
    number, before = propose(thinned, ask), on_target(thinned)
    _now_in(monkeypatch, 3 * DAYS_APART + 1.5)
    ask(thinned, "clock", "confirm", "--by", "Mme Durand", "--reason", "it was off").ok()
    require, asked = Remover._require_kept, []

    def broken_off(self, run, vault):
        asked.append(run)
        if len(asked) == 2:
            raise StoreError("the cable was pulled")
        require(self, run, vault)

    with monkeypatch.context() as patch:
        patch.setattr(Remover, "_require_kept", broken_off)
        ask(thinned, "retention", "apply", number, "--by", "Mme Durand", "--yes").ok(1)
    assert on_target(thinned) < before
    plan = ask(thinned, "retention", "plan", "--target", "trial").ok().document
    assert (plan["proposal"]["begun"], faults(plan)) == (True, [])
    words = ("retention", "withdraw", number, "--by", "Mme Durand", "--reason", "the cable")
    told = ask(thinned, *words, json_too=False).ok()
    assert "stays gone" in told.stdout
    assert "nothing was removed" not in told.stdout
    withdrawn = [entry for entry in entries(thinned) if entry["kind"] == "removal-withdrawn"]
    assert [entry["body"]["begun"] for entry in withdrawn] == [True]


def test_a_removal_killed_after_any_file_leaves_what_is_kept_sound(thinned, monkeypatch, tmp_path):
    """What stands there is plain restic without a fault, and the same words finish it."""
    kept = listed(thinned, LAST - 1, LAST)
    repository = thinned.trial / "repository"
    doomed = [
        RepositoryFile(path=path, size_bytes=(repository / path).stat().st_size)
        for path in sorted(on_target(thinned) - kept)
    ]
    for point in sorted({*range(0, len(doomed), 9), 1, len(doomed) - 1}):
        copy = tmp_path / f"medium-{point}"
        shutil.copytree(thinned.trial, copy)
        with monkeypatch.context() as dying:
            dying.setattr(os, "unlink", _dies_after(point))
            with pytest.raises(Died):
                remove(os.fsencode(copy), doomed)
        plain_check(thinned, copy / "repository")
        done = remove(os.fsencode(copy), doomed)
        assert (done.removed, done.absent, done.refused) == (len(doomed) - point, point, [])
        shutil.rmtree(copy)


def _dies_after(count: int):
    unlink, left = os.unlink, [count]

    def die(name: str, *, dir_fd: int) -> None:
        if not left[0]:
            raise Died
        left[0] -= 1
        unlink(name, dir_fd=dir_fd)

    return die


def test_only_what_is_what_it_was_goes_and_never_a_key(tmp_path):
    """Another size or a link under the name stays and is told; keys and config are refused."""
    names = [digit * 64 for digit in "123"]
    for name in names:
        place = tmp_path / "repository" / "data" / name[:2]
        place.mkdir(parents=True)
        (place / name).write_bytes(b"pack")
    link = tmp_path / "repository" / "data" / "22" / names[1]
    link.unlink()
    link.symlink_to("/etc/passwd")
    files = [
        RepositoryFile(path=f"data/{name[:2]}/{name}", size_bytes=5 if name == names[2] else 4)
        for name in names
    ]
    done = remove(os.fsencode(tmp_path), files)
    assert (done.removed, done.absent) == (1, 0)
    assert done.refused == [files[1].path, files[2].path]
    for path in ("config", f"keys/{names[0]}", "data/../coffre/identity"):
        with pytest.raises(StoreError):
            remove(os.fsencode(tmp_path), [RepositoryFile(path=path, size_bytes=4)])


def test_one_person_suffices_only_when_two_have_said_so_and_it_stands_as_a_gap(
    thinned, ask, faults, monkeypatch
):
    """The first only asks, for a week; the second confirms, by another name."""
    with monkeypatch.context() as a_week_ago:
        a_week_ago.setattr(SystemClock, "now", lambda _self: datetime.now(UTC) - timedelta(days=8))
        old = ("retention", "persons", "one", "--reason", "winter", "--by", "Mme Durand")
        assert not ask(thinned, *old).ok().document["one_suffices"]
    words = ("retention", "persons", "one", "--reason", "summer")
    told = ask(thinned, *words, "--by", "M. Martin", json_too=False).ok().stdout
    until = datetime.fromisoformat(re.search(r"by (\S+ \S+)\.$", told)[1] + "+00:00")
    assert timedelta(days=6) < until - SystemClock().now() < timedelta(days=8)
    for by, suffices in (("M. Martin", False), ("m. martin ", False), ("Mme Durand", True)):
        document = ask(thinned, *words, "--by", by).ok().document
        assert faults(document) == []
        assert document["one_suffices"] is suffices, by
    told = ask(thinned, "gaps").document["gaps"]
    assert [gap["severity"] for gap in told if gap["kind"] == "one-person-removes"] == ["warning"]
    kept = {"by": "M. Martin", "login": "", "at": datetime.now(UTC).isoformat()}
    with contextlib.closing(Catalogue.open(str(thinned.state / "catalogue.sqlite"))) as catalogue:
        catalogue.set_fact(
            ASKED_FACT, json.dumps(kept)
        )  # as a kill between the two facts leaves it
    assert "one person suffices" in ask(thinned, *words, "--by", "x", json_too=False).ok().stdout
    again = ("retention", "persons", "two", "--reason", "back", "--by", "M. Martin")
    assert not ask(thinned, *again).ok().document["one_suffices"]
    told = ask(thinned, "gaps").document["gaps"]
    assert "one-person-removes" not in [gap["kind"] for gap in told]


def test_nothing_is_proposed_or_removed_under_an_alarm(thinned, ask, monkeypatch):
    """Policies that changed since somebody read them are one."""
    number, before = propose(thinned, ask), on_target(thinned)
    policy = thinned.folder / "policies" / "hr.yaml"
    policy.write_text(policy.read_text().replace("max_forget: 2", "max_forget: 3"))
    _now_in(monkeypatch, 3 * DAYS_APART + 1.5)
    told = ask(thinned, "retention", "apply", number, "--by", "Mme Durand", "--yes")
    assert (told.code, on_target(thinned)) == (7, before)
    words = ("retention", "plan", "--target", "trial", "--propose", "--by", "x", "--reason", "y")
    assert ask(thinned, *words).code == 7
