"""Take a USB or SCSI disk off the host by software, and bring it back.

Rule 1: only what was proven unmounted is detached, and only when nothing else on the same stick or
    disk is in use.
Rule 2: detached is proven by the absence of the device node, not by a successful write to sysfs.
Rule 3: loop, virtio and NVMe devices are left alone: they prove no more than unmounted.
Source: kernel documentation, usb/authorization and the SCSI mid-layer's sysfs files.
Not shown: the paths are tested on a folder made like sysfs; no USB or SCSI disk was at hand.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """The file of sysfs that lets a disk go."""

    bus: str  # usb or scsi
    path: str
    content: str
    disks: tuple[str, ...]  # every block device that goes with it


def plan_detach(number: int, *, mode: str = "auto", sys_root: str = "/sys") -> Handle | None:
    """Find how the disk of a block device can be let go; None when the bus cannot.

    ``mode`` is auto, usb, scsi or none. USB comes first: it takes the whole stick away.
    """
    if mode == "none":
        return None
    folder = os.path.realpath(f"{sys_root}/dev/block/{os.major(number)}:{os.minor(number)}")
    disk = os.path.dirname(folder) if os.path.exists(f"{folder}/partition") else folder
    if mode in ("auto", "usb"):
        parent = os.path.dirname(disk)
        while len(parent) > len(sys_root) and parent != "/":
            if os.path.exists(f"{parent}/authorized") and os.path.exists(f"{parent}/idVendor"):
                return Handle(
                    bus="usb",
                    path=f"{parent}/authorized",
                    content="0",
                    disks=tuple(_disks_under(parent)),
                )
            parent = os.path.dirname(parent)
    if mode in ("auto", "scsi") and os.path.exists(f"{disk}/device/delete"):
        return Handle(
            bus="scsi",
            path=os.path.realpath(f"{disk}/device/delete"),
            content="1",
            disks=(os.path.basename(disk),),
        )
    return None


def _disks_under(folder: str) -> list[str]:
    """List the whole disks that hang on a USB device, by walking its folders."""
    found = []
    for parent, names, _ in os.walk(folder):
        if os.path.basename(parent) == "block":
            found += names
            names.clear()
    return sorted(found)


def run_detach(handle: Handle, *, dev_root: str = "/dev") -> str:
    """Let the disk go; give "" or why it was not done. The caller proves that the node is gone."""
    for name in handle.disks:
        try:
            device = f"{dev_root}/{name}"
            os.close(os.open(device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC | os.O_NONBLOCK))
        except OSError as error:
            return f"{name} shares the {handle.bus} device and is in use ({_name(error)})"
    try:
        _write(handle.path, handle.content)
    except OSError as error:
        return f"the {handle.bus} device did not let go ({_name(error)})"
    return ""


def attach_again(serial: str, *, mode: str = "auto", sys_root: str = "/sys") -> int:
    """Bring back what ``run_detach`` let go; give how many buses were asked.

    A USB device is authorised again only when it bears the serial number that is looked for: one
    that an administrator has barred for other reasons stays barred.
    """
    asked = 0
    if mode in ("auto", "usb") and serial:
        for folder in _folders(f"{sys_root}/bus/usb/devices"):
            if _read(f"{folder}/serial") == serial and _read(f"{folder}/authorized") == "0":
                with suppress(OSError):
                    _write(f"{folder}/authorized", "1")
                    asked += 1
    if mode in ("auto", "scsi"):
        for folder in _folders(f"{sys_root}/class/scsi_host"):
            with suppress(OSError):
                _write(f"{folder}/scan", "- - -")
                asked += 1
    return asked


def _folders(parent: str) -> list[str]:
    try:
        return [f"{parent}/{name}" for name in sorted(os.listdir(parent))]
    except FileNotFoundError:
        return []


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read(256).strip()
    except OSError:
        return ""


def _write(path: str, content: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)  # never creates: sysfs has it or has it not
    try:
        os.write(fd, content.encode())
    finally:
        os.close(fd)


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "error")
