"""``coffre drill``: run a restore test, list them, show one.

Rule 1: files that differ are named to who ran the test, once, on the screen; no record has them.
Rule 2: whoever did not name a seed gets a new one; it is recorded either way.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from vault.cli.giving_back import require_source
from vault.cli.hooks import publish_all, tell_hooks
from vault.cli.media import login_of_caller
from vault.cli.progress import make_progress
from vault.cli.session import Session
from vault.cli.shown import colour, moment, number, seconds, table, wrapped
from vault.cli.words import _, about, called, plural, retell
from vault.errors import ExitCode, UsageError
from vault.names import printable, to_json
from vault.policy import Level

if TYPE_CHECKING:
    from vault.fiche import Drilled, DrillOrder, DrillRecord, People, Signature
    from vault.proof import Check
    from vault.wiring.wired import Wired

_SHOWN = 20
_SEED = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_COLOURS = {"passed": "good", "warned": "warn", "failed": "bad", "skipped": "dim"}


def run_command(
    session: Session,
    *,
    source: str | None,
    level: str,
    origin: str,
    sample: str | None,
    seed: str | None,
    people: tuple[str, str, str],
) -> int:
    """Test one restore; exit 4 when something restored differs."""
    from vault.fiche import DrillOrder

    asked = _parse_level(level)
    with make_progress(quiet=session.is_quiet) as progress:
        wired = session.wired(progress)
        wired.require_founded()
        if source is not None:
            require_source(wired, source)

        def order() -> DrillOrder:
            return DrillOrder(
                source=source or _oldest_proof(wired, asked),
                level=asked,
                origin=origin,
                seed=_parse_seed(seed),
                sample=_parse_sample(sample),
                people=_people(people),
            )

        drilled = _run(wired, order)
        tell_hooks(session, wired)
    return _tell(session, wired, drilled)


def _run(wired: Wired, order: Callable[[], DrillOrder]) -> Drilled:
    from vault.wiring.drills import make_driller

    with wired.locked():
        wired.airlock.recover()
        try:
            return make_driller(wired).run(order())
        finally:
            publish_all(wired)


def _oldest_proof(wired: Wired, level: Level) -> str:
    """Choose the source whose proof at a level is the oldest; never comes first."""
    never = datetime.fromtimestamp(0, UTC)

    def key(name: str) -> datetime:
        reached = wired.catalogue.reached(name)
        return max((at for n, at in reached.items() if n >= level), default=never)

    with_points = {point.source for point in wired.catalogue.snapshots(None)}
    names = [name for name in wired.settings.sources if name in with_points]
    if not names:
        raise UsageError("no source has a point yet", hint="has a night run? coffre run")
    return min(names, key=key)


def _parse_level(text: str) -> Level:
    try:
        level = Level(text.upper())
    except ValueError:
        level = Level.L4
    if level is Level.L4:
        raise UsageError(
            "{text} is no level that a machine can test",
            text=text,
            hint="L0, L1, L2 or L3; a business referent gives L4: coffre drill sign",
        )
    return level


def _parse_seed(text: str | None) -> str:
    if text is None:
        return secrets.token_hex(8)
    if not _SEED.fullmatch(text):
        raise UsageError(
            "a seed is up to 64 letters, digits, points, dashes; {text} is not", text=text
        )
    return text


def _parse_sample(text: str | None) -> int | None:
    if text is None or text == "all":
        return None
    if not text.isdigit() or not int(text):
        raise UsageError("--sample takes a number of files, or all; not {text}", text=text)
    return int(text)


def _people(names: tuple[str, str, str]) -> People:
    from vault.fiche import People

    by, asked_by, validated_by = (" ".join(name.split()) for name in names)
    return People(by=by, asked_by=asked_by, validated_by=validated_by, login=login_of_caller())


# -- telling


def _tell(session: Session, wired: Wired, drilled: Drilled) -> int:
    record = drilled.record
    assert record.verdict is not None
    code = record.verdict.exit_code
    if session.as_json:
        differing = [{**to_json(item.name), "reason": item.reason} for item in drilled.mismatches]
        return session.emit({**members_of(record), "mismatches": differing}, code)
    for line in lines_of(record, wired.settings.time_zone):
        session.say(wrapped(line, indent=4))
    for item in drilled.mismatches[:_SHOWN]:
        session.say(colour(f"  ≠ {about(printable(item.name), retell(item.reason))}", "bad"))
    return int(code)


def members_of(record: DrillRecord) -> dict[str, object]:
    """Give a record as the members of a document."""
    people = record.people
    signature = record.signature
    return {
        "drill": record.number,
        "source": record.source,
        "from": record.origin,
        "reason": record.reason,
        "level": str(record.level_asked),
        "level_reached": str(record.level_reached) if record.level_reached else None,
        "verdict": str(record.verdict) if record.verdict else None,
        "begun_at": record.begun_at.isoformat(),
        "ended_at": record.ended_at.isoformat() if record.ended_at else None,
        "cycle": record.cycle,
        "snapshot_id": record.snapshot_id,
        "point_at": record.point_at.isoformat() if record.point_at else None,
        "files": record.files,
        "bytes": record.bytes,
        "of_files": record.of_files,
        "of_bytes": record.of_bytes,
        "mismatches": record.mismatches,
        "duration_s": record.duration_s,
        "total_s": record.total_s,
        "dmia_s": record.dmia_s,
        "age_s": record.age_s,
        "pdma_s": record.pdma_s,
        "seed": record.seed,
        "bound": record.bound,
        "opening": record.opening,
        "exposure_s": record.exposure_s,
        "disconnection": record.disconnection or None,
        "checks": [check_members(check) for check in record.checks],
        "not_tested": list(record.not_tested),
        "people": {
            "asked_by": people.asked_by,
            "by": people.by,
            "validated_by": people.validated_by,
        },
        "signature": _signature_members(signature) if signature else None,
        "ledger": (
            {"n": record.ledger_n, "sha256": record.ledger_sha256} if record.ledger_n else None
        ),
    }


def _signature_members(signature: Signature) -> dict[str, object]:
    role, key_id = signature.role_and_key or (None, None)
    return {
        "by": signature.by,
        "at": signature.at.isoformat(),
        "proof": signature.kind,
        "role": role,
        "key_id": key_id,
    }


def check_members(check: Check) -> dict[str, object]:
    """Give a check as the members of a document."""
    return {
        "level": str(check.level),
        "name": check.name,
        "outcome": str(check.outcome),
        "message": check.sentence,
    }


def lines_of(record: DrillRecord, zone: ZoneInfo) -> list[str]:
    """Give a record in lines for a person."""
    lines = [headline(record)]
    if record.point_at is not None and record.cycle is not None:
        line = _("Point of night {cycle}, {at}, from {origin}; seed {seed}.")
        at = moment(record.point_at, zone)
        lines.append(
            line.format(cycle=record.cycle, at=at, origin=called(record.origin), seed=record.seed)
        )
    for check in record.checks:
        what = f"{check.level} {called(str(check.outcome))}"
        told = about(what, told_check(check))
        lines.append("  " + colour(told, _COLOURS[str(check.outcome)]))
    if record.of_files:
        lines.append(_bound_line(record))
    lines.append(_("Not tested:"))
    lines += [f"  - {retell(line)}" for line in record.not_tested]
    if record.signature is not None:
        lines.append(signature_line(record.signature, zone))
    if record.ledger_n:
        line = _("Entry {n} of the ledger, {sha256}.")
        lines.append(line.format(n=record.ledger_n, sha256=(record.ledger_sha256 or "")[:16]))
    return lines


def signature_line(signature: Signature, zone: ZoneInfo) -> str:
    """Tell who signed that the data are back in production, and how much that proves."""
    if signature.role_and_key is None:
        line = _("{by} declared at {at} that the data are back in production and read (L4).")
        return line.format(by=signature.by, at=moment(signature.at, zone))
    line = _("{by} signed at {at} for L4: proven by a cosignature, role {role}, key {key_id}.")
    role, key_id = signature.role_and_key
    at = moment(signature.at, zone)
    return line.format(by=signature.by, at=at, role=role, key_id=key_id)


def headline(record: DrillRecord) -> str:
    """Tell in one line what a test came to."""
    verdict = record.verdict
    if verdict is None:
        line = _("Test {number} of {source} has not ended.")
        return line.format(number=record.number, source=record.source)
    kind = "good" if verdict == "sound" else "warn" if verdict.is_good else "bad"
    line = _("Test {number} of {source}: {verdict}, level {level} reached of {asked}.")
    told = line.format(
        number=record.number,
        source=record.source,
        verdict=called(str(verdict)),
        level=str(record.level_reached) if record.level_reached else _("none"),
        asked=str(record.level_asked),
    )
    return colour(told, kind)


def told_check(check: Check) -> str:
    """Tell a check in the language spoken, its numbers as a person reads them."""
    values = {
        key: number(value) if not isinstance(value, str) else retell(value)
        for key, value in check.values.items()
    }
    return _(check.template).format(**values)


def _bound_line(record: DrillRecord) -> str:
    files = plural("{count} file", "{count} files", record.files)
    if record.bound is None:
        line = _("{files} of {of}: no random sample without a failure, so no bound.")
        return line.format(files=files, of=record.of_files)
    if record.bound == 0:
        line = _("{files} of {of}: every file of the point was compared; restored in {time}.")
    else:
        line = _(
            "{files} of {of}, chosen at random, restored in {time}: at most {percent} % of the "
            "files are bad, at 95 %."
        )
    return line.format(
        files=files,
        of=record.of_files,
        time=seconds(record.duration_s),
        percent=number(100 * record.bound),
    )


# -- looking back


def list_command(session: Session, *, source: str | None) -> int:
    """List restore tests, newest first; those that failed are among them."""
    wired = session.wired()
    wired.require_founded()
    records = wired.catalogue.drills(source)
    zone = wired.settings.time_zone
    if session.as_json:
        return session.emit({"drills": [_brief(record) for record in records]})
    if not records:
        session.say(_("No restore was tested yet: coffre drill run"))
        return int(ExitCode.SOUND)
    rows = [
        [
            str(record.number),
            moment(record.begun_at, zone),
            record.source,
            called(record.origin),
            f"{record.level_reached or '-'}/{record.level_asked}",
            called(str(record.verdict)) if record.verdict else _("not ended"),
            signed_word(record),
            str(record.files),
            seconds(record.duration_s),
        ]
        for record in records
    ]
    heads = [
        _("test"), _("begun"), _("source"), _("from"), _("level"), _("verdict"), _("signed"),
        _("files"), _("restored in"),
    ]  # fmt: skip
    session.say(table(heads, rows, right=(0, 7, 8)))
    return int(ExitCode.SOUND)


def signed_word(record: DrillRecord) -> str:
    """Say in a word whether a referent signed, and how much that proves."""
    if record.signature is None:
        return "-"
    return _("cosigned") if record.signature.is_proven else _("declared")


def _brief(record: DrillRecord) -> dict[str, object]:
    members = members_of(record)
    for long in ("checks", "not_tested", "people", "of_bytes", "opening", "total_s"):
        del members[long]
    return members


def show_command(session: Session, number: int) -> int:
    """Show one restore test, as it is kept."""
    wired = session.wired()
    wired.require_founded()
    record = record_of(wired, number)
    if session.as_json:
        return session.emit(members_of(record))
    for line in lines_of(record, wired.settings.time_zone):
        session.say(wrapped(line, indent=4))
    return int(ExitCode.SOUND)


def record_of(wired: Wired, number: int) -> DrillRecord:
    """Give one test; UsageError when there is none of that number."""
    record = wired.catalogue.drill(number)
    if record is None:
        raise UsageError(
            "there is no restore test {number}",
            number=number,
            hint="which ones are there? coffre drill list",
        )
    return record
