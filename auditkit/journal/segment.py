"""One segment: a file of frames that one process writes.

A segment is made, reserved and locked under a name that nobody scans (``.<id>.new``), then renamed to
``<id>.open``; its lock says that its writer lives. Ended, cut to its length and on the device it becomes
``<id>.closed``: nothing will change it any more, and nobody needs its lock. One that is meant for a single lane
bears its name: ``<id>@<lane>.closed``.
"""

from __future__ import annotations

import errno
import os
import platform
from typing import TYPE_CHECKING, NoReturn

from auditkit import files
from auditkit.journal import frames
from auditkit.native import hand_over, in_c

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OPEN, CLOSED, NEW, CORRUPT = ".open", ".closed", ".new", ".corrupt"
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# Written at once: in larger pieces the kernel takes larger pages, and each small write to one costs more; in
# smaller ones there are more moments at which a busy interpreter has to be waited for.
_ZEROS = bytes(256 * 1024)
_OVERHEAD = frames.OVERHEAD + frames.END_ROOM  # bytes that a record needs besides its JSON


_FOR = "@"  # no lane's name holds it


def name_for(segment_id: str, lane: str) -> str:
    """Return the name of a segment that is meant for one lane alone."""
    return f"{segment_id}{_FOR}{lane}"


def is_for(name: str, lane: str) -> bool:
    """Return whether a lane delivers a segment of this name: one that names no lane is for all."""
    _, addressed, named = name.partition(_FOR)
    return not addressed or named == lane


def is_returned(name: str) -> bool:
    """Return whether a segment of this name holds dead letters that were put back: nothing else is for one lane."""
    return _FOR in name


# How far a segment is written: where the next line goes, how many events come before it, and the digits of the
# line before it. One value, so that no interruption leaves half of a step behind; a plain tuple, since every
# audited call makes one.
_Place = tuple[int, int, bytes]


@in_c("Segment")
class _Fields:
    __slots__ = ("_chain", "_file", "_limit", "_place", "name")


class Segment(_Fields):
    """A segment that this process writes. Not thread-safe: the journal's lock guards it.

    Attributes:
        name: Its id; a process's ids ascend, so names sort by age.
    """

    __slots__ = ("_directory", "_ended", "_finished", "_lock", "_size")
    name: str
    _chain: frames.Chain
    _file: files.Handle
    _limit: int
    _place: _Place

    def __init__(self, directory: Path, name: str, size: int, chain: frames.Chain) -> None:
        """Make the file under its hidden name, with all its space taken, and lock it.

        Raises:
            FileNotFoundError: A scanner took it for a leftover before it was locked: make another one.
            OSError: There is no room, or the directory cannot be written.
        """
        self.name = name
        self._chain = chain
        self._directory = directory
        self._size = size
        self._limit = size // 2
        self._place = (0, 0, frames.START)
        self._ended = self._finished = False
        hidden = directory / f".{name}{NEW}"
        self._file = files.create_private(hidden)
        try:
            files.reserve(self._file.fd, size)
            held = files.locked(hidden)
            if held is None:
                raise FileNotFoundError(hidden)  # noqa: TRY301  (cleaned up below like any other trouble)
        except BaseException:
            files.close(self._file)
            hidden.unlink(missing_ok=True)
            raise
        self._lock = held

    def warm(self) -> None:
        """Write zeros where records will go; it takes milliseconds, and belongs to no caller.

        Else one record in five would wait until the kernel has found a page and its place on the disk: 7.6 us
        at the 99th percentile of a write rather than 2.6 (measured). Databases do it to their logs for that.

        Raises:
            OSError: It could not be written.
        """
        for at in range(0, self._size, len(_ZEROS)):
            files.write_at(self._file.fd, _ZEROS[: self._size - at], at)

    def begin(self, stated: Mapping[str, object]) -> None:
        """Write the header and give the segment the name that scanners see.

        Args:
            stated: What the header says besides the segment's name, its writer and its key.

        Raises:
            OSError: It could not be written or renamed.
        """
        writer = {"segment": self.name, "host": platform.node(), "pid": os.getpid()}
        self._mark(frames.header({**writer, **stated, "key": self._chain.key_id}))
        (self._directory / f".{self.name}{NEW}").rename(self.path)

    @property
    def path(self) -> Path:
        """Return where an open segment is."""
        return self._directory / f"{self.name}{OPEN}"

    @property
    def head(self) -> bytes:
        """Return the digits of the last line."""
        return self._place[2]

    def fits(self, size: int) -> bool:
        """Return whether a record with ``size`` bytes of JSON fits, and the line that ends the segment."""
        return self._place[0] + size + _OVERHEAD <= self._size

    def open_rest(self, size: int) -> bool:
        """Let records go into the second half of the space; return whether one of ``size`` bytes fits.

        `append` stops at the half once, so that the journal learns, at no cost to a call, that it is time
        to prepare the next segment.
        """
        self._limit = self._size - _OVERHEAD
        return self.fits(size)

    @in_c("Segment.append")
    def append(self, body: bytes) -> int | None:
        """Write one record; return how many come before it, or None where there is no room for it.

        Raises:
            OSError: It could not be written. Where only room was missing, the next one goes to the same place.
        """
        at, records, previous = self._place
        if at + len(body) > self._limit:
            return None
        head = self._chain.link(previous, body)
        line = frames.line(head, body)
        size = len(line)
        after = (at + size, records + 1, head)
        try:
            if files.pwrite(self._file.fd, line, at) != size:
                files.write_at(self._file.fd, line, at)
        except BaseException as error:  # noqa: BLE001  (judged there, and raised again)
            self._stumble(error, line, after)
        self._place = after  # no call lies before this: no signal handler can come between, and raise
        return records

    def _stumble(self, error: BaseException, line: bytes, after: _Place) -> NoReturn:
        if isinstance(error, OSError):
            if error.errno not in NO_ROOM:  # whatever is wrong with this file, the next record goes to another
                self._size = self._limit = 0
        else:  # a signal handler raised, and the line may be there, and read by a lane: make sure that it is
            files.write_at(self._file.fd, line, self._place[0])
            self._place = after
        raise error

    def _mark(self, body: bytes) -> None:
        """Write a line that is no record."""
        at, records, previous = self._place
        head = self._chain.link(previous, body)
        line = frames.line(head, body)
        files.write_at(self._file.fd, line, at)
        self._place = (at + len(line), records, head)

    def end(self) -> None:
        """Write the line that ends it, once; there is always room for that one.

        Raises:
            OSError: It could not be written.
        """
        if not self._ended:
            self._mark(frames.end(self._place[1]))
            self._ended = True

    def sync(self) -> None:
        """Return when what was written is on the device; a segment that was finished is.

        Raises:
            OSError: The device failed.
        """
        if not self._finished:
            files.sync(self._file.fd)

    def finish(self) -> None:
        """End it, cut it to its length, sync it, show that it is closed, and let go of it; once.

        Raises:
            OSError: The device failed; the file stays as it is, to be adopted.
        """
        if self._finished:
            return
        try:
            self.end()
            os.ftruncate(self._file.fd, self._place[0])
            self.sync()
            self.path.rename(self.path.with_suffix(CLOSED))
            self._finished = True
        finally:
            self.release()

    def discard(self) -> None:
        """Remove a segment that was prepared and never begun."""
        (self._directory / f".{self.name}{NEW}").unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Close the file, and free the lock last."""
        files.close(self._file)
        files.close(self._lock)


hand_over(files=files)


def count_records(directory: Path, name: str) -> int:
    """Return how many records a segment holds, as far as that can be told without reading each.

    Raises:
        OSError: There is no such segment, or it cannot be read.
    """
    file = open_segment(directory, name)
    try:
        data = files.read_at(file.fd, files.size(file), 0)
        return frames.count_records(data[: data.rfind(b"\n") + 1])  # what is torn, or being written, is none yet
    finally:
        files.close(file)


def open_segment(directory: Path, name: str) -> files.Handle:
    """Open a segment to read it, whether its writer is done with it or not.

    Raises:
        FileNotFoundError: There is no such segment.
    """
    try:
        return files.open_to_read(directory / f"{name}{OPEN}")
    except FileNotFoundError:  # in this order no renaming hides it from both
        return files.open_to_read(directory / f"{name}{CLOSED}")
