"""Measure what a destination that is down costs the caller: nothing, it should be.

``python -m tests.benchmarks.bench_dead [--rounds 100] [--calls 500]``

A durable audited call's median on a trail without a destination, with one whose connections are refused, and with
one that never answers. Each has a process of its own, which lives as long as the run; a round lets each of them make its
calls, one process after the other and on the same processor, so that what the machine does for a while falls on all.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from auditkit import AuditTrail, audit_context, audited
from auditkit.transports import WorkOSTransport
from tests.benchmarks.figures import median_of_ratios
from tests.benchmarks.page import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NONE, REFUSING, SILENT = "none", "refusing", "never answering"
FORMS: Final = (NONE, REFUSING, SILENT)


def serve(form: str, calls: int) -> None:
    """For every line that is read, make so many calls and print the microseconds of the one in the middle."""
    with TemporaryDirectory(dir=".") as place, ExitStack() as stack:
        transport = None
        if form != NONE:
            taken = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = taken.getsockname()[1]
            if form == REFUSING:
                taken.close()
            transport = WorkOSTransport("sk_benchmark", base_url=f"http://127.0.0.1:{port}", concurrency=1)
        trail = AuditTrail(transport, directory=f"{place}/audit", ledger=False)

        @audited("tweet.update", "U", target="tweet_id", trail=trail)
        def update(tweet_id: str) -> None:
            """Change nothing: the call's own cost is what is asked."""

        update("tweet_0")  # begins the works, whose threads go where they like
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # this one does not: processors differ at times
        with audit_context(group="user_1", actor=("user_1", "user@email.com"), location="1.1.1.1"):
            for _ in sys.stdin:
                print(median([timed(update) for _ in range(calls)]) / 1e3, flush=True)
        trail.shutdown(0)


def timed(update: Callable[[str], None]) -> int:
    begun = time.perf_counter_ns()
    update("tweet_1")
    return time.perf_counter_ns() - begun


@contextmanager
def process(form: str, calls: int) -> Iterator[Callable[[], float]]:
    """Give what has a process of its own make its calls, and returns what it measured."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_dead", "--form", form, "--calls", str(calls)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as ran:
        told, asked = ran.stdout, ran.stdin
        assert told is not None
        assert asked is not None

        def ask() -> float:
            asked.write(b"go on\n")
            asked.flush()
            return float(told.readline())

        yield ask
        asked.close()


def measured(rounds: int, calls: int) -> dict[str, list[float]]:
    """Return every form's medians; the first tenth of the rounds warms up, and is not counted."""
    found: dict[str, list[float]] = {form: [] for form in FORMS}
    with ExitStack() as stack:
        processes = {form: stack.enter_context(process(form, calls)) for form in FORMS}
        for number in range(rounds):
            for form in FORMS[:: 1 if number % 2 else -1]:
                found[form].append(processes[form]())
    return {form: each[rounds // 10 :] for form, each in found.items()}


def report(found: dict[str, list[float]]) -> str:
    """Return the figures as a table."""
    rows = [[form, f"{median(each):.1f}", f"{median_of_ratios(each, found[NONE]):.2f}"] for form, each in found.items()]
    return table(["destination", "audited call, median", "of that with none"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.form:
        serve(given.form, given.calls)
    else:
        print(report(measured(given.rounds, given.calls)))


if __name__ == "__main__":
    main()
