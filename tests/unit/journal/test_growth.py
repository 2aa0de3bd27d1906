"""No rise is missed by whoever waits for it, and waiting costs the recorder nothing else."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from auditkit.journal.growth import Growth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONG = 30.0  # seconds that only a lost wake-up would last


class _Staged:
    """A condition that lets a test act at the one moment that matters: when the waiter is about to wait."""

    def __init__(self, real: threading.Condition, about_to_wait: Callable[[], None]) -> None:
        self._real, self._about_to_wait = real, about_to_wait

    def __enter__(self) -> bool:
        return self._real.__enter__()

    def __exit__(self, *_: object) -> None:
        self._real.__exit__(None, None, None)

    def notify_all(self) -> None:
        self._real.notify_all()

    def wait(self, timeout: float) -> bool:
        self._about_to_wait()
        return self._real.wait(timeout)


@contextmanager
def waiting(growth: Growth, seen: int) -> Iterator[list[int]]:
    """Have another thread wait, and go on when it is about to; its answer is there at the end."""
    about, answer = threading.Event(), list[int]()
    growth._condition = _Staged(growth._condition, about.set)  # type: ignore[assignment]  # it has what is used
    thread = threading.Thread(target=lambda: answer.append(growth.wait(seen, LONG)))
    thread.start()
    about.wait()
    yield answer
    thread.join(LONG / 2)
    assert not thread.is_alive()


def rise(growth: Growth) -> None:
    """Record one event."""
    growth.number += 1
    growth.tell()


@pytest.mark.parametrize("act", [rise, Growth.wake])
def test_act_before_the_wait_is_seen(act: Callable[[Growth], None]) -> None:
    """What happened between a look and the wait ends the wait at once."""
    growth = Growth()
    seen = growth.wait(-1, LONG)
    act(growth)

    assert seen < growth.wait(seen, LONG)


@pytest.mark.parametrize("act", [rise, Growth.wake])
def test_act_when_about_to_wait_wakes(act: Callable[[Growth], None]) -> None:
    """What happens after the waiter looked and before it sleeps wakes it: the one gap that could lose it."""
    growth = Growth()
    seen = growth.moment
    with waiting(growth, seen) as answer:
        act(growth)

    assert [seen + 1] == answer


def test_nobody_waits_and_nobody_is_woken() -> None:
    """Without a waiter the recorder takes no lock."""
    growth = Growth()

    growth._condition = _Refusing()  # type: ignore[assignment]  # it has nothing, as nothing may be used
    rise(growth)

    assert (1, 0) == (growth.number, growth.waiting)


class _Refusing:
    """A condition that must not be touched."""


def test_wait_ends_by_its_timeout() -> None:
    """A wait for nothing lasts as long as it may and says that nothing came."""
    growth = Growth()

    assert (growth.moment, 0) == (growth.wait(growth.moment, 0.001), growth.waiting)


def test_wakes_and_rises_never_cancel_out() -> None:
    """Rises and wakes of several threads are all seen: each moves the moment, none is overwritten."""
    growth = Growth()
    lock = threading.Lock()

    def raise_it() -> None:
        for _ in range(2000):
            with lock:
                growth.number += 1

    def wake_it() -> None:
        for _ in range(2000):
            growth.wake()

    threads = [threading.Thread(target=each) for each in (raise_it, wake_it, raise_it, wake_it)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 8000 == growth.moment
