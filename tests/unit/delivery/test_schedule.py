"""What is sent next, and when."""

from __future__ import annotations

import math
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.delivery.schedule import _PROBED, HELD_BACK, Batch, Schedule
from auditkit.delivery.verdict import GIVE_UP, LONGEST_COUNTED, Action, Verdict, judge
from auditkit.errors import TemporaryFailure
from auditkit.protocols import Record
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditkit.protocols import Position

EVENT = an_event()


def records(number: int, start: int = 0) -> list[Record]:
    return [Record(("memory", start + index), EVENT) for index in range(number)]


def places(number: int, start: int = 0) -> list[Position]:
    return [record.position for record in records(number, start)]


def nothing() -> Sequence[Record]:
    return ()


def failed(schedule: Schedule, batch: Batch, now: float, *, wait: float = 1.0, hold: float = 1.0) -> None:
    schedule.ended(batch)
    schedule.failed(batch, Verdict(action=Action.RETRY, wait=wait, hold=hold), now)


def sent(schedule: Schedule, now: float, take: Callable[[], Sequence[Record]] = nothing) -> Batch:
    batch = schedule.choose(now, take)
    assert batch is not None
    return batch


def test_schedule_rests_without_work() -> None:
    """With nothing to do, only somebody's word ends the rest."""
    schedule = Schedule()

    assert schedule.choose(0.0, nothing) is None
    assert math.inf == schedule.rest(0.0)
    assert not schedule.waits


def test_retry_is_made_when_it_is_due() -> None:
    """What failed is tried again at its time, not before, and the rest lasts exactly until then."""
    schedule = Schedule()
    batch = sent(schedule, 0.0, lambda: records(1))
    failed(schedule, batch, 10.0, wait=5.0, hold=5.0)

    assert 5.0 == schedule.rest(10.0)
    assert schedule.choose(14.999, nothing) is None
    assert batch is schedule.choose(15.0, nothing)


def test_failing_destination_gets_one_attempt_at_a_time() -> None:
    """While nothing is accepted one attempt shows whether the destination is back, and its end is told."""
    schedule = Schedule()
    failed(schedule, sent(schedule, 0.0, lambda: records(1)), 0.0)
    sent(schedule, 1.0)

    assert schedule.choose(2.0, lambda: records(1, 1)) is None
    assert math.inf == schedule.rest(2.0)


def test_failing_destination_is_probed_with_what_is_new() -> None:
    """An event that fails by itself cannot pass for a dead destination: the next probe is another, if there is one."""
    schedule = Schedule()
    poison = sent(schedule, 0.0, lambda: records(1))
    failed(schedule, poison, 0.0)
    other = sent(schedule, 1.0, lambda: records(1, 1))
    failed(schedule, other, 1.0)

    assert other is not poison
    assert poison is sent(schedule, 2.0)


def test_accepted_event_reopens_the_destination() -> None:
    """The first accepted event ends the waiting of all others that are due."""
    schedule = Schedule()
    failed(schedule, sent(schedule, 0.0, lambda: records(1)), 0.0, wait=300.0, hold=300.0)

    schedule.accepted(5.0)

    assert 0 == schedule.blocks
    assert schedule.choose(5.0, lambda: records(1, 1)) is not None


def test_asked_wait_outlasts_success_and_hurry() -> None:
    """Whom the destination itself told to wait waits, though another answer or a flush comes in between."""
    schedule = Schedule()
    batch = sent(schedule, 0.0, lambda: records(1))
    schedule.ended(batch)
    schedule.failed(batch, Verdict(action=Action.RETRY, wait=30.0, hold=30.0, asked=True), 0.0)
    schedule.accepted(1.0)
    schedule.hurry()

    assert 30.0 == schedule.closed_until
    assert schedule.choose(29.0, lambda: records(1, 1)) is None
    assert schedule.choose(30.0, nothing) is batch


def test_hurry_makes_everything_due() -> None:
    """A flush tries what failed at once, oldest first, whatever was due when."""
    schedule = Schedule()
    batches = [sent(schedule, 0.0, lambda: records(1)) for _ in range(20)]
    for number, batch in enumerate(batches):
        failed(schedule, batch, 0.0, wait=300.0 - number * 7 % 100)

    schedule.hurry()
    schedule.blocks = 0

    assert batches == [sent(schedule, 0.0) for _ in batches]


def test_half_keeps_what_is_known() -> None:
    """Each half failed as often and as long as the whole, and last now; both are sent next, in their order."""
    schedule = Schedule()
    whole = Batch([*places(5)], failures=3, failing_for=7.0, counted_at=8.0, failed_at=9.0)
    schedule.halve(whole, 10.0)

    first, second = sent(schedule, 10.0), sent(schedule, 10.0)

    assert (places(2), places(3, 2)) == (first.positions, second.positions)
    assert {(3, 7.0, 8.0, 10.0)} == {
        (each.failures, each.failing_for, each.counted_at, each.failed_at) for each in (first, second)
    }


def test_memory_is_bounded_while_everything_fails() -> None:
    """A destination down for a week costs disk, not memory: only so many events wait outside the journal."""
    schedule = Schedule()
    waiting = deque(records(10 * HELD_BACK))
    now = taken = 0.0
    for _ in range(5000):
        batch = schedule.choose(now, lambda: () if schedule.is_full else [waiting.popleft() for _ in range(100)])
        now += 400
        if batch is not None:
            failed(schedule, batch, now)
    taken = 10 * HELD_BACK - len(waiting)

    assert _PROBED <= taken < _PROBED + 100


def test_what_waits_to_be_tried_again_is_a_place() -> None:
    """Memory is bounded however large events are: one that failed is read anew when it is tried again."""
    schedule = Schedule()
    batch = sent(schedule, 0.0, lambda: records(3))
    failed(schedule, batch, 0.0)
    again = sent(schedule, 10.0)

    assert ((), places(3)) == (again.records, again.positions)


def test_full_hand_takes_on_while_nothing_is_accepted() -> None:
    """Where more events fail than may wait, those behind them are tried all the same: one may be accepted."""
    schedule = Schedule()
    for number in range(HELD_BACK):
        failed(schedule, sent(schedule, 0.0, partial(records, 1, number)), 0.0, hold=0.0)
    before = schedule.is_full
    failed(schedule, sent(schedule, 10.0), 10.0, hold=1.0)

    assert (True, False) == (before, schedule.is_full)


@given(
    poison=st.sets(st.integers(min_value=0, max_value=199), max_size=20),
    concurrency=st.integers(min_value=1, max_value=4),
    chance=st.floats(min_value=0.05, max_value=0.95),
)
def test_poison_holds_nobody_back(poison: set[int], concurrency: int, chance: float) -> None:
    """Whichever twenty events fail for ever, also all in a row, every other one is accepted within the hour."""
    schedule, waiting, accepted, now = Schedule(), deque(records(200)), set[int](), 0.0
    while now < 3600 and len(accepted) < 200 - len(poison):
        batches = [
            batch
            for _ in range(concurrency)
            if (batch := schedule.choose(now, lambda: [waiting.popleft()] if waiting else [])) is not None
        ]
        for batch in batches:
            schedule.ended(batch)
            index = batch.positions[0][1]
            if index in poison:
                verdict = judge(schedule.attempt(batch, TemporaryFailure("x"), now, chance))
                schedule.failed(batch, verdict, now)
            else:
                schedule.accepted(now)
                accepted.add(index)
        if not batches:
            now += max(0.01, min(schedule.rest(now), 60.0))

    assert set(range(200)) - poison == accepted


@pytest.mark.parametrize(
    "moments, expected",
    [
        ([("failed", 0.0), ("failed", 300.0)], 0.0),
        ([("failed", 0.0), ("accepted", 10.0), ("failed", 300.0)], 300.0),
        ([("failed", 0.0), ("failed", 300.0), ("accepted", 310.0), ("failed", 600.0)], 600.0),
        ([("accepted", 0.0), ("failed", 10.0), ("failed", 90_000.0)], 0.0),
        ([("failed", 0.0), ("accepted", 1.0), ("failed", 90_000.0)], LONGEST_COUNTED),
        ([("failed", 0.0), ("failed", 90_000.0), ("accepted", 90_001.0), ("failed", 90_002.0)], LONGEST_COUNTED),
        ([("failed", 0.0), *[(what, 100.0 * n) for n in range(1, 9) for what in ("accepted", "failed")]], 800.0),
    ],
)
def test_only_what_fails_among_accepted_events_fails_itself(moments: list[tuple[str, float]], expected: float) -> None:
    """Time counts against an event where others were accepted meanwhile; of an outage an hour at most does."""
    schedule = Schedule()
    batch = sent(schedule, 0.0, lambda: records(1))
    found = 0.0
    for what, now in moments:
        if what == "accepted":
            schedule.accepted(now)
        else:
            found = schedule.attempt(batch, TemporaryFailure("500"), now, 0.5).failing_for
            failed(schedule, batch, now)

    assert expected == found


def test_given_back_events_come_again_as_they_were() -> None:
    """Of a segment that is let go of nothing waits any more; how its events failed is known when they are taken again."""
    schedule = Schedule()
    one, other = Record(("a", 0), EVENT), Record(("b", 0), EVENT)
    batch = sent(schedule, 0.0, lambda: [one, other])
    failed(schedule, batch, 0.0)
    schedule.accepted(100.0)
    failed(schedule, sent(schedule, 300.0), 300.0)
    schedule.give_back("a")
    left, again = sent(schedule, 600.0), None
    schedule.ended(left)
    schedule.accepted(600.0)
    again = sent(schedule, 600.0, lambda: [one])

    assert ([other.position], [one]) == (left.positions, again.records)
    assert (2, 300.0, 300.0) == (again.failures, again.failing_for, again.failed_at)


def test_events_go_together_that_failed_together() -> None:
    """How a batch failed that was given back is nobody else's past: its events go together again, and alone."""
    schedule = Schedule()
    fresh, *failing = records(5)
    for first in (failing[:2], failing[2:]):
        failed(schedule, sent(schedule, 0.0, partial(list, first)), 0.0, hold=0.0)
    schedule.give_back("memory")
    left = [*failing, fresh]
    together = []
    while left:
        number = schedule.alike(left, 3)
        batch = sent(schedule, 10.0, partial(list, left[:number]))
        together.append((batch.records, batch.failures))
        del left[:number]

    assert [(failing[:2], 1), (failing[2:], 1), ([fresh], 0)] == together


@pytest.mark.parametrize("number, together", [(0, 0), (2, 2), (9, 3)])
def test_events_of_which_nothing_is_known_go_together(number: int, together: int) -> None:
    """Where no event failed before, a batch is as many as there are, up to the most."""
    assert together == Schedule().alike(records(number), 3)


def test_halves_know_that_they_failed() -> None:
    """When a batch is halved it has just failed: an outage that begins there buries neither half."""
    schedule = Schedule()
    failed(schedule, sent(schedule, 0.0, lambda: records(2)), 0.0)
    schedule.accepted(5.0)
    batch = sent(schedule, 10.0)
    batch.failing_for = GIVE_UP
    schedule.ended(batch)
    schedule.halve(batch, 10.0)
    half = sent(schedule, 10.0)
    verdict = judge(schedule.attempt(half, TemporaryFailure("down"), 11.0, 0.5))
    schedule.ended(half)
    schedule.failed(half, verdict, 11.0)
    other = sent(schedule, 400.0)
    schedule.ended(other)
    schedule.accepted(400.0)
    again = judge(schedule.attempt(sent(schedule, 800.0), TemporaryFailure("busy"), 800.0, 0.5))

    assert (Action.RETRY, Action.BURY) == (verdict.action, again.action)


def test_damaged_segment_is_forgotten() -> None:
    """What is taken again by other numbers has no past, were it half of what was refused or given back before."""
    schedule = Schedule()
    other = Record(("b", 0), EVENT)
    failed(schedule, sent(schedule, 0.0, lambda: [Record(("a", 9), EVENT), other]), 0.0, hold=0.0)
    failed(schedule, sent(schedule, 0.0, lambda: [Record(("a", 1), EVENT)]), 0.0, hold=0.0)
    schedule.give_back("a")
    refused = sent(schedule, 0.0, lambda: [Record(("a", 2), EVENT), Record(("a", 3), EVENT)])
    schedule.ended(refused)
    schedule.halve(refused, 0.0)
    schedule.forget("a")
    left = sent(schedule, 10.0, lambda: [Record(("a", 1), EVENT)])
    again = sent(schedule, 10.0, lambda: [Record(("a", 1), EVENT)])

    assert ([("b", 0)], 0) == (left.positions, again.failures)


def test_nothing_is_tried_that_was_given_back_meanwhile() -> None:
    """Whoever is asked for other events may give back what was due: then there is nothing to send."""
    schedule = Schedule()
    failed(schedule, sent(schedule, 0.0, lambda: [Record(("a", 0), EVENT)]), 0.0)

    def take() -> Sequence[Record]:
        schedule.give_back("a")
        return ()

    assert schedule.choose(10.0, take) is None
