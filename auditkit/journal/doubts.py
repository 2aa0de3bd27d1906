"""The marks of events that a destination may have twice, in its lane's directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.encoding import wire_time

if TYPE_CHECKING:
    from pathlib import Path

_FILE = "possible_duplicates.jsonl"


def mark(lane: Path, event_id: str, first_ns: int, now_ns: int) -> None:
    """Write durably that a lane's destination accepted an event now that it may have accepted long ago.

    Args:
        lane: The lane's directory.
        event_id: The event's id.
        first_ns: When it was first sent, in nanoseconds since the epoch.
        now_ns: When it was accepted.

    Raises:
        OSError: It could not be written.
    """
    line = {"id": event_id, "first_sent_at": wire_time(first_ns), "accepted_at": wire_time(now_ns)}
    files.append_durably(lane / _FILE, json.dumps(line).encode("ascii") + b"\n")


def possible_duplicates(root: Path) -> dict[str, tuple[str, ...]]:
    """Return the names of the destinations that may have an event twice, by the event's id.

    Args:
        root: The audit directory.
    """
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted((root / "lanes").glob(f"*/{_FILE}")):
        for line in path.read_bytes().splitlines():
            try:
                event_id = json.loads(line)["id"]
            except (ValueError, KeyError, TypeError):  # damage: the others are still marks
                continue
            if isinstance(event_id, str) and path.parent.name not in found.get(event_id, ()):
                found[event_id] = (*found.get(event_id, ()), path.parent.name)
    return found
