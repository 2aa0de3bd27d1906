"""What the pure pieces of an audited call cost: `python tests/benchmarks/bench_pieces.py`.

All cases are interleaved in rounds of one run, for the machine's speed changes under us; medians are printed,
and each as a multiple of a handwritten copy of two attributes into a dict.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING

from auditkit.redaction import Redactor
from auditkit.snapshot import created, deleted, difference, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 200
CALLS = 1000
TEXT = "What time is the event? I would like to come along with my friends and bring some food with us.."


class Tweet:
    """The smallest state worth an audit."""

    __slots__ = ("body", "id")

    def __init__(self, tweet_id: str, body: str) -> None:
        self.id = tweet_id
        self.body = body


@dataclass
class Small:
    id: str = "tweet_5"
    body: str = TEXT


@dataclass
class Large:
    a: int = 1
    b: str = "x"
    c: str = "y"
    d: int = 4
    e: str = "hello"
    f: float = 1.5
    g: bool = True
    h: str = "z" * 30
    i: str = "q"
    j: None = None


@dataclass
class Nested:
    id: str = "tweet_5"
    tags: list[str] = field(default_factory=lambda: ["a", "b"])
    author: Small = field(default_factory=Small)


def cases() -> dict[str, Callable[[], object]]:
    """Return what is measured."""
    slots, small, large, nested = Tweet("tweet_5", TEXT), Small(), Large(), Nested()
    mapping = {"id": "tweet_5", "body": TEXT}
    before, after = snapshot(slots), snapshot(Tweet("tweet_5", f"{TEXT}?"))
    wide_before, wide_after = snapshot(large), snapshot(Large(b="changed"))
    redactor = Redactor(redact=("email",), expose=("token_count",), key=b"key")
    clean = {"body_was": TEXT, "body": TEXT}
    secret = {"password_was": "a", "password": "b"}
    chosen = frozenset({"body"})
    return {
        "handwritten dict of two attributes": lambda: {"id": small.id, "body": small.body},
        "snapshot, 2 slots": lambda: snapshot(slots),
        "snapshot, 2-field dataclass": lambda: snapshot(small),
        "snapshot, 2-key dict": lambda: snapshot(mapping),
        "snapshot, 2-field dataclass, fields=": lambda: snapshot(small, fields=chosen),
        "snapshot, 10-field dataclass": lambda: snapshot(large),
        "snapshot, nested with a list": lambda: snapshot(nested),
        "difference, 1 of 2 fields": lambda: difference(before, after),
        "difference, 1 of 10 fields": lambda: difference(wide_before, wide_after),
        "created, 2 fields": lambda: created(after),
        "deleted, 2 fields": lambda: deleted(before),
        "redaction, nothing to redact": lambda: redactor.apply(clean),
        "redaction, two values, keyed": lambda: redactor.apply(secret),
    }


def measure(case: Callable[[], object]) -> float:
    """Return the microseconds of one call, in a loop of many."""
    began = perf_counter_ns()
    for _ in range(CALLS):
        case()
    return (perf_counter_ns() - began) / CALLS / 1000


def main() -> None:
    """Print a table."""
    measured = cases()
    figures: dict[str, list[float]] = {name: [] for name in measured}
    gc.disable()
    for _ in range(ROUNDS):
        for name, case in measured.items():
            figures[name].append(measure(case))
    gc.enable()
    floor = median(next(iter(figures.values())))
    print(f"{'case':38} {'median us':>10} {'best us':>9} {'x floor':>8}")
    for name, rounds in figures.items():
        print(f"{name:38} {median(rounds):10.3f} {min(rounds):9.3f} {median(rounds) / floor:8.1f}")


if __name__ == "__main__":
    main()
