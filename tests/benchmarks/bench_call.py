"""What a whole audited call costs, beside a structlog line: `python tests/benchmarks/bench_call.py [rounds]`.

All cases are interleaved in rounds of one run, for the machine's speed changes under us: what is printed is the
median over the rounds of each case's ratio to structlog *in its round*, and the median wall time of a call.
The structlog line has the same fields and goes to a sink that discards it.
"""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import structlog
import wrapt

from auditkit import AuditTrail, audit_context, audited

if TYPE_CHECKING:
    from collections.abc import Callable

    Update = Callable[["Tweet", str], str]

ROUNDS = 40
CALLS = 1000
FIRST = "Just setting up my audited timeline, this is the first body of the tweet, kept near real length."
SECOND = "An edited version of the same tweet; about one hundred characters long, so JSON is near 500 byte"
PEER = "structlog line, discarded"
ACTOR = ("user_01E4ZCR3C56J083X43JQXF3JK5", "Ada Lovelace")
GROUP = "organization_01EHZNVPK3SFK441A1RGBFSHRT"
LOCATION = "203.0.113.42"


@dataclass(slots=True)
class Tweet:
    id: str
    body: str


class Sink:
    """Discard what is written."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None: ...


def plain(tweet: Tweet, body: str) -> str:
    tweet.body = body
    return body


def logged() -> Update:
    """Return the same update with a line logged by hand, as structlog's documentation configures it."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        logger_factory=structlog.WriteLoggerFactory(Sink()),  # type: ignore[arg-type]  # what it uses of a file
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(actor_id=ACTOR[0], actor_name=ACTOR[1], group=GROUP, location=LOCATION)
    info = structlog.get_logger().info

    def update(tweet: Tweet, body: str) -> str:
        before = tweet.body
        result = plain(tweet, body)
        info(
            "tweet.update",
            action_type="U",
            target_id=tweet.id,
            target_name="Tweet",
            body_before=before,
            body_after=tweet.body,
        )
        return result

    return update


def passed_through(function: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    return function(*args, **kwargs)


def cases(durable: AuditTrail, in_memory: AuditTrail) -> dict[str, Update]:
    updates = {
        name: audited("tweet.update", "U", target="tweet.id", capture="tweet", trail=trail)(plain)
        for name, trail in (("U before/after, durable", durable), ("U before/after, in memory", in_memory))
    }
    read = {
        name: audited("tweet.read", "R", target="tweet.id", trail=trail)(plain)
        for name, trail in (("R without capture, durable", durable), ("R without capture, in memory", in_memory))
    }
    disabled = AuditTrail(directory=None)
    disabled.enabled = False  # as AUDITKIT_DISABLED=1 makes it
    off = audited("tweet.update", "U", target="tweet.id", capture="tweet", trail=disabled)(plain)
    passing: Update = wrapt.FunctionWrapper(plain, passed_through)
    return {
        **updates,
        **read,
        "U, disabled": off,
        "wrapt pass-through": passing,
        "plain function": plain,
        PEER: logged(),
    }


def time_of(update: Update) -> float:
    """Return microseconds a call; every call changes the body."""
    tweet = Tweet("tweet_000001", FIRST)
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
