"""Ids: UUIDv7, unique and ascending, whatever the clock does."""

from __future__ import annotations

import gc
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.clock import IdSource, SystemClock, new_id
from auditkit.testing import DrivenClock

if TYPE_CHECKING:
    from collections.abc import Iterator

MILLISECOND = 1_000_000
BLOCK = 4096  # ids that share their random bits
V7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class ScriptedClock(SystemClock):
    """Give the times of a script, and the last one for ever after."""

    def __init__(self, times: Iterator[int]) -> None:
        self._times = times
        self._latest = 0
        self.time_ns = self._next

    def _next(self) -> int:
        self._latest = next(self._times, self._latest)
        return self._latest


@pytest.fixture
def often_switching() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def milliseconds(event_id: str) -> int:
    return UUID(event_id).int >> 80


def test_id_is_a_uuid_of_version_7() -> None:
    """An id is the lower-case text of a UUID of RFC 9562's version 7 and variant."""
    ids = [new_id() for _ in range(3 * BLOCK)]
    uuids = [UUID(each) for each in ids]

    assert [] == [each for each in ids if not V7.fullmatch(each)]
    assert {(7, RFC_4122)} == {(each.version, each.variant) for each in uuids}
    assert ids == [str(each) for each in uuids]


def test_id_begins_with_the_millisecond() -> None:
    """The first 48 bits of an id are the clock's milliseconds; what begins a block begins in the next one."""
    clock = DrivenClock()
    source = IdSource(clock)
    found = []
    for _ in range(5):
        now = clock.time_ns() // MILLISECOND
        found.append(milliseconds(source()) - now)
        clock.advance(1)

    assert [1, 0, 0, 0, 0] == found


def test_ids_are_unique_and_ascending() -> None:
    """Ids of one thread ascend as texts, across many blocks and milliseconds."""
    ids = [new_id() for _ in range(5 * BLOCK)]

    assert len(ids) == len(set(ids))
    assert ids == sorted(ids)


def test_ids_ascend_while_the_clock_stands() -> None:
    """Ids ascend also when more than a block of them is made within one millisecond."""
    source = IdSource(DrivenClock())
    ids = [source() for _ in range(3 * BLOCK)]

    assert len(ids) == len(set(ids))
    assert ids == sorted(ids)


def test_ids_ascend_when_the_clock_goes_back() -> None:
    """Ids ascend through a clock that is set back an hour, and catch up with it later."""
    start, hour = 1_800_000_000_000 * MILLISECOND, 3_600_000 * MILLISECOND
    times = [start, start + 1, start - hour, *[start - hour + n * MILLISECOND for n in range(BLOCK)], start + hour]
    source = IdSource(ScriptedClock(iter(times)))
    ids = [source() for _ in range(2 * BLOCK)]

    assert ids == sorted(set(ids))
    assert (start + hour) // MILLISECOND <= milliseconds(ids[-1])


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=60), st.integers(1, BLOCK))
def test_ids_ascend_whatever_the_clock_does(moves: list[int], used: int) -> None:
    """Ids ascend for every sequence of steps forward and back, wherever in a block it happens."""
    now = 1_800_000_000_000 * MILLISECOND
    source = IdSource(DrivenClock(start_ns=now))
    ids = [source.at(now) for _ in range(BLOCK - used % 40)]
    for move in moves:
        now += move * MILLISECOND
        ids.append(source.at(now))

    assert all(earlier < later for earlier, later in pairwise(ids))


def test_at_takes_the_time_it_is_given() -> None:
    """An id for a given time begins with that time's millisecond."""
    source = IdSource(DrivenClock())
    source()
    later = source.clock.time_ns() + 5000 * MILLISECOND

    assert later // MILLISECOND == milliseconds(source.at(later))


def test_ids_of_threads_are_unique() -> None:
    """Threads that make ids at once never get one twice, and each of them sees its own ids differ."""
    source = IdSource(SystemClock())

    def make(_: int) -> list[str]:
        return [source() for _ in range(2 * BLOCK)]

    with ThreadPoolExecutor(8) as pool:
        made = [each for ids in pool.map(make, range(8)) for each in ids]

    assert len(made) == len(set(made))


def test_ids_of_threads_ascend_in_each(often_switching: None) -> None:
    """The ids that one thread gets ascend, also while other threads make some."""
    source = IdSource(SystemClock())

    def descents(_: int) -> int:
        ids = [source() for _ in range(5 * BLOCK)]
        return sum(earlier >= later for earlier, later in pairwise(ids))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(descents, range(8)))

    assert [0] * 8 == found


def test_two_sources_differ() -> None:
    """Two processes' sources at the same moment differ in their random bits."""
    clock = SystemClock()
    first, second = IdSource(clock), IdSource(clock)

    assert set() == {first() for _ in range(BLOCK)} & {second() for _ in range(BLOCK)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_ids_after_a_fork_are_disjoint() -> None:
    """A forked child and its parent, both in the middle of a block, never make the same id."""
    new_id()
    reading, writing = os.pipe()
    gc.collect()  # the child leaves by _exit: what is collected in it would warn of nothing
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, "\n".join(new_id() for _ in range(1000)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        theirs = set(pipe.read().split())
    _, status = os.waitpid(child, 0)
    mine = {new_id() for _ in range(1000)}

    assert 0 == status
    assert (1000, 1000) == (len(mine), len(theirs))
    assert set() == mine & theirs


def test_system_clock_is_the_machines() -> None:
    """The system's clock goes forward, its chance is in [0, 1), its tokens are as long as asked and differ."""
    clock = SystemClock()
    before, after = clock.monotonic(), clock.monotonic()
    clock.on_jump(test_system_clock_is_the_machines)

    assert before <= after
    assert 1_600_000_000 * 10**9 < clock.time_ns()
    assert 0 <= clock.random() < 1
    assert 16 == len(clock.token(16))
    assert clock.token(16) != clock.token(16)
