"""What runs behind a trail: its journal, its lanes and its ledger, built, started, drained and ended."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditkit import files
from auditkit.clock import new_id
from auditkit.configuration import LEDGER
from auditkit.delivery import SCAN_INTERVAL, Lane
from auditkit.journal import DiskJournal, Keys, MemoryJournal
from auditkit.receipt import Followed, Nobody, Watch

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from auditkit.clock import Clock
    from auditkit.configuration import Settings
    from auditkit.protocols import Journal, Transport
    from auditkit.reporting import Reporter


@dataclass(slots=True)
class Works:
    """A journal and who delivers from it.

    Attributes:
        journal: Where events are written down.
        watch: Whom receipts ask.
        lanes: One for each destination that this process works, the ledger first.
        ledger: The ledger's writer, if there is one; its type is the ledger's own.
    """

    journal: Journal
    watch: Watch
    lanes: list[Lane] = field(default_factory=list)
    ledger: Any = None

    def start(self) -> None:
        """Start what is not started yet.

        Raises:
            RuntimeError: No thread can be started (any more); it may be tried again.
        """
        self.journal.start()
        for lane in self.lanes:
            lane.start()

    def end(self, deadline: float, clock: Clock, *, gone: str, close_transports: bool = True) -> bool:
        """Put everything away, and let go of it.

        Args:
            deadline: How long what is under way is waited for, on the clock's monotonic scale.
            clock: Time.
            gone: What receipts say from then on.
            close_transports: False where the transports go on in other works.

        Returns:
            Whether every destination has everything.
        """
        self.journal.rest()
        delivered = self.drain(deadline, clock)
        for lane in self.lanes:
            lane.stop(deadline, close_transport=close_transports)
        self.journal.stop()
        self.watch.gone = gone
        return delivered

    def drain(self, deadline: float, clock: Clock) -> bool:
        """Deliver everything on all lanes at once; return whether nothing is left.

        Where the calling thread has to deliver, each gets a fair share of the time: one that is dead must not keep
        the next from its turn.
        """
        drained = True
        with ExitStack() as stack:
            marks = [stack.enter_context(lane.hurried()) for lane in self.lanes]
            for number, lane in enumerate(self.lanes):
                now = clock.monotonic()
                share = deadline if lane.manned else now + (deadline - now) / (len(self.lanes) - number)
                drained = lane.drained(marks[number], share) and drained
        return drained


class Builder:
    """Build works as a trail's settings say.

    Args:
        settings: What the trail was told.
        clock: Time and chance.
        reporter: Where trouble is told.
        scan_interval: Seconds between a lane's looks at what other processes write.
        grace: Seconds for which a lane leaves a new segment to a living writer that says that it works it.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        reporter: Reporter,
        *,
        scan_interval: float = SCAN_INTERVAL,
        grace: float = 0.0,
    ) -> None:
        """Keep what everything is built of."""
        self._settings, self._clock, self._reporter = settings, clock, reporter
        self._scan_interval, self._grace = scan_interval, grace
        self._served = [each for each in settings.transports if not getattr(each, "inline", False)]

    def open(self, directory: Path) -> Path:
        """Return where exactly the trail is kept in a directory; made if it does not exist.

        Raises:
            JournalUnavailable: It cannot be made or written.
        """
        return files.audit_directory(directory, shared=self._settings.shared_group)

    def on_disk(self, directory: Path, *, already: Mapping[str, Collection[str]] | None = None) -> Works:
        """Build on a directory.

        Args:
            directory: Where the journal is.
            already: By destination, the ids of events that it accepted from another journal.

        Raises:
            JournalUnavailable: The directory cannot be made or written.
        """
        directory = self.open(directory)
        journal = self._journal(directory)
        if not self._settings.deliver:
            self._remember(journal)
            followed = [Followed(name, journal.follow(name)) for name in self._durable]
            return Works(journal, Watch(followed, self._clock))
        lanes = self._lanes(journal, already or {})
        ledger, ledger_lanes = self._ledger(directory, journal) if self._settings.ledger else (None, [])
        return Works(journal, Watch(lanes, self._clock), [*ledger_lanes, *lanes], ledger)

    def in_memory(self) -> tuple[Works, MemoryJournal]:
        """Build without a directory; return the journal by itself too."""
        journal = MemoryJournal(reporter=self._reporter)
        lanes = self._lanes(journal, {}) if self._settings.deliver else []
        return Works(journal, Watch(lanes, self._clock), list(lanes)), journal

    def only_recording(self, directory: Path | None) -> Works:
        """Build what only writes down, for the next process to deliver.

        Raises:
            JournalUnavailable: The directory cannot be made or written.
        """
        disk = None
        if directory is not None:
            disk = self._journal(self.open(directory))
            self._remember(disk)
        journal = disk or MemoryJournal(reporter=self._reporter)
        return Works(journal, Watch([Nobody()] if self._served else [], self._clock))

    @property
    def _durable(self) -> list[str]:
        return [each.name for each in self._served if each.durable]

    def _remember(self, journal: DiskJournal) -> None:
        """Keep what is recorded for every destination that this process was told of, though others deliver it."""
        for name in [*([LEDGER] if self._settings.ledger else []), *self._durable]:
            journal.remember(name)

    def _journal(self, directory: Path) -> DiskJournal:
        return DiskJournal(
            directory,
            clock=self._clock,
            ids=new_id,
            reporter=self._reporter,
            keys=Keys(self._settings.subkeys("chain")),
            max_bytes=self._settings.max_bytes,
            syncs_each=self._settings.syncs_each,
            shared=self._settings.shared_group,
            grace=self._grace,
        )

    def _ledger(self, directory: Path, journal: Journal) -> tuple[Any, list[Lane]]:
        try:
            # Imported here, the one place where that is right: `import auditkit` loads no sqlite3.
            from auditkit.ledger import LedgerWriter  # noqa: PLC0415
        except ImportError as error:
            message = "this Python has no sqlite3, so there is no ledger; install it, or configure ledger=False"
            self._reporter.report("no_ledger", message, error=error)
            return None, []
        key = next(iter(self._settings.subkeys("ledger")), None)
        shared = self._settings.shared_group
        writer = LedgerWriter(directory, clock=self._clock, key=key, shared=shared, reporter=self._reporter)
        return writer, [self._lane(writer, journal, ())]

    def _lanes(self, journal: Journal, already: Mapping[str, Collection[str]]) -> list[Lane]:
        return [self._lane(each, journal, already.get(each.name, ())) for each in self._served]

    def _lane(self, transport: Transport, journal: Journal, already: Collection[str]) -> Lane:
        feed = journal.feed(transport.name, durable=transport.durable)
        return Lane(
            transport,
            feed,
            journal,
            clock=self._clock,
            reporter=self._reporter,
            share=self._settings.delivery_share,
            already=already,
            scan_interval=self._scan_interval,
        )
