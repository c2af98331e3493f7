"""Who is told of what: notices written into the spool, and sent where the doors allow it.

    keep_alarms  ->  spool_alarms     at once, before the alarm is kept
    a night      ->  spool_night      one digest to each recipient
    in between   ->  spool_look       what must be mended now and no digest has named
    either       ->  spool_escalation what nobody acknowledged
    the end      ->  send_waiting     what failed least first, to each until one fails

Rule 1: nothing is sent while a door moves. Where the doors are not all proven shut, after a run
    that died or in a degraded vault, only what is urgent leaves: it is the loudest alarm there is.
Rule 2: a failure to tell is a warning, and never changes what an act came to.
Rule 3: an address is read when something is sent to it, and kept nowhere.
Rule 4: each recipient's notice is written on its own: one that cannot be keeps nobody else untold,
    and has nobody told again.
Source: ``docs/decisions/0027-notices-leave-between-doors.md``.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vault.alarm import URGENT, Alarm, Untold, tell_alarms, to_escalate
from vault.errors import CoffreError, Interrupted
from vault.notices.sending import LONGEST_START_S, send
from vault.notices.spool import Notice, Spool
from vault.report.notice import Writer
from vault.report.teller import Teller
from vault.state import State
from vault.vault_lock import BRIEF_S
from vault.wiring.alarms import note_escalated
from vault.wiring.standing import gap_members

if TYPE_CHECKING:
    from vault.config import Settings
    from vault.config.fields import SecretRef
    from vault.config.telling import Recipient
    from vault.secret import Secret
    from vault.statefile import StateFolder
    from vault.wiring.wired import Wired

FOLDER = "notices"
TOLD_FACT = "digest-told."  # and the recipient: which gaps the last digest named
_MOST_AT_ONCE = 20
_SHUT = (State.LOCKED, State.SECURED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came of an attempt to send what waits."""

    sent: int
    waiting: int
    warnings: tuple[str, ...] = ()


def spool_of(settings: Settings) -> Spool:
    """Give the spool of a vault; it needs no catalogue."""
    return Spool(f"{settings.state}/{FOLDER}")


# -- writing


def spool_alarms(
    wired: Wired, raised: Sequence[Alarm], untold: Untold = MappingProxyType({})
) -> tuple[Untold, tuple[Exception, ...]]:
    """Write at once of the alarms that cannot wait; it sends nothing yet.

    Of one that ``untold`` names, to those alone who have not been told of it. Gives who could not
    be written to, by alarm, and why not.
    """
    urgent = [alarm for alarm in raised if alarm.gap.kind in URGENT]
    left: dict[str, list[str]] = {}

    def write(name: str, writer: Writer) -> None:
        due = [one for one in urgent if one.name not in untold or name in untold[one.name]]
        gaps = [gap_members(gap) for gap in tell_alarms(due, [alarm.gap for alarm in due])]
        if own := [gap for gap in gaps if writer.concerns(gap)]:
            try:
                _add(wired, name, writer.alarm(own), is_urgent=True)
            except (OSError, CoffreError):
                for alarm in due:
                    left.setdefault(alarm.name, []).append(name)
                raise

    failed = _to_each(wired.settings, write)
    return left, failed


def spool_night(wired: Wired, status: Mapping[str, Any], verdict: str) -> tuple[Exception, ...]:
    """Write the digest of a night to each recipient who is to have one; give what failed."""
    notices = wired.settings.notices

    def write(name: str, writer: Writer) -> None:
        gaps = [gap for gap in status["gaps"] if writer.concerns(gap)]
        named = json.dumps(sorted({_name(gap) for gap in gaps} | ({verdict} - {"sound"})))
        is_new = wired.catalogue.fact(TOLD_FACT + name) != named
        is_quiet = not gaps and (verdict == "sound" or writer.owner is not None)
        by_digest = {"nightly": True, "changed": is_new, "never": False}[notices.digest]
        if notices.success if is_quiet else by_digest:
            _add(wired, name, writer.digest(status, verdict))
        if is_new:  # only once it stands in the spool
            wired.catalogue.set_fact(TOLD_FACT + name, named)

    return _to_each(wired.settings, write)


def spool_look(wired: Wired, status: Mapping[str, Any]) -> tuple[Exception, ...]:
    """Write between nights of what must be mended now and no digest has named: nights may not run.

    What is told at once is told at once, and not here. Gives what failed.
    """
    if wired.settings.notices.digest == "never" or not status["last_cycle"]:
        return ()

    def write(name: str, writer: Writer) -> None:
        told = set(json.loads(wired.catalogue.fact(TOLD_FACT + name) or "[]"))
        new = {
            _name(gap)
            for gap in status["gaps"]
            if writer.concerns(gap) and _is_for_a_look(gap) and _name(gap) not in told
        }
        if new:
            _add(wired, name, writer.digest(status, status["last_cycle"]["verdict"]))
            wired.catalogue.set_fact(TOLD_FACT + name, json.dumps(sorted(told | new)))

    return _to_each(wired.settings, write)


def _to_each(settings: Settings, write: Callable[[str, Writer], None]) -> tuple[Exception, ...]:
    """Write to each recipient, whatever came of the others; give what failed."""
    failed: list[Exception] = []
    for name, recipient in settings.notices.to.items():
        try:
            write(name, _writer(settings, recipient))
        except Interrupted:
            raise
        except (OSError, CoffreError) as error:
            failed.append(error)
    return tuple(failed)


def _is_for_a_look(gap: Mapping[str, Any]) -> bool:
    is_grave = gap["severity"] == "critical" and not gap["acknowledged"]
    return is_grave and gap["kind"] not in URGENT


def spool_escalation(wired: Wired) -> None:
    """Write to whoever is told when an alarm goes unacknowledged, once for each alarm."""
    settings, now = wired.settings.notices, wired.clock.now()
    if settings.escalate_to is None:
        return
    late = to_escalate(wired.catalogue.alarms(), after_s=settings.escalate_after, now=now)
    if not late:
        return
    there = [alarm.gap for alarm in late if alarm.over_at is None]
    gaps = [gap_members(gap) for gap in tell_alarms(late, there)]
    writer = _writer(wired.settings, settings.to[settings.escalate_to], is_all=True)
    text = writer.escalation(gaps, writer.t.seconds(settings.escalate_after))
    _add(wired, settings.escalate_to, text, is_urgent=True)
    note_escalated(wired, late, now)


def spool_unit(settings: Settings, unit: str, at: str) -> tuple[Exception, ...]:
    """Write that a unit failed, to whoever answers for the vault; give what failed of that.

    It needs no record of ours.
    """

    def write(name: str, writer: Writer) -> None:
        if writer.owner is None:
            _spool(settings, name, writer.unit(unit), at=at, is_urgent=True, about=f"unit {unit}")

    return _to_each(settings, write)


def spool_test(settings: Settings, at: str) -> tuple[Exception, ...]:
    """Write a trial to each recipient; give what failed."""

    def write(name: str, writer: Writer) -> None:
        _spool(settings, name, writer.trial(), at=at, is_urgent=True, about="trial")

    return _to_each(settings, write)


def _writer(settings: Settings, recipient: Recipient, *, is_all: bool = False) -> Writer:
    language = recipient.language or settings.site.language
    teller = Teller(language, settings.site.time_zone)
    return Writer(teller, settings.site.name, None if is_all else recipient.owner)


def _name(gap: Mapping[str, Any]) -> str:
    """Tell one gap from another, whatever is counted in it."""
    about = (gap["kind"], gap["source"], gap["target"], gap["values"].get("periods"))
    return " ".join(str(part or "-") for part in (*about, bool(gap["acknowledged"])))


def _add(wired: Wired, name: str, text: tuple[str, str], *, is_urgent: bool = False) -> None:
    _spool(wired.settings, name, text, at=wired.clock.now().isoformat(), is_urgent=is_urgent)


def _spool(
    settings: Settings,
    name: str,
    text: tuple[str, str],
    *,
    at: str,
    is_urgent: bool,
    about: str = "",
) -> None:
    subject, body = text
    spool_of(settings).add(
        Notice(to=name, subject=subject, body=body, at=at, is_urgent=is_urgent, about=about)
    )


def note_unsent(wired: Wired) -> None:
    """Write into the ledger how many notices went unsent: nobody else will ever know."""
    spool = spool_of(wired.settings)
    if count := spool.unsent():
        wired.ledger.append("notices-dropped", count=count)
        spool.settle(count)


# -- sending


def send_waiting(
    settings: Settings, state: StateFolder, read: ReadSecret, *, most: int = _MOST_AT_ONCE
) -> Sent:
    """Send what waits; the caller holds the vault's lock, so that no door opens meanwhile.

    What failed least comes first, so that a notice which nobody takes holds up no other; whoever
    takes one no more costs one attempt. ``most`` attempts are made, in no more time than what is
    brief may take. ``read`` reads a recipient's address.
    """
    spool = spool_of(settings)
    waiting = spool.waiting()
    record = state.load()
    is_shut = record is None or record.state in _SHUT
    chosen = [found for found in waiting if is_shut or found[1].is_urgent]
    chosen.sort(key=lambda found: (found[1].attempts, not found[1].is_urgent))
    sent, failed, strangers = 0, dict[str, str](), Counter[str]()
    last_begun_s = time.monotonic() + BRIEF_S - LONGEST_START_S - settings.notices.timeout
    unknown = [found for found in waiting if found[1].to not in settings.notices.to]
    strangers.update(notice.to for _name, notice in unknown)
    for name, notice in chosen:
        if notice.to in failed or notice.to in strangers:
            continue
        tried = sent + len(failed)
        if tried >= most or (tried and time.monotonic() > last_begun_s):
            break
        why = _send(settings, notice, read)
        if why:
            failed[notice.to] = why
            spool.note_failed(name, notice)
        else:
            spool.drop(name)
            sent += 1
    for name, _notice in unknown:  # last: a full disk takes no count of them, and sends the others
        spool.drop_unsent(name)
    return Sent(
        sent=sent,
        waiting=len(spool.waiting()),
        warnings=tuple(_warnings(failed, strangers, spool.unreadable())),
    )


ReadSecret = Callable[["SecretRef", str], "Secret"]


def _send(settings: Settings, notice: Notice, read: ReadSecret) -> str:
    try:
        address: Secret = read(settings.notices.to[notice.to].url, f"notices.{notice.to}")
        return send(address, notice, timeout_s=settings.notices.timeout)
    except Interrupted:
        raise
    except (CoffreError, OSError) as error:
        return str(error)


def _warnings(
    failed: Mapping[str, str], strangers: Mapping[str, int], unreadable: int
) -> Iterable[str]:
    for name, why in failed.items():
        yield f"the notice to {name} waits: {why}"
    for name, count in strangers.items():
        yield f"notices that went unsent, since vault.yaml names no {name} any more: {count}"
    if unreadable:
        yield f"files in the spool of notices that are none, to be looked at: {unreadable}"
