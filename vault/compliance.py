"""Clauses of the frameworks a hospital answers to, beside what this vault can show of each.

Rule 1: nothing here says that anybody complies; a row gives dated facts, a declaration somebody
    signed for, or the plain statement that the vault does not cover the clause.
Rule 2: a clause that asks for a level of proof is never shown by a restore test below it.
Rule 3: pure: frameworks, facts, declarations and a day in, rows out.
Source: ``policies/compliance/``; each row carries how well its text is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from vault.policy import Level

# What the vault measures; the wiring gives a fact for each, a test holds the two together.
PROOFS = frozenset(
    {
        "copies",  # as many media as the policy asks hold each source's newest point
        "encrypted",  # every file on a target is one of restic's
        "every-night-judged",  # the last night ran, and its verdict is recorded
        "hashes-apart",  # signed lists stand on the targets, their heads in the ledger too
        "inspected",  # exports are opened and judged before they enter
        "keys-held",  # somebody read the recovery password back
        "ledger-kept",  # events are recorded; the chain verifies
        "media-restored",  # each medium gave a whole restore test back within a year
        "offline-copy",  # each source has a copy on a medium proven offline
        "own-records-saved",  # catalogue and ledger are in the landing
        "policies-kept",  # every source has a policy with its objectives and owner
        "pulled",  # the vault host begins every flow
        "read-back",  # the last night that carried read back every byte
        "red-button",  # it was pressed and released, in earnest or as an exercise
        "restore-recorded",  # restore tests have their records
        "restore-tested",  # asked at a level
        "restored-in-time",  # the last tests were within their objective
        "targets-pinned",  # each target is pinned by identity
        "two-people",  # no command of ours removes what an enrolled target holds
    }
)
AT_A_LEVEL = "restore-tested"


class Standing(StrEnum):
    """What can be said of a clause."""

    SHOWN = "shown"
    NOT_SHOWN = "not-shown"
    DECLARED = "declared"
    REVIEW_DUE = "review-due"  # declared, and the review it named is past
    UNDECLARED = "undeclared"
    NOT_COVERED = "not-covered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A text in both languages."""

    fr: str
    en: str

    def said_in(self, language: str) -> str:
        """Give the text in a language, English but for ``fr``."""
        return self.fr if language == "fr" else self.en


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One clause, in our words."""

    id: str
    text: Words
    confidence: str  # P: the publisher's text was read; S: second hand; G: general knowledge
    level: Level | None = None
    shown_by: tuple[str, ...] = ()
    declared: bool = False
    not_covered: Words | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """One framework."""

    name: str  # its file's name, less ``.yaml``
    titles: Words
    publisher: str
    edition: str
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What was measured, and when; the text is a template with its values."""

    holds: bool
    template: str
    values: Mapping[str, object] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What somebody answers for: a role, a day, and the day it is looked at again."""

    by: str
    on: date
    review: date
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One clause as it stands."""

    framework: Framework
    clause: Clause
    standing: Standing
    facts: tuple[Fact, ...] = ()
    declaration: Declaration | None = None


def fact_name(proof: str, level: Level | None) -> str:
    """Give the name under which a proof's fact is found, level included where one is asked."""
    return f"{proof}:{level or Level.L1}" if proof == AT_A_LEVEL else proof


def assess(
    frameworks: Sequence[Framework],
    facts: Mapping[str, Fact],
    declarations: Mapping[str, Declaration],
    today: date,
) -> Iterator[Row]:
    """Give every clause as it stands; ``declarations`` by ``framework/clause``."""
    for framework in frameworks:
        for clause in framework.clauses:
            names = [fact_name(proof, clause.level) for proof in clause.shown_by]
            found = tuple(facts[name] for name in names)
            said = declarations.get(f"{framework.name}/{clause.id}")
            yield Row(
                framework=framework,
                clause=clause,
                standing=_standing(clause, found, said, today),
                facts=found,
                declaration=said,
            )


def _standing(
    clause: Clause, facts: Sequence[Fact], said: Declaration | None, today: date
) -> Standing:
    if not all(fact.holds for fact in facts):
        return Standing.NOT_SHOWN
    if clause.declared and said is None:
        return Standing.UNDECLARED
    if clause.declared and said is not None and said.review < today:
        return Standing.REVIEW_DUE
    if facts:
        return Standing.SHOWN
    return Standing.DECLARED if clause.declared else Standing.NOT_COVERED
