"""When a file of lines is full, and what becomes of full ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.transports.rotation import fitting, rotated_name, surplus

NOON = 1_556_712_000_000_000_000  # 2019-05-01T12:00:00Z


@pytest.mark.parametrize(
    "lengths, size, max_bytes, expected",
    [
        ([10, 10], 0, None, 2),
        ([10, 10], 10**9, None, 2),
        ([10, 10, 10], 0, 30, 3),
        ([10, 10, 10], 0, 29, 2),
        ([10, 10, 10], 1, 30, 2),
        ([10], 20, 30, 1),
        ([10], 21, 30, 0),
        ([10], 99, 30, 0),
        ([99], 0, 30, 1),
        ([99, 1], 0, 30, 1),
        ([99], 1, 30, 0),
        ([], 5, 30, 0),
    ],
)
def test_fitting(lengths: list[int], size: int, max_bytes: int | None, expected: int) -> None:
    """As many lines go into a file as it may hold, and one that is larger than any file goes into an empty one."""
    assert fitting(lengths, size, max_bytes) == expected


@given(st.lists(st.integers(1, 50), min_size=1), st.integers(1, 60))
def test_fitting_comes_to_an_end(lengths: list[int], max_bytes: int) -> None:
    """Putting full files aside writes every line, and no file of several lines is longer than asked."""
    left, size, files = lengths, 0, 1
    while left:
        count = fitting(left, size, max_bytes)
        if not count:
            size, files = 0, files + 1
            continue
        size += sum(left[:count])
        assert size <= max_bytes or count == 1
        left = left[count:]

    assert files <= len(lengths)


def test_rotated_name_is_the_time() -> None:
    """A full file is called after the moment, to the microsecond, in UTC."""
    assert rotated_name("events.jsonl", ["events.jsonl"], NOON + 1999) == "events.jsonl.20190501T120000.000001Z"


@pytest.mark.parametrize("now_ns", [NOON, NOON - 10**9, 0])
def test_rotated_names_rise_though_time_does_not(now_ns: int) -> None:
    """A clock that stands still or goes back gives no name twice, and none that sorts before an older file's."""
    present = ["events.jsonl.20190501T120000.999999Z", "events.jsonl.20180501T120000.000000Z"]

    assert rotated_name("events.jsonl", present, now_ns) == "events.jsonl.20190501T120001.000000Z"


def test_surplus_is_the_oldest_of_ours() -> None:
    """Only full files of that very name are counted and removed: what else lies there is not ours."""
    old, middle, new = (f"events.jsonl.2019050{day}T120000.000000Z" for day in (1, 2, 3))
    others = [
        "events.jsonl",
        "events.jsonl.1",
        f"{old}.gz",
        "other.jsonl.20190401T120000.000000Z",
        "events.jsonl.20190401T120000.000000Z.part",
        "xevents.jsonl.20190401T120000.000000Z",
    ]
    present = [new, *others, old, middle]

    assert surplus("events.jsonl", present, 3) == []
    assert surplus("events.jsonl", present, 1) == [old, middle]
