"""A clock that tests drive."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from auditkit.testing import DrivenClock

if TYPE_CHECKING:
    from auditkit.clock import Clock

CLOCK: type[Clock] = DrivenClock  # mypy sees that it is one


class Waiting:
    """Somebody who waits for a time."""

    def __init__(self, clock: DrivenClock) -> None:
        self.clock = clock
        self.woken: list[float] = []

    def wake(self) -> None:
        self.woken.append(self.clock.monotonic())


def test_clock_stands_still() -> None:
    """Both its times stand still until it is told to move, and then move together."""
    clock = DrivenClock(start_ns=1_000)
    before = clock.time_ns(), clock.monotonic()
    clock.advance(0.5)
    clock.advance(60)

    assert (1_000, 0.0) == before
    assert (60_500_001_000, 60.5) == (clock.time_ns(), clock.monotonic())
    assert "<DrivenClock after 60.5 s>" == repr(clock)


def test_clock_counts_what_a_thread_computes() -> None:
    """What a thread is told to compute is time that passes, and time of that thread alone."""
    clock = DrivenClock()
    clock.compute(0.5)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(clock.compute, 2).result()
        another = pool.submit(clock.thread_time).result()

    assert (0.5, 2.0, 2.5) == (clock.thread_time(), another, clock.monotonic())


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_clock_never_goes_back(seconds: float) -> None:
    """Time only goes forward."""
    with pytest.raises(ValueError, match="^time only goes forward: seconds must be above 0, got "):
        DrivenClock().advance(seconds)


def test_clock_wakes_who_waits() -> None:
    """Whoever waits for a time is woken after each move, and forgotten when it is gone."""
    clock = DrivenClock()
    staying, going = Waiting(clock), Waiting(clock)
    clock.on_jump(staying.wake)
    clock.on_jump(going.wake)
    clock.advance(1)
    woken = going.woken
    del going
    gc.collect()
    clock.advance(1)
    clock.on_jump(staying.wake)

    assert ([1.0, 2.0], [1.0]) == (staying.woken, woken)


def test_clock_s_chance_is_known() -> None:
    """Chance is what the test says, and tokens are others at each call and the same in each run."""
    clock, again = DrivenClock(chance=0.25), DrivenClock()
    tokens = [clock.token(16) for _ in range(3)]

    assert 0.25 == clock.random()
    clock.chance = 0.75
    assert 0.75 == clock.random()
    assert 3 == len({*tokens})
    assert tokens == [again.token(16) for _ in range(3)]
