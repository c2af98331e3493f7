"""The second process: what runs on the vault's side of the door, and nothing else.

Rule 1: it is started fresh for every opening, before the door opens, and loads no more than a door
    and a store.
Rule 2: it is the only module that knows both doors and stores; it hands the one to the other.
Rule 3: it believes nothing it is sent: names, sizes and hashes are checked where they are used.
Source: design, section 5; ``docs/doors.md``.
"""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vault.doors import wire
from vault.doors.order import Duty, Task
from vault.doors.warden import serve
from vault.errors import StoreError
from vault.stores import FilesStore, NotOnTarget, read_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.doors.order import Answer
    from vault.results import AdmissionReport, Refusal

IDENTITY = "coffre/identity"
HEADS = "coffre/heads"
_HEADS_TOLD = 8
_MARK_BYTES = 1 << 20


@contextmanager
def _store(task: Task) -> Iterator[FilesStore]:
    # A folder for trying out must stay removable with rm -r.
    store = FilesStore(task.root, immutable=not task.is_folder)
    try:
        yield store
    finally:
        store.close()


def read_marks(task: Task) -> Answer:
    """Read what the medium says of itself; what is not there is empty, not an error."""
    with _store(task) as store:
        free_bytes, free_inodes = store.free()
        numbers = [int(name) for name in store.names(HEADS) if _is_number(name)]
        newest = sorted(numbers, reverse=True)[:_HEADS_TOLD]
        return {
            "identity": _b64(_read_mark(store, IDENTITY)),
            "heads": [(number, _b64(_read_mark(store, f"{HEADS}/{number}"))) for number in newest],
            "free_bytes": free_bytes,
            "free_inodes": free_inodes,
        }, ()


def _read_mark(store: FilesStore, path: str) -> bytes:
    try:
        return store.read(path, limit_bytes=_MARK_BYTES)
    except NotOnTarget:
        return b""


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 19 and str(int(name)) == name


def admit(task: Task) -> Answer:
    """Carry what the target lacks of the plan in the first descriptor."""
    plan = read_plan(task.fds[0])
    with _store(task) as store:
        report = store.carry(
            plan,
            landing=os.fsencode(task.members["landing"]),
            soft_closes_at_s=task.members["soft_closes_at_s"],
            on_progress=task.progress,
        )
    return {"report": _report_message(report)}, ()


def find_missing(task: Task) -> Answer:
    """Find what the target lacks of the list in the first descriptor."""
    plan = read_plan(task.fds[0])
    with _store(task) as store:
        lacking = store.missing(plan)
    lines = (b"%b %d\n" % (file.path.encode("ascii"), file.size_bytes) for file in lacking)
    return {}, (wire.memory_file_of(lines),)


def publish(task: Task) -> Answer:
    """Publish the content of each descriptor under its final name, one after the other."""
    with _store(task) as store:
        for path, fd in zip(task.members["paths"], task.fds, strict=True):
            store.publish(path, wire.read_all(os.dup(fd)))
    return {}, ()


def read(task: Task) -> Answer:
    """Read one file of the target into a descriptor."""
    with _store(task) as store:
        content = store.read(task.members["path"], limit_bytes=task.members["limit_bytes"])
    return {}, (wire.memory_file(content),)


def prepare(task: Task) -> Answer:
    """Make the folders of an empty target."""
    with _store(task) as store:
        if store.names(HEADS):
            raise StoreError(
                "the target bears heads already",
                hint="is it enrolled? use a new medium, or format this one?",
            )
        store.prepare_repository()
    return {}, ()


DUTIES = {
    "marks": Duty(run=read_marks),
    "missing": Duty(run=find_missing),
    "read": Duty(run=read),
    "admit": Duty(run=admit, writes=True),
    "publish": Duty(run=publish, writes=True),
    "prepare": Duty(run=prepare, writes=True, makes_folders=True),
}


def _report_message(report: AdmissionReport) -> dict[str, Any]:
    members = {name: getattr(report, name) for name in report.__slots__}
    return members | {
        "refused": _refusals(report.refused),
        "corrupt": _refusals(report.corrupt),
    }


def _refusals(refusals: tuple[Refusal, ...]) -> list[tuple[str, str]]:
    return [(_b64(refusal.name), refusal.reason) for refusal in refusals]


def _b64(content: bytes) -> str:
    return b64encode(content).decode("ascii")


if __name__ == "__main__":
    code = serve(DUTIES)
    sys.stderr.flush()
    os._exit(code)  # the interpreter's own tidying takes longer than an unmount, with the door open
