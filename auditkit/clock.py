"""Time and randomness: the one file that reads the real ones."""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
from typing import TYPE_CHECKING, Protocol

from auditkit.native import in_c

if TYPE_CHECKING:
    from collections.abc import Callable

_COUNTS = ["".join(digits) for digits in itertools.product("fedcba9876543210", repeat=3)]  # fff to 000
_MILLISECOND = 1_000_000


class Clock(Protocol):
    """What auditkit asks of time and chance, so that tests can drive both."""

    def time_ns(self) -> int:
        """Return nanoseconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards; deadlines use these."""
        ...

    def thread_time(self) -> float:
        """Return the seconds that the calling thread has computed."""
        ...

    def random(self) -> float:
        """Return a number in [0, 1), for jitter."""
        ...

    def token(self, size: int) -> bytes:
        """Return ``size`` bytes nobody can guess."""
        ...

    def on_jump(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, a bound method, whenever time has moved otherwise than by passing.

        Who waits for a time waits really; where time is driven by hand it has to look at it again.
        """
        ...


class SystemClock:
    """The machine's own time and randomness."""

    # Bound straight to the C functions: a Python frame here would cost the hot path 60 ns a call.
    time_ns = staticmethod(time.time_ns)
    monotonic = staticmethod(time.monotonic)
    thread_time = staticmethod(time.thread_time)
    random = staticmethod(random.random)
    token = staticmethod(os.urandom)

    def on_jump(self, wake: Callable[[], None]) -> None:
        """Do nothing: this time passes, and never jumps."""


@in_c("Ids")
class _Fields:
    __slots__ = ("_drawn", "_millisecond", "_prefix")


class IdSource(_Fields):
    """Make UUIDv7 texts, ascending within a process. Safe to call from any thread.

    Only who begins a millisecond or draws takes the lock: else two that draw at once could go back behind the
    ids that one of them has given meanwhile.

    An id is the millisecond, a counter and random bits (RFC 9562, section 6.2, method 1): the random bits are
    drawn once for 4,096 ids, which the counter tells apart, and the next ids begin in a later millisecond. A
    forked child drops its parent's bits.
    """

    __slots__ = ("__weakref__", "_lock", "clock")

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing drawn."""
        self.clock = clock
        self._lock = threading.RLock()  # a signal handler that audits may come in here, on this very thread
        # What the counter has still to say, from its end, and the random bits that go with it: read as one, so
        # that no count is ever used twice with the same bits.
        self._drawn: tuple[list[str], str] = ([], "")
        self._millisecond = 0
        self._prefix = ""

    def __call__(self) -> str:
        """Return one new id."""
        return self.at(self.clock.time_ns())

    @in_c("Ids.at", otherwise="id_at")
    def at(self, now_ns: int) -> str:
        """Return one new id for a time that the caller has read already."""
        if now_ns // _MILLISECOND > self._millisecond:
            self._turn(now_ns // _MILLISECOND)
        while True:
            counts, tail = self._drawn
            try:
                return self._prefix + counts.pop() + tail  # list.pop is atomic: no two threads get one count
            except IndexError:
                self._draw(counts)

    def clear(self) -> None:
        """Forget what was drawn, so that a forked child never repeats its parent's ids."""
        self._lock = threading.RLock()  # a thread of the parent may have held it
        self._drawn = ([], "")

    def _turn(self, millisecond: int) -> None:
        with self._lock:
            if millisecond > self._millisecond:
                text = f"{millisecond:012x}"
                self._prefix = f"{text[:8]}-{text[8:12]}-7"
                self._millisecond = millisecond

    def _draw(self, used_up: list[str]) -> None:
        with self._lock:
            if self._drawn[0] is not used_up:  # another thread has drawn meanwhile
                return
            drawn = self.clock.token(8).hex()
            self._turn(max(self.clock.time_ns() // _MILLISECOND, self._millisecond + 1))
            self._drawn = (_COUNTS.copy(), f"-{'89ab'[int(drawn[0], 16) & 3]}{drawn[1:4]}-{drawn[4:16]}")


new_id = IdSource(SystemClock())

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=new_id.clear)
