"""The state of an object at one moment, flat and by value, and the difference of two such states. Pure."""

from __future__ import annotations

from auditkit.snapshot.difference import CAPTURE, created, deleted, difference
from auditkit.snapshot.flattening import snapshot
from auditkit.snapshot.look import Seen, as_snapshot, changes_since, look
from auditkit.snapshot.unknown import DEFERRED, REST, UNKNOWN, Snapshot, Unknown

__all__ = [
    "CAPTURE",
    "DEFERRED",
    "REST",
    "UNKNOWN",
    "Seen",
    "Snapshot",
    "Unknown",
    "as_snapshot",
    "changes_since",
    "created",
    "deleted",
    "difference",
    "look",
    "snapshot",
]
