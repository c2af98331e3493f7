"""Scenario 5. Goal: a disk that fails costs its night, never what it held, never a door.

The kernel, the file system and the whole command are real; the medium is served by a process that
does what it is told to do wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.disk import tool
from tests.rigs.faultblk import FaultyDisk
from tests.rigs.judge import holders, soundness
from tests.rigs.vaults import ScratchVault
from tests.scenarios.conftest import DISK_BYTES, copied

pytestmark = pytest.mark.root


@pytest.fixture
def faulty(
    disk_once: tuple[ScratchVault, Path], tmp_path: Path
) -> Iterator[tuple[ScratchVault, FaultyDisk]]:
    """A vault of this test's own; its disk holds one night and does wrong when it is told to."""
    once, image = disk_once
    vault = copied(once, tmp_path / "vault")
    vault.grow(2)
    with FaultyDisk(tmp_path, DISK_BYTES, image=image) as medium:
        yield vault, medium


@pytest.mark.parametrize(
    ("faults", "outcomes", "code"),
    [
        pytest.param({"enospc_after": 0}, {"full", "failed"}, 1, id="fault_42_a_thin_disk_is_full"),
        pytest.param(
            {"write_eio": "data", "write_eio_times": 1},
            {"failed"},
            1,
            id="fault_44_one_write_fails_once",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"read_eio": "data"},
            {"failed", "corrupt"},
            None,
            id="fault_45_no_read_back",
            marks=pytest.mark.long,
        ),
        pytest.param({"lie": "drop"}, {"corrupt"}, 4, id="fault_46_a_lying_disk_drops_writes"),
        pytest.param(
            {"lie": "flip"},
            {"corrupt"},
            4,
            id="fault_46_a_lying_disk_turns_a_bit",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_night_on_a_faulty_disk(faulty, tmp_path, faults, outcomes, code) -> None:
    """Told by its name; the door is shut; the next night on a sound disk carries all of it."""
    vault, medium = faulty
    medium.set(**faults)
    night = vault.run()
    met = medium.counts()
    medium.set()
    assert sum(met[kind] for kind in ("dropped", "flipped", "eio", "enospc")), met
    assert night.code in ({code} if code else {1, 4}), night.stdout + night.stderr
    assert night.document["status"] == "locked"
    assert night.document["targets"][0]["outcome"] in outcomes
    assert holders(medium.device) == []
    told = vault.coffre("gaps").ok().document["gaps"]
    outcome = night.document["targets"][0]["outcome"]
    assert any(gap["kind"] == f"target-{outcome}" for gap in told)
    healed = vault.run().ok().document
    assert healed["targets"][0]["outcome"] == "admitted"
    device = Path(medium.device)
    assert soundness(device, vault.password, scratch=tmp_path, history=vault.history) == []


@pytest.mark.long
def test_fault_48_a_disk_that_is_gone_in_mid_night_waits_for_a_person(faulty, tmp_path) -> None:
    """Nothing repairs by itself what the kernel marked; once a person has, the night is caught up.

    Every write, read and flush of data fails from one moment on.
    """
    vault, medium = faulty
    medium.set(write_eio="data", flush_eio_times=-1, read_eio="data")
    night = vault.run()
    assert night.code in (1, 4, 5), night.stdout + night.stderr
    assert night.document["verdict"] != "sound"
    medium.set()
    refused = vault.run().ok(1).document
    assert refused["status"] == "locked"
    assert "damaged" in refused["targets"][0]["reasons"][0]
    tool("e2fsck", "-fy", medium.device, check=False)
    assert vault.run().ok().document["targets"][0]["outcome"] == "admitted"
    device = Path(medium.device)
    assert soundness(device, vault.password, scratch=tmp_path, history=vault.history) == []
