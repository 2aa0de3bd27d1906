"""What a trail tells of itself: counts, and whether it does what it promises. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from auditkit.delivery import LaneStats

REMEDIES = {
    "behind": "let more deliver: a higher delivery_share or concurrency, or auditkit deliver --follow; or record less",
    "corrupt": "look at it, rescue what is needed, then move it out of the directory: it is told while it is there",
    "failing": "see the destination's own status; everything is kept and tried again",
    "journal_full": "free space, or raise max_bytes; see which destination does not accept its events",
    "journal_unavailable": "see that the directory exists and that this process may write it",
    "nearly_full": "see which destination does not accept its events; free it of what holds it up, or raise max_bytes",
    "not_durable": "make the directory one that this process may write; it is tried again every minute",
    "paused": "correct the destination's configuration; everything is kept, and tried again every minute",
    "sync_failed": "look at the disk and the system's log of it; once it is mended or replaced, restart this process",
    "sync_stalled": "let this process start threads; it tries again with each event",
    "unattended": "start what has it, or auditkit deliver with it; or retire it: auditkit destinations drop",
}


@dataclass(frozen=True, slots=True)
class Stats:
    """What became of every event in this process.

    Attributes:
        recorded: Events written down.
        troubles: Audit errors by their codes.
        destinations: What became of the events at each destination, the ledger included.
        rolled_back: Events dropped, since their transaction did not commit: see ``audit_context(on_commit=...)``.
    """

    recorded: int
    troubles: Mapping[str, int]
    destinations: Mapping[str, LaneStats]
    rolled_back: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that keeps the trail from doing what it promises.

    Attributes:
        code: A stable word, the same as in logs.
        destination: Which destination has it; None for the trail itself.
        since: Since when, as far as this process knows.
        text: What is wrong.
        remedy: What to do.
    """

    code: str
    destination: str | None
    since: datetime
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the trail does what it promises, and what keeps it from it."""

    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Return whether there is no problem."""
        return not self.problems


class Stands(Protocol):
    """How a destination stands: `LaneStats` in one process, `DestinationStatus` in a directory."""

    @property
    def code(self) -> str:
        """Return ``"failing"`` or ``"paused"`` where it does not accept events, else an empty text."""
        ...

    @property
    def trouble(self) -> str:
        """Return why it does not."""
        ...

    @property
    def since_ns(self) -> int:
        """Return since when it does not, in nanoseconds since the epoch."""
        ...


def destination_problems(destinations: Mapping[str, Stands], instant: Callable[[int], datetime]) -> Iterator[Problem]:
    """Yield what keeps destinations from accepting events; ``instant`` makes a time of nanoseconds."""
    for name, stats in destinations.items():
        if stats.code:
            yield Problem(
                code=stats.code,
                destination=name,
                since=instant(stats.since_ns),
                text=f"{name} does not accept events: {stats.trouble}",
                remedy=REMEDIES[stats.code],
            )
