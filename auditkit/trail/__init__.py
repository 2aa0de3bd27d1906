"""The composition root, where journal, lanes, ledger and transports meet, and what users call."""

from __future__ import annotations

from auditkit.journal import possible_duplicates
from auditkit.trail.audit_trail import AuditTrail
from auditkit.trail.catching_up import catch_up, remembered
from auditkit.trail.dead_letters import DeadLetters
from auditkit.trail.delivering import Delivery, delivering
from auditkit.trail.forgetting import forget
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
from auditkit.trail.standing_in import standing_in
from auditkit.trail.status import Status, status_of
from auditkit.trail.telling import Health, Problem, Stats

__all__ = [
    "AuditTrail",
    "DeadLetters",
    "Delivery",
    "Health",
    "Problem",
    "Stats",
    "Status",
    "aemit",
    "aflush",
    "catch_up",
    "configure",
    "delivering",
    "emit",
    "end_all",
    "flush",
    "forget",
    "health",
    "possible_duplicates",
    "remembered",
    "shutdown",
    "standing_in",
    "stats",
    "status_of",
    "transport_from_environment",
]
