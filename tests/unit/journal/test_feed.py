"""One lane's way through the directory, in one process: what it holds, removes, buries and refuses."""

from __future__ import annotations

import errno
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditkit import files
from auditkit.errors import JournalUnavailable
from auditkit.journal.backlog import records_in
from auditkit.journal.cursor import Cursor
from auditkit.journal.feed import HELD_AT_ONCE, DiskFeed
from auditkit.journal.frames import Keys
from auditkit.journal.held import Held
from auditkit.journal.letters import Letterbox
from auditkit.reporting import Reporter
from auditkit.testing import DrivenClock
from tests.journals import (
    CLOCK,
    deliver_all,
    descriptors_in,
    draft,
    ids,
    open_journal,
    segments,
    take_all,
    write,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def reporter() -> Reporter:
    return Reporter(CLOCK)


def many_segments(audit: Path, number: int) -> list[str]:
    """Leave so many closed segments of one event each; return the events' ids."""
    journal = open_journal(audit)
    written = []
    for _ in range(number):
        written += write(journal, 1)
        journal.rest()
    return written


def scanned(audit: Path, reporter: Reporter | None = None) -> DiskFeed:
    """Return a feed of the lane that has looked through the directory."""
    feed = open_journal(audit, reporter=reporter).feed("lane", durable=True)
    feed.scan()
    return feed


# ---------------------------------------------------------------------- holding


def test_backlog_is_held_a_few_segments_at_a_time(audit: Path) -> None:
    """However many segments wait, a lane has few of them open, counts all, and delivers them oldest first."""
    written = many_segments(audit, 2 * HELD_AT_ONCE + 5)
    feed = scanned(audit)
    opened, pending = len(descriptors_in(audit)), feed.pending()

    assert (2 * HELD_AT_ONCE, len(written)) == (opened, pending)
    assert written == deliver_all(feed)
    assert ([], [], 0) == (segments(audit), descriptors_in(audit), feed.pending())


def test_mark_waits_for_what_was_there_and_not_for_what_comes(audit: Path) -> None:
    """Records that come to an old segment do not stand for those of a younger one, nor are they waited for."""
    journal, other = open_journal(audit), open_journal(audit)
    feed = journal.feed("lane", durable=True)
    write(journal, 3)
    write(other, 2)
    other.rest()
    feed.scan()
    mark = feed.mark()
    write(journal, 5)
    told = []
    for _ in range(10):
        told.append(feed.reached(mark))
        feed.acknowledge([record.position for record in feed.take(1)])

    assert ([False] * 10, True, 0) == (told, feed.reached(mark), feed.pending())
    mark = feed.mark()
    write(journal, 1)
    assert (True, 1) == (feed.reached(mark), feed.pending())


def test_mark_of_a_lane_that_is_not_durable_waits_for_what_was_just_begun(audit: Path) -> None:
    """A segment that nobody has looked at yet is waited for."""
    journal = open_journal(audit)
    feed = journal.feed("console", durable=False)
    write(journal, 3)
    mark = feed.mark()

    assert (False, 3) == (feed.reached(mark), len(deliver_all(feed)))
    assert feed.reached(mark)


def test_mark_skips_what_is_gone_and_waits_for_what_cannot_be_read(
    audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One segment that goes, or cannot be counted, while a mark is made takes none of the others out of it."""
    many_segments(audit, HELD_AT_ONCE + 3)
    feed = scanned(audit)
    gone, unread, sound = feed._waiting
    (audit / "journal" / f"{gone}.closed").unlink()
    (audit / "journal" / f"{unread}.closed").rename(audit / "journal" / f"{unread}.open")

    def counted(directory: Path, name: str, known: dict[str, int]) -> int:
        if name == unread:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return records_in(directory, name, known)

    monkeypatch.setattr("auditkit.journal.feed.records_in", counted)
    mark = feed.mark()

    assert (0, sys.maxsize, sys.maxsize) == (mark[gone], mark[unread], mark[sound])  # of a closed one, all of it
    assert HELD_AT_ONCE + 3 == len(mark)
    assert not feed.reached(mark)


def test_mark_waits_for_what_waits_for_a_place(audit: Path) -> None:
    """Segments that are not open yet are waited for too, and those that another process delivers are not."""
    many_segments(audit, HELD_AT_ONCE + 2)
    feed, other = scanned(audit), open_journal(audit).feed("lane", durable=True)
    mark = feed.mark()
    for _ in range(HELD_AT_ONCE):
        feed.acknowledge([record.position for record in feed.take(1)])
    before = feed.reached(mark)
    feed.take(1)
    other.scan()

    assert (False, False) == (before, feed.reached(mark))
    feed.close()
    assert 2 == len(deliver_all(scanned(audit)))


def test_more_living_writers_than_a_lane_holds_are_all_followed(audit: Path) -> None:
    """A sidecar delivers for however many processes, and goes on with each that records again."""
    journals = [open_journal(audit) for _ in range(2 * HELD_AT_ONCE + 5)]
    feed = open_journal(audit).feed("lane", durable=True)
    rounds = []
    for number in (1, 3):
        written = [each for journal in journals for each in write(journal, number)]
        opened = len(descriptors_in(audit))
        feed.scan(eager=True)
        found = deliver_all(feed)
        opened = len(descriptors_in(audit)) - opened
        rounds.append((sorted(written) == sorted(found), feed.pending(), opened <= 2 * HELD_AT_ONCE))

    assert [(True, 0, True), (True, 0, True)] == rounds


def test_own_segment_waits_behind_a_full_hand(audit: Path) -> None:
    """What this process records while its lane's hands are full is delivered when they are free."""
    old = many_segments(audit, HELD_AT_ONCE)
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    feed.scan()
    new = write(journal, 3)
    held = take_all(feed)
    feed.scan()
    pending = feed.pending()
    fate = feed.passed((segments(audit)[-1].removesuffix(".open"), 0))
    feed.acknowledge([record.position for record in held])

    assert (old, len(old) + 3, False) == (ids(held), pending, fate)
    assert new == deliver_all(feed)


def test_close_lets_go_of_everything(audit: Path) -> None:
    """A closed feed has no descriptor open, and another one goes on where it stood."""
    written = many_segments(audit, 3)
    feed = scanned(audit)
    feed.acknowledge([feed.take(1)[0].position])
    feed.close()

    assert [] == descriptors_in(audit)
    assert written[1:] == deliver_all(scanned(audit))


def test_close_may_be_interrupted_by_another(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler or finaliser may close a feed while that is being closed."""
    many_segments(audit, 3)
    feed = scanned(audit)
    close = Held.close

    def interrupted(held: Held) -> None:
        close(held)
        feed.close()

    monkeypatch.setattr(Held, "close", interrupted)
    feed.close()

    assert [] == descriptors_in(audit)


def test_stuck_record_holds_its_segment_alone(audit: Path) -> None:
    """A record that is not accepted keeps its own segment; the lane passes those after it."""
    written = many_segments(audit, 4)
    feed = scanned(audit)
    stuck, *others = take_all(feed)
    feed.acknowledge([record.position for record in others])

    assert (written[0], [f"{stuck.position[0]}.closed"]) == (stuck.event.id, segments(audit))


def test_stuck_record_holds_up_nothing_of_its_segment(audit: Path) -> None:
    """All other records of the largest segment are handed out, and acknowledged for whoever comes next too."""
    journal = open_journal(audit)
    journal._size = 2**22
    feed = journal.feed("lane", durable=True)
    written = write(journal, 9000)
    stuck, *others = take_all(feed)
    feed.acknowledge([record.position for record in others])
    feed.close()

    assert ([stuck.event.id], 8999, 1) == (written[:1], len(others), len(segments(audit)))
    again = journal.feed("lane", durable=True)
    again.scan(eager=True)
    assert written[:1] == deliver_all(again)


def test_window_bounds_what_is_acknowledged_ahead(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond as many records as a cursor can tell of behind one that is not acknowledged, a segment gives no more."""
    monkeypatch.setattr("auditkit.journal.held.WINDOW", 20)
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    written = write(journal, 25)
    taken = take_all(feed)
    feed.acknowledge([record.position for record in taken[1:]])
    stuck = take_all(feed)
    feed.acknowledge([taken[0].position])

    assert (written[:20], []) == (ids(taken), stuck)
    assert written[20:] == deliver_all(feed)


def test_large_records_are_handed_out_a_few_at_a_time(audit: Path) -> None:
    """However many records are asked for, no more come at once than 4 MiB hold, and one that is beyond that."""
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    written = write(journal, 50, "x" * 200_000)
    taken = [list(feed.take(1000)) for _ in range(4)]

    assert [21, 21, 8, 0] == [len(each) for each in taken]
    assert written == ids([record for each in taken for record in each])


# ---------------------------------------------------------------------- lanes that are not remembered


def test_lane_that_is_not_durable_sees_what_its_process_records(audit: Path) -> None:
    """It leaves no trace in the directory, and loses nothing when the durable lanes are quicker."""
    journal = open_journal(audit)
    fleeting, durable = journal.feed("console", durable=False), journal.feed("lane", durable=True)
    written = write(journal, 2)
    position = (segments(audit)[0].removesuffix(".open"), 1)
    fates = [fleeting.passed(position)]
    journal.rest()
    deliver_all(durable)
    removed = segments(audit)
    found = fleeting.take(5)
    fates.append(fleeting.passed(position))
    fleeting.acknowledge([record.position for record in found])
    fates.append(fleeting.passed(position))

    assert ([], written, [False, False, True]) == (removed, ids(found), fates)
    assert ["lane"] == [each.name for each in (audit / "lanes").iterdir()]
    assert [] == descriptors_in(audit)


def test_lane_that_is_not_durable_and_too_slow_is_told(audit: Path, reporter: Reporter) -> None:
    """A segment that was removed before a slow, fleeting lane could open it is reported, not passed over."""
    journal = open_journal(audit, reporter=reporter)
    fleeting, durable = journal.feed("console", durable=False), journal.feed("lane", durable=True)
    written = []
    for _ in range(HELD_AT_ONCE + 1):
        written += write(journal, 1)
        journal.rest()
    missed = segments(audit)[-1].removesuffix(".closed")
    deliver_all(durable)

    assert written[:-1] == deliver_all(fleeting)
    assert ({"missed": 1}, None) == (reporter.counts(), fleeting.passed((missed, 0)))


# ---------------------------------------------------------------------- receipts


def test_fate_is_known_wherever_the_lane_runs(audit: Path) -> None:
    """A record that another process' lane delivers is passed once that one has acknowledged it, and after."""
    journal = open_journal(audit)
    here = journal.feed("lane", durable=True)
    other = open_journal(audit).feed("lane", durable=True)
    positions = [journal.append(draft()) for _ in range(2)]
    other.scan(eager=True)
    fates = [[here.passed(position) for position in positions]]
    first, second = other.take(2)
    other.acknowledge([second.position])
    fates.append([here.passed(position) for position in positions])
    journal.rest()
    other.acknowledge([first.position])
    other.take(1)
    fates.append([here.passed(position) for position in positions])

    assert [[False, False], [False, True], [True, True]] == fates
    assert ([], None) == (segments(audit), here.passed(("", -1)))


# ---------------------------------------------------------------------- cursors


def test_cursor_of_a_removed_segment_goes_unless_it_is_held(audit: Path) -> None:
    """What a crash between a segment's removal and its cursors' left behind is cleared away by the next look."""
    open_journal(audit).feed("lane", durable=True)
    left, held = (audit / "lanes" / "lane" / f"{name}.cursor" for name in ("left", "held"))
    for path in (left, held):
        path.touch(0o600)
    cursor = Cursor.claim(held)
    scanned(audit)

    assert cursor is not None
    assert (False, True) == (left.exists(), held.exists())
    cursor.close()


@contextmanager
def unwritable(cursor: Path) -> Iterator[None]:
    """Have this process' descriptors of a file refuse every write."""
    numbers = [int(each.name) for each in Path("/proc/self/fd").iterdir() if os.path.realpath(each) == str(cursor)]
    kept = [os.dup(number) for number in numbers]
    readonly = os.open(cursor, os.O_RDONLY)
    for number in numbers:
        os.dup2(readonly, number)
    try:
        yield
    finally:
        for number, each in zip(numbers, kept, strict=True):
            os.dup2(each, number)
        for each in (*kept, readonly):
            os.close(each)


def test_cursor_that_cannot_be_written_is_told(audit: Path, reporter: Reporter) -> None:
    """The lane goes on, sends nothing twice in this process, and keeps the segment until it could say so."""
    written = many_segments(audit, 1)
    feed = scanned(audit, reporter)
    (cursor,) = (audit / "lanes" / "lane").iterdir()
    with unwritable(cursor):
        delivered = deliver_all(feed)
        kept = segments(audit)
        again = take_all(feed)
    feed.take(1)

    assert (written, 1, [], []) == (delivered, len(kept), again, segments(audit))
    assert {"cursor_failed"} == set(reporter.counts())


def test_trouble_with_one_segment_does_not_stop_the_others(audit: Path, reporter: Reporter) -> None:
    """A cursor that cannot be opened keeps its own segment waiting, and is told by its name."""
    written = many_segments(audit, 3)
    middle = segments(audit)[1].removesuffix(".closed")
    open_journal(audit).feed("lane", durable=True)
    (audit / "lanes" / "lane" / f"{middle}.cursor").mkdir()
    feed = scanned(audit, reporter)

    assert [written[0], written[2]] == deliver_all(feed)
    assert {"scan_failed": 1} == reporter.counts()
    assert [f"{middle}.closed"] == segments(audit)
    assert (False, 1) == (feed.reached(feed.mark()), feed.pending())


# ---------------------------------------------------------------------- dead letters


def test_who_follows_a_lane_hears_of_its_dead_letters(audit: Path) -> None:
    """Another process wrote the letter: this one knows of its own events why, also once the letter is put back."""
    journal = open_journal(audit)
    older, *later = write(journal, 3)
    worker = scanned(audit)
    worker.scan(eager=True)
    records = worker.take(3)
    worker.bury(records[0].event, "too old")
    following = journal.follow("lane")
    told = []
    for refused in (None, records[1], None, records[2]):
        if refused is not None:
            worker.bury(refused.event, "no such schema")
        told.append([following.refusal(each) for each in (older, *later)])
        with Letterbox.opened(audit, "lane") as box:
            assert box is not None
            box.remove([record.event.id for record in records[1:]])  # a new file

    old, new = "too old", "no such schema"  # the old one is read when the file was made anew
    assert [[None, None, None], [None, new, None], [old, new, None], [old, new, new]] == told


def test_letters_that_were_all_put_back_are_followed_by_others(audit: Path) -> None:
    """Whoever saw the last letter go hears of the next one."""
    journal = open_journal(audit)
    write(journal, 2)
    worker = scanned(audit)
    worker.scan(eager=True)
    first, second = worker.take(2)
    worker.bury(first.event, "no such schema")
    following = journal.follow("lane")
    with Letterbox.opened(audit, "lane") as box:
        assert box is not None
        box.remove([first.event.id])
    before = following.refusal(second.event.id)
    worker.bury(second.event, "nor this one")

    assert (None, "nor this one") == (before, following.refusal(second.event.id))


def test_letters_may_be_asked_for_in_the_midst_of_being_read(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal handler that asks a receipt waits for nobody, and hears the same."""
    journal = open_journal(audit)
    write(journal, 1)
    worker = scanned(audit)
    worker.scan(eager=True)
    (record,) = worker.take(1)
    following = journal.follow("lane")
    worker.bury(record.event, "no such schema")
    opening = files.open_to_read
    heard: list[str | None] = []

    def interrupted(path: Path) -> files.Handle:
        monkeypatch.setattr(files, "open_to_read", opening)
        heard.append(following.refusal(record.event.id))
        return opening(path)

    monkeypatch.setattr(files, "open_to_read", interrupted)
    heard.append(following.refusal(record.event.id))

    assert ["no such schema"] * 2 == heard


def test_letters_are_read_once(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many letters there are, to ask for one costs the reading of those that came since."""
    journal = open_journal(audit)
    write(journal, 20)
    worker = scanned(audit)
    worker.scan(eager=True)
    following = journal.follow("lane")
    records = worker.take(20)
    for record in records[:19]:
        worker.bury(record.event, "no such schema")
    before = [following.refusal(record.event.id) for record in records]
    worker.bury(records[19].event, "nor this one")
    with (audit / "dead" / "lane.jsonl").open("ab") as file:
        file.write(b'{"event": {"id":')  # by somebody who is at it
    read: list[int] = []
    reading = files.read_at

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        read.append(min(size, (audit / "dead" / "lane.jsonl").stat().st_size - offset))
        return reading(descriptor, size, offset)

    monkeypatch.setattr(files, "read_at", counted)
    after = [following.refusal(record.event.id) for record in records]

    assert ["no such schema"] * 19 + [None] == before
    assert [*before[:19], "nor this one"] == after
    assert sum(read) < 3 * (audit / "dead" / "lane.jsonl").stat().st_size


def test_dead_letters_are_lines_of_json(audit: Path) -> None:
    """A dead letter holds the event as it was recorded, why it was refused, and when."""
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    write(journal, 2)
    records = feed.take(2)
    for record in records:
        feed.bury(record.event, "no such organization")
    letters = [json.loads(line) for line in (audit / "dead" / "lane.jsonl").read_text().splitlines()]

    assert [record.event.to_dict() for record in records] == [letter["event"] for letter in letters]
    assert {"no such organization"} == {letter["reason"] for letter in letters}
    assert all(letter["at"].endswith("Z") for letter in letters)


def test_dead_letter_that_cannot_be_written_is_an_error(audit: Path) -> None:
    """Where dead letters cannot be kept, the lane learns of it, and must not acknowledge."""
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    write(journal, 1)
    (record,) = feed.take(1)
    (audit / "dead").write_text("in the way")

    with pytest.raises(JournalUnavailable, match="dead is a file, not a directory"):
        feed.bury(record.event, "reason")


def test_dead_letter_leaves_no_half_line(tmp_path: Path) -> None:
    """A line that its file does not take whole leaves the file as it was."""
    path = tmp_path / "letters"
    files.append_durably(path, b"one\n")
    files.append_durably(path, b"two\n")

    assert (b"one\ntwo\n", 0o600) == (path.read_bytes(), path.stat().st_mode & 0o777)


@pytest.mark.parametrize("in_the_way", [False, True])
def test_record_that_is_no_event_is_buried(audit: Path, reporter: Reporter, *, in_the_way: bool) -> None:
    """A line that verifies and holds no event goes to the dead letters; where it cannot, it stays, and others go on."""
    journal = open_journal(audit, reporter=reporter)
    feed = journal.feed("lane", durable=True)
    written = write(journal, 1)
    journal._write(b'{"id":"from somebody else"}')
    written += write(journal, 1)
    if in_the_way:
        (audit / "dead").write_text("in the way")
    journal.rest()

    assert written == deliver_all(feed)
    assert (int(in_the_way), int(in_the_way)) == (feed.pending(), len(segments(audit)))
    expected = {"unreadable_record": 1} | ({"bury_failed": 1} if in_the_way else {})
    assert expected == reporter.counts()


def test_segment_begun_while_the_directory_is_listed(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that is begun just after a scan has listed the directory is delivered all the same."""
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    listing = files.listing
    written: list[str] = []
    listed: list[Path] = []

    def list_then_begin(directory: Path) -> list[Path]:
        found = list(listing(directory))
        listed.append(directory)
        if listed.count(audit / "journal") == 2:  # the first one sweeps
            monkeypatch.setattr(files, "listing", listing)
            written.extend(write(journal, 1))
        return found

    monkeypatch.setattr(files, "listing", list_then_begin)
    feed.scan()
    delivered = deliver_all(feed)

    assert 1 == len(written)
    assert written == delivered


def test_segment_that_its_writer_does_not_deliver_is_taken_at_once(audit: Path) -> None:
    """A lane that a living writer does not work is not left to it: the first look takes what it records."""
    journal = open_journal(audit)
    journal.feed("another", durable=True)
    written = write(journal, 2)

    assert written == ids(take_all(scanned(audit)))


def test_segment_that_does_not_say_who_delivers_it_is_left_to_its_writer(audit: Path) -> None:
    """A writer of many lanes, or of an older auditkit, says nothing: its segment is taken with the second look."""
    journal = open_journal(audit)
    for number in range(20):
        journal.feed(f"{number:064}", durable=True)
    written = write(journal, 2)
    feed = scanned(audit)
    first = take_all(feed)
    feed.scan()

    assert ([], written) == (first, ids(take_all(feed)))


def test_grace_leaves_a_new_segment_to_who_works_its_lane(audit: Path) -> None:
    """Who looks often leaves a living writer the time to come for its own segment, and takes it after that."""
    journal = open_journal(audit)
    journal.feed("lane", durable=True)
    written = write(journal, 2)
    clock = DrivenClock()
    feed = DiskFeed(audit, "lane", durable=True, keys=Keys(), reporter=Reporter(CLOCK), clock=clock, grace=4.0)
    taken = []
    for _ in range(3):
        feed.scan()
        taken.append(ids(take_all(feed)))
        clock.advance(2.0)

    assert [[], [], written] == taken


# ---------------------------------------------------------------------- what is not ours


@pytest.mark.parametrize("closed", [True, False])
def test_segment_of_an_unknown_secret_is_left_alone(audit: Path, reporter: Reporter, *, closed: bool) -> None:
    """Who lacks the secret reads nothing and says so; who has it delivers everything."""
    writer = open_journal(audit, secrets=[b"right" * 4])
    written = write(writer, 3)
    if closed:
        writer.rest()
    else:  # as its death would
        assert writer._segment is not None
        writer._segment.release()
    without = scanned(audit, reporter)
    seen = (take_all(without), without.pending())
    assert without.unreadable()
    with_it = open_journal(audit, secrets=[b"new" * 6, b"right" * 4]).feed("lane", durable=True)
    without.close()
    with_it.scan()

    assert ([], 0) == seen
    assert {"unreadable_segment" if closed else "secret_unknown": 1} == reporter.counts()
    assert written == deliver_all(with_it)
    assert not with_it.unreadable()


def test_segment_of_a_newer_format_is_left_alone(audit: Path, reporter: Reporter) -> None:
    """A newer auditkit's segment is told by both formats and neither renamed nor removed."""
    open_journal(audit)
    path = audit / "journal" / "newer.open"
    path.write_bytes(b"f" * 64 + b' {"auditkit":2,"segment":"newer"}\n')
    scanned(audit, reporter).scan(eager=True)

    assert ["newer.open"] == segments(audit)
    assert {"unreadable_segment"} == set(reporter.counts())
