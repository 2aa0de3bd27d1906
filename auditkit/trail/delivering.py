"""Delivering what other processes record: a directory worked from outside the application."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from auditkit import configuration
from auditkit.clock import SystemClock
from auditkit.errors import ConfigurationError
from auditkit.files import home
from auditkit.journal import backlog
from auditkit.reporting import Reporter
from auditkit.trail.catching_up import remembered
from auditkit.trail.works import Builder

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from auditkit.clock import Clock
    from auditkit.delivery import LaneStats
    from auditkit.protocols import Mark, Transport
    from auditkit.trail.works import Works

SCAN_INTERVAL = 0.2  # seconds between looks at what others write: they tell nobody
GRACE = 4.0  # seconds that the lanes of a process which delivers by itself have to come for its new segment


class Delivery:
    """A directory whose events are being delivered, by threads of this process and flat out.

    What another process delivers by itself is left to it. Thread-safety: one thread asks.

    Args:
        works: The lanes, started.
        directory: The audit directory.
        marks: What each lane has to deliver: all that was there at the beginning.
        clock: Time.
        reporter: Where the lanes tell of trouble.
    """

    def __init__(self, works: Works, directory: Path, marks: Sequence[Mark], clock: Clock, reporter: Reporter) -> None:
        self._works, self._directory, self._marks, self._clock = works, directory, marks, clock
        self._reporter = reporter

    def drained(self, within: float) -> bool:
        """Return whether all that was there at the beginning is delivered, waiting up to ``within`` seconds for it."""
        deadline = self._clock.monotonic() + within
        lanes = zip(self._works.lanes, self._marks, strict=True)
        return all(lane.drained(mark, deadline) for lane, mark in lanes)

    def unreadable(self) -> bool:
        """Return whether events wait that cannot be read here, so that nothing is gained by waiting for them."""
        return any(lane.unreadable() for lane in self._works.lanes)

    def stats(self) -> dict[str, LaneStats]:
        """Return what became of each destination's events in this process."""
        return {lane.name: lane.stats() for lane in self._works.lanes}

    def met_damage(self) -> bool:
        """Return whether damage was found meanwhile, and what it hit put aside."""
        return "corrupt" in self._reporter.counts()

    def left_to_others(self) -> dict[str, int]:
        """Return how many events of remembered destinations wait that this process does not deliver, where any do."""
        own = {name: stats.pending for name, stats in self.stats().items()}
        waiting = {name: backlog(self._directory, name) - own.get(name, 0) for name in remembered(self._directory)}
        return {name: number for name, number in sorted(waiting.items()) if number > 0}


@contextmanager
def delivering(  # noqa: PLR0913  (what configure takes, by name)
    directory: str | os.PathLike[str],
    transports: Sequence[Transport],
    *,
    ledger: bool = True,
    secret: str | bytes | Sequence[str | bytes] | None = None,
    shared_group: bool = False,
    end_within: float = configuration.SHUTDOWN_TIMEOUT,
    clock: Clock | None = None,
) -> Iterator[Delivery]:
    """Deliver a directory's events inside; at the end, what is under way may take a moment more.

    Segments that living processes write are followed too, where these do not deliver by themselves. Records
    nothing.

    Args:
        directory: The audit directory; made if it does not exist.
        transports: The destinations besides the ledger.
        ledger: Whether the ledger is one.
        secret: What the segments may be signed with, as `configure` takes it.
        shared_group: Whether the directory's group may read and write what is in it, as `configure` takes it.
        end_within: Seconds that the end may take; nothing is lost by a short time.
        clock: Time and chance.

    Raises:
        ConfigurationError: Something cannot work, such as a destination that no directory remembers.
        JournalUnavailable: The directory cannot be made or written.
    """
    settings = configuration.settle(
        transports, directory=directory, ledger=ledger, secret=secret, shared_group=shared_group
    )
    for each in settings.transports:
        if not each.durable or getattr(each, "inline", False):
            raise ConfigurationError(
                f"{each.name} takes only what its own process records (durable=False): it cannot deliver a directory"
            )
    clock = clock or SystemClock()
    assert settings.directory is not None  # noqa: S101  (None has no lanes on disk: `directory` is a path)
    reporter = Reporter(clock)
    builder = Builder(settings, clock, reporter, scan_interval=SCAN_INTERVAL, grace=GRACE)
    works = builder.on_disk(settings.directory)
    with ExitStack() as stack:
        stack.callback(lambda: works.end(clock.monotonic() + end_within, clock, gone=""))
        for lane in works.lanes:
            lane.start()
        marks = [stack.enter_context(lane.hurried()) for lane in works.lanes]
        yield Delivery(works, home(settings.directory), marks, clock, reporter)
