"""How far a lane has come in a segment: a small file, overwritten in place as two copies in turn.

Whoever holds the file's lock delivers the segment to that lane. Acknowledging needs no new space on the
disk, so a full disk cannot keep a destination from catching up.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from auditkit import files
from auditkit.journal import frames

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".cursor"
WINDOW = 1024  # records that may be acknowledged ahead of the first that is not
_SLOT = 1024  # bytes of one copy: the window as hex digits takes 256 of them
_DIGEST = 16


@dataclass(frozen=True, slots=True)
class Progress:
    """A place in a segment, and what was acknowledged beyond it.

    Attributes:
        turn: Rises with every write; the copy with the higher one counts.
        offset: Where the first record that is not acknowledged begins, in bytes.
        index: How many records come before it.
        head: The digits of the line before it.
        ahead: A set of bits: bit n says that the record ``index + n`` is acknowledged too.
        done: Whether every record of the segment is acknowledged.
    """

    turn: int = 0
    offset: int = 0
    index: int = 0
    head: bytes = frames.START
    ahead: int = 0
    done: bool = False

    def has(self, index: int) -> bool:
        """Return whether the record with this index is acknowledged."""
        return self.done or index < self.index or bool(self.ahead >> (index - self.index) & 1)

    def encode(self) -> bytes:
        """Return one copy's bytes."""
        text = json.dumps(
            {
                "turn": self.turn,
                "offset": self.offset,
                "index": self.index,
                "head": self.head.decode("ascii"),
                "ahead": f"{self.ahead:x}",
                "done": self.done,
            }
        ).encode("ascii")
        return (_checksum(text) + b" " + text).ljust(_SLOT - 1) + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """Return the progress that one copy holds, or None where it is damaged or was never written."""
        digest, _, text = data.rstrip().partition(b" ")
        if len(digest) != _DIGEST or digest != _checksum(text):
            return None
        fields = json.loads(text)
        fields["head"] = fields["head"].encode("ascii")
        fields["ahead"] = int(fields["ahead"], 16)
        return cls(**fields)


def _checksum(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=_DIGEST // 2, person=b"auditkit.cursor").hexdigest().encode("ascii")


def latest(data: bytes) -> Progress:
    """Return the newer of a cursor file's two copies; a file with none begins at the start."""
    copies = [Progress.decode(data[at : at + _SLOT]) for at in (0, _SLOT)]
    return max((copy for copy in copies if copy is not None), key=lambda copy: copy.turn, default=Progress())


def read(path: Path) -> Progress | None:
    """Return what a cursor file says, whoever holds it; None where there is none."""
    try:
        return latest(path.read_bytes())
    except FileNotFoundError:
        return None


class Cursor:
    """A cursor file whose lock this process holds. Used by one thread at a time."""

    __slots__ = ("_descriptor", "path", "progress")

    def __init__(self, path: Path, descriptor: int) -> None:
        """Read where the lane stands."""
        self.path = path
        self._descriptor = descriptor
        self.progress = latest(files.read_at(descriptor, 2 * _SLOT, 0))

    @classmethod
    def claim(cls, path: Path) -> Self | None:
        """Return the cursor if its lock is free (made if there is none), else None."""
        descriptor = files.locked(path, create=True)
        return None if descriptor is None else cls(path, descriptor)

    def write(self, progress: Progress) -> None:
        """Overwrite the older copy.

        Raises:
            OSError: It could not be written; the records will be sent again, with the same ids.
        """
        progress = replace(progress, turn=self.progress.turn + 1)
        files.write_at(self._descriptor, progress.encode(), progress.turn % 2 * _SLOT)
        self.progress = progress

    def close(self) -> None:
        """Free the lock."""
        files.close(self._descriptor)
