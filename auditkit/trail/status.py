"""How a directory stands, looked at from outside: nothing is locked, changed or begun."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditkit.clock import SystemClock
from auditkit.errors import ConfigurationError, JournalUnavailable
from auditkit.event import instant_of
from auditkit.files import close, home, open_to_read
from auditkit.journal import (
    backlog,
    count_letters,
    fill_of,
    lanes_of,
    oldest_waiting_ns,
    possible_duplicates,
    segments_in,
    workers_of,
)
from auditkit.trail.outlook import LONG, status_of_destination, waiting_problems
from auditkit.trail.set_aside import set_aside_problems
from auditkit.trail.telling import Health, destination_problems

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterator, Mapping

    from auditkit.clock import Clock
    from auditkit.journal import Fill
    from auditkit.trail.outlook import DestinationStatus
    from auditkit.trail.telling import Problem

_SECOND = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a directory stands.

    Attributes:
        at_ns: When it was looked at, in nanoseconds since the epoch.
        journal: How full its journal is.
        destinations: How each destination stands that it keeps events for, by name.
        health: What is wrong, in the words of `AuditTrail.health`.
    """

    at_ns: int
    journal: Fill
    destinations: Mapping[str, DestinationStatus]
    health: Health


def status_of(directory: str | os.PathLike[str], *, clock: Clock | None = None) -> Status:
    """Return how a directory stands, whichever processes record there and deliver from there.

    Takes no lock and changes nothing. Reads all that waits, to count it.

    Args:
        directory: The audit directory, or the volume that it lies in.
        clock: Time.

    Raises:
        ConfigurationError: There is no such directory.
        JournalUnavailable: It may not be looked at.

    Thread-safety: any thread.
    """
    root = home(Path(directory))
    if not root.is_dir():
        raise ConfigurationError(f"there is no audit directory {directory}; name one")
    at_ns = (clock or SystemClock()).time_ns()
    try:
        _check_segments(root)
        journal = fill_of(root)
        counted: dict[str, int] = {}
        doubts = Counter(name for names in possible_duplicates(root).values() for name in names)
        destinations = {
            name: status_of_destination(
                workers_of(root, name),
                now_ns=at_ns,
                pending=backlog(root, name, counted),
                oldest_ns=oldest_waiting_ns(root, name, at_ns),
                dead_letters=count_letters(root, name),
                possible_duplicates=doubts[name],
            )
            for name in _destinations(root)
        }
        damage = set_aside_problems(root)
    except OSError as error:
        raise JournalUnavailable(
            f"cannot look into {root}: {error.strerror}; run this as the user that runs the application"
        ) from None
    problems = (
        *destination_problems(destinations, instant_of),
        *waiting_problems(destinations, journal, at_ns),
        *damage,
    )
    return Status(at_ns=at_ns, journal=journal, destinations=destinations, health=Health(problems))


def _check_segments(root: Path) -> None:
    """Return if what waits may be read: what may not is not to be counted as nothing.

    Raises:
        OSError: It may not.
    """
    for path in segments_in(root):
        with suppress(FileNotFoundError):
            close(open_to_read(path))


def _destinations(root: Path) -> list[str]:
    try:
        return lanes_of(root)
    except FileNotFoundError:
        return []


class Lookout:
    """What a process asks of its own directory again and again: the problems alone, at little cost.

    Args:
        directory: The audit directory, or the volume that it lies in.

    Thread-safety: any thread.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._counted: dict[str, int] = {}  # events in segments that nothing changes any more

    def problems(self, now_ns: int, own: Collection[str]) -> Iterator[Problem]:
        """Yield what is wrong with the directory; nothing where it cannot be looked at, which others tell.

        What has not waited for long is not counted.

        Args:
            now_ns: The present, in nanoseconds since the epoch.
            own: The destinations that this process works: how these stand it knows itself.
        """
        root = home(self._directory)
        try:
            there = {path.stem for path in segments_in(root)}
            self._counted = {name: number for name, number in self._counted.items() if name in there}
            destinations = {name: self._look_at(root, name, now_ns) for name in _destinations(root)}
            journal = fill_of(root)
        except OSError:
            return
        others = {name: each for name, each in destinations.items() if name not in own}
        yield from destination_problems(others, instant_of)
        yield from waiting_problems(destinations, journal, now_ns)
        with suppress(OSError):  # of the ledger: how that stands its lane knows
            yield from set_aside_problems(root)

    def _look_at(self, root: Path, name: str, now_ns: int) -> DestinationStatus:
        oldest_ns = oldest_waiting_ns(root, name, now_ns)
        is_late = oldest_ns and now_ns - oldest_ns >= LONG * _SECOND
        return status_of_destination(
            workers_of(root, name),
            now_ns=now_ns,
            pending=backlog(root, name, self._counted) if is_late else 0,
            oldest_ns=oldest_ns,
        )
