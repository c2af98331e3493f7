"""``coffre doctor``: host, configuration, records, doors and locks, each with its mend."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from vault.cli.session import Session, is_root
from vault.cli.shown import colour, size, wrapped
from vault.cli.whatever import may_ask, shut_listed, shutting_whatever
from vault.cli.words import _, about, called, hint_of, message_of, retell
from vault.errors import CatalogueError, CoffreError, ExitCode, LedgerError, LockHeld

if TYPE_CHECKING:
    from vault.config import SourceSettings
    from vault.results import ShutReport
    from vault.wiring.wired import Wired


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    good: bool
    says: str
    mend: str = ""
    is_lock: bool = False  # a lock that does not hold is said, and fails nothing by itself


def doctor_command(session: Session) -> int:
    """Look at everything a night needs; 0 when all is well, 5 when a door is not proven shut."""
    with shutting_whatever(session):
        return _doctor(session, session.wired())


def _doctor(session: Session, wired: Wired) -> int:
    findings = list(_examine(wired))
    code = _code(findings)
    for finding in findings:
        mark = colour("✓", "good") if finding.good else colour("✗", "bad")
        if finding.is_lock and not finding.good:
            mark = colour("–", "warn")
        line = about(_label(finding.name), finding.says)
        session.say(wrapped(f"{mark} {line}", indent=4))
        if finding.mend and not finding.good:
            session.say(wrapped(f"    → {finding.mend}", indent=6))
    return session.emit(
        {
            "findings": [
                {
                    "name": item.name,
                    "good": item.good,
                    "says": item.says,
                    "mend": item.mend,
                    "lock": item.is_lock,
                }
                for item in findings
            ]
        },
        code,
    )


_LABELS = {
    "config": "configuration",
    "restic": "restic",
    "vault": "vault",
    "ledger": "ledger",
    "clock": "clock",
    "landing": "landing",
    "recovery password": "recovery password",
    "room": "room",
    "doors": "doors",
    "door production": "production door",
    "door": "door {name}",
    "target": "target {name}",
    "source": "source {name}",
    "hook": "hook {name}",
    "lock": "lock {name}",
}


def _label(name: str) -> str:
    """Give what a person calls a finding; its name in the document stays."""
    if name in _LABELS:
        return _(_LABELS[name])
    kind, _space, rest = name.partition(" ")
    return _(_LABELS[kind]).format(name=rest)


def _code(findings: list[Finding]) -> int:
    if any(item.name.startswith("door ") and not item.good for item in findings):
        return ExitCode.DEGRADED
    if any(not item.good and not item.is_lock for item in findings):
        return ExitCode.FAILED
    return ExitCode.SOUND


def _examine(wired: Wired) -> Iterator[Finding]:
    yield Finding(name="config", good=True, says=wired.settings.file)
    yield _try(
        "restic", lambda: f"{wired.restic.version} ({wired.restic.path})", "apt install restic"
    )
    yield from _vault(wired)
    yield from _sources(wired)
    yield from _hooks(wired)
    yield from _locks()


def _try(name: str, ask: Callable[[], str], mend: str) -> Finding:
    try:
        return Finding(name=name, good=True, says=ask())
    except CoffreError as error:
        return Finding(name=name, good=False, says=message_of(error), mend=hint_of(error) or mend)
    except OSError as error:
        return Finding(name=name, good=False, says=retell(error.strerror or str(error)), mend=mend)


def _vault(wired: Wired) -> Iterator[Finding]:
    founded = _try("vault", lambda: _founded(wired), "coffre init")
    yield founded
    if not founded.good:
        if may_ask(wired.state):
            yield from _told_doors(shut_listed(wired.state, "doctor"))
        return
    yield _try("ledger", lambda: _ledger(wired), _("docs/ledger.md says how it is read"))
    yield _try("clock", lambda: _clock(wired), "")
    yield _landing(wired)
    yield _try("recovery password", lambda: _keys(wired), "coffre keys confirm")
    yield _try("room", lambda: _room(wired), "")
    yield from _doors(wired)
    yield from _strangers(wired)


def _founded(wired: Wired) -> str:
    wired.require_founded()
    return wired.settings.state


def _ledger(wired: Wired) -> str:
    problems = wired.ledger.verify()
    if problems:
        raise CoffreError(
            "entry {n} of the ledger: {reason}", n=problems[0].n, reason=problems[0].reason
        )
    return _("{count} entries, chained").format(count=wired.ledger.head().n + 1)


def _clock(wired: Wired) -> str:
    from vault.timekeeping import require_clock

    require_clock(wired.catalogue, wired.ledger, wired.clock)
    return _("not behind what was written")


def _landing(wired: Wired) -> Finding:
    from vault.admission import compare_pins

    def ask() -> str:
        pinned = wired.pins
        if pinned is None:
            raise CoffreError("the landing is not pinned yet", hint="coffre init?")
        if reasons := compare_pins(pinned, wired.landing.read_pins()):
            raise CoffreError("the landing changed: {reasons}", reasons="; ".join(reasons))
        wired.landing.repository_id()  # WrongPassword, before a night finds out
        return _("pinned, {keys} keys; its password opens it").format(keys=len(pinned.keys))

    return _try("landing", ask, _("docs/sysadmin.md says what to do"))


def _keys(wired: Wired) -> str:
    from vault.founding import CONFIRMED_FACT

    if not wired.catalogue.fact(CONFIRMED_FACT):
        raise CoffreError("nobody has read it back")
    return _("read back")


def _room(wired: Wired) -> str:
    facts = os.statvfs(wired.settings.state)
    free = facts.f_bavail * facts.f_frsize
    landing = sum(file.size_bytes for file in wired.catalogue.known_paths())
    told = _("{free} free where the state is; the landing holds {landing}")
    if free <= landing // 4:
        raise CoffreError(
            "{free} free where the state is; the landing holds {landing}",
            free=size(free),
            landing=size(landing),
            hint="a larger disk for the state, before the landing fills it",
        )
    return told.format(free=size(free), landing=size(landing))


def _doors(wired: Wired) -> Iterator[Finding]:
    """Shut and ask under the lock; a night that runs has the doors, and is left alone."""
    try:
        shut = _shut(wired)
    except LockHeld as error:
        yield Finding(name="doors", good=True, says=message_of(error))
        return
    yield from _told_doors(shut)


def _told_doors(shut: Mapping[str, ShutReport]) -> Iterator[Finding]:
    for name, report in shut.items():
        yield Finding(
            name=f"door {name}",
            good=report.is_shut,
            says=retell("; ".join((called(str(report.disconnection)), *report.evidence))),
            mend=_("pull the cable; then coffre doctor again"),
        )


def _shut(wired: Wired) -> Mapping[str, ShutReport]:
    """Recover; from the list of doors alone when the records do not let."""
    from vault.wiring.doors import shut_whatever

    try:
        with wired.locked(is_brief=True):
            return wired.airlock.recover().shut
    except (LedgerError, CatalogueError):
        with wired.state.lock():
            return shut_whatever(wired.state, "doctor")


def _strangers(wired: Wired) -> Iterator[Finding]:
    with contextlib.suppress(CatalogueError):  # told before
        enrolled = {record.name for record in wired.catalogue.targets()}
        for name in wired.settings.targets:
            if name not in enrolled:
                yield Finding(
                    name=f"target {name}",
                    good=False,
                    says=_("not enrolled yet"),
                    mend=f"coffre target enrol {name}",
                )


def _sources(wired: Wired) -> Iterator[Finding]:
    for name, source in wired.settings.sources.items():
        if source.folder is not None and source.mount is None:
            there = os.path.isdir(source.folder)
            yield Finding(
                name=f"source {name}",
                good=there,
                says=source.folder
                if there
                else _("{folder} is not there").format(folder=source.folder),
                mend=_("is the path right, and its disk mounted?"),
            )
        else:
            yield _try(f"source {name}", partial(_ready, wired, name, source), "")


def _ready(wired: Wired, name: str, source: SourceSettings) -> str:
    from vault.wiring.sources import check_source

    check_source(wired, name, source)
    if source.kind == "sftp":
        line = _("key or password and confirmed host key are here; does it answer? {command}")
        return line.format(command=f"coffre source test {name}")
    return source.kind if source.mount is None else f"{source.mount.type} {source.mount.what}"


def _hooks(wired: Wired) -> Iterator[Finding]:
    """Tell the hooks that are there: one that is refused would be told in its night only."""
    from vault.wiring.moments import hook_folder

    for moment, why in hook_folder(wired).look():
        yield _try(f"hook {moment}", partial(_would_run, why), "")


def _would_run(why: CoffreError | OSError | None) -> str:
    if why is not None:
        raise why
    return _("would run")


def _locks() -> Iterator[Finding]:
    from vault.doors.locks import locks

    for name, holds, why in locks():
        yield Finding(
            name=f"lock {name}",
            good=holds,
            says=retell(why),
            mend="" if is_root() else _("run as root"),
            is_lock=True,
        )
