"""How full a journal is beside what it may become."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.journal import frames
from auditkit.journal.segment import CLOSED, OPEN

if TYPE_CHECKING:
    from pathlib import Path

_HEADER_ROOM = 4096  # bytes in which a header ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """How full a journal is.

    Attributes:
        bytes: What all of it takes, the space that is kept ready for the next events included.
        waiting: What the segments take that are full, and wait for a destination.
        max_bytes: How large it may become, as its latest writer said; None where there is none who did.
    """

    bytes: int = 0
    waiting: int = 0
    max_bytes: int | None = None

    @property
    def share(self) -> float:
        """Return how much of the space for waiting events they take: 1 when there is no more."""
        if self.max_bytes is None or not self.waiting:
            return 0.0
        room = self.max_bytes - (self.bytes - self.waiting)
        return min(self.waiting / room, 1.0) if room > 0 else 1.0

    def full_in(self, age: float) -> float | None:
        """Return the seconds until there is no more space, if all goes on as it did; None where that is not known.

        Args:
            age: Seconds since the oldest of what waits was recorded.
        """
        if self.max_bytes is None or not self.waiting or not age > 0:
            return None
        return max(self.max_bytes - self.bytes, 0) * age / self.waiting


def fill_of(root: Path) -> Fill:
    """Return how full a directory's journal is. Takes no lock and changes nothing.

    Args:
        root: The audit directory.

    Raises:
        OSError: It cannot be looked at.
    """
    sizes: dict[Path, int] = {}
    with suppress(FileNotFoundError):
        for path in files.listing(root / "journal"):
            with suppress(FileNotFoundError):  # renamed or removed meanwhile
                sizes[path] = path.lstat().st_size
    waiting = sum(size for path, size in sizes.items() if path.suffix == CLOSED)
    newest_first = [path for path in reversed(sizes) if path.suffix in {OPEN, CLOSED}]
    return Fill(bytes=sum(sizes.values()), waiting=waiting, max_bytes=_limit(newest_first))


def _limit(segments: list[Path]) -> int | None:
    for path in segments:
        with suppress(OSError):
            file = files.open_to_read(path)
            try:
                limit = frames.stated_limit(files.read_at(file.fd, _HEADER_ROOM, 0))
            finally:
                files.close(file)
            if limit is not None:
                return limit
    return None
