"""More segments than a lane holds: who has a place, who waits for one, and what a flush waits for meanwhile."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import files
from auditkit.journal import backlog, segment
from auditkit.journal import cursor as cursors
from auditkit.journal.cursor import Cursor
from auditkit.journal.feed import HELD_AT_ONCE, DiskFeed
from tests.journals import deliver_all, ids, open_journal, segments, take_all, write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from auditkit.journal import DiskJournal
    from auditkit.protocols import Position, Record


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def growing(audit: Path, number: int) -> list[DiskJournal]:
    """Return so many journals whose segments are open, each with one event."""
    journals = [open_journal(audit) for _ in range(number)]
    for journal in journals:
        write(journal, 1)
    return journals


def closed(audit: Path, number: int) -> list[str]:
    """Leave a closed segment of so many events; return their ids."""
    journal = open_journal(audit)
    written = write(journal, number)
    journal.rest()
    return written


def looked(audit: Path) -> DiskFeed:
    """Return a lane's feed that has taken all segments over that there are."""
    feed = open_journal(audit).feed("lane", durable=True)
    feed.scan(eager=True)
    return feed


def told(records: Sequence[Record]) -> list[tuple[Position, bytes]]:
    return [(record.position, record.body) for record in records]


def acknowledged(feed: DiskFeed, limit: int) -> list[str]:
    records = feed.take(limit)
    feed.acknowledge([record.position for record in records])
    return ids(records)


def test_segment_that_waits_has_its_turn_beside_ones_that_always_grow(audit: Path) -> None:
    """Where those held have something each time, those that wait come to their turn all the same."""
    busy = growing(audit, HELD_AT_ONCE)
    feed = looked(audit)
    deliver_all(feed)
    waiting = closed(audit, 3)
    feed.scan(eager=True)
    delivered: list[str] = []
    for _ in range(3):
        for journal in busy:
            write(journal, 1)
        delivered += acknowledged(feed, 100)

    assert set(waiting) < set(delivered)


def test_segment_keeps_its_place_until_it_was_read_to_its_end(audit: Path) -> None:
    """What a process recorded is delivered in its order: a closed segment does not give its place to a later one."""
    journal = open_journal(audit)
    written = []
    for _ in range(HELD_AT_ONCE + 3):
        written += write(journal, 2)
        journal.rest()
    feed = looked(audit)
    delivered = []
    while found := acknowledged(feed, 1):
        delivered += found

    assert written == delivered


def test_all_that_wait_have_their_turn_once_a_look(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing grows, hundreds of segments are opened once after each look, and not for each event."""
    growing(audit, 3 * HELD_AT_ONCE)
    feed = looked(audit)
    deliver_all(feed)
    opened: list[str] = []
    claim = Cursor.claim

    def claimed(path: Path) -> Cursor | None:
        opened.append(path.stem)
        return claim(path)

    monkeypatch.setattr(Cursor, "claim", claimed)
    after = [feed.take(1) for _ in range(5)]
    quiet = len(opened)
    feed.scan(eager=True)
    feed.take(1)

    assert ([[]] * 5, True) == (after, len(opened) >= 2 * HELD_AT_ONCE)
    assert quiet <= 5


def test_own_segment_keeps_its_place(audit: Path) -> None:
    """A lane follows its own process before all others."""
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    write(journal, 1)
    deliver_all(feed)
    (own,) = feed._held
    growing(audit, HELD_AT_ONCE - 1)
    feed.scan(eager=True)
    deliver_all(feed)
    growing(audit, 1)
    feed.scan(eager=True)

    assert (1, True, HELD_AT_ONCE) == (len(feed.take(1)), own in feed._held, len(feed._held))


def test_mark_waits_for_own_events_that_another_process_delivers(audit: Path) -> None:
    """What this process recorded is waited for whoever delivers it, and only that."""
    journal = open_journal(audit)
    written = write(journal, 2)
    other = looked(audit)
    feed = journal.feed("lane", durable=True)
    feed.begun(segments(audit)[0].removesuffix(".open"))
    feed.scan()
    mark = feed.mark()
    before = feed.reached(mark)
    delivered = deliver_all(other)
    after = feed.reached(mark)
    journal.rest()
    deliver_all(other)
    feed.scan()

    assert (False, written, True) == (before, delivered, after)
    assert ([], {}) == (segments(audit), feed.mark())


def test_mark_of_what_is_not_held_counts_what_is_acknowledged_without_a_gap(audit: Path) -> None:
    """Of a segment that gave its place away all may be acknowledged, though its place says less."""
    journal = open_journal(audit)
    write(journal, 4)
    first = looked(audit)
    first.acknowledge([record.position for record in first.take(4)[1:]])
    first.close()
    feed = looked(audit)
    (oldest,) = feed.take(1)  # no further
    feed.acknowledge([oldest.position])
    mark = feed.mark()
    (name,) = mark
    progress = cursors.read(cursors.path_of(audit, "lane", name))
    assert progress is not None
    feed._let_go(name)

    assert (1, 4, True) == (progress.index, progress.reach, feed.reached(mark))


def test_segment_that_a_listing_misses_is_looked_at(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is renamed while a directory is listed may be missed: what waited in it is not forgotten."""
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    written = write(journal, 1)
    listing = files.listing

    def missing(directory: Path) -> list[Path]:
        return [path for path in listing(directory) if path.suffix != ".open"]

    monkeypatch.setattr(files, "listing", missing)
    feed.scan()
    mark = feed.mark()

    assert (False, written, True) == (feed.reached(mark), deliver_all(feed), feed.reached(mark))


def test_closed_feed_hands_out_nothing_though_segments_wait(audit: Path) -> None:
    """A lane that is stopped on another thread finds an end."""
    for _ in range(HELD_AT_ONCE + 2):
        closed(audit, 1)
    feed = looked(audit)
    feed.close()

    assert [] == feed.take(100)


def test_segment_whose_cursor_cannot_be_written_keeps_its_place(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was acknowledged, and could not be kept, is not handed out again by a turn; once it can be, turns go on."""
    journals = growing(audit, HELD_AT_ONCE + 3)
    feed = looked(audit)
    broken = {"now": True}
    write_cursor = Cursor.write

    def failing(self: Cursor, progress: Any) -> None:
        if broken["now"]:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        write_cursor(self, progress)

    monkeypatch.setattr(Cursor, "write", failing)
    before = deliver_all(feed)
    again = [feed.take(100) for _ in range(3)]
    broken["now"] = False
    feed.scan(eager=True)
    after = deliver_all(feed)

    assert (HELD_AT_ONCE, [[]] * 3, 3) == (len(before), again, len(after))
    assert len(journals) == len({*before, *after})


def test_one_cursor_that_cannot_be_written_keeps_nobody_else_s_place(
    audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another segment gives its place to the one that waits."""
    journals = growing(audit, HELD_AT_ONCE + 1)
    broken = segments(audit)[0].removesuffix(".open")
    write_cursor = Cursor.write

    def failing(self: Cursor, progress: Any) -> None:
        if self.path.stem == broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        write_cursor(self, progress)

    monkeypatch.setattr(Cursor, "write", failing)
    feed = looked(audit)

    assert len(journals) == len(deliver_all(feed))


def test_segment_that_cannot_be_read_keeps_nobody_else_s_place(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad sector below one segment stops none of the others."""
    journals = growing(audit, HELD_AT_ONCE + 3)
    feed = looked(audit)
    deliver_all(feed)
    bad = next(iter(feed._held.values()))._file.fd
    reading = files.read_at

    def failing(descriptor: int, size: int, offset: int) -> bytes:
        if descriptor == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return reading(descriptor, size, offset)

    monkeypatch.setattr(files, "read_at", failing)
    for journal in journals:
        write(journal, 1)
    feed.scan(eager=True)

    assert len(journals) - 1 == len(deliver_all(feed))


def test_segment_that_ended_far_from_its_place_keeps_it(audit: Path) -> None:
    """Whatever a process wrote since it was last looked at, its next segment comes behind it."""
    journals = growing(audit, HELD_AT_ONCE + 1)
    feed = looked(audit)
    deliver_all(feed)
    feed.scan(eager=True)
    (name,) = feed._waiting  # the others are held
    journal = next(each for each in journals if each._segment is not None and each._segment.name != name)
    written = write(journal, 60, "x" * 2000)
    journal.rest()
    written += write(journal, 1)
    feed.scan(eager=True)
    delivered = deliver_all(feed)

    assert written == [each for each in delivered if each in written]


def test_lane_that_is_not_durable_tries_again_what_it_could_not_open(
    audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ran out of descriptors for a moment prints its events all the same."""
    journal = open_journal(audit)
    feed = journal.feed("console", durable=False)
    opened = segment.open_segment

    def short(directory: Path, name: str) -> files.Handle:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("auditkit.journal.held.open_segment", short)
    written = write(journal, 2)
    before = deliver_all(feed)
    monkeypatch.setattr("auditkit.journal.held.open_segment", opened)
    feed.scan()

    assert ([], written) == (before, deliver_all(feed))


def test_flush_asks_about_one_segment_at_a_time(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many segments wait, a look at whether a flush may end reads no more than one cursor."""
    for _ in range(3 * HELD_AT_ONCE):
        closed(audit, 1)
    feed = looked(audit)
    mark = feed.mark()
    for name in list(feed._held):
        del mark[name]
    read: list[Path] = []
    reading = cursors.read

    def counted(path: Path) -> cursors.Progress | None:
        read.append(path)
        return reading(path)

    monkeypatch.setattr(cursors, "read", counted)

    assert (False, 1) == (feed.reached(mark), len(read))


def test_mark_waits_for_what_an_eager_look_took_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that waits for a place is waited for, though a later look would leave it to its living writer."""
    monkeypatch.setattr("auditkit.journal.feed.HELD_AT_ONCE", 1)
    journal, other = open_journal(tmp_path / "audit"), open_journal(tmp_path / "audit")
    feed, idle = journal.feed("lane", durable=True), other.feed("lane", durable=True)
    write(journal, 1)
    write(other, 1)
    feed.scan(eager=True)
    mark = feed.mark()
    assert 2 == len(mark)
    feed.scan()
    feed.acknowledge([record.position for record in feed.take(1)])

    assert (1, False) == (backlog(tmp_path / "audit", "lane"), feed.reached(mark))
    idle.close()


# ---------------------------------------------------------------------- what is tried again


def test_records_are_read_again(audit: Path) -> None:
    """What failed is read anew from where it stands, the first of a segment and any other."""
    journal = open_journal(audit)
    write(journal, 5)
    feed = looked(audit)
    records = feed.take(5)
    feed.acknowledge([records[1].position])

    for each in (0, 2, 4):
        assert told([records[each]]) == told(feed.again([records[each].position]))
    feed.acknowledge([records[0].position])
    assert told([records[2], records[4]]) == told(feed.again([records[2].position, records[4].position]))


def test_records_behind_damage_are_read_again(audit: Path) -> None:
    """Where damage lies before a record that failed, it is the same record that is read anew."""
    closed(audit, 6)
    (path,) = (audit / "journal").iterdir()
    lines = path.read_bytes().split(b"\n")
    lines[3] = lines[3].replace(b"tweet", b"tweEt", 1)
    path.write_bytes(b"\n".join(lines))
    feed = looked(audit)
    records = take_all(feed)
    feed.acknowledge([records[0].position])

    assert 5 == len(records)
    assert told(records[1:]) == told(feed.again([record.position for record in records[1:]]))


def test_record_behind_damage_is_read_for_itself(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many records a damaged segment has, each costs no more to read again than itself and a neighbour."""
    closed(audit, 100)
    (path,) = (audit / "journal").iterdir()
    data = path.read_bytes()
    path.write_bytes(data.replace(b"tweet", b"tweEt", 1))
    feed = looked(audit)
    records = take_all(feed)
    read: list[int] = []
    reading = files.read_at

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        read.append(size)
        return reading(descriptor, size, offset)

    monkeypatch.setattr(files, "read_at", counted)

    assert told(records[20:70]) == told(feed.again([record.position for record in records[20:70]]))
    assert sum(read) < len(data) * 3 / 2


def test_first_record_without_its_break_is_read_again_as_itself(audit: Path) -> None:
    """Where the break behind a segment's first record was hit before the lane came, the record is whole all the same."""
    closed(audit, 3)
    (path,) = (audit / "journal").iterdir()
    data = bytearray(path.read_bytes())
    data[data.index(b"\n", data.index(b"\n") + 1)] ^= 1
    path.write_bytes(data)
    feed = looked(audit)
    records = feed.take(3)

    assert 3 == len(records)
    assert told(records) == told(feed.again([record.position for record in records]))


def test_damage_in_two_places_costs_what_it_hit(audit: Path) -> None:
    """Records behind damage met later are numbered anew when it turns out that damage lies before them, too."""
    journal = open_journal(audit)
    journal._size = 4 * 1024 * 1024
    written = write(journal, 300)
    journal.rest()
    (path,) = (audit / "journal").iterdir()
    feed = looked(audit)
    early = feed.take(200)
    starts = [at + 1 for at, byte in enumerate(path.read_bytes()) if byte == ord("\n")]
    data = bytearray(path.read_bytes())
    for hit in (3, 250):
        data[starts[hit] + 90] ^= 1
    path.write_bytes(data)
    late = take_all(feed)
    feed.acknowledge([record.position for record in late[60:]])
    accepted = ids(late[60:])
    assert [] == feed.again([early[3].position])
    feed.begin_anew(path.stem)
    accepted += deliver_all(feed)

    assert {*written} - {written[3], written[250]} == {*accepted}


def test_record_that_is_gone_is_not_taken_for_another(audit: Path) -> None:
    """Where a line was taken out, what moved to its place is not handed out as what stood there."""
    journal = open_journal(audit)
    write(journal, 1, "x" * 5000)
    write(journal, 2)
    journal.rest()
    (path,) = (audit / "journal").iterdir()
    feed = looked(audit)
    positions = [record.position for record in feed.take(3)]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))

    assert [[]] * 3 == [feed.again([position]) for position in positions]


def test_record_that_was_damaged_meanwhile_is_not_read_again(audit: Path) -> None:
    """What does not verify any more is never sent: the segment is read anew, and what is damaged in it put aside."""
    written = closed(audit, 3)
    (path,) = (audit / "journal").iterdir()
    feed = looked(audit)
    records = feed.take(3)
    path.write_bytes(path.read_bytes().replace(written[1].encode(), written[1][:-1].encode() + b"x"))

    assert told(records[:1]) == told(feed.again([record.position for record in records]))
    feed.begin_anew(path.stem)
    assert [written[0], written[2]] == deliver_all(feed)
    assert [f"{path.stem}.corrupt"] == segments(audit)
