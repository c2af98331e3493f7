"""What can be said of a clause, and what never is."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from vault.compliance import (
    PROOFS,
    Clause,
    Declaration,
    Fact,
    Framework,
    Standing,
    Words,
    assess,
    fact_name,
)
from vault.config.compliance_file import load_frameworks
from vault.config.problems import ConfigProblems
from vault.policy import Level

TODAY = date(2026, 3, 1)
AT = datetime(2026, 2, 28, 3, tzinfo=UTC)
WORDS = Words(fr="un texte", en="a text")
FOLDER = Path(__file__).parents[1] / "policies" / "compliance"


def standing(clause: Clause, facts=None, said=None) -> Standing:
    framework = Framework(name="f", titles=WORDS, publisher="p", edition="e", clauses=(clause,))
    declarations = {"f/1": said} if said else {}
    return next(assess([framework], facts or {}, declarations, TODAY)).standing


def clause(**members) -> Clause:
    return Clause(id="1", text=WORDS, confidence="P", **members)


def fact(holds: bool) -> Fact:
    return Fact(holds=holds, template="measured", at=AT)


def declared(review: date) -> Declaration:
    return Declaration(by="RSSI", on=date(2025, 6, 1), review=review)


BOTH = {"shown_by": ("copies",), "declared": True}
TWO = {"shown_by": ("copies", "pulled")}
LATER, PAST = date(2027, 1, 1), date(2026, 2, 28)


@pytest.mark.parametrize(
    ("members", "facts", "review", "expected"),
    [
        ({"shown_by": ("copies",)}, {"copies": True}, None, Standing.SHOWN),
        ({"shown_by": ("copies",)}, {"copies": False}, None, Standing.NOT_SHOWN),
        (TWO, {"copies": True, "pulled": False}, None, Standing.NOT_SHOWN),
        ({"declared": True}, {}, None, Standing.UNDECLARED),
        ({"declared": True}, {}, TODAY, Standing.DECLARED),
        ({"declared": True}, {}, PAST, Standing.REVIEW_DUE),
        (BOTH, {"copies": True}, None, Standing.UNDECLARED),
        (BOTH, {"copies": True}, LATER, Standing.SHOWN),
        (BOTH, {"copies": False}, LATER, Standing.NOT_SHOWN),
        ({"not_covered": WORDS}, {}, None, Standing.NOT_COVERED),
    ],
)
def test_a_clause_stands_as_its_facts_and_declarations_say(members, facts, review, expected):
    """A fact that does not hold decides before any declaration."""
    found = {name: fact(holds) for name, holds in facts.items()}
    said = declared(review) if review else None
    assert standing(clause(**members), found, said) is expected


def test_a_restore_test_below_the_level_asked_shows_nothing():
    """L1 was reached, the clause asks for L4."""
    facts = {"restore-tested:L1": fact(True), "restore-tested:L4": fact(False)}
    wanting = clause(shown_by=("restore-tested",), level=Level.L4)
    assert standing(wanting, facts) is Standing.NOT_SHOWN
    assert standing(clause(shown_by=("restore-tested",), level=Level.L1), facts) is Standing.SHOWN


def test_every_shipped_row_is_said_in_both_languages_and_asks_for_known_facts():
    """The files load; a clause that asks for a restore test names its level."""
    frameworks = load_frameworks(None)
    assert {f.name for f in frameworks} >= {"care-d2", "anssi-bp-100", "pgssi-s", "iso-27001"}
    for framework in frameworks:
        for row in framework.clauses:
            assert set(row.shown_by) <= PROOFS
            assert row.text.fr != row.text.en
            if "restore-tested" in row.shown_by:
                assert row.level is not None, f"{framework.name} {row.id}"


def test_no_row_says_that_anybody_complies():
    """Dated facts only: the word and its kin are nowhere in the data."""
    for path in FOLDER.iterdir():
        text = path.read_text("utf-8").lower()
        assert not re.search(r"\bcompliant\b|\bconforme\b|\bcertifi(é|ed) care\b", text), path.name


def test_every_fact_is_asked_for_by_some_clause():
    """A measure that no clause needs has no place in the list."""
    asked = {proof for f in load_frameworks(None) for c in f.clauses for proof in c.shown_by}
    assert asked == set(PROOFS)


def test_fact_names_carry_the_level_only_where_one_is_asked():
    """Without a level a restore test counts from L1 on."""
    assert fact_name("copies", None) == "copies"
    assert fact_name("restore-tested", None) == "restore-tested:L1"
    assert fact_name("restore-tested", Level.L3) == "restore-tested:L3"


def test_a_sites_file_replaces_the_packages_of_the_same_name(tmp_path):
    """Whole, like a policy; a row that says nothing is refused with its line."""
    folder = tmp_path / "compliance"
    folder.mkdir()
    head = "titles: {fr: Ours, en: Ours}\npublisher: us\nedition: '1'\nclauses:\n"
    row = "  - {id: a, confidence: G, %s text: {fr: oui, en: yes-so}}\n"
    (folder / "iso-27001.yaml").write_text(head + row % "declared: true,", "utf-8")
    (folder / "iso-27001.yaml").chmod(0o644)
    found = {f.name: f for f in load_frameworks(str(tmp_path))}
    assert [c.id for c in found["iso-27001"].clauses] == ["a"]
    (folder / "iso-27001.yaml").write_text(head + row % "", "utf-8")
    with pytest.raises(ConfigProblems, match=r"iso-27001\.yaml:\d+.*at least one of"):
        load_frameworks(str(tmp_path))
