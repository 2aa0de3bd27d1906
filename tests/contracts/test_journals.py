"""Every journal keeps the same promises to whoever records and whoever delivers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from auditkit.errors import JournalFull
from auditkit.journal import DiskJournal, MemoryJournal
from auditkit.protocols import Frozen
from auditkit.reporting import Reporter
from tests.journals import CLOCK, deliver_all, draft, ids, open_journal, take_all, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["disk", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DiskJournal | MemoryJournal]:
    made = open_journal(tmp_path / "audit") if request.param == "disk" else MemoryJournal(reporter=Reporter(CLOCK))
    made.start()
    yield made
    made.rest()
    made.stop()


@pytest.fixture(params=["disk", "memory"])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> DiskJournal | MemoryJournal:
    """A journal that is soon full."""
    if request.param == "disk":
        return open_journal(tmp_path / "audit", max_bytes=128 * 1024)
    return MemoryJournal(reporter=Reporter(CLOCK), max_records=100)


def test_records_come_out_as_they_went_in(journal: DiskJournal | MemoryJournal) -> None:
    """What is appended is taken in the same order, each record once, with every field as it was."""
    feed = journal.feed("lane", durable=True)
    drafts = [draft(f"line {number}\n\u2028") for number in range(10)]
    positions = [journal.append(each) for each in drafts]

    taken = take_all(feed)

    assert [each.event() for each in drafts] == [record.event for record in taken]
    assert positions == [record.position for record in taken]
    assert [] == list(feed.take(10))


def test_take_gives_at_most_the_limit(journal: DiskJournal | MemoryJournal) -> None:
    """A lane gets no more than it asks for, and the rest later."""
    feed = journal.feed("lane", durable=True)
    written = write(journal, 5)

    first, second = feed.take(3), feed.take(3)

    assert (written[:3], written[3:]) == (ids(first), ids(second))


def test_pending_counts_until_acknowledged(journal: DiskJournal | MemoryJournal) -> None:
    """A record is pending from its append to its acknowledgement, whether it was handed out or not."""
    feed = journal.feed("lane", durable=True)
    write(journal, 5)
    seen = [feed.pending()]
    records = feed.take(3)
    seen.append(feed.pending())
    feed.acknowledge([records[1].position])
    seen.append(feed.pending())
    feed.acknowledge([records[0].position, records[2].position])
    seen.append(feed.pending())
    deliver_all(feed)
    seen.append(feed.pending())

    assert [5, 5, 4, 2, 0] == seen


def test_body_is_kept_until_acknowledged(journal: DiskJournal | MemoryJournal) -> None:
    """What is about to be sent of a record is there until it is dropped or the record is acknowledged."""
    feed = journal.feed("lane", durable=True)
    write(journal, 2)
    first, second = (record.position for record in feed.take(2))
    frozen = Frozen(b"body", 5)
    before = feed.kept_body(first)
    feed.keep_body(first, frozen)
    feed.keep_body(second, frozen)

    assert (None, frozen, frozen) == (before, feed.kept_body(first), feed.kept_body(second))
    feed.drop_body(second)
    feed.acknowledge([first])
    assert (None, None) == (feed.kept_body(first), feed.kept_body(second))
    assert feed.kept_body(("unknown", 1)) is None
    feed.keep_body(("unknown", 1), frozen)
    feed.drop_body(("unknown", 1))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 1, 0)])
def test_acknowledge_takes_any_order(journal: DiskJournal | MemoryJournal, order: tuple[int, ...]) -> None:
    """Acknowledgements come in any order, some twice, and only the records they name are passed."""
    feed = journal.feed("lane", durable=True)
    write(journal, 3)
    positions = [record.position for record in feed.take(3)]

    for number, index in enumerate(order):
        feed.acknowledge([positions[index]])
        known = set(order[: number + 1])
        assert [each in known for each in range(3)] == [feed.passed(position) for position in positions]


def test_acknowledging_what_was_not_handed_out_is_an_error(journal: DiskJournal | MemoryJournal) -> None:
    """A record that was never taken cannot be acknowledged, and is still delivered."""
    feed = journal.feed("lane", durable=True)
    write(journal, 2)
    (first,) = feed.take(1)
    name, index = first.position

    with pytest.raises(ValueError, match="never handed out"):
        feed.acknowledge([(name, index + 1)])

    assert 1 == len(feed.take(5))


def test_lanes_are_independent(journal: DiskJournal | MemoryJournal) -> None:
    """Each lane gets every record, however far another one is."""
    quick, slow = journal.feed("quick", durable=True), journal.feed("slow", durable=True)
    written = write(journal, 10)

    assert written == deliver_all(quick)
    assert (0, 10) == (quick.pending(), slow.pending())
    assert written == deliver_all(slow)


def test_new_lane_begins_at_the_oldest_held(journal: DiskJournal | MemoryJournal) -> None:
    """A lane that is added later gets what is still held for another one."""
    journal.feed("slow", durable=True)
    written = write(journal, 3)
    late = journal.feed("late", durable=True)
    late.scan(eager=True)

    assert written == deliver_all(late)


def test_many_records_with_some_never_acknowledged(journal: DiskJournal | MemoryJournal) -> None:
    """A record that stays unacknowledged keeps neither those after it from the lane nor memory from the process."""
    feed = journal.feed("lane", durable=True)
    written = write(journal, 500)
    stuck, *others = take_all(feed)
    feed.acknowledge([record.position for record in others])

    assert (written[0], 1, False) == (stuck.event.id, feed.pending(), feed.passed(stuck.position))


def fill(journal: DiskJournal | MemoryJournal) -> list[str]:
    """Append until there is no room; return what was written."""
    written: list[str] = []
    try:
        while True:
            written += write(journal, 1, "x" * 1000)
    except JournalFull:
        return written


def test_full_journal_refuses_and_recovers(small: DiskJournal | MemoryJournal) -> None:
    """What has no room is refused with an error that says so; once a lane has delivered, there is room again."""
    feed = small.feed("lane", durable=True)
    written = fill(small)

    small.rest()
    delivered = deliver_all(feed)
    feed.scan()
    again = write(small, 3)

    assert (written, again) == (delivered, deliver_all(feed))


def test_wait_returns_once_the_journal_has_grown(journal: DiskJournal | MemoryJournal) -> None:
    """A lane that waits is woken by an append, and by a wake that came before it waited."""
    seen = journal.wait(-1, 0.0)
    write(journal, 1)
    grown = journal.wait(seen, 30.0)
    journal.wake()
    woken = journal.wait(grown, 30.0)

    assert seen < grown < woken


def test_closed_feed_holds_nothing(journal: DiskJournal | MemoryJournal) -> None:
    """After close a feed hands out nothing, and a late acknowledgement is no trouble."""
    feed = journal.feed("lane", durable=True)
    write(journal, 2)
    records = feed.take(1)
    feed.close()
    feed.acknowledge([record.position for record in records])
    feed.scan()
    write(journal, 1)

    assert ([], 0, None) == (list(feed.take(5)), feed.pending(), feed.passed(records[0].position))


def test_threads_lose_and_double_nothing(journal: DiskJournal | MemoryJournal) -> None:
    """Events recorded by several threads at once come out once each, at the positions their callers got."""
    feed = journal.feed("lane", durable=True)
    told: dict[str, object] = {}

    def record() -> None:
        for _ in range(500):
            each = draft()
            told[each.id] = journal.append(each)

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken: list[tuple[str, object]] = []
    while records := feed.take(100):
        taken += [(record.event.id, record.position) for record in records]
        feed.acknowledge([record.position for record in records])

    assert told == dict(taken)
    assert 2000 == len(taken)
