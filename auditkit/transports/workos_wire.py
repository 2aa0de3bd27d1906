"""An event as the body that WorkOS takes, on the Audit Trail (legacy) and on Audit Logs (current). Pure.

An event that WorkOS could not take whole is fitted, never refused: see `workos_fitting`. A body is made once:
its bytes are what is sent, and sent again.

Source: design section "Facts of the wire"; requests recorded from WorkOS's own clients.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditkit.cutting import cut_text
from auditkit.event import wire_text
from auditkit.transports.workos_fitting import MAX_VALUE, fit, fit_and_say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditkit.event import Event, MetadataValue

# WorkOS answers 413 to what is too long but does not say where that begins; its framework begins at 100 KiB.
# Flat metadata within its limits stays below unless most of it is escapes; maps may not.
MAX_BODY = 100_000  # bytes
_STEPS = (MAX_VALUE, 200, 80, 24)  # characters a value may have, tried in turn until the body fits
_SHORTEST_TEXT = 80  # characters that names and ids may always have
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_PARTIES = ("actor", "target")


def audit_trail_body(event: Event) -> bytes:
    """Return the JSON body of ``POST /events``: the ten fields, ``metadata`` only where there is any."""
    return _first_that_fits(lambda limit, given: _audit_trail(event, given, limit), event.metadata)


def audit_logs_body(event: Event, organization: str, version: int | None = None) -> bytes:
    """Return the JSON body of ``POST /audit_logs/events``.

    ``action_type`` has no place of its own there and goes into the metadata; ``metadata["user_agent"]`` goes
    into the context; maps become dotted keys, and those of ``actor`` and ``target`` go to actor and target.

    Args:
        event: What happened.
        organization: WorkOS's id of the organization, ``org_...``.
        version: The version of the action's schema, where it has one.
    """

    def make(limit: int, given: Mapping[str, MetadataValue]) -> dict[str, Any]:
        body = _audit_logs(event, given, limit)
        if version is not None:
            body["version"] = version
        return {"organization_id": organization, "event": body}

    return _first_that_fits(make, event.metadata)


def _first_that_fits(
    make: Callable[[int, Mapping[str, MetadataValue]], dict[str, Any]], metadata: Mapping[str, MetadataValue]
) -> bytes:
    for limit in _STEPS:
        body = _encode(make(limit, metadata))
        if len(body) <= MAX_BODY:
            return body
    return _encode(make(_STEPS[-1], {}))  # only maps come here: Audit Logs, which have none, always fit above


def _encode(body: dict[str, Any]) -> bytes:
    return _ENCODER.encode(body).encode("utf-8", "replace")  # events hold no lone surrogate; an old record may


def _texts(event: Event, limit: int, names: tuple[str, ...]) -> tuple[dict[str, str], list[str]]:
    """Return the named fields, bounded, and the names of those that were cut."""
    whole = {name: str(getattr(event, name)) for name in names}
    if sum(map(len, whole.values())) * 2 <= limit:  # no text has more than two units a character: none is cut
        return whole, []
    fitted = {name: cut_text(text, max(limit, _SHORTEST_TEXT)) for name, text in whole.items()}
    return fitted, [name for name in names if fitted[name] is not whole[name]]


_TRAIL_TEXTS = ("group", "actor_name", "actor_id", "target_name", "target_id", "location")


def _audit_trail(event: Event, given: Mapping[str, MetadataValue], limit: int) -> dict[str, Any]:
    texts, cut = _texts(event, limit, _TRAIL_TEXTS)
    if event.metadata and not given:
        cut.append("metadata")
    body: dict[str, Any] = {
        "action": event.action,
        "action_type": str(event.action_type),
        "occurred_at": wire_text(event.occurred_at),
        **texts,
    }
    return _with_metadata(body, fit_and_say(given, also_cut=cut, value=limit))


_LOGS_TEXTS = ("actor_id", "actor_name", "actor_type", "target_id", "target_name", "target_type", "location")


def _audit_logs(event: Event, given: Mapping[str, MetadataValue], limit: int) -> dict[str, Any]:
    texts, cut = _texts(event, limit, _LOGS_TEXTS)
    places = _place(given)
    context = {"location": texts["location"]}
    if places.user_agent is not None:
        context["user_agent"] = cut_text(places.user_agent, limit)
        cut += ["user_agent"] if context["user_agent"] is not places.user_agent else []
    party: dict[str, dict[str, Any]] = {}
    for name in _PARTIES:
        fitted = fit(places.parties[name], value=limit)
        cut += [f"{name}.{key}" for key in fitted.cut]
        party[name] = _with_metadata(_party(texts, name), fitted.kept)
    metadata = {**places.rest, "action_type": str(event.action_type)}
    body = {
        "action": event.action,
        "occurred_at": wire_text(event.occurred_at),
        "actor": party["actor"],
        "targets": [party["target"]],
        "context": context,
    }
    return _with_metadata(body, fit_and_say(metadata, also_cut=cut + places.lost, value=limit))


def _party(texts: Mapping[str, str], name: str) -> dict[str, Any]:
    party = {"id": texts[f"{name}_id"], "type": texts[f"{name}_type"]}
    if texts[f"{name}_name"]:
        party["name"] = texts[f"{name}_name"]
    return party


def _with_metadata(body: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    if metadata:
        body["metadata"] = metadata
    return body


@dataclass(slots=True)
class _Places:
    """Where each key of an event's metadata goes on Audit Logs, and those that found their place taken."""

    rest: dict[str, MetadataValue] = field(default_factory=dict)
    parties: dict[str, dict[str, MetadataValue]] = field(default_factory=lambda: {name: {} for name in _PARTIES})
    user_agent: str | None = None
    lost: list[str] = field(default_factory=list)


def _place(metadata: Mapping[str, MetadataValue]) -> _Places:
    places = _Places()
    for key, value in _flat(metadata):
        party, _, name = key.partition(".")
        if key == "user_agent" and isinstance(value, str):
            places.user_agent = value
        elif key == "action_type":
            places.lost.append(key)  # each key once, auditkit's own before what was captured
        elif party in places.parties and name:
            _put(places, places.parties[party], name, key, value)
        else:
            _put(places, places.rest, key, key, value)
    return places


def _put(places: _Places, into: dict[str, MetadataValue], name: str, key: str, value: MetadataValue) -> None:
    if name in into:
        places.lost.append(key)
    else:
        into[name] = value


def _flat(metadata: Mapping[str, MetadataValue]) -> Iterator[tuple[str, MetadataValue]]:
    for key, value in metadata.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", each) for name, each in value.items())
        else:
            yield key, value
