"""Dead letters: what a destination refused for good, a line of JSON each, kept until a person has decided."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from auditkit import files
from auditkit.encoding import MAX_RECORD, decode, encode_event
from auditkit.event import Event, check_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

DEAD = "dead"
_SUFFIX = ".jsonl"
_ODD = (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError)  # met in what is no event


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One dead letter.

    Attributes:
        destination: Who refused it.
        id: The event's id; ``unreadable-`` and some digits where it holds no event.
        at: When it was refused, as text; empty where it does not say.
        reason: Why, in the destination's own words.
        event: What was refused; None where that is no event, so that nobody can deliver it.
        line: What stands in the file.
    """

    destination: str
    id: str
    at: str
    reason: str
    event: Event | None
    line: bytes

    @classmethod
    def read(cls, destination: str, line: bytes) -> Self:
        """Return the letter that a line holds."""
        stated = _stated(line)
        event = _event(stated.get("event"))
        digits = "" if event else hashlib.sha256(line.rstrip(b"\n")).hexdigest()[:12]
        at, reason = (str(stated.get(name) or "") for name in ("at", "reason"))
        name = event.id if event else f"unreadable-{digits}"
        return cls(destination=destination, id=name, at=at, reason=reason, event=event, line=line)

    @property
    def torn(self) -> bool:
        """Return whether its writer died in the middle of it: nobody was told that it is here."""
        return self.event is None and not self.line.endswith(b"\n")


def _stated(line: bytes) -> dict[str, Any]:
    try:
        stated = json.loads(line)
    except _ODD:
        return {}
    return stated if isinstance(stated, dict) else {}


def _event(stated: object) -> Event | None:
    """Return the event, if it is one that can be recorded again just as it stands."""
    try:
        event = decode(json.dumps(stated).encode("ascii"))
        check_id("id", event.id)
        body = encode_event(event)
        return event if decode(body) == event and len(body) <= MAX_RECORD else None
    except _ODD:
        return None


def bury(root: Path, lane: str, event: dict[str, object], reason: str, at: str) -> None:
    """Add a dead letter, and return when it is on the device.

    Raises:
        OSError: It could not be written.
        JournalUnavailable: There is no place for it.
    """
    letter = json.dumps({"event": event, "reason": reason, "at": at})
    files.append_durably(_path(files.room(root / DEAD), lane), letter.encode("ascii") + b"\n")


def lanes_with_letters(root: Path) -> list[str]:
    """Return the destinations that have, or had, dead letters, sorted.

    Raises:
        OSError: The directory may not be read.
    """
    try:
        found = files.listing(root / DEAD)
    except FileNotFoundError:
        return []
    return [path.name.removesuffix(_SUFFIX) for path in found if path.suffix == _SUFFIX and path.name[0] != "."]


def letters_of(root: Path, lane: str) -> Iterator[Letter]:
    """Yield a destination's dead letters, oldest first; takes no lock and changes nothing.

    Raises:
        OSError: They may not be read.
    """
    try:
        file = files.open_to_read(_path(root / DEAD, lane))
    except FileNotFoundError:
        return
    try:
        yield from (letter for letter in _read(file, lane) if not letter.torn)
    finally:
        files.close(file)


def count_letters(root: Path, lane: str) -> int:
    """Return how many dead letters a destination has, without reading what they say.

    Raises:
        OSError: They may not be read.
    """
    try:
        file = files.open_to_read(_path(root / DEAD, lane))
    except FileNotFoundError:
        return 0
    try:
        return sum(line.endswith(b"\n") and not line.isspace() for line in files.lines_of(file))
    finally:
        files.close(file)


class End(NamedTuple):
    """Where a file of letters ended: those that come later lie behind it, unless it was made anew.

    Attributes:
        inode: Which file it was; 0 for none.
        size: Its bytes.
    """

    inode: int = 0
    size: int = 0


def end_of(root: Path, lane: str) -> End:
    """Return where a destination's dead letters end now."""
    try:
        stat = _path(root / DEAD, lane).stat()
    except OSError:
        return End()
    return End(stat.st_ino, stat.st_size)


def reason_of(root: Path, lane: str, event_id: str, since: End) -> str | None:
    """Return why an event that was recorded ``since`` is a dead letter; None where it is none.

    Raises:
        OSError: The letters may not be read.
    """
    now = end_of(root, lane)
    if now in {since, End()}:
        return None
    stated = json.dumps(event_id).encode("ascii")
    file = files.open_to_read(_path(root / DEAD, lane))
    try:
        for line in files.lines_of(file, since.size if now.inode == since.inode else 0):
            letter = Letter.read(lane, line) if stated in line else None
            if letter is not None and letter.id == event_id:
                return letter.reason
    finally:
        files.close(file)
    return None


def _read(file: files.Handle, lane: str) -> Iterator[Letter]:
    return (Letter.read(lane, line) for line in files.lines_of(file) if line.strip())


def _path(directory: Path, lane: str) -> Path:
    return directory / f"{lane}{_SUFFIX}"


class Letterbox:
    """One destination's dead letters, locked: who else adds or takes one waits. Used by one thread.

    Attributes:
        root: The audit directory.
        lane: The destination.
    """

    def __init__(self, root: Path, lane: str, file: files.Handle) -> None:
        """Keep the lock."""
        self.root, self.lane = root, lane
        self._file = file

    @classmethod
    @contextmanager
    def opened(cls, root: Path, lane: str, *, wait: bool = True) -> Iterator[Self | None]:
        """Lock it inside; without ``wait`` there is None where another process has it.

        Raises:
            OSError: It may not be written.
            JournalUnavailable: There is no place for it.
        """
        file = files.locked(_path(files.room(root / DEAD), lane), create=True, wait=wait)
        if file is None:
            yield None
            return
        box = cls(root, lane, file)
        try:
            yield box
        finally:
            files.close(box._file)

    def letters(self) -> Iterator[Letter]:
        """Yield its letters, oldest first."""
        return _read(self._file, self.lane)

    @property
    def size(self) -> int:
        """Return how many bytes they take."""
        return files.size(self._file)

    @property
    def stands(self) -> bool:
        """Return whether the letters are those that `letters` reads: nothing was removed."""
        return files.is_named(self._file, _path(self.root / DEAD, self.lane))

    def remove(self, ids: Collection[str]) -> None:
        """Remove all letters of these ids, at once and durably.

        Raises:
            OSError: It cannot be written; where `stands` says so, nothing was removed.
        """
        kept = (letter.line.rstrip(b"\n") + b"\n" for letter in self.letters() if letter.id not in ids)
        self._file = files.replace_locked(self._file, _path(self.root / DEAD, self.lane), kept)
