"""The figures of one run, and what is made of them: medians of ratios, percentiles. Pure."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One case's cost of a call in microseconds, a figure for each round.

    Attributes:
        wall: What the caller waited, on average of the round's calls.
        cpu: What the whole process computed until the peer had worked everything off, on average.
        p99: What 99 of 100 single calls stayed below.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """Single calls beside lanes, in microseconds, a figure for each round.

    Attributes:
        first: The first call after a while, which wakes the lanes.
        idle: The p99 beside lanes that have nothing to do.
        delivering: The p99 beside a lane that delivers as fast as it can.
    """

    first: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    delivering: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one interpreter measured.

    Attributes:
        python: Its version.
        compiled: Whether auditkit's hot path was compiled.
        rounds: How often every case had its turn.
        series: The cases by name.
        tails: The calls beside lanes, by name.
        versions: The distributions that were measured, with their versions.
        machine: What the figures depend on besides, by name.
    """

    python: str
    compiled: bool
    rounds: int
    series: Mapping[str, Series]
    tails: Mapping[str, Tail]
    versions: Mapping[str, str]
    machine: Mapping[str, str]

    @property
    def minor(self) -> str:
        """Return the version as people say it: 3.11."""
        return ".".join(self.python.split(".")[:2])

    def ratio(self, ours: str, theirs: str) -> float:
        """Return how many times as long the caller waits for one as for the other."""
        return median_of_ratios(self.series[ours].wall, self.series[theirs].wall)

    def cpu_ratio(self, ours: str, theirs: str) -> float:
        """Return how many times as much the process computes for one as for the other."""
        return median_of_ratios(self.series[ours].cpu, self.series[theirs].cpu)

    def plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Run:
        """Return the run that `plain` wrote."""
        series = {name: Series(**each) for name, each in plain["series"].items()}
        tails = {name: Tail(**each) for name, each in plain["tails"].items()}
        return cls(**{**plain, "series": series, "tails": tails})


def median_of_ratios(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median over the rounds of the ratio in each round.

    A machine that is slower for a while is slower for both of a round, so its mood falls out of the ratio, which it
    would not out of the ratio of two medians.

    Raises:
        ValueError: The rounds are not as many, or there are none.
    """
    ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
    if not ratios:
        raise ValueError("a median needs at least one round, got none")
    return median(ratios)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that a share of the values, of (0, 1], does not exceed (the nearest rank).

    Raises:
        ValueError: There are no values.
    """
    if not values:
        raise ValueError("a percentile needs at least one value, got none")
    return sorted(values)[math.ceil(share * len(values)) - 1]
