"""How WorkOS lists Audit Trail events: filters, order and pages. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from auditkit.testing.workos_rules import is_instant

Listed = dict[str, Any]
Query = Mapping[str, Sequence[str]]

_REPEATABLE: dict[str, Callable[[Listed], str]] = {
    "group[]": lambda event: event["group"],
    "action[]": lambda event: event["action"]["name"],
    "action_type[]": lambda event: event["type"],
    "actor_name[]": lambda event: event["actor_name"],
    "actor_id[]": lambda event: event["actor_id"],
    "target_name[]": lambda event: event["target_name"],
    "target_id[]": lambda event: event["target_id"],
}
_TIMES: dict[str, Callable[[datetime, datetime], bool]] = {
    "occurred_at": lambda one, other: one == other,
    "occurred_at_gte": lambda one, other: one >= other,
    "occurred_at_gt": lambda one, other: one > other,
    "occurred_at_lte": lambda one, other: one <= other,
    "occurred_at_lt": lambda one, other: one < other,
}
_KNOWN = {*_REPEATABLE, *_TIMES, "search", "limit", "before", "after", "order"}
_SEARCHED = ("group", "actor_name", "actor_id", "target_name", "target_id", "location")


def listed(number: int, body: Mapping[str, Any]) -> Listed:
    """Return an accepted event in the shape that WorkOS lists it in; ``number`` is its place, from 1."""
    event = {name: body[name] for name in (*_SEARCHED, "occurred_at")}
    return {
        "object": "event",
        "id": f"evt_{number:026d}",
        **event,
        "latitude": None,
        "longitude": None,
        "type": body["action_type"].lower(),
        "metadata": body.get("metadata", {}),
        "action": {
            "object": "event_action",
            "id": f"evt_action_{body['action'].replace('.', '_')}",
            "name": body["action"],
            "project_id": "project_double",
        },
    }


def query_errors(query: Query) -> list[dict[str, str]]:
    """Return the ``errors`` of WorkOS's 422 for ``GET /events``; empty for a query it answers."""
    errors = [{"field": name, "code": f"{name} should not exist"} for name in query if name not in _KNOWN]
    errors += [
        {"field": name, "code": f"{name} must be a valid ISO 8601 date string"}
        for name in _TIMES
        if not all(is_instant(text) for text in query.get(name, ()))
    ]
    limit = _last(query, "limit", "10")
    if not (limit.isdecimal() and 1 <= int(limit) <= 100):  # noqa: PLR2004  (WorkOS's bounds)
        errors.append({"field": "limit", "code": "limit must be between 1 and 100"})
    if _last(query, "order", "desc") not in {"asc", "desc"}:
        errors.append({"field": "order", "code": "order must be asc or desc"})
    return errors


def page(events: Sequence[Listed], query: Query) -> dict[str, Any]:
    """Return the answer to a valid query: a page of events, newest first by default, and its cursors.

    The newest are those accepted last, where their times are equal.
    """
    found = [event for event in events if _matches(event, query)]
    found.sort(key=lambda event: (_instant(event["occurred_at"]), event["id"]))
    if _last(query, "order", "desc") == "desc":
        found.reverse()
    limit = int(_last(query, "limit", "10"))
    ids = [event["id"] for event in found]
    before, after = _last(query, "before", ""), _last(query, "after", "")
    start, end = 0, len(found)
    if after:
        start = ids.index(after) + 1 if after in ids else end
    if before:
        end = ids.index(before) if before in ids else start
        start = max(start, end - limit)
    end = min(end, start + limit)
    shown = found[start:end]
    cursors = {
        "before": shown[0]["id"] if shown and start > 0 else None,
        "after": shown[-1]["id"] if shown and end < len(found) else None,
    }
    return {"object": "list", "data": shown, "listMetadata": cursors}


def _matches(event: Listed, query: Query) -> bool:
    for name, value_of in _REPEATABLE.items():
        wanted = query.get(name, ())
        if name == "action_type[]":
            wanted = [text.lower() for text in wanted]
        if wanted and value_of(event) not in wanted:
            return False
    moment = _instant(event["occurred_at"])
    if not all(holds(moment, _instant(text)) for name, holds in _TIMES.items() for text in query.get(name, ())):
        return False
    text = " ".join([*(event[name] for name in _SEARCHED), event["action"]["name"], json.dumps(event["metadata"])])
    return _last(query, "search", "").casefold() in text.casefold()


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _last(query: Query, name: str, default: str) -> str:
    values = query.get(name, ())
    return values[-1] if values else default
