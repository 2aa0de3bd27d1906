"""A segment on its way through one lane: read once, handed out once, acknowledged in any order."""

from __future__ import annotations

import math
import zlib
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.encoding import MAX_RECORD
from auditkit.journal import frames
from auditkit.journal.bodies import Bodies
from auditkit.journal.cursor import WINDOW, Cursor, Progress, ones
from auditkit.journal.segment import OPEN, open_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_CHUNK = 64 * 1024
_LONGEST = MAX_RECORD + frames.OVERHEAD
_HEADER_ROOM = 4096  # bytes in which a header ends


class Held:
    """One segment for which this process holds the lane's cursor. Used by one thread at a time.

    Args:
        directory: Where segments are.
        name: The segment's name.
        keys: The chains that can be read.
        cursor: The claimed cursor; None for a lane that lives only as long as its process.
        put_aside: Keeps what is damaged, since the segment goes when all lanes have passed it.

    Attributes:
        bodies: What was sent of it, or is about to be; None without a cursor.

    Raises:
        FileNotFoundError: The segment is gone: every lane has passed it.
        ValueError: It is not one that this process can read.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        keys: frames.Keys,
        cursor: Cursor | None,
        put_aside: Callable[[list[bytes]], None],
    ) -> None:
        """Open the segment and go to where the lane stands."""
        self.name = name
        self._open_path = directory / f"{name}{OPEN}"
        self._cursor, self._put_aside = cursor, put_aside
        self.progress = cursor.progress if cursor is not None else Progress()
        self.bodies = None if cursor is None else Bodies(cursor.path, self.progress.has)
        self._file = open_segment(directory, name)
        try:
            self._chain = _chain(self._file, keys)
        except BaseException:
            files.close(self._file)
            raise
        self._is_kept = True  # whether the cursor says how far the lane has come
        self.begin_anew()

    def begin_anew(self) -> None:
        """Go to where the lane stands: what was handed out and is not acknowledged is handed out again."""
        self._offset, self._index, self._head = self.progress.offset, self.progress.index, self.progress.head
        self._ready: deque[frames.Frame] = deque()
        self._marks: dict[int, tuple[int, bytes]] = {}  # where each record handed out ends, and its digits
        self._counted = (self._offset, self._index)  # lines are counted to this offset, and so many were records
        self.ended = False
        self._is_dry = False  # whether the last reading came to the end of what was written

    def read(self, limit: int, room: float = math.inf) -> list[tuple[int, bytes]]:
        """Return up to ``limit`` records not handed out yet, each with its index; fewer when there are no more.

        Args:
            limit: How many at most.
            room: How many bytes of them: the one that goes beyond is the last.

        Raises:
            OSError: It cannot be read (now), and nothing was handed out.
        """
        found: list[tuple[int, bytes]] = []
        self._is_dry = False
        ready, ahead, beyond = self._ready, self.progress.ahead, self.progress.index + WINDOW
        while len(found) < limit and room > 0 and not self.ended and self._index < beyond:
            try:
                if not ready and not self._fill():
                    self._is_dry = True
                    break
            except OSError:
                if found:
                    break  # the next call meets it again
                raise
            frame = ready.popleft()
            body, self._head, self._offset = frame
            if frames.is_record(body):
                self._marks[self._index] = (self._offset, self._head)
                if not ahead or not self.progress.has(self._index):
                    found.append((self._index, body))
                    room -= len(body)
                self._index += 1
            elif frame.is_end:
                self.ended = True
        self.ended = self.ended or bool(ready and ready[0].is_end)  # known with the last record: it is passed with that
        # Over what was acknowledged ahead by an earlier process.
        self.progress = self._advanced(self.progress, self.progress.ahead)
        return found

    def again(self, index: int) -> bytes | None:
        """Return a record once more that is not acknowledged; None where it does not verify any more.

        Raises:
            OSError: It cannot be read (now).
        """
        at = self.progress
        offset, head = self._marks[index - 1] if index > at.index else (at.offset, at.head)
        # Where it was damaged, the line behind it vouches for it, perhaps.
        _, digits = self._marks[index]
        end, _ = self._marks.get(index + 1 if at.damage else index, (files.size(self._file), b""))
        data = files.read_at(self._file.fd, max(end - offset, 0), offset)  # it may have been cut off meanwhile
        for frame in frames.resynchronise(data, head, self._chain):
            if isinstance(frame, frames.Frame) and frame.head == digits:
                return frame.body
        return None

    def _fill(self) -> bool:
        """Read on as far as lines verify; return whether there is one."""
        self._ready.extend(self._verified())
        if not self._ready and not self._open_path.exists():
            # Nothing changes a closed segment any more, so what does not verify in it is damaged, not
            # half written. Its writer may have finished a line between our reading and our looking.
            self._ready.extend(self._verified() or self._salvaged())
        return bool(self._ready)

    def _verified(self) -> list[frames.Frame]:
        data = files.read_at(self._file.fd, _CHUNK, self._offset)
        if not data or data[0] == 0:
            return []
        if b"\n" not in data:
            data = files.read_at(self._file.fd, _LONGEST, self._offset)
        return list(frames.read_frames(data, self._head, self._chain, offset=self._offset))

    def _salvaged(self) -> list[frames.Frame]:
        """Return what verifies of the rest of a damaged segment, and put the damage aside; its end if nothing does.

        Raises:
            OSError: The damage cannot be read or kept (now): the segment waits until it can.
        """
        whole = files.read_at(self._file.fd, files.size(self._file), 0)
        self._offset = self._place_in(whole)
        if self._index == self.progress.index:
            self.progress = self.progress._replace(offset=self._offset, head=self._head)
        rest = whole[self._offset :]
        found: list[frames.Frame] = []
        damaged: list[bytes] = []
        for each in frames.resynchronise(rest, self._head, self._chain, offset=self._offset):
            if isinstance(each, frames.Frame):
                found.append(each)
            else:
                damaged.append(each.of(rest, self._offset))
        if not (found and found[-1].is_end):  # it was closed with its end: at least one line is gone, or cut
            damaged.append(b"\n" if not damaged or damaged[-1].endswith(b"\n") else damaged.pop() + b"\n")
        self._put_aside(damaged)
        self._renumber(self._damage_of(whole))
        return found or [frames.Frame(frames.end(self._index), self._head, self._offset)]

    def _damage_of(self, whole: bytes) -> int:
        """Return what tells a damage, and how the records behind it are numbered, from any other."""
        sound = frames.resynchronise(whole[: self._offset], frames.START, self._chain)
        before = sum(isinstance(each, frames.Frame) and frames.is_record(each.body) for each in sound)
        return zlib.crc32(b"%d" % (self._index - before), zlib.crc32(whole)) or 1

    def _place_in(self, whole: bytes) -> int:
        """Return where the line begins that follows the one that the lane read last: what was taken out moved it."""
        return frames.successor(whole, self._head, self._chain, self._offset)

    def _renumber(self, damage: int) -> None:
        """Forget what is known by numbers that records beyond the damage had before, unless that was done for it.

        What was acknowledged ahead of it, or sent, is sent anew then, once, rather than mistaken for another record.
        """
        if self.progress.damage == damage:
            return
        known = (1 << (self._index - self.progress.index)) - 1
        if self.bodies is not None:
            self.bodies.drop_from(self._index)
        with suppress(OSError):  # else each opening would forget what is sent from now on, too
            self._keep(self.progress._replace(ahead=self.progress.ahead & known, damage=damage))

    def acknowledge(self, indexes: Sequence[int]) -> None:
        """Say that these records are accepted, and keep that; one that is already is no trouble.

        Raises:
            ValueError: One was never handed out.
            OSError: It could not be kept.
        """
        at = self.progress
        ahead = at.ahead
        for index in indexes:
            if index >= self._index:
                raise ValueError(f"record {index} of segment {self.name} was never handed out")
            if index >= at.index:
                ahead |= 1 << (index - at.index)
        self._keep(self._advanced(at, ahead))
        if self.bodies is not None:
            self.bodies.forget(indexes)

    def _advanced(self, at: Progress, ahead: int) -> Progress:
        """Return a progress with these acknowledged ahead of it, its place moved on over what follows it at once."""
        index, offset, head = at.index, at.offset, at.head
        passed = min(ones(ahead), self._index - index)
        for each in range(index, index + passed):
            offset, head = self._marks.pop(each)
        index, ahead = index + passed, ahead >> passed
        return Progress(at.turn, offset, index, head, ahead, at.done, at.damage)

    def _keep(self, progress: Progress) -> None:
        self.progress = progress  # also when it cannot be written: this process goes on from here
        if self._cursor is not None:
            self._is_kept = False
            self._cursor.write(progress)
            self._is_kept = True

    def can_be_left(self) -> bool:
        """Return whether the cursor says how far the lane has come: if it could not be written, it may be now."""
        if not self._is_kept:
            with suppress(OSError):
                self._keep(self.progress)
        return self._is_kept

    def goes_on(self) -> bool:
        """Return whether an idle segment can be left and has no end yet: behind that its process goes on in another."""
        try:
            since = files.read_at(self._file.fd, _CHUNK, self._offset)
        except OSError:
            return False  # `read` meets it too, and tells it
        is_all = len(since) < _CHUNK or since.endswith(b"\0")
        return is_all and frames.has_no_end(since) and self.can_be_left()

    @property
    def passed(self) -> bool:
        """Return whether every record of an ended segment is acknowledged."""
        return self.ended and self.progress.index == self._index

    @property
    def is_idle(self) -> bool:
        """Return whether all that was written when it was last read is acknowledged; a closed segment never is idle."""
        return self._is_dry and self.progress.index == self._index

    @property
    def records(self) -> int:
        """Return how many records the segment holds, as far as it is written."""
        return self._index if self.ended else max(self._count(), self._index)

    @property
    def pending(self) -> int:
        """Return how many records are not acknowledged, handed out or not."""
        return self.records - self.progress.index - self.progress.ahead.bit_count()

    def _count(self) -> int:
        """Return how many records the segment holds, as far as it is written."""
        offset, records = self._counted
        while data := files.read_at(self._file.fd, _CHUNK, offset):
            if data[0] and b"\n" not in data:
                data = files.read_at(self._file.fd, _LONGEST, offset)
            stop = data.rfind(b"\n") + 1
            if not stop:
                break
            records += frames.count_records(data[:stop])
            offset += stop
        self._counted = (offset, records)
        return records

    def finish(self) -> None:
        """Say that every record of the segment is acknowledged.

        Raises:
            OSError: It could not be kept.
        """
        self._keep(self.progress._replace(done=True))
        if self.bodies is not None:
            self.bodies.remove()

    def close(self) -> None:
        """Let go of the segment and of the cursor's lock."""
        files.close(self._file)
        if self.bodies is not None:
            self.bodies.close()
        if self._cursor is not None:
            self._cursor.close()


def _chain(file: files.Handle, keys: frames.Keys) -> frames.Chain:
    chain = keys.of_header(files.read_at(file.fd, _HEADER_ROOM, 0)) or keys.of(
        files.read_at(file.fd, files.size(file), 0)
    )
    if chain is None:
        raise ValueError("it was written with a secret that this process does not have; set AUDITKIT_SECRET")
    return chain
