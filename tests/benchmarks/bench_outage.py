"""Measure what a destination that is down for a week costs: memory, disk, and the caller's time.

``python -m tests.benchmarks.bench_outage [--events 1000000]``

Durable audited calls on a trail whose only destination refuses every connection. The median call and the process's
memory after each tenth of the events; both should stay what they are, and the disk's share is stated.
"""

from __future__ import annotations

import argparse
import os
import socket
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from auditkit import AuditTrail, audit_context, audited
from auditkit.transports import WorkOSTransport
from tests.benchmarks.page import table

TENTHS: Final = 10
MIB: Final = 2**20


def memory() -> int:
    """Return how many bytes of memory this process has."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def refusing_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def measured(events: int) -> list[list[str]]:
    """Return a row for each tenth: events so far, the median call, memory since the first tenth, the journal."""
    rows = []
    with TemporaryDirectory(dir=".") as place:
        transport = WorkOSTransport("sk_benchmark", base_url=f"http://127.0.0.1:{refusing_port()}")
        trail = AuditTrail(transport, directory=f"{place}/audit", ledger=False)

        @audited("tweet.update", "U", target="tweet_id", trail=trail)
        def update(tweet_id: str) -> None:
            """Change nothing: the call's own cost is what is asked."""

        first = 0
        with audit_context(group="user_1", actor=("user_1", "user@email.com"), location="1.1.1.1"):
            for tenth in range(1, TENTHS + 1):
                taken_ns = []
                for _ in range(events // TENTHS):
                    begun = time.perf_counter_ns()
                    update("tweet_1")
                    taken_ns.append(time.perf_counter_ns() - begun)
                middle = median(taken_ns) / 1e3
                del taken_ns
                first = first or memory()
                journal = sum(each.stat().st_size for each in Path(place, "audit", "journal").iterdir())
                grown = (memory() - first) / MIB
                rows.append([f"{tenth * events // TENTHS:,}", f"{middle:.1f}", f"{grown:+.1f}", f"{journal / MIB:.0f}"])
        found = trail.stats()
        assert found.recorded == events == found.destinations["workos"].pending, found
        trail.shutdown(0)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    rows = measured(parser.parse_args().events)
    print(table(["events", "call, median us", "memory since the first tenth, MiB", "journal, MiB"], rows))


if __name__ == "__main__":
    main()
