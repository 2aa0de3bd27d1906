"""How the audit context gets to where contextvars do not: other threads, queues and processes."""

from __future__ import annotations

from auditkit.crossing.carrying import carry_context
from auditkit.crossing.exporting import export_context
from auditkit.crossing.restoring import restored_context

__all__ = ["carry_context", "export_context", "restored_context"]
