"""Do one thing to many items with a few threads, and stop all at the first failure.

Rule 1: items are taken one by one, in order: when the crew stops, what was taken is a prefix.
Rule 2: what was begun ends before the crew returns, by success or by exception.
Rule 3: results and the first exception come out in the caller's thread only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from queue import SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Ended:
    """A worker has no more to do."""


class Crew(Generic[Item, Result]):
    """Run ``act`` on each item in up to ``threads`` threads, started anew for each run."""

    def __init__(self, act: Callable[[Item], Result], *, threads: int) -> None:
        self._act = act
        self._threads = threads
        self._lock = threading.Lock()
        self._stopping = False
        self._done: SimpleQueue[tuple[Item, Result] | BaseException | _Ended] = SimpleQueue()

    def run(self, items: Iterable[Item]) -> Generator[tuple[Item, Result], None, None]:
        """Give each item with its result as it is done; raise the first exception at the end."""
        taking = iter(items)
        workers = [
            threading.Thread(target=self._work, args=(taking,)) for _ in range(self._threads)
        ]
        for worker in workers:
            worker.start()
        failure: BaseException | None = None
        try:
            ended = 0
            while ended < len(workers):
                done = self._done.get()
                if isinstance(done, _Ended):
                    ended += 1
                elif isinstance(done, BaseException):
                    failure = failure or done
                else:
                    yield done
        finally:
            self._stopping = True
            for worker in workers:
                worker.join()
        if failure is not None:
            raise failure

    def _work(self, taking: Iterator[Item]) -> None:
        try:
            while not self._stopping:
                with self._lock:
                    item = next(taking, None)
                if item is None:
                    break
                self._done.put((item, self._act(item)))
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, whole
            self._stopping = True
            self._done.put(error)
        finally:
            self._done.put(_Ended())
