"""The journal on disk: each process appends to a segment of its own, and no writer ever waits for another."""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from auditkit import files
from auditkit.encoding import MAX_RECORD, encode, wire_time
from auditkit.errors import JournalError, JournalFull, JournalUnavailable
from auditkit.journal import cursor as cursors
from auditkit.journal.feed import DiskFeed, remember
from auditkit.journal.growth import Growth
from auditkit.journal.oversize import cut_to_record, tell_cut
from auditkit.journal.segment import NO_ROOM, Segment
from auditkit.native import hand_over, in_c

if TYPE_CHECKING:
    from pathlib import Path

    from auditkit.clock import Clock, IdSource
    from auditkit.draft import Draft
    from auditkit.journal.frames import Keys
    from auditkit.protocols import Position
    from auditkit.reporting import Reporter

SYNC_INTERVAL = 0.5  # seconds between syncs: what a power cut can cost
_FIRST, _LARGEST = 64 * 1024, 4 * 1024 * 1024  # bytes of the first segment, and of the largest
_BESIDES = 2048  # bytes of a segment that its header, its end and a record's frame may take
_SCARCE = 0.25  # of max_bytes: where less is left it is told that there will soon be no room
_IDLE = 60.0  # seconds after which the syncing thread looks about though nobody woke it
_NOWHERE = ("", -1)
_DOUBTS = 64  # failed syncs remembered: a thread settles at once after it appended


@in_c("Journal")
class _Fields:
    """What each event needs of a journal."""


class DiskJournal(_Fields):
    """Write events down so that ``kill -9`` cannot lose them. Safe to call from any thread.

    Args:
        directory: The audit directory; ``journal/``, ``lanes/`` and ``dead/`` are made in it.
        clock: Time for headers and dead letters.
        ids: Names for segments; they must ascend.
        reporter: Where trouble is told.
        keys: The chain's keys: the first writes, all read.
        max_bytes: How large the journal may become; past it events are refused.
        syncs_each: True for ``fsync="always"``: `settle` waits for the device.
        shared: Whether the directory's group may read and write what is in it.
        grace: Seconds for which its feeds leave a new segment to a living writer that says that it works them.

    Raises:
        JournalUnavailable: The directory cannot be made or written; names the path and the remedy.
    """

    def __init__(  # noqa: PLR0913  (collaborators, given by name)
        self,
        directory: Path,
        *,
        clock: Clock,
        ids: IdSource,
        reporter: Reporter,
        keys: Keys,
        max_bytes: int,
        syncs_each: bool = False,
        shared: bool = False,
        grace: float = 0.0,
    ) -> None:
        """Open the directory; the first segment comes with the first record."""
        self._root = files.private_directory(directory, shared=shared)
        self._directory = files.room(directory / "journal")
        self._clock, self._ids, self._reporter, self._keys = clock, ids, reporter, keys
        self._max_bytes = max_bytes
        self._grace = grace
        self.syncs_each = syncs_each
        # Re-entrant, like every lock here: a signal handler or finaliser may record wherever it interrupts.
        self._lock = threading.RLock()
        self._busy = False
        self._interrupting: deque[bytes] = deque()
        self._segment: Segment | None = None
        self._spare: Segment | None = None
        self._previous: tuple[str, str] | None = None  # the last segment that was ended, and its last digits
        self._ended: deque[Segment] = deque()  # for the syncer to cut, sync and close: never the caller
        self._size = _FIRST
        self._growth = Growth()
        self._sync_lock = threading.RLock()
        self._syncing = False
        self._synced = 0
        self.distrusted_ns = 0  # when a sync first failed: one that succeeds later says nothing of what came before
        # Records after the first and up to the second number were in a sync that failed; the latest such ranges.
        self._doubtful: deque[tuple[int, int]] = deque(maxlen=_DOUBTS)
        self._mine = threading.local()  # where syncs are waited for: the number of each thread's latest record
        self._begun = False  # whether a name was made in the directory since its last sync
        self._syncer: threading.Thread | None = None
        self._pausing = threading.Condition()
        self._half_full = False
        self._stopping = False
        self._feeds: list[DiskFeed] = []

    # ------------------------------------------------------------------ recording

    @in_c("Journal.append", otherwise="append")
    def append(self, draft: Draft) -> Position:
        """Write one event down: when this returns, ``kill -9`` cannot lose it.

        A signal handler or finaliser that records inside this call gets no position: its event is written
        before the call that it interrupted returns.

        Raises:
            JournalFull: The disk or ``max_bytes`` is used up.
            JournalUnavailable: The directory cannot be written.
        """
        body = encode(draft)
        if len(body) > MAX_RECORD:
            body = self._fitted(draft, len(body))
        growth = self._growth
        if files.guarded():
            return self._append_unwaited(body)
        with self._lock:
            if self._busy:
                self._interrupting.append(body)
                return _NOWHERE
            self._busy = True
            try:
                segment = self._segment
                index = None if segment is None else segment.append(body)  # here: a call less for nearly all
                position = self._write(body) if segment is None or index is None else (segment.name, index)
                growth.number += 1
                if self.syncs_each:
                    self._mine.latest = growth.number
            except OSError as error:
                self._refuse(error)
            finally:
                self._busy = False
                if self._interrupting:
                    self._catch_up()
        if growth.waiting:
            growth.tell()
        return position

    def _append_unwaited(self, body: bytes) -> Position:
        """Write one event down where nobody may be waited for, or leave it to who has the lock, or to the next sync."""
        self._interrupting.append(body)
        if self._lock.acquire(blocking=False):
            try:
                if not self._busy:
                    self._catch_up()
            finally:
                self._lock.release()
        return _NOWHERE

    def _fitted(self, draft: Draft, size: int) -> bytes:
        """Return an event that is too long for a record as one that fits, and says what was cut from it.

        Raises:
            JournalError: What may not be cut is itself too long.
        """
        body = encode(cut_to_record(draft, size))
        tell_cut(self._reporter, draft.action, size)
        return body

    def _write(self, body: bytes) -> Position:
        """Write one record, where need be to a further segment."""
        segment = self._segment
        index = None if segment is None else segment.append(body)
        while segment is None or index is None:
            segment = self._further(len(body))
            index = segment.append(body)
        return (segment.name, index)

    def _catch_up(self) -> None:
        """Write what came in while an append was under way; only then is nothing left behind."""
        while self._interrupting:
            self._busy = True
            try:
                try:
                    body = self._interrupting.popleft()
                except IndexError:  # what came in between the last two lines has written it
                    return
                self._write(body)
                self._growth.number += 1
            except (OSError, JournalError) as error:  # whoever recorded it has gone on
                trouble = self._trouble(error)
                self._reporter.report("not_recorded", str(trouble), cause="interrupting", error=trouble)
            finally:
                self._busy = False

    def _refuse(self, error: OSError) -> NoReturn:
        raise self._trouble(error) from None

    def _trouble(self, error: OSError | JournalError) -> JournalError:
        if isinstance(error, JournalError):
            return error
        if error.errno in NO_ROOM:
            return JournalFull(
                f"no space left for the audit journal in {self._directory}; free some, it recovers by itself"
            )
        return JournalUnavailable(f"cannot write the audit journal in {self._directory}: {error.strerror}")

    def ensure_room(self) -> None:
        """Return if a record of the largest size will fit.

        Raises:
            JournalError: It will not.
        """
        with self._lock:
            if self._busy or any(each is not None and each.fits(MAX_RECORD) for each in (self._segment, self._spare)):
                return
            self._size = max(self._size, 2 * MAX_RECORD)
            try:
                self._drop_spare()
                self._spare = self._create(MAX_RECORD + _BESIDES)
            except OSError as error:
                raise self._trouble(error) from None

    # ------------------------------------------------------------------ segments

    def _further(self, size: int) -> Segment:
        """Return the segment for a record of so many bytes: the present one's other half, or a new one."""
        segment = self._segment
        if segment is not None and segment.open_rest(size):
            with self._pausing:  # the syncing thread prepares the next one meanwhile
                self._half_full = True
                self._pausing.notify_all()
            return segment
        return self._roll(size)

    def _roll(self, size: int) -> Segment:
        if self._spare is not None and not self._spare.fits(size + _BESIDES):
            self._drop_spare()
        new, self._spare = self._spare or self._create(size + _BESIDES), None
        self._end_present()
        try:
            created_at = wire_time(self._clock.time_ns())
            limit = {"max_bytes": self._max_bytes}  # who looks at the directory from outside asks how full it is
            new.begin({"created_at": created_at, "previous": self._previous, **limit, **self._worked()})
        except BaseException:
            self._discard(new)
            raise
        self._segment = new
        self._begun = True
        self._size = min(self._size * 2, _LARGEST)
        for feed in self._feeds:
            feed.begun(new.name)
        return new

    def _worked(self) -> dict[str, list[str]]:
        """Return which lanes this process works, for others to leave a new segment to them for a while."""
        lanes = sorted({feed.lane for feed in self._feeds if not feed.closed})
        return {"lanes": lanes} if sum(map(len, lanes)) <= _BESIDES // 4 else {}

    def _end_present(self) -> None:
        """End the segment being written, if there is one, and leave the rest to the next sync."""
        segment = self._segment
        if segment is not None:
            with suppress(OSError):  # finishing it tries again, and tells
                segment.end()
            self._previous = (segment.name, segment.head.decode("ascii"))
            self._segment = None
            self._ended.append(segment)

    def _drop_spare(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            self._discard(spare)

    def _discard(self, segment: Segment) -> None:
        """Remove a segment that was never begun, and what was made for it."""
        segment.discard()
        cursors.discard(self._root, segment.name)

    def _create(self, least: int) -> Segment:
        """Make a segment of the size that is due, or of what there is room for: at least so many bytes."""
        room = self._room_for(least)
        size = max(least, min(self._size, room))
        if room - size < self._max_bytes * _SCARCE:
            self._reporter.report(
                "nearly_full",
                f"the audit journal in {self._directory} is about to hold {self._max_bytes - room + size} bytes of "
                f"max_bytes={self._max_bytes}; past that events are refused",
                level=logging.WARNING,
            )
        while True:
            try:
                return self._made(size)
            except FileNotFoundError:  # a scanner took the unlocked file for a leftover
                if not self._directory.is_dir():
                    raise
            except OSError as error:
                if error.errno not in NO_ROOM or size == least:
                    raise
                size = max(least, size // 4)

    def _made(self, size: int) -> Segment:
        """Make a segment, and the place where each lane keeps how far it has come in it."""
        segment = Segment(self._directory, self._ids(), size, self._keys.writing)
        try:
            cursors.prepare(self._root, segment.name)
        except BaseException:
            segment.discard()
            raise
        return segment

    def _room_for(self, least: int) -> int:
        """Return how many bytes ``max_bytes`` leaves.

        Raises:
            JournalFull: Less than ``least``.
        """
        used = sum(map(_size_of, files.listing(self._directory)))
        if used + least > self._max_bytes:
            raise JournalFull(
                f"the audit journal in {self._directory} holds {used} bytes and may hold max_bytes={self._max_bytes}: "
                "a destination has not accepted what waits there"
            )
        return self._max_bytes - used

    # ------------------------------------------------------------------ syncing

    def start(self) -> None:
        """Start the thread that syncs, if none runs; done by the trail with the first record.

        Raises:
            RuntimeError: No thread can be started (any more).
        """
        if self._syncer is None:
            syncer = threading.Thread(target=self._sync_regularly, name="auditkit-sync", daemon=True)
            syncer.start()
            self._syncer = syncer

    def _sync_regularly(self) -> None:
        seen = -1
        while not self._stopping:
            if not self._ended:
                self._growth.wait(seen, _IDLE)
            self._pause()
            seen = self._growth.moment
            self.sync()

    def _pause(self) -> None:
        """Wait for the next sync to be due, and prepare the next segment when it is time to."""
        with self._pausing:
            if not self._stopping and not self._half_full:
                self._pausing.wait(SYNC_INTERVAL)
            half_full, self._half_full = self._half_full, False
        if half_full and self._spare is None:
            self._prepare()

    def _prepare(self) -> None:
        """Make the next segment ready while the present one still has room, off the caller's path."""
        spare = None
        try:
            spare = self._create(_BESIDES)
            spare.warm()
        except (OSError, JournalError) as error:
            if spare is not None:
                self._discard(spare)
            self._reporter.report(
                "no_room_ahead",
                f"no further segment can be prepared in {self._directory}; the present one still has room",
                error=error,
                level=logging.WARNING,
            )
            return
        with self._lock:
            if self._spare is None and (self._segment is None or self._segment.name < spare.name):
                self._spare = spare
                return
        self._discard(spare)  # somebody needed one before this was ready

    def sync(self, wanted: int | None = None) -> bool:
        """Put everything recorded so far on the device; concurrent callers share one sync.

        Args:
            wanted: The number of the record that is asked for; the latest of all by default.

        Returns:
            Whether the device took it.
        """
        if self._interrupting:
            with self._lock:
                if not self._busy:
                    self._catch_up()
        wanted = self._growth.number if wanted is None else wanted
        with self._sync_lock:
            if self._synced < wanted or self._ended:
                self._sync_now()
            return not any(after < wanted <= until for after, until in self._doubtful)

    def _sync_now(self) -> None:
        # A signal handler or finaliser may come here inside a sync of this thread: it leaves the closing to that one.
        nested = self._syncing
        try:
            self._syncing = True
            self._put_on_device(close=not nested)
        finally:
            self._syncing = nested

    def _put_on_device(self, *, close: bool) -> None:
        with self._lock:
            reached, segment = self._growth.number, self._segment
            begun, self._begun = self._begun, False
            ended = tuple(self._ended)  # no more than these: the present one may end meanwhile, and is synced below
        try:
            for each in ended:
                if close:
                    self._close(each)
                else:
                    each.sync()
            if segment is not None:
                segment.sync()
            if begun or not close:
                files.sync_directory(self._directory)
        except OSError as error:
            self._distrust(segment, error)
            self._doubtful.append((self._synced, reached))
        self._synced = max(self._synced, reached)

    def _close(self, segment: Segment) -> None:
        try:
            segment.finish()
        finally:  # one that fails is let go, to be adopted like an orphan
            self._ended.remove(segment)

    def _distrust(self, segment: Segment | None, error: OSError) -> None:
        """Begin a new segment: after a failed sync the next one may succeed without the lost pages."""
        self.distrusted_ns = self.distrusted_ns or self._clock.time_ns()
        with self._lock:
            self._begun = True
            if self._segment is segment:
                self._end_present()
        self._reporter.report(
            "sync_failed",
            f"the device failed to sync the audit journal in {self._directory}: {error.strerror}",
            error=error,
        )

    def latest(self) -> int:
        """Return the number of this thread's latest record, for `settle`."""
        latest: int = getattr(self._mine, "latest", self._growth.number)
        return latest

    def settle(self, number: int) -> None:
        """Return when a record is on the device; any thread may wait for it.

        Args:
            number: What `latest` gave the thread that appended it. A sync of other records tells nothing of it.

        Raises:
            JournalUnavailable: The device failed.
        """
        if not self.sync(number):
            raise JournalUnavailable(f"the device failed to sync the audit journal in {self._directory}")

    # ------------------------------------------------------------------ reading

    def feed(self, lane: str, *, durable: bool) -> DiskFeed:
        """Return what the lane of this name has still to deliver.

        Raises:
            JournalUnavailable: The lane's directory cannot be made.
        """
        feed = self._feed(lane, durable=durable)
        with self._lock:
            self._feeds = [*(each for each in self._feeds if not each.closed), feed]
            if self._segment is not None:
                feed.begun(self._segment.name)
        return feed

    def follow(self, lane: str) -> DiskFeed:
        """Return the way of a durable lane that other processes work: it may be asked, and takes nothing.

        Raises:
            JournalUnavailable: The lane's directory cannot be made.
        """
        return self._feed(lane, durable=True)

    def _feed(self, lane: str, *, durable: bool) -> DiskFeed:
        return DiskFeed(
            self._root,
            lane,
            durable=durable,
            keys=self._keys,
            reporter=self._reporter,
            clock=self._clock,
            grace=self._grace,
        )

    def remember(self, lane: str) -> None:
        """Let no segment go before the lane of this name has passed it, whichever process works it.

        Raises:
            JournalUnavailable: The lane's directory cannot be made.
        """
        remember(self._root, lane)

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until the journal has grown beyond ``seen`` or somebody wakes all, at most ``timeout`` seconds.

        Returns:
            A number that rises with each event and with each wake.
        """
        return self._growth.wait(seen, timeout)

    def recorded(self) -> int:
        """Return how many events this process has recorded here."""
        return self._growth.number

    def wake(self) -> None:
        """Wake every lane that waits, or is about to."""
        self._growth.wake()

    # ------------------------------------------------------------------ ending

    def stop(self) -> None:
        """End the syncing thread."""
        with self._pausing:
            self._stopping = True
            self._pausing.notify_all()
        self._growth.wake()
        if self._syncer is not None and self._syncer is not threading.current_thread():
            self._syncer.join(timeout=2.0)

    def rest(self) -> None:
        """End the present segment and put everything on the device; a later append begins a new one."""
        with self._lock:
            self._end_present()
            self._drop_spare()
        self.sync()


hand_over(guarded=files.guarded, longest=MAX_RECORD, NOWHERE=_NOWHERE)


def _size_of(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:  # renamed or removed by another thread or process
        return 0
