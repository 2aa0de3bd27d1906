"""How much waits for a lane in the whole directory, and since when, whichever process delivers it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.encoding import MAX_RECORD, decode, draft_of
from auditkit.journal import cursor as cursors
from auditkit.journal import frames
from auditkit.journal.segment import CLOSED, OPEN, count_records, is_for, open_segment

if TYPE_CHECKING:
    from pathlib import Path


_READ = MAX_RECORD + 8192  # bytes in which a header and a record end


def backlog(root: Path, lane: str, known: dict[str, int] | None = None) -> int:
    """Return how many events a lane has still to accept; reads every segment that it has not passed.

    A segment that goes, or cannot be read, meanwhile counts as nothing. Takes no lock and changes nothing.

    Args:
        root: The audit directory.
        lane: The lane's name.
        known: As for `waiting_in`.
    """
    return sum(waiting_in(root, lane, name, known) for name in _segments(root))


def segments_in(root: Path) -> list[Path]:
    """Return the segments that lanes deliver, oldest first; none where nothing was recorded yet.

    Raises:
        OSError: The directory may not be read.
    """
    with suppress(FileNotFoundError):
        return [path for path in files.listing(root / "journal") if path.suffix in {OPEN, CLOSED}]
    return []


def _segments(root: Path) -> list[str]:
    return list(dict.fromkeys(path.stem for path in segments_in(root)))  # one that is being closed may be there twice


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
            return max(records_in(root / "journal", name, known) - progress.index - progress.ahead.bit_count(), 0)
    return 0


def oldest_waiting_ns(root: Path, lane: str, now_ns: int) -> int:
    """Return since when the oldest event waits that a lane has still to accept; 0 where none does.

    Reads one event, however much waits. Takes no lock and changes nothing.

    Args:
        root: The audit directory.
        lane: The lane's name.
        now_ns: The present, in nanoseconds since the epoch: nothing waits since later than that.
    """
    for name in _segments(root):
        if is_for(name, lane):
            with suppress(OSError):
                since_ns = _first_waiting_ns(root, lane, name)
                if since_ns:
                    return min(since_ns, now_ns)
    return 0


def _first_waiting_ns(root: Path, lane: str, name: str) -> int:
    """Return when the first event of a segment that a lane has not accepted was recorded, as far as that shows."""
    progress = cursors.read(cursors.path_of(root, lane, name)) or cursors.Progress()
    if progress.done:
        return 0
    file = open_segment(root / "journal", name)
    try:
        data = files.read_at(file.fd, _READ, progress.offset)
    finally:
        files.close(file)
    for line in data.split(b"\n")[:-1]:
        body = line[frames.OVERHEAD - 1 :]
        if frames.is_record(body):
            with suppress(ValueError):  # damage, or what is being written: nobody can say more of it
                event = draft_of(decode(body))
                # It may tell of what was long ago; but it was made, and its segment begun, before it was recorded.
                return max(event.occurred_ns, _millisecond_of(event.id), _millisecond_of(name))
    return 0


def _millisecond_of(name: str) -> int:
    """Return the time in a name that is a UUIDv7 (RFC 9562, 5.7), in nanoseconds; 0 in another."""
    try:
        return int(name[:8] + name[9:13], 16) * 1_000_000 if name[14:15] == "7" else 0
    except ValueError:
        return 0


def records_in(directory: Path, name: str, known: dict[str, int] | None) -> int:
    """Return how many records a segment holds, as far as that can be read; ``known`` as for `waiting_in`."""
    if known is not None and name in known:
        return known[name]
    closed = (directory / f"{name}{CLOSED}").exists()  # looked at first: what is closed later may have grown before
    records = count_records(directory, name)
    if known is not None and closed:
        known[name] = records
    return records
