"""Scenario 40. Goal: every gap there is shows itself in a real vault, with whose and what to do.

Each story says which kinds it makes, and fails when one does not show. The stories together make
every kind of the table, so that a kind which nobody has ever seen cannot be added. Age is older
instants in the scratch vault's records, or a short objective; nothing is doubled.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.rigs.disk import Disk, attached, mounted
from tests.rigs.faultblk import FaultyDisk
from tests.rigs.network import Network, joined
from tests.rigs.vaults import Answer, ScratchVault, answer, cheap_restic, make_vault, write_file
from tests.scenarios.conftest import DISK_BYTES, copied, copy_tree
from vault.catalogue.columns import Instant
from vault.catalogue.schema import metadata
from vault.gap import KINDS
from vault.hospital import FINESS
from vault.hospital.pmsi import Archive, write_archive

PROMISED: dict[str, frozenset[str]] = {}
OnDisk = tuple[ScratchVault, Disk]


def makes(*kinds: str) -> Callable[[Callable[..., set[str]]], Callable[..., None]]:
    """Say which kinds a story makes; it gives those that it saw."""

    def of(story: Callable[..., set[str]]) -> Callable[..., None]:
        PROMISED[story.__name__] = frozenset(kinds)

        @functools.wraps(story)
        def run(**fixtures: object) -> None:
            assert PROMISED[story.__name__] - story(**fixtures) == set()

        return pytest.mark.long(run)

    return of


def shown(vault: ScratchVault) -> set[str]:
    """Give the kinds that ``coffre gaps`` tells, each of them whole."""
    gaps = vault.coffre("gaps").ok().document["gaps"]
    for gap in gaps:
        assert gap["severity"] == KINDS[gap["kind"]], gap
        assert gap["message"], gap
        assert gap["mend"], gap
        assert not re.search(r"{\w+}", gap["message"]), gap
        assert gap["since"] is None or datetime.fromisoformat(gap["since"]).tzinfo, gap
        assert gap["owner"] or not (gap["source"] or gap["kind"].startswith("pmsi")), gap
    return {gap["kind"] for gap in gaps}


@contextlib.contextmanager
def records(vault: ScratchVault) -> Iterator[sqlite3.Connection]:
    """Open the catalogue of a scratch vault, and keep what is changed."""
    with contextlib.closing(sqlite3.connect(vault.state / "catalogue.sqlite")) as catalogue:
        yield catalogue
        catalogue.commit()


def age(vault: ScratchVault, days: int, *, only: str = "", where: str = "1") -> None:
    """Make every instant in the records older, or those of one table."""
    older = f"strftime('%Y-%m-%dT%H:%M:%f', {{0}}, '-{days} days') || '000+00:00'"
    with records(vault) as catalogue:
        for table in metadata.tables.values():
            for column in table.columns:
                if isinstance(column.type, Instant) and only in ("", table.name):
                    name = column.name
                    catalogue.execute(
                        f"UPDATE {table.name} SET {name} = {older.format(name)} "
                        f"WHERE {name} IS NOT NULL AND {where}"
                    )
        if not only:
            catalogue.execute(
                f"UPDATE fact SET value = {older.format('value')} WHERE value GLOB '20??-??-??T*'"
            )


def rewrite(path: Path, old: str, new: str) -> None:
    """Change a text that is there."""
    text = path.read_text("utf-8")
    assert old in text, (path, old)
    path.write_text(text.replace(old, new), "utf-8")


# -- the stories


@makes(
    "keys-unconfirmed", "never-offline", "target-not-enrolled", "production-door-none",
    "policies-unreviewed",
)  # fmt: skip
def test_a_vault_on_its_first_day(tmp_path: Path) -> set[str]:
    """Made, and nothing else done yet."""
    vault = make_vault(tmp_path / "v", targets={"trial": "folder"})
    shim = cheap_restic(vault.folder / "cheap", vault.restic)
    vault.coffre("init", PATH=f"{shim}:{os.environ['PATH']}").ok()
    return shown(vault)


@makes(
    "no-night", "objective-missed", "media-unseen", "drill-overdue", "clean-point-old",
    "red-button-not-exercised", "keys-not-exercised", "rebuild-kit-not-exercised",
    "head-not-cosigned", "clock-unbracketed", "clock-behind", "retention-short",
    "policy-changed", "too-few-copies", "disconnection-too-weak", "window-missed",
    "no-copy-out-of-reach", "dwell-unshielded",
    "one-person-removes",
)  # fmt: skip
def test_a_vault_that_nobody_looked_at_for_a_year(held: ScratchVault, tmp_path: Path) -> set[str]:
    """No night, no medium, no exercise, no cosigner; then its clock goes back a day."""
    held.coffre("config", "review", "--by", "RSSI").ok()
    for by in ("RSSI", "DIM"):
        held.coffre("retention", "persons", "one", "--by", by, "--reason", "summer").ok()
    rewrite(held.config, "{door: {folder: trial}, ", "{door: {folder: trial}, window: night, ")
    with held.config.open("a") as config:
        config.write('windows: {night: {start: "01:00", for: 2h}}\n')
    rewrite(held.folder / "policies" / "hr.yaml", "nightly_days: ", "nightly_days: 1 # ")
    made = held.coffre("evidence", "keygen", "rssi", "--to", str(tmp_path / "rssi.key")).ok()
    with held.config.open("a") as config:
        config.write(f"evidence: {{cosigners: {{rssi: {{key: {made.document['key']}}}}}}}\n")
    age(held, 400)
    ahead = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    with records(held) as catalogue:
        catalogue.execute("UPDATE fact SET value = ? WHERE name = 'newest-time'", (ahead,))
    return shown(held)


@makes(
    "source-missing", "source-empty", "source-failed", "source-partial", "source-refused",
    "source-accepted", "attack-suspected",
)  # fmt: skip
def test_exports_that_go_wrong_each_in_its_way(held: ScratchVault) -> set[str]:
    """One is not there, one empty, one unreachable, one unfinished; then a note in two of them."""
    sources = "".join(
        f"  {name}: {{policy: hr, folder: exports/{name}, stable_for: 1h}}\n"
        for name in ("gone", "empty", "late")
    )
    sources += (
        "  lab: {policy: laboratory, sftp: {host: 127.0.0.1, port: 9, user: lab, path: /x, "
        "key: {file: secrets/none}, known_hosts: secrets/none}}\n"
    )
    rewrite(held.config, "targets:\n", sources + "targets:\n")
    held.exports("empty").mkdir()
    write_file(os.fsencode(held.exports("late") / "whole.txt"), b"yesterday's")
    os.utime(held.exports("late") / "whole.txt", (1_700_000_000, 1_700_000_000))
    (held.exports("late") / "growing.txt").write_bytes(b"just now")
    held.run().ok(3)
    seen = shown(held)
    for source in ("pmsi", "hr"):
        write_file(os.fsencode(held.exports(source) / "HOW_TO_DECRYPT_FILES.txt"), b"pay")
    held.run().ok(7)
    seen |= shown(held)
    held.coffre("inspect", "accept", "hr", "--reason", "an exercise", "--by", "RSSI").ok()
    return seen | shown(held)


@makes("ledger-unsigned", "medium-late", "secured")
def test_a_ledger_that_was_changed_a_medium_that_lags_and_the_button(
    held: ScratchVault,
) -> set[str]:
    """The medium was away for a night, was here since, and lacks it three days later."""
    ledger = held.state / "ledger" / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b'"purpose":"carry"', b'"purpose":"CARRY"', 1))
    (ledger.parent / "ledger.tree").unlink()
    held.grow(2)
    held.trial.rename(held.folder / "away")
    held.run().ok(75)
    seen = shown(held)
    assert "medium-late" not in seen
    (held.folder / "away").rename(held.trial)
    held.coffre("target", "open", "trial", "--for", "1m", "--reason", "x", "--", "true").ok()
    age(held, 3, only="snapshot", where="cycle = 2")
    held.coffre("secure", "--reason", "exercise", "--by", "Ana").ok()
    return seen | shown(held)


@makes("night-refused")
def test_a_landing_that_holds_an_index_which_no_run_made(held: ScratchVault) -> set[str]:
    """Named by its own hash, as lawful files are, behind more junk than is listed."""
    for number in range(120):
        content = b"junk %d" % number
        name = hashlib.sha256(content).hexdigest()
        (held.landing / "data" / name[:2] / name).write_bytes(content)
    content = b"garbage that is named by its hash"
    (held.landing / "index" / hashlib.sha256(content).hexdigest()).write_bytes(content)
    held.grow(2)
    held.run().ok(7)
    return shown(held)


@makes("night-failed")
def test_a_night_that_could_not_begin(held: ScratchVault) -> set[str]:
    """The landing's password was changed by mistake; no objective is missed yet."""
    password = next((held.folder / "secrets").glob("*"))
    before = password.read_bytes()
    password.write_bytes(b"another")
    held.run().ok(1)
    seen = shown(held)
    password.write_bytes(before)
    held.run().ok()
    assert "night-failed" not in shown(held), "a night that went well makes it go"
    return seen


@makes("restore-too-slow", "drill-failed")
def test_a_restore_that_takes_months_and_one_that_differs(held: ScratchVault) -> set[str]:
    """The measured time is made long in the records; the damage is real."""
    held.coffre("drill", "run", "--source", "hr").ok()
    with records(held) as catalogue:
        catalogue.execute("UPDATE drill SET duration_s = 1e7")
    seen = shown(held)
    for pack in (path for path in (held.landing / "data").rglob("*") if path.is_file()):
        content = bytearray(pack.read_bytes())
        content[len(content) // 3] ^= 1
        pack.chmod(0o600)
        pack.write_bytes(content)
    held.coffre("drill", "run", "--source", "hr").ok(4)
    return seen | shown(held)


@pytest.mark.root
@pytest.mark.xdist_group("disk")
@makes(
    "not-offline", "medium-home-unsaid", "media-in-one-place", "exposure-over-bound",
    "exposure-unproven", "door-unproven", "target-impostor", "target-refused",
)  # fmt: skip
def test_a_disk_among_people(on_disk: OnDisk, tmp_path: Path) -> set[str]:
    """Copied, mounted by hand, open for too long, and a landing that changes under its feet."""
    vault, disk = on_disk
    seen = shown(vault)
    vault.grow(2)
    clone = tmp_path / "clone.img"
    copy_tree(disk.image, clone)
    with attached(clone):
        vault.run().ok(7)
    seen |= shown(vault)
    change_landing_while_the_door_opens(vault)
    seen |= shown(vault)
    seen |= mount_while_it_is_open(vault, disk, tmp_path / "by-hand")
    vault.coffre("doctor")
    rewrite(vault.config, "{door: disk, store: files}", "{door: disk, store: files, max_open: 1s}")
    seen |= shown(vault)
    second = tmp_path / "second.img"
    with second.open("wb") as file:
        file.truncate(DISK_BYTES)
    line = "max_open: 1s, home: cellar}\n  disk-b: {door: disk, store: files, home: cellar}"
    rewrite(vault.config, "max_open: 1s}", line)
    with attached(second) as other:
        vault.enrol("disk-b", device=other.device)
        return seen | shown(vault)


@pytest.mark.root
@makes("set-late", "media-expired", "copy-out-of-reach-old")
def test_two_disks_whose_turns_nobody_kept(
    disk_once: tuple[ScratchVault, Path], tmp_path: Path
) -> set[str]:
    """The second one was enrolled, and never brought for forty days; the first has grown old."""
    vault = copied(disk_once[0], tmp_path / "vault")
    rewrite(vault.config, "{door: disk, store: files}", "{door: disk, expires: '2020-01-01'}")
    with vault.config.open("a") as config:
        config.write(
            "  disk-b: {door: disk}\nsets: {s: {targets: [disk-a, disk-b], every: night}}\n"
        )
    second = tmp_path / "second.img"
    with second.open("wb") as file:
        file.truncate(DISK_BYTES)
    with attached(second) as other:
        vault.enrol("disk-b", device=other.device)
    vault.grow(2)
    vault.run().ok(75)
    age(vault, 40)
    return shown(vault)


def change_landing_while_the_door_opens(vault: ScratchVault) -> None:
    """Make a pack longer after it was judged, before it is carried; put it back afterwards."""
    vault.grow(3)
    before = {path for path in (vault.landing / "data").rglob("*") if path.is_file()}
    night, airlock = vault.start("run", "--now"), vault.state / "airlock.json"
    gives_up_at = time.monotonic() + 60
    while '"carrying"' not in airlock.read_text() and time.monotonic() < gives_up_at:
        time.sleep(0.001)
    fresh = {path for path in (vault.landing / "data").rglob("*") if path.is_file()} - before
    whole = {path: path.read_bytes() for path in fresh}
    for path, content in whole.items():
        path.chmod(0o600)
        path.write_bytes(content + b"x")
    out, err = night.communicate(timeout=60)
    assert night.returncode == 7, (out, err)
    for path, content in whole.items():
        path.write_bytes(content)


def mount_while_it_is_open(vault: ScratchVault, disk: Disk, place: Path) -> set[str]:
    """Mount the disk by hand during an opening: at its end the door is not proven shut."""
    inside, done = place.with_suffix(".inside"), place.with_suffix(".done")
    script = f"touch {inside}; while [ ! -e {done} ]; do sleep 0.1; done"
    words = (
        "target",
        "open",
        "disk-a",
        "--for",
        "2m",
        "--reason",
        "look",
        "--",
        "sh",
        "-c",
        script,
    )
    opening = vault.start(*words)
    gives_up_at = time.monotonic() + 60
    while not inside.exists() and time.monotonic() < gives_up_at:
        time.sleep(0.05)
    with mounted(disk.device, place, "ro", "noload"):
        time.sleep(1.2)  # it is to have been open for longer than a second
        done.touch()
        out, err = opening.communicate(timeout=60)
        assert opening.returncode == 5, (out, err)
        return shown(vault)


@pytest.mark.root
@pytest.mark.xdist_group("disk")
@makes("target-full", "target-failed", "target-corrupt")
def test_a_disk_that_fails(disk_once: tuple[ScratchVault, Path], tmp_path: Path) -> set[str]:
    """Filled by somebody else, then with a write that fails, then with one that lies."""
    once, image = disk_once
    vault = copied(once, tmp_path / "vault")
    seen: set[str] = set()
    with FaultyDisk(tmp_path, DISK_BYTES, image=image) as medium:
        with medium.mounted() as place:
            subprocess.run(["fallocate", "-l", "200M", place / "filler"], check=False)
            free = shutil.disk_usage(place).free
            subprocess.run(["fallocate", "-l", str(free - 8192), place / "more"], check=False)
        vault.grow(2)
        vault.run().ok(1)
        seen |= shown(vault)
        with medium.mounted() as place:
            for name in ("filler", "more"):
                (place / name).unlink(missing_ok=True)
        for faults, codes in (
            ({"write_eio": "data", "write_eio_times": 1}, (1,)),
            ({"lie": "flip"}, (4,)),
        ):
            medium.set(**faults)
            vault.run().ok(*codes)
            medium.set()
            seen |= shown(vault)
    return seen


@pytest.fixture
def network() -> Iterator[Network]:
    """Give a vault host and a hospital, and the cable between them."""
    with joined() as both:
        yield both


@pytest.mark.root
@makes("production-door-unproven")
def test_a_production_door_with_a_way_around_it(held: ScratchVault, network: Network) -> set[str]:
    """A forgotten second cable: the interface is down, and the hospital answers all the same."""
    network.lay_second_cable()
    with network.serving() as port:
        link = f"{{door: {{link: {{interface: cable0, probe: '10.77.0.1:{port}'}}}}}}"
        rewrite(held.config, "production: {door: none}", f"production: {link}")
        inside(network, held, "run", "--now").ok(5)
    told = shown(held)
    assert "door-unproven" not in told
    network.ip("link", "set", "cable1", "down")
    inside(network, held, "doctor")
    by = ("--by", "Mme Durand", "--reason", "the second cable is out")
    held.coffre("ack", "production-door-unproven", *by).ok()  # what is over waits for a word
    assert "production-door-unproven" not in shown(held)
    return told


def inside(network: Network, vault: ScratchVault, *words: str) -> Answer:
    """Run a command of Coffre on the host that has the cables."""
    told = subprocess.run(
        ["ip", "netns", "exec", network.host, *vault.argv(*words)],
        capture_output=True, text=True, env=vault.environment(), cwd=vault.folder, check=False,
        timeout=120,
    )  # fmt: skip
    return answer(words, told.returncode, told.stdout, told.stderr)


@makes("pmsi-missing", "pmsi-malformed", "pmsi-shrunk", "pmsi-m12-missing", "pmsi-m12-never-came")
def test_a_year_of_pmsi_with_everything_that_goes_wrong(held: ScratchVault) -> set[str]:
    """SMR: M02 shrinks, M03 is torn, the rest and December never came."""
    folder = held.exports("pmsi")
    for month, scale, torn in ((1, 0.4, False), (2, 0.1, False), (3, 0.4, True)):
        for side in ("in", "out"):
            archive = Archive(field="SMR", year=2024, month=month, side=side, scale=scale)
            path = folder / archive.name(date(2024, month + 1, 9))
            with path.open("wb") as file:
                write_archive(file, archive, seed=7, finess=FINESS)
                if torn and side == "out":
                    file.truncate(file.tell() // 2)
            os.utime(path, (1_740_000_000, 1_740_000_000))
    night = held.run().ok(0, 3).document
    assert night["sources"][0]["verdict"] == "saved", json.dumps(night["sources"][0])
    return shown(held)


def test_the_stories_make_every_kind_there_is() -> None:
    """None is missing, none is made up."""
    assert frozenset[str]().union(*PROMISED.values()) == KINDS.keys()


@makes("landing-filling", "target-filling")
def test_disks_that_are_full_before_long(held: ScratchVault) -> set[str]:
    """Ten nights of ten terabytes each: no disk here takes a month of them."""
    each = 10**13
    with records(held) as catalogue:
        for n in range(10):
            ended = (datetime.now(UTC) - timedelta(days=9 - n)).isoformat(timespec="microseconds")
            for table, key, changed in (
                ("cycle", "number", {"ended_at": ended}),
                ("cycle_target", "cycle", {"admitted_bytes": each}),
            ):
                names = [row[1] for row in catalogue.execute(f"PRAGMA table_info({table})")]
                new = {key: 100 + n, **changed}
                columns = ", ".join("?" if name in new else name for name in names)
                catalogue.execute(
                    f"INSERT INTO {table} SELECT {columns} FROM {table} WHERE {key} = 1",
                    [new[name] for name in names if name in new],
                )
            made = catalogue.execute(
                "INSERT INTO batch (cycle, source) VALUES (?, 'pmsi')", (100 + n,)
            ).lastrowid
            catalogue.execute(
                "INSERT INTO repository_file VALUES (x'01' || randomblob(32), ?, ?, ?)",
                (each, 10_000 + n, made),
            )
    return shown(held)
