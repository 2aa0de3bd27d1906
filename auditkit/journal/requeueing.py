"""Putting dead letters back: each event once, to the destination that refused it alone, whenever we are killed.

The events are written into segments that bear their destination's name, beside the letters first. Then the letters
go, then the segments come to the others in the journal. So an event is never in neither place, and a segment that
is still beside the letters says that nobody was given it: whoever comes next goes on from there.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.encoding import decode, encode_event, wire_time
from auditkit.journal import frames
from auditkit.journal.letters import DEAD, Letter, Letterbox
from auditkit.journal.segment import CLOSED, Segment, is_for, name_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditkit.clock import Clock, IdSource
    from auditkit.journal.frames import Chain

_LARGEST = 4 * 1024 * 1024  # bytes of a segment
_BESIDES = 4096  # bytes of it that its header and its end may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeued:
    """What became of letters that were to be put back.

    Attributes:
        ids: The events that their destination gets again.
        unreadable: Letters that hold no event, and stay.
    """

    ids: tuple[str, ...]
    unreadable: tuple[Letter, ...]


def requeue(  # noqa: PLR0913  (collaborators, given by name)
    root: Path, lane: str, chosen: Callable[[Letter], bool], *, chain: Chain, ids: IdSource, clock: Clock
) -> Requeued:
    """Give a destination events that it refused again, with the ids they have, and remove their letters.

    Args:
        root: The audit directory; it must remember the destination.
        lane: The destination.
        chosen: Says which letters.
        chain: What signs the segments.
        ids: Names for them.
        clock: Time.

    Raises:
        OSError: There is no room, or the directory may not be written; the letters are where they were.
        JournalUnavailable: There is no place for them.
    """
    with Letterbox.opened(root, lane) as box:
        assert box is not None  # noqa: S101  (who waits gets it)
        _finish(box)
        shelf = _Shelf(box, chain, ids, clock)
        taken: dict[str, None] = {}
        unreadable: list[Letter] = []
        try:
            for letter in filter(chosen, box.letters()):
                if letter.event is None:
                    unreadable.append(letter)
                elif letter.id not in taken:  # a process killed between its letter and its cursor wrote it twice
                    taken[letter.id] = None
                    shelf.add(encode_event(letter.event))
            shelf.end()
            if taken:
                box.remove(taken)
        except BaseException:
            if box.stands:  # else the events are on the shelf alone, to be given by whoever comes next
                shelf.clear()
            raise
        _give(root, lane)
    return Requeued(ids=tuple(taken), unreadable=tuple(unreadable))


def finish(root: Path, lane: str) -> None:
    """Go on where a process that put letters back was killed; do nothing where none was, or one is about it.

    Raises:
        OSError: The directory cannot be read or written.
    """
    if interrupted(root, lane):
        with Letterbox.opened(root, lane, wait=False) as box:
            if box is not None:
                _finish(box)


def interrupted(root: Path, lane: str) -> bool:
    """Return whether a process is putting letters back, or was killed while it did."""
    return bool(_shelved(root, lane))


def _finish(box: Letterbox) -> None:
    ids: set[str] = set()
    for path in _shelved(box.root, box.lane):
        if path.suffix == CLOSED:
            ids |= _ids_in(path)
        else:
            path.unlink(missing_ok=True)  # not whole: its events have their letters still
    if ids:
        box.remove(ids)
        _give(box.root, box.lane)


def _give(root: Path, lane: str) -> None:
    """Put whole segments from beside the letters to the others in the journal."""
    journal = files.room(root / "journal")
    for path in _shelved(root, lane):
        path.rename(journal / path.name)
    files.sync_directory(journal)
    files.sync_directory(root / DEAD)


def _shelved(root: Path, lane: str) -> list[Path]:
    try:
        found = files.listing(root / DEAD)
    except FileNotFoundError:
        return []
    return [path for path in found if "@" in path.stem and is_for(path.stem, lane)]


def _ids_in(path: Path) -> set[str]:
    """Return the ids of the events in a whole segment."""
    file = files.open_existing(path)
    try:
        bodies = [line[frames.DIGITS :] for line in files.lines_of(file)]
    finally:
        files.close(file)
    ids = set()
    for body in bodies:
        with suppress(ValueError):  # the header and the end; and damage, which the lane judges
            ids.add(decode(body).id)
    return ids


class _Shelf:
    """Where segments are made ready: beside the letters, so that no lane sees them yet."""

    def __init__(self, box: Letterbox, chain: Chain, ids: IdSource, clock: Clock) -> None:
        self._box, self._chain, self._ids, self._clock = box, chain, ids, clock
        self._directory = box.root / DEAD
        self._size = min(box.size + _BESIDES, _LARGEST)
        self._segment: Segment | None = None

    def add(self, body: bytes) -> None:
        """Write one event.

        Raises:
            OSError: There is no room.
        """
        if self._segment is None or not self._segment.fits(len(body)):
            self.end()
            self._segment = self._begun()
        self._segment.append(body)

    def end(self) -> None:
        """Return when all that was added is on the device.

        Raises:
            OSError: The device failed.
        """
        if self._segment is not None:
            self._segment.finish()
            self._segment = None
            files.sync_directory(self._directory)

    def clear(self) -> None:
        """Take all of it away."""
        if self._segment is not None:
            self._segment.release()
        for path in _shelved(self._box.root, self._box.lane):
            path.unlink(missing_ok=True)

    def _begun(self) -> Segment:
        name = name_for(self._ids(), self._box.lane)
        self._segment = segment = Segment(self._directory, name, self._size, self._chain)
        segment.begin({"created_at": wire_time(self._clock.time_ns()), "previous": None})
        segment.open_rest(0)  # all of its space is for these
        return segment
