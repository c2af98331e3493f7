"""Which copy nobody can reach who holds the host, and what is missing when there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.media_gaps import MediaFacts, SetFacts, find_media_gaps
from vault.results import Disconnection
from vault.shield import Copy, Shield, find_shield

NOW = datetime(2026, 6, 1, 3, tzinfo=UTC)
DAY = timedelta(days=1)


def copy(target: str, written: float, *, away: float | None = None, **more: object) -> Copy:
    """Give a removed copy, written and last reached so many days ago."""
    return Copy(
        target=target,
        written_at=NOW - written * DAY,
        away_since=NOW - (written if away is None else away) * DAY,
        **{"disconnection": Disconnection.REMOVED, **more},
    )


NOTHING = Shield(youngest=None, longest=None)
FACTS = MediaFacts(
    sets=(),
    expires={},
    today=NOW.date(),
    holds_any=True,
    shield=Shield(youngest=copy("b", 1), longest=copy("c", 95)),
    shield_s=35 * 86_400,
    dwell_s=90 * 86_400,
    founded_at=NOW - 400 * DAY,
)

COPIES = st.lists(
    st.builds(
        copy,
        st.uuids().map(str),
        st.floats(0, 400),
        away=st.floats(0, 400),
        disconnection=st.sampled_from(Disconnection),
    ),
    max_size=8,
)


@given(COPIES, st.data())
def test_the_shield_is_never_a_copy_that_can_be_reached(copies, data) -> None:
    """Offline, not expected tonight; and no other such copy is newer, or away for longer."""
    in_reach = {one.target for one in copies if data.draw(st.booleans())}
    found = find_shield(copies, in_reach)
    lawful = [c for c in copies if c.target not in in_reach and c.disconnection.rank <= 3]
    if not lawful:
        assert found == NOTHING
        return
    assert found.youngest in lawful
    assert found.longest in lawful
    assert all(c.written_at <= found.youngest.written_at for c in lawful)
    assert all(c.away_since >= found.longest.away_since for c in lawful)


@given(st.integers(2, 12), st.integers(1, 400))
def test_of_media_in_strict_turns_the_newest_out_of_reach_is_one_turn_old(size, night) -> None:
    """Last night's medium is away while tonight's connects: what can be lost is one night."""
    copies = {
        f"m{n % size}": copy(f"m{n % size}", night - n) for n in range(max(0, night - size), night)
    }
    found = find_shield(copies.values(), {f"m{night % size}"})
    if night == 1:
        assert found.youngest == copies["m0"]
    assert found.youngest is not None
    assert NOW - found.youngest.written_at == DAY


def kinds(facts: MediaFacts) -> set[str]:
    return {gap.kind for gap in find_media_gaps(facts, NOW)}


def test_a_vault_in_order_lacks_nothing() -> None:
    """One copy a day old out of reach, one that nobody met within the dwell."""
    assert kinds(FACTS) == set()


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        (replace(FACTS, shield=NOTHING), {"no-copy-out-of-reach", "dwell-unshielded"}),
        (replace(FACTS, shield=NOTHING, holds_any=False), set()),  # never-offline says it
        (replace(FACTS, founded_at=NOW - 30 * DAY, dwell_s=90 * 86_400), set()),
        (replace(FACTS, shield=Shield(youngest=copy("b", 1), longest=copy("c", 89))),
         {"dwell-unshielded"}),
        (replace(FACTS, shield=replace(FACTS.shield, youngest=copy("b", 36))), set()),
        (replace(FACTS, shield=replace(
            FACTS.shield, youngest=copy("b", 36, lacks_since=NOW - 36 * DAY))),
         {"copy-out-of-reach-old"}),
        (replace(FACTS, shield=replace(
            FACTS.shield, youngest=copy("b", 34, lacks_since=NOW - 34 * DAY))), set()),
        (replace(FACTS, expires={"a": date(2026, 6, 1)}), {"media-expired"}),
        (replace(FACTS, expires={"a": date(2026, 6, 2)}), set()),
    ],
)  # fmt: skip
def test_each_bound_is_told_when_it_is_passed_and_not_before(facts, wanted) -> None:
    """One story a row."""
    assert kinds(facts) == wanted


@pytest.mark.parametrize(
    ("behind", "expected", "is_late"),
    [(2.1, "a", True), (1.9, "a", False), (2.1, None, False), (None, "a", False)],
)
def test_a_set_is_late_by_what_none_of_its_media_holds(behind, expected, is_late) -> None:
    """Nothing new, or nothing owed, makes no set late."""
    since = None if behind is None else NOW - behind * DAY
    one = SetFacts(name="daily", expected=expected, behind_since=since, max_absence_s=2 * 86_400)
    gaps = find_media_gaps(replace(FACTS, sets=(one,)), NOW)
    assert [gap.kind for gap in gaps] == ["set-late"] * is_late
    if is_late:
        assert gaps[0].target == "a"
        assert gaps[0].since == since + 2 * DAY
