"""The PMSI calendar: each state by its own facts, and laws that hold whatever came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rigs.pmsi_exports import (
    FINESS,
    HELD,
    MAIN,
    SEEN,
    calendar,
    export,
    pair,
    pairs,
    tally,
)
from vault.finding import Remark, Soundness
from vault.gap import Severity
from vault.pmsi import Expected
from vault.pmsi_cell import Cell, CellState, LawfulLoss, PmsiCalendar
from vault.pmsi_gaps import find_pmsi_gaps
from vault.policy import Level
from vault.transmission import Export, Proof


def cell_of(exports, name: str = "SMR/2024/M01", **more) -> Cell:
    (found,) = [c for c in calendar(exports, **more).cells if c.name == f"{FINESS}/{name}"]
    return found


def codes(cell: Cell) -> set[str]:
    return {remark.code for remark in cell.reasons}


# -- a period by itself


def test_a_whole_export_on_a_target_is_sound():
    """IN and OUT, well formed, complete, held: nothing to say."""
    cell = cell_of(pair())
    assert (cell.state, cell.reasons) == (CellState.SOUND, ())
    assert [holder.target for holder in cell.holders] == ["disk-a"]
    assert cell.counted.records == {"rha": 100, "rhs": 100}
    assert cell.counted.versions == {"rha": ("228",), "rhs": ("228",)}
    assert cell.proof is None


PARIS = ZoneInfo("Europe/Paris")
LATER = datetime(2025, 3, 5, 1, tzinfo=UTC)
DOUBT = (Remark(code="newer", template="a version that is newer than our tables"),)


@pytest.mark.parametrize(
    ("exports", "state", "code"),
    [
        ([export(side="in")], CellState.AMBER, "pmsi-one-side"),
        ([export(side="out")], CellState.AMBER, "pmsi-one-side"),
        (pair(holders=()), CellState.AMBER, "pmsi-on-no-target"),
        ([*pair()[:1], export(side="out", holders=())], CellState.AMBER, "pmsi-on-no-target"),
        (pair(complete=False), CellState.AMBER, "pmsi-incomplete"),
        (pair(soundness=Soundness.DOUBTFUL, remarks=DOUBT), CellState.AMBER, "newer"),
        (pair(soundness=Soundness.OPAQUE), CellState.AMBER, None),
        (pair(soundness=Soundness.MALFORMED), CellState.MALFORMED, None),
        (pair(months={1: 0}, period=2), CellState.AMBER, "pmsi-month-empty"),
    ],
)  # fmt: skip
def test_each_lack_has_its_state_and_its_reason(exports, state, code):
    """One fact, one state."""
    period = exports[0].facts.period
    cell = cell_of(exports, f"SMR/2024/M{period:02}")
    assert cell.state is state
    assert code is None or code in codes(cell)


def test_what_in_and_out_both_say_is_said_once():
    """Their tables are the same, and so are their doubts."""
    cell = cell_of(pair(soundness=Soundness.DOUBTFUL, remarks=DOUBT))
    assert cell.reasons == DOUBT


def test_a_save_of_the_new_tool_holds_both_sides():
    """DRUIDES saves IN and OUT in one file."""
    assert cell_of([export(side="save")]).state is CellState.SOUND


def test_a_test_run_and_a_loose_file_never_count():
    """Period 0 is counted apart; a loose record file says nothing of a transmission."""
    found = calendar([*pair(period=0), replace_facts(export(), side="loose")])
    assert (found.cells, found.tests, found.unplaced) == ((), 2, 0)


def replace_facts(one: Export, **more) -> Export:
    return replace(one, facts=replace(one.facts, **more))


def test_a_torn_archive_is_known_by_its_other_side():
    """An old name does not say the field; with two fields at one stamp nothing is guessed."""
    sound, torn = pair()
    torn = replace(replace_facts(torn, field="", records=()), soundness=Soundness.MALFORMED)
    assert cell_of([sound, torn]).state is CellState.MALFORMED
    other = export("HAD", stamp=sound.facts.stamp)
    found = calendar([sound, torn, other])
    assert {cell.state for cell in found.cells if cell.period == 1} == {CellState.AMBER}
    assert found.unplaced == 1


def test_the_old_name_of_a_field_is_the_new_one():
    """SSR became SMR."""
    assert cell_of(pair("SSR")).series.field == "SMR"


# -- what is missing


def states(found: PmsiCalendar, row: str) -> dict[str, CellState]:
    start = f"{FINESS}/{row}/"
    return {c.name.removeprefix(start): c.state for c in found.cells if c.name.startswith(start)}


def test_what_should_have_come_is_missing_from_its_due_day_on():
    """SMR M11 of 2024 is due on 31 December: missing on the day after."""
    came = pairs("SMR", 2024, range(1, 11))
    on_time = states(calendar(came, today=date(2024, 12, 31)), "SMR/2024")
    late = states(calendar(came, today=date(2025, 1, 1)), "SMR/2024")
    assert (on_time["M11"], late["M11"]) == (CellState.NOT_DUE, CellState.MISSING)
    assert late["M12"] is CellState.NOT_DUE


def test_nothing_is_expected_before_what_was_first_seen():
    """One archive of December asks for no January of its year."""
    found = calendar(pair("MCO", 2023, 12))
    assert states(found, "MCO/2023") == {"M12": CellState.SOUND}
    assert states(found, "MCO/2024") == {}


def test_what_never_came_and_is_not_expected_is_told_as_that():
    """From the first year that came on: past periods, those that the field sends."""
    found = calendar(pair("PSY", 2023, 12) + pair("MCO", 2024, 11), today=date(2025, 5, 1))
    blanks = {(one.series.field, one.year): one.periods for one in found.blanks}
    assert blanks == {
        ("MCO", 2024): tuple(range(1, 11)),
        ("MCO", 2025): (1,),
        ("PSY", 2023): (3, 6, 9),
        ("PSY", 2024): (3, 6, 9, 12),
    }
    gone = Expected(fields={FINESS: frozenset({"MCO"})}, since_year=2025)
    found = calendar(pair("PSY", 2023, 12), expected=gone, today=date(2025, 5, 1))
    assert {one.year for one in found.blanks} == {2023}


def test_a_field_that_came_once_is_expected_from_then_on():
    """Seen first on 1 March 2025: what is due after that day must come, of 2024 nothing more."""
    found = calendar(pair("MCO", 2023, 12), today=date(2025, 5, 1))
    assert states(found, "MCO/2025")["M02"] is CellState.MISSING
    assert states(found, "MCO/2025")["M03"] is CellState.MISSING
    assert states(found, "MCO/2025")["M04"] is CellState.NOT_DUE
    assert "M01" not in states(found, "MCO/2025")
    assert states(found, "MCO/2024") == {}


def test_a_field_that_never_came_is_missing_when_the_site_names_it():
    """From day one, for the year in which it is named."""
    named = Expected(fields={FINESS: frozenset({"PSY"})}, since_year=2024)
    found = calendar([], expected=named)
    assert list(states(found, "PSY/2024").values()) == [CellState.MISSING] * 4
    assert states(found, "PSY/2025")["M03"] is CellState.NOT_DUE


def test_a_field_that_the_site_no_longer_names_is_not_expected_on():
    """A unit that closed is not missed for ever; what it sent stays."""
    named = Expected(fields={FINESS: frozenset({"MCO"})}, since_year=2025)
    found = calendar(pairs("SMR", 2024, range(1, 13)), expected=named, today=date(2026, 1, 1))
    assert states(found, "SMR/2024")["M12"] is CellState.SOUND
    assert states(found, "SMR/2025") == {}


def test_psychiatry_is_expected_by_quarter_and_taken_by_month():
    """A month between is a cell when it comes, and no gap when it does not."""
    found = states(calendar(pairs("PSY", 2024, (3, 4, 6, 9))), "PSY/2024")
    assert found["M04"] is CellState.SOUND
    assert found["M12"] is CellState.MISSING
    assert set(found) == {"M03", "M04", "M06", "M09", "M12"}


def test_a_later_cumulative_export_is_told_beside_a_missing_one():
    """M12 holds the activity of M11; the cell stays missing."""
    cell = cell_of(pairs("SMR", 2024, (10, 12)), "SMR/2024/M11")
    assert cell.state is CellState.MISSING
    assert "pmsi-covered-later" in codes(cell)


# -- what shrank


@pytest.mark.parametrize(
    ("now", "before", "state"),
    [
        ({1: 98}, {1: 100}, CellState.SOUND),
        ({1: 97}, {1: 100}, CellState.SHRUNK),
        ({1: 39}, {1: 40}, CellState.SOUND),  # one merged stay of a small unit
        ({1: 38}, {1: 40}, CellState.SHRUNK),
        ({1: 0}, {1: 100}, CellState.SHRUNK),
    ],
)
def test_a_month_that_lost_more_than_two_in_a_hundred_is_shrunk(now, before, state):
    """Against the archive of the period before; the total grows by the new month all the same."""
    came = pair(period=1, months=before) + pair(period=2, months={**now, 2: 100})
    cell = cell_of(came, "SMR/2024/M02")
    assert cell.state is state
    assert ("pmsi-month-shrunk" in codes(cell)) is (state is CellState.SHRUNK)


def test_a_total_below_that_of_the_period_before_is_shrunk():
    """Archives are cumulative: no total falls, though no month lost two in a hundred."""
    months = dict.fromkeys(range(1, 4), 99)
    came = pair(period=3) + pair(period=4, months={**months, 4: 1})
    cell = cell_of(came, "SMR/2024/M04")
    assert (cell.state, codes(cell)) == (CellState.SHRUNK, {"pmsi-total-shrunk"})


def test_a_later_attempt_at_the_same_period_may_not_lose_much():
    """Whichever of the earlier ones was fullest; a loss that is sent twice stays a loss."""
    full = pair(stamp="2024-02-20T10:00:00")
    poor = pair(stamp="2024-02-21T10:00:00", each=50)
    again = pair(stamp="2024-02-22T10:00:00", each=50)
    for came in (full + poor, full + poor + again):
        cell = cell_of(came)
        assert cell.state is CellState.SHRUNK
        assert cell.counted.stamp == came[-1].facts.stamp


def accepting(cell: Cell) -> Expected:
    assert cell.counted is not None
    word = LawfulLoss(attempt=cell.counted.mark, by="Dr Exemple", reason="merged", at=LATER)
    return Expected(lawful_losses={cell.name: word})


def test_a_loss_that_somebody_said_to_be_lawful_is_none():
    """Of its period, and of the next ones, which are compared with it; its reason is kept."""
    came = pair(period=1) + pair(period=2, months={1: 50}) + pair(period=3, months={1: 50})
    lost = cell_of(came, "SMR/2024/M02")
    assert lost.state is CellState.SHRUNK
    said = accepting(lost)
    after = cell_of(came, "SMR/2024/M02", expected=said)
    assert (after.state, after.lawful_loss.reason) == (CellState.SOUND, "merged")
    assert cell_of(came, "SMR/2024/M03", expected=said).state is CellState.SOUND


def test_a_lawful_loss_is_that_of_one_attempt():
    """The same again is none either; less again is one, and so is a loss nobody spoke of."""
    full = pair(stamp="2024-02-20T10:00:00")
    poor = pair(stamp="2024-02-21T10:00:00", each=50)
    said = accepting(cell_of(full + poor))
    again = pair(stamp="2024-02-22T10:00:00", each=50)
    assert cell_of(full + poor + again, expected=said).state is CellState.SOUND
    poorer = pair(stamp="2024-02-22T10:00:00", each=20)
    assert cell_of(full + poor + poorer, expected=said).state is CellState.SHRUNK
    other = pair(stamp="2024-02-23T10:00:00", each=50)
    assert cell_of(full + other, expected=said).state is CellState.SHRUNK


def test_losses_are_measured_from_the_last_export_that_had_none():
    """Two poor months in a row are both told."""
    poor = {1: 50}
    came = pair(period=1) + pair(period=2, months=poor) + pair(period=3, months=poor)
    assert cell_of(came, "SMR/2024/M03").state is CellState.SHRUNK


def test_counts_of_an_uncertain_rule_make_a_doubt_only():
    """Confidence C or D is amber at worst."""
    came = pair(period=1) + pair(period=2, months={1: 10}, confidence="C")
    cell = cell_of(came, "SMR/2024/M02")
    assert (cell.state, codes(cell)) == (CellState.AMBER, {"pmsi-month-shrunk"})


def test_a_version_older_than_before_is_a_doubt():
    """The tool that made it may have been an old one."""
    came = pair(period=1, version="M1D") + pair(period=2, version="M1C")
    cell = cell_of(came, "SMR/2024/M02")
    assert (cell.state, codes(cell)) == (CellState.AMBER, {"pmsi-version-older"})


def test_weeks_are_counted_in_their_months():
    """Seven RHS fewer in the weeks of January are a month that shrank."""
    weeks = {"2024-W01": 50, "2024-W02": 50, "2023-W52": 9}
    fewer = {"2024-W01": 43, "2024-W02": 50, "2024-W06": 99}
    before, now = pair(period=1), pair(period=2)
    before[0] = replace_facts(before[0], records=(tally("rhs", weeks),))
    now[0] = replace_facts(now[0], records=(tally("rhs", fewer),))
    remarks = cell_of(before + now, "SMR/2024/M02").reasons
    assert [remark.sentence for remark in remarks] == [
        "M01: 93 records RHS, 100 in the archive M01"
    ]


# -- several attempts


def test_the_newest_sound_attempt_counts_and_the_others_are_told():
    """A later attempt that is torn does not hide the sound one."""
    good, torn = "2024-02-20T10:00:00", "2024-02-21T10:00:00"
    cell = cell_of(pair(stamp=good) + pair(stamp=torn, soundness=Soundness.MALFORMED))
    assert (cell.state, cell.counted.stamp) == (CellState.SOUND, good)
    assert [remark.sentence for remark in cell.reasons] == [
        "another attempt is kept, made on 2024-02-21: malformed"
    ]
    assert len(cell.attempts) == 2


def test_a_file_that_was_overwritten_is_still_what_it_was():
    """The same names, one side torn a night later: the first night's pair counts."""
    sound, out = pair()
    torn = replace(out, soundness=Soundness.MALFORMED, seen_at=LATER)
    cell = cell_of([sound, out, torn])
    assert (cell.state, cell.counted.exports) == (CellState.SOUND, (sound, out))
    assert [attempt.exports for attempt in cell.attempts] == [(sound, out), (sound, torn)]
    mended = replace(out, seen_at=datetime(2025, 3, 6, 1, tzinfo=UTC))
    assert cell_of([sound, torn, mended]).counted.exports == (sound, mended)


def test_what_a_target_holds_counts_until_the_newer_one_is_there_too():
    """The newer one is told, and makes the cell amber."""
    old = pair(stamp="2024-02-20T10:00:00")
    new = pair(stamp="2024-02-21T10:00:00", holders=(), seen_at=LATER)
    cell = cell_of(old + new)
    assert (cell.state, cell.counted.stamp) == (CellState.AMBER, old[0].facts.stamp)
    assert codes(cell) == {"pmsi-newer-on-no-target"}
    assert cell.holders == HELD


def test_a_target_holds_a_cell_since_it_holds_the_last_of_it():
    """Only targets that hold both sides are named."""
    later = (replace(HELD[0], since=LATER), replace(HELD[0], target="disk-b"))
    cell = cell_of([export(side="in"), export(side="out", holders=later)])
    assert [(h.target, h.since) for h in cell.holders] == [("disk-a", LATER)]


def test_the_proof_of_a_cell_is_the_weakest_of_its_files():
    """Null until each of them came back from a restore test."""
    strong, weak = (Proof(level=level, at=SEEN) for level in (Level.L2, Level.L1))
    both = [export(side="in", proof=strong), export(side="out", proof=weak)]
    assert cell_of(both).proof == weak
    assert cell_of([both[0], export(side="out")]).proof is None


def test_another_file_than_that_of_the_stays_is_amber_at_worst():
    """RSF-ACE has its row; nothing of it is red."""
    came = pair("MCO", category="RSFACE") + pair(
        "MCO", period=2, category="RSFACE", soundness=Soundness.MALFORMED
    )
    found = states(calendar(came), "MCO-RSFACE/2024")
    assert (found["M01"], found["M02"]) == (CellState.SOUND, CellState.AMBER)
    assert found["M03"] is CellState.AMBER


# -- the Decembers, and gaps


def test_five_decembers_are_shown_apart():
    """Those that never came are told as that, not as missing."""
    found = calendar(pairs("MCO", 2024, range(1, 13)) + pair("MCO", 2023, 12))
    assert [(d.year, d.cell.state if d.cell else None) for d in found.decembers] == [
        (2020, None), (2021, None), (2022, None), (2023, CellState.SOUND), (2024, CellState.SOUND),
    ]  # fmt: skip
    (gap,) = find_pmsi_gaps(found, PARIS)
    assert (gap.kind, gap.severity) == ("pmsi-m12-never-came", Severity.INFO)
    assert gap.values["years"] == "2020, 2021, 2022"


def test_the_december_that_is_not_due_is_not_in_the_block_yet():
    """In January the block still ends two years back."""
    found = calendar(pairs("MCO", 2024, range(1, 12)), today=date(2025, 1, 31))
    assert {december.year for december in found.decembers} == set(range(2019, 2024))


def test_each_wrong_state_is_a_gap_of_its_kind_with_its_periods():
    """One a row, year and kind; a missing December is of its own."""
    came = pairs("SMR", 2024, range(1, 10)) + pair("SMR", 2024, 10, soundness=Soundness.MALFORMED)
    came += pair("HAD", period=1) + pair("HAD", period=2, months={1: 10})
    gaps = {gap.kind: gap for gap in find_pmsi_gaps(calendar(came, today=date(2025, 1, 1)), PARIS)}
    assert gaps["pmsi-malformed"].values["periods"] == "M10"
    assert gaps["pmsi-shrunk"].values["periods"] == "M02"
    assert gaps["pmsi-shrunk"].source == "pmsi"
    came = pairs("SMR", 2024, range(1, 10))
    gaps = {gap.kind: gap for gap in find_pmsi_gaps(calendar(came), PARIS)}
    assert gaps["pmsi-missing"].values["periods"] == "M10, M11"
    assert gaps["pmsi-missing"].since == datetime(2024, 12, 1, tzinfo=PARIS)
    assert gaps["pmsi-m12-missing"].severity is Severity.CRITICAL
    for gap in gaps.values():
        assert gap.template.format(**gap.values)
        assert gap.mend.format(**gap.values)


# -- whatever came


@st.composite
def attempts(draw) -> list[Export]:
    field = draw(st.sampled_from(sorted(MAIN)))
    period = draw(st.integers(0, 12))
    return [
        export(
            field,
            draw(st.integers(2023, 2025)),
            period,
            side,
            each=draw(st.integers(0, 120)),
            stamp=draw(st.sampled_from(["2024-02-20T10:00:00", "2024-02-21T10:00:00"])),
            soundness=draw(st.sampled_from(list(Soundness))),
            holders=draw(st.sampled_from([(), HELD])),
            complete=draw(st.booleans()),
        )
        for side in draw(st.sampled_from([("in",), ("out",), ("in", "out"), ("save",)]))
    ]


def flat(many) -> Iterator[Export]:
    return [one for some in many for one in some]


@settings(max_examples=50)
@given(st.lists(attempts(), max_size=8))
def test_no_cell_is_sound_without_a_whole_sound_attempt_on_a_target(many):
    """Whatever else came."""
    for cell in calendar(flat(many)).cells:
        if cell.state is CellState.SOUND:
            assert cell.counted.is_whole
            assert cell.counted.soundness is Soundness.SOUND
            assert cell.holders
        if cell.counted is None:
            assert cell.state in (CellState.MISSING, CellState.NOT_DUE)
        if cell.state not in (CellState.SOUND, CellState.NOT_DUE):
            assert cell.reasons


@settings(max_examples=50)
@given(st.lists(attempts(), min_size=1, max_size=8))
def test_every_archive_is_in_one_cell_or_counted_apart(many):
    """Nothing that came is lost to sight, and no cell stands twice."""
    exports = flat(many)
    found = calendar(exports)
    in_cells = {id(one) for c in found.cells for attempt in c.attempts for one in attempt.exports}
    assert len(in_cells) + found.tests + found.unplaced == len(exports)
    names = [cell.name for cell in found.cells]
    assert len(names) == len(set(names))


@settings(max_examples=50)
@given(st.lists(attempts(), max_size=6), st.randoms(use_true_random=False))
def test_the_order_in_which_exports_are_told_does_not_matter(many, chance):
    """The calendar is a function of the set."""
    exports = flat(many)
    shuffled = list(exports)
    chance.shuffle(shuffled)
    one, other = calendar(exports), calendar(shuffled)
    assert [(c.name, c.state) for c in one.cells] == [(c.name, c.state) for c in other.cells]


@settings(max_examples=50)
@given(st.lists(attempts(), max_size=6))
def test_adding_a_copy_never_makes_a_cell_worse(many):
    """What a second target holds takes nothing away."""
    exports = flat(many)
    held = [replace(one, holders=HELD) for one in exports]
    order = [CellState.SOUND, CellState.AMBER, CellState.SHRUNK, CellState.MALFORMED]
    before = {cell.name: cell for cell in calendar(exports).cells}
    for cell in calendar(held).cells:
        if cell.state in order[:2] and before[cell.name].state in order[:2]:
            assert order.index(cell.state) <= order.index(before[cell.name].state)
