"""The journal among real processes: killed, forked, racing for orphans, following each other, out of space."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditkit import files
from auditkit.errors import JournalUnavailable
from auditkit.journal import Letterbox, letters_of
from auditkit.reporting import Reporter
from tests.journals import CLOCK, Player, deliver_all, ids, open_journal, segments, take_all, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditkit.journal.feed import DiskFeed

pytestmark = pytest.mark.skipif(os.name != "posix", reason="fork, flock and signals are POSIX's")
NOBODY = 65534


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def players() -> Iterator[ExitStack]:
    """Processes that are entered here are killed at the test's end."""
    with ExitStack() as stack:
        yield stack


def lane(directory: Path, name: str = "lane", *, reporter: Reporter | None = None) -> DiskFeed:
    """Return this process's feed of a lane that looks through the directory."""
    feed = open_journal(directory, reporter=reporter).feed(name, durable=True)
    feed.scan(eager=True)
    return feed


# ---------------------------------------------------------------------- killed


@pytest.mark.parametrize("seed", range(12))
def test_killed_process_loses_nothing_that_it_acknowledged(audit: Path, seed: int) -> None:
    """Whatever moment SIGKILL comes at, another process reads back every event that was recorded, once."""
    chance = random.Random(seed)
    with Player(audit) as writer:
        writer.begin("stream")
        told = [writer.answer() for _ in range(chance.choice([1, 50, 150, 400, 2500]) + chance.randrange(50))]
        rest = writer.kill()
    told += [json.loads(line) for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
    reporter = Reporter(CLOCK)
    found = deliver_all(lane(audit, reporter=reporter))

    assert told == found[: len(told)]
    assert len(found) <= len(told) + 1  # the one that was recorded and not told
    assert len(set(found)) == len(found)
    assert {} == reporter.counts()
    assert [] == segments(audit)


def test_killed_writer_is_adopted_while_a_child_of_its_lives(audit: Path, players: ExitStack) -> None:
    """A forked child that outlives its parent keeps neither the parent's segment nor its cursors from adopters."""
    owner = players.enter_context(Player(audit))
    owner("feed", "lane")
    written = owner("append", 5)
    taken = owner("take", "lane", 2)
    owner("acknowledge", "lane", [taken[0][0]])
    child = owner("fork")
    try:
        owner.kill_only()
        other = players.enter_context(Player(audit))
        other("feed", "lane")
        other("scan", "lane")
        found = other("deliver", "lane")
        os.kill(child, 0)  # it lives
    finally:
        os.kill(child, signal.SIGKILL)

    assert written[1:] == found
    assert [] == segments(audit)


def test_killed_deliverer_leaves_what_it_acknowledged(audit: Path, players: ExitStack) -> None:
    """A lane that is started again goes on from its cursor, acknowledgements ahead of it included."""
    first = players.enter_context(Player(audit))
    first("feed", "lane")
    written = first("append", 10)
    taken = first("take", "lane", 8)
    first("acknowledge", "lane", [taken[index][0] for index in (0, 1, 3, 4, 7)])
    first.kill()
    feed = lane(audit)

    assert 5 == feed.pending()
    assert [written[index] for index in (2, 5, 6, 8, 9)] == deliver_all(feed)
    assert ([], 0) == (segments(audit), feed.pending())


def test_acknowledged_tail_is_passed_after_a_restart(audit: Path, players: ExitStack) -> None:
    """Where only the first record was missing, acknowledging it passes the whole segment."""
    first = players.enter_context(Player(audit))
    first("feed", "lane")
    written = first("append", 5)
    taken = first("take", "lane", 5)
    first("acknowledge", "lane", [position for position, _ in taken[1:]])
    first.kill()

    assert written[:1] == deliver_all(lane(audit))
    assert [] == segments(audit)


# ---------------------------------------------------------------------- racing


@pytest.mark.parametrize("attempt", range(5))
def test_orphan_is_delivered_by_one_of_two_adopters(audit: Path, players: ExitStack, attempt: int) -> None:
    """Two processes that find an orphan at once hand out none of its records twice, and lose none."""
    writer = players.enter_context(Player(audit))
    written = writer("append", 100)
    adopters = [players.enter_context(Player(audit)) for _ in range(2)]
    for each in adopters:
        each("feed", "lane")
    writer.kill()
    for each in adopters:
        each.begin("scan", "lane")
    for each in adopters:
        each.answer()
    for each in adopters:
        each.begin("take", "lane", 1000)
    taken = [[event_id for _, event_id in each.answer()] for each in adopters]

    assert sorted(written) == sorted(taken[0] + taken[1])
    assert [] in taken


def test_two_lanes_of_two_processes_each_get_everything(audit: Path, players: ExitStack) -> None:
    """Processes that work different lanes never take anything from each other."""
    writer, one, two = (players.enter_context(Player(audit)) for _ in range(3))
    one("feed", "one")
    two("feed", "two")
    written = writer("append", 700)
    writer("rest")
    for each, name in ((one, "one"), (two, "two")):
        each("scan", name)
        each.begin("deliver", name)

    assert (written, written) == (one.answer(), two.answer())
    assert [] == segments(audit)


def test_segment_stays_until_every_remembered_lane_has_passed_it(audit: Path, players: ExitStack) -> None:
    """A lane that nobody works holds its segments, also against lanes that come and go; then they are removed."""
    writer = players.enter_context(Player(audit))
    writer("feed", "down")
    written = writer("append", 20)
    writer("rest")
    writer.kill()
    held = segments(audit)

    assert written == deliver_all(lane(audit, "up"))
    assert held == segments(audit)
    assert 1 == len(held)
    later = lane(audit, "down")
    assert written == deliver_all(later)
    assert [] == segments(audit)
    assert [] == list((audit / "lanes").glob("*/*"))


def test_segment_is_removed_when_the_lane_it_waited_for_is_dropped(audit: Path) -> None:
    """Once a destination is dropped, what waited for it alone is removed by a lane that lives."""
    journal = open_journal(audit)
    journal.feed("dropped", durable=True)
    feed = journal.feed("lane", durable=True)
    write(journal, 3)
    journal.rest()
    deliver_all(feed)
    held = segments(audit)
    shutil.rmtree(audit / "lanes" / "dropped")
    feed.scan()

    assert (1, []) == (len(held), segments(audit))


def test_follower_reads_beside_a_writer(audit: Path, players: ExitStack) -> None:
    """A process that follows a living writer delivers each of its events once, and never a bad frame."""
    writer = players.enter_context(Player(audit))
    writer("append", 1)
    reporter = Reporter(CLOCK)
    feed = lane(audit, reporter=reporter)
    writer.begin("append", 4000, "x" * 700)
    found: list[str] = []
    while len(found) < 4001:  # the suite's timeout ends it otherwise
        found += deliver_all(feed)
        feed.scan(eager=True)
    written = writer.answer()

    assert written == found[1:]
    assert {} == reporter.counts()


def test_living_writers_own_lane_comes_first(audit: Path, players: ExitStack) -> None:
    """A living writer's segment is left to its own lane for one look, and never taken out of its hands."""
    writer = players.enter_context(Player(audit))
    writer("feed", "lane")
    written = writer("append", 2)
    feed = open_journal(audit).feed("lane", durable=True)
    feed.scan()
    first = take_all(feed)
    feed.scan()

    assert ([], written) == (first, ids(take_all(feed)))
    assert [] == writer("take", "lane", 10)
    feed.close()
    writer("scan", "lane")
    assert written == [event_id for _, event_id in writer("take", "lane", 10)]


# ---------------------------------------------------------------------- interrupted


def test_signal_handler_that_records_loses_nothing(audit: Path, players: ExitStack) -> None:
    """A handler that records and settles wherever it interrupts a recording thread neither deadlocks nor loses."""
    player = players.enter_context(Player(audit, traced=False))
    written, handled = player("interrupt_by_recording", 100)
    player("rest")

    assert sorted(written + handled) == sorted(deliver_all(lane(audit)))
    assert {} == player("counts")


def test_signal_handler_that_raises_breaks_no_chain(audit: Path, players: ExitStack) -> None:
    """A handler that raises at any moment of an append costs at most that record, and damages no other."""
    player = players.enter_context(Player(audit, traced=False))
    told = player("interrupt_by_raising", 300)
    player("rest")
    reporter = Reporter(CLOCK)
    found = deliver_all(lane(audit, reporter=reporter))

    assert set(told) <= set(found)
    assert len(set(found)) == len(found) <= len(told) + 301
    assert {} == player("counts") | reporter.counts()


# ---------------------------------------------------------------------- forks


def test_forks_beside_a_recording_thread(audit: Path, players: ExitStack) -> None:
    """A child forked at any moment has no audit file open; what parent and children record is all there, once."""
    player = players.enter_context(Player(audit, traced=False))
    told = player("fork_while_appending", 40, 3)
    found = deliver_all(lane(audit))

    assert [] == told["inherited"]
    assert sorted(told["parent"] + told["children"]) == sorted(found)
    parents = [name for name in segments(audit) if name.endswith(".open")]
    assert parents
    assert {None} == {files.locked(audit / "journal" / name) for name in parents}  # no child took or freed a lock


# ---------------------------------------------------------------------- the directory


@pytest.mark.parametrize("mask", [0, 0o777])
def test_everything_is_private_whatever_the_umask(audit: Path, players: ExitStack, mask: int) -> None:
    """Directories are 0700 and files 0600 under an umask that would show them to everybody, or to nobody."""
    player = players.enter_context(Player(audit))

    assert {"dir 0700", ".open 0600", ".cursor 0600", ".worker 0600", ".jsonl 0600"} == set(player("modes", mask))


@pytest.mark.parametrize("kind", ["link", "file", "open to a group"])
def test_directory_that_cannot_be_trusted_is_refused(tmp_path: Path, kind: str) -> None:
    """A link, a file, or a directory that others may write is refused, with the path and what to do."""
    path = tmp_path / "audit"
    if kind == "link":
        (tmp_path / "real").mkdir()
        path.symlink_to(tmp_path / "real")
    elif kind == "file":
        path.touch()
    else:
        path.mkdir()
        path.chmod(0o770)
    expected = {
        "link": f"{path} is a symbolic link, not a directory; remove it or configure another directory",
        "file": f"{path} is a file, not a directory; remove it or configure another directory",
        "open to a group": f"{path} can be written by others (mode 0770); run: chmod go-w {path}, "
        "or declare its group with shared_group=True (AUDITKIT_SHARED_GROUP=1)",
    }[kind]

    with pytest.raises(JournalUnavailable) as caught:
        open_journal(path)
    assert expected == str(caught.value)


_OPEN_AS_NOBODY = f"""
import os, sys
from pathlib import Path
from auditkit.errors import JournalUnavailable
from auditkit.files import private_directory
if os.geteuid() == 0:  # not before: nobody may perhaps not read this interpreter
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
try:
    private_directory(Path(sys.argv[1]))
except JournalUnavailable as error:
    print(error, end="")
"""


@pytest.mark.parametrize("mode,inside", [(0o555, "audit"), (0o555, ""), (0o600, "")])
def test_directory_without_permission_is_refused(mode: int, inside: str) -> None:
    """A place that this user may not write, or may not enter, is refused with its path and what to do."""
    with tempfile.TemporaryDirectory() as reachable:  # pytest's own directories are closed to others
        Path(reachable).chmod(0o711)
        place = Path(reachable) / "place"
        place.mkdir()
        if os.geteuid() == 0:
            os.chown(place, NOBODY, NOBODY)
        place.chmod(mode)
        path = place / inside
        said = subprocess.run(
            [sys.executable, "-c", _OPEN_AS_NOBODY, str(path)], capture_output=True, text=True, check=True
        ).stdout
        place.chmod(0o700)

    expected = (
        f"cannot make the audit directory {path}: Permission denied; "
        "give configure() a directory that this process may write"
        if inside
        else f"{path} cannot be written by this process; give it to the user that runs it, or configure another"
    )
    assert expected == said


# ---------------------------------------------------------------------- no space


def test_full_disk_refuses_keeps_and_recovers(audit: Path, players: ExitStack) -> None:
    """Where no segment can be reserved, records are refused, those before stay, and delivering needs no space."""
    player = players.enter_context(Player(audit))
    player("feed", "lane")
    written = player("append", 400)
    player("limit", 8500)  # a cursor of 8 KiB still fits, the smallest segment does not
    how = player("refused")
    delivered = player("deliver", "lane")

    assert "JournalFull" == how
    assert written == delivered[:400]
    player("limit", 2**30)
    again = player("append", 10)
    player("rest")
    assert again == player("deliver", "lane")[-10:]
    assert {} == player("counts")


def test_dead_letter_without_room_leaves_no_half_line(audit: Path, players: ExitStack) -> None:
    """A dead letter for which the disk has no room is an error, and leaves the file as it was for the next one."""
    player = players.enter_context(Player(audit))
    player("feed", "lane")
    player("append", 3)
    told = [player("bury_first", "lane")]
    letters = audit / "dead" / "lane.jsonl"
    before = letters.read_bytes()
    player("limit", len(before) + 100)
    told.append(player("bury_first", "lane"))
    after = letters.read_bytes()
    player("limit", 2**30)
    told.append(player("bury_first", "lane"))

    assert ["", f"cannot write the dead letters of lane in {audit}: File too large", ""] == told
    assert before == after
    assert ["a test"] * 2 == [json.loads(line)["reason"] for line in letters.read_bytes().splitlines()]


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux tells who waits for a lock")
def test_letter_that_waits_while_others_are_removed_is_kept(audit: Path, players: ExitStack) -> None:
    """A lane that waits to write a letter, while the file is replaced by one with fewer, writes into that one."""
    player = players.enter_context(Player(audit))
    player("feed", "lane")
    written = player("append", 2)
    player("bury_first", "lane")
    with Letterbox.opened(audit, "lane") as box:
        assert box is not None
        player.begin("bury_first", "lane")
        while not re.search(rf"-> FLOCK .* {player.pid} ", Path("/proc/locks").read_text("ascii")):
            assert player.alive
        box.remove(written)

    assert "" == player.answer()
    assert written[1:] == [letter.id for letter in letters_of(audit, "lane")]


def test_disk_with_little_room_gives_smaller_segments(audit: Path, players: ExitStack) -> None:
    """Where the next segment's full size is not to be had, a smaller one is taken rather than the record refused."""
    player = players.enter_context(Player(audit))
    player("feed", "lane")
    player("limit", 64 * 1024)
    written = player("append", 1000, "x" * 500)
    player("limit", 2**30)
    player("rest")

    assert written == player("deliver", "lane")
