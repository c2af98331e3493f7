"""Scenario 40. Goal: a restore test says what it proved, no more; damage is never a pass."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests.rigs.disk import Disk
from tests.rigs.vaults import ScratchVault
from vault.cli.session import Session
from vault.ledger.audit import find_problems
from vault.proof import rank
from vault.results import SnapshotRecord

OnDisk = tuple[ScratchVault, Disk]


def drill(vault: ScratchVault, *words: str):
    return vault.coffre("drill", "run", *words)


def ledger_of(vault: ScratchVault, kind: str) -> list[dict]:
    lines = (vault.state / "ledger" / "ledger.jsonl").read_text().splitlines()
    return [entry["body"] for entry in map(json.loads, lines) if entry["kind"] == kind]


def checks_of(document: dict) -> dict[str, str]:
    return {check["name"]: check["outcome"] for check in document["checks"]}


def scratch_of(vault: ScratchVault) -> list[str]:
    return os.listdir(vault.state / "scratch")


def tampered_point(vault: ScratchVault, change) -> None:
    """Snapshot a reception of hr that ``change`` altered, under the manifest of before."""
    wired = Session(config=str(vault.config)).wired()
    reception = vault.state / "receptions" / "hr"
    newest = wired.catalogue.newest_snapshot("hr")
    with wired.locked():
        change(reception)
        made = wired.landing.backup(os.fsencode(reception), source="hr", parent=None)
        wired.catalogue.record_snapshot(
            SnapshotRecord(
                source="hr", snapshot_id=made.snapshot_id, taken_at=wired.clock.now(),
                cycle=newest.cycle, manifest=newest.manifest, files=newest.files,
                bytes=newest.bytes, tree="00" * 32,
            )
        )  # fmt: skip
    wired.catalogue.close()


def seed_for(vault: ScratchVault, *, newest: bool) -> str:
    """Give a seed that chooses the newest of two points, or the older one."""
    from vault.proof import choose

    wanted = 0 if newest else 1
    return next(str(n) for n in range(99) if choose([0, 1], str(n), "point") == wanted)


def test_level_1_is_reached_from_the_landing_and_from_a_target_and_recorded(held) -> None:
    """Blind restore: every byte; the record and the ledger have it; nothing is left behind."""
    told = drill(held, "--source", "hr", "--seed", "s1", "--by", "Ada L").ok().document
    exported = held.history["hr"][-1]
    assert (told["verdict"], told["level_reached"], told["mismatches"]) == ("sound", "L1", [])
    assert told["files"] == told["of_files"] == len(exported)
    assert told["bound"] == 0
    assert set(checks_of(told).values()) == {"passed"}
    assert told["not_tested"]
    again = drill(held, "--source", "hr", "--from", "trial").ok().document
    assert (again["verdict"], again["level_reached"], again["opening"] > 0) == ("sound", "L1", True)
    assert again["exposure_s"] > 0
    ended = ledger_of(held, "drill-ended")
    assert [body["verdict"] for body in ended] == ["sound", "sound"]
    assert next(body["seed"] for body in ledger_of(held, "drill-begun")) == "s1"
    assert find_problems(os.fsencode(held.state / "ledger" / "ledger.jsonl")) == []
    shown = held.coffre("drill", "show", str(told["drill"])).ok().document
    assert (shown["verdict"], shown["seed"]) == ("sound", "s1")
    assert shown["ledger"]["n"] > 0
    assert scratch_of(held) == []


def test_a_sample_is_chosen_by_its_seed_and_prints_its_bound(held) -> None:
    """The same seed tests the same files; an auditor finds them with SHA-256 alone."""
    one = drill(held, "--source", "hr", "--sample", "3", "--seed", "abc").ok().document
    assert (one["files"], one["bound"]) == (3, 1.0)
    assert any("were not restored" in line for line in one["not_tested"])
    names = [path for path, _sha256 in held.history["hr"][-1]]
    paths = sorted(names, key=lambda path: rank("abc", path))[:3]
    assert one["bytes"] == sum((held.exports("hr") / os.fsdecode(p)).stat().st_size for p in paths)
    assert scratch_of(held) == []


def test_a_flipped_byte_in_a_pack_is_corrupt(held) -> None:
    """Exit 4, from the stream and from a restored sample; the record stays."""
    for pack in (held.landing / "data").rglob("*"):
        if pack.is_file():
            content = bytearray(pack.read_bytes())
            content[random.Random(1).randrange(100, len(content) // 2)] ^= 1
            pack.chmod(0o600)
            pack.write_bytes(content)
    told = drill(held, "--source", "hr").ok(4).document
    assert told["verdict"] == "corrupt"
    assert told["level_reached"] in (None, "L0")
    assert told["bound"] is None
    assert drill(held, "--source", "hr", "--sample", "4").ok(4).document["verdict"] == "corrupt"
    listed = held.coffre("drill", "list").ok().document["drills"]
    assert [one["verdict"] for one in listed] == ["corrupt", "corrupt"]
    assert [body["verdict"] for body in ledger_of(held, "drill-ended")] == ["corrupt", "corrupt"]


def test_missing_and_extra_files_are_corrupt_and_named_to_the_operator_only(held) -> None:
    """A point that lacks a file of its manifest, and has one that the manifest has not."""

    def change(reception: Path) -> None:
        first = next(path for path in sorted((reception / "data").rglob("*")) if path.is_file())
        first.rename(reception / "data" / "renamed-by-somebody")

    tampered_point(held, change)
    for more in ([], ["--sample", "99"]):
        told = drill(held, "--source", "hr", "--seed", seed_for(held, newest=True), *more)
        document = told.ok(4).document
        reasons = {item["reason"] for item in document["mismatches"]}
        assert reasons == {"not restored", "not in the manifest"}
    assert "renamed-by-somebody" in told.stdout
    kept = held.coffre("drill", "show", "1").ok()
    assert "renamed-by-somebody" not in kept.stdout
    assert "renamed-by-somebody" not in (held.state / "ledger" / "ledger.jsonl").read_text()


def test_an_altered_manifest_is_no_evidence_and_no_pass(held) -> None:
    """Inside the point, or in the catalogue: fault 84."""
    tampered_point(
        held, lambda reception: (reception / "coffre" / "manifest.jsonl.zst").write_bytes(b"other")
    )
    seed = seed_for(held, newest=True)
    told = drill(held, "--source", "hr", "--seed", seed).ok(1).document
    assert (told["verdict"], told["level_reached"]) == ("no-evidence", None)
    catalogue = sqlite3.connect(held.state / "catalogue.sqlite")
    with catalogue:
        catalogue.execute("UPDATE manifest SET data = zeroblob(40) WHERE source = 'pmsi'")
    catalogue.close()
    told = drill(held, "--source", "pmsi").ok(1).document
    assert told["verdict"] == "no-evidence"
    assert told["files"] == 0


def test_an_empty_point_is_a_failure(held) -> None:
    """Fault 86: zero files are restored without a difference, and prove nothing."""
    wired = Session(config=str(held.config)).wired()
    reception = held.folder / "empty"
    (reception / "data").mkdir(parents=True)
    (reception / "coffre").mkdir()
    with wired.locked():
        made = wired.landing.backup(os.fsencode(reception), source="none", parent=None)
        from vault.sources.manifest import identity_of

        wired.catalogue.put_manifest("none", identity_of(()), ())
        wired.catalogue.record_snapshot(
            SnapshotRecord(
                source="none", snapshot_id=made.snapshot_id, taken_at=wired.clock.now(), cycle=1,
                manifest=identity_of(()), files=0, bytes=0, tree="00" * 32,
            )
        )  # fmt: skip
    wired.catalogue.close()
    told = drill(held, "--source", "none").ok(1).document
    assert (told["verdict"], told["files"], told["bound"]) == ("failed", 0, None)
    assert told["level_reached"] == "L0"


def test_a_killed_test_stays_recorded_and_its_scratch_is_cleared(held) -> None:
    """SIGKILL in the middle of a restore: the next start wipes, and says interrupted."""
    big = held.exports("hr") / "big.bin"
    big.write_bytes(os.urandom(64 << 20))
    os.utime(big, (1, 1))
    held.run().ok()
    process = held.start("drill", "run", "--source", "hr", "--sample", "999", "--level", "L2")
    gives_up_at = time.monotonic() + 60
    while time.monotonic() < gives_up_at:
        held_now = [p for p in (held.state / "scratch").rglob("data/*") if p.exists()]
        if held_now:
            break
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert scratch_of(held), "the test ended before it was killed"
    (only,) = (held.state / "scratch").iterdir()
    assert only.stat().st_mode & 0o777 == 0o700
    told = drill(held, "--source", "pmsi").ok().document
    assert told["drill"] == 2
    assert scratch_of(held) == []
    listed = held.coffre("drill", "list").ok().document["drills"]
    assert [one["verdict"] for one in listed] == ["sound", "interrupted"]
    ended = {body["drill"]: body["verdict"] for body in ledger_of(held, "drill-ended")}
    assert ended == {1: "interrupted", 2: "sound"}


def test_people_are_kept_apart_and_a_referent_signs(held) -> None:
    """Operator and validator differ; a signature is L4, as declared, once, under what passed."""
    refused = drill(held, "--source", "hr", "--by", "Ada L", "--validated-by", "ada  l")
    assert refused.ok(2).document["error"]["reference"] == "usage"
    assert ledger_of(held, "drill-begun") == []
    drill(held, "--source", "hr", "--by", "Ada L", "--validated-by", "Grace H").ok()
    assert held.coffre("drill", "sign", "1", "--by", "ADA L").code == 2
    signed = held.coffre("drill", "sign", "1", "--by", "Jean R").ok().document
    assert signed["signature"]["proof"] == "declared"
    assert signed["level_reached"] == "L1"
    assert held.coffre("drill", "sign", "1", "--by", "Jean R").code == 2
    drill(held, "--source", "hr", "--level", "L0").ok()
    assert held.coffre("drill", "sign", "2", "--by", "Jean R").code == 2
    assert len(ledger_of(held, "drill-signed")) == 1


@pytest.mark.root
def test_a_target_is_tested_through_its_view_and_is_shut_afterwards(on_disk: OnDisk) -> None:
    """Read-only, under a deadline; what came to the medium later is not seen."""
    from tests.rigs.disk import mounted
    from tests.rigs.judge import holders

    vault, medium = on_disk
    with mounted(medium.device, vault.folder / "look") as root:
        (root / "repository" / "snapshots" / ("f" * 64)).write_bytes(b"alien")
        (root / "repository" / "index" / ("e" * 64)).write_bytes(b"poison")
    before = [Path(medium.image).read_bytes()]
    away = vault.landing.rename(vault.folder / "landing-away")  # a target needs no landing
    told = drill(vault, "--source", "pmsi", "--from", "disk-a", "--level", "L1").ok().document
    away.rename(vault.landing)
    assert (told["verdict"], told["level_reached"], told["from"]) == ("sound", "L1", "disk-a")
    assert told["exposure_s"] > 0
    assert holders(medium.device) == []
    assert Path(medium.image).read_bytes() == before[0]
    assert vault.coffre("status").ok().document["status"] == "locked"
    purposes = [body["purpose"] for body in ledger_of(vault, "vault-opening")]
    assert purposes[-1] == "drill"


def test_what_is_owed_is_tested_oldest_proof_first_until_everything_is_proven(waiting) -> None:
    """A night's share at a time; the next goes on; every content of every point comes."""
    everything = {
        sha for states in waiting.history.values() for state in states for _, sha in state
    }
    first = drill(waiting, "--due", "--for", "4s").ok(0, 3).document
    assert first["drills"], "nothing was owed"
    assert {one["reason"] for one in first["drills"]} == {"due"}
    assert first["nights"] is not None
    last = drill(waiting, "--due", "--for", "10m").ok(0, 3).document
    assert (last["waiting_files"], last["nights"]) == (0, 0)
    catalogue = sqlite3.connect(waiting.state / "catalogue.sqlite")
    proven = {row[0].hex() for row in catalogue.execute("SELECT content FROM proof")}
    catalogue.close()
    assert proven == everything
    points = {one["snapshot_id"] for run in (first, last) for one in run["drills"]}
    assert len(points) > len(waiting.history), "older points were tested too"


def failures(vault) -> list[dict]:
    return [gap for gap in vault.coffre("gaps").document["gaps"] if gap["kind"] == "drill-failed"]


def test_a_failed_test_is_critical_until_one_passes_and_told_until_somebody_answers(held) -> None:
    """And it names the role that answers for the data."""
    kept = {}
    for pack in (held.landing / "data").rglob("*"):
        if pack.is_file():
            kept[pack] = pack.read_bytes()
            pack.chmod(0o600)
            pack.write_bytes(b"x" * len(kept[pack]))
    drill(held, "--source", "pmsi").ok(4)
    found = failures(held)
    assert [(gap["source"], gap["severity"]) for gap in found] == [("pmsi", "critical")]
    assert found[0]["values"] == {"verdict": "corrupt", "drill": 1}
    assert found[0]["owner"] == "DIM physician"
    for pack, content in kept.items():
        pack.write_bytes(content)
    drill(held, "--source", "pmsi").ok()
    (over,) = failures(held)
    assert over["over_since"] is not None  # no alarm clears itself
    held.coffre("ack", "drill-failed/pmsi", "--by", "Mme Durand", "--reason", "disk replaced").ok()
    assert failures(held) == []
