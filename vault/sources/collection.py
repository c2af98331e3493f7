"""One pull of a tree of files into a reception, wherever the tree stands.

Rule 1: survey, judge, plan, fetch, sync, look again, place, in this order; a name appears in the
    mirror only after its bytes were synced and its source looked unchanged twice.
Rule 2: what the manifest and the mirror hold with the source's size and time is not pulled again.
Rule 3: any end leaves the parts that can be continued, and a mirror in which every file is whole.
Rule 4: a file that may not be read fails the pull: a hole must not look like a deletion.
Source: design, section 4, step 2.
"""

from __future__ import annotations

import errno
import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vault.errors import SourceError
from vault.results import ManifestEntry, Pull, Refusal
from vault.sources.completeness import Rule, judge
from vault.sources.origin import Changed, Unreadable
from vault.sources.placing import Mirror
from vault.sources.reception import ReceptionError, is_held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vault.ports import Progress, Reception
    from vault.sources.origin import Deadline, Origin
    from vault.sources.tree import Seen, Survey

BATCH_FILES = 2048
BATCH_BYTES = 1024**3
TASK_FILES = 32
TASK_BYTES = 4 * 1024**2
_POLL_S = 0.25
_FULL = (errno.ENOSPC, errno.EDQUOT)
_Found = ManifestEntry | Refusal


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What a running pull has so far."""

    entries: dict[bytes, ManifestEntry] = field(default_factory=dict)
    waiting: list[Refusal] = field(default_factory=list)
    unreadable: int = 0
    pulled: int = 0
    pulled_bytes: int = 0


def collect_tree(
    origin: Origin, reception: Reception, rule: Rule, *, deadline: Deadline, progress: Progress
) -> Pull:
    """Bring the mirror up to date with a tree; nothing is deleted."""
    try:
        with Mirror(reception.folder) as mirror:
            return _Collection(origin, mirror, rule, deadline, progress).run(reception.manifest())
    except OSError as error:
        if error.errno in _FULL:
            raise ReceptionError(
                "there is no room left to receive {source}",
                hint="free space in the state folder of the vault, or give it a larger disk?",
                source=origin.name,
            ) from None
        raise SourceError(
            "{source} cannot be pulled: {reason}", source=origin.name, reason=error.strerror
        ) from None


class _Collection:
    """One pull under way."""

    def __init__(
        self, origin: Origin, mirror: Mirror, rule: Rule, deadline: Deadline, progress: Progress
    ) -> None:
        self._origin = origin
        self._mirror = mirror
        self._rule = rule
        self._deadline = deadline
        self._progress = progress
        self._tally = _Tally()
        self._boot_id = deadline.clock.boot_id()
        self._done_bytes = 0
        self._lock = threading.Lock()

    def run(self, sealed: tuple[ManifestEntry, ...]) -> Pull:
        """Survey, plan, fetch batch by batch, and say what there is."""
        survey = self._origin.survey(self._deadline)
        judged = judge(survey.files, self._rule, now=self._deadline.clock.now())
        held = self._mirror.survey()
        known = {entry.path: entry for entry in sealed if is_held(entry, held.files)}
        self._tally.unreadable = survey.unreadable
        self._tally.waiting = list(judged.waiting)
        wanted = [seen for seen in judged.complete if not self._is_unchanged(seen, known)]
        # What an earlier pull placed and nobody sealed is there, whole: its bytes need no journey.
        there = [seen for seen in wanted if held.files.get(seen.path) == seen]
        missing = [seen for seen in wanted if held.files.get(seen.path) != seen]
        total = sum(seen.size_bytes for seen in wanted)
        with ThreadPoolExecutor(self._origin.workers, thread_name_prefix="pull") as pool:
            try:
                for batch in _batches(there, BATCH_FILES, BATCH_BYTES):
                    self._take(self._spread(pool, batch, self._adopt, total))
                for batch in _batches(missing, BATCH_FILES, BATCH_BYTES):
                    self._place(batch, self._spread(pool, batch, self._fetch, total))
            except BaseException:
                self._deadline.give_up()
                pool.shutdown(cancel_futures=True)
                raise
        self._refuse_holes()
        self._keep_old(known)
        self._mirror.clear_partial()
        return self._pull(survey, held)

    def _is_unchanged(self, seen: Seen, known: dict[bytes, ManifestEntry]) -> bool:
        entry = known.get(seen.path)
        if entry is None or (entry.size_bytes, entry.mtime_ns) != (seen.size_bytes, seen.mtime_ns):
            return False
        self._tally.entries[seen.path] = entry
        return True

    def _spread(
        self, pool: ThreadPoolExecutor, batch: list[Seen], act: Callable[[Seen], _Found], total: int
    ) -> list[_Found]:
        """Run an act over a batch in the pool; small files share a task. The order is kept."""
        tasks = [
            pool.submit(_each, act, group) for group in _batches(batch, TASK_FILES, TASK_BYTES)
        ]
        self._follow(tasks, total)
        return [found for task in tasks for found in task.result()]

    def _follow(self, tasks: list[Future[list[_Found]]], total: int) -> None:
        """Wait for tasks, saying how far they are; the first failure ends the waiting."""
        left = set(tasks)
        while left:
            done, left = wait(left, _POLL_S, return_when=FIRST_EXCEPTION)
            for task in done:
                task.result()
            self._deadline.check()
            self._progress.advance(self._done_bytes, total)

    def _adopt(self, seen: Seen) -> _Found:
        """Hash a file that stands in the mirror already."""
        digest = self._mirror.hash_file(seen.path, self._step)
        return ManifestEntry(
            path=seen.path, size_bytes=seen.size_bytes, mtime_ns=seen.mtime_ns, sha256=digest
        )

    def _fetch(self, seen: Seen) -> _Found:
        """Bring one file into its part."""
        part = self._mirror.begin(seen, boot_id=self._boot_id, step=self._step)
        try:
            self._origin.fetch(seen, part, self._deadline)
            if part.offset != seen.size_bytes:
                raise Changed
        except Changed:
            part.discard()
            return Refusal(name=seen.path, reason="changed while it was read")
        except Unreadable:
            part.discard()
            with self._lock:
                self._tally.unreadable += 1
            return Refusal(name=seen.path, reason="may not be read")
        except BaseException:
            part.keep()
            raise
        return part.finish()

    def _step(self, count: int) -> None:
        """Count bytes that are done; the pull ends here when its time is over."""
        self._deadline.check()
        with self._lock:
            self._done_bytes += count

    def _take(self, found: list[_Found]) -> None:
        """Book what came of a batch."""
        for item in found:
            if isinstance(item, Refusal):
                self._tally.waiting.append(item)
                continue
            self._tally.entries[item.path] = item
            self._tally.pulled += 1
            self._tally.pulled_bytes += item.size_bytes

    def _place(self, batch: list[Seen], found: list[_Found]) -> None:
        """Give a fetched batch its names in the mirror."""
        whole = [
            (seen, item)
            for seen, item in zip(batch, found, strict=True)
            if isinstance(item, ManifestEntry)
        ]
        looks = self._origin.look_again([seen for seen, _ in whole], self._deadline)
        same = [item for (_, item), as_before in zip(whole, looks, strict=True) if as_before]
        changed = [seen for (seen, _), as_before in zip(whole, looks, strict=True) if not as_before]
        # All bytes are on disk before the first of their names: a power cut between the two
        # leaves parts, never a torn file that looks whole by size and time.
        self._mirror.sync()
        for entry in same:
            self._mirror.place(entry.path)
        self._take([item for item in found if isinstance(item, Refusal)])
        self._take([*same, *(Refusal(name=seen.path, reason="still changing") for seen in changed)])

    def _refuse_holes(self) -> None:
        """Fail the pull when something is there and may not be read."""
        if self._tally.unreadable:
            raise SourceError(
                "{count} files or folders of {source} may not be read",
                hint="may the account that pulls {source} read all of it?",
                count=self._tally.unreadable,
                source=self._origin.name,
            )

    def _keep_old(self, known: dict[bytes, ManifestEntry]) -> None:
        """Keep what the mirror holds of files that are not complete at the source just now."""
        for item in self._tally.waiting:
            if item.name in known:
                self._tally.entries.setdefault(item.name, known[item.name])

    def _pull(self, survey: Survey, held: Survey) -> Pull:
        tally = self._tally
        there = {*held.files, *(alien.name for alien in held.refused)}
        return Pull(
            entries=tuple(tally.entries[path] for path in sorted(tally.entries)),
            pulled=tally.pulled,
            pulled_bytes=tally.pulled_bytes,
            deleted=tuple(sorted(there - tally.entries.keys())),
            refused=tuple(sorted(survey.refused, key=lambda item: item.name)),
            waiting=tuple(sorted(tally.waiting, key=lambda item: item.name)),
        )


def _each(act: Callable[[Seen], _Found], group: Sequence[Seen]) -> list[_Found]:
    return [act(seen) for seen in group]


def _batches(files: Sequence[Seen], count: int, size_bytes: int) -> Iterator[list[Seen]]:
    """Cut a list into runs of at most so many files and, but for a single one, so many bytes."""
    batch: list[Seen] = []
    batch_bytes = 0
    for seen in files:
        if batch and (len(batch) >= count or batch_bytes + seen.size_bytes > size_bytes):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(seen)
        batch_bytes += seen.size_bytes
    if batch:
        yield batch
