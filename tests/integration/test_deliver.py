"""``auditkit deliver``: what one process records, another one delivers, once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditkit.__main__ import main
from auditkit.ledger import LedgerReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditkit.testing import WorkOSDouble

# Records one event for each line that it is told, and answers with its id.
RECORDER = """
import os, sys, auditkit
from auditkit.transports import JSONLinesTransport, WorkOSTransport
kind = sys.argv[1]
transports = {
    "workos": lambda: WorkOSTransport("sk_of_the_service"),
    "lines": lambda: JSONLinesTransport("of-the-service.jsonl"),
    "none": lambda: None,
}
trail = auditkit.configure(transports[kind](), deliver="deliver" in sys.argv, secret=os.environ.get("AUDITKIT_SECRET"))
for line in sys.stdin:
    receipt = auditkit.record("note.create", "C", actor="ada", group="acme", location="here", target=line.strip())
    if "deliver" in sys.argv:
        trail.flush(10)
    print(receipt.id, flush=True)
"""
SIDECAR = """
import os
from auditkit.transports import ConsoleTransport, JSONLinesTransport, WorkOSTransport

def workos():
    return WorkOSTransport(os.environ["KEY"], base_url=os.environ["URL"])

def lines():
    return [JSONLinesTransport("of-the-sidecar.jsonl")]

one = workos() if "URL" in os.environ else None

def console():
    return ConsoleTransport()

def broken():
    raise RuntimeError("no settings")
"""


QUICK = {"AUDITKIT_SHUTDOWN_TIMEOUT": "0.2"}
pytestmark = pytest.mark.usefixtures("sidecar")


class Recorder:
    """A process that records, and tells what."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self._in, self._out = process, process.stdin, process.stdout

    def record(self, text: str = "note") -> str:
        """Let it record one event; return its id."""
        self._in.write(f"{text}\n")
        self._in.flush()
        line = self._out.readline().strip()
        assert line
        return line

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def recorder(*words: str, **environment: str) -> Iterator[Recorder]:
    with subprocess.Popen(
        [sys.executable, "-c", RECORDER, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment},
    ) as process:  # fmt: skip
        try:
            yield Recorder(process)
        finally:
            process.kill()


def deliver(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "auditkit", "deliver", *words],
        capture_output=True, text=True, timeout=50, check=False, env={**os.environ, **environment},
    )  # fmt: skip


@contextmanager
def following(*words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command beside the test; whatever happens, it does not outlive it."""
    with subprocess.Popen(
        [sys.executable, "-m", "auditkit", "deliver", "--follow", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str, str]:
    """Ask a process to end, and return its exit status and what it printed."""
    process.send_signal(number)
    told, errors = process.communicate(timeout=30)
    return process.returncode, told, errors


def reach(double: WorkOSDouble) -> dict[str, str]:
    return {"KEY": double.api_key, "URL": double.base_url}


def arrivals(double: WorkOSDouble) -> Counter[str]:
    """Return how often each event was sent."""
    return Counter(request.headers["idempotency-key"] for request in double.requests)


def in_ledger() -> Counter[str]:
    return Counter(entry.event.id for entry in LedgerReader("audit").events())


def test_what_a_killed_recorder_left_is_delivered_once(workos: WorkOSDouble) -> None:
    """With deliver=False and kill -9, server and ledger have every event once, though each comes in its own command."""
    with recorder("workos") as recording:
        ids = Counter(recording.record() for _ in range(20))
        recording.kill()
    first = deliver("--transport", "sidecar:workos", "--no-ledger", **reach(workos))
    second = deliver()
    third = deliver("--transport", "sidecar:workos", **reach(workos))

    assert (1, "workos: 20 delivered, 0 left\n") == (first.returncode, first.stdout)
    assert "auditkit: ledger has 20 more to take, and this command does not deliver there" in first.stderr
    assert (0, "ledger: 20 delivered, 0 left\n", "") == (second.returncode, second.stdout, second.stderr)
    assert (0, "ledger: 0 delivered, 0 left\nworkos: 0 delivered, 0 left\n") == (third.returncode, third.stdout)
    assert ids == arrivals(workos) == in_ledger()
    assert [] == os.listdir("audit/journal")


@pytest.mark.timeout(40)  # a lane that looks about every five seconds would take longer
def test_living_recorder_is_followed_promptly(workos: WorkOSDouble) -> None:
    """--follow delivers event by event what an application with deliver=False records, until SIGTERM ends it."""
    with ExitStack() as stack:
        recording = stack.enter_context(recorder("workos"))
        ids = Counter([recording.record()])
        process = stack.enter_context(following("--transport", "sidecar:workos", **reach(workos)))
        for number in range(1, 13):
            workos.wait_for_events(number)
            ids[recording.record()] += 1
        workos.wait_for_events(13)
        status, told, errors = end(process)
        ids[recording.record()] += 1  # the application is not disturbed by the sidecar's end

    assert (0, "") == (status, errors)
    assert "workos: 13 delivered, 0 left" in told
    assert 0 == deliver("--transport", "sidecar:workos", **reach(workos)).returncode
    assert ids == arrivals(workos) == in_ledger()


def test_follower_leaves_alone_who_delivers_by_itself() -> None:
    """A process that delivers keeps its own segment; the sidecar takes only what nobody else delivers."""
    with (
        recorder("lines", "deliver") as own,
        recorder("lines") as other,
        following("--transport", "sidecar:lines", "--no-ledger") as process,
    ):
        by_itself, by_sidecar = list[str](), list[str]()
        for _ in range(3):  # the sidecar first: when it starts it takes whatever nobody holds at that moment
            by_sidecar.append(other.record())
            while by_sidecar != ids_in("of-the-sidecar.jsonl"):
                assert process.poll() is None
            by_itself.append(own.record())
        end(process)

    assert by_itself == ids_in("of-the-service.jsonl")
    assert by_sidecar == ids_in("of-the-sidecar.jsonl")


def ids_in(name: str) -> list[str]:
    path = Path(name)
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [json.loads(line)["id"] for line in lines]


def test_follower_waits_for_the_applications_directory(workos: WorkOSDouble) -> None:
    """A sidecar that starts first makes no directory of its own, which would belong to the wrong user."""
    with following("--transport", "sidecar:workos", **reach(workos)) as process:
        assert process.stderr is not None
        assert "waiting for audit, which the application makes" in process.stderr.readline()
        assert not Path("audit").exists()
        with recorder("workos") as recording:
            event = recording.record()
            workos.wait_for_events(1)
        status, _, errors = end(process, signal.SIGINT)

    assert (0, "") == (status, errors)
    assert [event] == list(arrivals(workos))


def test_follower_that_waits_can_be_ended() -> None:
    """SIGTERM ends a sidecar also while there is no directory."""
    with following() as process:
        assert process.stderr is not None
        process.stderr.readline()

        assert (0, "", "") == end(process)


def test_dead_destination_ends_with_the_timeout(workos: WorkOSDouble) -> None:
    """What cannot be delivered in time stays, and the exit status says so."""
    with recorder("workos") as recording:
        event = recording.record()
    workos.fail(503, times=100)
    done = deliver("--transport", "sidecar:one", "--timeout", "0.5", **QUICK, **reach(workos))

    assert 1 == done.returncode
    assert "workos: 0 delivered, 1 left (failing: " in done.stdout
    workos.clear()
    assert 0 == deliver("--transport", "sidecar:workos", **reach(workos)).returncode
    assert [event] == list(arrivals(workos))


def test_dead_letters_are_not_delivered(workos: WorkOSDouble) -> None:
    """What the destination refused for good is in the dead letters, and the exit status says that it is not there."""
    with recorder("workos") as recording:
        recording.record()
    workos.fail(422)
    done = deliver("--transport", "sidecar:workos", **reach(workos))

    assert 1 == done.returncode
    assert "workos: 0 delivered, 0 left, 1 refused (in the dead letters)" in done.stdout


def test_damaged_line_is_not_delivered(workos: WorkOSDouble) -> None:
    """A line that damage hit is put aside, and the exit status says that not all is there."""
    with recorder("workos") as recording:
        events = [recording.record() for _ in range(3)]
        recording.kill()
    (segment,) = Path("audit/journal").glob("*.open")
    data = segment.read_bytes()
    segment.write_bytes(data.replace(events[1].encode(), b"x" + events[1].encode()[1:]))
    done = deliver("--transport", "sidecar:workos", **reach(workos))

    assert 1 == done.returncode
    assert "auditkit: damage was found, and what it hit was put aside: auditkit verify names the files\n" in done.stderr
    assert [events[0], events[2]] == list(arrivals(workos))
    assert 0 == deliver("--transport", "sidecar:workos", **reach(workos)).returncode


def test_segment_of_another_secret_ends_at_once(workos: WorkOSDouble) -> None:
    """What cannot be read here is told with its remedy, and not waited for."""
    with recorder("workos", AUDITKIT_SECRET="a secret of some length") as recording:
        recording.record()
        recording.kill()
    done = deliver("--transport", "sidecar:workos", **reach(workos))

    assert 1 == done.returncode
    assert "set AUDITKIT_SECRET" in done.stderr
    assert (
        0
        == deliver(
            "--transport", "sidecar:workos", AUDITKIT_SECRET="a secret of some length", **reach(workos)
        ).returncode
    )
    assert 1 == len(arrivals(workos))


def test_sigterm_ends_a_delivery_in_order(workos: WorkOSDouble) -> None:
    """SIGTERM while a destination does not answer: the rest stays, and a later command delivers each event once."""
    with recorder("workos") as recording:
        ids = Counter(recording.record() for _ in range(3))
    with workos.holding(), following("--transport", "sidecar:workos", **QUICK, **reach(workos)) as process:
        workos.wait_for_requests(1)
        status, told, _ = end(process)
    assert (0, True) == (status, "workos: 0 delivered" in told)
    assert 0 == deliver("--transport", "sidecar:workos", **reach(workos)).returncode

    assert set(ids) == set(arrivals(workos))
    assert 3 == len(workos.events)


@pytest.mark.parametrize(
    "transport, told",
    [
        ("workos_audit_trail", "there is no WorkOS API key: give api_key= or set WORKOS_API_KEY"),
        ("workos_audit_logs", "there is no WorkOS API key: give api_key= or set WORKOS_API_KEY"),
        ("pigeon", "AUDITKIT_TRANSPORT must be workos_audit_trail or workos_audit_logs, got 'pigeon'"),
    ],
)
def test_environment_names_the_destination(
    transport: str, told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """AUDITKIT_TRANSPORT is taken as configure() takes it, its key too."""
    monkeypatch.setenv("AUDITKIT_TRANSPORT", transport)

    assert (2, ("", f"auditkit: {told}\n")) == (main(["deliver"]), capsys.readouterr())


@pytest.mark.parametrize(
    "words, told",
    [
        (["--no-ledger"], "there is nothing to deliver to: set AUDITKIT_TRANSPORT, give --transport, or leave"),
        (["elsewhere"], "there is no audit directory elsewhere; name one"),
        (["--transport", "sidecar:console"], "console takes only what its own process records (durable=False)"),
        (["--transport", "sidecar:broken"], "cannot call sidecar:broken: RuntimeError: no settings (sidecar.py:17)"),
        (["--transport", "sidecar:nothing"], "there is no nothing in sidecar"),
        (["--transport", "sidecar:SIDE.car"], "there is no SIDE.car in sidecar"),
        (["--transport", "nowhere:one"], "there is no module nowhere"),
        (["--transport", "sidecar:os"], "transport must have name, max_batch, concurrency, durable"),
    ],
)
def test_what_cannot_work_is_said(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing or misspelled is one message with what would be right, and nothing begins."""
    Path("audit").mkdir(mode=0o700)
    status = main(["deliver", *words])
    sys.modules.pop("sidecar", None)
    printed, errors = capsys.readouterr()

    assert (2, "", 1) == (status, printed, errors.count("\n"))
    assert told in errors
    assert [] == os.listdir("audit")
