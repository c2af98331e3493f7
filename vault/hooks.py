"""Executables of the site, run at named moments of a night.

Rule 1: a hook is ``hooks/<moment>`` and nothing else: no shell, no word of ours on its command
    line, the facts as one JSON document on standard input, no secret anywhere.
Rule 2: no hook runs while a vault door is open: ``door-open`` runs just before, ``door-shut`` once
    the door is proven shut.
Rule 3: a hook never decides: that it failed, was late or was refused is told, and changes nothing.
Rule 4: one that was not run is told too, with the reason, so that a hook which silently stopped
    being run is seen.
Rule 5: a signal that interrupts us while a hook runs ends the hook, and is never taken for its end.
Whether a moment may be fired at all is asked in ``vault.moments``.
Source: ``hooks/README.md``.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from vault.errors import CoffreError, HookError, Interrupted
from vault.process import TimedOut, run
from vault.results import HookOutcome, HookResult

MOMENTS: Mapping[str, str] = {
    "before-cycle": "the night may begin; nothing was touched",
    "before-collect": "the production door is about to open",
    "after-collect": "the production door is proven shut",
    "door-open": "a vault door is about to open: the moment to power its medium",
    "door-shut": "a vault door is proven shut: the moment to cut its medium's power",
    "after-cycle": "both doors are proven shut and the verdict is written",
    "on-gap": "something is missing that was not before",
    "publish": "the reports were written anew",
}
TIMEOUT_S = 60.0
_GRACE_S = 2.0  # between asking and killing: the red button waits for it
_SAID_BYTES = 64 * 1024  # a hook that says more is cut off, and that is a failure


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFolder:
    """The hooks of one site."""

    folder: str
    check: Callable[[str], None]  # raises CoffreError for a file that somebody else may write
    timeout_s: float = TIMEOUT_S

    def look(self) -> Iterator[tuple[str, CoffreError | OSError | None]]:
        """Give each moment that has a hook, and why that one would be refused; runs nothing."""
        for moment in MOMENTS:
            try:
                self._check(moment)
            except FileNotFoundError:
                continue
            except (CoffreError, OSError) as error:
                yield moment, error
            else:
                yield moment, None

    def _check(self, moment: str) -> str:
        """Give the path of a hook that may be run; FileNotFoundError when there is none."""
        path = os.path.join(self.folder, moment)
        self.check(path)
        self._check_folder()
        return path

    def fire(self, moment: str, facts: Mapping[str, object]) -> HookResult:
        """Run the hook of a moment, from the main thread; every end of it is a result."""
        assert moment in MOMENTS, moment
        try:
            path = self._check(moment)
        except FileNotFoundError:
            detail = "" if os.path.isdir(self.folder) else "there is no folder of hooks"
            return HookResult(moment=moment, outcome=HookOutcome.ABSENT, detail=detail)
        except (CoffreError, OSError) as error:
            return HookResult(moment=moment, outcome=HookOutcome.REFUSED, detail=str(error))
        return self._run(path, moment, facts)

    def _check_folder(self) -> None:
        """Refuse a folder into which somebody else could put another file of that name."""
        found = os.stat(self.folder)
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise HookError(
                "the folder {folder} may be written by others",
                folder=self.folder,
                hint="chown root {folder} && chmod go-w {folder}?",
            )

    def _run(self, path: str, moment: str, facts: Mapping[str, object]) -> HookResult:
        document = {"schema": "coffre/hook/1", "moment": moment, **facts}
        try:
            ended = run(
                [path],
                timeout_s=self.timeout_s,
                cwd=self.folder,
                stdin=json.dumps(document, ensure_ascii=False, default=str).encode() + b"\n",
                stdout_limit_bytes=_SAID_BYTES,
                grace_s=_GRACE_S,
            )
        except Interrupted:
            raise
        except TimedOut:
            limit = f"{self.timeout_s:g}"
            return HookResult(
                moment=moment,
                outcome=HookOutcome.TIMED_OUT,
                detail=f"did not end in {limit} s and was killed",
                duration_s=self.timeout_s,
            )
        except (CoffreError, OSError) as error:
            return HookResult(moment=moment, outcome=HookOutcome.FAILED, detail=str(error))
        if ended.returncode != 0:
            # What it printed may name anything: it is for the terminal of who tries it by hand.
            return HookResult(
                moment=moment,
                outcome=HookOutcome.FAILED,
                detail=f"ended with {ended.returncode}",
                duration_s=ended.duration_s,
            )
        return HookResult(moment=moment, outcome=HookOutcome.RAN, duration_s=ended.duration_s)
