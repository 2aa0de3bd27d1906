"""What auditkit's calls cost beside its peers', all in one run: `python -m tests.benchmarks.bench_peers`.

The cases take turns in rounds, in both directions, for the machine's speed changes under us: what counts is the
median over the rounds of the ratio of two cases *in the same round*. A round times a case's calls together, with
what the whole process computed until the peer had worked them off; then single calls, apart. At the end of a round
the single calls are measured beside lanes: with nothing to do, and delivering to a server on loopback.

Needs the extra `bench`. `python -m tests.benchmarks.performance` writes the page of it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter_ns, process_time_ns, sleep
from typing import TYPE_CHECKING

from auditkit import AuditTrail, audit_context, native
from tests.benchmarks import comparisons, machine, ours, peers
from tests.benchmarks.figures import Run, Series, Tail, percentile
from tests.benchmarks.work import ACTOR, FIRST, GROUP, LOCATION, SECOND, Case

if TYPE_CHECKING:
    from collections.abc import Mapping

ROUNDS = 25
MEASURED = (
    "auditkit-trail",
    "httpx",
    "opentelemetry-sdk",
    "segment-analytics-python",
    "structlog",
    "workos",
    "wrapt",
)
BURSTS = 3  # of calls beside idle lanes in a round
BURST = 200  # calls: they end before a lane, which lets events gather for 20 ms, reads the first
BACKLOG = 400  # events that a delivering lane has before it when the calls begin
BESIDE = 200  # calls beside it
_US = 1e3  # nanoseconds


def bodies(calls: int) -> list[str]:
    """Return texts of which each differs from the one before it."""
    return [(SECOND, FIRST)[number % 2] for number in range(calls)]


def together(case: Case) -> tuple[float, float]:
    """Return a call's microseconds on the caller and of all the process's threads, worked off."""
    call, subject, texts = case.call, case.subject(), bodies(case.calls)
    gc.collect()
    with case.around():
        computed, started = process_time_ns(), perf_counter_ns()
        for text in texts:
            call(subject, text)
        took = perf_counter_ns() - started
    case.drain()
    computed = process_time_ns() - computed
    return took / case.calls / _US, computed / case.calls / _US


def single(case: Case, calls: int) -> list[float]:
    """Return the microseconds of each of some calls."""
    call, subject, texts = case.call, case.subject(), bodies(calls)
    took = []
    for text in texts:
        started = perf_counter_ns()
        call(subject, text)
        took.append((perf_counter_ns() - started) / _US)
    return took


def take_turn(case: Case, series: Series) -> None:
    """Add one round's figures of a case."""
    wall, cpu = together(case)
    series.wall.append(wall)
    series.cpu.append(cpu)
    gc.collect()
    series.p99.append(percentile(single(case, case.calls), 0.99))
    case.drain()


class BesideLanes:
    """Measure single calls beside a trail's lanes.

    Args:
        trail: A trail with a lane to a server.
        cases: What can be measured; the durable update is on that trail.
    """

    def __init__(self, trail: AuditTrail, cases: Mapping[str, Case]) -> None:
        self.tails = {name: Tail() for pair in comparisons.TAILS for name in pair}
        self._trail, self._cases = trail, cases
        self._fill = cases[comparisons.DURABLE]

    def take_turn(self, pair: tuple[str, str]) -> None:
        """Add one round's figures of auditkit's call, and of structlog's."""
        self._fill.drain()
        for name in pair:
            self._measure_idle(name)
        self._let_deliver()
        for name in pair:
            self._measure_delivering(name)
        self._fill.drain()

    def _measure_idle(self, name: str) -> None:
        bursts = []
        for _ in range(BURSTS):
            bursts.append(single(self._cases[name], BURST))
            self._fill.drain()
        tail = self.tails[name]
        tail.first.append(median(burst[0] for burst in bursts))
        tail.idle.append(percentile([each for burst in bursts for each in burst], 0.99))

    def _let_deliver(self) -> None:
        before = self._delivered()
        single(self._fill, BACKLOG)
        while self._delivered() == before:
            sleep(0.001)

    def _measure_delivering(self, name: str) -> None:
        took = single(self._cases[name], BESIDE)
        if self._trail.stats().destinations["workos"].pending:  # or the lane had run dry: not what is measured
            self.tails[name].delivering.append(percentile(took, 0.99))

    def _delivered(self) -> int:
        lane = self._trail.stats().destinations.get("workos")
        return 0 if lane is None else lane.delivered


def measure(rounds: int, directory: str) -> Run:
    """Let every case take its turn in every round, in both directions.

    Raises:
        RuntimeError: Some events met trouble, or were not worked off.
    """
    with ExitStack() as stack:
        where = ours.trails(stack, directory)
        cases = {**peers.all_peers(stack), **ours.all_ours(where)}
        beside = BesideLanes(where.delivering, {**cases, **ours.beside_lanes(where.delivering)})
        stack.enter_context(audit_context(group=GROUP, actor=ACTOR, location=LOCATION))
        for case in cases.values():  # files are opened, connections made, caches filled
            take_turn(case, Series())
        series = {name: Series() for name in cases}
        for number in range(rounds):
            for name in list(cases)[:: -1 if number % 2 else 1]:
                take_turn(cases[name], series[name])
            for mine, theirs in comparisons.TAILS:
                beside.take_turn((theirs, mine) if number % 2 else (mine, theirs))
        where.check()
    return Run(
        python=platform.python_version(),
        compiled=native.compiled is not None,
        rounds=rounds,
        series=series,
        tails=beside.tails,
        versions={name: version(name) for name in MEASURED},
        machine=machine.described(directory),
    )


def printed(run: Run) -> str:
    """Return the figures as text."""
    how = "compiled" if run.compiled else "pure"
    lines = [
        f"Python {run.python}, {how}, {run.rounds} rounds, medians",
        f"{'':<52}{'us a call':>10}{'cpu us':>10}{'p99 us':>10}{'x structlog':>13}",
    ]
    for name, each in run.series.items():
        figures = f"{median(each.wall):>10.2f}{median(each.cpu):>10.2f}{median(each.p99):>10.2f}"
        lines.append(f"{name:<52}{figures}{run.ratio(name, comparisons.STRUCTLOG):>13.2f}")
    lines.append(f"{'beside lanes':<52}{'first us':>10}{'p99 idle':>10}{'p99 busy':>10}")
    for name, tail in run.tails.items():
        lines.append(f"{name:<52}{median(tail.first):>10.2f}{median(tail.idle):>10.2f}{median(tail.delivering):>10.2f}")
    return "\n".join(lines)


def main() -> None:
    """Measure, and print the figures, or write them as JSON to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often every case has its turn")
    parser.add_argument("--json", type=Path, help="write all figures to this file instead of printing medians")
    given = parser.parse_args()
    os.environ["NO_PROXY"] = "127.0.0.1"
    with TemporaryDirectory() as directory:
        run = measure(given.rounds, directory)
    if given.json is None:
        print(printed(run))
    else:
        given.json.write_text(json.dumps(run.plain()), "utf-8")


if __name__ == "__main__":
    main()
