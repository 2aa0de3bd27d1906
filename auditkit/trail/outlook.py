"""How the destinations of a directory stand, and what will become of what waits for them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditkit.event import instant_of, wire_text
from auditkit.trail.telling import REMEDIES, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auditkit.journal import Fill, Worker

LONG = 600.0  # seconds that an event may wait before that is a problem of its own
_NEARLY = 0.75  # of the journal's space
_FRESH = 15.0  # seconds for which a rate that a process told holds; it tells one every five at least
_FORESEEN = 30 * 86400.0  # seconds: what will be later than that is not told
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_SECOND = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationStatus:
    """How a destination stands in a whole directory, whichever processes work it.

    Attributes:
        pending: Events it has still to accept.
        oldest_ns: Since when the oldest of them waits, in nanoseconds since the epoch; 0 where none does.
        rate: Events a second that it accepted lately from those that work it.
        dead_letters: Events it refused for good that nobody has put back or dropped.
        possible_duplicates: Events it may have twice.
        code: ``"failing"`` or ``"paused"`` where the last attempt of a process that works it failed, else empty.
        trouble: Why the last attempt failed, also one of a process that is gone; empty when it did not.
        since_ns: Since when attempts fail; 0 when they do not.
        accepted_ns: When it last accepted anything, as far as is known; 0 where it is not.
        told_ns: When a process that works it, or worked it last, told of it; 0 where none did.
        workers: The processes that work it.
    """

    pending: int = 0
    oldest_ns: int = 0
    rate: float = 0.0
    dead_letters: int = 0
    possible_duplicates: int = 0
    code: str = ""
    trouble: str = ""
    since_ns: int = 0
    accepted_ns: int = 0
    told_ns: int = 0
    workers: tuple[Worker, ...] = ()

    def waits(self, now_ns: int) -> float:
        """Return for how many seconds the oldest event has waited; 0 where none does."""
        return max(now_ns - self.oldest_ns, 0) / _SECOND if self.oldest_ns else 0.0


def status_of_destination(  # noqa: PLR0913  (facts, given by name)
    workers: Sequence[Worker],
    *,
    now_ns: int,
    pending: int = 0,
    oldest_ns: int = 0,
    dead_letters: int = 0,
    possible_duplicates: int = 0,
) -> DestinationStatus:
    """Return how a destination stands, of what those who work it left word of, and of what waits.

    Args:
        workers: Who works it, and who did.
        now_ns: The present, in nanoseconds since the epoch.
        pending: Events it has still to accept.
        oldest_ns: Since when the oldest of them waits.
        dead_letters: Its dead letters.
        possible_duplicates: Events it may have twice.
    """
    living = tuple(each for each in workers if each.alive)
    troubled = sorted((each for each in living if each.standing.code), key=lambda each: each.standing.since_ns)
    latest = max(workers, key=lambda each: each.told_ns, default=None)
    last_word = troubled[:1] or ([latest] if latest is not None and not living else [])
    fresh = [each for each in living if now_ns - each.told_ns < _FRESH * _SECOND]
    return DestinationStatus(
        pending=pending,
        oldest_ns=oldest_ns,
        rate=round(sum(each.standing.rate for each in fresh), 2),
        dead_letters=dead_letters,
        possible_duplicates=possible_duplicates,
        code=troubled[0].standing.code if troubled else "",
        trouble="".join(each.standing.trouble for each in last_word),
        since_ns=sum(each.standing.since_ns for each in last_word),
        accepted_ns=max((each.standing.accepted_ns for each in workers), default=0),
        told_ns=latest.told_ns if latest is not None else 0,
        workers=living,
    )


def waiting_problems(destinations: Mapping[str, DestinationStatus], fill: Fill, now_ns: int) -> Iterator[Problem]:
    """Yield what will not come right by itself: events that nobody delivers, or that come faster than they go.

    Args:
        destinations: How they stand.
        fill: How full the journal is.
        now_ns: The present, in nanoseconds since the epoch.
    """
    ahead = _ahead(full_in(destinations, fill, now_ns))
    for name, each in destinations.items():
        what = f"{each.pending} event{'s wait' if each.pending != 1 else ' waits'}"
        since = wire_text(instant_of(each.oldest_ns)) if each.oldest_ns else ""
        alone_ns = max(each.oldest_ns, each.told_ns)
        if not each.workers and each.oldest_ns and now_ns - alone_ns >= LONG * _SECOND:
            text = f"no process works {name}, for which {what}, the oldest since {since}{ahead}"
            yield _problem("unattended", name, alone_ns, text)
        elif each.workers and _falls_behind(each, now_ns):
            text = f"{name} accepts less than is recorded: {what}, the oldest since {since}{ahead}"
            yield _problem("behind", name, each.oldest_ns, text)
    if fill.share >= _NEARLY:
        text = (
            f"the journal holds {fill.bytes} bytes of max_bytes={fill.max_bytes}; past that events are refused{ahead}"
        )
        yield _problem("nearly_full", None, now_ns, text)


def _falls_behind(stands: DestinationStatus, now_ns: int) -> bool:
    """Return whether events have waited for long, and go no faster than they came meanwhile."""
    age = stands.waits(now_ns)
    return age >= LONG and stands.rate <= stands.pending / age


def full_in(destinations: Mapping[str, DestinationStatus], fill: Fill, now_ns: int) -> float | None:
    """Return the seconds until the journal has no more room, if all goes on as it did; None where nobody can tell."""
    return fill.full_in(max((each.waits(now_ns) for each in destinations.values()), default=0.0))


def _ahead(seconds: float | None) -> str:
    if seconds is None or seconds > _FORESEEN:
        return ""
    return f"; as it goes, there is no more room in {lasting(seconds)}"


def _problem(code: str, destination: str | None, since_ns: int, text: str) -> Problem:
    return Problem(code=code, destination=destination, since=instant_of(since_ns), text=text, remedy=REMEDIES[code])


def lasting(seconds: float) -> str:
    """Return a time as people say it, in its largest unit: ``12 min``."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return "0 s"
