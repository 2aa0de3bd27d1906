"""What is done: functions whose calls are recorded, and single facts."""

from __future__ import annotations

from auditkit.capture.audited import audited
from auditkit.capture.block import auditing
from auditkit.capture.entry import Entry, current_entry
from auditkit.capture.recording import arecord, record
from auditkit.capture.reference import ref
from auditkit.capture.registry import is_audited

__all__ = [
    "Entry",
    "arecord",
    "audited",
    "auditing",
    "current_entry",
    "is_audited",
    "record",
    "ref",
]
