"""Measure the WorkOS lane, flat out, beside bare loops over `httpx.HTTPTransport`.

``python -m tests.benchmarks.bench_delivery [--rounds 9] [--events 1500]``

Once over one connection to a server that answers at once, and once with 32 requests in flight to one that takes 50 ms,
where 32 connections could do 640 requests a second. Each round drains a journal of recorded events through a lane, then
sends the same requests, header for header, by the bare loops, to the same server in a process of its own; the order alternates. What counts
is the ratio in each round: the machine's own moods fall on both.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median
from tempfile import TemporaryDirectory

import httpx

from auditkit import AuditTrail, Event
from auditkit.transports import WorkOSTransport
from auditkit.transports.workos_endpoint import HEADERS
from tests.benchmarks.figures import median_of_ratios
from tests.benchmarks.page import table
from tests.benchmarks.servers import serving

KEY = "sk_benchmark"


def an_event() -> Event:
    return Event(
        "user_1", "tweet.update", "U", "user@email.com", "user_1", "tweet_5", "tweet_5", "1.1.1.1",
        metadata={"body_was": "What time is the event", "body": "What time is the event?"},
    )  # fmt: skip


def lane(url: str, events: list[Event], concurrency: int) -> tuple[float, float]:
    """Return the events a second of a lane that drains a journal, and the microseconds that an event costs."""
    with TemporaryDirectory() as directory:
        recorder = AuditTrail(directory=f"{directory}/audit", ledger=False, deliver=False)
        for event in events:
            recorder.emit(event)
        recorder.shutdown()
        transport = WorkOSTransport(KEY, base_url=url, concurrency=concurrency)
        trail = AuditTrail(transport, directory=f"{directory}/audit", ledger=False)
        began, computed = time.perf_counter(), time.process_time()
        assert trail.flush(timeout=300)
        took, computing = time.perf_counter() - began, time.process_time() - computed
        assert len(events) == trail.stats().destinations["workos"].delivered
        trail.shutdown()
    return len(events) / took, computing / len(events) * 1e6


def bare(url: str, events: list[Event], concurrency: int) -> tuple[float, float]:
    """Return the same of as many bare loops, each over a connection of its own."""
    transport = WorkOSTransport(KEY, base_url=url)
    bodies = [(event.id, transport.encode(event)) for event in events]
    transport.close()
    shares = [bodies[number::concurrency] for number in range(concurrency)]
    began, computed = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(lambda share: send_bare(url, share), shares))
    took, computing = time.perf_counter() - began, time.process_time() - computed
    return len(bodies) / took, computing / len(bodies) * 1e6


def send_bare(url: str, bodies: list[tuple[str, bytes]]) -> None:
    headers = {**HEADERS, "Authorization": f"Bearer {KEY}", "Accept-Encoding": "identity"}
    with httpx.HTTPTransport(limits=httpx.Limits(max_connections=1)) as connection:
        for key, body in bodies:
            request = httpx.Request("POST", f"{url}/events", headers=headers | {"Idempotency-Key": key}, content=body)
            response = connection.handle_request(request)
            assert httpx.codes.CREATED == response.status_code
            response.read()
            response.close()


@dataclass(frozen=True, slots=True)
class Pair:
    """What a lane and bare loops did, a figure for each round.

    Attributes:
        lane: The lane's events a second.
        bare: The bare loops'.
        lane_cpu: Microseconds of processor time that an event takes the lane's process.
        bare_cpu: The same for the bare loops.
    """

    lane: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    lane_cpu: list[float] = field(default_factory=list)
    bare_cpu: list[float] = field(default_factory=list)


def measured(rounds: int, number: int, *, delay_ms: float, concurrency: int) -> Pair:
    """Return what each did in each round."""
    pair = Pair()
    with serving("loopback_server.py", "--delay-ms", str(delay_ms)) as url:
        for turn in range(-1, rounds):  # the first warms up, and is not counted
            events = [an_event() for _ in range(number)]
            cases = ((lane, pair.lane, pair.lane_cpu), (bare, pair.bare, pair.bare_cpu))
            for measure, rates, costs in cases[:: 1 if turn % 2 else -1]:
                rate, cost = measure(url, events, concurrency)
                if turn >= 0:
                    rates.append(rate)
                    costs.append(cost)
    return pair


FAST, SLOW = (0.0, 1), (50.0, 32)  # milliseconds that the server takes, and requests in flight


def report(fast: Pair, slow: Pair) -> str:
    """Return the figures as a table."""
    head = [
        "server",
        "in flight",
        "lane, events/s",
        "bare, events/s",
        "lane / bare",
        "by processor time",
        "of the limit",
    ]
    limit = SLOW[1] / SLOW[0] * 1000
    return table(
        head,
        [
            ["answers at once", str(FAST[1]), *row(fast), "-"],
            [f"takes {SLOW[0]:.0f} ms", str(SLOW[1]), *row(slow), f"{median(slow.lane) / limit:.2f}"],
        ],
    )


def row(pair: Pair) -> list[str]:
    return [
        f"{median(pair.lane):,.0f}",
        f"{median(pair.bare):,.0f}",
        f"{median_of_ratios(pair.lane, pair.bare):.2f}",
        f"{median_of_ratios(pair.bare_cpu, pair.lane_cpu):.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--events", type=int, default=1500)
    given = parser.parse_args()
    fast, slow = (
        measured(given.rounds, given.events, delay_ms=delay, concurrency=concurrency)
        for delay, concurrency in (FAST, SLOW)
    )
    print(report(fast, slow))


if __name__ == "__main__":
    main()
