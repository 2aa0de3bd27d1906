"""What the journal's tests share: journals, drafts, and processes that use a journal and are told what to do.

Run as a script, this file is such a process: it reads a command a line (JSON: a name and its arguments), does
it and answers with a line. So a test knows where each process stands, and never has to wait for a while.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from auditkit import files
from auditkit.clock import SystemClock, new_id
from auditkit.draft import Draft, Scene
from auditkit.errors import JournalUnavailable
from auditkit.journal import DiskJournal, Keys
from auditkit.protocols import Standing
from auditkit.reporting import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from auditkit.journal.feed import DiskFeed
    from auditkit.protocols import Feed, Position, Record

CLOCK = SystemClock()
MAX_BYTES = 2**30


def draft(text: str = "", *, event_id: str | None = None) -> Draft:
    """Return the facts of one event that says ``text``."""
    scene = Scene(
        group="g",
        actor_id="a",
        actor_name="A",
        actor_type="user",
        location="1.1.1.1",
        correlation_id=None,
        metadata={},
    )
    return Draft(
        event_id or new_id(), CLOCK.time_ns(), scene, "tweet.update", "U", "t", "T", "tweet", None, {"text": text}
    )


def open_journal(
    directory: Path,
    *,
    reporter: Reporter | None = None,
    secrets: Sequence[bytes] = (),
    max_bytes: int = MAX_BYTES,
    syncs_each: bool = False,
) -> DiskJournal:
    """Return a journal on disk; its syncing thread is not started."""
    return DiskJournal(
        directory,
        clock=CLOCK,
        ids=new_id,
        reporter=reporter or Reporter(CLOCK),
        keys=Keys(secrets),
        max_bytes=max_bytes,
        syncs_each=syncs_each,
    )


def write(journal: Any, number: int, text: str = "") -> list[str]:
    """Append so many events; return their ids."""
    drafts = [draft(text) for _ in range(number)]
    for each in drafts:
        journal.append(each)
    return [each.id for each in drafts]


def take_all(feed: Feed) -> list[Record]:
    """Take records until there are none, acknowledging nothing."""
    found: list[Record] = []
    while records := feed.take(100):
        found.extend(records)
    return found


def deliver_all(feed: Feed) -> list[str]:
    """Take and acknowledge records until there are none; return their ids."""
    found: list[str] = []
    while records := feed.take(100):
        feed.acknowledge([record.position for record in records])
        found.extend(record.event.id for record in records)
    return found


def ids(records: Sequence[Record]) -> list[str]:
    """Return the records' event ids."""
    return [record.event.id for record in records]


def segments(directory: Path) -> list[str]:
    """Return the names of the files that the journal holds, oldest first."""
    return sorted(path.name for path in (directory / "journal").iterdir())


def descriptors_in(directory: Path) -> list[str]:
    """Return the files below a directory that this process has open."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the listing's own descriptor
            target = str(each.readlink())
            if target.startswith(f"{directory}/"):
                found.append(target)
    return found


@contextmanager
def owned(opened: set[files.Handle]) -> Iterator[None]:
    """Let what is opened inside belong to one of the processes that a test simulates."""
    before = set(files._open)
    try:
        yield
    finally:
        opened.update(files._open - before)


class Player:
    """Another process with a journal of its own on the directory."""

    def __init__(self, directory: Path, *, traced: bool = True) -> None:
        # Coverage's tracer takes a lock that neither a signal handler nor a fork beside threads may meet.
        environment = {name: value for name, value in os.environ.items() if traced or "COVERAGE" not in name}
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._commands, self._answers = self._process.stdin, self._process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let it end by itself, if it has not been killed and is not lost in a command."""
        for pipe in (self._commands, self._answers):
            with suppress(BrokenPipeError):
                pipe.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill_only()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def begin(self, name: str, *arguments: Any) -> None:
        """Give a command, and do not wait for its answer."""
        self._commands.write(json.dumps([name, *arguments]).encode() + b"\n")
        self._commands.flush()

    def answer(self) -> Any:
        """Return what the process says next."""
        line = self._answers.readline()
        assert line, "the process died"
        return json.loads(line)

    def __call__(self, name: str, *arguments: Any) -> Any:
        """Give a command and return its answer."""
        self.begin(name, *arguments)
        return self.answer()

    def kill_only(self) -> None:
        """Kill it as ``kill -9`` does; a child of its may live on."""
        self._process.kill()
        self._process.wait()

    def kill(self) -> bytes:
        """Kill it as ``kill -9`` does, and return what it had still said."""
        self.kill_only()
        rest = b"" if self._answers.closed else self._answers.read()
        self._answers.close()
        with suppress(BrokenPipeError):
            self._commands.close()
        return rest


class _Played:
    """The commands."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.reporter = Reporter(CLOCK)
        self.journal = open_journal(directory, reporter=self.reporter)
        self.feeds: dict[str, DiskFeed] = {}

    def append(self, number: int, text: str = "") -> list[str]:
        return write(self.journal, number, text)

    def stream(self) -> Iterator[str]:
        """Append for ever, saying each id once it is recorded."""
        while True:
            yield write(self.journal, 1)[0]

    def feed(self, lane: str, durable: bool = True) -> None:  # noqa: FBT001, FBT002  (comes from JSON)
        self.feeds[lane] = self.journal.feed(lane, durable=durable)

    def scan(self, lane: str, eager: bool = False) -> None:  # noqa: FBT001, FBT002  (comes from JSON)
        self.feeds[lane].scan(eager=eager)

    def take(self, lane: str, limit: int) -> list[tuple[Position, str]]:
        return [(record.position, record.event.id) for record in self.feeds[lane].take(limit)]

    def acknowledge(self, lane: str, positions: list[tuple[str, int]]) -> None:
        self.feeds[lane].acknowledge([(segment, index) for segment, index in positions])

    def deliver(self, lane: str) -> list[str]:
        return deliver_all(self.feeds[lane])

    def bury_first(self, lane: str) -> str:
        """Take a record and write it to the dead letters; return the error that this met."""
        (record,) = self.feeds[lane].take(1)
        try:
            self.feeds[lane].bury(record.event, "a test")
        except JournalUnavailable as error:
            return str(error)
        return ""

    def tell(self, lane: str) -> None:
        self.feeds[lane].tell(Standing(rate=1.0))

    def pending(self, lane: str) -> int:
        return self.feeds[lane].pending()

    def rest(self) -> None:
        self.journal.rest()

    def counts(self) -> dict[str, int]:
        return self.reporter.counts()

    def limit(self, size: int) -> None:
        """Let no file grow beyond so many bytes: as a full disk does, without a disk to fill."""
        import resource  # noqa: PLC0415  (not on every platform)

        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def refused(self) -> str:
        """Append until it is refused; return how."""
        while True:
            try:
                write(self.journal, 1, "x" * 1000)
            except Exception as error:  # noqa: BLE001  (the error is the answer)
                return type(error).__name__

    def opened(self) -> list[str]:
        return descriptors_in(self.directory)

    def modes(self, mask: int) -> list[str]:
        """Leave one of everything in the directory under an umask; say what may do what."""
        os.umask(mask)
        self.__init__(self.directory / "made")  # type: ignore[misc]  # everything anew, under that mask
        self.feed("lane")
        self.append(3)
        self.tell("lane")
        for record in self.feeds["lane"].take(3):
            self.feeds["lane"].bury(record.event, "a test")
        made = [self.directory, *self.directory.rglob("*")]
        return [f"{'dir' if each.is_dir() else each.suffix} {each.stat().st_mode & 0o7777:04o}" for each in made]

    def interrupt_by_recording(self, number: int) -> list[list[str]]:
        """Record while a signal handler records too, and settles; say what either has recorded."""
        written: list[str] = []
        handled: list[str] = []

        def handler(*_: object) -> None:
            handled.extend(write(self.journal, 1))
            self.journal.settle(self.journal.latest())

        signal.signal(signal.SIGALRM, handler)
        for done in range(number):
            _alarm(done)
            while len(handled) == done:
                written += write(self.journal, 5)
                self.journal.settle(self.journal.latest())
        return [written, handled]

    def interrupt_by_raising(self, number: int) -> list[str]:
        """Record while a signal handler raises so many times; say what is known to be recorded."""
        told: list[str] = []
        armed: list[bool] = []

        def handler(*_: object) -> None:
            if armed:
                armed.clear()
                raise _Interruption

        def record_until_interrupted(after: int) -> None:
            armed.append(True)
            _alarm(after)
            while armed:
                told.extend(write(self.journal, 1))

        signal.signal(signal.SIGALRM, handler)
        for done in range(number):
            with suppress(_Interruption):  # round a call: CPython 3.13 leaves a loop's jump back out of its `with`
                record_until_interrupted(done)
        return told

    def fork(self) -> int:
        """Fork a child that keeps all that it has, and waits for a signal."""
        child = os.fork()
        if child == 0:
            signal.pause()
        return child

    def fork_while_appending(self, forks: int, each: int) -> dict[str, list[str]]:
        """Fork again and again while a thread appends; say what parent and children recorded and had open."""
        recorded: list[str] = []
        enough = threading.Event()
        begun = threading.Event()

        def append() -> None:
            while not enough.is_set():
                recorded.extend(write(self.journal, 1))
                begun.set()

        thread = threading.Thread(target=append)
        thread.start()
        begun.wait()
        told = [self._in_child(lambda: self._as_child(each)) for _ in range(forks)]
        enough.set()
        thread.join()
        return {
            "parent": recorded,
            "children": [each for child in told for each in child["recorded"]],
            "inherited": [each for child in told for each in child["inherited"]],
        }

    def _as_child(self, number: int) -> dict[str, list[str]]:
        inherited = descriptors_in(self.directory)
        journal = open_journal(self.directory)
        return {"inherited": inherited, "recorded": write(journal, number)}

    def _in_child(self, act: Callable[[], dict[str, list[str]]]) -> dict[str, list[str]]:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, json.dumps(act()).encode())
            os._exit(0)
        os.close(writer)
        with open(reader, "rb") as file:
            said: dict[str, list[str]] = json.loads(file.read())
        os.waitpid(child, 0)
        return said


class _Interruption(BaseException):
    """What a signal handler raises, as a worker's time limit does."""


def _alarm(number: int) -> None:
    """Have one signal arrive in a moment, each time another one."""
    signal.setitimer(signal.ITIMER_REAL, 0.00002 * (1 + number % 50))


def _main() -> None:
    played = _Played(Path(sys.argv[1]))
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        answer = getattr(played, name)(*arguments)
        for each in answer if name == "stream" else [answer]:
            sys.stdout.write(json.dumps(each) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    _main()
