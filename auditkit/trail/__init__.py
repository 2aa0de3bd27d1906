"""The composition root, where journal, lanes, ledger and transports meet, and what users call."""

from __future__ import annotations

from auditkit.trail.audit_trail import AuditTrail
from auditkit.trail.process_wide import (
    aemit,
    aflush,
    configure,
    emit,
    flush,
    health,
    shutdown,
    stats,
    transport_from_environment,
)
from auditkit.trail.processes import end_all

__all__ = [
    "AuditTrail",
    "aemit",
    "aflush",
    "configure",
    "emit",
    "end_all",
    "flush",
    "health",
    "shutdown",
    "stats",
    "transport_from_environment",
]
