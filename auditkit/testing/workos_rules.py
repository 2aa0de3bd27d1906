"""What WorkOS takes and what it refuses, as its documentation and its recorded answers say. Pure.

The numbers stand here a second time on purpose: a double that shared them with the transports could not tell
when these are wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXTS = ("group", "action", "actor_name", "actor_id", "target_name", "target_id", "location")
_TRAIL = {*_TEXTS, "action_type", "occurred_at", "metadata"}
_KEYS, _KEY, _VALUE, _TARGETS = 50, 40, 500, 20


def is_instant(value: object) -> bool:
    """Return whether a value is ISO-8601 text with an offset."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).utcoffset() is not None
    except ValueError:
        return False


def audit_trail_errors(body: object) -> list[dict[str, str]]:
    """Return the ``errors`` of WorkOS's 422 for ``POST /events``; empty for an event it takes."""
    if not isinstance(body, Mapping):
        return [_error("event", "must be an object")]
    errors = [_error(name, "must be a string") for name in _TEXTS if not isinstance(body.get(name), str)]
    if body.get("action_type") not in {"C", "R", "U", "D"}:
        text = isinstance(body.get("action_type"), str)
        errors.append(_error("action_type", "must be one of C, R, U, D" if text else "must be a string"))
    if not is_instant(body.get("occurred_at")):
        errors.append(_error("occurred_at", "must be a valid ISO 8601 date string"))
    errors += [_error(str(name), "should not exist") for name in body if name not in _TRAIL]
    errors += [_error(path, why) for path, why in _metadata("metadata", body.get("metadata", {}), maps=True)]
    return errors


def audit_logs_errors(event: object) -> list[dict[str, Any]]:
    """Return the ``errors`` of WorkOS's 400 for ``POST /audit_logs/events``; they echo the ``data``."""
    found = list(_audit_logs(event))
    return [
        {"instancePath": f"/{path}", "schemaPath": "#", "keyword": "type", "message": why, "data": data}
        for path, why, data in found
    ]


def _audit_logs(event: object) -> Iterator[tuple[str, str, object]]:
    if not isinstance(event, Mapping):
        yield "", "must be object", event
        return
    if not isinstance(event.get("action"), str):
        yield "action", "must be string", event.get("action")
    if not is_instant(event.get("occurred_at")):
        yield "occurred_at", "must be a date", event.get("occurred_at")
    if type(event.get("version", 1)) is not int:
        yield "version", "must be integer", event["version"]
    context = event.get("context")
    if not isinstance(context, Mapping) or not isinstance(context.get("location"), str):
        yield "context/location", "must be string", context
    yield from _party("actor", event.get("actor"))
    yield from _targets(event.get("targets"))
    for path, why in _metadata("metadata", event.get("metadata", {}), maps=False):
        yield path, why, event.get("metadata")


def _targets(targets: object) -> Iterator[tuple[str, str, object]]:
    if not isinstance(targets, list) or len(targets) > _TARGETS:
        yield "targets", f"must be an array of at most {_TARGETS} items", targets
        return
    for number, target in enumerate(targets):
        yield from _party(f"targets/{number}", target)


def _party(path: str, party: object) -> Iterator[tuple[str, str, object]]:
    if not isinstance(party, Mapping):
        yield path, "must be object", party
        return
    for name in ("id", "type"):
        if not isinstance(party.get(name), str):
            yield f"{path}/{name}", "must be string", party.get(name)
    if not isinstance(party.get("name", ""), str):
        yield f"{path}/name", "must be string", party["name"]
    for where, why in _metadata(f"{path}/metadata", party.get("metadata", {}), maps=False):
        yield where, why, party.get("metadata")


def _metadata(path: str, metadata: object, *, maps: bool) -> Iterator[tuple[str, str]]:
    if not isinstance(metadata, Mapping):
        yield path, "must be an object"
        return
    if len(metadata) > _KEYS:
        yield path, f"must have at most {_KEYS} keys"
    for key, value in metadata.items():
        if _length(key) > _KEY:
            yield path, f"must have keys of at most {_KEY} characters"
        if isinstance(value, Mapping) and maps:
            yield from _metadata(f"{path}.{key}", value, maps=False)
        elif not isinstance(value, str | int | float):
            yield f"{path}.{key}", "must be a string, a number or a boolean"
        elif isinstance(value, str) and _length(value) > _VALUE:
            yield f"{path}.{key}", f"must have at most {_VALUE} characters"


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2  # as JavaScript counts


def _error(name: str, why: str) -> dict[str, str]:
    return {"field": name, "code": f"{name} {why}"}
