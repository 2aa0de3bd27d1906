"""What WorkOS's Audit Trail lists: the query, and the page that comes back. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from auditkit.errors import ConfigurationError
from auditkit.event import ActionType, wire_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Texts = str | Sequence[str] | None
    Instant = datetime | str | None
    Order = Literal["asc", "desc"]
    Query = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAction:
    """An action as WorkOS registered it."""

    id: str
    name: str
    project_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEvent:
    """An event as WorkOS lists it: its own id, its own shape. Immutable.

    Attributes:
        id: WorkOS's id, ``evt_...``; not the id that auditkit gave.
        type: The action type in lower case, as listed; `action_type` is the usual one.
        latitude: Degrees, where WorkOS could place the location.
        longitude: Degrees, where WorkOS could place the location.
    """

    id: str
    group: str
    location: str
    latitude: float | None
    longitude: float | None
    type: str
    actor_name: str
    actor_id: str
    target_name: str
    target_id: str
    metadata: Mapping[str, Any]
    occurred_at: datetime
    action: ListedAction

    @property
    def action_type(self) -> ActionType:
        """Return the type as `Event` has it."""
        return ActionType(self.type.upper())


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """One page of listed events.

    Attributes:
        data: The events, in the order that was asked for.
        before: Give it as ``before`` to get the page before this one; None where there is none.
        after: Give it as ``after`` to get the page after this one; None where there is none.
    """

    data: tuple[ListedEvent, ...]
    before: str | None
    after: str | None


def list_query(  # noqa: PLR0913  (WorkOS's filters)
    *,
    group: Texts = None,
    action: Texts = None,
    action_type: Texts = None,
    actor_name: Texts = None,
    actor_id: Texts = None,
    target_name: Texts = None,
    target_id: Texts = None,
    occurred_at: Instant = None,
    occurred_at_gte: Instant = None,
    occurred_at_gt: Instant = None,
    occurred_at_lte: Instant = None,
    occurred_at_lt: Instant = None,
    search: str | None = None,
    limit: int | None = None,
    before: str | None = None,
    after: str | None = None,
    order: Order | None = None,
) -> Query:
    """Return the query's names and values; `WorkOSClient.list_events` describes them.

    Raises:
        ConfigurationError: Two filters exclude each other, or one is not what it must be.
    """
    times = {
        "occurred_at": occurred_at,
        "occurred_at_gte": occurred_at_gte,
        "occurred_at_gt": occurred_at_gt,
        "occurred_at_lte": occurred_at_lte,
        "occurred_at_lt": occurred_at_lt,
    }
    _check_exclusive(times)
    if limit is not None and (type(limit) is not int or limit < 1):
        raise ConfigurationError(f"limit must be an int above 0, got {limit!r}")
    if order not in {None, "asc", "desc"}:
        raise ConfigurationError(f"order must be 'asc' or 'desc', got {order!r}")
    repeatable = {
        "group": group,
        "action": action,
        "action_type": action_type,
        "actor_name": actor_name,
        "actor_id": actor_id,
        "target_name": target_name,
        "target_id": target_id,
    }
    query = [(f"{name}[]", text) for name, texts in repeatable.items() for text in _texts(name, texts)]
    query += [(name, _instant(name, instant)) for name, instant in times.items() if instant is not None]
    single = {"search": search, "limit": limit, "before": before, "after": after, "order": order}
    return query + [(name, str(value)) for name, value in single.items() if value is not None]


def read_page(document: object) -> EventPage:
    """Return the page that a JSON answer holds.

    Raises:
        ValueError: It is not such an answer. The text repeats nothing of it.
    """
    try:
        body: Any = document
        cursors = body.get("listMetadata") or body.get("list_metadata") or {}  # WorkOS has spelled it both ways
        data = tuple(_listed(each) for each in body["data"])
        return EventPage(data=data, before=cursors.get("before"), after=cursors.get("after"))
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise ValueError("not a list of events")


def _listed(item: Mapping[str, Any]) -> ListedEvent:
    action = item["action"]
    return ListedEvent(
        id=item["id"],
        group=item["group"],
        location=item["location"],
        latitude=item.get("latitude"),
        longitude=item.get("longitude"),
        type=item["type"],
        actor_name=item["actor_name"],
        actor_id=item["actor_id"],
        target_name=item["target_name"],
        target_id=item["target_id"],
        metadata=MappingProxyType(dict(item.get("metadata") or {})),
        occurred_at=datetime.fromisoformat(item["occurred_at"]),
        action=ListedAction(id=action["id"], name=action["name"], project_id=action.get("project_id")),
    )


def _check_exclusive(times: Mapping[str, Instant]) -> None:
    given = [name for name, instant in times.items() if instant is not None]
    for one, other in (("occurred_at_gte", "occurred_at_gt"), ("occurred_at_lte", "occurred_at_lt")):
        if one in given and other in given:
            raise ConfigurationError(f"give {one} or {other}, not both: WorkOS would follow only one of them")
    if "occurred_at" in given and len(given) > 1:
        raise ConfigurationError(f"give occurred_at or {given[1]}, not both: WorkOS would follow only occurred_at")


def _texts(name: str, texts: Texts) -> list[str]:
    if texts is None:
        return []
    many = [texts] if isinstance(texts, str) else list(texts)
    for text in many:
        if not isinstance(text, str):
            raise ConfigurationError(f"{name} must be a str or a sequence of them, got one {type(text).__name__}")
    return [str.__str__(text) for text in many]  # an ActionType by its value


def _instant(name: str, instant: datetime | str) -> str:
    """Return a time as it goes into the query: text as it stands, so that it is what WorkOS is asked."""
    expected = f"{name} must be an aware datetime or ISO-8601 text with an offset, such as '2019-05-01T00:00:00Z'"
    try:
        moment = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    except ValueError:
        moment = None
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise ConfigurationError(f"{expected}, got {instant!r}")
    return instant if isinstance(instant, str) else wire_text(moment)
