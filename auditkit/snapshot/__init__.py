"""The state of an object at one moment, flat and by value, and the difference of two such states. Pure."""

from __future__ import annotations

from auditkit.snapshot.difference import CAPTURE, changes_since, created, deleted, difference
from auditkit.snapshot.flattening import snapshot
from auditkit.snapshot.unknown import DEFERRED, REST, UNKNOWN, Snapshot, Unknown

__all__ = [
    "CAPTURE",
    "DEFERRED",
    "REST",
    "UNKNOWN",
    "Snapshot",
    "Unknown",
    "changes_since",
    "created",
    "deleted",
    "difference",
    "snapshot",
]
