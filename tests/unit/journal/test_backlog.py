"""What waits for a lane in a whole directory, since when, and how full that makes the journal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from auditkit import files
from auditkit.clock import IdSource
from auditkit.journal import Fill, backlog, fill_of, oldest_waiting_ns
from auditkit.journal.frames import stated_limit
from auditkit.testing import DrivenClock
from tests.journals import deliver_all, draft, open_journal, write

if TYPE_CHECKING:
    from pathlib import Path

LATER = 10**9 * 10**10  # nanoseconds: after every test
SECOND = 10**9


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def millisecond_of(event_id: str) -> int:
    return int(event_id.replace("-", "")[:12], 16) * 1_000_000


def test_nothing_waits_where_nothing_was_recorded(audit: Path) -> None:
    """Of a directory without a journal nothing waits, and it is not full."""
    files.private_directory(audit)

    assert (0, 0, Fill()) == (backlog(audit, "lane"), oldest_waiting_ns(audit, "lane", LATER), fill_of(audit))


def test_oldest_is_the_first_that_was_not_accepted(audit: Path) -> None:
    """The oldest event's time moves on with what a lane accepts, over the ends of segments, until nothing waits."""
    clock = DrivenClock(start_ns=2 * 10**18)
    new_id = IdSource(clock)
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    times = []
    for number in range(6):
        clock.advance(60)
        journal.append(draft(event_id=new_id())._replace(occurred_ns=clock.time_ns()))
        times.append(clock.time_ns() // SECOND)
        if number % 2:
            journal.rest()
    found = []
    while pending := backlog(audit, "lane"):
        found.append((pending, oldest_waiting_ns(audit, "lane", LATER) // SECOND))
        feed.scan()
        feed.acknowledge([feed.take(1)[0].position])

    assert list(zip(range(6, 0, -1), times, strict=True)) == found
    assert 0 == oldest_waiting_ns(audit, "lane", LATER)
    feed.close()


def test_oldest_stays_behind_what_is_accepted_ahead(audit: Path) -> None:
    """While an event is not accepted it is the oldest, whatever those after it came to."""
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    first, *_ = write(journal, 3)
    before = oldest_waiting_ns(audit, "lane", LATER)
    feed.scan()
    feed.acknowledge([record.position for record in feed.take(3)[1:]])

    assert (before, 1) == (oldest_waiting_ns(audit, "lane", LATER), backlog(audit, "lane"))
    assert millisecond_of(first) <= before
    feed.close()


@pytest.mark.parametrize("own_id", ["order-7", "order-number-x7-of-ada"])
def test_event_of_long_ago_waits_since_it_was_recorded(audit: Path, own_id: str) -> None:
    """An event that tells of what was years ago has waited since it was made or, with an id of its own, its segment."""
    journal = open_journal(audit)
    journal.feed("lane", durable=True)
    made = draft(event_id=IdSource(DrivenClock(start_ns=2 * 10**18))())._replace(occurred_ns=1)
    journal.append(made)
    by_id = oldest_waiting_ns(audit, "lane", LATER)
    other = open_journal(audit.parent / "other")
    other.append(draft(event_id=own_id)._replace(occurred_ns=1))
    (segment,) = (audit.parent / "other" / "journal").iterdir()

    assert millisecond_of(made.id) == by_id
    assert millisecond_of(segment.stem) == oldest_waiting_ns(audit.parent / "other", "lane", LATER)


def test_nothing_waits_since_later_than_now(audit: Path) -> None:
    """An event of another machine's clock, ahead of this one's, has waited since now at the latest."""
    write(open_journal(audit), 1)

    assert 5 == oldest_waiting_ns(audit, "lane", 5)


def test_damage_is_passed_over(audit: Path) -> None:
    """A line that is no event tells no time; the one after it does."""
    journal = open_journal(audit)
    write(journal, 2)
    journal.rest()
    (path,) = (audit / "journal").iterdir()
    header, first, second, end = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(header + first[:70] + b"?" * (len(first) - 71) + b"\n" + second + end)
    expected = max(millisecond_of(json.loads(second[64:])["id"]), 0)

    assert 0 <= oldest_waiting_ns(audit, "lane", LATER) - expected < 10**9
    path.write_bytes(header + first[:70] + b"\n" + end)
    assert 0 == oldest_waiting_ns(audit, "lane", LATER)


def test_segment_for_one_lane_waits_for_that_alone(audit: Path) -> None:
    """What was put back for one destination waits for no other."""
    journal = open_journal(audit)
    write(journal, 1)
    journal.rest()
    (path,) = (audit / "journal").iterdir()
    path.rename(path.with_name(f"{path.stem}@lane.closed"))

    assert (0, True) == (oldest_waiting_ns(audit, "other", LATER), oldest_waiting_ns(audit, "lane", LATER) > 0)


# ---------------------------------------------------------------------- how full


def test_fill_counts_what_waits_and_what_is_ready(audit: Path) -> None:
    """All files count; what waits is in closed segments; the limit is the one that the latest writer states."""
    journal = open_journal(audit, max_bytes=2**22)
    feed = journal.feed("lane", durable=True)
    write(journal, 3)
    begun = fill_of(audit)
    journal.rest()
    closed = fill_of(audit)
    size = sum(path.stat().st_size for path in (audit / "journal").iterdir())

    assert (Fill(bytes=2**16, max_bytes=2**22), 0.0) == (begun, begun.share)
    assert Fill(bytes=size, waiting=size, max_bytes=2**22) == closed
    write(open_journal(audit, max_bytes=2**23), 1)
    assert (2**23, size) == (fill_of(audit).max_bytes, fill_of(audit).waiting)
    deliver_all(feed)
    feed.close()


def test_fill_of_a_directory_of_segments_that_state_no_limit(audit: Path) -> None:
    """Segments that do not say how large the journal may become leave that open, and damaged ones too."""
    journal = files.room(files.private_directory(audit) / "journal")
    (journal / "1.closed").write_bytes(b"no header")
    (journal / "2.open").symlink_to("1.closed")

    assert (9, None, 0.0) == (fill_of(audit).waiting, fill_of(audit).max_bytes, fill_of(audit).share)


@pytest.mark.parametrize("limit", [b"0", b"-1", b'"much"', b"null"])
def test_limit_that_is_none(limit: bytes) -> None:
    """Only a positive number is a limit."""
    line = b"0" * 64 + b' {"auditkit":1,"max_bytes":%b}\n'

    assert stated_limit(line % limit) is None
    assert 7 == stated_limit(line % b"7")


@pytest.mark.parametrize(
    "fill, share, full_in",
    [
        (Fill(), 0.0, None),
        (Fill(bytes=100, waiting=100), 0.0, None),
        (Fill(bytes=100, max_bytes=1000), 0.0, None),
        (Fill(bytes=300, waiting=200, max_bytes=1000), 2 / 9, 3500.0),
        (Fill(bytes=1000, waiting=900, max_bytes=1000), 1.0, 0.0),
        (Fill(bytes=1200, waiting=100, max_bytes=1000), 1.0, 0.0),
    ],
)
def test_share_and_time_until_full(fill: Fill, share: float, full_in: float | None) -> None:
    """Space kept ready for the next events is not held up; what waits grows on as it did since the oldest of it."""
    assert share == fill.share
    assert full_in == fill.full_in(1000.0)
    assert fill.full_in(0.0) is None
