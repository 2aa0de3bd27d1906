"""How a destination stands, and what became of its events in this process."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditkit.protocols import Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.protocols import Position

REMEMBERED = 10_000  # dead letters whose reason a receipt can still tell
_LATELY = 2.0  # seconds at least over which a rate is measured


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStats:
    """What became of a destination's events in this process, and how it stands.

    Attributes:
        delivered: Events it accepted.
        dead_letters: Events it refused for good.
        failures: Attempts that failed.
        possible_duplicates: Events it accepted more than 24 hours after they were first sent to it: where an
            answer was lost and it keeps idempotency keys for a day, it may have these twice.
        pending: Events it has still to accept, as far as this process delivers them.
        rate: Events a second that it accepted lately.
        code: ``"failing"`` or ``"paused"`` where the last attempt failed, else empty.
        trouble: Why the last attempt failed; empty when it did not.
        since_ns: Since when attempts fail, in nanoseconds since the epoch; 0 when they do not.
    """

    delivered: int = 0
    dead_letters: int = 0
    failures: int = 0
    possible_duplicates: int = 0
    pending: int = 0
    rate: float = field(default=0.0, compare=False)  # it falls by itself: nothing has happened then
    code: str = ""
    trouble: str = ""
    since_ns: int = 0


class Tally:
    """Count; guarded by the lane's lock, but for ``reason``, which any thread may ask.

    Attributes:
        code: ``"failing"`` or ``"paused"`` where the last attempt failed, else empty.
    """

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self._delivered = self._buried = self._failures = self._doubtful = 0
        self.code = self._trouble = ""
        self._since_ns = self._accepted_ns = 0
        self._measured = (-math.inf, 0, 0.0)  # when the rate was, how many were delivered then, and the rate
        self._dead: OrderedDict[Position, str] = OrderedDict()

    def delivered(self, number: int) -> None:
        """Count events that the destination has."""
        self._delivered += number

    def doubted(self) -> None:
        """Count an event that the destination may have twice."""
        self._doubtful += 1

    def buried(self, positions: Sequence[Position], reason: str) -> None:
        """Count dead letters, and remember the reason for receipts."""
        for position in positions:
            self._dead[position] = reason
            if len(self._dead) > REMEMBERED:
                self._dead.popitem(last=False)
        self._buried += len(positions)

    def accepted(self, now_ns: int) -> None:
        """Note that the destination accepts events."""
        self._accepted_ns = now_ns
        self.code = self._trouble = ""
        self._since_ns = 0

    def failed(self, code: str, reason: str, now_ns: int) -> None:
        """Count an attempt that failed, and note why."""
        self._failures += 1
        self.code, self._trouble = code, reason
        self._since_ns = self._since_ns or now_ns

    def reason(self, position: Position) -> str | None:
        """Return why an event is in the dead letters; None where it is not, as far as is remembered."""
        return self._dead.get(position)

    def _rate(self, now: float) -> float:
        """Return how many events a second were accepted lately."""
        before, delivered, rate = self._measured
        if now - before >= _LATELY:
            rate = round((self._delivered - delivered) / (now - before), 2)
            self._measured = (now, self._delivered, rate)
        return rate

    def standing(self, now: float) -> Standing:
        """Return how the destination stands, for others to see; ``now`` is monotonic."""
        return Standing(
            delivered=self._delivered,
            failures=self._failures,
            rate=self._rate(now),
            accepted_ns=self._accepted_ns,
            code=self.code,
            trouble=self._trouble,
            since_ns=self._since_ns,
        )

    def stats(self, pending: int, now: float) -> LaneStats:
        """Return the counts as they are now; ``now`` is monotonic."""
        return LaneStats(
            delivered=self._delivered,
            dead_letters=self._buried,
            failures=self._failures,
            possible_duplicates=self._doubtful,
            pending=pending,
            rate=self._rate(now),
            code=self.code,
            trouble=self._trouble,
            since_ns=self._since_ns,
        )
