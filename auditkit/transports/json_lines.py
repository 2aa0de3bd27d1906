"""Append events to a file, one JSON document a line, for log shippers and for keeping."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from auditkit.errors import ConfigurationError, Paused
from auditkit.files import read_at, sync, sync_directory
from auditkit.forking import renew_in_child

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.event import Event

# O_APPEND: several processes may share the file, each write goes to its end. O_RDWR: to see how it ends.
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def lines_of(events: Sequence[Event]) -> bytes:
    """Return ``Event.to_dict()`` of each event as a line of ASCII JSON. Pure."""
    documents = (json.dumps(event.to_dict(), allow_nan=False, separators=(",", ":")) for event in events)
    return "".join(f"{document}\n" for document in documents).encode("ascii")


class JSONLinesTransport:
    """Append events to a file, synced to the device before they count as accepted.

    Delivered at least once: a line may come twice, with the same ``id``, after a crash.

    Args:
        path: The file, made with mode 0600 if it does not exist; ``"-"`` is standard output, flushed, not
            synced.
        name: What the destination is called; its progress is remembered by it.

    Raises:
        ConfigurationError: The path's directory does not exist, or the path is a directory.

    Thread-safety: lines of one transport, and of several processes on one local file, are never mixed.
    """

    max_batch = 100
    concurrency = 1

    def __init__(self, path: str | os.PathLike[str], *, name: str = "json_lines") -> None:
        self.name = name
        self._path = None if path == "-" else _check(Path(path))
        self.durable = self._path is not None
        self._lock = threading.Lock()
        renew_in_child(self._renew)
        self._descriptor: int | None = None
        self._torn = False

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def send(self, events: Sequence[Event]) -> None:
        """Return when the lines are on the device.

        Raises:
            Paused: The file cannot be opened; names the path.
            OSError: It could not be written (all); what was written of it stays, as a line of its own.
        """
        data = lines_of(events)
        with self._lock:
            if self._path is None:
                sys.stdout.write(data.decode("ascii"))
                sys.stdout.flush()
            else:
                self._append(self._path, data)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def __repr__(self) -> str:
        return f"<JSONLinesTransport {self.name!r} to {self._path or 'standard output'}>"

    def _append(self, path: Path, data: bytes) -> None:
        descriptor = self._open(path)
        if self._torn:
            data = b"\n" + data  # half a line stands there: end it, so that it spoils none of ours
        self._torn = True
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
        self._torn = False
        sync(descriptor)

    def _open(self, path: Path) -> int:
        if self._descriptor is None:
            new = not path.exists()
            try:
                self._descriptor = os.open(path, _FLAGS, 0o600)
            except OSError as error:
                raise Paused(f"cannot append to {path}: {error.strerror}; make it writable") from None
            if new:
                sync_directory(path.parent)
            size = os.fstat(self._descriptor).st_size
            self._torn = size > 0 and read_at(self._descriptor, 1, size - 1) != b"\n"
        return self._descriptor


def _check(path: Path) -> Path:
    absolute = path.absolute()  # once: the process may change its directory later
    if absolute.is_dir():
        raise ConfigurationError(f"path must be a file's, got the directory {absolute}")
    if not absolute.parent.is_dir():
        raise ConfigurationError(f"path must lie in a directory that exists, got {absolute}: make {absolute.parent}")
    return absolute
