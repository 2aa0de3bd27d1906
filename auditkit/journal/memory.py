"""The journal in memory: for tests, read-only hosts and functions that flush before they return."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from auditkit.errors import JournalFull
from auditkit.journal.growth import Growth
from auditkit.protocols import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.draft import Draft
    from auditkit.event import Event
    from auditkit.protocols import Position

_SEGMENT = "memory"
MAX_RECORDS = 65_536  # events that may wait at once


class MemoryJournal:
    """Keep events until every lane has them, or the process ends. Safe to call from any thread.

    Args:
        max_records: How many may wait; past it events are refused.
    """

    syncs_each = False

    def __init__(self, *, max_records: int = MAX_RECORDS) -> None:
        """Begin empty."""
        self._max_records = max_records
        self._drafts: deque[Draft] = deque()
        self._first = 0  # the index of the oldest draft that is kept
        self._lock = threading.RLock()
        self._growth = Growth()
        self._feeds: list[MemoryFeed] = []

    def append(self, draft: Draft) -> Position:
        """Keep one event.

        Raises:
            JournalFull: Too many wait.
        """
        with self._lock:
            if len(self._drafts) >= self._max_records:
                raise JournalFull(
                    f"{self._max_records} events wait in memory, the most that may; give configure() a directory"
                )
            index = self._first + len(self._drafts)
            if self._feeds:
                self._drafts.append(draft)
            else:  # nobody will ask for it
                self._first += 1
            self._growth.rise()
        self._growth.tell()
        return (_SEGMENT, index)

    def ensure_room(self) -> None:
        """Return if one more event may wait.

        Raises:
            JournalFull: It may not.
        """
        if len(self._drafts) >= self._max_records:
            raise JournalFull(f"{self._max_records} events wait in memory, the most that may")

    def feed(self, lane: str, *, durable: bool) -> MemoryFeed:
        """Return what the lane of this name has still to deliver; durability has no meaning here."""
        del lane, durable
        with self._lock:
            feed = MemoryFeed(self, self._first)
            self._feeds.append(feed)
        return feed

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until the journal has grown beyond ``seen``, at most ``timeout`` seconds; return its growth."""
        return self._growth.wait(seen, timeout)

    def wake(self) -> None:
        """Wake every lane that waits."""
        self._growth.wake()

    @property
    def growth(self) -> int:
        """Return how many events have been recorded here."""
        return self._growth.number

    def since(self, index: int, limit: int) -> list[tuple[int, Draft]]:
        """Return up to ``limit`` drafts from ``index`` on."""
        with self._lock:
            start = max(index - self._first, 0)
            stop = min(start + limit, len(self._drafts))
            return [(self._first + each, self._drafts[each]) for each in range(start, stop)]

    def end(self) -> int:
        """Return the index that the next event will have."""
        return self._first + len(self._drafts)

    def trim(self) -> None:
        """Forget what every lane has."""
        with self._lock:
            done = min((feed.index for feed in self._feeds), default=self._first)
            while self._first < done and self._drafts:
                self._drafts.popleft()
                self._first += 1

    def sync(self) -> bool:
        """Do nothing: there is no device."""
        return True

    def settle(self) -> None:
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
        self.dead: list[tuple[Event, str]] = []

    def take(self, limit: int) -> Sequence[Record]:
        """Return up to ``limit`` records not handed out yet, oldest first."""
        found = self._journal.since(self._next, limit)
        self._next += len(found)
        return [Record((_SEGMENT, index), draft.event()) for index, draft in found]

    def acknowledge(self, positions: Sequence[Position]) -> None:
        """Say that the destination has these records for good."""
        self._ahead.update(index for _, index in positions)
        while self.index in self._ahead:
            self._ahead.discard(self.index)
            self.index += 1
        self._journal.trim()

    def passed(self, position: Position) -> bool | None:
        """Return whether the record was acknowledged."""
        return position[1] < self.index or position[1] in self._ahead

    def scan(self, *, eager: bool = False) -> None:
        """Do nothing: nobody else's events are here."""

    def pending(self) -> int:
        """Return how many records are not acknowledged."""
        return self._journal.end() - self.index - len(self._ahead)

    def bury(self, event: Event, reason: str) -> None:
        """Keep a dead letter for as long as the process lives."""
        self.dead.append((event, reason))

    def close(self) -> None:
        """Do nothing: nothing is held."""
