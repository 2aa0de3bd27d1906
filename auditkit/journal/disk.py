"""The journal on disk: each process appends to a segment of its own, and no writer ever waits for another."""

from __future__ import annotations

import errno
import os
import platform
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.encoding import MAX_RECORD, encode, wire_time
from auditkit.errors import JournalError, JournalFull, JournalUnavailable
from auditkit.journal import frames
from auditkit.journal.feed import DiskFeed
from auditkit.journal.growth import Growth
from auditkit.journal.segment import Segment

if TYPE_CHECKING:
    from auditkit.clock import Clock, IdSource
    from auditkit.draft import Draft
    from auditkit.journal.frames import Keys
    from auditkit.protocols import Position
    from auditkit.reporting import Reporter

SYNC_INTERVAL = 0.5  # seconds between syncs: what a power cut can cost
_FIRST, _LARGEST = 64 * 1024, 4 * 1024 * 1024  # bytes of the first segment, and of the largest
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


class DiskJournal:
    """Write events down so that ``kill -9`` cannot lose them. Safe to call from any thread.

    Args:
        directory: The audit directory; ``journal/``, ``lanes/`` and ``dead/`` are made in it.
        clock: Time for headers and for the syncs.
        ids: Names for segments.
        reporter: Where trouble is told.
        keys: The chain's keys: the first writes, all read.
        max_bytes: How large the journal may become; past it events are refused.
        syncs_each: True for ``fsync="always"``: `settle` waits for the device.

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
    ) -> None:
        """Open the directory; the first segment comes with the first record."""
        self._root = files.private_directory(directory)
        self._directory = files.private_directory(directory / "journal")
        self._clock, self._ids, self._reporter, self._keys = clock, ids, reporter, keys
        self._max_bytes = max_bytes
        self.syncs_each = syncs_each
        self._lock = threading.RLock()  # re-entrant: a signal handler or finaliser may audit inside append
        self._busy = False
        self._interrupting: deque[bytes] = deque()
        self._segment: Segment | None = None
        self._spare: Segment | None = None
        self._ended: list[Segment] = []
        self._size = _FIRST
        self._growth = Growth()
        self._sync_lock = threading.Lock()
        self._synced = 0
        self._syncer: threading.Thread | None = None
        self._stopping = threading.Event()
        self._feeds: list[DiskFeed] = []

    # ------------------------------------------------------------------ recording

    def append(self, draft: Draft) -> Position:
        """Write one event down: when this returns, ``kill -9`` cannot lose it.

        Raises:
            JournalFull: The disk or ``max_bytes`` is used up.
            JournalUnavailable: The directory cannot be written.
        """
        body = encode(draft)
        if len(body) > MAX_RECORD:
            raise JournalError(f"an event must be at most {MAX_RECORD} bytes as JSON, got {len(body)}")
        with self._lock:
            if self._busy:  # we interrupted ourselves: the append below us writes it before it returns
                self._interrupting.append(body)
                return ("", -1)
            self._busy = True
            try:
                position = self._write(body)
                while self._interrupting:
                    self._write(self._interrupting.popleft())
            finally:
                self._busy = False
        self._growth.tell()
        return position

    def _write(self, body: bytes) -> Position:
        segment = self._segment
        try:
            if segment is None or not segment.fits(len(body)):
                segment = self._roll(len(body))
            segment.write(body)
        except OSError as error:
            raise self._trouble(error) from None
        self._growth.rise()
        return (segment.name, segment.records - 1)

    def _trouble(self, error: OSError) -> JournalError:
        if error.errno in _NO_ROOM:
            return JournalFull(f"no space left for the audit journal in {self._directory}; free some, it recovers by itself")
        return JournalUnavailable(f"cannot write the audit journal in {self._directory}: {error.strerror}")

    def ensure_room(self) -> None:
        """Return if a record of the largest size will fit.

        Raises:
            JournalError: It will not.
        """
        with self._lock:
            if self._busy or (self._segment is not None and self._segment.fits(MAX_RECORD)):
                return
            if self._spare is not None and self._spare.fits(MAX_RECORD + MAX_RECORD // 4):
                return
            try:
                spare, self._spare = self._spare, None
                if spare is not None:
                    spare.discard()
                self._spare = self._create(2 * MAX_RECORD)
            except OSError as error:
                raise self._trouble(error) from None

    # ------------------------------------------------------------------ segments

    def _roll(self, size: int) -> Segment:
        old, spare = self._segment, self._spare
        self._spare = None
        if spare is not None and not spare.fits(size + MAX_RECORD // 64):
            spare.discard()
            spare = None
        new = spare or self._create(max(self._size, size + 4096))
        if old is not None:
            old.end()
            self._ended.append(old)  # the syncer cuts, syncs and closes it: never the caller
        self._segment = None
        new.begin(
            frames.header(
                {
                    "segment": new.name,
                    "host": platform.node(),
                    "pid": os.getpid(),
                    "created_at": wire_time(self._clock.time_ns()),
                    "previous": None if old is None else [old.name, old.head.decode("ascii")],
                    "key": new.chain.key_id,
                }
            )
        )
        self._segment = new
        self._size = min(self._size * 2, _LARGEST)
        for feed in self._feeds:
            feed.begun(new.name)
        return new

    def _create(self, size: int) -> Segment:
        used = sum(each.stat().st_size for each in self._directory.iterdir())
        if used + size > self._max_bytes:
            message = (
                f"the audit journal in {self._directory} holds {used} bytes and may hold max_bytes={self._max_bytes}: "
                "a destination has not accepted what waits there"
            )
            raise JournalFull(message)
        while True:
            try:
                return Segment(self._directory, self._ids(), size, self._keys.writing)
            except FileNotFoundError:
                if not self._directory.is_dir():
                    raise

    # ------------------------------------------------------------------ syncing

    def start(self) -> None:
        """Start the thread that syncs; done by the trail with the first record."""
        if self._syncer is None:
            self._syncer = threading.Thread(target=self._sync_regularly, name="auditkit-sync", daemon=True)
            self._syncer.start()

    def _sync_regularly(self) -> None:
        seen = 0
        while not self._stopping.is_set():
            grown = self._growth.wait(seen, timeout=5.0)
            if grown == seen:
                continue
            self._stopping.wait(SYNC_INTERVAL)
            seen = grown
            self.sync()
            self._prepare()

    def _prepare(self) -> None:
        """Make the next segment ready while the present one still has room, off the caller's path."""
        segment = self._segment
        if segment is None or self._spare is not None or segment.at * 2 < segment.capacity:
            return
        try:
            spare = self._create(self._size)
        except (OSError, JournalError):
            return  # the append that needs it tells
        with self._lock:
            if self._spare is None:
                self._spare = spare
                return
        spare.discard()

    def sync(self) -> bool:
        """Put everything recorded so far on the device; concurrent callers share one sync.

        Returns:
            Whether the device took it.
        """
        wanted = self._growth.number
        with self._sync_lock:
            if self._synced >= wanted and not self._ended:
                return True
            with self._lock:
                reached = self._growth.number
                segment = self._segment
            try:
                while self._ended:
                    self._ended.pop(0).finish()  # one that fails is let go, to be adopted like an orphan
                if segment is not None:
                    files.sync(segment.descriptor)
                files.sync_directory(self._directory)
            except OSError as error:
                self._distrust(segment, error)
                return False
            self._synced = reached
            return True

    def _distrust(self, segment: Segment | None, error: OSError) -> None:
        """Begin a new segment: after a failed sync the next one may succeed without the lost pages."""
        self._reporter.report(
            "sync_failed", f"the device failed to sync the audit journal in {self._directory}: {error.strerror}", error=error
        )
        with self._lock:
            if segment is not None and self._segment is segment:
                self._segment = None
                self._ended.append(segment)
                segment.end()

    def settle(self) -> None:
        """Return when what this thread appended is on the device.

        Raises:
            JournalUnavailable: The device failed.
        """
        if not self.sync():
            raise JournalUnavailable(f"the device failed to sync the audit journal in {self._directory}")

    # ------------------------------------------------------------------ reading

    def feed(self, lane: str, *, durable: bool) -> DiskFeed:
        """Return what the lane of this name has still to deliver."""
        feed = DiskFeed(self._root, lane, durable=durable, keys=self._keys, reporter=self._reporter, clock=self._clock)
        with self._lock:
            self._feeds.append(feed)
            if self._segment is not None:
                feed.begun(self._segment.name)
        return feed

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until the journal has grown beyond ``seen``, at most ``timeout`` seconds; return its growth."""
        return self._growth.wait(seen, timeout)

    def wake(self) -> None:
        """Wake every lane that waits."""
        self._growth.wake()

    @property
    def growth(self) -> int:
        """Return how many events this process has recorded here."""
        return self._growth.number

    # ------------------------------------------------------------------ ending

    def stop(self) -> None:
        """End the syncing thread."""
        self._stopping.set()
        self._growth.wake()
        if self._syncer is not None and self._syncer is not threading.current_thread():
            self._syncer.join(timeout=2.0)

    def rest(self) -> None:
        """End the present segment and put everything on the device; a later append begins a new one."""
        with self._lock:
            if self._segment is not None:
                self._segment.end()
                self._ended.append(self._segment)
                self._segment = None
            if self._spare is not None:
                self._spare.discard()
                self._spare = None
        self.sync()
