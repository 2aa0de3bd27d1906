"""What a recorded event states, read from its JSON without making an `Event` of it. Pure.

The ledger needs eight texts of an event and keeps the rest as it was recorded: to decode all of it was a third of its
work.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from auditkit.encoding import nanoseconds_of, wire_time
from auditkit.event import whole_text

if TYPE_CHECKING:
    from auditkit.event import Event
    from auditkit.protocols import Stated

# As `encode` writes it, field by field. Nothing is tried twice (``*+``), so that no body takes long.
_TEXT = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_OTHER = _TEXT.replace("(", "(?:", 1)
_FORM = re.compile(
    rf'{{"id":{_TEXT},"occurred_at":"(\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{6}}Z)","group":{_TEXT},'
    rf'"actor_id":{_TEXT},"actor_name":{_TEXT},"actor_type":{_OTHER},"location":{_OTHER},'
    rf'"correlation_id":(?:null|{_OTHER}),"action":{_TEXT},"action_type":"[CRUD]","target_id":{_TEXT},'
    rf'"target_name":{_TEXT},"target_type":{_OTHER},"parent_id":(?:null|{_OTHER}),"metadata":{{.*}}}}'
)


def read_stated(body: bytes) -> Stated | None:
    """Return what a body of the form that `encode` gives says of its event, at a quarter of what `decode` takes.

    Returns:
        None where it has another form: then `decode` tells.
    """
    text = body.decode("ascii", "replace")
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    if "\\" not in text:
        return found.groups()  # type: ignore[return-value]  # eight of them, each in every match
    return tuple(whole_text(json.loads(f'"{each}"')) if "\\" in each else each for each in found.groups())  # type: ignore[return-value]


def stated_of(event: Event) -> Stated:
    """Return the same of an event."""
    return (
        event.id,
        wire_time(nanoseconds_of(event)),
        # Once more: a lone surrogate in an old record cannot be bound by SQLite, and the trail must go on.
        whole_text(event.group),
        whole_text(event.actor_id),
        whole_text(event.actor_name),
        event.action,
        whole_text(event.target_id),
        whole_text(event.target_name),
    )
