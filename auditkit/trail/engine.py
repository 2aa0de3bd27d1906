"""A trail's works through its life: begun with the first event, mended, ended, and begun anew in a forked child."""

from __future__ import annotations

import math
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from auditkit.errors import JournalError, JournalFull, JournalUnavailable
from auditkit.reporting import Reporter
from auditkit.trail import processes
from auditkit.trail.refuge import Refuge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditkit.clock import Clock
    from auditkit.configuration import Settings
    from auditkit.delivery import LaneStats
    from auditkit.draft import Draft
    from auditkit.protocols import Position
    from auditkit.trail.works import Builder, Works

AGAIN = 60.0  # seconds between attempts to open a directory that could not be opened
_THREADS_AGAIN = 1.0  # seconds between attempts to start threads
_LONGEST_REST = 10.0  # seconds between looks at the clock, whatever it said
_NOWHERE = ("", -1)
SHUT_DOWN = "the trail was shut down; what it had not delivered is in its journal, for the next process"
_DISTRUSTED = (
    "the device has failed to sync the audit journal; what was recorded just before that may not survive a power cut"
)
FORKED = "this is a forked child; the event is its parent's to deliver"


class Engine:
    """Keep the works going. Safe to use from any thread.

    Args:
        settings: What the trail was told.
        clock: Time and chance.

    Attributes:
        clock: Time and chance.
        reporter: Where trouble is told; a forked child has a new one.
        sound: The works, while nothing is wrong with them: all that recording has to look at.
        recorded: Events written down in this process.
        rolled_back: Events dropped in this process, since their transaction did not commit.
        stopped: Whether it was shut down.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Wait for the first event."""
        self.clock = clock
        self.reporter = Reporter(clock)
        self.sound: Works | None = None
        self.recorded = self.rolled_back = 0
        self.stopped = False
        self._settings = settings
        self._works: Works | None = None
        self._inherited: Works | None = None  # the parent's, in a forked child
        self._refuge: Refuge | None = None
        self._ailment = ""  # a problem's code
        self._ailment_text = ""
        self._ailing_since_ns = 0
        self._again = -math.inf
        self._trying: threading.Thread | None = None
        self._past: list[tuple[str, LaneStats]] = []  # destinations of works that were ended
        self._all_delivered = True  # what the shutdown came to
        self._changing = False  # whether the thread that has the lock is beginning or mending the works
        self._interrupting: deque[Draft] = deque()  # what signal handlers and finalisers recorded meanwhile
        self._renew_locks()
        clock.on_jump(self._look_at_the_clock)
        processes.know(self)

    def _renew_locks(self) -> None:
        self._lock = threading.RLock()
        self._ending = threading.RLock()
        self._bell = threading.Condition()

    # ------------------------------------------------------------------ recording

    def append(self, draft: Draft) -> Position:
        """Write one event down where the works are not begun, or not sound.

        A signal handler or finaliser that records while this thread begins the works gets no position: its event is
        written as soon as there is a journal.

        Raises:
            JournalError: It could not be written down.
        """
        with self._lock:
            if self._changing:
                self._interrupting.append(draft)
                return _NOWHERE
            return self._append(self.ready(), draft)

    @property
    def beginning(self) -> bool:
        """Return whether the works are just being begun; on another thread than that one it says nothing."""
        return self._changing and self._works is None

    def _append(self, works: Works, draft: Draft) -> Position:
        try:
            return works.journal.append(draft)
        except JournalFull:
            if self._refuge is None or not self._refuge.give_way():
                raise
        return works.journal.append(draft)

    def ready(self) -> Works:
        """Return the works, begun if need be; tries to mend what is wrong with them when that is due.

        Raises:
            JournalUnavailable: They are just being begun, by what a signal handler or finaliser has interrupted.
        """
        with self._lock:
            if not self._changing:
                self._changing = True
                try:
                    if self._works is None:
                        self._begin()
                    elif self.sound is None and self.clock.monotonic() >= self._again:
                        self._mend()
                finally:
                    self._changing = False
            if self._works is None:
                raise JournalUnavailable("the audit trail is just being opened by what was interrupted")
            self._catch_up(self._works)
            return self._works

    def _catch_up(self, works: Works) -> None:
        # A function of its own: CPython 3.13 leaves the jump back of a `while` out of the `with` around it,
        # so a signal handler that raises there would leave the lock held.
        while self._interrupting and not self._changing:
            with suppress(IndexError):  # what came in between has written it
                draft = self._interrupting.popleft()
                try:
                    self._append(works, draft)
                except JournalError as error:  # whoever recorded it has gone on
                    self.reporter.report("not_recorded", str(error), cause="interrupting", error=error)

    def ensure_room(self) -> None:
        """Return if one more event can be recorded as durably as was asked.

        Raises:
            JournalError: It cannot.
        """
        works = self.sound or self.ready()
        if self._refuge is not None:
            raise JournalUnavailable(self._ailment_text)
        works.journal.ensure_room()

    def where(self) -> Works | None:
        """Return the works as they are, if there are any."""
        return self._works

    def builder(self) -> Builder:
        """Return who builds the works."""
        # Imported here, as the ledger is there: `import auditkit` loads neither journals nor lanes.
        from auditkit.trail.works import Builder  # noqa: PLC0415

        return Builder(self._settings, self.clock, self.reporter)

    # ------------------------------------------------------------------ beginning and mending (the lock is held)

    def _begin(self) -> None:
        directory, builder = self._settings.directory, self.builder()
        try:
            if self.stopped:
                self._works = builder.only_recording(directory)
            elif directory is None:
                self._works, _ = builder.in_memory()
            else:
                self._works = builder.on_disk(directory)
        except JournalUnavailable as error:
            self._works, journal = builder.in_memory()
            self._refuge = Refuge(self._works, journal, self.reporter)
            self._ail("not_durable", f"{error}; until then events are kept in memory only", AGAIN)
        processes.begun(self)
        self._start()

    def _start(self) -> None:
        works = self._works
        if works is None:
            return
        try:
            if not self.stopped:
                works.start()
        except RuntimeError:  # the interpreter is ending, or no thread is to be had
            if self._refuge is None:
                self._ail(
                    "sync_stalled",
                    "no thread can be started: events are recorded, and neither synced nor delivered by this process",
                    _THREADS_AGAIN,
                )
            return
        if self._refuge is None:
            self._ailment = self._ailment_text = ""
            self._ailing_since_ns = 0
            self.sound = works
        else:
            self._keep_trying()

    def _ail(self, code: str, text: str, again: float) -> None:
        self.sound = None
        self._again = self.clock.monotonic() + again
        self._ailment, self._ailment_text = code, text
        self._ailing_since_ns = self._ailing_since_ns or self.clock.time_ns()
        self.reporter.report(code, text)

    def _mend(self) -> None:
        if self._refuge is not None:
            self._return_from(self._refuge)
        else:
            self._start()

    def _return_from(self, refuge: Refuge) -> None:
        """Go back to the directory once it can be opened; what waits in memory is delivered from there."""
        directory = self._settings.directory
        assert directory is not None  # noqa: S101  (nobody flees from memory)
        self._again = self.clock.monotonic() + AGAIN
        try:
            works = self.builder().on_disk(directory, already=refuge.accepted())
        except JournalUnavailable:
            return
        try:
            refuge.move(works)
        except JournalError as error:
            works.end(self.clock.monotonic(), self.clock, gone=SHUT_DOWN, close_transports=False)
            self.reporter.report("not_durable", f"the directory could be opened, but not all be written: {error}")
            return
        self._works, self._refuge = works, None
        self._start()
        refuge.works.end(self.clock.monotonic(), self.clock, gone=SHUT_DOWN, close_transports=False)

    def _keep_trying(self) -> None:
        """Try the directory again every minute, though no event may come."""
        if self._trying is None:
            trying = threading.Thread(target=self._try_regularly, name="auditkit-mend", daemon=True)
            with suppress(RuntimeError):  # then the next event tries
                trying.start()
                self._trying = trying

    def _try_regularly(self) -> None:
        while self._refuge is not None:
            with self._bell:
                rest = self._again - self.clock.monotonic()
                if rest > 0:
                    self._bell.wait(min(rest, _LONGEST_REST))
                    continue
            with self._lock:
                if self.sound is None and self.clock.monotonic() >= self._again:
                    self._mend()
        self._trying = None

    def _look_at_the_clock(self) -> None:
        with self._bell:
            self._bell.notify_all()

    # ------------------------------------------------------------------ ending

    def flush(self, timeout: float) -> bool:
        """Deliver everything recorded so far, and what dead processes left in the directory.

        Returns:
            Whether every destination, the ledger included, has everything.
        """
        deadline = self.clock.monotonic() + timeout
        if self.stopped:  # what was recorded since then waits for the next process
            return self._all_delivered and self._works is None
        if self._works is None and (self._changing or self._settings.directory is None):
            return not self._changing
        works = self.ready()
        synced = works.journal.sync()
        drained = works.drain(deadline, self.clock)
        return synced and drained and not self._owes_the_ledger()

    def _owes_the_ledger(self) -> bool:
        refuge = self._refuge
        return refuge is not None and self._settings.ledger and refuge.holds > 0

    def shutdown(self, timeout: float) -> bool:
        """Deliver what can be delivered in time, and let go of everything.

        Returns:
            Whether every destination has everything.
        """
        deadline = self.clock.monotonic() + timeout
        with self._ending:
            if self.stopped:
                self._rest_again()
                return self._all_delivered
            self._last_attempt_to_mend()
            if self._works is not None:
                self._works.drain(deadline, self.clock)
            with self._lock:
                works, self._works, self.sound = self._works, None, None
                refuge, self._refuge = self._refuge, None
                self.stopped = True
            self._look_at_the_clock()
            if works is not None:
                delivered = works.end(deadline, self.clock, gone=SHUT_DOWN if works.watch.destinations else "")
                self._past = [(lane.name, lane.stats()) for lane in works.lanes]
                owed = refuge is not None and self._settings.ledger and refuge.holds > 0
                self._all_delivered = delivered and not owed
            processes.ended(self)
            return self._all_delivered

    def _last_attempt_to_mend(self) -> None:
        with self._lock:
            if self._refuge is not None:
                self._mend()

    def _rest_again(self) -> None:
        with self._lock:
            works = self._works
        if works is not None:
            works.journal.rest()
        processes.ended(self)

    def at_exit(self, timeout: float) -> None:
        """End with the interpreter, which nothing may keep from ending."""
        try:
            self.shutdown(timeout)
        except Exception as error:  # noqa: BLE001  (there is nobody left to raise it to)
            self.reporter.report("exit_failed", "the trail could not be ended in order", error=error)

    # ------------------------------------------------------------------ telling

    def destinations(self) -> Iterator[tuple[str, LaneStats]]:
        """Yield how each destination stands, also after the shutdown."""
        works = self._works
        if works is None or self.stopped:
            yield from self._past
        else:
            for lane in works.lanes:
                yield lane.name, lane.stats()

    def ailment(self) -> tuple[str, str, int]:
        """Return what is wrong with the works: a problem's code, its text and since when; empty when nothing is."""
        if self._ailment:
            return self._ailment, self._ailment_text, self._ailing_since_ns
        if self._works is not None:
            try:
                self._works.journal.ensure_room()
            except JournalError as error:
                code = "journal_full" if isinstance(error, JournalFull) else "journal_unavailable"
                return code, str(error), self.clock.time_ns()
            if since_ns := self._works.journal.distrusted_ns:
                return "sync_failed", _DISTRUSTED, since_ns
        return "", "", 0

    # ------------------------------------------------------------------ forks

    def before_fork(self) -> None:
        """Wait for what a fork would cut in two."""
        self._lock.acquire()
        if self._works is not None and self._works.ledger is not None:
            self._works.ledger.before_fork()  # no SQLite connection crosses a fork

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._works is not None and self._works.ledger is not None:
            self._works.ledger.after_fork()
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin anew: the parent's segment, threads and cursors are the parent's."""
        if self._works is not None:
            self._works.watch.gone = FORKED
            self._inherited = self._works  # kept: what finalisers would do to it concerns the parent
        self._works = self.sound = self._refuge = self._trying = None
        self._ailment = self._ailment_text = ""
        self._ailing_since_ns = 0
        self._past = []
        self.recorded = self.rolled_back = 0
        self.reporter = Reporter(self.clock)
        self._renew_locks()
