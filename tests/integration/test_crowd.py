"""Many processes on one directory, one of them killed: every event is delivered, and none by two."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import sys
import threading
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENTS, BATCH = 10_000, 200

# A service's process: records so many events, whose ids say whose they are, delivers them to a server that counts,
# says how far it is, and delivers all that there is when it is told to end.
PROCESS = """
import json, os, socket, sys
import auditkit
from auditkit import Event

directory, port, name, events, batch = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])

class Counted:
    name, max_batch, concurrency, durable = "counted", batch, 1, True

    def send(self, events):
        with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rwb") as file:
            file.write(json.dumps([event.id for event in events]).encode() + b"\\n")
            file.flush()
            if file.readline() != b"taken\\n":
                raise ConnectionError

    def close(self):
        pass

auditkit.configure(Counted(), directory=directory, ledger=False, delivery_share=1)
for number in range(events):
    auditkit.emit(Event("g", "user.login", "C", name, name, "t", "t", "1.1.1.1", id=f"{name}-{number}"))
    if number % 100 == 99:
        os.write(1, b"%d\\n" % (number + 1))
sys.stdin.read()
sys.exit(0 if auditkit.flush(50) and auditkit.shutdown() else 1)
"""


class Counting(socketserver.ThreadingTCPServer):
    """A destination that counts how often it was given each id."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        self.given: Counter[str] = Counter()
        self.changed = threading.Condition()
        super().__init__(("127.0.0.1", 0), Taking)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def of(self, name: str) -> Counter[str]:
        with self.changed:
            return Counter({each: times for each, times in self.given.items() if each.startswith(f"{name}-")})


class Taking(socketserver.StreamRequestHandler):
    server: Counting

    def handle(self) -> None:
        if line := self.rfile.readline():
            with self.server.changed:
                self.server.given.update(json.loads(line))
                self.server.changed.notify_all()
            self.wfile.write(b"taken\n")


@contextmanager
def counting() -> Iterator[Counting]:
    with Counting() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def start(stack: ExitStack, directory: Path, server: Counting, name: str, events: int) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", PROCESS, directory, server.port, name, events, BATCH]
    process = stack.enter_context(
        subprocess.Popen([*map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=unmeasured())
    )
    stack.callback(process.kill)
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.communicate(timeout=50)
    assert 0 == process.returncode


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX's")
def test_four_processes_of_which_one_is_killed_deliver_everything_once(tmp_path: Path) -> None:
    """Four processes record 10,000 events each and deliver, one is killed in the middle: only its batch comes again."""
    directory = tmp_path / "audit"
    with counting() as server, ExitStack() as stack:
        doomed, *others = [start(stack, directory, server, name, EVENTS) for name in "abcd"]
        assert doomed.stdout is not None
        told = 0
        while told < EVENTS * 2 // 5:
            told = int(doomed.stdout.readline())
        with server.changed:
            assert server.changed.wait_for(lambda: "a-0" in server.given, timeout=50)
            doomed.kill()
        rest = doomed.stdout.read().split()
        told = int(rest[-1]) if rest else told
        doomed.wait()
        for process in others:
            end(process)
        end(start(stack, directory, server, "nobody", 0))

        assert told < EVENTS
        given = server.of("a")
        assert {f"a-{number}" for number in range(len(given))} == {*given}  # none of what it had recorded is missing
        assert len(given) >= told
        assert sum(given.values()) - len(given) <= BATCH  # what it was sending when it was killed
        for name in "bcd":
            assert Counter(f"{name}-{number}" for number in range(EVENTS)) == server.of(name)
        assert [] == [*(directory / "journal").iterdir()]
