"""How far a lane has come in a segment: a small file, overwritten in place as two copies in turn.

Whoever holds the file's lock delivers the segment to that lane. The file is made, with its space, when the segment
is made: acknowledging needs no new space on the disk, so a full disk cannot keep a destination from catching up.
"""

from __future__ import annotations

import hashlib
import json
from binascii import hexlify
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self

from auditkit import files
from auditkit.journal import frames

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".cursor"
WINDOW = 12 * 1024  # records that may be acknowledged ahead of the first that is not: hardly a segment holds as many
_SLOT = 4096  # bytes of one copy at most: the window as hex digits takes 3072 of them
_DIGEST = 16
_EMPTY = hashlib.blake2b(digest_size=_DIGEST // 2, person=b"auditkit.cursor")


class Progress(NamedTuple):
    """A place in a segment, and what was acknowledged beyond it.

    Attributes:
        turn: Rises with every write; the copy with the higher one counts.
        offset: Where the first record that is not acknowledged begins, in bytes.
        index: How many records come before it.
        head: The digits of the line before it.
        ahead: A set of bits: bit n says that the record ``index + n`` is acknowledged too.
        done: Whether every record of the segment is acknowledged.
        damage: Tells the damage for which the records behind it are numbered; 0 where none was met.
    """

    turn: int = 0
    offset: int = 0
    index: int = 0  # type: ignore[assignment]  # a tuple has a method of this name, which nobody needs here
    head: bytes = frames.START
    ahead: int = 0
    done: bool = False
    damage: int = 0

    def has(self, index: int) -> bool:
        """Return whether the record with this index is acknowledged."""
        return self.done or index < self.index or bool(self.ahead >> (index - self.index) & 1)

    @property
    def reach(self) -> int:
        """Return how many records are acknowledged from the segment's first on, without a gap."""
        return self.index + ones(self.ahead)

    def encode(self) -> bytes:
        """Return one copy's bytes."""
        text = b'{"turn": %d, "offset": %d, "index": %d, "head": "%b", "ahead": "%x", "done": %b, "damage": %d}' % (
            self.turn,
            self.offset,
            self.index,
            self.head,
            self.ahead,
            b"true" if self.done else b"false",
            self.damage,
        )
        return _checksum(text) + b" " + text + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """Return the progress that one copy holds, or None where it is damaged or was never written."""
        line, _, _ = data.partition(b"\n")  # behind it may be the rest of an older, longer one
        digest, _, text = line.partition(b" ")
        if len(digest) != _DIGEST or digest != _checksum(text):
            return None
        fields = json.loads(text)
        return cls(
            turn=fields["turn"],
            offset=fields["offset"],
            index=fields["index"],
            head=fields["head"].encode("ascii"),
            ahead=int(fields["ahead"], 16),
            done=fields["done"],
            damage=fields.get("damage", 0),
        )


def ones(bits: int) -> int:
    """Return how many ones a set of bits ends in."""
    return ((bits + 1) & ~bits).bit_length() - 1


def _checksum(text: bytes) -> bytes:
    state = _EMPTY.copy()  # a third cheaper than a new one, for what every acknowledgement computes
    state.update(text)
    return hexlify(state.digest())


def latest(data: bytes) -> Progress:
    """Return the newer of a cursor file's two copies; a file with none begins at the start."""
    copies = [Progress.decode(data[at : at + _SLOT]) for at in (0, _SLOT)]
    return max((copy for copy in copies if copy is not None), key=lambda copy: copy.turn, default=Progress())


def read(path: Path) -> Progress | None:
    """Return what a cursor file says, whoever holds it; None where there is none."""
    try:
        file = files.open_to_read(path)
    except FileNotFoundError:
        return None
    try:
        return latest(files.read_at(file.fd, 2 * _SLOT, 0))
    finally:
        files.close(file)


def path_of(root: Path, lane: str, segment: str) -> Path:
    """Return where a lane's cursor for a segment is."""
    return root / "lanes" / lane / f"{segment}{SUFFIX}"


def lanes_of(root: Path) -> list[str]:
    """Return the names of the lanes that an audit directory remembers.

    Raises:
        OSError: It cannot be listed.
    """
    return [lane.name for lane in files.listing(root / "lanes") if lane.is_dir()]


def prepare(root: Path, segment: str) -> None:
    """Make the cursor of each remembered lane for a segment that nobody delivers yet.

    Raises:
        OSError: There is no room for them; those that were made are removed.
    """
    with suppress(FileNotFoundError):  # no lane is remembered
        for lane in lanes_of(root):
            try:
                _make(path_of(root, lane, segment))
            except FileNotFoundError:  # the lane was dropped meanwhile
                continue
            except OSError:
                discard(root, segment)
                raise


def _make(path: Path) -> None:
    file = files.create_private(path)
    try:
        files.reserve(file.fd, 2 * _SLOT)
    finally:
        files.close(file)


def discard(root: Path, segment: str) -> None:
    """Remove the cursors that were made for a segment which was never begun."""
    with suppress(OSError):  # whatever stays is removed by the next look of its lane
        for lane in lanes_of(root):
            path_of(root, lane, segment).unlink(missing_ok=True)


class Cursor:
    """A cursor file whose lock this process holds. Used by one thread at a time."""

    __slots__ = ("_file", "path", "progress")

    def __init__(self, path: Path, file: files.Handle, progress: Progress) -> None:
        """Keep the lock and where the lane stands."""
        self.path = path
        self._file = file
        self.progress = progress

    @classmethod
    def claim(cls, path: Path) -> Self | None:
        """Return the cursor if its lock is free (made, with its space, if there is none), else None.

        Raises:
            OSError: It cannot be opened or read, or there is no room for it.
        """
        file = files.locked(path, create=True)
        if file is None:
            return None
        try:
            data = files.read_at(file.fd, 2 * _SLOT, 0)
            if len(data) < 2 * _SLOT:
                files.reserve(file.fd, 2 * _SLOT)
            return cls(path, file, latest(data))
        except BaseException:
            files.close(file)
            raise

    def write(self, progress: Progress) -> None:
        """Overwrite the older copy.

        Raises:
            OSError: It could not be written; the records will be sent again, with the same ids.
        """
        progress = progress._replace(turn=self.progress.turn + 1)
        files.write_at(self._file.fd, progress.encode(), progress.turn % 2 * _SLOT)
        self.progress = progress

    def remove(self) -> None:
        """Remove the file while its lock is held, so that nobody takes it in between; then free the lock."""
        try:
            self.path.unlink(missing_ok=True)
        finally:
            self.close()

    def close(self) -> None:
        """Free the lock."""
        files.close(self._file)
