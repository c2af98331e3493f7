"""What pages and mails say alike: a gap with its values, in the language of the reader."""

from __future__ import annotations

import pytest

from vault.report.teller import Teller


@pytest.mark.parametrize(
    ("template", "values", "said"),
    [
        (
            "an export was REFUSED; by now none is",
            {"reasons": "x"},
            "un export avait été REFUSÉ ; aucun ne l’est plus",
        ),
        ("{reasons}", {"reasons": "files not complete yet: 3"}, "fichiers pas encore complet"),
        (
            "when it was last due, the export was judged “{verdict}”",
            {"verdict": "missing"},
            "la source a été jugée « ABSENTE »",
        ),
        ("PMSI {field} {year} of {finess}: {periods} late or missing",
         {"field": "SMR", "year": 2024, "finess": "990000010", "periods": "M11"},
         "PMSI SMR 2024 de 990000010 : M11"),
    ],
)  # fmt: skip
def test_a_gap_is_told_whole_in_french(template, values, said):
    """Finished sentences, verdicts and fields as people say them."""
    told = Teller("fr", "Europe/Paris").of_gap(
        template, {"values": values, "source": "hr", "target": None}
    )
    assert said in told.replace("\u00a0", " ")


def test_a_list_has_the_marks_of_its_language():
    """A space before a semicolon in French, none in English."""
    parts = ["a, b", "c"]
    assert Teller("fr", "Europe/Paris").listed(parts) == "a, b\u00a0; c"
    assert Teller("en", "Europe/Paris").listed(parts) == "a, b; c"
