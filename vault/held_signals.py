"""Signals that interrupt us, held back while a child runs and delivered at chosen points.

Rule 1: none is lost: what came is delivered at the latest when the holding ends.
Rule 2: every handler is put back, whatever one of them raises.
Source: signal(7), eventfd(2).
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Self

RAISING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


class HeldSignals:
    """Hold back the signals that interrupt us, so that they raise at chosen points only.

    Blocking them would not do: another thread would take them, and Python would raise in the
    main thread all the same, between a child's start and the moment we know of it.
    """

    def __init__(self) -> None:
        self.fd = -1  # readable when a signal came
        self.count = 0
        self._waiting: list[int] = []
        self._handlers: dict[int, Callable[[int, FrameType | None], object]] = {}
        self._taken: list[int] = []

    def __enter__(self) -> Self:
        self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            for number in RAISING:
                handler = signal.getsignal(number)
                if callable(handler):  # neither ignored nor left to the kernel
                    self._handlers[number] = handler
                    self._taken.append(number)
                    signal.signal(number, self._take)
        except BaseException:
            self._restore()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        self.deliver()

    def deliver(self) -> None:
        """Call the handlers of what came; they may raise."""
        while self._waiting:
            number = self._waiting.pop(0)
            self._handlers[number](number, None)

    def _take(self, number: int, _: FrameType | None) -> None:
        self._waiting.append(number)
        self.count += 1
        os.eventfd_write(self.fd, 1)

    def _restore(self) -> None:
        """Put every handler back, even while one of them raises."""
        if not self._taken:
            os.close(self.fd)
            return
        number = self._taken.pop()
        try:
            signal.signal(number, self._handlers[number])
        finally:
            self._restore()
