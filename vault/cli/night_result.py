"""What a night came to, told: as a document, and as tables for whoever looks on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vault.cli.hooks import hook_lines, hook_members
from vault.cli.session import Session
from vault.cli.shown import colour, moment, seconds, size, table, wrapped
from vault.cli.words import _, about, called, plural, retell
from vault.results import CycleResult, SourceResult, TargetResult

if TYPE_CHECKING:
    from vault.wiring.wired import Wired

_KINDS = {
    "saved": "good",
    "unchanged": "good",
    "not-due": "dim",
    "admitted": "good",
    "nothing-new": "good",
    "sound": "good",
    "partial": "warn",
    "incomplete": "warn",
    "media-absent": "warn",
}


def result_members(result: CycleResult) -> dict[str, object]:
    """Give a night's result as the members of its document."""
    return {
        "cycle": result.cycle,
        "verdict": str(result.verdict),
        "status": str(result.status),
        "started_at": result.started_at.isoformat(),
        "ended_at": result.ended_at.isoformat(),
        "sources": [_source_members(source) for source in result.sources],
        "targets": [_target_members(target) for target in result.targets],
        "aliens": len(result.aliens),
        "reasons": list(result.reasons),
        "warnings": list(result.warnings),
        "hooks": hook_members(result.hooks),
    }


def _source_members(source: SourceResult) -> dict[str, object]:
    return {
        "name": source.name,
        "verdict": str(source.verdict),
        "files": source.files,
        "bytes": source.bytes,
        "pulled_files": source.pulled_files,
        "pulled_bytes": source.pulled_bytes,
        "snapshot_id": source.snapshot_id,
        "reasons": list(source.reasons),
    }


def _target_members(target: TargetResult) -> dict[str, object]:
    return {
        "name": target.name,
        "outcome": str(target.outcome),
        "admitted_files": target.admitted_files,
        "admitted_bytes": target.admitted_bytes,
        "read_back_bytes": target.read_back_bytes,
        "refused_files": target.refused_files,
        "exposure_s": round(target.exposure_s, 6),
        "disconnection": str(target.disconnection),
        "left_bytes": target.left_bytes,
        "nights_left": target.nights_left,
        "old_files": target.old_files,
        "old_bytes": target.old_bytes,
        "old_s": round(target.old_s, 6),
        "reasons": list(target.reasons),
    }


def show_result(session: Session, wired: Wired, result: CycleResult) -> int:
    """Tell what a night came to; give its exit code."""
    code = result.verdict.exit_code
    if session.as_json:
        return session.emit(result_members(result), code)
    zone = wired.settings.site.time_zone
    head = _("Night {cycle}, {at}").format(cycle=result.cycle, at=moment(result.started_at, zone))
    session.say()
    session.say(about(colour(head, "strong"), _word(str(result.verdict))))
    session.say()
    session.say(_source_table(result.sources))
    session.say()
    session.say(_target_table(result.targets))
    for target in result.targets:
        if target.old_files:
            line = _("{target}: {size} of earlier nights read back in {time}, sound unless told")
            told = {"size": size(target.old_bytes), "time": seconds(target.old_s)}
            session.say(wrapped(line.format(target=target.name, **told), indent=2))
    _show_reasons(session, result)
    _show_gaps(session, wired)
    if session.verbosity > 0:
        _show_evidence(session, wired)
    session.say()
    for line in _door_lines(wired, result):
        session.say(wrapped(line))
    return int(code)


def _word(name: str) -> str:
    return colour(called(name), _KINDS.get(name, "bad"))


def _source_table(sources: Sequence[SourceResult]) -> str:
    rows = [
        [
            source.name,
            called(str(source.verdict)),
            str(source.files),
            size(source.bytes),
            str(source.pulled_files),
            (source.snapshot_id or "")[:8],
        ]
        for source in sources
    ]
    heads = [_("source"), _("result"), _("files"), _("size"), _("pulled"), _("snapshot")]
    return table(heads, rows, right=(2, 3, 4))


def _target_table(targets: Sequence[TargetResult]) -> str:
    rows = [
        [
            target.name,
            called(str(target.outcome)),
            str(target.admitted_files),
            size(target.admitted_bytes),
            size(target.read_back_bytes),
            seconds(target.exposure_s),
            called(str(target.disconnection)),
        ]
        for target in targets
    ]
    heads = [
        _("target"),
        _("result"),
        _("files"),
        _("carried"),
        _("read back"),
        _("open for"),
        _("now"),
    ]
    return table(heads, rows, right=(2, 3, 4, 5))


def _show_reasons(session: Session, result: CycleResult) -> None:
    lines = [
        about(source.name, retell(reason)) for source in result.sources for reason in source.reasons
    ]
    for target in result.targets:
        lines += [about(target.name, retell(reason)) for reason in target.reasons]
        if target.left_bytes:
            lines.append(about(target.name, _left(target)))
    lines += [retell(reason) for reason in (*result.reasons, *result.warnings)]
    lines += hook_lines(result.hooks)
    if lines:
        session.say()
        session.say(_("What needs a look:"))
        for line in lines:
            session.say(wrapped(f"  ! {line}", indent=4))


def _show_evidence(session: Session, wired: Wired) -> None:
    """Say by what each door was proven shut."""
    session.say()
    for name, report in wired.airlock.proofs.items():
        told = f"{_(str(report.disconnection))}; {'; '.join(report.evidence)}"
        session.say(wrapped(about(name, told), indent=4))


def _show_gaps(session: Session, wired: Wired) -> None:
    """Say what is missing, whatever the night was like."""
    from vault.cli.standing import gap_lines
    from vault.wiring.standing import gap_members, judge_gaps

    gaps = [gap_members(gap) for gap in judge_gaps(wired) if str(gap.severity) != "info"]
    if gaps:
        session.say()
        session.say(_("What is missing:"))
        for line in gap_lines(gaps, wired.settings.site.time_zone):
            session.say(wrapped("  " + line, indent=4))


def _left(target: TargetResult) -> str:
    left = _("{size} left").format(size=size(target.left_bytes))
    if target.nights_left is None:
        return left
    nights = plural("{count} more night", "{count} more nights", target.nights_left)
    return f"{left}, {nights}"


def _door_lines(wired: Wired, result: CycleResult) -> list[str]:
    open_s = seconds(sum(target.exposure_s for target in result.targets))
    if str(result.status) == "locked":
        line = _("The vault is locked: every door is proven shut. It was open for {seconds}.")
        text = colour(line.format(seconds=open_s), "good")
    else:
        line = _("THE VAULT IS {status}: a door may be open. Pull the medium's cable, then call.")
        text = colour(line.format(status=called(str(result.status)).upper()), "bad")
    if wired.settings.production.door.kind == "none":
        return [text, _("No production door is configured: no airlock is claimed.")]
    return [text]
