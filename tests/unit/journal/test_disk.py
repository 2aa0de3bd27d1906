"""The journal on disk: its segments, its syncs, and what interrupts it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from auditkit import files
from auditkit.clock import SystemClock, new_id
from auditkit.encoding import MAX_RECORD, encode
from auditkit.errors import JournalError, JournalFull, JournalUnavailable
from auditkit.journal import DiskJournal, Keys
from auditkit.reporting import Reporter
from tests.journals import CLOCK, deliver_all, descriptors_in, draft, ids, open_journal, segments, take_all, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditkit.journal.segment import Segment


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@contextmanager
def dead_device(journal: DiskJournal) -> Iterator[None]:
    """Put a pipe where the present segment's file is: it cannot be written at a place, nor synced."""
    segment = journal._segment
    assert segment is not None
    number = segment._file.fd
    kept, (reader, writer) = os.dup(number), os.pipe()
    os.dup2(writer, number)
    try:
        yield
    finally:
        os.dup2(kept, number)
        for each in (kept, reader, writer):
            os.close(each)


class _WatchedSyncs:
    """Every real sync of a file, counted; each may be held at a gate."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.number = 0
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        self._real = files.sync
        patch.setattr(files, "sync", self)

    def __call__(self, descriptor: int) -> None:
        self.number += 1
        self.entered.release()
        self.gate.wait()
        self._real(descriptor)


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> _WatchedSyncs:
    return _WatchedSyncs(monkeypatch)


# ---------------------------------------------------------------------- segments


def test_segments_are_chained_and_ascend(audit: Path) -> None:
    """Each segment's header names the one before it with its last digits; names sort by age; sizes double."""
    journal = open_journal(audit)
    journal.feed("lane", durable=True)
    for _ in range(3):
        write(journal, 150)
        journal.rest()
    paths = sorted((audit / "journal").iterdir())
    lines = [path.read_bytes().splitlines() for path in paths]
    headers = [json.loads(each[0][65:]) for each in lines]

    assert [path.stem for path in paths] == [header["segment"] for header in headers]
    assert [None, *[[path.stem, each[-1][:64].decode()] for path, each in zip(paths, lines, strict=True)]][:-1] == [
        header["previous"] for header in headers
    ]


def test_segment_takes_its_space_at_once_and_gives_the_rest_back(audit: Path) -> None:
    """The first segment reserves 64 KiB; when it is closed it is as long as its lines."""
    journal = open_journal(audit)
    write(journal, 1)
    (path,) = (audit / "journal").iterdir()
    reserved = (path.suffix, path.stat().st_size, path.stat().st_blocks * 512 >= 64 * 1024)
    journal.rest()
    (path,) = (audit / "journal").iterdir()

    assert (".open", 65536, True) == reserved
    assert (".closed", 3) == (path.suffix, path.read_bytes().count(b"\n"))
    assert path.read_bytes().endswith(b"\n")


def test_first_record_may_be_larger_than_a_first_segment(audit: Path) -> None:
    """Records of the largest size fit at any time, the first one included."""
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    room = MAX_RECORD - len(encode(draft()))
    written = [each for _ in range(3) for each in (*write(journal, 1, "x" * room), *write(journal, 1))]

    assert written == deliver_all(feed)


def test_event_that_is_too_long_is_recorded_with_its_longest_values_cut(audit: Path) -> None:
    """An event that is larger than any record is not lost: it says what was cut, and is counted."""
    reporter = Reporter(CLOCK)
    journal = open_journal(audit, reporter=reporter)
    feed = journal.feed("lane", durable=True)
    room = MAX_RECORD - len(encode(draft()))
    written = [*write(journal, 1, "x" * room), *write(journal, 1, "x" * (room + 1))]
    whole, cut = (record.event for record in take_all(feed))

    assert written == [whole.id, cut.id]
    assert {"text": "x" * room} == whole.metadata
    assert "text" == cut.metadata["auditkit_truncated"]
    assert {"truncated": 1} == reporter.counts()


def test_event_of_which_nothing_can_be_cut_is_refused_by_its_size(audit: Path) -> None:
    """An action is never cut, since it says what was done."""
    journal = open_journal(audit)
    endless = draft()._replace(action="tweet." + "x" * MAX_RECORD)

    with pytest.raises(JournalError, match=rf"at most {MAX_RECORD} bytes as JSON, got {len(encode(endless))}"):
        journal.append(endless)


def test_next_segment_is_prepared_when_the_present_one_is_half_full(audit: Path) -> None:
    """The syncing thread makes the next segment, so that the record which needs it does not."""
    journal = open_journal(audit)
    prepared = threading.Event()
    prepare, further = journal._prepare, journal._further
    asked: list[int] = []  # once for the first segment, and once where that is half full

    def watched() -> None:
        prepare()
        prepared.set()

    def counted(size: int) -> Segment:
        asked.append(size)
        return further(size)

    journal._prepare = watched  # type: ignore[method-assign]  # watched, and done
    journal._further = counted  # type: ignore[method-assign]  # counted, and done
    journal.start()
    while len(asked) < 2:
        write(journal, 1)
    prepared.wait()
    (spare,) = [name for name in segments(audit) if name.endswith(".new")]
    while len([name for name in segments(audit) if name.endswith(".open")]) < 2:
        write(journal, 1)

    assert spare.removeprefix(".").removesuffix(".new") in {name.removesuffix(".open") for name in segments(audit)}
    journal.rest()
    journal.stop()


def test_spare_that_came_too_late_is_dropped(audit: Path) -> None:
    """A segment prepared before a newer one was begun is not used: names must ascend."""
    journal = open_journal(audit)
    write(journal, 1)
    create = journal._create

    def slowly(least: int) -> object:
        made = create(least)
        journal._create = create  # type: ignore[method-assign]  # as it was
        journal.rest()
        write(journal, 1)  # begins a segment while the spare is on its way
        return made

    journal._create = slowly  # type: ignore[method-assign, assignment]  # the same, with a record in between
    journal._prepare()

    assert journal._spare is None
    assert [] == [name for name in segments(audit) if name.endswith(".new")]


def test_missing_room_for_the_next_segment_is_told_ahead(audit: Path) -> None:
    """Where the next segment cannot be prepared it is told while the present one still has room."""
    reporter = Reporter(CLOCK)
    journal = open_journal(audit, max_bytes=64 * 1024, reporter=reporter)
    write(journal, 1)
    journal._prepare()

    assert {"nearly_full": 1, "no_room_ahead": 1} == reporter.counts()
    assert 1 == len(write(journal, 1))


def test_ensured_room_is_there(audit: Path) -> None:
    """After `ensure_room` a record of the largest size fits, whatever becomes of the rest of the disk."""
    journal = open_journal(audit)
    write(journal, 1)
    journal.ensure_room()
    journal._max_bytes = 0
    largest = "x" * (MAX_RECORD - len(encode(draft())))

    assert 1 == len(write(journal, 1, largest))


def test_cursors_come_with_their_segment(audit: Path) -> None:
    """Where a lane keeps how far it has come is there when the segment is, and goes with one that is never begun."""
    journal = open_journal(audit)
    for lane in ("one", "two"):
        journal.feed(lane, durable=True)
    write(journal, 1)
    begun = cursors_in(audit)
    journal._prepare()
    prepared = cursors_in(audit)
    journal.rest()

    assert [("one", 8192), ("two", 8192)] == begun
    assert 2 * begun == prepared
    assert begun == cursors_in(audit)


def cursors_in(audit: Path) -> list[tuple[str, int]]:
    paths = sorted(audit.glob("lanes/*/*"), key=lambda path: (path.name, path.parent.name))
    return [(path.parent.name, path.stat().st_size) for path in paths]


def test_lane_that_is_dropped_meanwhile_hinders_no_segment(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A destination that is dropped between a look and the next step needs no place any more."""
    journal = open_journal(audit)
    journal.feed("lane", durable=True)
    monkeypatch.setattr("auditkit.journal.cursor.lanes_of", lambda root: ["dropped", "lane"])
    write(journal, 1)

    assert [("lane", 8192)] == cursors_in(audit)


def test_segment_without_room_for_its_cursors_is_not_begun(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a lane could not keep how far it has come, nothing is recorded that it could not deliver then."""
    journal = open_journal(audit)
    for lane in ("one", "two"):
        journal.feed(lane, durable=True)
    (audit / "lanes" / "file").touch()
    reserve, cursors = files.reserve, []

    def full(descriptor: int, size: int) -> None:
        cursors.append(size == 8192)
        if sum(cursors) % 2 == 0 and cursors[-1]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        reserve(descriptor, size)

    with monkeypatch.context() as patch:
        patch.setattr(files, "reserve", full)
        with pytest.raises(JournalFull, match="no space left"):
            write(journal, 1)

    assert ([], [], []) == (segments(audit), cursors_in(audit), descriptors_in(audit))
    assert 1 == len(write(journal, 1))


def test_missing_room_is_told_before(audit: Path) -> None:
    """Where a record of the largest size would not fit, `ensure_room` says so, and small records go on."""
    journal = open_journal(audit, max_bytes=128 * 1024)

    with pytest.raises(JournalFull, match="holds 0 bytes and may hold max_bytes=131072"):
        journal.ensure_room()
    assert 1 == len(write(journal, 1))


def test_refusals_leave_nothing_behind(audit: Path) -> None:
    """However often a record is refused, no descriptor stays open and no file stays."""
    journal = open_journal(audit, max_bytes=64 * 1024)
    with suppress(JournalFull):
        write(journal, 1000)
    before = (segments(audit), descriptors_in(audit))
    for _ in range(5):
        with pytest.raises(JournalFull):
            write(journal, 1, "x" * 1000)

    assert before == (segments(audit), descriptors_in(audit))


def test_warns_at_three_quarters(audit: Path) -> None:
    """A journal that holds 75 % of what it may says so once a window, before it refuses anything."""
    reporter = Reporter(CLOCK)
    journal = open_journal(audit, max_bytes=300 * 1024, reporter=reporter)
    with suppress(JournalFull):
        write(journal, 10_000)

    assert {"nearly_full"} == set(reporter.counts())


def test_removed_directory_is_told(audit: Path) -> None:
    """Where somebody removed the directory, the next sync fails, and records are refused rather than lost."""
    journal = open_journal(audit)
    write(journal, 1)
    shutil.rmtree(audit)

    assert not journal.sync()
    with pytest.raises(JournalUnavailable, match="No such file or directory"):
        write(journal, 1)


def test_begin_that_fails_leaves_nothing_behind(audit: Path) -> None:
    """A segment that cannot be given its name is dropped whole, and the next record gets another one."""
    journal = open_journal(audit)
    journal.ensure_room()
    spare = journal._spare
    assert spare is not None
    (audit / "journal" / f".{spare.name}.new").unlink()

    with pytest.raises(JournalUnavailable):
        write(journal, 1)
    assert ([], []) == (segments(audit), descriptors_in(audit))
    assert 1 == len(write(journal, 1))


def test_write_error_moves_on_to_another_segment(audit: Path) -> None:
    """A record that its file does not take is refused; the next one goes to a new segment, and nothing is lost."""
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    written = write(journal, 2)
    with dead_device(journal), pytest.raises(JournalUnavailable, match="cannot write the audit journal"):
        write(journal, 1)
    written += write(journal, 2)

    assert 2 == len(segments(audit))
    journal.rest()
    assert written == deliver_all(feed)


# ---------------------------------------------------------------------- interruptions


class _RecordingClock(SystemClock):
    """A clock at which something records, inside an append: as a signal handler or a finaliser may."""

    journal: DiskJournal
    recorded: list[str]
    positions: list[tuple[str, int]]

    def read(self) -> int:
        if self.recorded:
            each = draft(event_id=self.recorded[-1])
            self.recorded.append(new_id())
            self.positions.append(self.journal.append(each))
        return CLOCK.time_ns()


def test_append_inside_an_append_is_written_by_the_outer_one(audit: Path) -> None:
    """What records while a record is being written neither waits for itself nor is lost."""
    clock = _RecordingClock()
    clock.time_ns = clock.read  # it records at each look
    clock.recorded, clock.positions = [], []
    journal = DiskJournal(audit, clock=clock, ids=new_id, reporter=Reporter(CLOCK), keys=Keys(), max_bytes=2**30)
    clock.journal = journal
    feed = journal.feed("lane", durable=True)
    clock.recorded = [new_id()]
    (outer,) = write(journal, 1)

    assert [("", -1)] == clock.positions
    assert [outer, *clock.recorded[:-1]] == deliver_all(feed)


def test_append_inside_an_append_that_is_refused_is_told(audit: Path) -> None:
    """Where there is no room for what was recorded inside an append, it is counted: whoever recorded it has gone on."""
    reporter = Reporter(CLOCK)
    journal = open_journal(audit, max_bytes=64 * 1024, reporter=reporter)
    write(journal, 1)
    journal._interrupting.append(b"x" * 64 * 1024)
    written = write(journal, 1)

    assert (1, 1) == (len(written), reporter.counts()["not_recorded"])
    assert 1 == len(write(journal, 1))


class _Interrupted(deque[bytes]):
    """What waits to be written; something comes in between a look at it and the next step, once."""

    comes: Callable[[], object] | None = None

    def __bool__(self) -> bool:
        waits, comes, self.comes = len(self) > 0, self.comes, None
        if comes is not None:
            comes()
        return waits


def test_append_that_comes_before_what_was_left_is_written_takes_it_along(audit: Path) -> None:
    """What records just before an append writes what came inside of it has written that too, and both are there."""
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    left = draft()
    journal._interrupting = interrupted = _Interrupted([encode(left)])
    interrupted.comes = lambda: None
    between: list[str] = []

    def look() -> None:  # the append looks whether anything is left, and then begins with it
        interrupted.comes = lambda: between.extend(write(journal, 1))

    interrupted.comes = look
    (outer,) = write(journal, 1)

    assert [outer, *between, left.id] == deliver_all(feed)
    assert 3 == journal.recorded()


def test_append_inside_of_what_a_fork_waits_for_waits_for_nobody(audit: Path) -> None:
    """A finaliser may come while a file is being opened, for which another thread waits that has the journal's lock."""
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    (first,) = write(journal, 1)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with journal._lock:
            held.set()
            release.wait()

    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    with files._guard:
        (waiting,) = write(journal, 1)
    release.set()
    other.join()
    before = take_all(feed)
    assert journal.sync()
    with files._guard:
        (free,) = write(journal, 1)

    assert [first] == ids(before)
    assert [waiting, free] == ids(take_all(feed))


def test_feed_that_is_closed_hears_of_no_more_segments(audit: Path) -> None:
    """A fleeting lane that was closed opens no segment that its process begins later."""
    journal = open_journal(audit)
    journal.feed("console", durable=False).close()
    write(journal, 200)
    journal.rest()

    assert [] == descriptors_in(audit)


# ---------------------------------------------------------------------- the device


def test_settle_waits_for_the_device(audit: Path, syncs: _WatchedSyncs) -> None:
    """Under fsync="always" nobody is told that a record is safe before the device has taken it."""
    journal = open_journal(audit, syncs_each=True)
    syncs.gate.clear()
    settled = threading.Event()

    def record() -> None:
        write(journal, 1)
        journal.settle(journal.latest())
        settled.set()

    thread = threading.Thread(target=record)
    thread.start()
    syncs.entered.acquire()
    before = settled.is_set()
    syncs.gate.set()
    thread.join()

    assert (False, True) == (before, settled.is_set())


def test_concurrent_callers_share_one_sync(audit: Path, syncs: _WatchedSyncs) -> None:
    """What was recorded while a sync was under way is put on the device by one further sync, not by one each."""
    journal = open_journal(audit, syncs_each=True)
    syncs.gate.clear()
    recorded = threading.Barrier(9)

    def record() -> None:
        write(journal, 1)
        recorded.wait()
        journal.settle(journal.latest())

    write(journal, 1)
    first = threading.Thread(target=lambda: journal.settle(journal.latest()))
    first.start()
    syncs.entered.acquire()
    others = [threading.Thread(target=record) for _ in range(8)]
    for thread in others:
        thread.start()
    recorded.wait()  # all eight are recorded, and the first sync may not count for any of them
    syncs.gate.set()
    for thread in (first, *others):
        thread.join()

    assert 2 == syncs.number


def test_failed_sync_is_told_to_those_whose_records_were_in_it(audit: Path) -> None:
    """Who appended before a sync that failed is told, whoever waits and whatever was recorded and synced since."""
    journal = open_journal(audit, syncs_each=True)
    numbers: dict[str, int] = {}

    def append(name: str) -> None:
        write(journal, 1)
        numbers[name] = journal.latest()

    def on_its_own_thread(name: str) -> None:
        thread = threading.Thread(target=append, args=(name,))
        thread.start()
        thread.join()

    on_its_own_thread("first")
    with dead_device(journal):
        assert not journal.sync()
    on_its_own_thread("second")
    assert journal.sync()
    on_its_own_thread("third")
    with dead_device(journal):
        assert not journal.sync()
    write(journal, 1)
    assert journal.sync()

    for name, number in numbers.items():
        if name == "second":
            journal.settle(number)
        else:
            with pytest.raises(JournalUnavailable, match="failed to sync"):
                journal.settle(number)
    assert {"first": 1, "second": 2, "third": 3} == numbers
    assert 4 == journal.latest()


def test_latest_record_is_the_threads_own(audit: Path) -> None:
    """What a thread settles is what it recorded, whatever others have recorded since."""
    journal = open_journal(audit, syncs_each=True)
    write(journal, 1)
    other = threading.Thread(target=write, args=(journal, 2))
    other.start()
    other.join()

    assert 1 == journal.latest()


def test_nothing_new_needs_no_sync(audit: Path, syncs: _WatchedSyncs) -> None:
    """A sync after which nothing was recorded is not made again."""
    journal = open_journal(audit)
    write(journal, 3)

    assert (True, True, 1) == (journal.sync(), journal.sync(), syncs.number)


def test_syncing_thread_syncs_what_was_recorded(audit: Path, syncs: _WatchedSyncs) -> None:
    """Under fsync="interval" a record is on the device soon, though nobody asks; starting twice starts one thread."""
    journal = open_journal(audit)
    journal.start()
    journal.start()
    write(journal, 1)

    assert syncs.entered.acquire(timeout=30)
    named = [thread for thread in threading.enumerate() if thread.name == "auditkit-sync"]
    assert [journal._syncer] == named
    journal.stop()
    assert not named[0].is_alive()


def test_sync_that_failed_is_never_taken_for_done(audit: Path) -> None:
    """After a failed sync a later one that succeeds says nothing for what came before; a new segment is begun."""
    reporter = Reporter(CLOCK)
    journal = open_journal(audit, reporter=reporter, syncs_each=True)
    feed = journal.feed("lane", durable=True)
    written = write(journal, 2)
    with dead_device(journal), pytest.raises(JournalUnavailable, match="failed to sync"):
        journal.settle(journal.latest())

    with pytest.raises(JournalUnavailable):
        journal.settle(journal.latest())  # of the same records: the kernel may have dropped their pages
    written += write(journal, 1)
    journal.settle(journal.latest())
    feed.scan()
    assert (1, written) == (reporter.counts()["sync_failed"], deliver_all(feed))


def test_sync_that_fails_while_closing_leaves_an_orphan(audit: Path) -> None:
    """A segment that cannot be closed is let go; whoever looks next adopts it, and delivers all of it."""
    reporter = Reporter(CLOCK)
    journal = open_journal(audit, reporter=reporter)
    feed = journal.feed("lane", durable=True)
    written = write(journal, 2)
    with dead_device(journal):
        journal.rest()
    written += write(journal, 1)
    feed.scan()
    journal.rest()

    assert (written, []) == (deliver_all(feed), segments(audit))


def test_nobody_is_woken_while_the_lock_is_held(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is recorded inside of an append wakes nobody: who wakes waits for a lock, whose holder may wait for this one."""
    journal = open_journal(audit)
    write(journal, 1)
    busy: list[object] = []
    monkeypatch.setattr(type(journal._growth), "tell", lambda _: busy.append(journal._busy))
    inner = [draft()]
    further = journal._write

    def interrupted(body: bytes) -> tuple[str, int]:
        if inner:
            journal.append(inner.pop())
        return further(body)

    monkeypatch.setattr(journal, "_write", interrupted)
    assert journal._segment is not None
    journal._segment._limit = 0  # so that the journal's own code writes it, and is interrupted there
    journal._growth.waiting = 1
    write(journal, 1)

    assert [False] == busy


@pytest.mark.parametrize(
    ("error", "context"),
    [
        (OSError(errno.ENOSPC, "full"), [JournalFull, OSError, LookupError]),
        (OSError(errno.EIO, "broken"), [JournalUnavailable, OSError, LookupError]),
        (KeyboardInterrupt(), [KeyboardInterrupt, LookupError]),
    ],
    ids=repr,
)
def test_refusal_tells_what_was_behind_it(
    audit: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, context: list[type]
) -> None:
    """What an append raises has the system's own error as its context, and what the caller handled as that one's."""
    journal = open_journal(audit)
    write(journal, 1)

    def fail(*_: object) -> int:
        patch.undo()
        raise error

    def write_while_handling() -> None:
        try:
            raise LookupError
        except LookupError:
            write(journal, 1)

    with monkeypatch.context() as patch:
        patch.setattr(files, "pwrite", fail)
        with pytest.raises(context[0]) as caught:
            write_while_handling()

    assert context == contexts(caught.value)


def contexts(error: BaseException | None) -> list[type]:
    """Return the types of an exception and of those in whose context it was raised."""
    return [] if error is None else [type(error), *contexts(error.__context__)]


def test_failure_to_catch_up_tells_of_the_first_failure(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what came inside of a failed append cannot be written either, the first failure is the second's context."""
    journal = open_journal(audit)
    write(journal, 1)
    whole = files.pwrite
    calls: list[int] = []

    def counted(fd: int, data: bytes, at: int) -> int:
        calls.append(1)
        if len(calls) == 1:
            journal.append(draft())  # as a signal handler does
            raise KeyboardInterrupt
        if len(calls) == 2:  # the line that may be there already, made sure of
            return whole(fd, data, at)
        raise SystemExit

    monkeypatch.setattr(files, "pwrite", counted)
    with pytest.raises(SystemExit) as caught:
        write(journal, 1)

    assert KeyboardInterrupt in contexts(caught.value)
