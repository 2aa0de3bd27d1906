"""Audit trails for Python services: who did what to what, when, from where, and what it was before."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from auditkit.capture import (
    Entry,
    arecord,
    audited,
    auditing,
    current_entry,
    record,
    ref,
)
from auditkit.context import Context, audit_context, bind_context, current_context
from auditkit.errors import (
    AuditDefinitionError,
    AuditError,
    ConfigurationError,
    ContextRefused,
    DeliveryError,
    DeliveryRejected,
    InvalidEventError,
    JournalError,
    JournalFull,
    JournalUnavailable,
    KeyReused,
    LedgerError,
    Paused,
    ReceiptUnavailable,
    RecordingFailed,
    Rejected,
    TemporaryFailure,
    WorkOSAuthenticationError,
    WorkOSAuthorizationError,
    WorkOSBadRequest,
    WorkOSConnectionError,
    WorkOSError,
    WorkOSNotFound,
    WorkOSRateLimited,
    WorkOSServerError,
    WorkOSUnprocessable,
)
from auditkit.event import ActionType, Actor, Event, Target
from auditkit.trail import (
    AuditTrail,
    aemit,
    aflush,
    configure,
    emit,
    flush,
    health,
    shutdown,
    stats,
)

if TYPE_CHECKING:
    from auditkit.capture.registered import RegisteredAction, registered_actions
    from auditkit.crossing import carry_context, export_context, restored_context
    from auditkit.protocols import Receipt, Transport
    from auditkit.trail.telling import Health, Problem, Stats

__all__ = [
    "ActionType",
    "Actor",
    "AuditDefinitionError",
    "AuditError",
    "AuditTrail",
    "ConfigurationError",
    "Context",
    "ContextRefused",
    "DeliveryError",
    "DeliveryRejected",
    "Entry",
    "Event",
    "Health",
    "InvalidEventError",
    "JournalError",
    "JournalFull",
    "JournalUnavailable",
    "KeyReused",
    "LedgerError",
    "Paused",
    "Problem",
    "Receipt",
    "ReceiptUnavailable",
    "RecordingFailed",
    "RegisteredAction",
    "Rejected",
    "Stats",
    "Target",
    "TemporaryFailure",
    "Transport",
    "WorkOSAuthenticationError",
    "WorkOSAuthorizationError",
    "WorkOSBadRequest",
    "WorkOSConnectionError",
    "WorkOSError",
    "WorkOSNotFound",
    "WorkOSRateLimited",
    "WorkOSServerError",
    "WorkOSUnprocessable",
    "__version__",
    "aemit",
    "aflush",
    "arecord",
    "audit_context",
    "audited",
    "auditing",
    "bind_context",
    "carry_context",
    "configure",
    "current_context",
    "current_entry",
    "emit",
    "export_context",
    "flush",
    "health",
    "record",
    "ref",
    "registered_actions",
    "restored_context",
    "shutdown",
    "stats",
]

_LATER = {
    "Health": "auditkit.trail.telling",
    "Problem": "auditkit.trail.telling",
    "Receipt": "auditkit.protocols",
    "RegisteredAction": "auditkit.capture.registered",
    "Stats": "auditkit.trail.telling",
    "Transport": "auditkit.protocols",
    "carry_context": "auditkit.crossing",
    "export_context": "auditkit.crossing",
    "registered_actions": "auditkit.capture.registered",
    "restored_context": "auditkit.crossing",
}


def __getattr__(name: str) -> Any:
    """Look up when somebody asks what would make the import slower: the distribution's metadata, and what few use."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  (the reason above)

        return version("auditkit-trail")
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    message = f"module 'auditkit' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
