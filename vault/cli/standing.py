"""``coffre status`` and ``coffre gaps``, and the public file that both are told from.

Rule 1: ``status`` reads ``state/public/status.json`` and nothing else: no database, no models.
Rule 2: the file is written after every act that changes what it says; it names no exported file.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vault.cli.session import Session
from vault.cli.shown import colour, moment, seconds, table, wrapped
from vault.cli.words import _, called, speak
from vault.errors import CoffreError, DoorUnproven, ExitCode, NotInitialised, UsageError

if TYPE_CHECKING:
    from vault.wiring.wired import Wired

_STATUS_CODES = {"degraded": ExitCode.DEGRADED, "secured": ExitCode.SECURED}
_KNOWN = ("locked", "unlocked", "secured", "degraded")
_SILENCE_S = 50 * 3600.0  # as in vault.gap, whose loading would take longer than all of status
_UNKNOWN = 3  # what a monitoring host reads when nothing could be asked
_SEVERITIES = {"critical": "bad", "warning": "warn", "info": "dim"}


# -- writing the public file


def publish(wired: Wired) -> None:
    """Write the public status; a failure is for the next look, never for the night."""
    from vault.wiring.standing import public_status

    try:
        wired.state.publish(public_status(wired))
    except (OSError, CoffreError) as error:
        line = _("the public status could not be written: {reason}")
        print(f"coffre: {line.format(reason=error)}", file=sys.stderr)  # noqa: T201


# -- status


def status_command(session: Session) -> int:
    """Tell where the doors are, how the last night went, and what needs hands."""
    from vault.config import peek

    found = peek(session.config)
    if session.language is None:
        speak(found.language)
    status = _read_public(found.state)
    name = _alive_status(status)
    code = _STATUS_CODES.get(name, ExitCode.SOUND)
    if session.as_json:
        members = {key: value for key, value in status.items() if key not in ("pid", "gaps")}
        return session.emit({**members, "status": name}, code)
    session.say(_status_line(name))
    session.say(_last_line(status, found.time_zone))
    if targets := status.get("targets"):
        session.say()
        session.say(_targets(targets, found.time_zone))
    hands = [gap for gap in status.get("gaps", []) if gap["severity"] != "info"]
    if hands:
        session.say()
        session.say(_("What needs hands:"))
        for line in gap_lines(hands, found.time_zone):
            session.say(wrapped("  " + line, indent=4))
    return int(code)


def _read_public(state: str) -> dict[str, Any]:
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
    if not isinstance(status, dict) or status.get("status") not in _KNOWN:
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
    nothing: dict[str, Any] = {"source": None, "target": None, "values": {}}
    gaps.insert(0, {"kind": "no-night", "severity": "critical", **nothing, **told})


def _alive_status(status: Mapping[str, Any]) -> str:
    """Give the status; a vault left open by a process that is gone is not proven shut."""
    name = str(status["status"])
    pid = status.get("pid")
    may_be_open = name == "unlocked" or status.get("state") in ("pulling", "leaving")
    if may_be_open and pid and not os.path.exists(f"/proc/{pid}"):
        return "degraded"
    return name


def _status_line(name: str) -> str:
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


# -- gaps


def gaps_command(session: Session, *, nagios: bool, source: str | None) -> int:
    """List what is missing, the worst first; for a monitoring host, unknown is 3."""
    try:
        return _gaps(session, nagios=nagios, source=source)
    except CoffreError as error:
        if not nagios:
            raise
        session.fail(error)
        return _UNKNOWN


def _gaps(session: Session, *, nagios: bool, source: str | None) -> int:
    from vault.config import peek

    found = peek(session.config)
    if session.language is None:
        speak(found.language)
    status = _read_public(found.state)
    gaps = _current_gaps(session, status)
    if source is not None:
        _require_known(source, status)
        gaps = [gap for gap in gaps if gap["source"] == source]
    if nagios:
        return _nagios(session, gaps, found.time_zone, as_of=status["written_at"])
    if session.as_json:
        return session.emit({"gaps": gaps, "as_of": status["written_at"]})
    if not gaps:
        session.say(colour(_("Nothing is missing."), "good"))
    for group in _grouped(gaps):
        session.say(wrapped(gap_line(group, found.time_zone), indent=2))
        session.say(wrapped("    → " + _mend(group), indent=6))
    return 0


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
    from vault.gap import nagios_code

    code = nagios_code({gap["severity"] for gap in gaps})
    word = ("OK", "WARNING", "CRITICAL")[code]
    counts = {kind: sum(gap["severity"] == kind for gap in gaps) for kind in _SEVERITIES}
    if session.as_json:
        return session.emit({"gaps": list(gaps), "as_of": as_of}, code)
    perf = " ".join(f"{kind}={count}" for kind, count in counts.items())
    first = _plain_line(gaps[0], zone) if gaps else _("Nothing is missing.")
    session.say(f"COFFRE {word} - {first} | {perf}")
    return code


def gap_lines(gaps: Sequence[Mapping[str, Any]], zone: str) -> list[str]:
    """Give a line for each gap; sources with the same gap share one."""
    return [gap_line(group, zone) for group in _grouped(gaps)]


def _grouped(gaps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for gap in gaps:
        key = json.dumps([gap["kind"], gap["values"], gap["since"], gap["target"]], sort_keys=True)
        if key in groups and gap["source"]:
            groups[key]["source"] += f", {gap['source']}"
        else:
            groups[key] = dict(gap)
    return list(groups.values())


def gap_line(gap: Mapping[str, Any], zone: str) -> str:
    """Give a gap in one line, its instant on the site's clock."""
    mark = colour("■", _SEVERITIES[gap["severity"]])
    return f"{mark} {_plain_line(gap, zone)}"


def _plain_line(gap: Mapping[str, Any], zone: str) -> str:
    text = _(gap["template"]).format(**_values(gap))
    if since := gap["since"]:
        text += " " + _("(since {at})").format(at=moment(datetime.fromisoformat(since), zone))
    what = gap["source"] or gap["target"]
    return _("{what}: {text}").format(what=what, text=text) if what else text


def _mend(gap: Mapping[str, Any]) -> str:
    return _(gap["mend_template"]).format(**_values(gap))


def _values(gap: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: called(v) if isinstance(v, str) else v for key, v in gap["values"].items()}
    return {"source": gap["source"], "target": gap["target"], **values}
