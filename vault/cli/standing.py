"""``coffre status`` and ``coffre gaps``, and the public file that both are told from.

Rule 1: ``status`` reads ``state/public/status.json`` and nothing else: no database, no models.
Rule 2: the file is written after every act that changes what it says; it names no exported file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from vault.cli.notifying import send_what_waits, tell_raised, write_expected
from vault.cli.session import Session
from vault.cli.shown import colour, moment, seconds, table, wrapped
from vault.cli.words import _, about, called, complain, retell
from vault.errors import (
    CoffreError,
    DoorUnproven,
    ExitCode,
    Interrupted,
    NotInitialised,
    UsageError,
)
from vault.gap_groups import group_gaps, source_in

if TYPE_CHECKING:
    from vault.wiring.wired import Wired

STATUS_CODES = {"degraded": ExitCode.DEGRADED, "secured": ExitCode.SECURED}
_KNOWN = ("locked", "unlocked", "secured", "degraded")
_SILENCE_S = (
    50 * 3600.0
)  # as in vault.vault_gaps, whose loading would take longer than all of status
_MEMBERS = {"state", "sources", "written_at", "pid", "last_cycle", "targets", "gaps"}
_UNKNOWN = 3  # what a monitoring host reads when nothing could be asked
_SEVERITIES = {"critical": "bad", "warning": "warn", "info": "dim"}


# -- writing the public file


def publish(wired: Wired) -> None:
    """Judge alarms, sign the ledger and write the public status, after every act that adds to them.

    What a monitoring host reads goes with it, so that it knows of what came after the night too;
    until when the next one is expected hangs on the last night alone. A failure is for the next
    look, never for the night.
    """
    try:
        told = _write_public(wired)
    except Interrupted:  # it comes once, when the act has ended: what that came to stays
        told = _write_public(wired)
    if told:
        send_what_waits(wired)


def _write_public(wired: Wired) -> bool:
    """Judge, sign and write; say whether there is something to be sent."""
    from vault.wiring.alarms import keep_alarms
    from vault.wiring.heads import sign_if_sound
    from vault.wiring.standing import public_status

    try:
        sign_if_sound(wired)  # first: that it cannot be signed is a gap
        gaps, raised = keep_alarms(wired, lambda due, untold: tell_raised(wired, due, untold))
        if raised:
            sign_if_sound(wired)
        wired.state.publish(public_status(wired, gaps))
        write_expected(wired)
    except Interrupted:
        raise
    except (OSError, CoffreError) as error:
        line = _("the public status could not be written: {reason}")
        complain(f"coffre: {line.format(reason=error)}")
        return False
    return bool(raised)


# -- status


def status_command(session: Session) -> int:
    """Tell where the doors are, how the last night went, and what needs hands."""
    found = session.peek()
    status = read_public(found.state)
    name = alive_status(status)
    code = STATUS_CODES.get(name, ExitCode.SOUND)
    if session.as_json:
        members = {key: value for key, value in status.items() if key not in ("pid", "gaps")}
        return session.emit({**members, "status": name}, code)
    for line in status_lines(status, found.time_zone):
        session.say(line)
    return int(code)


def status_lines(status: Mapping[str, Any], zone: str) -> list[str]:
    """Give what a person reads of the status, line by line."""
    told = [status_line(alive_status(status)), _last_line(status, zone)]
    if targets := status.get("targets"):
        told += ["", *_targets(targets, zone).split("\n")]
        for line in media_lines(status, zone):
            told += wrapped(line, indent=2).split("\n")
    hands = [gap for gap in status.get("gaps", []) if gap["severity"] != "info"]
    if hands:
        told += ["", _("What needs hands:")]
        for line in gap_lines(hands, zone):
            told += wrapped("  " + line, indent=4).split("\n")
    return told


def read_public(state: str) -> dict[str, Any]:
    """Read the public status; one that cannot be read counts as a door that may be open."""
    path = os.path.join(state, "public", "status.json")
    try:
        with open(path, "rb") as file:
            status = json.load(file)
    except FileNotFoundError:
        raise NotInitialised(
            "there is no vault in {state} yet", state=state, hint="coffre init?"
        ) from None
    except PermissionError:
        raise NotInitialised(
            "{path} may not be read by this account",
            path=path,
            hint="is it a member of the vault's state_group?",
        ) from None
    except ValueError:
        status = None
    if (
        not isinstance(status, dict)
        or status.get("status") not in _KNOWN
        or not status.keys() >= _MEMBERS
    ):
        raise DoorUnproven(  # no answer counts as open
            "a door could not be proven shut: nothing runs",
            hint="what does coffre doctor say of the doors?",
        )
    _tell_silence(status)
    return status


def _tell_silence(status: dict[str, Any]) -> None:
    """Add that no night has run: where nothing runs, nobody writes it into the file."""
    last, gaps = status.get("last_cycle"), status.setdefault("gaps", [])
    since = last["ended_at"] if last else status["written_at"]
    silent_s = (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds()
    if silent_s <= _SILENCE_S or any(gap["kind"] == "no-night" for gap in gaps):
        return
    told = {"template": "no night has run", "message": "no night has run"}
    mend = "is the timer on? coffre run tells what holds it"
    told |= {"mend_template": mend, "mend": mend, "since": since}
    nothing: dict[str, Any] = {"source": None, "target": None, "owner": None, "values": {}}
    nothing |= {"alarm": None, "acknowledged": None, "over_since": None}
    gaps.insert(0, {"kind": "no-night", "severity": "critical", **nothing, **told})


def alive_status(status: Mapping[str, Any]) -> str:
    """Give the status; a vault left open by a process that is gone is not proven shut."""
    name = str(status["status"])
    pid = status.get("pid")
    may_be_open = name == "unlocked" or status.get("state") in ("pulling", "leaving")
    if may_be_open and pid and not os.path.exists(f"/proc/{pid}"):
        return "degraded"
    return name


def status_line(name: str) -> str:
    """Give the one line that says where the air gap is."""
    lines = {
        "locked": (_("LOCKED: every vault door is proven shut."), "good"),
        "unlocked": (_("UNLOCKED: a vault door is open, under a deadline."), "warn"),
        "secured": (_("SECURED: the red button is pressed; nothing opens."), "bad"),
        "degraded": (_("DEGRADED: a door could not be proven shut. Pull the cable."), "bad"),
    }
    text, kind = lines[name]
    return colour(text, kind)


def _last_line(status: Mapping[str, Any], zone: str) -> str:
    last = status.get("last_cycle")
    if not last:
        return _("No night has run yet.")
    line = _("Last night: {cycle}, {at}: {verdict}.")
    at = moment(datetime.fromisoformat(last["ended_at"]), zone)
    return line.format(cycle=last["cycle"], at=at, verdict=called(last["verdict"]))


def _targets(targets: Sequence[Mapping[str, Any]], zone: str) -> str:
    rows = []
    for target in targets:
        opened = target.get("last_opened")
        open_s = target.get("last_exposure_s")
        rows.append(
            [
                target["name"],
                called(target["disconnection"]),
                str(target.get("last_cycle") or "-"),
                moment(datetime.fromisoformat(opened), zone) if opened else "-",
                seconds(open_s) if open_s is not None else "-",
            ]
        )
    heads = [_("target"), _("now"), _("holds night"), _("last seen"), _("open for")]
    return table(heads, rows, right=(2, 4))


def media_lines(status: Mapping[str, Any], zone: str) -> list[str]:
    """Say which media of sets the next night wants, and which copy is out of reach then."""
    due = [one for one in status.get("due", ()) if one["set"]]
    lines = [_due_line(one, zone) for one in due]
    copy = (status.get("shield") or {}).get("youngest")
    if copy is not None:
        line = _("Out of reach in the next night: {target}, written {at}.")
        at = moment(datetime.fromisoformat(copy["written_at"]), zone)
        lines.append(line.format(target=copy["target"], at=at))
    return lines


def _due_line(one: Mapping[str, Any], zone: str) -> str:
    home = f" ({one['home']})" if one["home"] else ""
    if one["bring_by"] is None:
        return _("{set}: {target} is expected{home}.").format(
            set=one["set"], target=one["target"], home=home
        )
    line = _("{set}: {target} is expected by {at}{home}.")
    at = moment(datetime.fromisoformat(one["bring_by"]), zone)
    return line.format(set=one["set"], target=one["target"], at=at, home=home)


# -- gaps


def gaps_command(
    session: Session, *, nagios: bool, source: str | None = None, since: str | None = None
) -> int:
    """List what is missing, the worst first; for a monitoring host, unknown is 3."""
    try:
        return _gaps(session, nagios=nagios, source=source, since=since)
    except CoffreError as error:
        if not nagios:
            raise
        session.fail(error)
        return _UNKNOWN
    except (OSError, KeyError, TypeError, ValueError) as error:  # a status that is none of ours
        if not nagios or isinstance(error, BrokenPipeError):
            raise
        session.fail(CoffreError("the public status cannot be read: {reason}", reason=repr(error)))
        return _UNKNOWN


def _gaps(session: Session, *, nagios: bool, source: str | None, since: str | None) -> int:
    found = session.peek()
    status = read_public(found.state)
    gaps = _current_gaps(session, status)
    if source is not None:
        _require_known(source, status)
        gaps = [gap for gap in gaps if gap["source"] == source]
    if since is not None:
        day = _first_instant(since, found.time_zone)
        gaps = [gap for gap in gaps if (at := _began_at(gap)) is None or at >= day]
    if nagios:
        return _nagios(session, gaps, found.time_zone, as_of=status["written_at"])
    if session.as_json:
        return session.emit({"gaps": gaps, "as_of": status["written_at"]})
    if not gaps:
        session.say(colour(_("Nothing is missing."), "good"))
    for group in group_gaps(gaps):
        session.say(wrapped(gap_line(group, found.time_zone), indent=2))
        session.say(wrapped("    → " + _mend(group), indent=6))
    return 0


def _first_instant(day: str, zone: str) -> datetime:
    """Give the midnight on the site's clock with which a day begins; UsageError."""
    try:
        return datetime.combine(date.fromisoformat(day), time(), ZoneInfo(zone))
    except ValueError:
        raise UsageError(
            "{option} takes a day like 2026-03-31, not {word}", option="--since", word=day
        ) from None


def _began_at(gap: Mapping[str, Any]) -> datetime | None:
    """Give when a gap began; None when nobody can say."""
    return datetime.fromisoformat(gap["since"]) if gap["since"] else None


def _require_known(source: str, status: Mapping[str, Any]) -> None:
    known = status.get("sources", [])
    if source not in known:
        raise UsageError(
            "vault.yaml names no {kind} {name}",
            kind="source",
            name=source,
            hint="there is: {known}",
            known=", ".join(known) or "none",
        )


def _current_gaps(session: Session, status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Judge anew when this account may; else give what was judged last."""
    from vault.cli.session import is_root

    if is_root():
        from vault.wiring.standing import gap_members, judge_gaps

        return [gap_members(gap) for gap in judge_gaps(session.wired())]
    found = status.get("gaps", [])
    assert isinstance(found, list)
    return found


def _nagios(session: Session, gaps: Sequence[Mapping[str, Any]], zone: str, *, as_of: str) -> int:
    from vault.gap import loudness, nagios_code

    gaps = sorted(gaps, key=lambda gap: bool(gap.get("acknowledged")))
    loud = [loudness(g["severity"], is_acknowledged=bool(g.get("acknowledged"))) for g in gaps]
    code = nagios_code(loud)
    word = ("OK", "WARNING", "CRITICAL")[code]
    counts = {kind: loud.count(kind) for kind in _SEVERITIES}
    if session.as_json:
        return session.emit({"gaps": list(gaps), "as_of": as_of}, code)
    perf = " ".join(f"{kind}={count}" for kind, count in counts.items())
    first = _plain_line(gaps[0], zone) if gaps else _("Nothing is missing.")
    session.say(f"COFFRE {word} - {first} | {perf}")
    return code


def gap_lines(gaps: Sequence[Mapping[str, Any]], zone: str) -> list[str]:
    """Give a line for each gap; sources with the same gap share one."""
    return [gap_line(group, zone) for group in group_gaps(gaps)]


def gap_line(gap: Mapping[str, Any], zone: str) -> str:
    """Give a gap in one line, its instant on the site's clock."""
    mark = colour("■", _SEVERITIES[gap["severity"]])
    return f"{mark} {_plain_line(gap, zone)}"


def _plain_line(gap: Mapping[str, Any], zone: str) -> str:
    text = _(gap["template"]).format(**_values(gap))
    if since := gap["since"]:
        text += " " + _("(since {at})").format(at=moment(datetime.fromisoformat(since), zone))
    if owner := gap.get("owner"):
        text += " " + _("(to be told to: {owner})").format(owner=called(owner))
    text += _alarm_told(gap, zone)
    what = gap["source"] or gap["target"]
    return about(what, text) if what else text


def _alarm_told(gap: Mapping[str, Any], zone: str) -> str:
    """Say who acknowledged an alarm, or since when what raised it is over."""
    if word := gap.get("acknowledged"):
        line = _("(acknowledged by {by} on {at}: {reason})")
        at = moment(datetime.fromisoformat(word["at"]), zone)
        return " " + line.format(by=word["by"], at=at, reason=word["reason"])
    if over := gap.get("over_since"):
        line = _("(over since {at}; nobody has acknowledged it)")
        return " " + line.format(at=moment(datetime.fromisoformat(over), zone))
    return ""


def _mend(gap: Mapping[str, Any]) -> str:
    template = _(gap["mend_template"])
    return template.format(**{**_values(gap), "source": source_in(template, gap["source"])})


def _values(gap: Mapping[str, Any]) -> dict[str, Any]:
    values = {
        key: retell(called(v)) if isinstance(v, str) else v for key, v in gap["values"].items()
    }
    return {"source": gap["source"], "target": gap["target"], **values}
