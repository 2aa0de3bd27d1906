"""One lane's way through the directory: the segments it delivers, whoever wrote them."""

from __future__ import annotations

import math
import sys
import threading
from collections import deque
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.encoding import decode, wire_time
from auditkit.errors import JournalUnavailable
from auditkit.journal import cursor as cursors
from auditkit.journal import frames, letters, requeueing
from auditkit.journal.adoption import adopt, sweep
from auditkit.journal.backlog import records_in, waiting_in
from auditkit.journal.bodies import discard
from auditkit.journal.cursor import Cursor
from auditkit.journal.doubts import mark
from auditkit.journal.held import Held
from auditkit.journal.letters import DEAD
from auditkit.journal.quarantine import quarantine
from auditkit.journal.segment import CLOSED, CORRUPT, NEW, OPEN, is_for, is_returned
from auditkit.journal.worker import WorkerFile, sweep_workers
from auditkit.pacing import AT_ONCE, breathe
from auditkit.protocols import Mark, Record
from auditkit.stated import read_stated

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from auditkit.clock import Clock
    from auditkit.event import Event
    from auditkit.journal.bodies import Bodies
    from auditkit.journal.frames import Keys
    from auditkit.protocols import Frozen, Position, Standing
    from auditkit.reporting import Reporter

_HEADER_ROOM = 4096  # bytes in which a header ends
_MOST_AT_ONCE = 4 * 1024 * 1024  # bytes of records that are handed out together; the one that goes beyond is the last
HELD_AT_ONCE = 32  # segments that a lane has open, two descriptors each; the others wait by their names


def remember(root: Path, lane: str) -> None:
    """Let no segment go before the lane of this name has passed it, whichever process works it.

    Raises:
        JournalUnavailable: The lane's directory cannot be made.
    """
    files.room(root / "lanes")
    files.room(root / "lanes" / lane)


def _is_worked_by_its_writer(path: Path, lane: str) -> bool:
    with suppress(OSError):
        file = files.open_existing(path)
        try:
            return frames.is_worked_by_its_writer(files.read_at(file.fd, _HEADER_ROOM, 0), lane)
        finally:
            files.close(file)
    return True


class DiskFeed:
    """What one lane has still to deliver.

    The lane's directory ``lanes/<name>/`` is how the audit directory remembers it: a segment is removed when
    every remembered lane has passed it. `passed` and `begun` may be called from any thread, everything else
    by the lane's coordinator alone.

    Args:
        root: The audit directory.
        lane: The lane's name.
        durable: False for a lane that lives only as long as its process: it sees what this process records.
        keys: The chains that can be read.
        reporter: Where trouble is told.
        clock: Time for dead letters, and for how long a segment was seen.
        grace: Seconds for which a new segment is left to a living writer that says that it works this lane.

    Attributes:
        lane: The lane's name.
    """

    def __init__(  # noqa: PLR0913  (collaborators, given by name)
        self,
        root: Path,
        lane: str,
        *,
        durable: bool,
        keys: Keys,
        reporter: Reporter,
        clock: Clock,
        grace: float = 0.0,
    ) -> None:
        """Remember the lane, if it is a durable one."""
        self._root, self.lane, self._durable = root, lane, durable
        self._directory = root / "journal"
        self._lanes = root / "lanes"
        self._keys, self._reporter, self._clock, self._grace = keys, reporter, clock, grace
        self._held: dict[str, Held] = {}
        self._waiting: deque[str] = deque()  # segments to deliver when those held leave room, oldest first
        self._unclaimed: list[str] = []  # segments that could not be opened, and wait for the next look
        self._begun: deque[str] = deque()  # this process's own new segments, not among the waiting yet
        self._opened: deque[Held] = deque()  # the same for a lane that is not durable
        self._own: set[str] = set()  # this process's own segments that this lane has not passed
        self._damaged: set[str] = set()  # segments of which damage was met
        self._refusals = letters.Refusals(root, lane)
        self._toured = False  # whether all that wait had their turn since the last look, and nothing was found
        # Segments that were open in earlier scans, and since when: minus infinity where their writer says that it
        # does not work this lane.
        self._open_since: dict[str, float] = {}
        self._done: set[str] = set()  # segments that this lane has passed, and that wait for other lanes
        self._refused: set[str] = set()  # closed segments that cannot be read, and those that were missed
        self._unreadable: set[str] = set()  # segments that are there, and that this process cannot read
        self._records: dict[str, int] = {}  # how many events closed segments hold that wait to be delivered
        self._remembered: frozenset[str] = frozenset()
        self._guard = threading.RLock()  # between `begun` and `close`; a signal handler may come from one to the other
        self._worker = WorkerFile(root / "lanes" / lane, clock)
        self.closed = False
        if durable:
            remember(root, lane)

    # ------------------------------------------------------------------ taking and acknowledging

    def begun(self, name: str) -> None:
        """Hear from the journal that this process began a segment; called on the recording thread."""
        with self._guard:
            if self.closed:
                return
            self._own.add(name)
            if self._durable or len(self._held) + len(self._opened) >= HELD_AT_ONCE:
                self._begun.append(name)
            else:  # opened at once: the lanes that are durable may have it removed before this one looks
                try:
                    self._opened.append(self._hold(name, None))
                except (OSError, ValueError):
                    self._begun.append(name)

    def take(self, limit: int) -> Sequence[Record]:
        """Return up to ``limit`` records not handed out yet, oldest first; empty when there are none.

        Where more segments grow than are held, one that waits has its turn each time, and all have when the others
        have nothing: once a look, since that costs time for each.
        """
        self._take_begun()
        self._let_idle_go(1)
        records = self._claim_and_read(limit)
        turns = 0 if self._toured else len(self._waiting)
        while turns > 0 and not records:
            let_go = self._let_idle_go(turns)
            turns = turns - let_go if let_go else 0
            records = self._claim_and_read(limit)
        self._toured = self._toured or not records
        return records

    def _let_idle_go(self, most: int) -> int:
        """Let go of segments of which nothing is under way, for which others wait; return of how many.

        Not of this process's own, which grow; nor where a lane is not durable: its place is in its `Held` alone.
        """
        if not self._waiting or len(self._held) < HELD_AT_ONCE or not self._durable:
            return 0
        idle = (name for name, held in self._held.items() if held.is_idle and name not in self._own)
        able = list(islice((name for name in idle if self._held[name].goes_on()), most))
        for name in able:
            self._let_go(name)
        return len(able)

    def _claim_and_read(self, limit: int) -> list[Record]:
        while True:
            self._claim_waiting()
            records = self._read(limit)
            if records or not self._waiting or len(self._held) >= HELD_AT_ONCE or self.closed:
                return records

    def _read(self, limit: int) -> list[Record]:
        records: list[Record] = []
        room = _MOST_AT_ONCE
        for held in tuple(self._held.values()):  # those that were taken first
            try:
                found = held.read(limit - len(records), room)
            except OSError as error:  # what the others gave is handed out all the same
                self._tell("read_failed", f"segment {held.name} cannot be read", error, cause=held.name)
                continue
            records.extend(self._as_records(held, found))
            room -= sum(len(body) for _, body in found)
            if held.passed:
                self._finish(held)
            if len(records) >= limit or room <= 0:
                break
        return records

    def _as_records(self, held: Held, found: Sequence[tuple[int, bytes]]) -> Iterator[Record]:
        returned = is_returned(held.name)
        for number, (index, body) in enumerate(found, 1):
            stated = read_stated(body)
            # Of a known form, the event is made when somebody asks for it: the ledger does not.
            event = decode if stated is not None else self._decoded(held, index, body)
            if event is not None:
                yield Record((held.name, index), event, body, returned=returned, stated=stated)
            if number % AT_ONCE == 0:
                breathe()

    def _decoded(self, held: Held, index: int, body: bytes) -> Event | None:
        """Return the event of a body; put aside one that is none, since nobody can deliver it."""
        try:
            return decode(body)
        except ValueError as error:
            message = f"record {index} of segment {held.name} is no event"
            self._tell("unreadable_record", message, error, cause=held.name)
        try:
            self._bury({"record": body.decode("ascii", "replace")}, "not an event")
        except JournalUnavailable as error:
            self._tell("bury_failed", str(error), error, cause=self.lane)  # it stays, for the next process
        else:
            self._acknowledge(held, [index])
        return None

    def again(self, positions: Sequence[Position]) -> Sequence[Record]:
        """Return records once more that are not acknowledged, up to one that does not verify any more.

        Raises:
            OSError: They cannot be read (now).
        """
        found: list[Record] = []
        for name, index in positions:
            held = self._held[name]
            body = held.again(index)
            if body is None:
                break
            found.extend(self._as_records(held, [(index, body)]))
        return found

    def begin_anew(self, segment: str) -> None:
        """Read a segment again from where the lane stands: what is damaged in it meanwhile is put aside then."""
        self._held[segment].begin_anew()

    def acknowledge(self, positions: Sequence[Position]) -> None:
        """Say that the destination has these records for good, or that they are dead letters.

        Raises:
            ValueError: One was never handed out.
        """
        by_segment: dict[str, list[int]] = {}
        for segment, index in positions:
            by_segment.setdefault(segment, []).append(index)
        for segment, indexes in by_segment.items():
            held = self._held.get(segment)
            if held is None:
                continue  # acknowledged and passed before, or closed meanwhile: then it will be sent again
            self._acknowledge(held, indexes)
            if held.passed:
                self._finish(held)

    def _acknowledge(self, held: Held, indexes: Sequence[int]) -> None:
        try:
            held.acknowledge(indexes)
        except OSError as error:
            self._cursor_failed(error)

    def _cursor_failed(self, error: OSError) -> None:
        message = (
            f"cannot keep how far {self.lane} has come in {self._root}: {error.strerror}; "
            "what it accepted will be sent again after a restart"
        )
        self._tell("cursor_failed", message, error, cause=self.lane)

    def keep_body(self, position: Position, frozen: Frozen) -> None:
        """Keep what is about to be sent of a record, until it is acknowledged."""
        if bodies := self._bodies(position):
            try:
                bodies.keep(position[1], frozen)
            except OSError as error:
                self._body_failed(error)

    def drop_body(self, position: Position) -> None:
        """Keep it no longer: the destination did not take it, so that another one may be made."""
        if bodies := self._bodies(position):
            try:
                bodies.drop(position[1])
            except OSError as error:
                self._body_failed(error)

    def kept_body(self, position: Position) -> Frozen | None:
        """Return what was sent of a record before, by whichever process; None where that is not known."""
        if bodies := self._bodies(position):
            try:
                return bodies.get(position[1])
            except OSError as error:
                self._body_failed(error)
        return None

    def _bodies(self, position: Position) -> Bodies | None:
        held = self._held.get(position[0])
        return None if held is None else held.bodies

    def _body_failed(self, error: OSError) -> None:
        """Tell it: on a full disk a destination must be able to catch up without."""
        message = (
            f"cannot keep what is sent to {self.lane} in {self._root}: {error.strerror}; "
            "where an answer is lost, it is made anew"
        )
        self._tell("body_failed", message, error, cause=self.lane)

    def doubt(self, event: Event, first_ns: int) -> None:
        """Keep durably that the destination may have an event twice."""
        try:
            mark(self._lanes / self.lane, event.id, first_ns, self._clock.time_ns())
        except OSError as error:
            message = f"cannot keep the marks of {self.lane} in {self._root}: {error.strerror}"
            self._tell("mark_failed", message, error, cause=self.lane)

    def mark(self) -> Mark:
        """Return what `reached` must be asked to hear of all that is pending now."""
        self._take_begun()
        own = self._own if self._durable else ()  # also those that another process delivers
        return {name: self._records_of(name) for name in sorted({*self._held, *self._unheld(), *own})}

    def _records_of(self, name: str) -> int:
        """Return how many records a segment holds; more than any does where all count, or it cannot be read."""
        held = self._held.get(name)
        try:
            if (self._directory / f"{name}{CLOSED}").exists():
                return sys.maxsize
            return records_in(self._directory, name, self._records) if held is None else held.records
        except FileNotFoundError:  # every lane has passed it meanwhile
            return 0
        except OSError:
            return sys.maxsize

    def reached(self, mark: Mark) -> bool:
        """Return whether all is acknowledged that was pending at a mark; what is, is not asked about again."""
        while mark:
            name, number = next(iter(mark.items()))
            if self._lacks(name, number):
                return False
            del mark[name]
        return True

    def _lacks(self, name: str, number: int) -> bool:
        """Return whether any of the first so many records of a segment waits here."""
        held = self._held.get(name)
        if held is not None:
            return held.progress.index < (min(number, held.records) if held.ended else number)
        if name not in self._own and name not in self._unheld():
            return False  # every lane has passed it, or another process delivers what another one wrote
        try:
            progress = cursors.read(self._cursor_path(name))
            if progress is None:
                return self._is_there(name)
        except OSError:
            return True
        return not (progress.done or progress.reach >= number)

    def _is_there(self, name: str) -> bool:
        """Return whether a segment is there; in this order no renaming of it hides it."""
        return any((self._directory / f"{name}{suffix}").exists() for suffix in (OPEN, CLOSED))

    def _unheld(self) -> list[str]:
        return [*self._waiting, *self._unclaimed, *self._begun]

    def is_renumbered(self, position: Position) -> bool:
        """Return whether damage may have given a place to another record than the one that was written there."""
        name, _ = position
        held = self._held.get(name)
        if held is not None:
            return bool(held.progress.damage)
        try:
            if name in self._damaged or (self._directory / f"{name}{CORRUPT}").exists():
                return True
            progress = cursors.read(self._cursor_path(name)) if self._durable else None
        except OSError:
            return True
        return progress is not None and progress.damage != 0

    def give_way(self, needed: Collection[str]) -> str | None:
        """Let go of a segment, none of the needed, of which others wait for the place; return its name.

        What of it is not acknowledged is handed out again when its turn comes, behind all the others.
        """
        if not self._waiting or len(self._held) < HELD_AT_ONCE or not self._durable:
            return None
        able = (name for name, held in self._held.items() if name not in needed and held.can_be_left())
        name = next(able, None)
        if name is not None:
            self._let_go(name)
            self._toured = False
        return name

    def _let_go(self, name: str) -> None:
        self._close_held(self._held.pop(name))
        self._waiting.append(name)

    def passed(self, position: Position) -> bool | None:
        """Return whether the record was acknowledged, wherever its lane runs; None when nobody can know."""
        name, index = position
        if self.is_renumbered(position):
            return None
        held = self._held.get(name)
        if held is not None:
            return held.progress.has(index)
        if not name or self.closed or name in self._refused:
            return None
        return self._passed_on_disk(name, index) if self._durable else name not in self._own

    def _passed_on_disk(self, name: str, index: int) -> bool | None:
        try:
            progress = cursors.read(self._cursor_path(name))
        except OSError:
            return None
        if progress is not None:
            return progress.has(index)
        if self._is_there(name):
            return False
        # It was removed, as every lane had passed it, unless it was put aside.
        return None if (self._directory / f"{name}{CORRUPT}").exists() else True

    # ------------------------------------------------------------------ looking for segments

    def scan(self, *, eager: bool = False) -> None:
        """Look for segments that nobody delivers, and take them over.

        Segments of dead writers are adopted. A living writer's own lane comes first: its segment is taken
        when two scans found nobody delivering it, and the grace is over. One whose writer does not work this lane,
        as its header says, is taken at once, and all are when ``eager``.

        Raises:
            OSError: The directory cannot be listed.
        """
        self._toured = False
        if not self._durable or self.closed:
            self._waiting.extend(self._unclaimed)
            self._unclaimed.clear()
            return
        remembered = frozenset(cursors.lanes_of(self._root))
        if remembered != self._remembered:  # what waited for a lane that is gone may be removed now
            self._remembered = remembered
            self._done.clear()
        self._contained(self._directory, sweep)
        self._contained(self._root / DEAD, self._finish_requeued)
        self._take_begun()  # what is begun from here on may not be listed, and stays to be taken below
        cursors_seen = self._listed()
        found = {path.stem: path for path in files.listing(self._directory) if path.suffix in {OPEN, CLOSED}}
        now = self._clock.monotonic()
        self._open_since = {name: since for name, since in self._open_since.items() if name in found}
        waiting = dict.fromkeys(self._unheld())  # also what an eager look took over
        to_claim = {
            name: None for name, path in found.items() if self._is_to_claim(path, now, eager=eager or name in waiting)
        }
        # A listing may miss a file that is renamed meanwhile.
        missed = {name for name in waiting if name not in found and self._is_there(name)}
        for name in tuple(self._own):  # `begun` may add to them meanwhile
            if name not in found and name not in self._held and not self._is_there(name):
                self._own.discard(name)
        self._unclaimed.clear()
        # In the order in which they came: what one process wrote later stays behind what it wrote before.
        still = [name for name in waiting if name in to_claim or name in missed]
        self._waiting = deque(dict.fromkeys([*still, *to_claim]))
        self._records = {name: number for name, number in self._records.items() if name in found}
        self._done.intersection_update(found)
        self._unreadable.intersection_update(found)
        for path in cursors_seen:
            if path.suffix == cursors.SUFFIX and path.stem not in found:
                self._contained(path, self._forget)
        self._contained(self._lanes / self.lane, lambda _: sweep_workers(cursors_seen))
        self._claim_waiting()

    def _listed(self) -> list[Path]:
        """Return what the lane's directory holds; where somebody had it forgotten, it is a new lane's."""
        try:
            return files.listing(self._lanes / self.lane)
        except FileNotFoundError:
            remember(self._root, self.lane)
            return []

    def _is_to_claim(self, path: Path, now: float, *, eager: bool) -> bool:
        name = path.stem
        if not is_for(name, self.lane):
            if name not in self._done:
                self._contained(path, self._retire)  # it goes where nobody remembers whom it is for
            return False
        if path.suffix == CLOSED:
            return name not in self._held and name not in self._done and name not in self._refused
        adopted = adopt(path, self._keys, self._reporter)  # the ones held, too: damage in them can be judged now
        if adopted is None:
            self._unreadable.add(name)
        if name in self._held or adopted is None:
            return False
        return bool(adopted) or eager or name in self._own or self._is_left_to_us(path, now)

    def _is_left_to_us(self, path: Path, now: float) -> bool:
        """Return whether a living writer's lane will not come for its segment any more, if it has one."""
        since = self._open_since.get(path.stem)
        if since is None:
            since = now if _is_worked_by_its_writer(path, self.lane) else -math.inf
            self._open_since[path.stem] = since
            return since < now
        return now - since >= self._grace

    def _finish_requeued(self, directory: Path) -> None:
        """Give this lane the letters that a killed process was about to put back."""
        del directory
        requeueing.finish(self._root, self.lane)

    def _forget(self, path: Path) -> None:
        """Remove the cursor of a segment that is gone, unless a process holds it."""
        cursor = Cursor.claim(path)
        if cursor is None:
            return
        # A listing may miss a file that is renamed meanwhile; in this order no rename hides from all.
        names = (f".{path.stem}{NEW}", f"{path.stem}{OPEN}", f"{path.stem}{CLOSED}")
        if any((self._directory / name).exists() for name in names):
            cursor.close()
        else:
            discard(path)
            cursor.remove()

    def _contained(self, path: Path, act: Callable[[Path], None]) -> bool:
        """Keep trouble with one file from ending the look at the others; return whether there was none."""
        try:
            act(path)
        except OSError as error:
            self._tell("scan_failed", f"{self.lane} cannot look after {path}: {error.strerror}", error, cause=path.name)
            return False
        return True

    # ------------------------------------------------------------------ claiming and letting go

    def _take_begun(self) -> None:
        while self._begun:
            name = self._begun.popleft()
            if name not in self._waiting:
                self._waiting.append(name)
            self._toured = False
        while self._opened:
            held = self._opened.popleft()
            self._held[held.name] = held

    def _claim_waiting(self) -> None:
        self._take_begun()
        while self._waiting and len(self._held) < HELD_AT_ONCE and not self.closed:
            name = self._waiting.popleft()
            if name not in self._held and not self._contained(self._directory / f"{name}{CLOSED}", self._claim):
                self._unclaimed.append(name)

    def _claim(self, path: Path) -> None:
        name = path.stem
        cursor = Cursor.claim(self._cursor_path(name)) if self._durable else None
        if self._durable and cursor is None:
            return  # somebody else delivers it
        if cursor is not None and cursor.progress.done:
            cursor.close()
            self._pass(name)
            return
        try:
            self._held[name] = self._hold(name, cursor)
            self._unreadable.discard(name)
        except FileNotFoundError:
            self._gone(name, cursor)
        except BaseException as error:
            if cursor is not None:
                cursor.close()
            if not isinstance(error, ValueError):
                raise
            if path.exists():
                self._refused.add(name)
            self._unreadable.add(name)
            self._tell("unreadable_segment", f"segment {name} cannot be read: {error}", None, cause=name)

    def _hold(self, name: str, cursor: Cursor | None) -> Held:
        path = self._directory / f"{name}{CLOSED}"
        put_aside = partial(quarantine, path, reporter=self._reporter)
        return Held(self._directory, name, self._keys, cursor, put_aside)

    def _gone(self, name: str, cursor: Cursor | None) -> None:
        """Learn that a segment was removed before this lane opened it: others that it waited for had passed it."""
        if cursor is not None:  # this lane had passed it too, and the cursor is one that the claim has made
            discard(cursor.path)  # what was sent of a segment of which nothing could be read
            cursor.remove()
            return
        self._refused.add(name)
        message = f"{self.lane} was too slow for segment {name}, which was removed when the other lanes had it"
        self._tell("missed", message, None, cause=self.lane)

    def _finish(self, held: Held) -> None:
        try:
            held.finish()
        except OSError as error:
            self._cursor_failed(error)
            return  # it stays held: the next look tries again
        del self._held[held.name]
        self._close_held(held)
        self._pass(held.name)

    def _close_held(self, held: Held) -> None:
        if held.progress.damage:
            self._damaged.add(held.name)
        held.close()

    def _pass(self, name: str) -> None:
        self._own.discard(name)
        if self._durable:
            self._contained(self._directory / f"{name}{CLOSED}", self._retire)

    def _retire(self, path: Path) -> None:
        """Remove a segment that every remembered lane has passed: itself first, then the cursors.

        In the other order a crash between the two would deliver the whole segment again. One that its writer
        has ended and not closed yet stays: the scan after it is closed comes here again.
        """
        name = path.stem
        if (self._directory / f"{name}{OPEN}").exists():
            return
        remembered = [lane for lane in cursors.lanes_of(self._root) if is_for(name, lane)]
        for lane in remembered:
            progress = cursors.read(cursors.path_of(self._root, lane, name))
            if progress is None or not progress.done:
                self._done.add(name)
                return
        path.unlink(missing_ok=True)
        files.sync_directory(self._directory)  # or a power cut might bring the segment back, and no cursor
        for lane in remembered:
            cursor = cursors.path_of(self._root, lane, name)
            discard(cursor)
            cursor.unlink(missing_ok=True)

    def _cursor_path(self, name: str) -> Path:
        return cursors.path_of(self._root, self.lane, name)

    # ------------------------------------------------------------------ telling

    def tell(self, standing: Standing) -> None:
        """Leave how the lane stands where other processes can look at it, and that this process works it."""
        if not self._durable or self.closed:
            return
        try:
            self._worker.tell(standing)
        except OSError as error:
            message = f"cannot leave in {self._root} how {self.lane} stands: {error.strerror}"
            self._tell("standing_failed", message, error, cause=self.lane)

    def pending(self) -> int:
        """Return how many records of the segments held or waiting here are not acknowledged."""
        held = sum(each.pending for each in (*self._held.values(), *self._opened))
        waiting = [name for name in self._unheld() if name not in self._held]
        counted = {name: waiting_in(self._root, self.lane, name, self._records) for name in waiting}
        # What could not be opened may not be countable either: it is not nothing.
        return held + sum(counted.values()) + sum(not counted.get(name, 1) for name in self._unclaimed)

    def unreadable(self) -> bool:
        """Return whether there are segments that this process cannot read: whatever they hold is not delivered."""
        return bool(self._unreadable)

    def _tell(self, code: str, message: str, error: BaseException | None, *, cause: str) -> None:
        self._reporter.report(code, message, cause=cause, error=error)

    # ------------------------------------------------------------------ dead letters

    def refusal(self, event_id: str) -> str | None:
        """Return why an event of this process is a dead letter, whoever buried it; None where it is none."""
        try:
            return self._refusals.reason(event_id)
        except OSError:
            return None

    def bury(self, event: Event, reason: str) -> None:
        """Write a dead letter, durably, before its record is acknowledged.

        Raises:
            JournalUnavailable: It could not be written.
        """
        self._bury(event.to_dict(), reason)

    def _bury(self, event: dict[str, object], reason: str) -> None:
        try:
            letters.bury(self._root, self.lane, event, reason, wire_time(self._clock.time_ns()))
        except OSError as error:
            message = f"cannot write the dead letters of {self.lane} in {self._root}: {error.strerror}"
            raise JournalUnavailable(message) from None

    def close(self) -> None:
        """Let go of everything held, so that another process may go on."""
        with self._guard:
            self.closed = True
            self._take_begun()
            for name in list(self._held):  # a handler that comes in between may close the rest
                if (held := self._held.pop(name, None)) is not None:
                    held.close()
            self._worker.close()
