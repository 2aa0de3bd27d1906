"""The ledger among processes: killed, forked, crowded, and without room."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from auditkit.ledger import LedgerReader, LedgerWriter, ledger_path, verify
from tests.unit.ledger.builders import EventfulClock, event_of
from tests.unmeasured import unmeasured

if TYPE_CHECKING:
    from pathlib import Path

PRELUDE = """
import os, signal, sys, threading
from pathlib import Path
from auditkit.clock import SystemClock
from auditkit.errors import TemporaryFailure
from auditkit.event import Event
from auditkit.ledger import LedgerWriter

directory = Path(sys.argv[1])

def event_of(number):
    return Event("org_1", "tweet.update", "U", "user", "user", "tweet", "tweet", "1.1.1.1",
                 "2024-05-01T12:00:00Z", {"body": "x" * 500}, id=f"event-{number}")
"""

KILLED = """
class Deadly(SystemClock):
    asked = -1
    def monotonic(self):  # when a batch begins, and after each sixteen rows
        self.asked += 1
        if self.asked == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return 0.0

LedgerWriter(directory).send([event_of(number) for number in range(100)])
LedgerWriter(directory, clock=Deadly()).send([event_of(number) for number in range(100, 500)])
"""

CROWD = """
numbers = list(range(400))
turn = int(sys.argv[2]) * 100
numbers = numbers[turn:] + numbers[:turn]
writer = LedgerWriter(directory)
sys.stdin.read()
for start in range(0, 400, 25):
    batch = [event_of(number) for number in numbers[start : start + 25]]
    while True:
        try:
            writer.send(batch)
            break
        except TemporaryFailure:
            pass
"""

FORKS = """
writer = LedgerWriter(directory)
os.register_at_fork(
    before=writer.before_fork, after_in_parent=writer.after_fork, after_in_child=writer.after_fork
)
stopped = threading.Event()

def work():
    number = 0
    while not stopped.is_set():
        writer.send([event_of(number + each) for each in range(50)])
        number += 50

thread = threading.Thread(target=work)
thread.start()
failures = 0
for attempt in range(30):
    child = os.fork()
    if child == 0:
        held = [os.readlink(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd")
                if os.path.exists(f"/proc/self/fd/{each}")]
        if any("ledger" in each for each in held):
            os._exit(1)
        writer.send([event_of(f"child-{attempt}")])
        os._exit(0)
    failures += os.waitpid(child, 0)[1] != 0
stopped.set()
thread.join()
sys.exit(failures)
"""

NO_ROOM = """
import resource
writer = LedgerWriter(directory)
writer.send([event_of(0)])
size = (directory / "ledger" / "ledger.sqlite3").stat().st_size
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, hard))
try:
    writer.send([event_of(number) for number in range(400)])
    sys.exit("it fitted")
except TemporaryFailure:
    pass
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
writer.send([event_of(number) for number in range(400)])
"""


def start(script: str, directory: Path, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PRELUDE + script, str(directory), *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, env=unmeasured() if script is FORKS else None)


def run(script: str, directory: Path, *arguments: object) -> int:
    with start(script, directory, *arguments) as process:
        process.communicate(timeout=50)
    return process.returncode


def assert_sound(directory: Path, *, count: int) -> None:
    found = verify(directory)
    identifiers = [entry.event.id for entry in LedgerReader(directory).events()]

    assert (count, None) == (found.checked, found.first_bad)
    assert count == len(identifiers) == len(set(identifiers))
    with closing(sqlite3.connect(ledger_path(directory))) as connection:
        assert ("ok",) == connection.execute("PRAGMA integrity_check").fetchone()


@pytest.mark.parametrize("rows", [0, 16, 208, 400])
def test_process_killed_within_a_batch_leaves_a_sound_ledger(tmp_path: Path, rows: int) -> None:
    """Killed after any row, a batch is not there at all, and sending it again writes each event once."""
    assert -signal.SIGKILL == run(KILLED, tmp_path / "audit", rows // 16)
    assert_sound(tmp_path / "audit", count=100)

    LedgerWriter(tmp_path / "audit").send([event_of(number) for number in range(50, 500)])
    assert_sound(tmp_path / "audit", count=500)


def test_processes_that_write_the_same_events_write_each_once(tmp_path: Path) -> None:
    """Four processes that send the same 400 events at once leave 400 entries and one whole chain."""
    crowd = [start(CROWD, tmp_path / "audit", number) for number in range(4)]
    for process in crowd:
        assert process.stdin is not None
        process.stdin.close()  # they all wait for this
    for process in crowd:
        assert 0 == process.wait(timeout=50)

    assert_sound(tmp_path / "audit", count=400)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="looks at /proc")
def test_fork_carries_nothing_of_a_batch(tmp_path: Path) -> None:
    """A process that forks while its ledger writes gives its children no descriptor, and they write too."""
    assert 0 == run(FORKS, tmp_path / "audit")

    found = verify(tmp_path / "audit")
    assert found.first_bad is None
    assert 30 == len([entry for entry in LedgerReader(tmp_path / "audit").events() if "child" in entry.event.id])


def test_fork_waits_for_the_batch_under_way(tmp_path: Path) -> None:
    """Whoever is about to fork goes on after the last row of the batch, and the next batch after the fork."""
    story: list[str] = []
    in_batch, may_go_on = threading.Event(), threading.Event()

    def happen() -> float:
        story.append("rows")
        in_batch.set()
        may_go_on.wait(20)
        return 0.0

    writer = LedgerWriter(tmp_path, clock=EventfulClock(happen))

    def fork() -> None:
        writer.before_fork()
        story.append("fork")
        writer.after_fork()

    sending = threading.Thread(target=writer.send, args=([event_of(number) for number in range(17)],))
    sending.start()
    in_batch.wait(20)
    forking = threading.Thread(target=fork)
    forking.start()
    may_go_on.set()
    for thread in (sending, forking):
        thread.join(20)

    assert ["rows", "rows", "rows", "fork"] == story


@pytest.mark.skipif(sys.platform == "win32", reason="limits a file's size by setrlimit")
def test_full_disk_is_survived(tmp_path: Path) -> None:
    """Where there is no room the batch fails as a whole, and with room again it is written."""
    assert 0 == run(NO_ROOM, tmp_path / "audit")

    assert_sound(tmp_path / "audit", count=400)
