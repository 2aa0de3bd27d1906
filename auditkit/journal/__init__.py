"""Where events are written down first, on disk or in memory."""

from __future__ import annotations

from auditkit.journal.disk import DiskJournal
from auditkit.journal.frames import Keys
from auditkit.journal.memory import MemoryJournal

__all__ = ["DiskJournal", "Keys", "MemoryJournal"]
