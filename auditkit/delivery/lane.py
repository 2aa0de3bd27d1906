"""A lane: one destination's way from the journal, with its retries and its dead letters.

Its threads are all alike and take turns in leading: whoever leads waits for the journal, takes the next
events, hands the lead on, and sends what it took. A lane begins with one thread and gets another one, up to
the transport's ``concurrency``, when there is work left and sending is slow enough for a second to help.
"""

from __future__ import annotations

import heapq
import math
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditkit.context import suppressed
from auditkit.delivery.sender import Sender
from auditkit.delivery.verdict import Action, Attempt, Verdict, judge
from auditkit.errors import AuditError, DeliveryRejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.clock import Clock
    from auditkit.protocols import Feed, Journal, Position, Record, Transport
    from auditkit.reporting import Reporter

SCAN_INTERVAL = 5.0  # seconds between looks for segments that nobody delivers
LINGER = 0.02  # seconds a lane lets events gather before it reads them
_SLOW = 0.005  # seconds of one send from which a second thread helps; below it they fight over the interpreter
_REMEMBERED = 10_000  # dead letters whose reason a receipt can still tell


@dataclass(slots=True)
class _Batch:
    """Events on their way together."""

    records: Sequence[Record]
    failures: int = 0
    failing_since: float = math.inf

    @property
    def positions(self) -> list[Position]:
        return [record.position for record in self.records]


@dataclass(frozen=True, slots=True)
class LaneStats:
    """What became of a destination's events in this process, and how it stands.

    Attributes:
        delivered: Events it accepted.
        dead_letters: Events it refused for good.
        failures: Attempts that failed.
        pending: Events it has still to accept.
        trouble: Why the last attempt failed; empty when it did not.
    """

    delivered: int
    dead_letters: int
    failures: int
    pending: int
    trouble: str


class Lane:
    """Deliver what a feed holds to one transport. Safe to use from any thread.

    Args:
        transport: The destination.
        feed: What it has still to accept.
        journal: Whose growth wakes the lane.
        clock: Time and chance.
        reporter: Where trouble is told.
    """

    def __init__(
        self, transport: Transport, feed: Feed, journal: Journal, *, clock: Clock, reporter: Reporter
    ) -> None:
        """Prepare; threads start with `start`."""
        self.name = transport.name
        self._max_batch, self._concurrency = transport.max_batch, transport.concurrency
        self._sender = Sender(transport)
        self._feed, self._journal = feed, journal
        self._clock, self._reporter = clock, reporter
        self._lead = threading.Lock()
        self._state = threading.Condition()  # guards all below, and the feed
        self._threads: list[threading.Thread] = []
        self._retries: list[tuple[float, int, _Batch]] = []
        self._in_flight = 0
        self._seen = -1  # the journal's growth when the leader last looked
        self._queued = 0
        self._stopping = False
        self._urgent = 0
        self._next_scan = -math.inf
        self._blocked_until = -math.inf
        self._blocks = 0  # failures in a row, of any event
        self._accepted_at = -math.inf
        self._took = 0.0  # seconds that the last send took
        self._delivered = self._buried = self._failures = 0
        self._trouble = ""
        self._dead: OrderedDict[Position, str] = OrderedDict()

    # ------------------------------------------------------------------ threads

    def start(self) -> None:
        """Start the first thread, if none runs.

        Raises:
            RuntimeError: No thread can be started (any more).
        """
        with self._state:
            if not self._threads and not self._stopping:
                self._hire()

    def _hire(self) -> None:
        thread = threading.Thread(
            target=self._work, name=f"auditkit-{self.name}-{len(self._threads)}", daemon=True
        )
        thread.start()
        self._threads.append(thread)

    def _work(self) -> None:
        with suppressed():
            while True:
                with self._lead:
                    batch = self._await_batch()
                if batch is None:
                    return
                self._attempt(batch)

    def _await_batch(self) -> _Batch | None:
        """Wait for events; None when the lane stops."""
        while True:
            with self._state:
                if self._stopping:
                    return None
                batch = self._next()
                if batch is not None:
                    self._consider_hiring()
                    return batch
                rest = self._rest()
            grown = self._journal.wait(self._seen, rest)
            if grown != self._seen:
                self._seen = grown
                self._gather()

    def _gather(self) -> None:
        """Let a few events come together, so that a busy application wakes the lane once for many."""
        with self._state:
            if not self._urgent and not self._stopping:
                self._state.wait(LINGER)

    def _consider_hiring(self) -> None:
        if len(self._threads) < self._concurrency and self._took > _SLOW and not self._blocks:
            with suppress(RuntimeError):  # no thread to be had: those that there are go on
                self._hire()

    # ------------------------------------------------------------------ choosing (state is held)

    def _next(self) -> _Batch | None:
        now = self._clock.monotonic()
        if now >= self._next_scan:
            self._scan(now)
        if now < self._blocked_until or (self._blocks and self._in_flight):
            return None  # while a destination fails, one attempt at a time shows when it is back
        if self._retries and self._retries[0][0] <= now:
            batch = heapq.heappop(self._retries)[2]
        else:
            records = self._contained_take()
            if not records:
                return None
            batch = _Batch(records)
        self._in_flight += 1
        return batch

    def _scan(self, now: float, *, eager: bool = False) -> None:
        self._next_scan = now + SCAN_INTERVAL * (0.75 + self._clock.random() / 2)
        try:
            self._feed.scan(eager=eager)
        except (OSError, AuditError) as error:
            self._reporter.report("scan_failed", f"{self.name} cannot look through the journal", cause=self.name, error=error)

    def _contained_take(self) -> Sequence[Record]:
        try:
            return self._feed.take(self._max_batch)
        except (OSError, AuditError) as error:
            self._reporter.report("read_failed", f"{self.name} cannot read the journal", cause=self.name, error=error)
            return ()

    def _rest(self) -> float:
        """Return the seconds until there may be something to do that nobody tells of."""
        now = self._clock.monotonic()
        until = self._next_scan
        if self._blocked_until > now:
            until = min(until, self._blocked_until)
        elif self._retries:
            until = min(until, self._retries[0][0])
        return max(0.001, min(until - now, SCAN_INTERVAL * 2))

    # ------------------------------------------------------------------ sending

    def _attempt(self, batch: _Batch) -> None:
        began = self._clock.monotonic()
        error: BaseException | None = None
        try:
            self._sender.send([record.event for record in batch.records])
        except Exception as raised:  # noqa: BLE001  (whatever a transport raises is judged below)
            error = raised
        now = self._clock.monotonic()
        with self._state:
            self._took = now - began
            self._in_flight -= 1
            try:
                self._settle(batch, error, now)
            finally:
                self._state.notify_all()
        if error is not None:
            self._journal.wake()  # whoever leads may have to wait for another moment now

    def _settle(self, batch: _Batch, error: BaseException | None, now: float) -> None:
        batch.failing_since = min(batch.failing_since, now)
        verdict = judge(
            Attempt(
                error=error,
                size=len(batch.records),
                failures=batch.failures,
                failing_for=now - batch.failing_since,
                accepted_ago=now - self._accepted_at,
                chance=self._clock.random(),
            )
        )
        if verdict.action is Action.DONE:
            self._accepted(batch, now)
        elif verdict.action is Action.BURY:
            self._bury(batch, verdict)
        elif verdict.action is Action.HALVE:
            self._halve(batch)
        else:
            self._later(batch, verdict, now)

    def _accepted(self, batch: _Batch, now: float) -> None:
        self._accepted_at = now
        self._blocks, self._blocked_until = 0, -math.inf
        self._trouble = ""
        self._delivered += len(batch.records)
        self._feed.acknowledge(batch.positions)

    def _bury(self, batch: _Batch, verdict: Verdict) -> None:
        for record in batch.records:
            try:
                self._feed.bury(record.event, verdict.reason)
            except AuditError as error:
                self._reporter.report("bury_failed", str(error), cause=self.name)
                self._later(_Batch([record]), Verdict(Action.RETRY, 60.0, verdict.reason), self._clock.monotonic())
                continue
            self._dead[record.position] = verdict.reason
            if len(self._dead) > _REMEMBERED:
                self._dead.popitem(last=False)
            self._buried += 1
            self._reporter.report(
                "rejected", f"{self.name} refused an event, now in its dead letters: {verdict.reason}", cause=self.name
            )
            self._feed.acknowledge([record.position])

    def _halve(self, batch: _Batch) -> None:
        middle = len(batch.records) // 2
        now = self._clock.monotonic()
        for half in (batch.records[:middle], batch.records[middle:]):
            self._queue(_Batch(half, batch.failures, batch.failing_since), now)

    def _later(self, batch: _Batch, verdict: Verdict, now: float) -> None:
        self._failures += 1
        self._blocks += 1
        self._trouble = verdict.reason
        batch.failures += 1
        self._blocked_until = now + verdict.wait
        self._queue(batch, now + verdict.wait)
        code = "paused" if verdict.action is Action.PAUSE else "failing"
        self._reporter.report(
            code, f"{self.name} did not accept events, which are kept and tried again: {verdict.reason}", cause=self.name
        )

    def _queue(self, batch: _Batch, due: float) -> None:
        self._queued += 1  # breaks ties, so that two batches are never compared
        heapq.heappush(self._retries, (due, self._queued, batch))

    # ------------------------------------------------------------------ waiting and ending

    def fate(self, position: Position) -> bool | None:
        """Return whether the destination has an event; None when nobody here can know.

        Raises:
            DeliveryRejected: It is in the dead letters.
        """
        reason = self._dead.get(position)
        if reason is not None:
            raise DeliveryRejected(self.name, reason)
        return self._feed.passed(position)

    def wait(self, timeout: float) -> None:
        """Wait until an attempt has ended, at most ``timeout`` seconds."""
        with self._state:
            self._state.wait(timeout)

    def drain(self, deadline: float) -> bool:
        """Deliver everything at once, without lingering and without waiting out a failure's delay.

        Args:
            deadline: When to stop, on the clock's monotonic scale.

        Returns:
            Whether nothing is left.
        """
        with self._state:
            self._urgent += 1
            self._blocked_until = -math.inf
            self._retries = [(-math.inf, order, batch) for _, order, batch in self._retries]
            self._scan(self._clock.monotonic(), eager=True)
            self._state.notify_all()
        self._journal.wake()
        try:
            return self._await_drained(deadline) if any(t.is_alive() for t in self._threads) else self._drain_here(deadline)
        finally:
            with self._state:
                self._urgent -= 1

    def _await_drained(self, deadline: float) -> bool:
        with self._state:
            while self._left():
                remaining = deadline - self._clock.monotonic()
                if remaining <= 0:
                    return False
                self._state.wait(min(remaining, 0.1))
            return True

    def _drain_here(self, deadline: float) -> bool:
        """Deliver on the calling thread: at interpreter exit none can be started any more."""
        with suppressed():
            while self._clock.monotonic() < deadline:
                with self._state:
                    batch = self._next()
                if batch is None:
                    break
                self._attempt(batch)
        with self._state:
            return not self._left()

    def _left(self) -> bool:
        return bool(self._in_flight or self._retries or self._feed.pending())

    def stop(self, deadline: float) -> None:
        """End the threads, waiting for what is under way no longer than ``deadline``; let go of the journal."""
        with self._state:
            self._stopping = True
            self._state.notify_all()
        self._journal.wake()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - self._clock.monotonic()))
        with self._state:
            self._feed.close()
        if not any(thread.is_alive() for thread in self._threads):
            with suppress(Exception):  # the transport's own; there is nobody left to tell
                self._sender.close()

    def stats(self) -> LaneStats:
        """Return what became of this destination's events in this process."""
        with self._state:
            return LaneStats(self._delivered, self._buried, self._failures, self._feed.pending(), self._trouble)
