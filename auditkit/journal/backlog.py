"""How much waits for a lane in the whole directory, whichever process delivers it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.journal import cursor as cursors
from auditkit.journal.segment import CLOSED, OPEN, count_records, is_for

if TYPE_CHECKING:
    from pathlib import Path


def backlog(root: Path, lane: str) -> int:
    """Return how many events a lane has still to accept; reads every segment that it has not passed.

    A segment that goes, or cannot be read, meanwhile counts as nothing. Takes no lock and changes nothing.

    Args:
        root: The audit directory.
        lane: The lane's name.
    """
    waiting = 0
    with suppress(FileNotFoundError):
        names = {path.stem for path in files.listing(root / "journal") if path.suffix in {OPEN, CLOSED}}
        for name in names:
            waiting += waiting_in(root, lane, name)
    return waiting


def waiting_in(root: Path, lane: str, name: str, known: dict[str, int] | None = None) -> int:
    """Return how many events of one segment a lane has still to accept, as far as that can be read.

    Args:
        root: The audit directory.
        lane: The lane's name.
        name: The segment's.
        known: How many events closed segments hold, by their names, kept from one call to the next: nothing
            changes those any more, and reading them takes a millisecond each.
    """
    if not is_for(name, lane):
        return 0
    with suppress(OSError):
        progress = cursors.read(cursors.path_of(root, lane, name)) or cursors.Progress()
        if not progress.done:
            return max(_records(root / "journal", name, known) - progress.index - progress.ahead.bit_count(), 0)
    return 0


def _records(directory: Path, name: str, known: dict[str, int] | None) -> int:
    if known is not None and name in known:
        return known[name]
    closed = (directory / f"{name}{CLOSED}").exists()  # looked at first: what is closed later may have grown before
    records = count_records(directory, name)
    if known is not None and closed:
        known[name] = records
    return records
