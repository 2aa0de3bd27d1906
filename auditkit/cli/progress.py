"""How a delivery goes, told on one line of a terminal, or as a line of log now and then."""

from __future__ import annotations

import math
import shutil
from typing import TYPE_CHECKING, TextIO

from auditkit.cli.output import say
from auditkit.rendering import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditkit.clock import Clock
    from auditkit.delivery import LaneStats

_STALLED = 60.0  # seconds without an event accepted after which nothing more is waited for
_LOGGED = 60.0  # seconds between lines of log
_LINE_START = "\r\x1b[K"  # to the line's begin, and clear it


def standing(name: str, stats: LaneStats) -> str:
    """Return how a destination stands, in words. Pure."""
    parts = [f"{stats.delivered} delivered", f"{stats.pending} left"]
    if stats.dead_letters:
        parts.append(f"{stats.dead_letters} refused (in the dead letters)")
    return printable(f"{name}: {', '.join(parts)}{f' ({stats.code}: {stats.trouble})' if stats.trouble else ''}")


class Patience:
    """How long a delivery is waited for.

    Args:
        clock: Time.
        timeout: Seconds in all; None for as long as something is accepted.
    """

    def __init__(self, clock: Clock, timeout: float | None) -> None:
        self._clock = clock
        self._end = math.inf if timeout is None else clock.monotonic() + timeout
        self._timeout = timeout
        self._settled = 0
        self._moved = clock.monotonic()

    def share(self, seconds: float) -> float:
        """Return so many seconds, or those that are left."""
        return max(0.0, min(seconds, self._end - self._clock.monotonic()))

    def ends(self, stats: Mapping[str, LaneStats]) -> bool:
        """Return whether it is over."""
        now = self._clock.monotonic()
        settled = sum(each.delivered + each.dead_letters for each in stats.values())
        if settled != self._settled:
            self._settled, self._moved = settled, now
        return now >= self._end or (self._timeout is None and now - self._moved >= _STALLED)


class Progress:
    """Tell how it goes: always on a terminal, else once a minute where anything has changed.

    Args:
        stream: Where to.
        clock: Time.
    """

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream, self._clock = stream, clock
        self._on_terminal = stream.isatty()
        self._told: Mapping[str, LaneStats] = {}
        self._next = clock.monotonic() + _LOGGED

    def show(self, stats: Mapping[str, LaneStats]) -> None:
        """Tell how it goes now."""
        line = "; ".join(standing(name, each) for name, each in stats.items())
        if self._on_terminal:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(_LINE_START + line[:width])
            self._stream.flush()
        elif stats != self._told and self._clock.monotonic() >= self._next:
            say(self._stream, f"auditkit: {line}")
            self._told = dict(stats)
            self._next = self._clock.monotonic() + _LOGGED

    def clear(self) -> None:
        """Leave a terminal's line as it was before."""
        if self._on_terminal:
            self._stream.write(_LINE_START)
            self._stream.flush()
