"""A notice says by its subject whether anything is to be done, and then what, the worst first."""

from __future__ import annotations

import pytest

from vault.report.notice import Writer
from vault.report.teller import Teller

AT = "2026-03-02T08:00:00+00:00"
NIGHT = {"cycle": 412, "ended_at": AT, "verdict": "sound"}
WORD = {"by": "Ana", "at": AT, "reason": "the disk was replaced"}


def gap(kind: str, severity: str = "critical", **more) -> dict:
    plain = {
        "kind": kind, "severity": severity, "source": None, "target": None, "owner": None,
        "since": AT, "template": f"{kind} it is", "mend_template": f"mend {kind}", "values": {},
        "acknowledged": None, "over_since": None,
    }  # fmt: skip
    return {**plain, **more}


def digest(*gaps: dict, verdict: str = "sound", owner: str | None = None, language: str = "en"):
    writer = Writer(Teller(language, "Europe/Paris"), "CH de la Lande", owner)
    status = {"status": "locked", "last_cycle": NIGHT, "gaps": list(gaps)}
    return writer.digest(status, verdict)


@pytest.mark.parametrize(
    ("gaps", "verdict", "says"),
    [
        ([gap("a"), gap("b"), gap("c", "warning")], "sound", "2 things to do NOW"),
        ([gap("c", "warning"), gap("d", "info")], "sound", "1 thing to do"),
        ([gap("d", "info")], "sound", "nothing is missing"),
        ([gap("a", acknowledged=WORD)], "sound", "1 thing is still there, and acknowledged"),
        ([], "interrupted", "the night was: interrupted"),
    ],
)
def test_the_subject_says_what_is_to_be_done(gaps, verdict, says):
    """What somebody has acknowledged is not to be done again, and not gone either."""
    assert digest(*gaps, verdict=verdict)[0] == f"Coffre, CH de la Lande: {says}"


def test_the_worst_comes_first_and_what_is_acknowledged_last():
    """Each with its mend; who acknowledged it has one already."""
    _subject, body = digest(gap("seen", acknowledged=WORD), gap("late", "warning"), gap("open"))
    places = [body.index(word) for word in ("1. open", "→ mend open", "2. late", "3. seen")]
    assert places == sorted(places)
    assert "acknowledged by Ana on 2026-03-02 09:00: the disk was replaced" in body
    assert "mend seen" not in body


def test_an_owner_is_told_of_what_is_theirs_alone():
    """And that nobody expects them to type."""
    subject, body = digest(gap("mine", owner="DIM physician"), gap("other"), owner="DIM physician")
    assert "1 thing to do NOW" in subject
    assert "other it is" not in body
    assert "nobody expects you to type" in body


def test_a_field_of_pmsi_is_called_as_the_dim_calls_it():
    """SMR, not its long name."""
    template = "PMSI {field} {year} of {finess}: {periods} late or missing"
    values = {"finess": "990000010", "field": "SMR", "year": 2025, "periods": "M11"}
    _subject, body = digest(gap("pmsi-missing", template=template, values=values), language="fr")
    assert "PMSI SMR 2025 de 990000010" in body


def test_a_subject_is_cut_where_a_telephone_cuts_it():
    """The body has the whole."""
    writer = Writer(Teller("en", "Europe/Paris"), "CH de la Lande")
    subject, body = writer.alarm([gap("a", template="word " * 100)])
    assert len(subject) <= 140
    assert subject.endswith("…")
    assert "word " * 99 in body
