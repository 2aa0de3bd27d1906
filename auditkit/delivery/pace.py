"""How much of the interpreter a lane takes while nobody waits for it.

A lane computes, and then rests for as long as keeps it within its share. A share that cannot keep up with what is
recorded would fill the disk in the end: it doubles with every ten seconds in which more was recorded than taken,
and is as it was once the lane has caught up.

Pure: time is an argument, and whoever calls holds the lane's lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from auditkit.clock import Clock

WINDOW = 10.0  # seconds over which what was recorded is compared with what was taken
# Seconds that a lane computes between two rests. After each event would be worse for both: a processor whose caches
# others had meanwhile took three times as long for the next one, and held the interpreter for as long (measured).
BURST = 0.02
_LONGEST = 1.0  # seconds of one rest at most, whatever was computed


class _Mark(NamedTuple):
    """What a lane had done by a time."""

    at: float
    recorded: int
    taken: int


class Pace:
    """Decide how long a lane rests.

    Args:
        share: The part of one processor's time that it may take, in (0, 1]; at 1 it never rests.

    Attributes:
        share: The part that it may take now.
    """

    def __init__(self, share: float) -> None:
        """Begin rested."""
        self.share = share
        self._usual = share
        self._computed = 0.0  # seconds since the last rest
        self._until = 0.0
        self._mark: _Mark | None = None

    def spent(self, computed: float, now: float) -> None:
        """Hear that a thread of the lane has computed for so many seconds."""
        self._computed += computed
        if self._computed >= BURST:
            rest = self._computed * (1 / self.share - 1)
            self._until = min(max(self._until, now) + rest, now + _LONGEST)
            self._computed = 0.0

    def rest(self, now: float) -> float:
        """Return the seconds that the lane still rests; 0 where it goes on."""
        return max(0.0, self._until - now)

    def caught_up(self) -> None:
        """Hear that nothing is left to take."""
        self.share = self._usual
        self._mark = None

    def went_on(self, now: float, recorded: int, taken: int) -> None:
        """Hear how many events were recorded and taken so far, in a lane that has more to take."""
        mark = self._mark
        if mark is None:
            self._mark = _Mark(now, recorded, taken)
        elif now - mark.at >= WINDOW:
            if recorded - mark.recorded > taken - mark.taken:
                self.share = min(1.0, 2 * self.share)
            self._mark = _Mark(now, recorded, taken)

    def held_up(self) -> None:
        """Hear that the destination fails: what was recorded and taken meanwhile says nothing of the pace."""
        self._mark = None


class Meter:
    """Read how long the present thread has computed. For one thread.

    Args:
        clock: Whose time of threads it reads.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin at nothing."""
        self._read = clock.thread_time
        self._at = self._read()

    def take(self) -> float:
        """Return the seconds computed since it was last asked."""
        before, self._at = self._at, self._read()
        return self._at - before
