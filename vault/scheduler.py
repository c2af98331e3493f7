"""The daemon: a night in each window, the tests that are due after it, and a look in between.

    start             one daemon a vault; jobs are made from configuration and records
    each job          a child ``coffre``: what becomes of it never reaches the daemon
    every half minute the clock is looked at; one that jumped makes every job anew
    SIGHUP            the configuration is read again; a broken one is refused, the old goes on
    SIGTERM, SIGINT   the running child is interrupted and shuts its doors; the daemon ends with 0

Rule 1: APScheduler tells when, ``vault.due_runs`` tells whether; jobs are kept in memory only, so
    none is ever older than the program that runs it.
Rule 2: jobs are run one after the other, in the main thread: children must be started there.
Rule 3: a job that was missed, refused, or did not end with 0 is an entry of the ledger, written as
    soon as nobody else holds the vault.
Source: design, section 11; ``docs/decisions/0023``; this is the one module that imports
    apscheduler.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from vault.due_runs import Call, Due, Watch, after_nights, decide, first_opening
from vault.errors import CoffreError, ExitCode, Interrupted, LockHeld, UsageError
from vault.process import run
from vault.timekeeping import require_clock
from vault.units import LETTING_GO
from vault.vault_lock import BRIEF_S, VaultLock
from vault.window import LONGEST_S, Window, next_opening
from vault.wiring.schedule import used_windows, watches
from vault.wiring.wired import Wired

if TYPE_CHECKING:
    from types import FrameType

    from vault.records import LedgerPort

DAEMON_LOCK = "serve.lock"
NOTIFY_EVERY_S = 900  # what a network kept from leaving is tried again
_BEAT_S = 30.0
_JUMP_S = 30.0  # between wall and boot clock, from one beat to the next
_TRUST_S = 600.0  # after a jump: a clock that is put right again soon leaves no wrong entry
_AFTER_S = 3600.0  # a night may go on so long after its window: pages, hooks, no open door
_AGAIN_S = 300.0  # after a night that could not begin
_ATTEMPTS = 6
_LEAST_DRILL_S = 120.0
_HOPELESS = (ExitCode.USAGE, ExitCode.SECURED)  # a second attempt ends as the first
_EVENTS = EVENT_JOB_MISSED | EVENT_JOB_ERROR | EVENT_JOB_MAX_INSTANCES
_SECRETS = "CREDENTIALS_DIRECTORY"  # of the daemon's unit; its children read them too


class _WindowTrigger(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """Fires when a window opens, as ``vault.window`` counts."""

    def __init__(self, window: Window, zone: Any) -> None:  # noqa: ANN401, a tzinfo
        self._window = window
        self._zone = zone

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Give the first opening after the last one, or after now."""
        return next_opening(self._window, previous or now, self._zone)


class _MainThread(BaseExecutor):  # type: ignore[misc]  # apscheduler has no types
    """Hands jobs to the main thread, which runs them one after the other."""

    def __init__(self, jobs: queue.SimpleQueue[Callable[[], None] | None]) -> None:
        super().__init__()
        self._jobs = jobs

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:  # noqa: ANN401
        self._jobs.put(partial(self._run, job, run_times))

    def _run(self, job: Any, run_times: list[datetime]) -> None:  # noqa: ANN401
        events = run_job(job, "default", run_times, self._logger.name)
        self._run_job_success(job.id, events)


class Tell(Protocol):
    """Says to a person what the daemon does, by the name of a sentence and its values."""

    def __call__(self, sentence: str, **values: object) -> None:
        """Say it at once."""
        ...


class Daemon:
    """Runs what is due on one vault until it is told to end."""

    def __init__(self, load: Callable[[], Wired], tell: Tell) -> None:
        self._load = load
        self._tell = tell
        self._wired = load()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._noted: deque[Callable[[LedgerPort], object]] = deque()  # entries that wait
        self._writes_from_s = 0.0  # on the boot clock
        self._attempts: dict[tuple[str, datetime], int] = {}
        self._is_ending = False
        self._is_asked_again = False  # to read the configuration
        self._has_child = False
        self._offset_s = self._wall_ahead_s()
        self._scheduler = self._make_scheduler()

    def serve(self) -> None:
        """Run until SIGTERM or SIGINT; LockHeld when this vault has a daemon already."""
        if not used_windows(self._wired.settings):
            raise UsageError(
                "no target has a window that opens: there is nothing to wait for",
                hint="windows: in vault.yaml, and window: at a target?",
            )
        with self._alone(), self._listening():
            self._make_jobs()
            self._scheduler.start()
            _tell_systemd("READY=1")
            try:
                while not self._is_ending:
                    self._turn()
            finally:
                _tell_systemd("STOPPING=1")
                self._scheduler.shutdown(wait=False)
                self._write_noted()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = VaultLock(self._wired.path(DAEMON_LOCK))
        try:
            lock.take()
        except LockHeld:
            raise LockHeld(
                "coffre serve runs on this vault already, process {holder}",
                holder=lock.holder() or "?",
                hint="is it meant to be another vault? coffre schedule show tells of this one",
            ) from None
        try:
            yield
        finally:
            lock.let_go()

    def _turn(self) -> None:
        """Run the next job, or look at the clock when there is none for half a minute."""
        try:
            job = self._jobs.get(timeout=_BEAT_S)
        except queue.Empty:
            job = None
        if job is not None and not self._is_ending:
            job()
        if self._is_asked_again:
            self._is_asked_again = False
            self._read_again()
        self._look_at_clock()
        self._write_noted()
        self._scheduler.wakeup()  # its own waiting stands still while the host sleeps

    # -- jobs

    def _make_scheduler(self) -> BackgroundScheduler:
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)  # its events are told below
        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": _MainThread(self._jobs)},
            job_defaults={"coalesce": True, "max_instances": 1},
        )
        scheduler.add_listener(self._note_event, _EVENTS)
        return scheduler

    def _make_jobs(self) -> None:
        """Make every job from configuration and records; what is due now is run now."""
        self._scheduler.remove_all_jobs()
        settings, now = self._wired.settings, self._now()
        windows = used_windows(settings)
        for window in windows:
            due = self._due(window)
            grace_s = window.for_s + settings.windows[window.name].catch_up
            self._add(f"night-{window.name}", partial(self._night, window), window, grace_s=grace_s)
            if due is not None and due.call is not Call.WAIT:
                self._soon(window, now)
        if daily := after_nights(windows):
            if settings.schedule.drills:
                self._add("drills", self._drills, daily, grace_s=12 * 3600)
            if settings.schedule.retention:
                self._add("retention", self._let_go, daily, grace_s=12 * 3600)
        self._scheduler.add_job(
            self._evaluate,
            IntervalTrigger(seconds=settings.schedule.evaluate, timezone=UTC),
            id="evaluate",
            misfire_grace_time=settings.schedule.evaluate,
            next_run_time=now + timedelta(seconds=5),  # after a night that is due now
        )
        if settings.notices.to:
            self._scheduler.add_job(
                self._notify,
                IntervalTrigger(seconds=NOTIFY_EVERY_S, timezone=UTC),
                id="notify",
                misfire_grace_time=NOTIFY_EVERY_S,
            )
        for window in windows:
            opens = next_opening(window, now, settings.time_zone).astimezone(settings.time_zone)
            self._tell("opens", window=window.name, at=opens.isoformat(timespec="minutes"))

    def _add(self, name: str, act: Callable[[], None], window: Window, *, grace_s: int) -> None:
        trigger = _WindowTrigger(window, self._wired.settings.time_zone)
        self._scheduler.add_job(act, trigger, id=name, misfire_grace_time=grace_s)

    def _soon(self, window: Window, at: datetime) -> None:
        """Run the job of a window at an instant, besides its openings."""
        self._scheduler.add_job(
            partial(self._night, window),
            "date",
            run_date=at,
            timezone=UTC,
            id=f"again-{window.name}",
            misfire_grace_time=window.for_s,
            replace_existing=True,
        )

    def _night(self, window: Window) -> None:
        """Run a night where one is due; one that could not begin is tried again."""
        due = self._due(window)
        if due is None or due.call is Call.WAIT:
            self._tell("nothing-due", window=window.name)
            return
        words = ["run", "--catch-up"] if due.call is Call.CATCH_UP else ["run"]
        left_s = (due.closes_at - self._now()).total_seconds()
        code = self._child(f"night-{window.name}", words, timeout_s=left_s + _AFTER_S)
        key = (window.name, due.opening.opens_at)
        self._attempts[key] = self._attempts.get(key, 0) + 1
        after = self._due(window)
        is_owed = after is not None and after.call is not Call.WAIT
        if is_owed and code not in _HOPELESS and self._attempts[key] < _ATTEMPTS:
            self._soon(window, self._now() + timedelta(seconds=_AGAIN_S))

    def _drills(self) -> None:
        left_s = self._left_s()
        for_s = int(min(self._wired.settings.schedule.drills, left_s - _AGAIN_S))
        if for_s < _LEAST_DRILL_S:
            self._tell("no-time")
            return
        self._child("drills", ["drill", "run", "--due", "--for", f"{for_s}s"], timeout_s=left_s)

    def _let_go(self) -> None:
        self._child("retention", LETTING_GO, timeout_s=self._left_s() - _AGAIN_S)

    def _left_s(self) -> float:
        """Give the seconds until the next window opens."""
        settings, now = self._wired.settings, self._now()
        opens = first_opening(used_windows(settings), now, settings.time_zone)
        return (opens - now).total_seconds() if opens else float(LONGEST_S)

    def _evaluate(self) -> None:
        self._child("evaluate", ["schedule", "evaluate"], timeout_s=_AFTER_S)

    def _notify(self) -> None:
        self._child("notify", ["notify"], timeout_s=_AFTER_S)

    def _due(self, window: Window) -> Due | None:
        """Judge one window now; None when nothing is owed in it, or nobody can say."""
        try:
            wired = Wired(self._wired.settings)
            found: Sequence[Watch] = watches(wired.settings, wired.catalogue)
        except CoffreError as error:
            self._tell("unknown", window=window.name, reason=str(error))
            return None
        for watch in found:
            if watch.window.name == window.name:
                return decide(watch, self._now(), self._wired.settings.time_zone)
        return None

    def _child(self, job: str, words: Sequence[str], *, timeout_s: float) -> int:
        """Run ``coffre`` to its end; give its exit code, which is in the ledger when not 0."""
        settings = self._wired.settings
        argv = [sys.executable, "-P", "-m", "vault.cli.main", "-c", settings.file, *words]
        self._tell("begun", job=job, words=" ".join(words))
        began_at, self._has_child = self._now(), True
        try:
            if self._is_ending:
                raise Interrupted("ended before it began")
            ended = run(
                argv,
                timeout_s=max(timeout_s, 1.0),
                cwd="/",
                env={name: os.environ[name] for name in (_SECRETS,) if name in os.environ},
                on_line=lambda line: self._tell(
                    "said", line=line.decode("utf-8", "backslashreplace")
                ),
                end_signal=signal.SIGINT,
                grace_s=60.0 + 2 * settings.hooks.timeout,  # what a night may need to end in order
            )
        finally:
            self._has_child = False
        for line in ended.stderr_tail.splitlines():
            self._tell("said", line=line)
        self._tell("ended", job=job, code=ended.returncode)
        if ended.returncode != 0:
            body = {"job": job, "began_at": _utc(began_at), "exit_code": ended.returncode}
            self._noted.append(lambda ledger: ledger.append("job-ended", **body))
        return ended.returncode

    # -- the clock, the configuration, the ledger

    def _now(self) -> datetime:
        return self._wired.clock.now()

    def _wall_ahead_s(self) -> float:
        return self._wired.clock.now().timestamp() - self._wired.clock.boot_s()

    def _look_at_clock(self) -> None:
        """Make every job anew when the wall clock jumped."""
        offset_s = self._wall_ahead_s()
        jumped_s, self._offset_s = offset_s - self._offset_s, offset_s
        if abs(jumped_s) > _JUMP_S:
            self._tell("jumped", seconds=round(jumped_s))
            seconds = round(jumped_s)
            self._noted.append(lambda ledger: ledger.append("clock-jumped", seconds=seconds))
            self._writes_from_s = self._wired.clock.boot_s() + _TRUST_S
            self._make_jobs()

    def _read_again(self) -> None:
        """Read the configuration again; a broken one changes nothing here."""
        try:
            wired = self._load()
            if not used_windows(wired.settings):
                raise UsageError("no target has a window that opens")
        except CoffreError as error:
            self._tell("config-refused", reason=str(error))
            told = error.reference
            self._noted.append(lambda ledger: ledger.append("config-refused", reference=told))
            return
        self._wired = wired
        self._make_jobs()

    def _note_event(self, event: Any) -> None:  # noqa: ANN401, apscheduler has no types
        """Keep what APScheduler tells of a job that did not run as it should."""
        if event.code == EVENT_JOB_MISSED:
            body = {"job": event.job_id, "due_at": _utc(event.scheduled_run_time)}
            self._noted.append(lambda ledger: ledger.append("job-missed", **body))
        elif event.code == EVENT_JOB_MAX_INSTANCES:
            body = {"job": event.job_id, "due_at": _utc(event.scheduled_run_times[-1])}
            self._noted.append(lambda ledger: ledger.append("job-refused", **body))
        else:
            error = event.exception
            told = error.reference if isinstance(error, CoffreError) else type(error).__name__
            body = {"job": event.job_id, "due_at": _utc(event.scheduled_run_time)}
            self._noted.append(lambda ledger: ledger.append("job-failed", **body, reference=told))
            self._tell("failed", job=event.job_id, reason=str(error))

    def _write_noted(self) -> None:
        """Write what waits, unless another coffre holds the vault or the clock is not trusted yet.

        Then a later turn does: an entry under a wrong clock would make that the newest time.
        """
        if not self._noted or self._wired.clock.boot_s() < self._writes_from_s:
            return
        wired = Wired(self._wired.settings)  # read anew: a night wrote since
        wired.clock = self._wired.clock
        with suppress(CoffreError, OSError), wired.state.lock(for_s=BRIEF_S):
            require_clock(wired.catalogue, wired.ledger, wired.clock)
            while self._noted:
                self._noted[0](wired.ledger)
                self._noted.popleft()

    # -- signals

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Take SIGTERM, SIGINT and SIGHUP for ours; give the handlers back afterwards."""
        wanted = {signal.SIGTERM: self._end, signal.SIGINT: self._end, signal.SIGHUP: self._hup}
        before = {number: signal.signal(number, act) for number, act in wanted.items()}
        try:
            yield
        finally:
            for number, act in before.items():
                signal.signal(number, act)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        """End after this; a running child is interrupted, and waited for."""
        self._is_ending = True
        self._jobs.put(None)
        if self._has_child:
            raise Interrupted("ended by {name}", name=signal.Signals(number).name)

    def _hup(self, _number: int, _frame: FrameType | None) -> None:
        self._is_asked_again = True
        self._jobs.put(None)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _tell_systemd(state: str) -> None:
    """Tell the service manager how we are, where there is one: sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.connect("\0" + address[1:] if address.startswith("@") else address)
        told.sendall(state.encode())
