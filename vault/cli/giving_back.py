"""``coffre ls`` and ``coffre restore``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from vault.cli.hooks import tell_hooks
from vault.cli.media import login_of_caller
from vault.cli.progress import make_progress
from vault.cli.session import Session
from vault.cli.shown import colour, moment, seconds, size, table, wrapped
from vault.cli.standing import publish
from vault.cli.words import _, about, called, plural, retell
from vault.errors import DestinationNotEmpty, ExitCode, UsageError
from vault.names import printable, to_json

if TYPE_CHECKING:
    from vault.recovery import Restored
    from vault.wiring.wired import Wired

_SHOWN = 20


def ls_command(
    session: Session, source: str, *, at: str | None, cycle: int | None, all_points: bool
) -> int:
    """List the files of a source at its newest point, or its points."""
    from vault.recovery import Wish

    wired = session.wired()
    wired.require_founded()
    require_source(wired, source)
    wish = Wish(source=source, to=b"", at=_parse_at(wired, at), cycle=cycle)
    candidates = wired.restorer.candidates(wish)
    zone = wired.settings.time_zone
    if all_points:
        points = [
            {
                "cycle": point.cycle,
                "taken_at": point.taken_at.isoformat(),
                "snapshot_id": point.snapshot_id,
                "files": point.files,
                "bytes": point.bytes,
                "forgotten_at": point.forgotten_at.isoformat() if point.forgotten_at else None,
            }
            for point in candidates
        ]
        rows = [
            [
                str(p.cycle),
                moment(p.taken_at, zone),
                str(p.files),
                size(p.bytes),
                p.snapshot_id[:8],
                _("media only") if p.forgotten_at else "",
            ]
            for p in candidates
        ]
        heads = [_("night"), _("taken"), _("files"), _("size"), _("snapshot"), ""]
        if not any(point.forgotten_at for point in candidates):
            heads, rows = heads[:-1], [row[:-1] for row in rows]
        session.say(table(heads, rows, right=(0, 2, 3)))
        return session.emit({"source": source, "points": points})
    newest = candidates[0]
    entries = wired.restorer.entries(newest, ())
    rows = [
        [
            size(entry.size_bytes),
            moment(datetime.fromtimestamp(entry.mtime_ns / 1e9, UTC), zone),
            printable(entry.path),
        ]
        for entry in entries
    ]
    if not session.as_json:
        line = _("{source} as of night {cycle}, {at}")
        at_text = moment(newest.taken_at, zone)
        session.whisper(line.format(source=source, cycle=newest.cycle, at=at_text))
        session.say(table([_("size"), _("changed"), _("name")], rows, right=(0,), whole=(2,)))
    files = [
        {**to_json(e.path), "size": e.size_bytes, "mtime_ns": e.mtime_ns, "sha256": e.sha256}
        for e in entries
    ]
    return session.emit({"source": source, "cycle": newest.cycle, "files": files})


def restore_command(
    session: Session,
    source: str,
    paths: Sequence[str],
    *,
    to: str,
    at: str | None,
    cycle: int | None,
    origin: str,
) -> int:
    """Restore into an empty folder and compare every byte with the manifest."""
    from vault.recovery import Wish

    with make_progress(quiet=session.is_quiet) as progress:
        wired = session.wired(progress)
        wired.require_founded()
        require_source(wired, source)
        wish = Wish(
            source=source,
            to=os.fsencode(os.path.abspath(to)),
            paths=tuple(os.fsencode(path) for path in paths),
            at=_parse_at(wired, at),
            cycle=cycle,
            origin=origin,
            login=login_of_caller(),
        )
        _refuse_own_places(wired, wish.to)
        with wired.locked():
            wired.airlock.recover()
            try:
                restored = wired.restorer.restore(wish)
            finally:
                publish(wired)
                tell_hooks(session, wired)
    return _show(session, wired, restored)


def _refuse_own_places(wired: Wired, to: bytes) -> None:
    """Refuse to restore into the vault's state, an export or a target: it would become theirs."""
    settings = wired.settings
    places: list[str | None] = [settings.state]
    places += [source.folder for source in settings.sources.values() if source.mount is None]
    places += [target.door.folder for target in settings.targets.values()]
    real = os.path.realpath(os.fsdecode(to))
    for place in (os.path.realpath(place) for place in places if place is not None):
        if os.path.commonpath((real, place)) == place:
            raise DestinationNotEmpty(
                "{folder} already holds something",
                folder=place,
                hint="is there an empty folder to restore into?",
            )


def _show(session: Session, wired: Wired, restored: Restored) -> int:
    code = ExitCode.CORRUPT if restored.mismatches else ExitCode.SOUND
    policy = wired.settings.loaded_policies.get(
        wired.settings.sources[restored.source].policy
        if restored.source in wired.settings.sources
        else ""
    )
    if session.as_json:
        return session.emit(
            {
                "source": restored.source,
                "cycle": restored.snapshot.cycle,
                "snapshot_id": restored.snapshot.snapshot_id,
                "from": restored.origin,
                "files": restored.files,
                "bytes": restored.bytes,
                "mismatches": [
                    {**to_json(item.name), "reason": item.reason} for item in restored.mismatches
                ],
                "duration_s": restored.duration_s,
                "exposure_s": restored.exposure.seconds if restored.exposure else 0.0,
                "dmia_s": policy.dmia_s if policy else None,
            },
            code,
        )
    line = _("{source}, night {cycle}: {files}, {size}, restored in {seconds} from {origin}.")
    told = line.format(
        source=restored.source,
        cycle=restored.snapshot.cycle,
        files=plural("{count} file", "{count} files", restored.files),
        size=size(restored.bytes),
        seconds=seconds(restored.duration_s),
        origin=called(restored.origin),
    )
    session.say(wrapped(told, indent=2))
    if policy is not None:
        within = restored.duration_s <= policy.dmia_s
        text = _("Within its DMIA of {time}.") if within else _("LONGER than its DMIA of {time}.")
        session.say(colour(text.format(time=seconds(policy.dmia_s)), "good" if within else "bad"))
    if not restored.mismatches:
        session.say(colour(_("Every byte equals the manifest taken at the source."), "good"))
    for item in restored.mismatches[:_SHOWN]:
        session.say(colour(f"  ≠ {about(printable(item.name), retell(item.reason))}", "bad"))
    return int(code)


def require_source(wired: Wired, source: str) -> None:
    """Refuse a source that neither the configuration nor any point knows."""
    known = [*wired.settings.sources, "coffre"]
    seen = {snapshot.source for snapshot in wired.catalogue.snapshots(None)}
    if source not in known and source not in seen:
        raise UsageError(
            "there is no source {source}",
            source=source,
            hint="there is: {known}",
            known=", ".join(known),
        )


def _parse_at(wired: Wired, text: str | None) -> datetime | None:
    """Read a date or a time on the site's clock; a date means its end."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            "{text} is not a date", text=text, hint="as 2026-11-22 or 2026-11-22T04:00?"
        ) from None
    if len(text) == len("2026-11-22"):
        at = datetime.combine(at.date(), time.max)
    return at if at.tzinfo else at.replace(tzinfo=wired.settings.time_zone)
