"""One segment: a file of frames that one process writes.

A segment is made, reserved and locked under a name that nobody scans (``.<id>.new``), then renamed to
``<id>.open``; its lock says that its writer lives. Ended, cut to its length and on the device it becomes
``<id>.closed``: nothing will change it any more, and nobody needs its lock.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.journal import frames

if TYPE_CHECKING:
    from pathlib import Path

OPEN, CLOSED, NEW, CORRUPT = ".open", ".closed", ".new", ".corrupt"


class Segment:
    """A segment that this process writes. Not thread-safe: the journal's lock guards it.

    Attributes:
        name: Its id; ids ascend, so names sort by age.
        at: Where the next line goes, in bytes.
        head: The digits of the last line.
        records: How many events it holds.
    """

    __slots__ = ("_lock", "at", "capacity", "chain", "descriptor", "directory", "head", "name", "records")

    def __init__(self, directory: Path, name: str, capacity: int, chain: frames.Chain) -> None:
        """Make the file under its hidden name, with all its space taken, and lock it.

        Raises:
            OSError: There is no room, or the directory cannot be written.
        """
        self.directory = directory
        self.name = name
        self.capacity = capacity
        self.chain = chain
        self.at = 0
        self.records = 0
        self.head = frames.START
        hidden = directory / f".{name}{NEW}"
        self.descriptor = files.create_private(hidden)
        try:
            files.reserve(self.descriptor, capacity)
            held = files.locked(hidden)
            if held is None:  # a scanner took it for a leftover, and removes it
                raise FileNotFoundError(hidden)  # noqa: TRY301  (cleaned up below like any other trouble)
            self._lock = held
        except BaseException:
            files.close(self.descriptor)
            hidden.unlink(missing_ok=True)
            raise

    def begin(self, header: bytes) -> None:
        """Write the header and give the segment the name that scanners see."""
        self.write(header)
        self.records = 0
        (self.directory / f".{self.name}{NEW}").rename(self.path)

    @property
    def path(self) -> Path:
        """Return where an open segment is."""
        return self.directory / f"{self.name}{OPEN}"

    def fits(self, size: int) -> bool:
        """Return whether a line with ``size`` bytes of JSON fits, and the line that ends the segment after it."""
        return self.at + size + frames.OVERHEAD + frames.END_ROOM <= self.capacity

    def write(self, body: bytes) -> None:
        """Write one line.

        Raises:
            OSError: It could not be written; the next line goes to the same place.
        """
        head = self.chain.link(self.head, body)
        line = frames.frame(head, body)
        files.write_at(self.descriptor, line, self.at)
        self.head = head
        self.at += len(line)
        self.records += 1

    def end(self) -> None:
        """Write the line that ends it; there is always room for that one."""
        records = self.records
        self.write(frames.end(records))
        self.records = records

    def finish(self) -> None:
        """Cut the ended segment to its length, sync it, show that it is closed, and let go of it.

        Raises:
            OSError: The device failed; the file stays as it is, to be adopted.
        """
        try:
            os.ftruncate(self.descriptor, self.at)
            files.sync(self.descriptor)
            self.path.rename(self.path.with_suffix(CLOSED))
        finally:
            self.release()

    def discard(self) -> None:
        """Remove a segment that was prepared and never begun."""
        (self.directory / f".{self.name}{NEW}").unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Close both descriptors, and so free the lock."""
        files.close(self.descriptor)
        files.close(self._lock)
