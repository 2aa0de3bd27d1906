"""Processes that use auditkit as a test's script says, and die as the test wants: what several tests need of them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from auditkit import AuditTrail
from auditkit.transports import WorkOSTransport
from tests.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from auditkit.testing import WorkOSDouble

# What every process begins with: what it needs for a trail on the test's directory that delivers to its double
# (`transport()`, and `Asynchronous()` which is the same), `emit()` which records one event and returns its id,
# `say()` which writes a line for the test and `hear()` which waits for one of its.
PRELUDE = """
import atexit, json, os, signal, sys, threading
directory, base_url, key = sys.argv[1:4]
LATE = sys.argv[4:] == ["late"]

def say(*words):
    os.write(1, json.dumps(words).encode() + b"\\n")

def hear():
    return sys.stdin.readline().strip()

def at_exit_after_auditkit():
    pass

if LATE:  # registered before auditkit's own handler, and so called after it
    atexit.register(lambda: at_exit_after_auditkit())

import auditkit
from auditkit import Event
from auditkit.transports import MemoryTransport, WorkOSTransport

def emit(trail=auditkit):
    event = Event("g", "user.login", "C", "a", "a", "t", "t", "1.1.1.1")
    trail.emit(event)
    return event.id

def transport(**named):
    return WorkOSTransport(key, base_url=base_url, **named)

class Asynchronous:
    name, max_batch, concurrency, durable = "asynchronous", 1, 1, True

    def __init__(self):
        self.plain = transport()

    async def send(self, events):
        self.plain.send(events)

    async def close(self):
        self.plain.close()

def wait_for(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


class Child:
    """A process that runs a script and talks with the test by lines."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    def heard(self) -> list[Any]:
        """Return the next line that it said."""
        line = self._out.readline()
        assert line, f"the process ended with {self._process.wait()}"
        words: list[Any] = json.loads(line)
        return words

    def tell(self, word: str = "go") -> None:
        self._in.write(word + "\n")
        self._in.flush()

    def kill(self, number: int = signal.SIGKILL) -> None:
        self._process.send_signal(number)
        assert -number == self._process.wait()

    def gone(self) -> None:
        """Wait until it has been killed."""
        assert -signal.SIGKILL == self._process.wait()

    def end(self) -> list[str]:
        """Let it end; return all words that it said besides."""
        self._in.close()
        words = [word for line in self._out for word in json.loads(line)]
        assert 0 == self._process.wait()
        return words


FORKS_MAY_WARN = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")


class Run(Protocol):
    """Start a process with the prelude and a script."""

    def __call__(
        self,
        script: str,
        *more: str,
        directory: Path | None = None,
        under: Sequence[str] = (),
        warnings: Sequence[str] = FORKS_MAY_WARN,
        measured: bool = True,
    ) -> Child:
        """Start it.

        Args:
            script: What it does after the prelude.
            more: Further arguments of its own.
            directory: Its audit directory; the test's if None.
            under: A command that runs it, such as strace with its options.
            warnings: Python's options about warnings.
            measured: Whether coverage may look at what it does; it never looks at one that forks, or is run by another.
        """
        ...


@contextmanager
def running(default: Path, workos: WorkOSDouble) -> Iterator[Run]:
    """Give what starts processes on a directory, if they are given no other, and a double; all have ended when it is left."""
    with ExitStack() as stack:

        def run(
            script: str,
            *more: str,
            directory: Path | None = None,
            under: Sequence[str] = (),
            warnings: Sequence[str] = FORKS_MAY_WARN,
            measured: bool = True,
        ) -> Child:
            arguments = [str(directory or default), workos.base_url, workos.api_key, *more]
            process = subprocess.Popen(
                [*under, sys.executable, *warnings, "-c", PRELUDE + script, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=unmeasured() if under or not measured or "os.fork" in script else None,
            )
            stack.callback(_reap, process)
            return Child(process)

        yield run


def _reap(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


def deliver(workos: WorkOSDouble, directory: Path) -> None:
    """Be the next process on the directory."""
    trail = AuditTrail(WorkOSTransport(workos.api_key, base_url=workos.base_url), directory=directory)
    assert trail.flush(timeout=20)
    assert trail.shutdown()


def arrivals(workos: WorkOSDouble) -> Counter[str]:
    """Return how often each event was sent and accepted."""
    return Counter(request.headers["idempotency-key"] for request in workos.requests)


def once(ids: list[str]) -> Counter[str]:
    return Counter(ids)
