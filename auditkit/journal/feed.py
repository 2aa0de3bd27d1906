"""One lane's way through the directory: the segments it delivers, whoever wrote them."""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.encoding import decode, wire_time
from auditkit.errors import JournalUnavailable
from auditkit.journal import cursor as cursors
from auditkit.journal.adoption import adopt, sweep
from auditkit.journal.cursor import Cursor
from auditkit.journal.held import Held
from auditkit.journal.segment import CLOSED, OPEN
from auditkit.protocols import Record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from auditkit.clock import Clock
    from auditkit.event import Event
    from auditkit.journal.frames import Keys
    from auditkit.protocols import Position
    from auditkit.reporting import Reporter


class DiskFeed:
    """What one lane has still to deliver.

    The lane's directory ``lanes/<name>/`` is how the audit directory remembers it: a segment is removed when
    every remembered lane has passed it. `passed` may be called from any thread, everything else by the
    lane's coordinator alone.

    Args:
        root: The audit directory.
        lane: The lane's name.
        durable: False for a lane that lives only as long as its process: it sees what this process records.
        keys: The chains that can be read.
        reporter: Where trouble is told.
        clock: Time for dead letters.
    """

    def __init__(  # noqa: PLR0913  (collaborators, given by name)
        self, root: Path, lane: str, *, durable: bool, keys: Keys, reporter: Reporter, clock: Clock
    ) -> None:
        """Remember the lane, if it is a durable one."""
        self._root, self._lane, self._durable = root, lane, durable
        self._directory = root / "journal"
        self._lanes = root / "lanes"
        self._keys, self._reporter, self._clock = keys, reporter, clock
        self._held: dict[str, Held] = {}
        self._begun: deque[str] = deque()  # this process's own new segments, not claimed yet
        self._volatile: deque[Held] = deque()
        self._free: set[str] = set()  # segments of living writers that nobody delivered at the last scan
        self._closing = threading.Lock()
        if durable:
            files.private_directory(self._lanes)
            files.private_directory(self._lanes / lane)

    # ------------------------------------------------------------------ taking and acknowledging

    def begun(self, name: str) -> None:
        """Hear from the journal that this process began a segment; called on the recording thread."""
        if self._durable:
            self._begun.append(name)
        else:  # opened at once: it may be removed before this lane looks
            self._volatile.append(Held(self._directory, name, self._keys, None))

    def take(self, limit: int) -> Sequence[Record]:
        """Return up to ``limit`` records not handed out yet, oldest first; empty when there are none."""
        self._claim_own()
        records: list[Record] = []
        for held in sorted(self._held.values(), key=lambda each: each.name):
            for index, body in held.read(limit - len(records)):
                record = self._record(held, index, body)
                if record is not None:
                    records.append(record)
            if held.passed:
                self._finish(held)
            if len(records) == limit:
                break
        return records

    def _record(self, held: Held, index: int, body: bytes) -> Record | None:
        try:
            return Record((held.name, index), decode(body))
        except ValueError as error:  # it verifies, and is no event: nobody can deliver it
            self._reporter.report(
                "unreadable_record", f"record {index} of segment {held.name} is not an event", cause=held.name, error=error
            )
            self._bury({"record": body.decode("ascii", "replace")}, "not an event")
            self._acknowledge(held, [index])
            return None

    def _claim_own(self) -> None:
        while self._begun:
            self._claim(self._begun.popleft())
        while self._volatile:
            held = self._volatile.popleft()
            self._held[held.name] = held

    def acknowledge(self, positions: Sequence[Position]) -> None:
        """Say that the destination has these records for good, or that they are dead letters."""
        by_segment: dict[str, list[int]] = {}
        for segment, index in positions:
            by_segment.setdefault(segment, []).append(index)
        for segment, indexes in by_segment.items():
            held = self._held[segment]
            self._acknowledge(held, indexes)
            if held.passed:
                self._finish(held)

    def _acknowledge(self, held: Held, indexes: Sequence[int]) -> None:
        try:
            held.acknowledge(indexes)
        except OSError as error:
            self._reporter.report(
                "cursor_failed",
                f"cannot keep how far {self._lane} has come in {self._root}: {error.strerror}; "
                "what it accepted will be sent again after a restart",
                cause=self._lane,
                error=error,
            )

    def passed(self, position: Position) -> bool | None:
        """Return whether the record was acknowledged, wherever its lane runs; None when nobody can know."""
        name, index = position
        held = self._held.get(name)
        if held is not None:
            return held.progress.has(index)
        if not name:
            return None
        if not self._durable:
            return all(each.name != name for each in tuple(self._volatile))
        progress = cursors.read(self._cursor_path(self._lane, name))
        if progress is not None:
            return progress.has(index)
        return not any((self._directory / f"{name}{suffix}").exists() for suffix in (OPEN, CLOSED))

    # ------------------------------------------------------------------ claiming and letting go

    def scan(self, *, eager: bool = False) -> None:
        """Look for segments that nobody delivers, and take them over.

        Segments of dead writers are adopted. A living writer's own lane comes first: its segment is taken
        when two scans found nobody delivering it, or at once when ``eager``.
        """
        if not self._durable:
            return
        self._claim_own()
        sweep(self._directory)
        stale = {path.stem: path for path in (self._lanes / self._lane).glob(f"*{cursors.SUFFIX}")}
        free: set[str] = set()
        for path in sorted(self._directory.glob("[!.]*")):
            stale.pop(path.stem, None)
            if path.suffix not in {OPEN, CLOSED} or path.stem in self._held:
                if path.suffix == OPEN and path.stem in self._held:
                    adopt(path, self._keys, self._reporter)
                continue
            if path.suffix == CLOSED or adopt(path, self._keys, self._reporter) or eager or path.stem in self._free:
                self._claim(path.stem)
            else:
                free.add(path.stem)
        self._free = free
        for path in stale.values():
            path.unlink(missing_ok=True)  # its segment is gone: every lane has passed it

    def _claim(self, name: str) -> None:
        if name in self._held:
            return
        cursor = Cursor.claim(self._cursor_path(self._lane, name))
        if cursor is None:
            return
        if cursor.progress.done:
            cursor.close()
            self._retire(name)
            return
        try:
            self._held[name] = Held(self._directory, name, self._keys, cursor)
        except FileNotFoundError:
            cursor.path.unlink(missing_ok=True)
            cursor.close()
        except ValueError as error:
            self._reporter.report("unreadable_segment", f"segment {name} cannot be read: {error}", cause=name)
            cursor.close()

    def _finish(self, held: Held) -> None:
        try:
            held.finish()
        except OSError:
            return  # told by the acknowledgement before; the next process finds it passed, and finishes it
        finally:
            self._held.pop(held.name, None)
            held.close()
        if self._durable:
            self._retire(held.name)

    def _retire(self, name: str) -> None:
        """Remove a segment that every remembered lane has passed: itself first, then the cursors.

        In the other order a crash between the two would deliver the whole segment again. One that its writer
        has ended and not closed yet stays: the scan after it is closed comes here again.
        """
        if (self._directory / f"{name}{OPEN}").exists():
            return
        remembered = [lane.name for lane in self._lanes.iterdir() if lane.is_dir()]
        for lane in remembered:
            progress = cursors.read(self._cursor_path(lane, name))
            if progress is None or not progress.done:
                return
        (self._directory / f"{name}{CLOSED}").unlink(missing_ok=True)
        for lane in remembered:
            self._cursor_path(lane, name).unlink(missing_ok=True)

    def _cursor_path(self, lane: str, name: str) -> Path:
        return self._lanes / lane / f"{name}{cursors.SUFFIX}"

    # ------------------------------------------------------------------ telling

    def pending(self) -> int:
        """Return how many records of the segments held here are not acknowledged."""
        return sum(held.outstanding + held.unread() for held in tuple(self._held.values()))

    def bury(self, event: Event, reason: str) -> None:
        """Write a dead letter, durably, before its record is acknowledged.

        Raises:
            JournalUnavailable: It could not be written.
        """
        self._bury(event.to_dict(), reason)

    def _bury(self, event: dict[str, object], reason: str) -> None:
        letter = {"event": event, "reason": reason, "at": wire_time(self._clock.time_ns())}
        line = json.dumps(letter).encode("ascii") + b"\n"
        try:
            directory = files.private_directory(self._root / "dead")
            descriptor = os.open(directory / f"{self._lane}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            message = f"cannot write the dead letters of {self._lane} in {self._root}: {error.strerror}"
            raise JournalUnavailable(message) from None

    def close(self) -> None:
        """Let go of everything held, so that another process may go on."""
        with self._closing:
            while self._held:
                self._held.popitem()[1].close()
