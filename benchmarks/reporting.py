"""``make bench-report``: gaps and pages over ten years of 200 sources.

The vault is founded by the real command; its catalogue is then filled with nights as they would
have been recorded, by plain SQL, since ten years of them cannot be waited for: a third of the
sources saved each night, all but the last of each month forgotten after 90 nights, a restore test
each night, and the PMSI archives of four establishments.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

NIGHTS, SOURCES, TARGETS = 3650, 200, 6
GOALS = {"gaps_s": 1.0, "report_s": 3.0}
_CHANGED = 0.3  # of the sources have a new snapshot in a night
_KEPT = 90  # nights of which the landing has every point; before them one of each month
_FINESS = ("990000010", "990000028", "990000036", "990000044")
_TAKEN = "SELECT cycle FROM snapshot WHERE source = ? ORDER BY cycle"


def main() -> int:
    """Found, fill, measure; the last line is the document."""
    folder = Path(tempfile.mkdtemp(prefix="coffre-bench-"))
    try:
        _found(folder)
        _fill(folder / "state" / "catalogue.sqlite")
        ratios = {"gaps_s": _gaps(folder), "report_s": _report(folder)}
    finally:
        shutil.rmtree(folder)
    for name, goal in GOALS.items():
        word = "reached" if ratios[name] <= goal else "MISSED"
        print(f"{name:12} {ratios[name]:8.3f} s  goal {goal:.1f} s  {word}")
    missed = [name for name, goal in GOALS.items() if ratios[name] > goal]
    print(json.dumps({"bench": "report", "ratios": ratios, "goals": GOALS, "missed": missed}))
    return 0


def _found(folder: Path) -> None:
    folder.chmod(0o700)
    policies = ("pmsi", "hr", "finance", "clinical", "laboratory")
    sources = "".join(
        f"  s{number:03}: {{policy: {policies[number % 5]}, folder: exports/s{number:03}}}\n"
        for number in range(SOURCES)
    )
    targets = "".join(
        f"  t{number}: {{door: {{folder: targets/t{number}}}, store: files, home: h{number}}}\n"
        for number in range(TARGETS)
    )
    for number in range(TARGETS):
        (folder / "targets" / f"t{number}").mkdir(parents=True)
    config = folder / "vault.yaml"
    config.write_text(
        'site: {name: CH de la Lande, finess: "990000010", language: fr}\nstate: state\n'
        "landing: {password: {file: secrets/landing.pw}}\n"
        f"sources:\n{sources}targets:\n{targets}"
    )
    config.chmod(0o600)
    _coffre(folder, "init")


def _coffre(folder: Path, *words: str) -> float:
    began_s = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "vault.cli.main", "-c", str(folder / "vault.yaml"), *words],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    return time.monotonic() - began_s


def _fill(path: Path) -> None:
    """Write ten years of nights: cycles, sources, snapshots, targets, openings, holds."""
    from vault.catalogue.columns import Instant

    chance = random.Random(1)
    to_text = Instant().process_bind_param
    first = datetime.now(UTC) - timedelta(days=NIGHTS)

    def at(night: int, hours: float = 1) -> object:
        return to_text(first + timedelta(days=night, hours=hours), None)

    _take_in(path)
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO target (id, name, target_id, uuid, fs_type, size_bytes, serial, door, "
            "enrolled_at) VALUES (?,?,?,?,'ext4',1,'',?,?)",
            [
                (n + 1, f"t{n}", f"{n:064x}", str(n), f'{{"folder":"targets/t{n}"}}', at(0))
                for n in range(TARGETS)
            ],
        )
        connection.executemany(
            "INSERT INTO cycle (number, started_at, forced, step, ended_at, verdict, status, "
            "reasons, warnings) VALUES (?,?,0,11,?,'sound','locked','[]','[]')",
            [(n, at(n), at(n, 1.5)) for n in range(1, NIGHTS + 1)],
        )
        for night in range(1, NIGHTS + 1):
            _night(connection, night, chance, at(night))
        connection.executemany(
            "INSERT INTO opening (target, purpose, writing, cycle, opened_at, seconds, proof, "
            "disconnection, evidence) VALUES (?,'carry',1,?,?,?,'shut','detached','[]')",
            [
                (f"t{n % TARGETS}", n, at(n), chance.lognormvariate(1, 1))
                for n in range(1, NIGHTS + 1)
            ],
        )
        connection.executemany(
            "INSERT INTO target_hold (target, cycle, complete, at) VALUES (?,?,1,?)",
            [(n % TARGETS + 1, n, at(n)) for n in range(1, NIGHTS + 1)],
        )
        connection.executemany(
            "INSERT INTO fact (name, value) VALUES (?, 'detached')",
            [(f"disconnection.t{n}",) for n in range(TARGETS)],
        )
        _forget(connection, to_text(datetime.now(UTC), None))
        _test(connection, chance, at)
        _send(connection, chance, first.year + 1, datetime.now(UTC).year)
    connection.close()


def _night(connection: sqlite3.Connection, night: int, chance: random.Random, at: object) -> None:
    rows, snapshots = [], []
    for number in range(SOURCES):
        saved = chance.random() < _CHANGED
        name, verdict = f"s{number:03}", "saved" if saved else "unchanged"
        rows.append((night, number, name, verdict))
        if saved:
            digest = chance.randbytes(32)
            snapshots.append((name, digest, digest, at, night, digest))
    connection.executemany(
        "INSERT INTO cycle_source (cycle, position, name, verdict, files, bytes, pulled_files, "
        "pulled_bytes, reasons) VALUES (?,?,?,?,10,1000,1,10,'[]')",
        rows,
    )
    connection.executemany(
        "INSERT INTO snapshot (source, snapshot_id, tree, taken_at, cycle, manifest, files, bytes) "
        "VALUES (?,?,?,?,?,?,10,1000)",
        snapshots,
    )


def _take_in(path: Path) -> None:
    """Bring the schema to what this code knows, as any command would."""
    from vault.catalogue import Catalogue

    Catalogue.open(str(path)).close()


def _forget(connection: sqlite3.Connection, now: object) -> None:
    """Let the landing go of old points but for the newest of each source and month."""
    connection.execute(
        "UPDATE snapshot SET forgotten_at = ?, forgotten_after = cycle + ? WHERE cycle <= ? "
        "AND id NOT IN (SELECT max(id) FROM snapshot GROUP BY source, cycle / 30)",
        (now, _KEPT, NIGHTS - _KEPT),
    )


def _test(connection: sqlite3.Connection, chance: random.Random, at: Callable[..., object]) -> None:
    """Write a restore test a night, and what it proved of the archives."""
    connection.executemany(
        "INSERT INTO drill (number, source, level_asked, origin, seed, reason, asked_by, "
        "operated_by, validated_by, login, begun_at, ended_at, verdict, level_reached, cycle, "
        "files, bytes, of_files, of_bytes, mismatches, duration_s, dmia_s, pdma_s, not_tested) "
        "VALUES (?,?,'L2','landing','0','due','','','','root',?,?,'sound',?,?,10,1000,10,1000,0,?,"
        "86400,86400,'[]')",
        [
            (n, f"s{n % SOURCES:03}", at(n, 2), at(n, 2.1), f"L{n % 3}", n, chance.random() * 900)
            for n in range(1, NIGHTS + 1)
        ],
    )


def _send(connection: sqlite3.Connection, chance: random.Random, first: int, last: int) -> None:
    """Write the PMSI archives of every month: what was sent and what came back, a few missing."""
    from vault.catalogue.findings import pack_finding
    from vault.finding import Finding, PmsiFacts, RecordTally, Soundness

    archives, findings, proofs = [], [], []
    taken = {
        source: [row[0] for row in connection.execute(_TAKEN, (source,))]
        for source in (f"s{5 * n:03}" for n in range(len(_FINESS)))
    }
    months = [(year, month) for year in range(first, last) for month in range(1, 13)]
    for (source, nights), finess in zip(taken.items(), _FINESS, strict=True):
        for n, (year, month) in enumerate(months):
            for field in ("MCO", "SMR", "HAD", "PSY"):
                for side in ("in", "out"):
                    if chance.random() < 0.01:
                        continue
                    subject = chance.randbytes(40)
                    night = nights[min(len(nights) - 1, len(nights) * (n + 1) // len(months))]
                    archives.append((source, subject, night, nights[-1]))
                    lines = 1000 * month + chance.randrange(50)
                    tally = RecordTally(
                        record="rsa", lines=lines, versions={"228": lines}, finess={finess: lines},
                        months={f"{year}-{one:02}": 1000 for one in range(1, month + 1)},
                    )  # fmt: skip
                    facts = PmsiFacts(
                        field=field, side=side, finess=finess, year=year, period=month,
                        stamp=f"{year}-{month:02}-20T10:00:00", records=(tally,),
                        members={"txt": 100 * lines, "log": 10},
                    )  # fmt: skip
                    found = Finding(kind="pmsi-archive", soundness=Soundness.SOUND, pmsi=facts)
                    findings.append((subject, "bench", pack_finding(found)))
                    if chance.random() < 0.5:
                        test = chance.randrange(1, NIGHTS)
                        proofs.append((source, subject[:32], "L2", test, test))
    connection.executemany("INSERT INTO pmsi_export VALUES (?,?,?,?)", archives)
    connection.executemany("INSERT INTO finding VALUES (?,?,?)", findings)
    connection.executemany(
        "INSERT INTO proof (source, content, level, at, drill) "
        "SELECT ?,?,?, ended_at, ? FROM drill WHERE number = ?",
        proofs,
    )


def _gaps(folder: Path) -> float:
    return min(_coffre(folder, "gaps") for _ in range(3))


def _report(folder: Path) -> float:
    return min(_coffre(folder, "report", "--for", "sysadmin") for _ in range(3))


if __name__ == "__main__":
    sys.exit(main())
