"""The interlock, the shutting on every way out, and recovery after a death."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.rigs.small_world import MEDIUM, Small, make_small
from vault.airlock import UNPROVEN_FACT, Opening
from vault.errors import DoorUnproven, Interrupted, LedgerError, Secured
from vault.records import AirlockRecord, Pressed
from vault.results import ShutReport, VaultStatus
from vault.state import State


@pytest.fixture
def small() -> Small:
    return make_small()


def opening(small: Small, *, writing: bool = True) -> Opening:
    return Opening(
        target="disk",
        medium=MEDIUM,
        purpose="carry",
        writing=writing,
        closes_at_s=small.clock.boot_s() + 60,
    )


def test_vault_door_opens_only_after_the_world_said_that_production_is_shut(small: Small) -> None:
    """Invariant 1: the question is asked in the very call that opens."""
    with small.airlock.vault_open(opening(small)):
        pass
    log = small.world.log
    assert log.index("production asked") < log.index("committed carrying")
    assert log.index("committed carrying") < log.index("vault opened")


def test_vault_door_stays_shut_when_production_does_not_shut(small: Small) -> None:
    """Invariant 1, fault 62: the interlock holds against a door that is stuck."""
    small.production.stuck = True
    small.world.production_open = True
    with pytest.raises(DoorUnproven), small.airlock.vault_open(opening(small)):
        pytest.fail("it opened")
    assert "vault opened" not in small.world.log
    assert small.airlock.status is VaultStatus.DEGRADED


def test_vault_door_stays_shut_when_production_does_not_answer(small: Small) -> None:
    """Invariant 3: no answer counts as open."""
    small.production.dumb = True
    with pytest.raises(DoorUnproven), small.airlock.vault_open(opening(small)):
        pytest.fail("it opened")
    assert "vault opened" not in small.world.log


def test_vault_door_stays_shut_when_the_state_cannot_be_committed(small: Small) -> None:
    """Rule 2: what cannot be recorded is not begun."""
    small.store.fails = True
    with pytest.raises(OSError, match="No space"), small.airlock.vault_open(opening(small)):
        pytest.fail("it opened")
    assert "vault opened" not in small.world.log


def test_fault_74_vault_door_stays_shut_when_the_ledger_cannot_be_written(small: Small) -> None:
    """No opening without its entry."""
    small.ledger.fails = True
    with pytest.raises(LedgerError), small.airlock.vault_open(opening(small)):
        pytest.fail("it opened")
    assert "vault opened" not in small.world.log


@pytest.mark.parametrize(
    "error",
    [OSError(5, "disk"), KeyboardInterrupt(), Interrupted("x"), AssertionError(), SystemExit()],
)
def test_vault_door_shuts_whatever_ends_the_opening(small: Small, error: BaseException) -> None:
    """Invariant 2: every way out shuts and asks."""
    with pytest.raises(type(error)), small.airlock.vault_open(opening(small)):
        raise error
    assert not small.world.vault_open
    assert small.world.log.index("vault asked") > small.world.log.index("vault opened")
    assert small.airlock.state is State.LOCKED


def test_vault_door_is_asked_when_opening_itself_fails(small: Small) -> None:
    """The try begins before the opening."""
    small.vault.fails_to_open = True
    with pytest.raises(OSError, match="mount failed"), small.airlock.vault_open(opening(small)):
        pytest.fail("it opened")
    assert small.world.log[-4:].count("vault asked") == 1
    assert small.airlock.state is State.LOCKED


@pytest.mark.parametrize("dumb", [False, True])
def test_a_door_that_is_not_proven_shut_degrades(small: Small, dumb: bool) -> None:
    """Invariant 3: stuck and silent are alike."""
    small.vault.stuck, small.vault.dumb = True, dumb
    with pytest.raises(DoorUnproven), small.airlock.vault_open(opening(small)):
        pass
    assert small.airlock.status is VaultStatus.DEGRADED
    assert small.store.record is not None
    assert small.store.record.state is State.DEGRADED
    with pytest.raises(DoorUnproven), small.airlock.vault_open(opening(small)):
        pytest.fail("it opened while degraded")


def test_shutting_depends_on_no_record(small: Small) -> None:
    """Rule 3: ledger and state fail after the opening; the door is shut and asked all the same."""
    with small.airlock.vault_open(opening(small)):
        small.store.fails = small.ledger.fails = True
    assert not small.world.vault_open
    assert small.airlock.state is State.LOCKED
    assert small.airlock.warnings


def test_exposure_runs_from_the_first_touch_to_the_proof(small: Small) -> None:
    """Seconds are those of the boot clock."""
    with small.airlock.vault_open(opening(small)) as opened:
        small.clock.pass_s(7)
    assert opened.exposure is not None
    assert opened.exposure.seconds == 7
    assert small.catalogue.openings[1] == opened.exposure


def test_production_door_shuts_when_a_pull_is_interrupted(small: Small) -> None:
    """Invariant 2, door 1."""
    with pytest.raises(Interrupted), small.airlock.production_open(cycle=1):
        raise Interrupted("ended by SIGTERM")
    assert not small.world.production_open
    assert small.airlock.state is State.LOCKED


def test_no_vault_door_while_production_is_open(small: Small) -> None:
    """The two doors are never open together, even by a bug in a story."""
    with (
        pytest.raises(AssertionError),
        small.airlock.production_open(cycle=1),
        small.airlock.vault_open(opening(small)),
    ):
        pytest.fail("both")
    assert not small.world.both_were_open


@pytest.mark.parametrize("state", [s for s in State if s is not State.SECURED])
def test_recovery_shuts_and_asks_from_every_state(small: Small, state: State) -> None:
    """Invariant 2: a start shuts what an earlier death left open."""
    small.store.record = AirlockRecord(state=state, since=small.clock.now())
    small.world.vault_open = small.world.production_open = True
    recovery = small.airlock.recover()
    assert recovery.found is state
    assert not small.world.vault_open
    assert not small.world.production_open
    assert small.airlock.state is State.LOCKED
    assert ("recovered" in dict(small.ledger.entries)) == (state is not State.LOCKED)


def test_recovery_degrades_when_a_door_does_not_answer(small: Small) -> None:
    """What cannot be proven is not assumed."""
    small.vault.dumb = True
    small.airlock.recover()
    assert small.airlock.status is VaultStatus.DEGRADED
    assert "recovered" in dict(small.ledger.entries)


def test_recovery_leaves_degraded_once_the_world_answers(small: Small) -> None:
    """The alarm ends by a proof, never by itself."""
    small.vault.stuck = True
    small.world.vault_open = True
    small.airlock.recover()
    assert small.airlock.status is VaultStatus.DEGRADED
    small.vault.stuck = False
    small.airlock.recover()
    assert small.airlock.status is VaultStatus.LOCKED


def test_the_door_that_is_not_proven_shut_is_remembered_by_its_name(small: Small) -> None:
    """Since the first time, until it is proven; the production door apart from the vault's."""
    fact = small.catalogue.fact
    small.production.stuck = small.world.production_open = True
    with pytest.raises(DoorUnproven), small.airlock.vault_open(opening(small)):
        pytest.fail("it opened")
    since = fact(UNPROVEN_FACT + "production")
    assert since
    assert not fact(UNPROVEN_FACT + "disk")
    small.airlock.recover()
    assert fact(UNPROVEN_FACT + "production") == since
    small.production.stuck = False
    small.vault.dumb = True
    small.airlock.recover()
    assert not fact(UNPROVEN_FACT + "production")
    assert fact(UNPROVEN_FACT + "disk")
    small.vault.dumb = False
    small.airlock.recover()
    assert not fact(UNPROVEN_FACT + "disk")


def test_red_button_shuts_and_nothing_opens_until_released(small: Small) -> None:
    """Secured outlives the process: it is a file."""
    pressed = Pressed(by="Ana", reason="odd mail", at=small.clock.now())
    small.airlock.secure(pressed)
    assert small.airlock.status is VaultStatus.SECURED
    small.airlock.recover()
    assert small.airlock.status is VaultStatus.SECURED
    with pytest.raises(Secured), small.airlock.vault_open(opening(small)):
        pytest.fail("it opened")
    with pytest.raises(Secured), small.airlock.production_open(cycle=1):
        pytest.fail("it opened")
    small.airlock.release(by="Bo", login="")
    with small.airlock.vault_open(opening(small)):
        pass


def test_red_button_is_seen_by_a_night_that_already_runs(small: Small) -> None:
    """It is asked for at each opening, not at the start only."""
    with small.airlock.production_open(cycle=1):
        pass
    small.store.button = Pressed(by="Ana", reason="x", at=small.clock.now())
    with pytest.raises(Secured), small.airlock.vault_open(opening(small)):
        pytest.fail("it opened")


def test_an_opening_whose_process_died_is_ended_with_a_bound(small: Small) -> None:
    """How long it lasted is not known; that it was, and at most how long, is."""
    small.catalogue.openings[1] = None
    small.airlock.recover()
    exposure = small.catalogue.openings[1]
    assert exposure is not None
    assert exposure.seconds == 60
    assert "opening-died" in dict(small.ledger.entries)


@pytest.mark.parametrize("is_pressed", [False, True])
def test_an_opening_that_died_lasted_until_the_deadline_of_the_kernel_at_most(
    small: Small, is_pressed: bool
) -> None:
    """Found shut, whenever: by the next start or by the red button."""
    small.catalogue.openings[1] = None
    died = AirlockRecord(
        state=State.CARRYING,
        since=small.clock.now(),
        target="disk",
        closes_at=small.clock.now() - timedelta(seconds=20),
    )
    small.store.record = died
    if is_pressed:
        small.airlock.secure(Pressed(by="a", reason="b", at=small.clock.now()))
    else:
        small.airlock.recover()
    exposure = small.catalogue.openings[1]
    assert exposure is not None
    assert exposure.seconds == 40


def test_an_opening_that_was_announced_and_no_more_lasted_no_time(small: Small) -> None:
    """A door moves only after its state was committed."""
    small.catalogue.openings[1] = None
    before = small.clock.now() - timedelta(minutes=2)
    small.store.record = AirlockRecord(state=State.LOCKED, since=before)
    small.airlock.recover()
    exposure = small.catalogue.openings[1]
    assert exposure is not None
    assert exposure.seconds == 0


def test_an_opening_that_was_proven_shut_and_not_written_ended_then(small: Small) -> None:
    """The state is committed before the opening's record: a death between the two loses neither."""
    small.catalogue.openings[1] = None
    shut_at = small.clock.now() - timedelta(seconds=50)
    small.store.record = AirlockRecord(state=State.LOCKED, since=shut_at)
    small.airlock.recover()
    exposure = small.catalogue.openings[1]
    assert exposure is not None
    assert exposure.seconds == 10


def test_the_deadline_of_an_opening_is_committed_before_it(small: Small) -> None:
    """So that whoever finds it dead has a bound."""
    with small.airlock.vault_open(opening(small)):
        record = small.store.record
        assert record is not None
        assert record.closes_at is not None
        left_s = (record.closes_at - small.clock.now()).total_seconds()
        assert left_s == opening(small).closes_at_s - small.clock.boot_s()


def test_an_opening_that_died_stays_open_in_the_records_until_its_door_is_proven_shut(
    small: Small,
) -> None:
    """No proof, no end."""
    small.catalogue.openings[1] = None
    small.vault.dumb = True
    small.airlock.recover()
    assert small.catalogue.openings[1] is None


@pytest.fixture
def terminated() -> Iterator[None]:
    """Turn SIGTERM into an exception, as the front door does."""

    def end(number: int, _frame: object) -> None:
        raise Interrupted("ended by {number}", number=number)

    before = signal.signal(signal.SIGTERM, end)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("terminated")
def test_signal_while_a_door_is_being_shut_waits_for_the_proof(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 5: no false alarm, the exposure is kept, and the run ends as it was told."""
    ask = small.vault.shut

    def shut_disturbed(reason: str) -> ShutReport:
        signal.raise_signal(signal.SIGTERM)
        return ask(reason)

    monkeypatch.setattr(small.vault, "shut", shut_disturbed)
    with pytest.raises(Interrupted), small.airlock.vault_open(opening(small)):
        pass
    assert small.airlock.state is State.LOCKED
    assert small.catalogue.openings[1] is not None


def test_red_button_is_not_released_while_a_door_is_unproven(small: Small) -> None:
    """The alarm comes first, in one line, and the button stays pressed."""
    small.airlock.secure(Pressed(by="Ana", reason="x", at=small.clock.now()))
    small.vault.stuck = small.world.vault_open = True
    small.airlock.recover()
    with pytest.raises(DoorUnproven):
        small.airlock.release(by="Bo", login="")
    assert small.store.button is not None
