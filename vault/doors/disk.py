"""The door ``disk``: a removable disk that is mounted for its opening only, and seen by nobody.

Rule 1: a medium is found by UUID and size; two that match are refused, one that is held is busy.
Rule 2: it opens in a process and a namespace of its own, under a deadline of the kernel.
Rule 3: shutting depends on nothing that this or another process remembers.
Rule 4: where the bus allows, a disk proven unmounted is detached too, and attached again to open.
Source: design, section 5; ``docs/doors.md``.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from vault.doors import detach, kernel, probe, proof
from vault.doors.order import MOUNT_BASE, Order
from vault.doors.session import MODULE, Session, default_python
from vault.errors import CloneFound, Impostor, MediaAbsent, MediaBusy, NeedsRoot
from vault.results import Disconnection, DoorProof, ShutReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vault.ports import Medium
    from vault.results import RepositoryFile

_ATTACH_S = 10.0
_GONE_S = 5.0
_PROBE_PATIENCE_S = 0.2  # another's proof holds the device for an instant


@dataclass(slots=True)
class DiskDoor:
    """The door of one enrolled disk."""

    target: str
    _: KW_ONLY
    uuid: str
    size_bytes: int | None = None  # None: not pinned yet
    fs_type: str | None = None
    serial: str = ""
    detach: str = "auto"  # auto, usb, scsi or none
    python: str = ""
    module: str = MODULE
    shut_timeout_s: float = 5.0
    sys_root: str = "/sys"
    dev_root: str = "/dev"

    def find(self) -> Medium:
        """Find the attached medium without mounting it.

        MediaAbsent, CloneFound when two bear its UUID, Impostor when size or file system differ,
        MediaBusy when somebody holds it, NeedsRoot.
        """
        _need_root()
        found = self._candidates() or self._attach_and_wait()
        if not found:
            raise MediaAbsent(
                "no medium of {target} is attached",
                hint="plug in the medium of {target}?",
                target=self.target,
            )
        if len(found) > 1:
            raise CloneFound(
                "{count} media claim to be {target}: {devices}",
                hint="unplug all but the true one, and find out who copied it?",
                count=len(found),
                target=self.target,
                devices=", ".join(medium.device for medium in found),
            )
        medium = found[0]
        self._refuse_impostor(medium)
        self._refuse_busy(medium)
        return medium

    @contextmanager
    def open(
        self,
        medium: Medium,
        *,
        writing: bool,
        closes_at_s: float,
        plan: Iterable[Sequence[RepositoryFile]] = (),
        maintenance: bool = False,
    ) -> Iterator[Session]:
        """Open until ``closes_at_s`` on the boot clock, when the kernel shuts the door.

        It stands open read-only; ``make_writable`` works only when opened with ``writing``. The
        vault side has read the ``plan`` before the medium is touched.
        """
        _need_root()
        order = Order(
            target=self.target,
            parent_pid=os.getpid(),
            closes_at_s=closes_at_s,
            writing=writing,
            maintenance=maintenance,
            uuid=medium.uuid,
            fs_type=medium.fs_type,
            device=medium.device,
            number=self._number(medium),
            mount_point=self._mount_point(),
        )
        session = Session(medium, order, python=self.python or default_python(), module=self.module)
        try:
            session.start(plan)
            session.enter()
            yield session
        finally:
            session.close()

    def shut(self, reason: str) -> ShutReport:
        """Wait for the kernel to let go, and ask the world; idempotent, depends on no record.

        It kills nobody: who opened ends with its session, and the kernel does the rest. What is
        still open after ``shut_timeout_s`` is told with the processes that hold it.
        """
        del reason  # for the ledger; the world answers the same whatever the reason
        try:
            found = self._candidates()
        except OSError as error:
            return _unknown(f"listing the block devices failed: {error.strerror}")
        if os.geteuid() != 0:
            return _unknown("without root the kernel does not answer")
        if not found:
            return self._prove_absent()
        reports = [self._prove_one(medium) for medium in found]
        return min(reports, key=lambda report: report.is_shut)

    # Finding

    def _candidates(self) -> list[Medium]:
        media = probe.attached_media(sys_root=self.sys_root, dev_root=self.dev_root)
        return [medium for medium in media if medium.uuid == self.uuid]

    def _attach_and_wait(self) -> list[Medium]:
        """Bring back a disk that was detached by software; nothing to wait for when none was."""
        if self.detach == "none":
            return []
        asked = detach.attach_again(self.serial, mode=self.detach, sys_root=self.sys_root)
        gives_up_at = time.monotonic() + (_ATTACH_S if asked else 0.0)
        found: list[Medium] = []
        while not found and time.monotonic() < gives_up_at:
            time.sleep(0.25)
            found = self._candidates()
        return found

    def _refuse_impostor(self, medium: Medium) -> None:
        if self.size_bytes is not None and medium.size_bytes != self.size_bytes:
            raise Impostor(
                "the medium of {target} has {found} bytes and was enrolled with {pinned}",
                hint="is this another disk with a copied file system?",
                target=self.target,
                found=medium.size_bytes,
                pinned=self.size_bytes,
            )
        if self.fs_type is not None and medium.fs_type != self.fs_type:
            raise Impostor(
                "the medium of {target} has {found} and was enrolled with {pinned}",
                hint="is this another disk?",
                target=self.target,
                found=medium.fs_type,
                pinned=self.fs_type,
            )

    def _refuse_busy(self, medium: Medium) -> None:
        report = proof.prove_shut(self._place(medium), timeout_s=_PROBE_PATIENCE_S)
        if not report.is_shut:
            raise MediaBusy(
                "the medium of {target} is already held on this host: {evidence}",
                hint="is it mounted by the desktop or another program? unmount it?",
                target=self.target,
                evidence="; ".join(report.evidence),
            )

    # Shutting

    def _prove_one(self, medium: Medium) -> ShutReport:
        try:
            place = self._place(medium)
        except FileNotFoundError:
            return self._prove_absent()
        report = proof.prove_shut(place, timeout_s=self.shut_timeout_s)
        if not report.is_shut:
            return report
        _allow_writes(place)
        return self._detach(place, report)

    def _detach(self, place: proof.Place, report: ShutReport) -> ShutReport:
        handle = detach.plan_detach(place.number, mode=self.detach, sys_root=self.sys_root)
        if handle is None:
            return report
        why_not = detach.run_detach(handle, dev_root=self.dev_root)
        gives_up_at = time.monotonic() + _GONE_S
        while not why_not and os.path.exists(place.device) and time.monotonic() < gives_up_at:
            time.sleep(0.05)
        if why_not or os.path.exists(place.device):
            clause = why_not or f"the {handle.bus} device was let go and its node is still there"
            return _with(report, report.disconnection, clause)
        return _with(report, Disconnection.DETACHED, f"detached from {handle.bus}, no device node")

    def _prove_absent(self) -> ShutReport:
        """Prove that no namespace has this medium mounted, when no device bears its UUID."""
        gives_up_at = time.monotonic() + self.shut_timeout_s
        try:
            holding, namespaces = self._mounted_by()
            while holding and time.monotonic() < gives_up_at:
                time.sleep(0.02)
                holding, namespaces = self._mounted_by()
        except OSError as error:
            return _unknown(f"reading the mount namespaces failed: {error.strerror}")
        if holding:
            return ShutReport(
                proof=DoorProof.OPEN,
                disconnection=Disconnection.NONE,
                evidence=(
                    "no device bears its UUID, yet it is mounted",
                    *(f"process {pid} has it mounted" for pid in holding),
                ),
            )
        return ShutReport(
            proof=DoorProof.SHUT,
            disconnection=Disconnection.REMOVED,
            evidence=(
                "no attached device bears its UUID",
                f"none of {namespaces} mount namespaces has it mounted",
            ),
        )

    def _mounted_by(self) -> tuple[list[int], int]:
        mount_point = os.fsencode(self._mount_point()) + b"/target"
        mounts, namespaces = proof.read_mounts()
        pids = {mount.pid for mount in mounts if mount.mount_point == mount_point}
        return sorted(pids), namespaces

    def _place(self, medium: Medium) -> proof.Place:
        return proof.Place(
            device=medium.device,
            number=os.stat(medium.device).st_rdev,
            mount_point=os.fsencode(self._mount_point()) + b"/target",
        )

    def _mount_point(self) -> str:
        return f"{MOUNT_BASE}/{self.uuid}"

    def _number(self, medium: Medium) -> int:
        try:
            return os.stat(medium.device).st_rdev
        except FileNotFoundError:
            raise MediaAbsent(
                "the medium of {target} went away", hint="plug it in again?", target=self.target
            ) from None


def _allow_writes(place: proof.Place) -> None:
    """Take back the read-only mark that a killed opening left on the device."""
    with suppress(OSError):
        fd = os.open(place.device, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if kernel.is_read_only(fd):
                kernel.set_read_only(fd, False)
        finally:
            os.close(fd)


def _with(report: ShutReport, disconnection: Disconnection, clause: str) -> ShutReport:
    return ShutReport(
        proof=report.proof, disconnection=disconnection, evidence=(*report.evidence, clause)
    )


def _unknown(clause: str) -> ShutReport:
    return ShutReport(proof=DoorProof.UNKNOWN, disconnection=Disconnection.NONE, evidence=(clause,))


def _need_root() -> None:
    if os.geteuid() != 0:
        raise NeedsRoot(
            "a disk door opens for root only", hint="run as root, or use the door 'folder'?"
        )
