"""How much of the interpreter a lane takes: decided from what it computed, and from whether it keeps up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.delivery.pace import BURST, WINDOW, Meter, Pace
from auditkit.testing import DrivenClock


@pytest.mark.parametrize(("share", "rest"), [(0.01, 0.99), (0.1, 0.36), (0.5, 0.04), (1.0, 0.0)])
def test_pace_rests_for_what_was_computed(share: float, rest: float) -> None:
    """Computing and the rest after it stand to each other as the share asks, but for a rest of a second at most."""
    pace = Pace(share)
    pace.spent(0.04, now=100.0)

    assert pytest.approx(min(rest if share > 0.01 else 1.0, 1.0)) == pace.rest(100.0)
    assert pytest.approx(max(0.0, pace.rest(100.0) - 0.02)) == pace.rest(100.02)
    assert 0.0 == pace.rest(102.0)


def test_pace_rests_once_for_many_events() -> None:
    """Cheap events are sent one after the other until a burst is full, and rested for together."""
    pace = Pace(0.1)
    pace.spent(0.75 * BURST, now=1.0)
    before = pace.rest(1.0)
    pace.spent(0.75 * BURST, now=1.0)

    assert 0.0 == before
    assert pytest.approx(1.5 * BURST * 9) == pace.rest(1.0)


@given(st.floats(0.05, 1.0), st.lists(st.floats(0.0001, 0.01), max_size=30))
def test_pace_keeps_the_share(share: float, costs: list[float]) -> None:
    """No more is computed than the share and one burst allow, and no less than the share."""
    pace = Pace(share)
    now = 0.0
    for cost in costs:
        now += pace.rest(now) + cost
        pace.spent(cost, now)
    now += pace.rest(now)
    open_burst = sum(costs) - share * now  # computed, and not yet rested for

    assert -1e-9 <= open_burst <= BURST


def test_pace_of_several_threads_adds_up() -> None:
    """What two threads of a lane computed is rested for twice as long."""
    pace = Pace(0.5)
    pace.spent(0.1, now=5.0)
    pace.spent(0.1, now=5.0)

    assert pytest.approx(0.2) == pace.rest(5.0)


def test_pace_rises_while_a_lane_falls_behind() -> None:
    """A share with which more is recorded than taken doubles with every window, up to all there is."""
    pace = Pace(0.2)
    shares = []
    for number in range(5):
        pace.went_on(number * WINDOW, recorded=number * 1000, taken=number * 999)
        shares.append(pace.share)

    assert [0.2, 0.4, 0.8, 1.0, 1.0] == shares


def test_pace_does_not_rise_for_a_burst() -> None:
    """Within a window nothing is compared: an application may record more than its lanes take for a while."""
    pace = Pace(0.2)
    pace.went_on(0.0, recorded=0, taken=0)
    pace.went_on(WINDOW * 0.9, recorded=10_000, taken=1)

    assert 0.2 == pace.share


def test_pace_stays_while_a_backlog_shrinks() -> None:
    """What a destination left waiting for a week is worked off at the usual pace, as long as it becomes less."""
    pace = Pace(0.1)
    for number in range(100):
        pace.went_on(number * WINDOW, recorded=number * 10, taken=number * 11)

    assert 0.1 == pace.share


def test_pace_falls_once_a_lane_has_caught_up() -> None:
    """A share that had to rise stays until nothing is left, so that what waits becomes less; then it is as before."""
    pace = Pace(0.1)
    pace.went_on(0.0, recorded=0, taken=0)
    pace.went_on(WINDOW, recorded=500, taken=100)
    pace.went_on(2 * WINDOW, recorded=600, taken=400)
    risen = pace.share
    pace.caught_up()

    assert (0.2, 0.1) == (risen, pace.share)


def test_pace_does_not_rise_for_an_outage() -> None:
    """What was recorded while a destination failed is not held against the pace."""
    pace = Pace(0.1)
    pace.went_on(0.0, recorded=0, taken=0)
    pace.held_up()
    pace.went_on(10 * WINDOW, recorded=1_000_000, taken=1)
    pace.went_on(11 * WINDOW, recorded=1_000_001, taken=5)

    assert 0.1 == pace.share


def test_meter_reads_what_was_computed_since() -> None:
    """A meter tells what its thread has computed since it was last asked."""
    clock = DrivenClock()
    clock.compute(7)
    meter = Meter(clock)
    clock.compute(0.5)
    clock.advance(30)

    assert (0.5, 0.0) == (meter.take(), meter.take())
