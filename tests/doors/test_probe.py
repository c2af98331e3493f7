"""What superblocks say, what sysfs lets go, and what a proof answers when it cannot ask."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.rigs.disk import Disk, disk, tool
from vault.doors import detach, probe, proof
from vault.doors.locks import locks
from vault.results import Disconnection, DoorProof


@pytest.mark.root
@pytest.mark.parametrize("fs_type", ["ext4", "xfs", "btrfs"])
def test_a_medium_is_known_by_its_superblock(tmp_path, fs_type):
    """UUID, type, size and label as mkfs made them."""
    with disk(tmp_path / "disk.img", fs_type=fs_type) as made:
        found = probe.superblock(made.device)
        assert found is not None
        assert (found.fs_type, found.uuid, found.label) == (fs_type, made.uuid, "coffre")
        assert found.size_bytes == made.size_bytes
        assert found.error_state == ""
        (medium,) = [medium for medium in probe.attached_media() if medium.uuid == made.uuid]
        assert (medium.device, medium.size_bytes) == (made.device, made.size_bytes)


@pytest.mark.root
def test_recorded_errors_are_seen(ext4: Disk):
    """Both ways in which ext4 records an error count."""
    tool("debugfs", "-w", "-R", "set_super_value error_count 3", ext4.device)
    found = probe.superblock(ext4.device)
    assert found is not None
    assert found.error_state == "3 errors recorded"


@pytest.mark.parametrize(
    "head",
    [b"", b"\0" * 4096, os.urandom(0x11000), b"XFSB"],
    ids=["nothing", "zeros", "dice", "cut"],
)
def test_rubbish_is_no_file_system_or_at_least_no_crash(head):
    """Any bytes may stand on a device."""
    probe.parse_superblock(head)


def test_an_error_while_asking_is_unknown_and_unknown_is_not_shut(tmp_path):
    """A device name that cannot be followed is no answer."""
    (tmp_path / "loop").symlink_to("loop")
    place = proof.Place(device=str(tmp_path / "loop"), number=os.makedev(7, 250), mount_point=b"/x")
    report = proof.prove_shut(place, timeout_s=0.05)
    assert report.proof is DoorProof.UNKNOWN
    assert not report.is_shut
    assert report.disconnection is Disconnection.NONE


@pytest.mark.root
def test_a_device_node_that_vanished_is_shut(tmp_path):
    """No node and no mount: shut, at the class the caller names."""
    place = proof.Place(
        device=str(tmp_path / "gone"), number=os.makedev(7, 250), mount_point=b"/run/coffre/x"
    )
    report = proof.prove_shut(place, when_gone=Disconnection.DETACHED)
    assert report.is_shut
    assert report.disconnection is Disconnection.DETACHED


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """Make a folder like sysfs: one USB stick with a disk and a partition, and a SCSI host."""
    stick = tmp_path / "devices/pci0/usb1/1-1"
    scsi = stick / "1-1:1.0/host6/target6:0:0/6:0:0:0"
    block = scsi / "block/sdz"
    (block / "sdz1").mkdir(parents=True)
    for path, content in (
        (stick / "authorized", "1"),
        (stick / "idVendor", "0951"),
        (stick / "serial", "ABC123"),
        (stick.parent / "authorized", "1"),
        (stick.parent / "idVendor", "1d6b"),
        (scsi / "delete", ""),
        (block / "sdz1/partition", "1"),
    ):
        path.write_text(content)
    (block / "device").symlink_to("../..")
    for folder in ("dev/block", "bus/usb/devices", "class/scsi_host/host6"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "class/scsi_host/host6/scan").write_text("")
    (tmp_path / "dev/block/65:144").symlink_to(block)
    (tmp_path / "dev/block/65:145").symlink_to(block / "sdz1")
    (tmp_path / "bus/usb/devices/1-1").symlink_to(stick)
    return tmp_path


@pytest.mark.parametrize("minor", [144, 145])
def test_a_usb_disk_is_let_go_at_the_stick_and_not_at_the_hub(sysfs, minor, tmp_path):
    """From the disk or its partition, the nearest USB device is found and written to."""
    handle = detach.plan_detach(os.makedev(65, minor), sys_root=str(sysfs))
    assert handle is not None
    assert handle.path.endswith("1-1/authorized")
    assert handle.disks == ("sdz",)
    (tmp_path / "sdz").write_bytes(b"")
    assert detach.run_detach(handle, dev_root=str(tmp_path)) == ""
    assert Path(handle.path).read_text() == "0"
    assert (sysfs / "devices/pci0/usb1/authorized").read_text() == "1"
    assert detach.attach_again("ABC123", sys_root=str(sysfs)) == 2
    assert Path(handle.path).read_text() == "1"
    assert (sysfs / "class/scsi_host/host6/scan").read_text() == "- - -"


def test_a_usb_device_with_another_serial_stays_barred(sysfs):
    """What an administrator deauthorised is not ours to authorise."""
    authorized = sysfs / "devices/pci0/usb1/1-1/authorized"
    authorized.write_text("0")
    assert detach.attach_again("OTHER", mode="usb", sys_root=str(sysfs)) == 0
    assert detach.attach_again("", mode="usb", sys_root=str(sysfs)) == 0
    assert authorized.read_text() == "0"


def test_scsi_is_used_when_asked_and_none_means_none(sysfs):
    """The mode decides; a device with neither bus is left alone."""
    number = os.makedev(65, 144)
    handle = detach.plan_detach(number, mode="scsi", sys_root=str(sysfs))
    assert handle is not None
    assert handle.path.endswith("6:0:0:0/delete")
    assert detach.plan_detach(number, mode="none", sys_root=str(sysfs)) is None
    assert detach.plan_detach(os.makedev(7, 1)) is None


def test_a_stick_in_use_elsewhere_is_not_pulled(sysfs, tmp_path):
    """A disk of the same stick that cannot be opened exclusively keeps the stick."""
    handle = detach.plan_detach(os.makedev(65, 144), sys_root=str(sysfs))
    assert handle is not None
    assert "in use" in detach.run_detach(handle, dev_root=str(tmp_path / "nowhere"))
    assert Path(handle.path).read_text() == "1"


@pytest.mark.root
def test_doctor_is_told_every_lock(tmp_path):
    """On this host, as root, each lock was tried and a reason stands beside it."""
    told = locks(os.fsencode(tmp_path))
    assert [name for name, _, _ in told][:4] == [
        "root",
        "namespaces",
        "kernel-timer",
        "exclusive-open",
    ]
    assert all(why for _, _, why in told)
    assert {"flock", "landlock", "immutable"} <= {name for name, holds, _ in told if holds}
