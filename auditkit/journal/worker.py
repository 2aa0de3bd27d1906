"""Who works a lane, and how it stands: what only that process knows, left where others can look at it.

Every process that works a lane has a file in the lane's directory, whose lock says that it lives. It is one page,
written when the process begins and overwritten in place: a full disk keeps nobody from telling how he stands. What a
process that ends told last stays as the lane's last word; what one that was killed told, until the next one comes.
"""

from __future__ import annotations

import json
import os
import platform
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditkit import files
from auditkit.protocols import Standing
from auditkit.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from auditkit.clock import Clock

SUFFIX = ".worker"
_LAST = f"last{SUFFIX}"  # the file of the process that ended last
_SPACE = 4096  # bytes of the file
_LONGEST = 300  # characters of a trouble; each may take twelve bytes
_UNTOLD = Standing()
_TRIES = 3  # to read what may be overwritten at that moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process that works a lane, or did.

    Attributes:
        alive: Whether it still does.
        host: Its machine's name; empty where it has not told anything yet.
        pid: Its number there.
        since_ns: Since when it works the lane, in nanoseconds since the epoch.
        told_ns: When it last told how the lane stands.
        standing: How the lane stood then.
    """

    alive: bool
    host: str = ""
    pid: int = 0
    since_ns: int = 0
    told_ns: int = 0
    standing: Standing = _UNTOLD


class WorkerFile:
    """The file of one process that works a lane; made when it first tells. Used by one thread at a time.

    Args:
        directory: The lane's directory.
        clock: Time, and a name for the file.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._clock = clock
        self._since_ns = clock.time_ns()
        self._path = directory / f"{os.getpid()}-{clock.token(4).hex()}{SUFFIX}"
        self._file: files.Handle | None = None

    def tell(self, standing: Standing) -> None:
        """Write how the lane stands. Where somebody looks at the file just as it is made, the next time.

        Raises:
            OSError: It could not be written.
        """
        if self._file is None or not files.is_named(self._file, self._path):
            self.close()
            self._file = _made(self._path)
        if self._file is not None:
            files.write_at(self._file.fd, self._page(standing), 0)

    def _page(self, standing: Standing) -> bytes:
        told = {
            "host": platform.node(),
            "pid": os.getpid(),
            "since_ns": self._since_ns,
            "told_ns": self._clock.time_ns(),
            "standing": standing._replace(trouble=Redactor().text(standing.trouble)[:_LONGEST])._asdict(),
        }
        text = json.dumps(told).encode("ascii")
        return (b"%08x %s" % (zlib.crc32(text), text)).ljust(_SPACE)

    def close(self) -> None:
        """Free the lock, and leave the file as the last word of the lane."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # somebody removed it, or the directory cannot be written any more
                self._path.replace(self._path.with_name(_LAST))
            files.close(file)


def _made(path: Path) -> files.Handle | None:
    file = files.locked(path, create=True)
    if file is not None:
        try:
            files.reserve(file.fd, _SPACE)
        except BaseException:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            files.close(file)
            raise
    return file


def workers_of(root: Path, lane: str) -> list[Worker]:
    """Return who works a lane, and who did before and left word. Takes no lock and changes nothing.

    Args:
        root: The audit directory.
        lane: The lane's name.

    Raises:
        OSError: They cannot be looked at.
    """
    found = []
    for path in files.listing(root / "lanes" / lane):
        if path.suffix == SUFFIX:
            with suppress(FileNotFoundError):  # removed meanwhile
                found.append(_read(path))
    return found


def sweep_workers(paths: Iterable[Path]) -> None:
    """Remove the files of processes that were killed.

    Args:
        paths: What a lane's directory holds.

    Raises:
        OSError: One cannot be removed.
    """
    for path in paths:
        lock = files.locked(path) if path.suffix == SUFFIX and path.name != _LAST else None
        if lock is not None:
            try:
                path.unlink(missing_ok=True)
            finally:
                files.close(lock)


def _read(path: Path) -> Worker:
    alive = files.is_held(path)
    for _ in range(_TRIES):
        file = files.open_to_read(path)
        try:
            told = decode(files.read_at(file.fd, _SPACE, 0))
        finally:
            files.close(file)
        if told is not None:
            return Worker(alive=alive, **told)
    return Worker(alive=alive)


def decode(page: bytes) -> dict[str, Any] | None:
    """Return what a page says, by the names of `Worker`; None where it says nothing whole."""
    digest, _, text = page.rstrip(b" \0").partition(b" ")
    if digest != b"%08x" % zlib.crc32(text):
        return None
    try:
        told = json.loads(text)
        names = ("host", "pid", "since_ns", "told_ns")
        stands = {name: told["standing"][name] for name in Standing._fields if name in told["standing"]}
        return {**{name: told[name] for name in names}, "standing": Standing(**stands)}
    except (ValueError, TypeError, LookupError):  # of another release
        return None
