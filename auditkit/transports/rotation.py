"""When a file of lines is full, what it is called then, and which old ones go. Pure.

A full file takes a name with the time, which it keeps: ``events.jsonl.20261123T081201.170586Z``. So whoever reads or
archives it never finds another one under its name, and the names sort by age.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TIME = "%Y%m%dT%H%M%S.%fZ"
_TIMED = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fitting(lengths: Sequence[int], size: int, max_bytes: int | None) -> int:
    """Return how many of the next lines go into a file; none where it is full.

    Args:
        lengths: How long each line is, in bytes.
        size: How long the file is; an empty one takes a line that is larger than any file may be.
        max_bytes: How long it may become; None has no end.
    """
    if max_bytes is None:
        return len(lengths)
    count = 0
    for length in lengths:
        if size and size + length > max_bytes:
            break
        size += length
        count += 1
    return count


def rotated_name(name: str, present: Iterable[str], now_ns: int) -> str:
    """Return what a full file is called: after all that were full before, though the clock went back.

    Args:
        name: The file's name.
        present: What is in its directory.
        now_ns: Nanoseconds since the epoch.
    """
    now = _EPOCH + timedelta(microseconds=now_ns // 1000)
    times = _times(name, present)
    if times:
        last = datetime.strptime(times[-1], _TIME).replace(tzinfo=UTC)
        now = max(now, last + timedelta(microseconds=1))
    return f"{name}.{now.strftime(_TIME)}"


def surplus(name: str, present: Iterable[str], keep: int) -> list[str]:
    """Return the full files beyond the newest ``keep``, oldest first; what bears any other name is nobody's here."""
    times = _times(name, present)
    return [f"{name}.{time}" for time in times[: max(0, len(times) - keep)]]


def _times(name: str, present: Iterable[str]) -> list[str]:
    ours = (each.removeprefix(f"{name}.") for each in present if each.startswith(f"{name}."))
    return sorted(time for time in ours if _TIMED.fullmatch(time))
