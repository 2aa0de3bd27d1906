"""What a lane sends next, and when: what waits to be tried again, and how long the destination is left alone.

Pure: time is an argument, and whoever calls holds the lane's lock.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from auditkit.delivery.verdict import LONGEST_COUNTED, Attempt, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from auditkit.protocols import Position, Record

HELD_BACK = 4096  # events that may wait to be tried again before no others are taken: memory is bounded
_PROBED = 16_384  # the same while nothing is accepted: what was not tried yet may be
_REMEMBERED = 16_384  # events that were given back of which it is known how they failed


@dataclass(slots=True)
class Batch:
    """Events on their way together.

    Attributes:
        positions: The events' places.
        records: The events; none while they wait to be tried again, since there may be many, and large.
        failures: How often they failed.
        failing_for: Seconds for which they failed while others were accepted, up to ``counted_at``.
        counted_at: When that was last counted; infinite before they failed at all.
        failed_at: When they last failed.
        concluded: What became of them, once only their acknowledgement is missing.
        first_ns: When the event was first sent, in nanoseconds since the epoch, where an earlier answer to the
            same bytes was lost; else 0.
    """

    positions: Sequence[Position]
    records: Sequence[Record] = ()
    failures: int = 0
    failing_for: float = 0.0
    counted_at: float = math.inf
    failed_at: float = math.inf
    concluded: Verdict | None = None
    first_ns: int = 0

    def halves(self, now: float) -> list[Batch]:
        """Return the two halves of a batch that failed now."""
        middle = len(self.positions) // 2
        parts = (self.positions[:middle], self.positions[middle:])
        return [replace(self, positions=part, records=(), failed_at=now) for part in parts]

    def failing(self, now: float, accepted_at: float) -> float:
        """Return the seconds for which they failed while others were accepted.

        What lies between two failures counts where anything was accepted in between, and no more of it than
        `LONGEST_COUNTED`: events that waited while the destination was down were not failing.
        """
        if accepted_at <= self.counted_at:
            return self.failing_for
        return self.failing_for + min(now - self.counted_at, LONGEST_COUNTED)


class Schedule:
    """Decide which batch is sent next.

    While a destination fails it gets one attempt at a time, of what was not tried yet where there is any: events
    that only fail themselves cannot pass for a destination that is down for longer than there are such in a row.

    Attributes:
        taken: How many events were taken from the journal.
        blocks: How many attempts failed with none accepted since.
        accepted_at: When the destination last accepted anything.
    """

    def __init__(self) -> None:
        """Begin with a destination of which nothing is known."""
        self.taken = 0
        self.blocks = 0
        self.accepted_at = -math.inf
        self._under_way: list[Batch] = []
        self._halves: deque[Batch] = deque()  # of batches that were refused: sent before all else
        self._retries: list[tuple[float, int, Batch]] = []
        self._queued = 0
        self._held_back = 0
        self._past: dict[Position, Batch] = {}  # how events failed that were given back
        self._left_alone_until = -math.inf
        self._asked_until = -math.inf

    # ------------------------------------------------------------------ choosing

    def choose(self, now: float, take: Callable[[], Sequence[Record]]) -> Batch | None:
        """Return what to send now, if anything; ``take`` gives events that were not tried yet, or that are `alike`.

        What is tried again comes without its events.
        """
        if now < self.closed_until or (self.blocks and self.in_flight):
            return None
        if self._halves:
            half = self._halves.popleft()
            self._under_way.append(half)
            return half
        if self._is_due(now) and (not self.blocks or self._retries[0][2].concluded):
            return self._retry()
        records = take()
        if not records:  # what was due may have been given back
            return self._retry() if self._is_due(now) else None
        positions = [record.position for record in records]
        past = [self._past.pop(position, None) for position in positions] if self._past else [None]
        batch = Batch(positions, records) if past[0] is None else replace(past[0], positions=positions, records=records)
        self.taken += len(records)
        self._under_way.append(batch)
        return batch

    def _is_due(self, now: float) -> bool:
        return bool(self._retries) and self._retries[0][0] <= now

    def _retry(self) -> Batch:
        batch = heapq.heappop(self._retries)[2]
        self._held_back -= len(batch.positions)
        self._under_way.append(batch)
        return batch

    @property
    def is_full(self) -> bool:
        """Return whether so much waits to be tried again that nothing else may be taken."""
        return self._held_back >= (_PROBED if self.blocks else HELD_BACK)

    def give_back(self, segment: str) -> None:
        """Let go of a segment's events until they are taken again; its name is none of `concluding`.

        How long an event failed is remembered: it would never be given up else.
        """
        for batch, back in self._let_go(segment):
            self._past.update(dict.fromkeys(back, replace(batch, positions=())))
        for position in list(self._past)[:-_REMEMBERED]:
            del self._past[position]

    def forget(self, segment: str) -> None:
        """Let go of a segment's events, which are taken again by other numbers: it was damaged meanwhile."""
        self._let_go(segment)
        for position in [position for position in self._past if position[0] == segment]:
            del self._past[position]

    def _let_go(self, segment: str) -> list[tuple[Batch, list[Position]]]:
        found: list[tuple[Batch, list[Position]]] = []
        for batch in [*self._halves, *(batch for _, _, batch in self._retries)]:
            back = [position for position in batch.positions if position[0] == segment]
            batch.positions = [position for position in batch.positions if position[0] != segment]
            found.append((batch, back))
        self._halves = deque(batch for batch in self._halves if batch.positions)
        self._retries = [each for each in self._retries if each[2].positions]
        heapq.heapify(self._retries)
        self._held_back = sum(len(batch.positions) for _, _, batch in self._retries)
        return found

    def alike(self, records: Collection[Record], most: int) -> int:
        """Return how many of the first of these may go together: those that failed together before, or none did."""
        if most == 1 or not self._past:
            return min(most, len(records))
        past = [self._past.get(record.position) for record in islice(records, most)]
        return sum(1 for _ in takewhile(lambda each: each is past[0], past))

    @property
    def concluding(self) -> set[str]:
        """Return the segments of events of which only the acknowledgement is missing."""
        concluded = [batch for _, _, batch in self._retries if batch.concluded]
        return {segment for batch in concluded for segment, _ in batch.positions}

    def ended(self, batch: Batch) -> None:
        """Hear that a batch is not being sent any more."""
        self._under_way = [each for each in self._under_way if each is not batch]

    def is_sending(self, segment: str) -> bool:
        """Return whether events of a segment are being sent."""
        return any(position[0] == segment for batch in self._under_way for position in batch.positions)

    @property
    def in_flight(self) -> int:
        """Return how many batches are being sent."""
        return len(self._under_way)

    @property
    def closed_until(self) -> float:
        """Return until when the destination gets nothing."""
        return max(self._left_alone_until, self._asked_until)

    def rest(self, now: float) -> float:
        """Return the seconds until there may be something to do of which nobody tells; infinite for never."""
        if self.closed_until > now:
            return self.closed_until - now
        if self.blocks and self.in_flight:
            return math.inf  # the end of that attempt is told
        if self._halves:
            return 0.0
        return max(0.0, self._retries[0][0] - now) if self._retries else math.inf

    @property
    def waits(self) -> bool:
        """Return whether anything is being sent or is to be tried again."""
        return bool(self._under_way or self._halves or self._retries)

    # ------------------------------------------------------------------ learning

    def attempt(self, batch: Batch, error: BaseException, now: float, chance: float) -> Attempt:
        """Return what is known of an attempt that ended now."""
        return Attempt(
            error=error,
            size=len(batch.positions),
            failures=batch.failures,
            blocks=self.blocks,
            failing_for=batch.failing(now, self.accepted_at),
            failed_ago=max(0.0, now - batch.failed_at),
            accepted_ago=now - self.accepted_at,
            chance=chance,
        )

    def accepted(self, now: float) -> None:
        """Hear that the destination accepted something: it is there."""
        self.accepted_at = now
        self.blocks = 0
        self._left_alone_until = -math.inf

    def failed(self, batch: Batch, verdict: Verdict, now: float) -> None:
        """Hear that a batch failed and is to be tried again."""
        batch.failures += 1
        if batch.counted_at == math.inf or self.accepted_at > batch.counted_at:
            batch.failing_for, batch.counted_at = batch.failing(now, self.accepted_at), now
        batch.failed_at = now
        if verdict.hold:
            self.blocks += 1
            self._left_alone_until = now + verdict.hold
        if verdict.asked:
            self._asked_until = now + verdict.hold
        for part in batch.halves(now) if verdict.apart else [batch]:
            self.queue(part, now + verdict.wait)

    def halve(self, batch: Batch, now: float) -> None:
        """Put the two halves of a batch that failed now where they are sent next, in their order."""
        self._halves.extendleft(reversed(batch.halves(now)))

    def queue(self, batch: Batch, due: float) -> None:
        """Keep a batch to be tried when it is due."""
        self._queued += 1  # breaks ties, so that two batches are never compared
        self._held_back += len(batch.positions)
        batch.records = ()
        heapq.heappush(self._retries, (due, self._queued, batch))

    def hurry(self) -> None:
        """Make everything due at once, but for what the destination itself asked to wait for."""
        self._left_alone_until = -math.inf
        self._retries = [(-math.inf, order, batch) for _, order, batch in self._retries]
        heapq.heapify(self._retries)
