"""Measure the WorkOS lane beside a bare loop over `httpx.HTTPTransport`, both over one connection.

``python -m tests.benchmarks.bench_delivery [--rounds 9] [--events 1500] [--delay-ms 0] [--concurrency 1]``

Each round drains a journal of recorded events through a lane, then sends the same bodies by the bare loop, to
the same server in a process of its own; the order alternates. What counts is the ratio of the medians: the
machine's own moods fall on both.
"""

from __future__ import annotations

import argparse
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryDirectory

import httpx

from auditkit import AuditTrail, Event
from auditkit.transports import WorkOSTransport
from tests.benchmarks.servers import serving

KEY = "sk_benchmark"


def an_event() -> Event:
    return Event(
        "user_1", "tweet.update", "U", "user@email.com", "user_1", "tweet_5", "tweet_5", "1.1.1.1",
        metadata={"body_was": "What time is the event", "body": "What time is the event?"},
    )  # fmt: skip


def lane(url: str, events: list[Event], concurrency: int) -> float:
    """Return the events per second of a lane that drains a journal."""
    with TemporaryDirectory() as directory:
        recorder = AuditTrail(directory=f"{directory}/audit", ledger=False, deliver=False)
        for event in events:
            recorder.emit(event)
        recorder.shutdown()
        transport = WorkOSTransport(KEY, base_url=url, concurrency=concurrency)
        trail = AuditTrail(transport, directory=f"{directory}/audit", ledger=False)
        began = time.perf_counter()
        assert trail.flush(timeout=300)
        took = time.perf_counter() - began
        assert len(events) == trail.stats().destinations["workos"].delivered
        trail.shutdown()
    return len(events) / took


def bare(url: str, events: list[Event], concurrency: int) -> float:
    """Return the events per second of as many bare loops, each over a connection of its own."""
    transport = WorkOSTransport(KEY, base_url=url)
    bodies = [(event.id, transport.encode(event)) for event in events]
    transport.close()
    shares = [bodies[number::concurrency] for number in range(concurrency)]
    began = time.perf_counter()
    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(lambda share: send_bare(url, share), shares))
    return len(bodies) / (time.perf_counter() - began)


def send_bare(url: str, bodies: list[tuple[str, bytes]]) -> None:
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    with httpx.HTTPTransport(limits=httpx.Limits(max_connections=1)) as connection:
        for key, body in bodies:
            request = httpx.Request("POST", f"{url}/events", headers=headers | {"idempotency-key": key}, content=body)
            response = connection.handle_request(request)
            assert httpx.codes.CREATED == response.status_code
            response.read()
            response.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--events", type=int, default=1500)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--concurrency", type=int, default=1)
    given = parser.parse_args()
    lanes: list[float] = []
    bares: list[float] = []
    with serving("loopback_server.py", "--delay-ms", str(given.delay_ms)) as url:
        for number in range(-1, given.rounds):  # the first warms up, and is not counted
            events = [an_event() for _ in range(given.events)]
            for measure, rates in ((lane, lanes), (bare, bares))[:: 1 if number % 2 else -1]:
                rate = measure(url, events, given.concurrency)
                if number >= 0:
                    rates.append(rate)
    ours, theirs = statistics.median(lanes), statistics.median(bares)
    print(f"WorkOS lane           {ours:8.0f} events/s  ({min(lanes):.0f} to {max(lanes):.0f})")
    print(f"bare HTTPTransport    {theirs:8.0f} events/s  ({min(bares):.0f} to {max(bares):.0f})")
    print(f"ratio of the medians  {ours / theirs:8.2f}  (goal >= 0.85)")


if __name__ == "__main__":
    main()
