"""One destination's events, from its feed through its transport to their acknowledgement. Starts no threads."""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import TYPE_CHECKING

from auditkit.delivery.schedule import Batch, Schedule
from auditkit.delivery.sender import Sender
from auditkit.delivery.tally import LaneStats, Tally
from auditkit.delivery.verdict import DONE, Action, Verdict, judge, wait_after
from auditkit.errors import DeliveryRejected, KeyReused, Paused
from auditkit.protocols import Frozen, Mark

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from auditkit.clock import Clock
    from auditkit.protocols import Feed, Position, Record, Transport
    from auditkit.reporting import Reporter

SCAN_INTERVAL = 5.0  # seconds between looks for segments that nobody delivers
_RARELY = 20  # times as long as a look takes lie between two that find nothing: hundreds of processes may write there
_AHEAD = 64  # records taken from the feed at once: half its cost lies in the asking
KEYS_KEPT_NS = 24 * 3600 * 10**9  # nanoseconds for which WorkOS knows an idempotency key again
_TELL_INTERVAL = 2.0  # seconds for which nothing is told of a lane whose trouble stays as it is
_AGAIN = 60.0  # seconds after which what failed on our own side is tried again


class Dispatcher:
    """Choose, send and conclude, one batch after the other. Safe to use from any thread.

    Nothing that a feed, a transport or a log handler raises leaves `next` or `attempt`: it is reported, and
    the events are kept.

    Args:
        transport: The destination.
        feed: What it has still to accept.
        clock: Time and chance.
        reporter: Where trouble is told.
        already: Ids of events that it accepted from another journal; they are acknowledged and not sent.
        scan_interval: Seconds between looks at the directory, with jitter.

    Attributes:
        state: The lock of everything here and of the feed; notified when an attempt has ended, if anybody waits.
        watchers: How many wait for the end of any attempt.
        marks: What the others wait for.
        took: Seconds that the last send took.
    """

    def __init__(  # noqa: PLR0913  (collaborators, given by name)
        self,
        transport: Transport,
        feed: Feed,
        *,
        clock: Clock,
        reporter: Reporter,
        already: Collection[str] = (),
        scan_interval: float = SCAN_INTERVAL,
    ) -> None:
        """Begin with a destination of which nothing is known."""
        self.name = transport.name
        self.state = threading.Condition()
        self.took = 0.0
        self.watchers = 0
        self.marks: list[Mark] = []
        self.schedule = Schedule()
        self._max_batch = transport.max_batch
        self._sender = Sender(transport)
        self._feed = feed
        self._clock, self._reporter = clock, reporter
        self._already = set(already)
        self._tally = Tally()
        self._ahead: deque[Record] = deque()  # taken from the feed, and not chosen yet
        self._anew: dict[str, float] = {}  # when damaged segments were read again
        self._next_scan = -math.inf
        self._scan_interval = scan_interval
        self._blind = False  # whether the last look at the journal failed
        self._closed = False
        self._told = (-math.inf, "")  # when it was told how the lane stands, and its trouble then
        self._left_behind = 0  # how many were pending when it closed: a closed feed knows no more

    # ------------------------------------------------------------------ choosing, while state is held

    def next(self) -> Batch | None:
        """Return what to send now, if anything; give it to `attempt`."""
        now = self._clock.monotonic()
        looks = now >= self._next_scan
        if looks:
            self.scan()
        batch = self._chosen(now)
        if looks and batch is None:
            end = self._clock.monotonic()
            self._next_scan = max(self._next_scan, end + (end - now) * _RARELY)
        if batch is None and any(map(self._feed.reached, self.marks)):  # a segment's end was met, perhaps
            self.state.notify_all()
        return batch

    def _chosen(self, now: float) -> Batch | None:
        while (batch := self.schedule.choose(now, self._take)) is not None:
            if batch.records or batch.concluded is not None or self._is_read_again(batch, now):
                return batch
        return None

    def _is_read_again(self, batch: Batch, now: float) -> bool:
        """Read anew what is tried again; where that cannot be done now, it waits."""
        try:
            records = self._feed.again(batch.positions)
        except Exception as error:  # noqa: BLE001  (as in scan)
            self._report("read_failed", f"{self.name} cannot read what it tries again", error)
            self._put_off(batch, now + _AGAIN)
            return False
        if len(records) < len(batch.positions):
            self._put_off(batch, now + _AGAIN)
            self._begin_anew(batch.positions[len(records)][0], now)
            return False
        batch.records = records
        return True

    def _put_off(self, batch: Batch, due: float) -> None:
        self.schedule.ended(batch)
        self.schedule.queue(batch, due)

    def _begin_anew(self, segment: str, now: float) -> None:
        """Have a segment read again that was damaged meanwhile, once nothing of it is on its way; now and then."""
        if not self.schedule.is_sending(segment) and now - self._anew.get(segment, -math.inf) >= _AGAIN:
            self._anew[segment] = now
            self.schedule.forget(segment)
            self._ahead = deque(record for record in self._ahead if record.position[0] != segment)
            self._feed.begin_anew(segment)

    def rest(self) -> float:
        """Return the seconds until there may be something to do that nobody tells of."""
        now = self._clock.monotonic()
        return max(0.0, min(self._next_scan - now, self.schedule.rest(now)))

    def scan(self, *, eager: bool = False) -> None:
        """Look for segments that nobody delivers."""
        self._next_scan = self._clock.monotonic() + self._scan_interval * (0.75 + self._clock.random() / 2)
        try:
            self._feed.scan(eager=eager)
        except Exception as error:  # noqa: BLE001  (whatever it is, this thread goes on)
            self._blind = True
            self._report("scan_failed", f"{self.name} cannot look through the journal", error)
        else:
            self._blind = False
        self._tell()

    def _tell(self, *, at_once: bool = False) -> None:
        """Leave how the lane stands where other processes look: now and then, and when its trouble changes."""
        now, (before, code) = self._clock.monotonic(), self._told
        if at_once or now - before >= _TELL_INTERVAL or self._tally.code != code:
            self._told = (now, self._tally.code)
            self._feed.tell(self._tally.standing(now))

    def _take(self) -> Sequence[Record]:
        is_full = self.schedule.is_full
        if is_full and not (self.schedule.blocks and self._ahead) and not self._give_way():
            return ()
        if len(self._ahead) < self._max_batch and not (is_full and self._ahead):
            self._read_ahead()
        if not self._ahead and self._give_way():
            self._read_ahead()
        return [self._ahead.popleft() for _ in range(self.schedule.alike(self._ahead, self._max_batch))]

    def _give_way(self) -> bool:
        """Let other segments have a turn while nothing is accepted: those at hand may fail only themselves."""
        if not self.schedule.blocks or self._ahead:
            return False
        segment = self._feed.give_way(self.schedule.concluding)
        if segment is None:
            return False
        self.schedule.give_back(segment)
        return not self.schedule.is_full

    def _read_ahead(self) -> None:
        try:
            records = self._feed.take(max(self._max_batch, _AHEAD))
        except Exception as error:  # noqa: BLE001  (as in scan)
            self._cannot_read(error)
        else:
            self._ahead.extend(self._without_known(records) if self._already else records)

    def _without_known(self, records: Sequence[Record]) -> Sequence[Record]:
        known: list[Record] = []
        others: list[Record] = []
        for record in records:
            (known if record.event.id in self._already else others).append(record)
        if known:
            self._already.difference_update(record.event.id for record in known)
            self.schedule.queue(Batch([record.position for record in known], concluded=DONE), -math.inf)
            self.schedule.taken += len(known)
        return others

    # ------------------------------------------------------------------ sending

    def attempt(self, batch: Batch) -> BaseException | None:
        """Send a batch that `next` gave, and deal with the outcome.

        Returns:
            What the transport raised.
        """
        began = self._clock.monotonic()
        error = None if batch.concluded else self._send(batch)
        with self.state:
            now = self._clock.monotonic()
            self.took = now - began
            self.schedule.ended(batch)
            try:
                self._settle(batch, error, now)
            except Exception as trouble:  # noqa: BLE001  (whatever it is, the events are kept and this thread goes on)
                self._failed_here(batch, now)
                self._report("lane_failed", f"{self.name} failed on our own side; its events are kept", trouble)
            finally:
                # Not after each: who drains a lane would fight its thread over the interpreter for every event.
                if error is not None or self.watchers or any(map(self._feed.reached, self.marks)):
                    self.state.notify_all()
        return error

    def _send(self, batch: Batch) -> BaseException | None:
        try:
            if self._sender.encodes:
                self._send_kept(batch)
            else:
                self._sender.send_records(batch.records)
        except KeyReused as error:
            # One key for life: it was accepted, with another body. But of what was put back, that one was refused.
            return None if [record.returned for record in batch.records] == [False] else error
        except BaseException as error:  # noqa: BLE001  (a transport may raise anything: it is judged, not believed)
            return error
        return None

    def _send_kept(self, batch: Batch) -> None:
        """Send the bytes that were sent before, if any were; else make them, and keep them before they are sent."""
        (record,) = batch.records
        with self.state:
            kept = self._feed.kept_body(record.position)
        if kept is not None:
            batch.first_ns = kept.first_ns
            self._sender.send_encoded(record.event.id, kept.body)
            return
        body = self._sender.encode(record.event)
        if body:  # a route makes nothing of what it does not forward
            with self.state:
                self._feed.keep_body(record.position, Frozen(body, self._clock.time_ns()))
        try:
            self._sender.send_encoded(record.event.id, body)
        except Paused:  # nothing of it was taken: what is sent once the configuration is right may be another body
            with self.state:
                self._feed.drop_body(record.position)
            raise

    def _settle(self, batch: Batch, error: BaseException | None, now: float) -> None:
        if batch.concluded is not None:
            self._conclude(batch, batch.concluded)
            return
        if error is None:
            self.schedule.accepted(now)
            self._tally.accepted(self._clock.time_ns())
            self._conclude(batch, DONE)
            if self._told[1]:  # it was in trouble
                self._tell()
            return
        verdict = judge(self.schedule.attempt(batch, error, now, self._clock.random()))
        if verdict.action is Action.HALVE:
            self.schedule.halve(batch, now)
        elif verdict.action is Action.BURY:
            self._bury(batch, verdict)
        else:
            self._fail(batch, verdict, now)

    def _conclude(self, batch: Batch, verdict: Verdict) -> None:
        """Acknowledge, and only then count: what cannot be acknowledged is still pending."""
        batch.concluded = verdict
        if verdict is DONE and batch.first_ns and self._clock.time_ns() - batch.first_ns > KEYS_KEPT_NS:
            self._doubt(batch)
        self._feed.acknowledge(batch.positions)
        if verdict is DONE:
            self._tally.delivered(len(batch.positions))
        else:
            self._tally.buried(batch.positions, verdict.reason)

    def _doubt(self, batch: Batch) -> None:
        """Mark what may have been accepted before, when the destination had forgotten that."""
        (record,) = batch.records
        first_ns, batch.first_ns = batch.first_ns, 0  # once, also where the acknowledgement has to be repeated
        self._feed.doubt(record.event, first_ns)
        self._tally.doubted()
        message = f"{self.name} may have an event twice: it was accepted more than 24 hours after it was first sent"
        self._report("possible_duplicate", message, None)

    def _bury(self, batch: Batch, verdict: Verdict) -> None:
        for record in batch.records:
            self._feed.bury(record.event, verdict.reason)
        self._report("rejected", f"{self.name} refused an event, now in its dead letters: {verdict.reason}", None)
        self._conclude(batch, verdict)

    def _fail(self, batch: Batch, verdict: Verdict, now: float) -> None:
        self.schedule.failed(batch, verdict, now)
        code = "paused" if verdict.action is Action.PAUSE else "failing"
        self._tally.failed(code, verdict.reason, self._clock.time_ns())
        self._tell()
        self._report(code, f"{self.name} did not accept events, which are kept and tried again: {verdict.reason}", None)

    def _failed_here(self, batch: Batch, now: float) -> None:
        """Try it again later, and let others have a turn meanwhile: the destination takes them, perhaps."""
        hold = wait_after(self.schedule.blocks, self._clock.random())
        self.schedule.failed(batch, Verdict(action=Action.RETRY, wait=_AGAIN, hold=hold), now)

    def _report(self, code: str, message: str, error: BaseException | None) -> None:
        self._reporter.report(code, message, cause=self.name, error=error)

    # ------------------------------------------------------------------ telling

    def left(self) -> bool:
        """Return whether anything is left to deliver, as far as can be seen (state is held)."""
        return self._blind or self.schedule.waits or self._pending() > 0 or self._blind

    def mark(self) -> Mark:
        """Return what `passed` must be asked to hear of all that is pending now (state is held)."""
        return self._feed.mark()

    def passed(self, mark: Mark) -> bool:
        """Return whether all is delivered that was pending at a mark (state is held)."""
        if self._closed:
            return not (self._blind or self._left_behind)
        return not self._blind and self._feed.reached(mark)

    def _pending(self) -> int:
        if self._closed:
            return self._left_behind
        try:
            return self._feed.pending()
        except OSError as error:
            self._cannot_read(error)
            return 0

    def _cannot_read(self, error: Exception) -> None:
        self._blind = True
        self._report("read_failed", f"{self.name} cannot read the journal", error)

    def unreadable(self) -> bool:
        """Return whether events wait that cannot be read here; nothing is gained by waiting for them."""
        return self._feed.unreadable()

    def fate(self, position: Position) -> bool | None:
        """Return whether the destination has an event; None when nobody here can know.

        Raises:
            DeliveryRejected: It is in the dead letters.
        """
        if self._feed.is_renumbered(position):
            return None
        reason = self._tally.reason(position)
        if reason is not None:
            raise DeliveryRejected(self.name, reason)
        if self._closed and not self._left_behind:
            return True
        try:
            return self._feed.passed(position)
        except OSError:
            return None

    def refusal(self, event_id: str) -> str | None:
        """Return why an event is a dead letter, whoever buried it; None where it is none."""
        return self._feed.refusal(event_id)

    def stats(self) -> LaneStats:
        """Return what became of this destination's events in this process."""
        with self.state:
            return self._tally.stats(self._pending(), self._clock.monotonic())

    # ------------------------------------------------------------------ ending

    def close(self, *, transport: bool) -> None:
        """Let go of the journal, and with ``transport`` of the destination; after the last attempt, once."""
        with self.state:
            if self._closed:
                return
            if not self.left():
                self._read_ahead()  # over the ends of segments: then those can be removed
            self._left_behind = self._pending()
            self._closed = True
            self._tell(at_once=True)
            self._feed.close()
        if transport:
            try:
                self._sender.close()
            except BaseException as error:  # noqa: BLE001  (as in _send)
                self._report("close_failed", f"{self.name} could not be closed", error)
