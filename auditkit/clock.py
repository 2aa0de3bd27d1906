"""Time and randomness: the one file that reads the real ones."""

from __future__ import annotations

import os
import random
import time
from typing import Protocol

_POOL = 256  # ids drawn at once: one system call for 256 instead of one each
_MILLISECOND = 1_000_000


class Clock(Protocol):
    """What auditkit asks of time and chance, so that tests can drive both."""

    def time_ns(self) -> int:
        """Return nanoseconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards; deadlines use these."""
        ...

    def random(self) -> float:
        """Return a number in [0, 1), for jitter."""
        ...

    def token(self, size: int) -> bytes:
        """Return ``size`` bytes nobody can guess."""
        ...


class SystemClock:
    """The machine's own time and randomness."""

    # Bound straight to the C functions: a Python frame here would cost the hot path 60 ns a call.
    time_ns = staticmethod(time.time_ns)
    monotonic = staticmethod(time.monotonic)
    random = staticmethod(random.random)
    token = staticmethod(os.urandom)


class IdSource:
    """Make UUIDv7 texts (RFC 9562, section 5.7), ascending within a process, safe to call from threads.

    Ids are drawn from a pool of random suffixes, sorted, so that ids made in one millisecond ascend; a
    new pool always begins with a new millisecond. A forked child drops its parent's pool.
    """

    __slots__ = ("__weakref__", "clock", "_millisecond", "_pool", "_prefix")

    def __init__(self, clock: Clock) -> None:
        """Begin with an empty pool."""
        self.clock = clock
        self._pool: list[str] = []
        self._millisecond = 0
        self._prefix = ""

    def __call__(self) -> str:
        """Return one new id."""
        return self.at(self.clock.time_ns())

    def at(self, now_ns: int) -> str:
        """Return one new id for a time that the caller has read already."""
        if now_ns // _MILLISECOND > self._millisecond:
            self._turn(now_ns // _MILLISECOND)
        try:
            return self._prefix + self._pool.pop()  # list.pop is atomic: no two threads get one suffix
        except IndexError:
            self._fill()
            return self.at(now_ns)

    def clear(self) -> None:
        """Forget the pool, so that a forked child never repeats its parent's ids."""
        self._pool = []

    def _turn(self, millisecond: int) -> None:
        self._millisecond = millisecond
        text = f"{millisecond:012x}"
        self._prefix = f"{text[:8]}-{text[8:12]}-7"

    def _fill(self) -> None:
        raw = self.clock.token(_POOL * 10).hex()
        suffixes = [
            f"{raw[i : i + 3]}-{'89ab'[int(raw[i + 3], 16) & 3]}{raw[i + 4 : i + 7]}-{raw[i + 7 : i + 19]}"
            for i in range(0, len(raw), 20)
        ]
        suffixes.sort(reverse=True)
        self._turn(max(self.clock.time_ns() // _MILLISECOND, self._millisecond + 1))
        self._pool = suffixes


new_id = IdSource(SystemClock())

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=new_id.clear)
