"""Where events are written down first, on disk or in memory."""

from __future__ import annotations

from auditkit.journal.backlog import backlog, oldest_waiting_ns, segments_in
from auditkit.journal.cursor import lanes_of
from auditkit.journal.disk import DiskJournal
from auditkit.journal.doubts import possible_duplicates
from auditkit.journal.dropping import drop_lane, is_worked
from auditkit.journal.fill import Fill, fill_of
from auditkit.journal.frames import Keys
from auditkit.journal.letters import Letter, Letterbox, count_letters, lanes_with_letters, letters_of
from auditkit.journal.memory import MemoryJournal
from auditkit.journal.oversize import within_record
from auditkit.journal.requeueing import Requeued, finish, interrupted, requeue
from auditkit.journal.verification import JournalVerification
from auditkit.journal.verification import verify as verify_journal
from auditkit.journal.worker import Worker, workers_of

__all__ = [
    "DiskJournal",
    "Fill",
    "JournalVerification",
    "Keys",
    "Letter",
    "Letterbox",
    "MemoryJournal",
    "Requeued",
    "Worker",
    "backlog",
    "count_letters",
    "drop_lane",
    "fill_of",
    "finish",
    "interrupted",
    "is_worked",
    "lanes_of",
    "lanes_with_letters",
    "letters_of",
    "oldest_waiting_ns",
    "possible_duplicates",
    "requeue",
    "segments_in",
    "verify_journal",
    "within_record",
    "workers_of",
]
