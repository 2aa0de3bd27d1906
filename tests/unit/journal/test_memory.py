"""The journal in memory: bounded, and it keeps nothing that nobody will ask for."""

from __future__ import annotations

import pytest

from auditkit.errors import JournalFull
from auditkit.journal import MemoryJournal
from tests.journals import deliver_all, draft, take_all, write


def test_without_lanes_nothing_is_kept() -> None:
    """A journal whose events nobody delivers never fills."""
    journal = MemoryJournal(max_records=3)
    write(journal, 10)

    assert 0 == journal.feed("late", durable=True).pending()
    assert ("memory", 10) == journal.append(draft())


def test_closed_lane_keeps_nothing_waiting() -> None:
    """What waited for a lane that was closed no longer counts against the bound."""
    journal = MemoryJournal(max_records=3)
    closed, other = journal.feed("closed", durable=True), journal.feed("other", durable=True)
    written = write(journal, 3)
    with pytest.raises(JournalFull, match="3 events wait in memory, the most that may; give configure"):
        journal.append(draft())
    with pytest.raises(JournalFull):
        journal.ensure_room()
    delivered = deliver_all(other)
    closed.close()
    closed.close()

    assert written == delivered
    assert 3 == len(write(journal, 3))


def test_records_are_held_by_the_slowest_lane() -> None:
    """A lane finds all that it has not acknowledged, however far the others are."""
    journal = MemoryJournal()
    slow, quick = journal.feed("slow", durable=True), journal.feed("quick", durable=True)
    written = write(journal, 5)
    deliver_all(quick)
    first, *rest = take_all(slow)
    slow.acknowledge([record.position for record in rest])

    assert (written[0], 1, None) == (first.event.id, slow.pending(), slow.passed(("", -1)))


def test_dead_letters_last_as_long_as_the_process() -> None:
    """A dead letter is kept beside its lane, with its reason."""
    journal = MemoryJournal()
    feed = journal.feed("lane", durable=True)
    write(journal, 1)
    (record,) = feed.take(1)
    feed.scan(eager=True)
    feed.bury(record.event, "refused")

    assert [(record.event, "refused")] == feed.dead
    assert journal.sync()
    journal.settle(journal.latest())
