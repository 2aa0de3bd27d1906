"""The ledger's lane: events written in batches, once for each id, chained in the same transaction."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.clock import SystemClock
from auditkit.encoding import wire_time
from auditkit.errors import DeliveryError, JournalUnavailable, Paused, TemporaryFailure
from auditkit.ledger import schema
from auditkit.ledger.chain import GENESIS, SALT_SIZE, Hasher
from auditkit.ledger.database import is_damage, is_misfit, quarantine, writing
from auditkit.ledger.rows import prepare
from auditkit.pacing import AT_ONCE, breathe
from auditkit.protocols import Record
from auditkit.reporting import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditkit.clock import Clock
    from auditkit.event import Event
    from auditkit.ledger.rows import Prepared

    _Execute = Callable[[str, Sequence[str | bytes | int]], sqlite3.Cursor]
    _End = tuple[int, bytes]  # the last position, and its link

_CLOCK = SystemClock()
_NOWHERE = ("", -1)
_HOLD = 0.03  # seconds of inserting; with the commit and the checkpoint a batch holds the lock for some 50 ms
_ATTEMPTS = 200  # tries to get ledger.lock in one send: about a second
_PAUSE = 0.01  # seconds at most between two of them
_INSERT_ONE, _INSERT_MANY = schema.insert(1), schema.insert(AT_ONCE)


class _Quarantined(Exception):  # noqa: N818  (a way out of two locks, not an error)
    """Say from under the locks that a damaged ledger was moved aside."""

    def __init__(self, moved: Path, error: sqlite3.Error) -> None:
        super().__init__(moved)
        self.moved = moved
        self.error = error


class LedgerWriter:
    """Write events into ``<directory>/ledger/ledger.sqlite3``: a destination like any other.

    No connection, descriptor or lock lives between two batches. ``before_fork`` waits for the batch under
    way, so that none crosses a fork either.

    Args:
        directory: The audit directory.
        clock: For time, jitter and salts.
        key: The subkey that signs the chain, 16 to 64 bytes; None for a chain that shows only damage.
        shared: Whether the directory's group may read and write what is in it.
        reporter: Where a damaged ledger is told; one of its own by default.

    Raises:
        ConfigurationError: The key has another size.

    Thread-safety: ``send`` may be called from several threads; they take turns.
    Source: design section 2, "The ledger"; https://www.sqlite.org/howtocorrupt.html sections 2.2 and 2.6.
    """

    name = "ledger"
    max_batch = 2000  # half of what a batch costs lies in its commit and its checkpoint
    concurrency = 1
    durable = True

    def __init__(
        self,
        directory: Path | str,
        *,
        clock: Clock = _CLOCK,
        key: bytes | None = None,
        shared: bool = False,
        reporter: Reporter | None = None,
    ) -> None:
        self._directory = Path(directory)
        self._clock = clock
        self._hasher = Hasher(key)  # a key that cannot sign is refused here, not in a lane's thread
        self._shared = shared
        self._batch = threading.Lock()
        self._reporter = reporter or Reporter(clock)

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return schema.ledger_path(self._directory)

    def send(self, events: Sequence[Event]) -> None:
        """Return when all events are in the ledger and on the device; one that is there already stays.

        When it raises, some of the events may be in: to send them again is safe.

        Raises:
            TemporaryFailure: The disk is full or failing, or somebody else holds the file.
            Paused: The ledger may not be written, is of a newer format, or is not a ledger.
        """
        self.send_records([Record(_NOWHERE, event) for event in events])

    def send_records(self, records: Sequence[Record]) -> None:
        """Return as `send` does; what was recorded of an event is kept as it is, not made again."""
        rows = prepare(records, self._clock.token(SALT_SIZE * len(records)), self._hasher)
        done = 0
        damaged = False
        while done < len(rows):
            try:
                done += self._turn(rows[done:])
            except _Quarantined as found:
                self._report(found)  # outside the locks: a log handler is the application's code
                if damaged:
                    raise TemporaryFailure(f"{self.path} is damaged again") from found.error
                damaged = True

    def close(self) -> None:
        """Do nothing: nothing is held between two batches."""

    def before_fork(self) -> None:
        """Wait for the batch under way, and let none begin; for `os.register_at_fork`."""
        self._batch.acquire()

    def after_fork(self) -> None:
        """Let batches go on, in the parent and in the child."""
        self._batch.release()

    def _turn(self, rows: Sequence[Prepared]) -> int:
        """Write as many rows as fit into one batch; return how many are done."""
        for _ in range(_ATTEMPTS):
            with self._batch:
                done = self._attempt(rows)
            if done is not None:
                return done
            # Not a blocking flock: a fork would have to wait for another process, however long that is
            # stopped, and its child would share a lock that comes later. A fresh event for each wait, since
            # a fork may come during it.
            threading.Event().wait(_PAUSE * self._clock.random())
        raise TemporaryFailure(f"other processes were writing {self.path} for more than a second")

    def _attempt(self, rows: Sequence[Prepared]) -> int | None:
        try:
            files.private_directory(self._directory, shared=self._shared)
            files.room(self.path.parent)
            descriptor = files.locked(self.path.with_name(schema.LOCK), create=True)
            if descriptor is None:
                return None
            try:
                return self._write(rows)
            finally:
                files.close(descriptor)
        except sqlite3.Error as error:
            raise self._verdict(error) from error
        except JournalUnavailable as error:
            raise Paused(str(error)) from None
        except PermissionError as error:
            raise Paused(f"{self.path} may not be written: {error.strerror}; give it to this user") from None
        except OSError as error:
            raise TemporaryFailure(f"{self.path} cannot be written: {error.strerror}") from error

    def _write(self, rows: Sequence[Prepared]) -> int:
        try:
            with writing(self.path) as connection:
                return self._extend(connection, rows)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            moment = wire_time(self._clock.time_ns()).replace(":", "").replace("-", "")
            raise _Quarantined(quarantine(self.path, moment), error) from None

    def _extend(self, connection: sqlite3.Connection, rows: Sequence[Prepared]) -> int:
        """Insert rows in one transaction until the time is up; return how many are done."""
        monotonic = self._clock.monotonic
        deadline = monotonic() + _HOLD
        connection.execute(schema.BEGIN)
        with connection:
            head, link, last = connection.execute(schema.READ_END).fetchone()
            # Where somebody edited the ledger the two ends differ. The trail goes on all the same, beyond
            # both; the chain's break stays where it is, for `verify` to find.
            end = (max(head, last), link if isinstance(link, bytes) else GENESIS)
            execute = connection.cursor().execute
            done = 0
            for start in range(0, len(rows), AT_ONCE):
                group = rows[start : start + AT_ONCE]
                end = self._insert(execute, group, end)
                done += len(group)
                if monotonic() >= deadline:
                    break
                if done < len(rows):
                    breathe()
            # Also when every row was there already: a process killed between its commit's write and its sync
            # leaves them visible but not yet on the device, and only a commit that writes syncs the WAL.
            connection.execute(schema.WRITE_HEAD, end)
        return done

    def _insert(self, execute: _Execute, rows: Sequence[Prepared], end: _End) -> _End:
        """Insert what is not there yet behind the chain's end, all at once where they are many; return the new end."""
        if len(rows) == AT_ONCE:
            values, following = self._chained(rows, end)
            if execute(_INSERT_MANY, values).rowcount == len(rows):
                return following
            execute(schema.CUT, end[:1])  # some were there before: what was inserted behind them is linked to them
        for row in rows:
            values, following = self._chained([row], end)
            if execute(_INSERT_ONE, values).rowcount:
                end = following
        return end

    def _chained(self, rows: Sequence[Prepared], end: _End) -> tuple[list[str | bytes | int], _End]:
        """Return the values of rows that follow the chain's end, and the end that they make."""
        position, link = end
        chained: list[str | bytes | int] = []
        for event_id, digest, values in rows:
            position += 1
            link = self._hasher.link(link, position, event_id, digest)
            chained += values
            chained += position, link
        return chained, (position, link)

    def _verdict(self, error: sqlite3.Error) -> DeliveryError:
        if is_misfit(error):
            return Paused(f"{self.path} cannot be written as it is: {error}; check its owner and permissions")
        return TemporaryFailure(f"{self.path} cannot be written now: {error}")

    def _report(self, found: _Quarantined) -> None:
        self._reporter.report(
            "corrupt",
            f"the ledger was damaged; it is kept as {found.moved}, and a new one is begun; to rescue what can be read: "
            "sqlite3 FILE .recover",
            cause=str(self.path),
            error=found.error,
        )
