"""Dead letters put back: for one destination, once, and never in neither place."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import files
from auditkit.clock import new_id
from auditkit.journal import (
    Keys,
    Letter,
    Letterbox,
    Requeued,
    backlog,
    interrupted,
    letters,
    letters_of,
    requeue,
    requeueing,
    segment,
)
from auditkit.journal.verification import verify
from auditkit.trail.dead_letters import DeadLetters
from tests.journals import CLOCK, deliver_all, open_journal, segments, take_all, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditkit.journal.feed import DiskFeed

STEPS = {files.__file__, letters.__file__, requeueing.__file__, segment.__file__}


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def lane(audit: Path, name: str = "lane") -> DiskFeed:
    """Return a feed that has looked through the directory."""
    feed = open_journal(audit).feed(name, durable=True)
    feed.scan(eager=True)
    return feed


def refused(audit: Path, number: int = 1, text: str = "") -> list[str]:
    """Leave so many events that one lane refused and another one has; return their ids."""
    journal = open_journal(audit)
    feeds = [journal.feed(name, durable=True) for name in ("lane", "other")]
    written = write(journal, number, text)
    for record in take_all(feeds[0]):
        feeds[0].bury(record.event, "no such schema")
        feeds[0].acknowledge([record.position])
    assert written == deliver_all(feeds[1])
    journal.rest()
    for feed in feeds:
        deliver_all(feed)
        feed.scan()
        feed.close()
    assert [] == segments(audit)
    return written


def put_back(audit: Path, ids: set[str] | None = None, *, secret: bytes | None = None, name: str = "lane") -> Requeued:
    chain = Keys([] if secret is None else [secret]).writing
    return requeue(audit, name, lambda letter: ids is None or letter.id in ids, chain=chain, ids=new_id, clock=CLOCK)


def left(audit: Path) -> list[str]:
    return [letter.id for letter in letters_of(audit, "lane")]


def in_dead(audit: Path) -> list[str]:
    return sorted(path.name for path in (audit / "dead").iterdir())


def test_requeued_event_goes_to_who_refused_it(audit: Path) -> None:
    """The destination gets the events again with their ids, the others nothing, and then nothing is left of them."""
    first, second, third = refused(audit, 3)
    done = put_back(audit, {first, third})

    assert ((first, third), ()) == (done.ids, done.unreadable)
    assert [second] == left(audit)
    (name,) = segments(audit)
    assert name.endswith("@lane.closed")
    other, own = lane(audit, "other"), lane(audit)
    assert (0, 2) == (other.pending(), own.pending()) == (backlog(audit, "other"), backlog(audit, "lane"))
    assert ([], [first, third]) == (deliver_all(other), deliver_all(own))
    own.scan()
    assert ([], ["lane.jsonl"]) == (segments(audit), in_dead(audit))


def test_lane_that_comes_later_gets_nothing_twice(audit: Path) -> None:
    """A new destination, which begins with the oldest event held, gets one that was put back for another one once."""
    journal = open_journal(audit)
    feed = journal.feed("lane", durable=True)
    journal.remember("slow")
    (written,) = write(journal, 1)
    (record,) = feed.take(1)
    feed.bury(record.event, "no such schema")
    feed.acknowledge([record.position])
    journal.rest()
    put_back(audit)

    assert [written] == deliver_all(lane(audit, "late"))
    assert [written] == deliver_all(lane(audit))


def test_segment_for_nobody_goes(audit: Path) -> None:
    """Events that were put back for a destination that is remembered no more hold no space."""
    refused(audit, 2)
    put_back(audit)
    shutil.rmtree(audit / "lanes" / "lane")
    lane(audit, "other")

    assert [] == segments(audit)


def test_letter_of_an_event_that_was_buried_twice(audit: Path) -> None:
    """A lane killed between letter and cursor writes the letter again; the event is put back once."""
    (written,) = refused(audit)
    path = audit / "dead" / "lane.jsonl"
    path.write_bytes(path.read_bytes() * 2)

    assert (written,) == put_back(audit).ids
    assert ([], [written]) == (left(audit), deliver_all(lane(audit)))


def test_letter_without_an_event_stays(audit: Path) -> None:
    """What nobody can deliver is told and stays, whatever becomes of the others."""
    (written,) = refused(audit)
    path = audit / "dead" / "lane.jsonl"
    path.write_bytes(path.read_bytes() + b"damaged\n")
    done = put_back(audit)

    assert ((written,), [b"damaged\n"]) == (done.ids, [letter.line for letter in done.unreadable])
    assert b"damaged\n" == path.read_bytes()
    assert Requeued(ids=(), unreadable=done.unreadable) == put_back(audit)


def test_more_letters_than_a_segment_holds(audit: Path) -> None:
    """Large events are put back in as many segments as they take, each as whole as any other."""
    written = refused(audit, 20, "x" * 250_000)
    put_back(audit, secret=b"k" * 32)
    found = verify(audit, Keys([b"k" * 32]))

    assert (2, 20, 2, None) == (found.segments, found.records, found.signed, found.first_bad)
    journal = open_journal(audit, secrets=[b"k" * 32])
    feed = journal.feed("lane", durable=True)
    feed.scan()
    assert written == deliver_all(feed)


def test_requeue_without_room_changes_nothing(audit: Path) -> None:
    """Where the letters cannot be written anew, they stay as they were, and nothing is put back."""
    written = refused(audit, 2)
    (audit / "dead" / ".lane.jsonl.new").mkdir()

    with pytest.raises(OSError, match=r"lane\.jsonl\.new"):
        put_back(audit)
    assert (written, [], False) == (left(audit), segments(audit), interrupted(audit, "lane"))


def test_requeue_onto_a_full_disk_changes_nothing(audit: Path) -> None:
    """Where a segment cannot be written, the letters stay as they were, and no part of it is left."""
    resource = pytest.importorskip("resource")
    written = refused(audit, 2)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            put_back(audit)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert (written, [], ["lane.jsonl"]) == (left(audit), segments(audit), in_dead(audit))


# ---------------------------------------------------------------------- killed


def traced(act: Callable[[], Any], at_line: Callable[[int], None]) -> None:
    """Do something, and say each time which of its lines comes next; in a child, whose own lines nobody measures."""
    number = 0

    def trace(frame: Any, event: str, _: object) -> Any:
        nonlocal number
        if frame.f_code.co_filename not in STEPS:
            return None
        if event == "line":
            number += 1
            at_line(number)
        return trace

    sys.settrace(trace)
    act()
    sys.settrace(None)


def in_child(act: Callable[[], Any]) -> int:
    """Do something in a child; return how that ended."""
    child = os.fork()
    if not child:
        try:
            act()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


def kill_at(number: int, act: Callable[[], Any]) -> None:
    """Do something in a child that is killed before one of its lines."""
    ended = in_child(lambda: traced(act, lambda line: os.kill(os.getpid(), signal.SIGKILL) if line == number else None))
    assert signal.SIGKILL == os.WTERMSIG(ended)


def test_requeue_that_is_interrupted_changes_nothing(audit: Path) -> None:
    """Whoever presses Ctrl-C before the letters go finds them all, and nothing put back."""
    first, second = refused(audit, 2)

    def interrupt(letter: Letter) -> bool:
        if letter.id == second:
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        requeue(audit, "lane", interrupt, chain=Keys().writing, ids=new_id, clock=CLOCK)
    assert ([first, second], [], ["lane.jsonl"]) == (left(audit), segments(audit), in_dead(audit))


def test_living_requeue_is_left_alone(audit: Path) -> None:
    """What lies between letters and journal while another process has the letters is that one's, and stays."""
    refused(audit)
    (audit / "dead" / "0193@lane.open").touch()
    with Letterbox.opened(audit, "lane"):
        requeueing.finish(audit, "lane")
        assert interrupted(audit, "lane")
    requeueing.finish(audit, "lane")

    assert not interrupted(audit, "lane")


def test_drop_goes_on_with_a_killed_requeue(tmp_path: Path) -> None:
    """A letter that a killed process was putting back is put back, and no drop can say that it is gone for good."""
    audit, world = tmp_path / "audit", tmp_path / "world"
    (written,) = refused(audit)
    for now in states_left(audit, world, put_back):
        if {"dead/lane.closed", "dead/lane.jsonl"} <= {name for name, size in now if size}:
            assert ([written], []) == (left(world), DeadLetters(world).drop("lane", [written]))
            assert ([], [written]) == (left(world), deliver_all(lane(world)))
            break
    else:
        pytest.fail("it never came to that")


def after_all(audit: Path) -> Counter[str]:
    """Let a lane look, put back what is left and let it look again; return how often it got each event."""
    got = Counter(deliver_all(lane(audit)))
    put_back(audit)
    feed = lane(audit)
    got.update(deliver_all(feed))
    feed.scan()
    assert ([], [], ["lane.jsonl"]) == (deliver_all(lane(audit, "other")), left(audit), in_dead(audit))
    assert [] == segments(audit)
    return got


def state(world: Path) -> frozenset[tuple[str, int]]:
    """Return what a directory holds, but for the names that each process gives anew."""
    found = [path for path in world.rglob("*") if path.is_file()]
    return frozenset((f"{path.parent.name}/{path.name.rpartition('@')[2]}", path.stat().st_size) for path in found)


def states_left(audit: Path, world: Path, act: Callable[[Path], Any]) -> Iterator[frozenset[tuple[str, int]]]:
    """Kill a child that does something in a copy of a directory, once for each state that the disk comes to."""
    numbers, before = [], frozenset({("nothing", 0)})

    def note(line: int) -> None:
        nonlocal before
        if before != (before := state(world)):
            numbers.append(line)

    copy(audit, world)
    told = world.with_name("told")

    def dry_run() -> None:
        traced(lambda: act(world), note)
        told.write_text(json.dumps(numbers))

    in_child(dry_run)
    for number in json.loads(told.read_text()):
        copy(audit, world)
        kill_at(number, lambda: act(world))
        yield state(world)


def copy(audit: Path, world: Path) -> None:
    shutil.rmtree(world, ignore_errors=True)
    shutil.copytree(audit, world)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_requeue_killed_anywhere_loses_nothing(tmp_path: Path) -> None:
    """Killed before any of its lines, and while a lane goes on from there, each event arrives exactly once."""
    audit, world, other = tmp_path / "audit", tmp_path / "world", tmp_path / "other"
    written = Counter(refused(audit, 2))
    states = []
    for now in states_left(audit, world, put_back):
        states.append(now)
        if any(name == "dead/lane.closed" for name, _ in now):
            for _ in states_left(world, other, lambda world: requeueing.finish(world, "lane")):
                assert written == after_all(other)
            copy(world, other)
            assert written == Counter(deliver_all(lane(other)))  # nobody has to come and requeue again
        assert written == after_all(world)

    # Untouched, three steps of a segment, the new letters in three, and given.
    assert 8 <= len(states)
