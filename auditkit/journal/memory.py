"""The journal in memory: for tests, read-only hosts and functions that flush before they return."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from auditkit.encoding import MAX_RECORD, encode
from auditkit.errors import JournalError, JournalFull
from auditkit.journal.growth import Growth
from auditkit.journal.oversize import cut_to_record, tell_cut
from auditkit.protocols import Mark, Record

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from auditkit.draft import Draft
    from auditkit.event import Event
    from auditkit.protocols import Frozen, Position, Standing
    from auditkit.reporting import Reporter

_SEGMENT = "memory"
_UNKEPT = (_SEGMENT, -1)  # the position of what nobody will ask for
MAX_RECORDS = 65_536  # events that may wait at once


class MemoryJournal:
    """Keep events until every lane has them, or the process ends. Safe to call from any thread.

    Args:
        reporter: Where trouble is told.
        max_records: How many may wait; past it events are refused.
    """

    syncs_each = False
    distrusted_ns = 0

    def __init__(self, *, reporter: Reporter, max_records: int = MAX_RECORDS) -> None:
        """Begin empty."""
        self._reporter = reporter
        self._max_records = max_records
        self._drafts: dict[int, Draft] = {}
        self._first = 0  # the index of the oldest draft that is kept
        self._end = 0  # the index that the next one will have
        self._lock = threading.RLock()
        self._growth = Growth()
        self._feeds: list[MemoryFeed] = []

    def append(self, draft: Draft) -> Position:
        """Keep one event.

        Without a lock: where nothing is called, no other thread and no signal handler comes between.

        Raises:
            JournalFull: Too many wait.
        """
        drafts, growth = self._drafts, self._growth
        if len(drafts) >= self._max_records:
            self.ensure_room()
        position = _UNKEPT
        if self._feeds:
            index = self._end
            drafts[index] = draft
            self._end = index + 1
            position = (_SEGMENT, index)
        growth.number += 1
        if growth.waiting:
            growth.tell()
        return position

    def ensure_room(self) -> None:
        """Return if one more event may wait.

        Raises:
            JournalFull: It may not.
        """
        if len(self._drafts) >= self._max_records:
            raise JournalFull(
                f"{self._max_records} events wait in memory, the most that may; give configure() a directory"
            )

    def feed(self, lane: str, *, durable: bool) -> MemoryFeed:
        """Return what the lane of this name has still to deliver; durability has no meaning here."""
        del lane, durable
        with self._lock:
            feed = MemoryFeed(self, self._first)
            self._feeds.append(feed)
        return feed

    def drop(self, feed: MemoryFeed) -> None:
        """Keep nothing for this feed any more."""
        with self._lock:
            if feed in self._feeds:
                self._feeds.remove(feed)
            self.trim()

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until the journal has grown beyond ``seen`` or somebody wakes all, at most ``timeout`` seconds.

        Returns:
            A number that rises with each event and with each wake.
        """
        return self._growth.wait(seen, timeout)

    def recorded(self) -> int:
        """Return how many events this process has recorded here."""
        return self._growth.number

    def wake(self) -> None:
        """Wake every lane that waits, or is about to."""
        self._growth.wake()

    def since(self, index: int, limit: int) -> list[tuple[int, Draft]]:
        """Return up to ``limit`` drafts from ``index`` on."""
        with self._lock:
            return [(each, self._drafts[each]) for each in range(index, min(index + limit, self._end))]

    def fitted(self, index: int, draft: Draft) -> Draft:
        """Return a draft as the journal on disk would have kept it: one that is too large is cut, once for all lanes.

        Not in `append`: only JSON tells the size, and making that costs more than all else there.
        """
        size = len(encode(draft))
        if size <= MAX_RECORD:
            return draft
        cut = draft
        with suppress(JournalError):  # nothing of it can be cut: a lane cannot tell who recorded it
            cut = cut_to_record(draft, size)
        with self._lock:
            is_first = self._drafts.get(index) is draft
            if is_first:
                self._drafts[index] = cut
        if is_first and cut is not draft:
            tell_cut(self._reporter, draft.action, size)
        return cut

    def end(self) -> int:
        """Return the index that the next event will have."""
        return self._end

    def trim(self) -> None:
        """Forget what every lane has."""
        with self._lock:
            done = min((feed.index for feed in self._feeds), default=self.end())
            for index in range(self._first, done):  # a handler that comes in between may forget the rest
                self._drafts.pop(index, None)
                self._first = max(self._first, index + 1)

    def sync(self) -> bool:
        """Do nothing: there is no device."""
        return True

    def latest(self) -> int:
        """Return a number that `settle` takes."""
        return self._growth.number

    def settle(self, number: int) -> None:
        """Do nothing: there is no device."""

    def start(self) -> None:
        """Do nothing: there is nothing to sync."""

    def stop(self) -> None:
        """Do nothing: nothing runs."""

    def rest(self) -> None:
        """Do nothing: nothing is kept."""


class MemoryFeed:
    """One lane's way through a journal in memory.

    Attributes:
        index: The first record that is not acknowledged.
    """

    def __init__(self, journal: MemoryJournal, index: int) -> None:
        """Begin at the oldest record that is kept."""
        self._journal = journal
        self.index = index
        self._next = index
        self._ahead: set[int] = set()
        self._bodies: dict[int, Frozen] = {}
        self._closed = False
        self.dead: list[tuple[Event, str]] = []
        self.doubtful: list[tuple[Event, int]] = []

    def take(self, limit: int) -> Sequence[Record]:
        """Return up to ``limit`` records not handed out yet, oldest first; empty when there are none."""
        if self._closed:
            return []
        found = self._journal.since(self._next, limit)
        self._next += len(found)
        return self._as_records(found)

    def again(self, positions: Sequence[Position]) -> Sequence[Record]:
        """Return records once more that were handed out and are not acknowledged."""
        return self._as_records([each for _, index in positions for each in self._journal.since(index, 1)])

    def begin_anew(self, segment: str) -> None:
        """Do nothing: memory is not damaged."""

    def _as_records(self, found: Sequence[tuple[int, Draft]]) -> Sequence[Record]:
        return [Record((_SEGMENT, index), self._journal.fitted(index, draft).event()) for index, draft in found]

    def acknowledge(self, positions: Sequence[Position]) -> None:
        """Say that the destination has these records for good.

        Raises:
            ValueError: One was never handed out.
        """
        for _, index in positions:
            self._bodies.pop(index, None)
            if index >= self._next:
                raise ValueError(f"record {index} was never handed out")
            if index >= self.index:
                self._ahead.add(index)
        while self.index in self._ahead:
            self._ahead.discard(self.index)
            self.index += 1
        self._journal.trim()

    def keep_body(self, position: Position, frozen: Frozen) -> None:
        """Keep what is about to be sent of a record, until it is acknowledged."""
        self._bodies[position[1]] = frozen

    def drop_body(self, position: Position) -> None:
        """Keep it no longer: the destination did not take it."""
        self._bodies.pop(position[1], None)

    def kept_body(self, position: Position) -> Frozen | None:
        """Return what was sent of a record before."""
        return self._bodies.get(position[1])

    def mark(self) -> Mark:
        """Return what `reached` must be asked to hear of all that is pending now."""
        return {_SEGMENT: self._journal.end()}

    def reached(self, mark: Mark) -> bool:
        """Return whether all is acknowledged that was pending at a mark."""
        return self._closed or self.index >= mark[_SEGMENT]

    def is_renumbered(self, position: Position) -> bool:
        """Return False: memory is not damaged."""
        del position
        return False

    def give_way(self, needed: Collection[str]) -> str | None:
        """Do nothing: there is one segment."""
        del needed
        return None

    def passed(self, position: Position) -> bool | None:
        """Return whether the record was acknowledged; None when nobody can know."""
        if self._closed or not position[0]:
            return None
        return position[1] < self.index or position[1] in self._ahead

    def scan(self, *, eager: bool = False) -> None:
        """Do nothing: nobody else's events are here."""

    def tell(self, standing: Standing) -> None:
        """Do nothing: no other process can look into this one's memory."""

    def pending(self) -> int:
        """Return how many records are not acknowledged."""
        return 0 if self._closed else self._journal.end() - self.index - len(self._ahead)

    def unreadable(self) -> bool:
        """Return False: there is nothing that this process did not write."""
        return False

    def bury(self, event: Event, reason: str) -> None:
        """Keep a dead letter for as long as the process lives."""
        self.dead.append((event, reason))

    def refusal(self, event_id: str) -> str | None:
        """Return None: only this process buries its events, and its lane knows."""
        del event_id
        return None

    def doubt(self, event: Event, first_ns: int) -> None:
        """Keep for as long as the process lives that the destination may have an event twice."""
        self.doubtful.append((event, first_ns))

    def close(self) -> None:
        """Keep nothing for this lane any more."""
        self._closed = True
        self._journal.drop(self)
