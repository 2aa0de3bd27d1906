"""What is done: functions whose calls are recorded, and single facts."""

from __future__ import annotations

from auditkit.capture.audited import audited
from auditkit.capture.recording import record
from auditkit.capture.reference import ref

__all__ = ["audited", "record", "ref"]
