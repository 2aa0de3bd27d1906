"""Forgetting a lane: its directory goes, and with it what holds back segments that nobody else waits for."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from auditkit import files

if TYPE_CHECKING:
    from pathlib import Path

_GONE = ".dropped"  # a lane's directory on its way out: nobody scans it there


def is_worked(root: Path, lane: str) -> bool:
    """Return whether a process works a lane: whether it holds the lock of any file there.

    Meant for a lane that is about to be forgotten: a process that begins to work it may meet who asks.

    Raises:
        OSError: It cannot be looked at.
    """
    for path in files.listing(root / "lanes" / lane):
        with suppress(FileNotFoundError):  # removed meanwhile
            if files.is_held(path):
                return True
    return False


def drop_lane(root: Path, lane: str) -> None:
    """Forget a lane that nobody works, at once; what a killed process left of this is finished, too.

    A process that begins to work it at this very moment goes on with it as with a new one.

    Args:
        root: The audit directory.
        lane: The lane's name.

    Raises:
        OSError: The directory cannot be written.
    """
    gone = root / f".{lane}{_GONE}"
    _remove(gone)
    (root / "lanes" / lane).rename(gone)
    files.sync_directory(root / "lanes")
    for path in files.listing(root):
        if path.suffix == _GONE:
            _remove(path)


def _remove(directory: Path) -> None:
    with suppress(FileNotFoundError):
        for path in files.listing(directory):
            path.unlink(missing_ok=True)
        directory.rmdir()
