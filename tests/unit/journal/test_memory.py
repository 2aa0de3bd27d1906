"""The journal in memory: bounded, and it keeps nothing that nobody will ask for."""

from __future__ import annotations

import pytest

from auditkit.encoding import MAX_RECORD, encode, encode_event
from auditkit.errors import JournalFull
from auditkit.journal import MemoryJournal
from auditkit.reporting import Reporter
from tests.journals import CLOCK, deliver_all, draft, take_all, write


def test_without_lanes_nothing_is_kept() -> None:
    """A journal whose events nobody delivers never fills."""
    journal = MemoryJournal(reporter=Reporter(CLOCK), max_records=3)
    write(journal, 10)

    assert 0 == journal.feed("late", durable=True).pending()
    assert ("memory", 0) == journal.append(draft())


def test_closed_lane_keeps_nothing_waiting() -> None:
    """What waited for a lane that was closed no longer counts against the bound."""
    journal = MemoryJournal(reporter=Reporter(CLOCK), max_records=3)
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
    journal = MemoryJournal(reporter=Reporter(CLOCK))
    slow, quick = journal.feed("slow", durable=True), journal.feed("quick", durable=True)
    written = write(journal, 5)
    deliver_all(quick)
    first, *rest = take_all(slow)
    slow.acknowledge([record.position for record in rest])

    assert (written[0], 1, None) == (first.event.id, slow.pending(), slow.passed(("", -1)))


def test_records_are_forgotten_while_they_are_forgotten() -> None:
    """What is let go of may end a finaliser that lets go of the rest."""
    journal = MemoryJournal(reporter=Reporter(CLOCK), max_records=3)
    feed = journal.feed("lane", durable=True)

    class Letting:
        def __del__(self) -> None:
            journal.trim()

    for _ in range(3):
        journal.append(draft()._replace(metadata={"held": Letting()}))  # type: ignore[dict-item]
    feed.acknowledge([record.position for record in feed.take(3)])

    assert write(journal, 3) == deliver_all(feed)


def test_dead_letters_last_as_long_as_the_process() -> None:
    """A dead letter is kept beside its lane, with its reason."""
    journal = MemoryJournal(reporter=Reporter(CLOCK))
    feed = journal.feed("lane", durable=True)
    write(journal, 1)
    (record,) = feed.take(1)
    feed.scan(eager=True)
    feed.bury(record.event, "refused")

    assert [(record.event, "refused")] == feed.dead
    assert journal.sync()
    journal.settle(journal.latest())


def test_event_that_is_too_long_is_cut_as_on_disk() -> None:
    """Each lane gets an event that is larger than a record with its longest values cut, which is counted once."""
    reporter = Reporter(CLOCK)
    journal = MemoryJournal(reporter=reporter)
    feeds = [journal.feed(name, durable=True) for name in ("one", "other")]
    room = MAX_RECORD - len(encode(draft()))
    write(journal, 1, "x" * room)
    write(journal, 1, "x" * (room + 1))
    (whole, cut), others = ([record.event for record in take_all(feed)] for feed in feeds)

    assert {"text": "x" * room} == whole.metadata
    assert "text" == cut.metadata["auditkit_truncated"]
    assert len(encode_event(cut)) <= MAX_RECORD
    assert [whole, cut] == others
    assert {"truncated": 1} == reporter.counts()


def test_event_that_two_lanes_cut_at_once_is_counted_once() -> None:
    """Lanes that meet an event at the same time, each still whole, get it alike, and one of them tells."""
    reporter = Reporter(CLOCK)
    journal = MemoryJournal(reporter=reporter)
    feed = journal.feed("lane", durable=True)
    write(journal, 1, "x" * MAX_RECORD)
    ((index, whole),) = journal.since(0, 1)
    cuts = {encode(journal.fitted(index, whole)) for _ in range(2)}

    assert [encode_event(record.event) for record in take_all(feed)] == [*cuts]
    assert {"truncated": 1} == reporter.counts()


def test_event_of_which_nothing_can_be_cut_goes_on_as_it_is() -> None:
    """What an action alone makes too long is for the destination to judge: nobody is left who could be told."""
    reporter = Reporter(CLOCK)
    journal = MemoryJournal(reporter=reporter)
    feed = journal.feed("lane", durable=True)
    endless = draft()._replace(action="tweet." + "x" * MAX_RECORD)
    journal.append(endless)

    assert [endless.action] == [record.event.action for record in take_all(feed)]
    assert {} == reporter.counts()
