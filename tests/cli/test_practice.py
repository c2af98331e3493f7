"""Exercises, reviews and the compliance map, as their users type them."""

from __future__ import annotations

import csv
import io

import pytest

from tests.cli.test_json import one_document

pytestmark = pytest.mark.xdist_group("cli")


def test_an_exercise_is_recorded_by_name_and_seen_again(vault, ask, faults):
    """In the list, in the ledger; an unknown one is a usage error that names the others."""
    words = ("exercise", "record", "rebuild-kit", "--by", "RSSI", "--note", "minutes 12")
    done = one_document(ask(vault, *words))
    assert faults(done) == []
    listed = one_document(ask(vault, "exercise", "list"))
    assert faults(listed) == []
    last = {row["exercise"]: row["last"] for row in listed["exercises"]}
    assert last["rebuild-kit"] == done["at"]
    assert last["keys"] is not None  # keys confirm counts by itself
    assert '"kind":"exercise"' in (vault.state / "ledger" / "ledger.jsonl").read_text()
    refused = one_document(ask(vault, "exercise", "record", "nonsense", "--by", "x"))
    assert (refused["exit_code"], refused["error"]["reference"]) == (2, "usage")
    assert "rebuild-kit" in refused["error"]["hint"]


def test_a_policy_that_changes_after_its_review_is_a_gap(vault, ask, faults):
    """Reviewed: no gap; changed by hand: the gap names the policy."""
    reviewed = one_document(ask(vault, "config", "review", "--by", "RSSI"))
    assert faults(reviewed) == []
    assert reviewed["policies"] == ["hr", "pmsi"]
    assert "policies-unreviewed" not in kinds(ask(vault, "gaps"))
    policy = vault.folder / "policies" / "hr.yaml"
    text = policy.read_text()
    policy.write_text(text.replace("owner:", "owner: somebody else #", 1))
    try:
        gaps = one_document(ask(vault, "gaps"))["gaps"]
        (changed,) = [gap for gap in gaps if gap["kind"] == "policy-changed"]
        assert changed["values"] == {"names": "hr"}
    finally:
        policy.write_text(text)


def kinds(told) -> set[str]:
    return {gap["kind"] for gap in one_document(told)["gaps"]}


def test_the_compliance_map_shows_facts_and_never_a_conclusion(vault, ask, faults):
    """A folder target is not offline: what rests on it is not shown; keys are held."""
    told = one_document(ask(vault, "compliance"))
    assert faults(told) == []
    by_clause = {(row["framework"], row["clause"]): row for row in told["rows"]}
    assert by_clause["anssi-bp-100", "R12"]["standing"] == "not-shown"
    assert by_clause["anssi-bp-100", "R30"]["standing"] == "shown"
    assert by_clause["care-d2", "D2.O3.A"]["standing"] == "undeclared"
    back = by_clause["care-d2", "D2.O4"]  # other tests may have signed one on this vault
    assert back["level"] == "L4"
    assert (back["standing"] == "shown") == all(fact["holds"] for fact in back["facts"])
    only = one_document(ask(vault, "compliance", "--framework", "iso-27001"))
    assert {row["framework"] for row in only["rows"]} == {"iso-27001"}
    assert one_document(ask(vault, "compliance", "--framework", "x"))["exit_code"] == 2


def test_a_restore_test_from_the_landing_proves_nothing_of_media(vault, ask):
    """The medium itself must have given it back; a point that came from the landing did not."""

    def stands() -> dict[str, str]:
        rows = one_document(ask(vault, "compliance", "--framework", "pgssi-s"))["rows"]
        return {row["clause"]: row["standing"] for row in rows}

    ask(vault, "drill", "run", "--source", "hr", "--level", "L1").ok()
    assert stands()["7.4.5.1"] == "not-shown"
    ask(vault, "drill", "run", "--source", "hr", "--level", "L1", "--from", "trial").ok()
    assert stands()["7.4.5.1"] == "undeclared"  # that a suspect one is retired, somebody says


def test_the_compliance_csv_opens_in_a_french_spreadsheet(vault, ask, tmp_path):
    """UTF-8 with its mark, semicolons, one row a clause; never over a file that is there."""
    path = tmp_path / "map.csv"
    assert ask(vault, "compliance", "--csv", str(path), "--lang", "fr").code == 0
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig")), delimiter=";"))
    assert rows[0][0] == "référentiel"
    assert len(rows) == 1 + len(one_document(ask(vault, "compliance"))["rows"])
    assert ask(vault, "compliance", "--csv", str(path)).code == 2
