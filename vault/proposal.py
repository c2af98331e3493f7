"""A removal from a target, proposed by one person and let happen by another, after a while.

Rule 1: a proposal is what the ledger says it is: who, when, which views go, which files by one
    hash over all of them; nothing else is asked.
Rule 2: the hold is counted by the clock of the boot: setting the date ahead shortens nothing.
Rule 3: whoever looks at a proposal and sees that it is wrong withdraws it, the first person too.
Rule 4: what was proposed is what goes: a list that came out otherwise by then is another proposal.
Rule 5: names are as declared; a login that typed both is told. Switching the second person off is
    itself proposed by one and confirmed by another, and stands as a gap.
Rule 6: pure: facts and now in, refusals out.
Source: design, section 8; ``docs/decisions/0029``, ``0031``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from vault.errors import RetentionRefused, UsageError
from vault.person import same_person
from vault.results import RepositoryFile

LAPSES = timedelta(days=30)  # after the hold: what nobody carried out by then is proposed anew
_ID_DIGITS = 12
_CLOSING = frozenset({"removal-ended", "removal-withdrawn"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What one person proposed to take off a target."""

    id: str
    target: str
    by: str
    login: str
    reason: str
    at: datetime  # by the ledger
    kept: tuple[int, ...]  # views that stay, by cycle
    let_go: tuple[int, ...]  # views that go
    newest: int  # the newest view then: what came later stays too
    files: int
    bytes: int
    sha256: str  # over the list of files
    has_begun: bool = False  # a removal by it began and has no end: files of it may be gone


def hash_files(files: Iterable[RepositoryFile]) -> str:
    """Hash a list of files: a line ``PATH SIZE`` each, sorted by path."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda one: one.path):
        digest.update(f"{file.path} {file.size_bytes}\n".encode())
    return digest.hexdigest()


def make_id(target: str, let_go: Sequence[int], sha256: str, at: datetime) -> str:
    """Give the name of a proposal: no two of a vault have the same."""
    text = f"{target} {list(let_go)} {sha256} {at.isoformat()}"
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]


def body_of(proposal: Proposal) -> dict[str, object]:
    """Give what stands in the ledger."""
    return {
        "id": proposal.id,
        "target": proposal.target,
        "by": proposal.by,
        "login": proposal.login,
        "reason": proposal.reason,
        "kept": list(proposal.kept),
        "let_go": list(proposal.let_go),
        "newest": proposal.newest,
        "files": proposal.files,
        "bytes": proposal.bytes,
        "sha256": proposal.sha256,
    }


def open_proposals(
    entries: Iterable[tuple[str, datetime, Mapping[str, object]]],
) -> dict[str, Proposal]:
    """Give, by target, the newest proposal that still stands; a newer one replaces it.

    ``entries`` are kind, instant and body of the ledger's entries, in their order.
    """
    found: dict[str, Proposal] = {}
    for kind, at, body in entries:
        if kind == "removal-proposed":
            proposal = _read(at, body)
            found[proposal.target] = proposal
            continue
        target = str(body.get("target"))
        if target not in found or found[target].id != body.get("id"):
            continue
        if kind == "removal-begun":
            found[target] = replace(found[target], has_begun=True)
        elif kind in _CLOSING:
            del found[target]
    return found


def _read(at: datetime, body: Mapping[str, object]) -> Proposal:
    def text(name: str) -> str:
        return str(body[name])

    def number(name: str) -> int:
        value = body[name]
        assert isinstance(value, int)
        return value

    def numbers(name: str) -> tuple[int, ...]:
        value = body[name]
        assert isinstance(value, list)
        return tuple(int(one) for one in value)

    return Proposal(
        id=text("id"),
        target=text("target"),
        by=text("by"),
        login=text("login"),
        reason=text("reason"),
        at=at,
        kept=numbers("kept"),
        let_go=numbers("let_go"),
        newest=number("newest"),
        files=number("files"),
        bytes=number("bytes"),
        sha256=text("sha256"),
    )


def require_second(proposal: Proposal, by: str, *, one_suffices: bool) -> None:
    """Refuse the person who proposed; UsageError, unless two were agreed to be too many."""
    if not by.strip():
        raise UsageError("--by must say who lets it happen", hint="the name is kept in the ledger")
    if not one_suffices and same_person(proposal.by, by):
        raise UsageError(
            "{by} proposed the removal: another person lets it happen",
            by=by,
            hint="who else has looked at coffre retention plan --target {target}?",
            target=proposal.target,
        )


def held_until(proposal: Proposal, *, hold_s: int, now: datetime, passed_s: float) -> datetime:
    """Give when the hold is over, if the host runs until then; ``passed_s`` passed for certain."""
    ran_out = now + timedelta(seconds=hold_s - passed_s)
    return max(proposal.at + timedelta(seconds=hold_s), ran_out)


def require_held(proposal: Proposal, *, hold_s: int, now: datetime, passed_s: float) -> None:
    """Refuse before the hold is over, and long after it; RetentionRefused says which."""
    until = held_until(proposal, hold_s=hold_s, now=now, passed_s=passed_s)
    day = proposal.at.isoformat(timespec="seconds")
    ends_by_the_wall = proposal.at + timedelta(seconds=hold_s)
    lapses_at = ends_by_the_wall + LAPSES
    if now > lapses_at:
        raise RetentionRefused(
            "the removal was proposed on {day} and lapsed {days} days after its hold",
            day=day,
            days=LAPSES.days,
            hint="nothing is removed; coffre retention plan --target {target} --propose once more",
            target=proposal.target,
        )
    if now < until:
        hint = "nothing is removed; hold in the retention of {target} says how long"
        if until > lapses_at:
            hint = (
                "nothing is removed; it lapses before that: is the clock right? then coffre clock "
                "confirm, else propose it once more"
            )
        elif now >= ends_by_the_wall:
            hint = (
                "nothing is removed; the host was off, or its clock was set: if it is right, "
                "coffre clock confirm"
            )
        raise RetentionRefused(
            "the removal was proposed on {day} and waits until {until}",
            day=day,
            until=until.isoformat(timespec="seconds"),
            hint=hint,
            target=proposal.target,
        )


def require_not_kept(proposal: Proposal, kept: Iterable[int]) -> None:
    """Refuse what the rule of today keeps, whatever the one of the day it was proposed said."""
    if again := sorted(set(proposal.let_go) & set(kept)):
        raise RetentionRefused(
            "the retention of {target} has changed since: it keeps night {nights}, which was "
            "proposed to go",
            target=proposal.target,
            nights=", ".join(map(str, again)),
            hint="nothing is removed; coffre retention plan --target {target} --propose once more",
        )


def require_same(proposal: Proposal, files: Sequence[RepositoryFile]) -> None:
    """Refuse when the list is not the one that was proposed; RetentionRefused."""
    if (len(files), hash_files(files)) != (proposal.files, proposal.sha256):
        raise RetentionRefused(
            "what may go from {target} is not what was proposed any more",
            target=proposal.target,
            hint="coffre retention plan --target {target} --propose, anew",
        )
