"""What a whole audited call costs, beside a structlog line: `python -m tests.benchmarks.bench_call [rounds]`.

All cases are interleaved in rounds of one run, for the machine's speed changes under us: what is printed is the
median over the rounds of each case's ratio to structlog *in its round*, and the median wall time of a call.
The structlog line has the same fields and goes to a sink that discards it.
"""

from __future__ import annotations

import gc
import sys
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import Any

import wrapt

from auditkit import AuditTrail, audit_context, audited
from tests.benchmarks import comparisons as names
from tests.benchmarks.structlogs import structlogs
from tests.benchmarks.work import ACTOR, CALLS, FIRST, GROUP, LOCATION, SECOND, Tweet, Update, rewrite

ROUNDS = 40
PEER = names.STRUCTLOG


def passed_through(function: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    return function(*args, **kwargs)


def cases(durable: AuditTrail, in_memory: AuditTrail) -> dict[str, Update]:
    updates = {
        name: audited("tweet.update", "U", target="tweet.id", capture="tweet", trail=trail)(rewrite)
        for name, trail in (("U before/after, durable", durable), ("U before/after, in memory", in_memory))
    }
    read = {
        name: audited("tweet.read", "R", target="tweet.id", trail=trail)(rewrite)
        for name, trail in (("R without capture, durable", durable), ("R without capture, in memory", in_memory))
    }
    disabled = AuditTrail(directory=None)
    disabled.enabled = False  # as AUDITKIT_DISABLED=1 makes it
    off = audited("tweet.update", "U", target="tweet.id", capture="tweet", trail=disabled)(rewrite)
    passing: Update = wrapt.FunctionWrapper(rewrite, passed_through)
    return {
        **updates,
        **read,
        "U, disabled": off,
        "wrapt pass-through": passing,
        "plain function": rewrite,
        PEER: structlogs()[PEER].call,
    }


def time_of(update: Update) -> float:
    """Return microseconds a call; every call changes the body."""
    tweet = Tweet(body=FIRST)
    bodies = (SECOND, FIRST) * (CALLS // 2)
    gc.collect()
    started = perf_counter_ns()
    for body in bodies:
        update(tweet, body)
    return (perf_counter_ns() - started) / len(bodies) / 1e3


def measure(updates: dict[str, Update], rounds: int) -> dict[str, list[float]]:
    walls: dict[str, list[float]] = {name: [] for name in updates}
    for update in updates.values():  # files are opened, caches filled
        time_of(update)
    order = list(updates)
    for _ in range(rounds):
        for name in order:
            walls[name].append(time_of(updates[name]))
        order.reverse()
    return walls


def main(rounds: int = ROUNDS) -> None:
    """Run every case in turn, in both directions, and print the medians."""
    with TemporaryDirectory() as directory:
        durable = AuditTrail(directory=directory, deliver=False, max_bytes=2**34)
        in_memory = AuditTrail(directory=None)
        with audit_context(group=GROUP, actor=ACTOR, location=LOCATION):
            walls = measure(cases(durable, in_memory), rounds)
        recorded = durable.stats().recorded, in_memory.stats().recorded
        troubles = {**durable.stats().troubles, **in_memory.stats().troubles}
        durable.shutdown()
        in_memory.shutdown()
    print(f"{rounds} rounds of {CALLS} calls each, medians; recorded {recorded}, troubles {troubles or 'none'}")
    print(f"{'':<32}{'us a call':>10}{'x structlog':>13}")
    for name, wall in walls.items():
        ratio = median(each / peer for each, peer in zip(wall, walls[PEER], strict=True))
        print(f"{name:<32}{median(wall):>10.2f}{ratio:>13.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
