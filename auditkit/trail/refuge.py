"""Where events stay while the directory cannot be opened: in memory, until they can be moved there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditkit.errors import DeliveryRejected

if TYPE_CHECKING:
    from auditkit.delivery import Lane
    from auditkit.draft import Draft
    from auditkit.journal import MemoryJournal
    from auditkit.protocols import Position
    from auditkit.reporting import Reporter
    from auditkit.trail.works import Works

_GIVEN_UP = 4096  # events let go of at once where memory is full


class Refuge:
    """Keep what the works in memory recorded, for the directory: its ledger has seen none of it.

    Args:
        works: The works in memory.
        journal: Their journal.
        reporter: Where it is told what was lost.
    """

    def __init__(self, works: Works, journal: MemoryJournal, reporter: Reporter) -> None:
        """Begin to keep what is recorded from now on."""
        self.works = works
        self._journal = journal
        self._reporter = reporter
        self._kept = journal.feed("directory", durable=False)

    @property
    def holds(self) -> int:
        """Return how many events wait for the directory."""
        return self._kept.pending()

    def give_way(self) -> bool:
        """Let go of the oldest events, so that there is room for new ones; they are counted as lost.

        Returns:
            Whether there were any. Room is made only where no destination waits for them either.
        """
        oldest = self._kept.take(_GIVEN_UP)
        self._kept.acknowledge([record.position for record in oldest])
        self._reporter.report(
            "memory_overflow",
            f"memory is full: {len(oldest)} events will never be in the directory, which cannot be opened",
        )
        self._reporter.count("memory_overflow", len(oldest) - 1)
        return bool(oldest)

    def accepted(self) -> dict[str, set[str]]:
        """Return, by destination, the ids of the kept events that it has."""
        kept = self._waiting()
        return {lane.name: {draft.id for place, draft in kept if _has(lane, place)} for lane in self.works.lanes}

    def move(self, works: Works) -> None:
        """Write everything that waits into other works; receipts follow it there.

        Raises:
            JournalError: Not all of it; what was written is not kept here any more.
        """
        places: dict[Position, Position] = {}
        try:
            for place, draft in self._waiting():
                places[place] = works.journal.append(draft)
        finally:
            self._kept.take(len(places))
            self._kept.acknowledge([*places])
            self.works.watch.moved = (places, works.watch)

    def _waiting(self) -> list[tuple[Position, Draft]]:
        kept = self._kept
        return [(("memory", index), draft) for index, draft in self._journal.since(kept.index, kept.pending())]


def _has(lane: Lane, place: Position) -> bool:
    try:
        return bool(lane.fate(place))
    except DeliveryRejected:
        return False  # its dead letter is in memory too: it will be refused again, and lie in the directory
