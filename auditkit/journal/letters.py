"""Dead letters: what a destination refused for good, a line of JSON each, kept until a person has decided."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from auditkit import files
from auditkit.encoding import MAX_RECORD, decode, encode_event
from auditkit.event import Event, check_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

DEAD = "dead"
_SUFFIX = ".jsonl"
_REMEMBERED = 16_384  # refusals of which the reasons are known
_TAIL = 128  # bytes by which a place in the letters is known again: the end of one, with its time
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


class Refusals:
    """Why a destination refused events from now on, whichever process says so: each letter is read once.

    What was refused stays refused here, though its letter is put back or dropped. Safe to use from any thread.

    Args:
        root: The audit directory.
        lane: The destination.
    """

    def __init__(self, root: Path, lane: str) -> None:
        """Go to the end of the letters that there are."""
        self._path = _path(root / DEAD, lane)
        self._lock = threading.RLock()
        self._reasons: OrderedDict[str, str] = OrderedDict()
        self._offset, self._tail = 0, b""  # how far the letters are read, and the bytes before that
        with suppress(OSError):
            self._pass_all()

    def reason(self, event_id: str) -> str | None:
        """Return why an event is a dead letter; None where it is none.

        Raises:
            OSError: The letters may not be read.
        """
        with self._lock:
            self._read_on()
            return self._reasons.get(event_id)

    def _pass_all(self) -> None:
        file = files.open_to_read(self._path)
        try:
            self._offset = files.size(file)
            self._tail = files.read_at(file.fd, _TAIL, max(self._offset - _TAIL, 0))
        finally:
            files.close(file)

    def _read_on(self) -> None:
        try:
            file = files.open_to_read(self._path)
        except FileNotFoundError:
            return
        try:
            if files.read_at(file.fd, len(self._tail), self._offset - len(self._tail)) != self._tail:
                self._offset, self._tail = 0, b""  # it was made anew
            for line in files.lines_of(file, self._offset):
                if not line.endswith(b"\n"):
                    break  # it is being written
                self._offset += len(line)
                self._tail = line[-_TAIL:]
                self._keep(line)
        finally:
            files.close(file)

    def _keep(self, line: bytes) -> None:
        stated = _stated(line)
        event = stated.get("event")
        if isinstance(event, dict):
            self._reasons[str(event.get("id"))] = str(stated.get("reason") or "")
            if len(self._reasons) > _REMEMBERED:
                self._reasons.popitem(last=False)
