"""The second process: what runs on the vault's side of the door, and nothing else.

Rule 1: it is started fresh for every opening, before the door opens, and loads no more than a door
    and a store.
Rule 2: it is the only module that knows both doors and stores; it hands the one to the other.
Rule 3: it believes nothing it is sent: names, sizes and hashes are checked where they are used.
Rule 4: what to carry it reads before the medium is touched; what the medium lacks of that it asks
    the medium itself.
Source: design, section 5; ``docs/doors.md``.
"""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vault.doors import wire
from vault.doors.order import Duties, Duty, Task
from vault.doors.warden import serve
from vault.errors import StoreError
from vault.results import RepositoryFile
from vault.stores import FilesStore, NotOnTarget, Plan, read_plan
from vault.stores.removal import remove as remove_files  # once confined, nothing can be imported

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vault.doors.order import Answer
    from vault.results import AdmissionReport, Refusal

IDENTITY = "coffre/identity"
HEADS = "coffre/heads"
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
    """Read what the medium says of itself; what is not there is empty, not an error.

    Of the heads the newest is read; of what enrolment wrote, what is gone is told.
    """
    with _store(task) as store:
        free_bytes, free_inodes = store.free()
        newest = max((int(name) for name in store.names(HEADS) if _is_number(name)), default=None)
        heads = [] if newest is None else [(newest, _b64(_read_mark(store, f"{HEADS}/{newest}")))]
        provisioned = [
            RepositoryFile(path=path, size_bytes=size) for path, size in task.members["provisioned"]
        ]
        return {
            "identity": _b64(_read_mark(store, IDENTITY)),
            "heads": heads,
            "free_bytes": free_bytes,
            "free_inodes": free_inodes,
            "gone": [(file.path, file.size_bytes) for file in store.missing(provisioned)],
        }, ()


def _read_mark(store: FilesStore, path: str) -> bytes:
    try:
        return store.read(path, limit_bytes=_MARK_BYTES)
    except NotOnTarget:
        return b""


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 19 and str(int(name)) == name


def admit(task: Task) -> Answer:
    """Carry what the target lacks of the plan, then publish the records; tell the report between.

    The plan is that of the opening, or in the first descriptor.
    """
    plan, records = _plan(task, has_own=task.members["has_plan"]), list(task.fds)
    if task.members["has_plan"]:
        del records[0]
    with _store(task) as store:
        store.carry(
            plan,
            landing=os.fsencode(task.members["landing"]),
            soft_closes_at_s=task.members["soft_closes_at_s"],
            on_progress=task.progress,
            records=_files(task.members["paths"], records),
            on_settled=lambda report: task.tell(_report_message(report)),
        )
    return {}, ()


def _plan(task: Task, *, has_own: bool) -> Plan:
    if has_own:
        return read_plan(task.fds[0])
    assert isinstance(task.plan, Plan)
    return task.plan


def find_missing(task: Task) -> Answer:
    """Find what the target lacks of the list in the first descriptor, or of the opening's plan."""
    plan = _plan(task, has_own=bool(task.fds))
    with _store(task) as store:
        lacking = store.missing(plan)
    lines = (b"%b %d\n" % (file.path.encode("ascii"), file.size_bytes) for file in lacking)
    return {}, (wire.memory_file_of(lines),)


def read_old(task: Task) -> Answer:
    """Read the files of the list in the first descriptor back from the medium, while time is."""
    plan = _plan(task, has_own=True)
    with _store(task) as store:
        found = store.read_old(plan, ends_at_s=task.members["ends_at_s"], on_progress=task.progress)
    members = {name: getattr(found, name) for name in found.__slots__}
    return members | {"corrupt": _refusals(found.corrupt)}, ()


def publish(task: Task) -> Answer:
    """Publish the content of each descriptor under its final name."""
    with _store(task) as store:
        store.publish_all(_files(task.members["paths"], task.fds))
    return {}, ()


def _files(paths: Sequence[str], fds: Sequence[int]) -> list[tuple[str, bytes]]:
    contents = [wire.read_all(os.dup(fd)) for fd in fds]
    return list(zip(paths, contents, strict=True))


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


def remove(task: Task) -> Answer:
    """Take off the files of the list in the first descriptor."""
    plan = read_plan(task.fds[0])
    if plan.refused_files:
        raise StoreError("{count} unlawful names were to be removed", count=plan.refused_files)
    files = [plan.file(row) for row in range(len(plan))]
    done = remove_files(task.root, files, on_progress=task.progress)
    return {
        "removed": done.removed,
        "removed_bytes": done.removed_bytes,
        "absent": done.absent,
        "refused": done.refused,
    }, ()


DUTIES = Duties(
    load=read_plan,
    by_name={
        "marks": Duty(run=read_marks),
        "missing": Duty(run=find_missing),
        "read": Duty(run=read),
        "read-old": Duty(run=read_old),
        "admit": Duty(run=admit, writes=True, carries=True),
        "remove": Duty(run=remove, writes=True, removes=True),
        "publish": Duty(run=publish, writes=True),
        "prepare": Duty(run=prepare, writes=True, makes_folders=True, carries=True),
    },
)


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
