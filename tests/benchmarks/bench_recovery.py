"""Measure how a journal that a killed process left is taken over: every line verified, every segment closed.

``python -m tests.benchmarks.bench_recovery [--events 1000000]``

Done for a tenth of the events too: the time an event should not depend on how many there are, nor the memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from auditkit import AuditTrail
from auditkit.clock import SystemClock, new_id
from auditkit.encoding import draft_of
from auditkit.journal import DiskJournal, Keys
from auditkit.reporting import Reporter
from tests.benchmarks.bench_ledger import event_of
from tests.benchmarks.page import table

_DIFFERENT = 5000  # events, recorded again and again: recording is not what is measured


def record(directory: Path, number: int) -> None:
    """Leave a journal of so many events, whose segments nobody has closed."""
    trail = AuditTrail(directory=directory, ledger=False, deliver=False)
    drafts = [draft_of(event_of(each)) for each in range(_DIFFERENT)]
    for each in range(number):
        trail.write(drafts[each % _DIFFERENT])
    trail.shutdown()
    for path in (directory / "journal").glob("*.closed"):
        path.rename(path.with_suffix(".open"))


def take_over(directory: Path) -> dict[str, float]:
    """Return the seconds and the megabytes that it takes in this process, and what is pending then."""
    clock = SystemClock()
    keys = Keys()
    journal = DiskJournal(directory, clock=clock, ids=new_id, reporter=Reporter(clock), keys=keys, max_bytes=2**33)
    feed = journal.feed("lane", durable=True)
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak begins here
    before = peak()
    begun, computed = time.perf_counter(), time.process_time()
    feed.scan()
    scanned, computing = time.perf_counter() - begun, time.process_time() - computed
    pending = feed.pending()
    feed.close()
    return {"scanned": scanned, "computing": computing, "pending": pending, "grown": peak() - before}


def peak() -> float:
    """Return the most megabytes that this process had in memory (Linux)."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def in_a_process(directory: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_recovery", "--take-over", str(directory)]
    found: dict[str, float] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return found


def measured(events: int) -> dict[int, dict[str, float]]:
    """Return what a tenth of the events takes, and what all of them take."""
    found = {}
    for number in (events // 10, events):
        with TemporaryDirectory(dir=".") as place:
            record(Path(place) / "audit", number)
            found[number] = in_a_process(Path(place) / "audit")
            assert number == found[number]["pending"]
    return found


def report(found: dict[int, dict[str, float]]) -> str:
    """Return the figures as a table."""
    head = ["events", "seconds", "verified and closed, events/s", "the same by processor time", "MiB more"]
    return table(head, [row(number, each) for number, each in found.items()])


def row(number: int, each: dict[str, float]) -> list[str]:
    rates = [f"{number / each['scanned']:,.0f}", f"{number / each['computing']:,.0f}"]
    return [f"{number:,}", f"{each['scanned']:.2f}", *rates, f"{each['grown']:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--take-over", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.take_over:
        print(json.dumps(take_over(Path(given.take_over))))
    else:
        print(report(measured(given.events)))


if __name__ == "__main__":
    main()
