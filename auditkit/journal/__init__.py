"""Where events are written down first, on disk or in memory."""

from __future__ import annotations

from auditkit.journal.backlog import backlog
from auditkit.journal.disk import DiskJournal
from auditkit.journal.doubts import possible_duplicates
from auditkit.journal.frames import Keys
from auditkit.journal.letters import Letter, Letterbox, lanes_with_letters, letters_of
from auditkit.journal.memory import MemoryJournal
from auditkit.journal.requeueing import Requeued, finish, interrupted, requeue
from auditkit.journal.verification import JournalVerification
from auditkit.journal.verification import verify as verify_journal

__all__ = [
    "DiskJournal",
    "JournalVerification",
    "Keys",
    "Letter",
    "Letterbox",
    "MemoryJournal",
    "Requeued",
    "backlog",
    "finish",
    "interrupted",
    "lanes_with_letters",
    "letters_of",
    "possible_duplicates",
    "requeue",
    "verify_journal",
]
