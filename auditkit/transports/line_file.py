"""A file that several processes append lines to, and that is put aside when it is full."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from auditkit.errors import Paused, TemporaryFailure
from auditkit.files import (
    close,
    end,
    is_named,
    listing,
    lock,
    make_alike,
    open_to_append,
    read_at,
    sync_directory,
    sync_if_possible,
)
from auditkit.transports.rotation import fitting, rotated_name, surplus

if TYPE_CHECKING:
    from pathlib import Path

    from auditkit.clock import Clock
    from auditkit.files import Handle


class LineFile:
    """Append lines to whatever file has a name, and never into a line of somebody else's.

    The file is opened, locked and closed for each call, so that it may be taken away between two calls, as
    ``logrotate`` does, and no fork inherits it. What is no regular file, such as a pipe or a terminal, takes lines as
    well; it has no end, so that it is never full, no line in it can be seen to be torn, and nothing of it is synced.

    Args:
        path: Its name; links are followed.
        max_bytes: How long it may become before it is put aside; None for ever.
        keep: How many that were put aside are left; None for all.
        clock: Time, for names.

    Thread-safety: any number of threads and processes, on one machine, may append to one file; they take turns.
    """

    def __init__(self, path: Path, *, max_bytes: int | None, keep: int | None, clock: Clock) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._clock = clock

    def append(self, lines: list[bytes]) -> None:
        """Return when the lines are on the device.

        Raises:
            Paused: The file cannot be opened, locked or put aside; names the path.
            TemporaryFailure: It could not be written (all), such as on a full disk, or is a pipe that nobody reads;
                what was written of it stays, as lines of its own.
        """
        left = lines
        while left:
            handle = self._locked()
            try:
                count = fitting([len(line) for line in left], end(handle) or 0, self._max_bytes)
                if count:
                    self._write(handle, b"".join(left[:count]))
                else:
                    self._put_aside(handle)
                # Who took the file away meanwhile may have read it to its end before our lines were there: they
                # are written again, since a line may come twice, and none may be lost.
                if self._is_named(handle):
                    left = left[count:]
            except BrokenPipeError:
                raise self._unread() from None
            except OSError as error:
                raise TemporaryFailure(
                    f"cannot write to {self.path}: {error.strerror}; once its disk has room and works it goes on"
                ) from None
            finally:
                close(handle)

    def _locked(self) -> Handle:
        while True:
            try:
                handle = open_to_append(self.path)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    raise self._unread() from None
                raise Paused(f"cannot append to {self.path}: {error.strerror}; make it writable") from None
            found = False
            try:
                found = _lock(handle) and self._is_named(handle)
            except OSError as error:
                raise Paused(f"cannot lock {self.path}: {error.strerror}; keep it on a local file system") from None
            finally:
                if not found:
                    close(handle)
            if found:
                return handle
            # It was put aside while we waited: the name is another file's now.

    def _is_named(self, handle: Handle) -> bool:
        # Nobody puts a pipe or a terminal aside, and not every system knows one again by a name such as /dev/stdout.
        return end(handle) is None or is_named(handle, self.path, follow=True)

    def _unread(self) -> TemporaryFailure | Paused:
        if self.path.is_socket():  # what a service manager gives as standard output: nobody can open it by a name
            return Paused(
                f"cannot append to {self.path}: it is a socket; give JSONLinesTransport('-') for standard output"
            )
        return TemporaryFailure(f"nobody reads {self.path}; once somebody does it goes on")

    def _write(self, handle: Handle, data: bytes) -> None:
        length = end(handle)
        if length and read_at(handle.fd, 1, length - 1) != b"\n":
            data = b"\n" + data  # half a line stands there: end it, so that it spoils none of ours
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle.fd, rest) :]
        sync_if_possible(handle.fd)
        if length == 0:
            sync_directory(self.path.parent)

    def _put_aside(self, handle: Handle) -> None:
        """Give the file, which is locked, the name of a full one, and make the next."""
        try:
            file = self.path.resolve()  # a link stays where it is
            name = rotated_name(file.name, _names_in(file.parent), self._clock.time_ns())
            file.rename(file.with_name(name))
            make_alike(file, handle)
            if self._keep is not None:
                for old in surplus(file.name, _names_in(file.parent), self._keep):
                    file.with_name(old).unlink(missing_ok=True)
            sync_directory(file.parent)
        except OSError as error:
            raise Paused(
                f"{self.path} is full and cannot be put aside: {error.strerror}; make its directory writable"
            ) from None


def _lock(handle: Handle) -> bool:
    try:
        return lock(handle.fd, wait=True)
    except OSError:
        if end(handle) is None:  # not every system locks pipes: nobody takes turns there
            return True
        raise


def _names_in(directory: Path) -> list[str]:
    return [path.name for path in listing(directory)]
