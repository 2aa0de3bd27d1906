"""Append events to a file, one JSON document a line, for log shippers and for keeping."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from auditkit.clock import SystemClock
from auditkit.errors import ConfigurationError
from auditkit.event import describe
from auditkit.files import is_stream
from auditkit.forking import renew_in_child
from auditkit.transports.line_file import LineFile

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from auditkit.clock import Clock
    from auditkit.event import Event


def lines_of(events: Sequence[Event]) -> list[bytes]:
    """Return ``Event.to_dict()`` of each event as a line of ASCII JSON. Pure."""
    documents = (json.dumps(event.to_dict(), allow_nan=False, separators=(",", ":")) for event in events)
    return [f"{document}\n".encode("ascii") for document in documents]


class JSONLinesTransport:
    """Append events to a file, synced to the device before they count as accepted.

    Delivered at least once: a line may come twice, with the same ``id``, after a crash.

    The file may be taken away at any time, by renaming it: the next event begins a new one.

    Args:
        path: The file, made with mode 0600 if it does not exist; ``"-"`` is standard output, flushed, not
            synced. Nor is a pipe, a terminal or another device, such as ``/dev/stdout`` may be.
        max_bytes: How long the file may become. A full one is renamed, with the time as the end of its name, and
            the next one has its owner and mode. Only a single event can make it longer. None: it has no end.
        keep: How many full files are left; the oldest ones are removed. None: all.
        name: What the destination is called; its progress is remembered by it.
        clock: Time, for the names of full files.

    Raises:
        ConfigurationError: The path's directory does not exist, the path is a directory, or ``max_bytes`` or
            ``keep`` cannot work, as where the path is no regular file.

    Thread-safety: lines of one transport, and of several processes on one local file, are never mixed. All who
    append to one file must state the same ``max_bytes`` and ``keep``.
    """

    max_batch = 100
    concurrency = 1

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | None = None,
        keep: int | None = None,
        name: str = "json_lines",
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        _check_rotation(path, max_bytes, keep)
        self._file = (
            None
            if path == "-"
            else LineFile(_check(Path(path)), max_bytes=max_bytes, keep=keep, clock=clock or SystemClock())
        )
        self.durable = self._file is not None
        self._lock = threading.Lock()
        renew_in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def send(self, events: Sequence[Event]) -> None:
        """Return when the lines are on the device.

        Raises:
            Paused: The file cannot be opened, locked or put aside; names the path.
            TemporaryFailure: It could not be written (all), such as on a full disk, or is a pipe that nobody reads;
                what was written of it stays, as lines of its own.
        """
        lines = lines_of(events)
        if self._file is not None:
            self._file.append(lines)
            return
        with self._lock:
            sys.stdout.write(b"".join(lines).decode("ascii"))
            sys.stdout.flush()

    def close(self) -> None:
        """Do nothing: the file is open only while it is written."""

    def __repr__(self) -> str:
        return f"<JSONLinesTransport {self.name!r} to {self._file.path if self._file else 'standard output'}>"


def _check_rotation(path: str | os.PathLike[str], max_bytes: object, keep: object) -> None:
    for name, given in (("max_bytes", max_bytes), ("keep", keep)):
        if given is not None and (type(given) is not int or given < 1):
            raise ConfigurationError(f"{name} must be a whole number > 0 or None, got {describe(given)}")
    if keep is not None and max_bytes is None:
        raise ConfigurationError(f"keep={keep} needs max_bytes: without it no file is ever full")
    if max_bytes is not None and path == "-":
        raise ConfigurationError("max_bytes needs a file: standard output cannot be put aside")
    if max_bytes is not None and is_stream(Path(path)):
        raise ConfigurationError(f"max_bytes needs a regular file: {path} cannot be put aside")


def _check(path: Path) -> Path:
    absolute = path.absolute()  # once: the process may change its directory later
    if absolute.is_dir():
        raise ConfigurationError(f"path must be a file's, got the directory {absolute}")
    if not absolute.parent.is_dir():
        raise ConfigurationError(f"path must lie in a directory that exists, got {absolute}: make {absolute.parent}")
    return absolute
