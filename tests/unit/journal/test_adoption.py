"""Segments whose writers died, whole or damaged: everything that verifies is delivered, and the rest is counted."""

from __future__ import annotations

import errno
import os
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from auditkit import files
from auditkit.journal import backlog
from auditkit.journal.adoption import sweep
from auditkit.protocols import Frozen
from auditkit.reporting import Reporter
from tests.journals import CLOCK, deliver_all, ids, open_journal, segments, take_all, write

if TYPE_CHECKING:
    from pathlib import Path

    from auditkit.journal import DiskJournal


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def reporter() -> Reporter:
    return Reporter(CLOCK)


def die(journal: DiskJournal) -> None:
    """Let go of what a journal holds, as its process' death would."""
    for each in (journal._segment, journal._spare, *journal._ended):
        if each is not None:
            each.release()
    for feed in journal._feeds:
        feed.close()


def full(*_: object, **__: object) -> None:
    """Fail as a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def orphan(audit: Path, number: int) -> tuple[list[str], Path, list[tuple[int, int]]]:
    """Leave a dead writer's segment; return its ids, its file, and where its records' lines begin and end."""
    journal = open_journal(audit)
    written = write(journal, number)
    die(journal)
    (path,) = (audit / "journal").iterdir()
    data = path.read_bytes().rstrip(b"\0")
    return written, path, list(pairwise([at + 1 for at, byte in enumerate(data) if byte == ord("\n")]))


def flip(path: Path, at: int) -> None:
    """Change one bit of a file in place."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def delivered(audit: Path, reporter: Reporter, lane: str = "lane") -> list[str]:
    """Return what a process that finds the directory delivers."""
    feed = open_journal(audit, reporter=reporter).feed(lane, durable=True)
    feed.scan()
    found = deliver_all(feed)
    feed.close()
    return found


@pytest.mark.parametrize("part", ["digits", "body", "break"])
def test_damaged_record_is_counted_or_mended(audit: Path, reporter: Reporter, part: str) -> None:
    """A record whose JSON was hit is lost, counted and kept aside; one whose frame was hit is delivered."""
    written, path, lines = orphan(audit, 5)
    start, stop = lines[2]
    flip(path, {"digits": start + 3, "body": start + 90, "break": stop - 1}[part])
    line = path.read_bytes()[start:stop]
    found = delivered(audit, reporter)
    kept = {each.name: each.read_bytes() for each in (audit / "journal").iterdir()}

    if part == "body":
        assert (written[:2] + written[3:], {"corrupt": 1}) == (found, reporter.counts())
        assert {f"{path.stem}.corrupt": line} == kept
    else:
        assert (written, {}, {}) == (found, reporter.counts(), kept)


def test_torn_tail_is_no_loss(audit: Path, reporter: Reporter) -> None:
    """Wherever the last line was torn, what came before is delivered, and nothing is reported as lost."""
    written, path, lines = orphan(audit, 3)
    whole = path.read_bytes().rstrip(b"\0")
    start, stop = lines[-1]
    for cut in range(start, stop, 7):
        path.write_bytes(whole[:cut] + bytes(300))

        assert written[:2] == delivered(audit, reporter)
        assert ([], {}) == (segments(audit), reporter.counts())


@pytest.mark.parametrize("hit", [1, 4], ids=["in the middle", "in the last line"])
def test_torn_tail_beside_damage_is_no_loss(audit: Path, reporter: Reporter, hit: int) -> None:
    """What was being written when the writer died is not counted with a line that was damaged."""
    written, path, lines = orphan(audit, 5)
    flip(path, lines[hit][0] + 90)
    with path.open("r+b") as file:
        file.seek(lines[4][1])
        file.write(b"f" * 64 + b' {"id": "')

    assert (5 - 1, {"corrupt": 1}) == (len(delivered(audit, reporter)), reporter.counts())
    assert 5 == len(written)


def test_zeroed_stretch_costs_what_it_covered(audit: Path, reporter: Reporter) -> None:
    """Lost pages cost the lines they held and the one chained to them, no other."""
    written, path, lines = orphan(audit, 40)
    data = bytearray(path.read_bytes())
    data[lines[10][0] + 5 : lines[13][0] + 5] = bytes(lines[13][0] - lines[10][0])
    path.write_bytes(data)
    found = delivered(audit, reporter)

    assert written[:10] == found[:10]
    assert written[15:] == found[-25:]
    assert 1 <= reporter.counts()["corrupt"]


def test_file_that_never_reached_the_device_goes(audit: Path, reporter: Reporter) -> None:
    """A segment of zeros, which a power cut before the first sync leaves, is removed without a word."""
    open_journal(audit)
    (audit / "journal" / "s.open").write_bytes(bytes(65536))

    assert ([], [], {}) == (delivered(audit, reporter), segments(audit), reporter.counts())


def test_garbage_is_put_aside(audit: Path, reporter: Reporter) -> None:
    """A file that is no segment is renamed, so that it is told once and looked at no more."""
    open_journal(audit)
    (audit / "journal" / "s.open").write_bytes(b"one\ntwo\n")
    delivered(audit, reporter)
    first = reporter.counts()
    delivered(audit, reporter)

    assert ({"corrupt": 2, "unreadable_segment": 1}, first) == (first, reporter.counts())
    assert ["s.corrupt"] == segments(audit)


def test_follower_waits_at_damage_and_goes_on_when_it_is_judged(audit: Path, reporter: Reporter) -> None:
    """While its writer lives, a line that does not verify may be half written; once closed it is put aside."""
    journal = open_journal(audit, reporter=reporter)
    feed = journal.feed("lane", durable=True)
    written = write(journal, 5)
    (path,) = (audit / "journal").iterdir()
    lines = path.read_bytes().split(b"\n")
    flip(path, len(lines[0]) + len(lines[1]) + 2 + 90)
    before = deliver_all(feed)
    waiting = (deliver_all(feed), feed.pending())
    journal.rest()
    after = deliver_all(feed)

    assert (written[:1], ([], 4), written[2:]) == (before, waiting, after)
    assert ([f"{path.stem}.corrupt"], 0, {"corrupt": 1}) == (segments(audit), feed.pending(), reporter.counts())


def closed_segment(audit: Path) -> tuple[list[str], Path]:
    """Leave a closed segment of five events; return their ids, and where it is."""
    journal = open_journal(audit)
    written = write(journal, 5)
    journal.rest()
    (path,) = (audit / "journal").iterdir()
    return written, path


def test_damage_in_a_closed_segment_is_put_aside_once(audit: Path, reporter: Reporter) -> None:
    """A bit that flips while a destination is down costs that line, kept and counted once, however many lanes meet it."""
    written, path = closed_segment(audit)
    open_journal(audit).feed("other", durable=True).close()
    starts = [at + 1 for at, byte in enumerate(path.read_bytes()) if byte == ord("\n")]
    hit = path.read_bytes()[starts[1] : starts[2]]
    flip(path, starts[1] + 90)  # of the second record
    found = [delivered(audit, reporter, lane) for lane in ("lane", "other")]

    assert [[written[0], *written[2:]]] * 2 == found
    assert {"corrupt": 1} == reporter.counts()
    kept = path.with_suffix(".corrupt").read_bytes()
    assert 1 == sum(one != other for one, other in zip(kept, hit, strict=True))
    assert [f"{path.stem}.corrupt"] == segments(audit)


@pytest.mark.parametrize("first", ["lane", "other"])
def test_damage_that_a_lane_stands_in_is_counted_once(audit: Path, reporter: Reporter, first: str) -> None:
    """A lane meets what of the damage lies behind its place, another one all of it: each line is kept and counted once."""
    written, path = closed_segment(audit)
    feed = open_journal(audit).feed("lane", durable=True)
    open_journal(audit).feed("other", durable=True).close()
    feed.scan()
    feed.acknowledge([record.position for record in feed.take(2)])
    feed.close()
    starts = [at + 1 for at, byte in enumerate(path.read_bytes()) if byte == ord("\n")]
    for line in (1, 2):
        flip(path, starts[line] + 10)
        flip(path, starts[line] + 90)
    second = {"lane": "other", "other": "lane"}[first]
    found = {lane: delivered(audit, reporter, lane) for lane in (first, second)}

    assert {"lane": written[4:], "other": [written[0], *written[4:]]} == found
    assert {"corrupt": 3} == reporter.counts()
    assert 3 == path.with_suffix(".corrupt").read_bytes().count(b"\n")


@pytest.mark.parametrize("cut", [0, 1, 30], ids=["at a line's end", "in its last byte", "in the line"])
def test_closed_segment_that_lost_its_end_is_told(audit: Path, reporter: Reporter, cut: int) -> None:
    """A segment is closed with its end: where that is gone, so may be events, and it is counted."""
    written, path = closed_segment(audit)
    data = path.read_bytes()
    starts = [at + 1 for at, byte in enumerate(data) if byte == ord("\n")]
    path.write_bytes(data[: starts[5] - cut])
    found = delivered(audit, reporter)

    assert (written[: 5 if cut == 0 else 4], {"corrupt": 1}) == (found, reporter.counts())
    assert path.with_suffix(".corrupt").exists()


def test_segment_that_was_cut_off_before_its_lanes_place_is_told(audit: Path, reporter: Reporter) -> None:
    """What a lane had still to take of a segment may be gone with its end: it is counted, and not waited for."""
    _, path = closed_segment(audit)
    feed = open_journal(audit).feed("lane", durable=True)
    feed.scan()
    feed.acknowledge([record.position for record in feed.take(3)])
    feed.close()
    os.truncate(path, 700)
    after = open_journal(audit, reporter=reporter).feed("lane", durable=True)
    after.scan()

    assert ([], 0, {"corrupt": 1}) == (deliver_all(after), after.pending(), reporter.counts())
    assert [f"{path.stem}.corrupt"] == segments(audit)


def test_damage_never_makes_a_kept_body_another_records(audit: Path, reporter: Reporter) -> None:
    """Where damage renumbers the records that were sent before, they are sent anew: none with another one's body."""
    _, path = closed_segment(audit)
    feed = open_journal(audit).feed("lane", durable=True)
    feed.scan()
    for record in feed.take(5):
        feed.keep_body(record.position, Frozen(record.event.id.encode(), 1))
    feed.close()
    starts = [at + 1 for at, byte in enumerate(path.read_bytes()) if byte == ord("\n")]
    flip(path, starts[1] + 90)
    for _ in range(2):  # now, and in the process after
        after = open_journal(audit, reporter=reporter).feed("lane", durable=True)
        after.scan()
        found = [(record.event.id.encode(), after.kept_body(record.position)) for record in take_all(after)]
        after.close()

        assert 4 == len(found)
        assert all(body is None or body.body == event_id for event_id, body in found)


def test_what_is_acknowledged_behind_damage_is_sent_again_once(audit: Path, reporter: Reporter) -> None:
    """Damage makes records that an earlier process had acknowledged come again, in the next process and in no other."""
    written, path = closed_segment(audit)
    starts = [at + 1 for at, byte in enumerate(path.read_bytes()) if byte == ord("\n")]
    sent = []
    for number in range(4):
        feed = open_journal(audit, reporter=reporter).feed("lane", durable=True)
        feed.scan()
        stuck, *others = take_all(feed)
        feed.acknowledge([record.position for record in others])
        told = {feed.passed(record.position) for record in (stuck, *others)}
        feed.close()
        sent.append((ids(others), told))
        if number == 0:
            flip(path, starts[1] + 90)

    assert [(written[1:], {False, True}), (written[2:], {None}), ([], {None}), ([], {None})] == sent


def test_body_of_what_was_accepted_is_nobody_else_s_after_damage(audit: Path) -> None:
    """Bodies of accepted records lie in the file under their old numbers: after damage they are kept for none."""
    written, path = closed_segment(audit)
    feed = open_journal(audit).feed("lane", durable=True)
    feed.scan()
    for record in feed.take(4):
        feed.keep_body(record.position, Frozen(record.event.id.encode(), 1))
        if record.event.id != written[0]:
            feed.acknowledge([record.position])
    feed.close()
    starts = [at + 1 for at, byte in enumerate(path.read_bytes()) if byte == ord("\n")]
    flip(path, starts[1] + 90)
    second = open_journal(audit).feed("lane", durable=True)
    second.scan()
    second.acknowledge([second.take(2)[1].position])  # what the cursor says now are the new numbers
    second.close()
    third = open_journal(audit).feed("lane", durable=True)
    third.scan()
    kept = {record.event.id: third.kept_body(record.position) for record in third.take(9)}

    assert {written[0]: written[0].encode(), written[3]: None, written[4]: None} == {
        each: body and body.body for each, body in kept.items()
    }


def test_bodies_behind_damage_are_kept_from_its_first_opening_on(audit: Path) -> None:
    """What is sent of a damaged segment is sent again byte for byte, by whichever process opens it next."""
    _, path = closed_segment(audit)
    starts = [at + 1 for at, byte in enumerate(path.read_bytes()) if byte == ord("\n")]
    flip(path, starts[1] + 90)
    kept: list[list[Frozen | None]] = []
    for number in range(3):
        feed = open_journal(audit).feed("lane", durable=True)
        feed.scan()
        positions = [record.position for record in feed.take(9)]
        kept.append([feed.kept_body(position) for position in positions])
        if not number:
            for position in positions:
                feed.keep_body(position, Frozen(b"%d" % position[1], 1))
        feed.close()

    assert [[None] * 4, *[[Frozen(b"%d" % each, 1) for each in range(4)]] * 2] == kept


@pytest.mark.parametrize("died", [False, True], ids=["closed", "orphan"])
def test_line_that_lost_its_break_too_is_counted(audit: Path, reporter: Reporter, died: bool) -> None:  # noqa: FBT001
    """Damage that reaches over a line's end is no torn tail where lines follow: it is put aside and told."""
    written, path = orphan(audit, 5)[:2] if died else closed_segment(audit)
    data = bytearray(path.read_bytes())
    starts = [at + 1 for at, byte in enumerate(data) if byte == ord("\n")]
    half = (starts[2] + starts[3]) // 2
    with path.open("r+b") as file:
        file.seek(half)
        file.write(bytes(starts[3] - half))
    feed = open_journal(audit, reporter=reporter).feed("lane", durable=True)
    feed.scan()

    assert [*written[:2], *written[3:]] == deliver_all(feed)
    assert ({"corrupt": 1}, None) == (reporter.counts(), feed.passed((path.stem, 2)))


@pytest.mark.parametrize("cut", [False, True], ids=["with its end", "without its end"])
@pytest.mark.parametrize("stuck", [0, 6])
def test_what_is_acknowledged_behind_damage_is_sent_again_no_more_than_once(
    audit: Path,
    cut: bool,  # noqa: FBT001
    stuck: int,
) -> None:
    """However often a damaged segment is opened, and wherever in it the lane stands, only its first opening forgets."""
    journal = open_journal(audit)
    written = write(journal, 12)
    journal.rest()
    (path,) = (audit / "journal").iterdir()
    lines = path.read_bytes().split(b"\n")
    for damaged in (3, 9):
        lines[damaged] = lines[damaged].replace(b"tweet", b"tweEt", 1)
    path.write_bytes(b"\n".join(lines[:-2] if cut else lines) + b"\n" * cut)
    numbers = []
    for waiting in ([0, 6], [0, 6], [stuck], [stuck]):
        feed = open_journal(audit).feed("lane", durable=True)
        feed.scan()
        records = take_all(feed)
        numbers.append(len(records))
        held = {written[each] for each in waiting}
        feed.acknowledge([record.position for record in records if record.event.id not in held])
        feed.close()

    assert [10, 2, 2, 1] == numbers


def test_fate_of_a_damaged_record_is_unknown_also_when_it_was_looked_at(audit: Path, reporter: Reporter) -> None:
    """Somebody moves what was put aside out of the directory: no receipt takes another event's place for it then."""
    _, path = closed_segment(audit)
    feed = open_journal(audit, reporter=reporter).feed("lane", durable=True)
    starts = [at + 1 for at, byte in enumerate(path.read_bytes()) if byte == ord("\n")]
    flip(path, starts[1] + 90)
    feed.scan()
    records = take_all(feed)
    path.with_suffix(".corrupt").unlink()
    waiting = feed.passed((path.stem, 1))
    elsewhere = open_journal(audit).feed("lane", durable=True)
    feed.acknowledge([records[0].position])
    other = elsewhere.passed((path.stem, 1))
    feed.acknowledge([record.position for record in records[1:]])

    assert (None, None, None) == (waiting, other, feed.passed((path.stem, 1)))


def test_flush_waits_for_a_closed_segment_to_its_end(audit: Path) -> None:
    """A line break that was hit hides a record from the count: what a flush waits for is the end, not a number."""
    journal = open_journal(audit)
    written = write(journal, 1)
    journal.rest()
    (path,) = (audit / "journal").iterdir()
    flip(path, path.read_bytes().index(b"\n"))  # the header's
    feed = open_journal(audit).feed("lane", durable=True)
    feed.scan()
    mark = feed.mark()

    assert (False, written, True) == (feed.reached(mark), deliver_all(feed), feed.reached(mark))


@pytest.mark.parametrize("bytes_hit", [8, 100])
def test_damage_over_the_break_behind_a_lanes_place_is_counted(audit: Path, reporter: Reporter, bytes_hit: int) -> None:
    """Where that break went with the digits behind it, what follows is not passed over: it is delivered or counted."""
    written, path = closed_segment(audit)
    feed = open_journal(audit).feed("lane", durable=True)
    feed.scan()
    feed.acknowledge([record.position for record in feed.take(2)])
    feed.close()
    data = path.read_bytes()
    starts = [at + 1 for at, byte in enumerate(data) if byte == ord("\n")]
    with path.open("r+b") as file:
        file.seek(starts[2] - 1)
        file.write(bytes(bytes_hit))
    found = delivered(audit, reporter)

    assert len(written) - 2 == len(found) + reporter.counts().get("corrupt", 0)
    assert written[-len(found) :] == found


def test_damage_that_another_process_is_about_to_keep_is_not_waited_for(audit: Path, reporter: Reporter) -> None:
    """A process that was stopped in the middle of keeping damage holds nobody up."""
    written, path = closed_segment(audit)
    starts = [at + 1 for at, byte in enumerate(path.read_bytes()) if byte == ord("\n")]
    flip(path, starts[1] + 90)
    lock = files.locked(path.with_suffix(".corrupt"), create=True)
    assert lock is not None
    before = delivered(audit, reporter)
    files.close(lock)

    assert written[:1] == before
    assert written[2:] == delivered(audit, reporter)


def test_damage_that_cannot_be_kept_keeps_its_segment(
    audit: Path, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk a damaged segment waits, and is delivered when what is damaged in it can be put aside."""
    written, path = closed_segment(audit)
    starts = [at + 1 for at, byte in enumerate(path.read_bytes()) if byte == ord("\n")]
    flip(path, starts[1] + 90)
    monkeypatch.setattr("auditkit.journal.feed.quarantine", full)
    before = delivered(audit, reporter)
    kept = path.exists()
    monkeypatch.undo()

    assert (written[:1], True) == (before, kept)
    assert written[2:] == delivered(audit, reporter)


def test_damage_never_makes_an_acknowledgement_another_records(audit: Path, reporter: Reporter) -> None:
    """Where damage renumbers what an earlier process acknowledged ahead, records are sent again, none is skipped."""
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    written = write(journal, 8)
    records = take_all(feed)
    feed.acknowledge([records[index].position for index in (0, 3, 4)])
    die(journal)
    (path,) = (audit / "journal").iterdir()
    starts = [at + 1 for at, byte in enumerate(path.read_bytes().rstrip(b"\0")) if byte == ord("\n")]
    flip(path, starts[2] + 90)  # of the third record
    found = delivered(audit, reporter)

    assert {written[index] for index in (1, 5, 6, 7)} <= set(found)
    assert {written[0], written[2]}.isdisjoint(found)
    assert len(set(found)) == len(found)


def test_ended_segment_is_closed_as_it_is(audit: Path, reporter: Reporter) -> None:
    """A writer that died between ending a segment and closing it leaves one that needs only its name."""
    journal = open_journal(audit)
    written = write(journal, 2)
    journal._end_present()
    die(journal)

    assert (written, {}) == (delivered(audit, reporter), reporter.counts())


def test_held_segment_is_finished_when_its_writer_dies(audit: Path, reporter: Reporter) -> None:
    """A lane that follows a writer to its death adopts the segment, and passes it."""
    writer = open_journal(audit)
    written = write(writer, 3)
    feed = open_journal(audit, reporter=reporter).feed("lane", durable=True)
    feed.scan(eager=True)
    first = deliver_all(feed)
    written += write(writer, 2)
    die(writer)
    feed.scan()

    assert (written, []) == (first + deliver_all(feed), segments(audit))


def test_prepared_segments_of_the_dead_are_swept(audit: Path) -> None:
    """What a dead process had prepared is removed; what a living one prepares is not."""
    dead, living = open_journal(audit), open_journal(audit)
    dead.ensure_room()
    living.ensure_room()
    die(dead)
    sweep(audit / "journal")

    assert living._spare is not None
    assert [f".{living._spare.name}.new"] == segments(audit)


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_orphan_that_cannot_be_opened_is_told(audit: Path, reporter: Reporter) -> None:
    """A segment that is a link is not followed; it is told, and the others are delivered."""
    written, _, _ = orphan(audit, 2)
    (audit / "journal" / "link.open").symlink_to("/etc/hostname")

    assert written == delivered(audit, reporter)
    assert {"adoption_failed": 1} == reporter.counts()


def test_two_lanes_share_an_adopted_segment(audit: Path, reporter: Reporter) -> None:
    """Lanes of one process each deliver an orphan whole, whichever adopted it."""
    written, _, _ = orphan(audit, 4)
    journal = open_journal(audit, reporter=reporter)
    feeds = [journal.feed(name, durable=True) for name in ("one", "two")]
    for feed in feeds:
        feed.scan()

    assert [written, written] == [ids(take_all(feed)) for feed in feeds]


def test_line_that_is_removed_before_a_lane_s_place_costs_no_other_line(tmp_path: Path) -> None:
    """What lies behind the place moves before it: it is delivered, or kept and counted, and not just gone."""
    audit = tmp_path / "audit"
    reporter = Reporter(CLOCK)
    journal = open_journal(audit, reporter=reporter)
    written = write(journal, 6)
    feed = journal.feed("lane", durable=True)
    feed.acknowledge([record.position for record in feed.take(3)])
    feed.close()
    journal.rest()
    (path,) = (audit / "journal").glob("*.closed")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:1] + lines[2:]))
    later = open_journal(audit, reporter=reporter).feed("lane", durable=True)
    later.scan()
    delivered = deliver_all(later)
    kept = b"".join(each.read_bytes() for each in (audit / "journal").glob("*.corrupt"))

    assert [] == [each for each in written[3:] if each not in delivered and each.encode() not in kept]


def test_bodies_of_a_segment_that_was_emptied_go(tmp_path: Path) -> None:
    """What was sent of a segment that is there no more, as nothing of it could be read, is not kept for ever."""
    audit = tmp_path / "audit"
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    write(journal, 1)
    (record,) = feed.take(1)
    feed.keep_body(record.position, Frozen(b"body", 1))
    feed.close()
    assert journal._segment is not None
    journal._segment.release()  # as a kill does
    (path,) = (audit / "journal").glob("*.open")
    path.write_bytes(b"")
    later = open_journal(audit).feed("lane", durable=True)
    later.scan(eager=True)
    later.scan(eager=True)

    assert [] == segments(audit)
    assert [] == [each.name for each in (audit / "lanes" / "lane").iterdir()]


def test_torn_end_is_not_counted_as_a_record_less(tmp_path: Path) -> None:
    """A process was killed while it wrote its segment's end: what is pending is what was recorded."""
    audit = tmp_path / "audit"
    journal = open_journal(audit)
    journal.feed("lane", durable=True)
    write(journal, 1)
    assert journal._segment is not None
    path = journal._segment.path
    journal._segment.end()
    journal._segment.release()
    whole = path.read_bytes().rstrip(b"\0")
    path.write_bytes(whole[:-2])

    assert 1 == backlog(audit, "lane")
