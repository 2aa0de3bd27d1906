"""A lane: one destination's way from the journal, and the threads that work it.

Its threads are all alike and take turns in leading: whoever leads waits for the journal, takes the next
events, hands the lead on, and sends what it took. A lane begins with one thread and gets another one, up to
the transport's ``concurrency``, when all are busy and sending is slow enough for a further one to help.

Unless somebody waits for it (`Lane.hurried`), a lane keeps to its share of the interpreter: whoever leads rests
before the next events are taken.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from auditkit import pacing, patience
from auditkit.context import suppressed
from auditkit.delivery.dispatcher import SCAN_INTERVAL, Dispatcher
from auditkit.delivery.pace import Meter, Pace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from auditkit.clock import Clock
    from auditkit.delivery.schedule import Batch
    from auditkit.delivery.tally import LaneStats
    from auditkit.protocols import Feed, Journal, Mark, Position, Transport
    from auditkit.reporting import Reporter

LINGER = 0.02  # seconds a lane lets events gather before it reads them
_SLOW = 0.005  # seconds of one send from which a second thread helps; below it they fight over the interpreter
_LONGEST_REST = 10.0  # seconds between looks, whatever the schedule says
_BREATH = 5e-5  # seconds that a thread lets others in between; less is no wait at all, and sleeping takes longer
_POLL = 0.1  # seconds: a deadline on a clock that is driven is looked at again this often


class Lane:
    """Deliver what a feed holds to one transport. Safe to use from any thread.

    Args:
        transport: The destination.
        feed: What it has still to accept.
        journal: Whose growth wakes the lane.
        clock: Time and chance.
        reporter: Where trouble is told.
        share: The part of the interpreter's time that it may take while nobody waits for it, in (0, 1].
        already: Ids of events that the destination accepted from another journal.
        scan_interval: Seconds between looks at what other processes write, with jitter.

    Attributes:
        name: The destination's name.
    """

    def __init__(  # noqa: PLR0913  (collaborators, given by name)
        self,
        transport: Transport,
        feed: Feed,
        journal: Journal,
        *,
        clock: Clock,
        reporter: Reporter,
        share: float = 1.0,
        already: Collection[str] = (),
        scan_interval: float = SCAN_INTERVAL,
    ) -> None:
        """Prepare; threads start with `start`."""
        self.name = transport.name
        self._dispatcher = Dispatcher(
            transport, feed, clock=clock, reporter=reporter, already=already, scan_interval=scan_interval
        )
        self._state = self._dispatcher.state
        self._journal, self._clock = journal, clock
        self._concurrency = transport.concurrency
        self._pace = Pace(share)
        self._lead = threading.Lock()
        self._seen = -1  # the journal's moment when the leader last looked
        self._threads: list[threading.Thread] = []
        self._working = 0
        self._urgent = 0
        self._stopping = False
        self._closes_transport = True
        clock.on_jump(self.wake)

    # ------------------------------------------------------------------ threads

    def start(self) -> None:
        """Start the first thread, if none runs.

        Raises:
            RuntimeError: No thread can be started (any more).
        """
        with self._state:
            if not self._threads and not self._stopping:
                self._hire()

    def wake(self) -> None:
        """Let whoever waits look again."""
        with self._state:
            self._state.notify_all()
        self._journal.wake()

    def _hire(self) -> None:
        thread = threading.Thread(target=self._work, name=f"auditkit-{self.name}-{len(self._threads)}", daemon=True)
        thread.start()  # it waits for the state, which is held here
        self._threads.append(thread)
        self._working += 1

    def _work(self) -> None:
        meter = Meter(self._clock)
        try:
            with suppressed(), pacing.breathing(self._breathe):
                while (batch := self._lead_on(meter)) is not None:
                    self._attempt(batch)
                    with self._state:
                        self._pace.spent(meter.take(), self._clock.monotonic())
        finally:
            self._leave()

    def _leave(self) -> None:
        with self._state:
            self._working -= 1
        self._close_if_last()

    def _lead_on(self, meter: Meter) -> Batch | None:
        """Wait for events; None when the lane stops."""
        with self._lead:
            while True:
                with self._state:
                    self._keep_pace()
                    if self._stopping:
                        return None
                    batch = self._dispatcher.next()
                    self._look_back(has_more=batch is not None)
                    if batch is not None:
                        self._consider_hiring()
                        return batch
                    rest = min(self._dispatcher.rest(), _LONGEST_REST)
                moment = self._journal.wait(self._seen, rest)
                if moment != self._seen:
                    self._seen = moment
                    self._gather()
                meter.take()  # what looking cost while there was nothing to do is not held against what comes

    def _keep_pace(self) -> None:
        """Rest for as long as the lane's share asks, and nobody waits for it."""
        now = self._clock.monotonic
        while not self._hastens and (rest := self._pace.rest(now())) > 0:
            self._state.wait(rest)

    def _look_back(self, *, has_more: bool) -> None:
        """Tell the pace whether it suffices."""
        schedule = self._dispatcher.schedule
        if schedule.blocks:
            self._pace.held_up()
        elif has_more:
            self._pace.went_on(self._clock.monotonic(), self._journal.recorded(), schedule.taken)
        else:
            self._pace.caught_up()

    @property
    def _hastens(self) -> bool:
        return bool(self._urgent) or self._stopping

    def _breathe(self) -> None:
        if not self._hastens and self._pace.share < 1:
            threading.Event().wait(_BREATH)

    def _gather(self) -> None:
        """Let a few events come together, so that a busy application wakes the lane once for many."""
        with self._state:
            if not self._hastens:
                self._state.wait(LINGER)

    def _consider_hiring(self) -> None:
        schedule = self._dispatcher.schedule
        busy = schedule.in_flight >= self._working
        if busy and self._working < self._concurrency and self._dispatcher.took > _SLOW and not schedule.blocks:
            with suppress(RuntimeError):  # no thread to be had: those that there are go on
                self._hire()

    def _attempt(self, batch: Batch) -> BaseException | None:
        schedule = self._dispatcher.schedule
        failing = schedule.blocks
        error = self._dispatcher.attempt(batch)
        if error is not None or failing:
            self._journal.wake()  # whoever leads may wait for the wrong moment now
        return error

    # ------------------------------------------------------------------ draining

    @contextmanager
    def hurried(self) -> Iterator[Mark]:
        """Deliver what there is at once inside, without lingering and without waiting out a failure's delay.

        Yields:
            The mark that `drained` takes: what is recorded from now on is not waited for.
        """
        with self._state:
            self._urgent += 1
            self._dispatcher.schedule.hurry()
            self._dispatcher.scan(eager=True)
            mark = self._dispatcher.mark()
            self._dispatcher.marks.append(mark)
        self.wake()
        try:
            yield mark
        finally:
            with self._state:
                self._dispatcher.marks[:] = [each for each in self._dispatcher.marks if each is not mark]
                self._urgent -= 1

    def drained(self, mark: Mark, deadline: float) -> bool:
        """Wait until everything up to a mark is delivered; inside `hurried`.

        Without threads, as at the interpreter's exit, the calling thread delivers.

        Args:
            mark: What `hurried` gave.
            deadline: When to stop, on the clock's monotonic scale.

        Returns:
            Whether nothing is left; False at once where the destination is left alone for longer than that.
        """
        drained = self._await_drained(mark, deadline) if self.manned else self._drain_here(mark, deadline)
        return drained and not self.unreadable()

    def unreadable(self) -> bool:
        """Return whether events wait that cannot be read here; nothing is gained by waiting for them."""
        return self._dispatcher.unreadable()

    def drain(self, deadline: float) -> bool:
        """Deliver everything: see `hurried` and `drained`."""
        with self.hurried() as mark:
            return self.drained(mark, deadline)

    @property
    def manned(self) -> bool:
        """Return whether a thread works the lane."""
        return any(thread.is_alive() for thread in self._threads)

    def _await_drained(self, mark: Mark, deadline: float) -> bool:
        with self._state:
            while not self._dispatcher.passed(mark):
                remaining = self._worth_waiting(deadline)
                if remaining <= 0 or not self.manned:
                    return False
                self._state.wait(min(remaining, _POLL))
            return True

    def _worth_waiting(self, deadline: float) -> float:
        """Return the seconds that may still bring something."""
        schedule = self._dispatcher.schedule
        if not schedule.in_flight and schedule.closed_until >= deadline:
            return 0.0
        return deadline - self._clock.monotonic()

    def _drain_here(self, mark: Mark, deadline: float) -> bool:
        with suppressed(), patience.until(deadline):
            while self._clock.monotonic() < deadline:
                with self._state:
                    if self._dispatcher.passed(mark):
                        return True
                    batch = self._dispatcher.next()
                    if batch is None:
                        remaining = min(self._worth_waiting(deadline), self._dispatcher.rest())
                        if remaining <= 0:
                            break
                        self._state.wait(min(remaining, _POLL))
                        continue
                error = self._attempt(batch)
                if isinstance(error, KeyboardInterrupt | SystemExit):
                    raise error  # a signal handler's, on this very thread: the application's to deal with
        with self._state:
            return self._dispatcher.passed(mark)

    # ------------------------------------------------------------------ ending

    def stop(self, deadline: float, *, close_transport: bool = True) -> None:
        """End the threads, waiting for what is under way no longer than ``deadline``; let go of the journal.

        A send that takes longer is left to end by itself: until then nobody else may send its events, and
        what it delivers is acknowledged.

        Args:
            deadline: When to stop waiting, on the clock's monotonic scale.
            close_transport: False where the transport goes on in another lane.
        """
        with self._state:
            self._stopping = True
            self._closes_transport = close_transport
        self.wake()
        for thread in tuple(self._threads):
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - self._clock.monotonic()))
        with patience.until(deadline):
            self._close_if_last()

    def _close_if_last(self) -> None:
        with self._state:
            last = self._stopping and not self._working
        if last:
            self._dispatcher.close(transport=self._closes_transport)

    # ------------------------------------------------------------------ telling

    def fate(self, position: Position) -> bool | None:
        """Return whether the destination has an event; None when nobody here can know.

        Raises:
            DeliveryRejected: It is in the dead letters.
        """
        return self._dispatcher.fate(position)

    def refusal(self, event_id: str) -> str | None:
        """Return why an event is a dead letter, whoever buried it; None where it is none."""
        return self._dispatcher.refusal(event_id)

    def wait(self, position: Position, timeout: float) -> None:
        """Wait until an attempt has ended and the event may be delivered, at most ``timeout`` seconds."""
        with self._state:
            self._dispatcher.watchers += 1
            try:
                if not self.fate(position):
                    self._state.wait(timeout)
            finally:
                self._dispatcher.watchers -= 1

    def stats(self) -> LaneStats:
        """Return what became of this destination's events in this process."""
        return self._dispatcher.stats()
