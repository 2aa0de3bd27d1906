"""What processes that work a lane leave word of, and what others make of it."""

from __future__ import annotations

import json
import os
import platform
import stat
import zlib
from typing import TYPE_CHECKING

import pytest

from auditkit import files
from auditkit.journal.worker import SUFFIX, Worker, WorkerFile, decode, sweep_workers, workers_of
from auditkit.protocols import Standing
from auditkit.reporting import Reporter
from auditkit.testing import DrivenClock
from tests.journals import CLOCK, Player, deliver_all, open_journal, write

if TYPE_CHECKING:
    from pathlib import Path

    from auditkit.clock import Clock

STANDING = Standing(
    delivered=3, failures=2, rate=1.5, accepted_ns=7, code="failing", trouble="503 \u00e9", since_ns=9
)  # fmt: skip


@pytest.fixture
def lane(tmp_path: Path) -> Path:
    return files.room(files.room(files.private_directory(tmp_path / "audit") / "lanes") / "lane")


def told(lane: Path, standing: Standing = STANDING, clock: Clock = CLOCK) -> WorkerFile:
    """Return the file of one that has told how the lane stands."""
    worker = WorkerFile(lane, clock)
    worker.tell(standing)
    return worker


def seen(lane: Path) -> list[Worker]:
    return workers_of(lane.parent.parent, "lane")


def pages(lane: Path) -> list[Path]:
    return [path for path in lane.iterdir() if path.suffix == SUFFIX]


def test_what_is_told_is_seen(lane: Path) -> None:
    """Others see who works a lane, since when, when it told so, and how the lane stands."""
    clock = DrivenClock()
    since = clock.time_ns()
    worker = WorkerFile(lane, clock)
    assert [] == seen(lane)
    for standing in (STANDING, Standing()):
        clock.advance(5)
        worker.tell(standing)

        host, now = platform.node(), clock.time_ns()
        expected = Worker(alive=True, host=host, pid=os.getpid(), since_ns=since, told_ns=now, standing=standing)
        assert [expected] == seen(lane)
    worker.close()


def test_page_is_private_and_of_one_size(lane: Path) -> None:
    """The file is its owner's alone and is never larger than one page, whatever trouble it tells."""
    worker = told(lane, Standing(code="failing", trouble="\U0001f600" * 100_000))
    (path,) = pages(lane)

    assert (0o600, 4096) == (stat.S_IMODE(path.stat().st_mode), path.stat().st_size)
    assert ["\U0001f600" * 300] == [each.standing.trouble for each in seen(lane)]
    worker.close()


def test_closed_one_is_gone_and_its_word_stays(lane: Path) -> None:
    """A process that ended works the lane no more; what the last of them told can still be read, and nothing else."""
    living, *ended = told(lane), told(lane), told(lane)
    for each in ended:
        each.close()
        each.close()
    sweep_workers(lane.iterdir())

    assert [False, True] == sorted(each.alive for each in seen(lane))
    assert [STANDING, STANDING] == [each.standing for each in seen(lane)]
    living.close()
    assert [False] == [each.alive for each in seen(lane)]


def test_killed_one_is_gone(tmp_path: Path) -> None:
    """A process that is killed works the lane no more, and the next one's look at the lane removes its file."""
    audit = tmp_path / "audit"
    with Player(audit) as player:
        player("feed", "lane")
        player("tell", "lane")
        before = [each.alive for each in workers_of(audit, "lane")]
        player.kill()

    assert ([True], [False]) == (before, [each.alive for each in workers_of(audit, "lane")])
    feed = open_journal(audit).feed("lane", durable=True)
    feed.tell(STANDING)
    feed.scan()
    assert [os.getpid()] == [each.pid for each in workers_of(audit, "lane")]
    feed.close()
    feed.tell(STANDING)
    assert [False] == [each.alive for each in workers_of(audit, "lane")]


def test_two_that_ask_do_not_meet(lane: Path) -> None:
    """One that asks whether a file is held does not make it seem held to another."""
    told(lane).close()
    asking = files.open_to_read(lane / f"last{SUFFIX}")
    assert files.lock(asking.fd, shared=True)
    (path,) = pages(lane)

    assert not files.is_held(path)
    files.close(asking)


def test_file_that_was_removed_is_made_again(lane: Path) -> None:
    """Where somebody removes the file of a living process, it has another one the next time that it tells."""
    worker = told(lane)
    pages(lane)[0].unlink()
    assert [] == seen(lane)
    worker.tell(Standing())

    assert [(True, Standing())] == [(each.alive, each.standing) for each in seen(lane)]
    worker.close()


def test_one_that_is_looked_at_while_it_is_made_tells_the_next_time(lane: Path) -> None:
    """Who meets somebody that asks at the very moment does not wait for him, and tells the next time."""
    told(lane, clock=DrivenClock()).close()
    (path,) = pages(lane)
    path = path.rename(path.with_name(f"{os.getpid()}-{DrivenClock().token(4).hex()}{SUFFIX}"))
    asking = files.open_to_read(path)
    assert files.lock(asking.fd, shared=True)
    worker = told(lane, clock=DrivenClock())  # a driven clock's first token is always the same
    assert [False] == [each.alive for each in seen(lane)]
    files.close(asking)
    worker.tell(Standing())

    assert [(True, Standing())] == [(each.alive, each.standing) for each in seen(lane)]
    worker.close()


def page(text: str) -> bytes:
    return b"%08x %b" % (zlib.crc32(text.encode()), text.encode())


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"\0" * 4096,
        page("{}")[:-1],
        page("{"),
        page("[1]"),
        page("{}"),
        page('{"host": "h", "pid": 1, "since_ns": 2, "told_ns": 3, "standing": 4}'),
    ],
)
def test_page_that_says_nothing_whole(lane: Path, told: bytes) -> None:
    """A page that is torn, empty or of another release says nothing, and its process is still there."""
    (lane / f"1-0{SUFFIX}").write_bytes(told)

    assert decode(told) is None
    assert [Worker(alive=False)] == seen(lane)


def test_page_of_a_later_release_is_read_as_far_as_it_is_known(lane: Path) -> None:
    """What a later release says besides is passed over, and what an earlier one did not say is as by default."""
    text = json.dumps(
        {"host": "h", "pid": 1, "since_ns": 2, "told_ns": 3, "more": 4, "standing": {"rate": 5.0, "colour": "red"}}
    )
    (lane / f"1-0{SUFFIX}").write_bytes(page(text))

    expected = Worker(alive=False, host="h", pid=1, since_ns=2, told_ns=3, standing=Standing(rate=5.0))
    assert [expected] == seen(lane)


def test_lane_that_cannot_tell_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for the file, that is counted, nothing is left behind, and events are delivered."""
    reporter = Reporter(CLOCK)
    journal = open_journal(tmp_path / "audit", reporter=reporter)
    feed = journal.feed("lane", durable=True)
    written = write(journal, 2)

    def full(descriptor: int, size: int) -> None:
        raise OSError(28, f"no room for {size} at {descriptor}")

    with monkeypatch.context() as patch:
        patch.setattr(files, "reserve", full)
        feed.tell(STANDING)
    feed.scan()

    assert (1, []) == (reporter.counts()["standing_failed"], workers_of(tmp_path / "audit", "lane"))
    assert written == deliver_all(feed)
    feed.tell(STANDING)
    assert [STANDING] == [each.standing for each in workers_of(tmp_path / "audit", "lane")]
    feed.close()


def test_secret_in_a_trouble_is_not_written(lane: Path) -> None:
    """What a destination says is redacted before it is on the disk: whoever wrote its transport may have forgotten."""
    worker = told(lane, Standing(code="paused", trouble="no: sk_live_51HqJ2eZvKYlo2C0abcdefgh"))

    assert ["no: [redacted]"] == [each.standing.trouble for each in seen(lane)]
    assert b"sk_live" not in pages(lane)[0].read_bytes()
    worker.close()


def test_lane_of_this_process_alone_tells_nobody(tmp_path: Path) -> None:
    """A lane that is not remembered leaves no word: there is no place for it."""
    feed = open_journal(tmp_path / "audit").feed("lane", durable=False)
    feed.tell(STANDING)

    assert not (tmp_path / "audit" / "lanes").exists()


def test_lane_that_was_forgotten_is_remembered_anew(tmp_path: Path) -> None:
    """A lane whose directory goes while it is worked has it again after the next look, and delivers what there is."""
    journal = open_journal(tmp_path / "audit")
    feed = journal.feed("lane", durable=True)
    (tmp_path / "audit" / "lanes" / "lane").rmdir()
    feed.scan()
    written = write(journal, 2)
    feed.scan()

    assert written == deliver_all(feed)
    feed.close()
