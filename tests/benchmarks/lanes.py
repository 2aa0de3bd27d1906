"""Measure lanes in all respects, and write that part of docs/explanation/performance.md.

``python -m tests.benchmarks.lanes [--rounds 9]``

Takes about a minute a round, on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import platform
from functools import partial

from tests.benchmarks import bench_dead, bench_delivery, bench_lanes, bench_ledger, bench_recovery, page
from tests.benchmarks.machine import described
from tests.benchmarks.performance import PAGE

_CALLS = 800  # requests, and audited calls, of one form in one round
_DEAD = (100, 500)  # turns of each process, and calls in one
_EVENTS = 1500  # of one round through the WorkOS lane
_BATCHES = (1000, 50)  # events in a batch of the ledger's, and batches
_LEFT = 1_000_000  # events that a killed process left

_LANES = """\
What a lane that works off a backlog costs the application beside it, in microseconds, and how fast it delivers then.
*request*: short blocking I/O, an echo by another process, one each millisecond; *audited call*: a durable one, one each
millisecond. *idle*: nothing delivers; *sidecar*: another process delivers, flat out, on any processor or kept to the
last one by `taskset`. Over HTTP to a server, which keeps to the last processor too, since it stands for one elsewhere:"""
_WORKOS = "Flat out, as `flush` delivers, the WorkOS lane beside bare loops over `httpx.HTTPTransport` with the same requests:"
_LEDGER = "Flat out, the ledger beside a bare loop that inserts rows made before, in transactions of {} events:"
_RECOVERY = "A journal that a killed process left, taken over:"
_DOWN = "An audited call beside a destination that is down, in microseconds:"


def measured(rounds: int) -> str:
    """Return all tables."""
    machine = ", ".join(f"{name} {value}" for name, value in described(".").items())
    parts = [f"Measured on Python {platform.python_version()}; {rounds} rounds. The machine: {machine}."]
    for lane, title in (("workos", _LANES), ("ledger", "Into the ledger:")):
        parts += [title]
        parts += [bench_lanes.report(bench_lanes.measured(rounds, _CALLS, lane))]
    through = partial(bench_delivery.measured, rounds, _EVENTS)
    pairs = [
        through(delay_ms=delay, concurrency=number) for delay, number in (bench_delivery.FAST, bench_delivery.SLOW)
    ]
    parts += [_WORKOS, bench_delivery.report(*pairs)]
    parts += [_LEDGER.format(_BATCHES[0]), bench_ledger.report(bench_ledger.measured(*_BATCHES))]
    parts += [_RECOVERY, bench_recovery.report(bench_recovery.measured(_LEFT))]
    parts += [_DOWN, bench_dead.report(bench_dead.measured(*_DEAD))]
    return "\n\n".join(parts)


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="how often every case has its turn")
    given = parser.parse_args()
    os.environ.pop("AUDITKIT_DISABLED", None)
    figures = measured(given.rounds)
    text = PAGE.read_text("utf-8")
    PAGE.write_text(page.replaced(text, figures, between=(page.LANES_BEGIN, page.LANES_END)), "utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
