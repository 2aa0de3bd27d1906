"""What a lane has sent of a segment, or is about to: the very bytes, kept until the destination has accepted them.

An event whose answer was lost is sent again with the same key, and a destination that knows the key refuses another
body. So a body is written down before it is first sent, beside the lane's cursor, and whoever delivers the segment
sends those bytes, though the code or the configuration that made them may have changed.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from auditkit import files
from auditkit.protocols import Frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SUFFIX = ".bodies"
_NEW = ".bodies-new"
_REST = struct.Struct(">IQI")  # the record's index, when it was first sent, and the body's length
_HEAD = struct.Struct(f">I{_REST.format[1:]}")  # before that a checksum of all that follows
_DROPPED = Frozen(b"", 0)
_ROOMY = 256 * 1024  # bytes from which the file is made anew once most of it was accepted
_LARGEST = 16 * 1024 * 1024  # bytes of one body: a longer length is damage


class _Place(NamedTuple):
    """Where a body lies in the file, its head before it."""

    offset: int
    length: int
    first_ns: int


class Bodies:
    """One segment's bodies for one lane. Used by one thread at a time, by who holds the lane's cursor.

    Only places are kept in memory: a destination may be down for long, and bodies are large.

    Args:
        cursor: The cursor's path; the bodies lie beside it.
        is_accepted: Tells of a record's index whether the destination has it, so that its body counts no more.
    """

    __slots__ = ("_end", "_file", "_is_accepted", "_path", "_places")

    def __init__(self, cursor: Path, is_accepted: Callable[[int], bool]) -> None:
        """Read nothing yet: nearly always there is no such file."""
        self._path = cursor.with_suffix(SUFFIX)
        self._is_accepted = is_accepted
        self._places: dict[int, _Place] | None = None
        self._file: files.Handle | None = None
        self._end = 0

    def keep(self, index: int, frozen: Frozen) -> None:
        """Keep the body of a record, safe from ``kill -9`` when this returns.

        Raises:
            OSError: It could not be written.
        """
        places = self._known()
        places[index] = self._append(index, frozen)

    def drop(self, index: int) -> None:
        """Keep the body of a record no longer, so that another one may be made.

        Raises:
            OSError: That could not be written; whoever delivers the segment next will send it.
        """
        if self._known().pop(index, None) is not None:
            self._append(index, _DROPPED)
            self._tidy()

    def drop_from(self, index: int) -> None:
        """Keep no body of this record and those behind it any more: they may be numbered anew.

        Raises:
            OSError: That could not be written.
        """
        places = {each: place for each, place in self._known().items() if each < index}
        if self._end:  # made anew, with none of them: those that were accepted may lie there under their old numbers
            self._make_anew(self._opened(), places)

    def _append(self, index: int, frozen: Frozen) -> _Place:
        body, first_ns = frozen
        rest = _REST.pack(index, first_ns, len(body)) + body
        files.write_at(self._opened().fd, zlib.crc32(rest).to_bytes(4) + rest, self._end)
        place = _Place(self._end, len(body), first_ns)
        self._end += _HEAD.size + len(body)
        return place

    def get(self, index: int) -> Frozen | None:
        """Return the body that was kept of a record; None where there is none.

        Raises:
            OSError: It cannot be read.
        """
        place = self._known().get(index)
        if place is None:
            return None
        body = files.read_at(self._opened().fd, place.length, place.offset + _HEAD.size)
        return Frozen(body, place.first_ns)

    def forget(self, indexes: Sequence[int]) -> None:
        """Keep the bodies of records no longer: they were accepted.

        Raises:
            OSError: Space that they took could not be let go of; nothing is lost.
        """
        if not self._places:
            return
        for index in indexes:
            self._places.pop(index, None)
        self._tidy()

    def _tidy(self) -> None:
        """Let go of space that nobody's bodies take, where that is much."""
        if self._end < _ROOMY or self._places is None or self._file is None:
            return
        if not self._places:
            os.ftruncate(self._file.fd, 0)
            self._end = 0
        elif sum(place.length for place in self._places.values()) < self._end // 2:
            self._make_anew(self._file, self._places)

    def _make_anew(self, old: files.Handle, places: dict[int, _Place]) -> None:
        path = self._path.with_suffix(_NEW)
        path.unlink(missing_ok=True)  # a process was killed in the middle of this
        new, moved, end = files.create_private(path), {}, 0
        try:
            for index, place in places.items():
                size = _HEAD.size + place.length
                files.write_at(new.fd, files.read_at(old.fd, size, place.offset), end)
                moved[index] = place._replace(offset=end)
                end += size
            path.rename(self._path)
        except BaseException:
            files.close(new)
            raise
        files.close(old)
        self._file, self._places, self._end = new, moved, end

    def remove(self) -> None:
        """Remove the file: everything was accepted."""
        self.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file; what it holds is for whoever delivers the segment next."""
        if self._file is not None:
            files.close(self._file)
            self._file = None

    def _opened(self) -> files.Handle:
        if self._file is None:
            self._file = files.open_private(self._path)
        return self._file

    def _known(self) -> dict[int, _Place]:
        """Return the places, read from the file the first time."""
        if self._places is None:
            places: dict[int, _Place] = {}
            if self._path.exists():
                for index, place in _read(self._opened()):
                    places[index] = place
                    if not place.length or self._is_accepted(index):  # dropped, or nobody's business any more
                        del places[index]
                    self._end = place.offset + _HEAD.size + place.length
                os.ftruncate(self._opened().fd, self._end)  # what lies behind damage must not come back
            self._places = places
        return self._places


def _read(file: files.Handle) -> Iterator[tuple[int, _Place]]:
    """Yield what a file holds, up to what was being written when its process was killed."""
    at = 0
    while len(head := files.read_at(file.fd, _HEAD.size, at)) == _HEAD.size:
        checksum, index, first_ns, length = _HEAD.unpack(head)
        if length > _LARGEST:
            return
        body = files.read_at(file.fd, length, at + _HEAD.size)
        if len(body) < length or zlib.crc32(head[4:] + body) != checksum:
            return
        yield index, _Place(at, length, first_ns)
        at += _HEAD.size + length


def discard(cursor: Path) -> None:
    """Remove the bodies beside a cursor that goes, if there are any."""
    cursor.with_suffix(SUFFIX).unlink(missing_ok=True)
