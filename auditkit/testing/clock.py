"""A clock that tests drive: time stands still until it is told to move."""

from __future__ import annotations

import hashlib
import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_NEW_YEAR = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z, in nanoseconds
_SECOND = 1_000_000_000


class DrivenClock:
    """Keep the time of an `AuditTrail` in a test's hands.

    A retry that is due in five minutes is made as soon as the test says that they have passed, and not
    before; whoever waits for a time is woken by `advance` and looks at it again. What waits for work rather
    than for time (a lane for its journal, a caller for its receipt) waits as always.

    Usage::

        clock = DrivenClock()
        trail = AuditTrail(transport, directory=None, clock=clock)
        ...
        clock.advance(300)

    Args:
        start_ns: The time at first, in nanoseconds since the epoch; 2026 begins by default.
        chance: What `random` returns, in [0, 1): what jitter makes of it is known then.

    Attributes:
        chance: What `random` returns; may be set at any time.

    Thread-safety: all methods may be called from any thread.
    """

    def __init__(self, *, start_ns: int = _NEW_YEAR, chance: float = 0.5) -> None:
        self.chance = chance
        self._time_ns = start_ns
        self._monotonic = 0.0
        self._drawn = 0
        self._computed = threading.local()
        self._lock = threading.RLock()  # a signal handler that audits may come in here, on this very thread
        self._waiting: list[weakref.WeakMethod[Any]] = []

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once, and wake whoever waits for a time.

        Raises:
            ValueError: They are not above 0: time never goes back.
        """
        if not seconds > 0:
            raise ValueError(f"time only goes forward: seconds must be above 0, got {seconds!r}")
        with self._lock:
            self._time_ns += round(seconds * _SECOND)
            self._monotonic += seconds
            waiting = tuple(self._waiting)
        for reference in waiting:
            wake = reference()
            if wake is not None:
                wake()

    def compute(self, seconds: float) -> None:
        """Let the calling thread compute for ``seconds``: so much time passes, and so much of its own.

        Raises:
            ValueError: They are not above 0.
        """
        self.advance(seconds)
        self._computed.seconds = self.thread_time() + seconds

    def thread_time(self) -> float:
        """Return the seconds that the calling thread has computed, by what it was told."""
        computed: float = getattr(self._computed, "seconds", 0.0)
        return computed

    def time_ns(self) -> int:
        """Return the nanoseconds since the epoch that it was given, and those that have passed."""
        return self._time_ns

    def monotonic(self) -> float:
        """Return the seconds that have passed since it was made."""
        return self._monotonic

    def random(self) -> float:
        """Return `chance`."""
        return self.chance

    def token(self, size: int) -> bytes:
        """Return ``size`` bytes: others at each call, and the same in each run."""
        with self._lock:
            self._drawn += 1
            return hashlib.shake_128(b"%d" % self._drawn).digest(size)

    def on_jump(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, a bound method, after every `advance`, while its object lives."""
        with self._lock:
            self._waiting = [each for each in self._waiting if each() is not None]
            self._waiting.append(weakref.WeakMethod(wake))

    def __repr__(self) -> str:
        return f"<DrivenClock after {self._monotonic} s>"
