"""Measure what a busy lane costs its application through the interpreter's lock, and how fast it delivers.

``python -m tests.benchmarks.bench_lanes [--rounds 9] [--calls 800] [--sidecars]``

The application makes short requests (an echo by another process over a socket, which blocks as a database does),
and then durable audited calls, one each millisecond. Beside it a lane works off a backlog, over HTTP to a server on
loopback or into the ledger, with a share of the interpreter; or another process does, flat out (*sidecar*); or nobody
does (*idle*). Each form has its turn in each round, in a process of its own. The server stands for one elsewhere: it
keeps to the machine's last processor, and so does the sidecar that is *kept to one*.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from auditkit import AuditTrail, audit_context, audited
from auditkit.transports import WorkOSTransport
from tests.benchmarks.bench_ledger import event_of
from tests.benchmarks.figures import median_of_ratios, percentile
from tests.benchmarks.page import table
from tests.benchmarks.servers import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SHARES: Final = (0.01, 0.05, 0.1, 0.2, 1.0)
IDLE: Final = "idle"
SIDECAR: Final = "sidecar"
KEPT: Final = "sidecar, kept to one processor"
SIDECARS: Final = (SIDECAR, KEPT)
FORMS: Final = (IDLE, *map(str, SHARES), *SIDECARS)
BACKLOG: Final = {"workos": 10_000, "ledger": 60_000}  # events: more than any form delivers in its turn
PERIOD: Final = 0.001  # seconds between two requests
ECHO: Final = """
import socket, sys
with socket.socket(fileno=int(sys.argv[1])) as s:
    while b := s.recv(64):
        s.sendall(b)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one form did in one round: microseconds, and events a second."""

    request_p50: float
    request_p99: float
    call_p50: float
    call_p99: float
    rate: float


# ---------------------------------------------------------------------- the application, in a process of its own


@contextmanager
def echoing() -> Iterator[socket.socket]:
    """Give a socket that another process answers."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            command = [sys.executable, "-c", ECHO, str(theirs.fileno())]
            process = subprocess.Popen(command, pass_fds=(theirs.fileno(),))
        with process:
            yield ours
            ours.shutdown(socket.SHUT_RDWR)


def timed(act: Callable[[], object], calls: int) -> list[float]:
    """Return the microseconds of single calls, one each period."""
    taken = []
    for _ in range(calls):
        time.sleep(PERIOD)
        begun = time.perf_counter_ns()
        act()
        taken.append((time.perf_counter_ns() - begun) / 1e3)
    return taken


def application(trail: AuditTrail, calls: int) -> Turn:
    """Make requests and audited calls beside what the trail does."""

    @audited("tweet.update", "U", target="tweet_id", trail=trail)
    def update(tweet_id: str, body: str) -> None:
        """Change nothing: the call's own cost is what is asked."""

    with audit_context(group="user_1", actor=("user_1", "user@email.com"), location="1.1.1.1"):
        return beside(trail, update, calls)


def beside(trail: AuditTrail, update: Callable[[str, str], None], calls: int) -> Turn:
    """Make requests and calls while lanes work."""
    update("tweet_0", "")  # begins the works
    with echoing() as connection:

        def request() -> int:
            connection.sendall(b"x")
            connection.recv(64)
            return len("What time is the event?")

        timed(request, 300)  # a lane's first sends, which connect, are not asked for
        before, begun = delivered(trail), time.perf_counter()
        requests = timed(request, calls)
        updates = timed(lambda: update("tweet_1", "What time is the event?"), calls)
        rate = (delivered(trail) - before) / (time.perf_counter() - begun)
    return Turn(
        request_p50=percentile(requests, 0.5),
        request_p99=percentile(requests, 0.99),
        call_p50=percentile(updates, 0.5),
        call_p99=percentile(updates, 0.99),
        rate=rate,
    )


def delivered(trail: AuditTrail) -> int:
    return sum(each.delivered for each in trail.stats().destinations.values())


def trail_on(directory: str, lane: str, url: str, form: str) -> AuditTrail:
    transport = WorkOSTransport("sk_benchmark", base_url=url, concurrency=1) if lane == "workos" else None
    ledger = lane == "ledger"
    if form == IDLE or form in SIDECARS:
        return AuditTrail(transport, directory=directory, ledger=ledger, deliver=False)
    return AuditTrail(transport, directory=directory, ledger=ledger, delivery_share=float(form))


def sidecar(directory: str, lane: str, url: str) -> None:
    """Deliver flat out until standard input ends; say how fast."""
    trail = trail_on(directory, lane, url, "1.0")
    print("ready", flush=True)
    begun = time.perf_counter()
    trail.flush(timeout=600)
    print(delivered(trail) / (time.perf_counter() - begun), flush=True)


# ---------------------------------------------------------------------- the turns


def turn(lane: str, form: str, url: str, calls: int) -> Turn:
    """Let a form have its turn, on a directory of its own."""
    with TemporaryDirectory(dir=".") as place, ExitStack() as stack:
        directory = f"{place}/audit"
        recorder = trail_on(directory, lane, url, IDLE)
        for number in range(BACKLOG[lane] if form != IDLE else 1):
            recorder.emit(event_of(number))
        recorder.shutdown()
        beside = None
        if form in SIDECARS:
            words = ["--sidecar", directory, "--lane", lane, "--url", url, *(["--kept"] if form == KEPT else [])]
            beside = stack.enter_context(running(*words))
            assert beside.stdout is not None
            beside.stdout.readline()
        words = ["--form", form, "--directory", directory, "--lane", lane, "--url", url, "--calls", str(calls)]
        with running(*words) as child:
            assert child.stdout is not None
            found = Turn(**json.loads(child.stdout.readline()))
        if beside is not None:
            beside.kill()
        return found


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_lanes", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process


def last_processor() -> int:
    return max(os.sched_getaffinity(0))


def measured(rounds: int, calls: int, lane: str, forms: Sequence[str] = FORMS) -> dict[str, list[Turn]]:
    """Return the turns of these forms."""
    turns: dict[str, list[Turn]] = {form: [] for form in forms}
    with serving("loopback_server.py", "--processor", str(last_processor())) as url:
        for number in range(rounds):
            for form in forms[:: 1 if number % 2 else -1]:
                turns[form].append(turn(lane, form, url, calls))
    return turns


def report(turns: dict[str, list[Turn]]) -> str:
    """Return the figures as a table."""
    return table(
        ["form", "request p50", "p99", "p99 / idle", "audited call p50", "p99", "p99 / idle", "events/s"],
        [row(form, ours, turns[IDLE]) for form, ours in turns.items()],
    )


def row(form: str, ours: list[Turn], idle: list[Turn]) -> list[str]:
    def middle(name: str) -> str:
        return f"{median(getattr(each, name) for each in ours):.0f}"

    def ratio(name: str) -> str:
        return f"{median_of_ratios([getattr(each, name) for each in ours], [getattr(each, name) for each in idle]):.2f}"

    named = form if form == IDLE or form in SIDECARS else f"{float(form):.0%}"
    requests = [middle("request_p50"), middle("request_p99"), ratio("request_p99")]
    rate = "-" if form in SIDECARS else middle("rate")  # what another process delivers is not counted here
    return [named, *requests, middle("call_p50"), middle("call_p99"), ratio("call_p99"), rate]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=800)
    parser.add_argument("--lane", choices=BACKLOG, help="this one alone")
    parser.add_argument("--sidecars", action="store_true", help="sidecars alone, beside nobody")
    parser.add_argument("--kept", action="store_true", help=argparse.SUPPRESS)
    for hidden in ("--form", "--directory", "--url", "--sidecar"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.sidecar:
        if given.kept:
            os.sched_setaffinity(0, {last_processor()})
        sidecar(given.sidecar, given.lane, given.url)
    elif given.form:
        trail = trail_on(given.directory, given.lane, given.url, given.form)
        found = application(trail, given.calls)
        print(json.dumps({name: getattr(found, name) for name in Turn.__slots__}), flush=True)
        os._exit(0)  # what is left of the backlog is nobody's
    else:
        forms = (IDLE, *SIDECARS) if given.sidecars else FORMS
        for lane in [given.lane] if given.lane else BACKLOG:
            print(f"{lane}:\n\n{report(measured(given.rounds, given.calls, lane, forms))}\n", flush=True)


if __name__ == "__main__":
    main()
