"""Measure what a destination that is down costs the caller: nothing, it should be.

``python -m tests.benchmarks.bench_dead [--rounds 15] [--calls 5000]``

A durable audited call's median on a trail without a destination, with one whose connections are refused, and with
one that never answers; each has its turn in each round, in a process of its own.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from auditkit import AuditTrail, audit_context, audited
from auditkit.transports import WorkOSTransport
from tests.benchmarks.figures import median_of_ratios
from tests.benchmarks.page import table

NONE, REFUSING, SILENT = "none", "refusing", "never answering"
FORMS: Final = (NONE, REFUSING, SILENT)


def call(form: str, calls: int) -> float:
    """Return the microseconds of a call in the middle."""
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

        with audit_context(group="user_1", actor=("user_1", "user@email.com"), location="1.1.1.1"):
            taken_ns = [timed(update) for _ in range(calls)]
        trail.shutdown(0)
    return median(taken_ns[calls // 10 :]) / 1e3


def timed(update: object) -> int:
    assert callable(update)
    begun = time.perf_counter_ns()
    update("tweet_1")
    return time.perf_counter_ns() - begun


def measured(rounds: int, calls: int) -> dict[str, list[float]]:
    """Return every form's medians."""
    found: dict[str, list[float]] = {form: [] for form in FORMS}
    for number in range(rounds):
        for form in FORMS[:: 1 if number % 2 else -1]:
            command = [sys.executable, "-m", "tests.benchmarks.bench_dead", "--form", form, "--calls", str(calls)]
            ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
            found[form].append(float(ran.stdout))
    return found


def report(found: dict[str, list[float]]) -> str:
    """Return the figures as a table."""
    rows = [[form, f"{median(each):.1f}", f"{median_of_ratios(each, found[NONE]):.2f}"] for form, each in found.items()]
    return table(["destination", "audited call, median", "of that with none"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    print(call(given.form, given.calls) if given.form else report(measured(given.rounds, given.calls)))


if __name__ == "__main__":
    main()
