"""An alarm is told until somebody has acknowledged it, and comes back when it gets worse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vault.alarm import (
    ALARMS,
    URGENT,
    Alarm,
    acknowledge,
    judge_alarms,
    tell_alarms,
    to_escalate,
)
from vault.gap import KINDS, Acknowledgement, Gap, Severity, loudness
from vault.results import CycleVerdict, Disconnection
from vault.vault_gaps import TargetFacts, VaultFacts, find_gaps

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
WORD = Acknowledgement(by="Ana", reason="the disk was replaced", at=NOW)
CORRUPT = Gap(
    kind="target-corrupt",
    target="disk-a",
    template="last night it came to “{outcome}”",
    values={"outcome": "corrupt"},
    mend="replace it",
)


def refused(*reasons: str) -> Gap:
    values = {"reasons": "; ".join(reasons)}
    return Gap(kind="source-refused", source="hr", template="{reasons}", mend="look", values=values)


def shrunk(*marks: str) -> Gap:
    values = {"finess": "990000010", "field": "MCO", "year": 2026, "periods": "M05"}
    return Gap(kind="pmsi-shrunk", template="less", mend="compare", values=values, marks=marks)


def judged(kept: list[Alarm], *gaps: Gap, days: int = 0) -> list[Alarm]:
    return list(judge_alarms(kept, gaps, NOW + days * DAY).alarms)


def said(alarm: Alarm) -> list[Alarm]:
    after = acknowledge(alarm, WORD)
    return [after] if after else []


def test_only_kinds_of_the_table_are_alarms_and_the_urgent_ones_are_critical():
    """An alarm that no gap can raise would never be told."""
    assert KINDS.keys() >= ALARMS
    assert {KINDS[kind] for kind in URGENT} == {Severity.CRITICAL}


def test_what_is_no_event_raises_no_alarm():
    """A late medium ages and mends itself by coming."""
    late = Gap(kind="media-unseen", target="disk-a", template="x", mend="y")
    assert judged([], late) == []
    assert tell_alarms([], [late]) == (late,)


def test_an_alarm_is_raised_once_and_named_by_what_it_is_about():
    """Found again the next night it is the same alarm, as old as it was."""
    first = judge_alarms([], [CORRUPT], NOW)
    assert [alarm.name for alarm in first.raised] == ["target-corrupt/disk-a"]
    again = judge_alarms(first.alarms, [CORRUPT], NOW + DAY)
    assert again.raised == ()
    assert [alarm.raised_at for alarm in again.alarms] == [NOW]


def test_no_alarm_clears_itself():
    """The cause is gone, and the alarm is told, as critical as it was, as over since then."""
    (over,) = judged(judged([], CORRUPT), days=1)
    assert over.over_at == NOW + DAY
    (told,) = tell_alarms([over], [])
    assert (told.kind, told.severity, told.over_since) == (
        "target-corrupt", Severity.CRITICAL, NOW + DAY,
    )  # fmt: skip
    assert "coffre ack target-corrupt/disk-a" in told.mend.format(**told.values)
    assert judged([over], days=9) == [over]


def test_what_is_over_and_acknowledged_is_told_no_more():
    """In either order: first the word, then its end, or the other way round."""
    (alarm,) = judged([], CORRUPT)
    assert judged(said(alarm), days=1) == []
    (over,) = judged([alarm], days=1)
    assert said(over) == []


def test_what_is_acknowledged_and_still_there_is_told_as_such_and_less_loudly():
    """Not green: its cause is still there."""
    kept = judged(said(*judged([], CORRUPT)), CORRUPT, days=1)
    (told,) = tell_alarms(kept, [CORRUPT])
    assert told.acknowledged == WORD
    assert told.severity is Severity.CRITICAL
    assert loudness(told.severity, is_acknowledged=True) == "warning"
    assert loudness("warning", is_acknowledged=True) == "warning"
    assert loudness("critical", is_acknowledged=False) == "critical"


def test_an_acknowledged_alarm_comes_back_when_it_returns_after_having_been_gone():
    """It is raised anew, and nobody has acknowledged that one."""
    gone = judged(said(*judged([], CORRUPT)), days=1)
    back = judge_alarms(gone, [CORRUPT], NOW + 2 * DAY)
    assert [(one.raised_at, one.is_open) for one in back.raised] == [(NOW + 2 * DAY, True)]


def test_an_acknowledged_alarm_comes_back_when_it_gets_worse():
    """Another reason, another period, another failed test; not another number."""
    kept = said(*judged([], refused("12 files look encrypted")))
    assert not judge_alarms(kept, [refused("99 files look encrypted")], NOW + DAY).raised
    worse = judge_alarms(kept, [refused("12 files look encrypted", "a canary is gone")], NOW + DAY)
    assert [one.is_open for one in worse.raised] == [True]
    kept = said(*judged([], shrunk("M05 a")))
    assert not judge_alarms(kept, [shrunk("M05 a")], NOW + DAY).raised
    assert judge_alarms(kept, [shrunk("M05 a", "M06 b")], NOW + DAY).raised
    assert judge_alarms(kept, [shrunk("M05 another")], NOW + DAY).raised


def test_a_part_that_went_and_returns_is_not_what_was_acknowledged():
    """Two reasons were acknowledged, one of them went; when it is there again, it is new."""
    both, one = refused("a canary is gone", "a ransom note"), refused("a ransom note")
    kept = judged(said(*judged([], both)), one, days=1)
    assert [alarm.is_open for alarm in kept] == [False]
    assert [alarm.is_open for alarm in judge_alarms(kept, [both], NOW + 2 * DAY).raised] == [True]


@pytest.mark.parametrize("kind", ["door-unproven", "production-door-unproven", "exposure-unproven"])
def test_another_opening_is_another_alarm_though_nobody_saw_the_first_one_end(kind: str):
    """The first was acknowledged and proven shut between two looks: the second is told at once."""

    def gap(since: datetime) -> Gap:
        target = TargetFacts(
            name="disk-a", enrolled_at=NOW, last_met=NOW, disconnection=Disconnection.DETACHED,
            unproven_since=since if kind == "exposure-unproven" else None, max_unseen_s=10**6,
        )  # fmt: skip
        facts = VaultFacts(
            founded_at=NOW,
            keys_confirmed=True,
            production_door="link",
            sources=(),
            targets=(target,),
            last_cycle_at=NOW,
            last_verdict=CycleVerdict.SOUND,
            degraded_since=NOW,
            unproven_targets={"disk-a": since} if kind == "door-unproven" else {},
            unproven_production=since if kind == "production-door-unproven" else None,
        )
        return next(one for one in find_gaps(facts, NOW + DAY) if one.kind == kind)

    kept = said(*judged([], gap(NOW)))
    assert not judge_alarms(kept, [gap(NOW)], NOW + DAY).raised
    again = judge_alarms(kept, [gap(NOW + timedelta(hours=3))], NOW + DAY)
    assert [one.is_open for one in again.raised] == [True]


def test_an_alarm_that_flaps_is_one_alarm_until_somebody_acknowledges_it():
    """Over, and there again: as old as it was, and not over."""
    kept = judged(judged(judged([], CORRUPT), days=1), CORRUPT, days=2)
    assert [(one.raised_at, one.over_at) for one in kept] == [(NOW, None)]


def test_an_alarm_is_escalated_once_and_only_while_nobody_has_acknowledged_it():
    """At the very second, and never again."""
    (alarm,) = judged([], CORRUPT)
    late = {"after_s": 2 * 86_400, "now": NOW + 2 * DAY}
    assert to_escalate([alarm], after_s=2 * 86_400 + 1, now=NOW + 2 * DAY) == ()
    assert to_escalate([alarm], **late) == (alarm,)
    assert to_escalate(said(alarm), **late) == ()
    (over,) = judged([alarm], days=1)
    assert to_escalate([over], **late) == (over,)
    assert to_escalate([Alarm(**{n: getattr(alarm, n) for n in ("gap", "raised_at", "marks")},
                              escalated_at=NOW)], **late) == ()  # fmt: skip
