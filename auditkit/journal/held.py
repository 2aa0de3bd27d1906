"""A segment on its way through one lane: read once, handed out once, acknowledged in any order."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.encoding import MAX_RECORD
from auditkit.journal import frames
from auditkit.journal.cursor import WINDOW, Cursor, Progress
from auditkit.journal.segment import CLOSED, OPEN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_CHUNK = 64 * 1024
_LONGEST = MAX_RECORD + frames.OVERHEAD


class Held:
    """One segment for which this process holds the lane's cursor. Used by one thread at a time.

    Args:
        directory: Where segments are.
        name: The segment's name.
        keys: The chains that can be read.
        cursor: The claimed cursor; None for a lane that lives only as long as its process.

    Raises:
        FileNotFoundError: The segment is gone: every lane has passed it.
        ValueError: It is not one that this process can read.
    """

    def __init__(self, directory: Path, name: str, keys: frames.Keys, cursor: Cursor | None) -> None:
        """Open the segment and go to where the lane stands."""
        self.name = name
        self._closed_path = directory / f"{name}{CLOSED}"
        self._cursor = cursor
        self.progress = cursor.progress if cursor is not None else Progress()
        self._descriptor = _open(directory, name)
        try:
            chain = keys.of(files.read_at(self._descriptor, 4096, 0))
        except ValueError:
            files.close(self._descriptor)
            raise
        if chain is None:
            files.close(self._descriptor)
            raise ValueError("it was written with a secret that this process does not have; set AUDITKIT_SECRET")
        self._chain = chain
        self._offset, self._index, self._head = self.progress.offset, self.progress.index, self.progress.head
        self._ready: deque[frames.Frame] = deque()
        self._marks: dict[int, tuple[int, bytes]] = {}  # where each record handed out ends, and its digits
        self.ended = False

    def read(self, limit: int) -> list[tuple[int, bytes]]:
        """Return up to ``limit`` records not handed out yet, each with its index; fewer when there are none."""
        found: list[tuple[int, bytes]] = []
        while len(found) < limit and not self.ended and self._index - self.progress.index < WINDOW:
            if not self._ready and not self._fill():
                break
            frame = self._ready.popleft()
            self._offset, self._head = frame.end, frame.head
            if frame.is_end:
                self.ended = True
            elif not frame.is_header:
                self._marks[self._index] = (frame.end, frame.head)
                if not self.progress.has(self._index):
                    found.append((self._index, frame.body))
                self._index += 1
        return found

    def _fill(self) -> bool:
        """Read on as far as lines verify; return whether there is one."""
        self._ready.extend(self._verified())
        if not self._ready and self._closed_path.exists():
            # Nothing changes a closed segment any more, so what does not verify in it is damaged, not
            # half written. Its writer may have finished a line between our reading and our looking.
            self._ready.extend(self._verified() or self._salvaged())
        return bool(self._ready)

    def _verified(self) -> list[frames.Frame]:
        data = files.read_at(self._descriptor, _CHUNK, self._offset)
        if not data or data[0] == 0:
            return []
        if b"\n" not in data:
            data = files.read_at(self._descriptor, _LONGEST, self._offset)
        return list(frames.read_frames(data, self._head, self._chain, offset=self._offset))

    def _salvaged(self) -> list[frames.Frame]:
        """Return what verifies of the rest of a damaged segment, beyond the damage; its end if nothing does."""
        data = b""
        while chunk := files.read_at(self._descriptor, 2**20, self._offset + len(data)):
            data += chunk
        found = [
            each._replace(end=each.end + self._offset)
            for each in frames.resynchronise(data, self._head, self._chain)
            if isinstance(each, frames.Frame)
        ]
        return found or [frames.Frame(frames.end(self._index), self._head, self._offset)]

    def acknowledge(self, indexes: Sequence[int]) -> None:
        """Say that these records are accepted, and keep that.

        Raises:
            OSError: It could not be kept.
        """
        at = self.progress
        ahead = at.ahead
        for index in indexes:
            if index >= at.index:
                ahead |= 1 << (index - at.index)
        index, offset, head = at.index, at.offset, at.head
        while ahead & 1:
            offset, head = self._marks.pop(index)
            index, ahead = index + 1, ahead >> 1
        self._keep(replace(at, index=index, offset=offset, head=head, ahead=ahead))

    def _keep(self, progress: Progress) -> None:
        self.progress = progress  # also when it cannot be written: this process goes on from here
        if self._cursor is not None:
            self._cursor.write(progress)

    @property
    def outstanding(self) -> int:
        """Return how many records were handed out and are not acknowledged."""
        return self._index - self.progress.index - self.progress.ahead.bit_count()

    @property
    def passed(self) -> bool:
        """Return whether every record of an ended segment is acknowledged."""
        return self.ended and self.progress.index == self._index

    def unread(self) -> int:
        """Return how many records lie beyond what was handed out."""
        count, offset, last = 0, self._offset, b""
        while data := files.read_at(self._descriptor, _CHUNK, offset):
            count += data.count(b"\n")
            last, offset = last[-frames.END_ROOM :] + data, offset + len(data)
            if data[-1] == 0:  # space not used yet
                break
        last = last.rstrip(b"\0")
        header = 1 if self._offset == 0 and count else 0
        return count - header - (1 if b'{"end":' in last[-frames.END_ROOM :] else 0)

    def finish(self) -> None:
        """Say that every record of the segment is acknowledged.

        Raises:
            OSError: It could not be kept.
        """
        self._keep(replace(self.progress, done=True))

    def close(self) -> None:
        """Let go of the segment and of the cursor's lock."""
        files.close(self._descriptor)
        if self._cursor is not None:
            self._cursor.close()


def _open(directory: Path, name: str) -> int:
    try:
        return files.open_existing(directory / f"{name}{OPEN}")
    except FileNotFoundError:
        return files.open_existing(directory / f"{name}{CLOSED}")
