"""The values: an event, who acted, on what, and the four kinds of action."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from auditkit.clock import new_id
from auditkit.errors import InvalidEventError
from auditkit.frozen import FrozenValue, frozen_value
from auditkit.loaded import loaded_class

if TYPE_CHECKING:
    from uuid import UUID

    Id = str | int | UUID | Enum
else:
    Id = Any  # so that annotations can be read, and uuid need not be loaded

Scalar = str | bool | int | float | None
MetadataValue = Scalar | Mapping[str, Scalar]

_ACTION = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
_ID = re.compile(r"[\x21-\x7e]{1,255}")
_SHOWN = 80  # characters of a refused value that its message repeats
_INT_LIMIT = 2**63
_PAIR = 2  # an id and a name
_OWN_KEYS = frozenset({"outcome", "error", "on_behalf_of_id", "on_behalf_of_name"})


class ActionType(StrEnum):
    """What kind of thing was done."""

    CREATE = "C"
    READ = "R"
    UPDATE = "U"
    DELETE = "D"


def whole_text(value: str) -> str:
    """Return exactly a ``str`` in which every lone surrogate, which no UTF-8 can carry, is U+FFFD."""
    text = str.__str__(value)
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def describe(value: object) -> str:
    """Show a refused value in a message: its repr for plain text and numbers, its type otherwise."""
    if value is None or isinstance(value, bool):
        return repr(value)
    if type(value) in {str, int, float}:
        try:
            shown = repr(value)
        except ValueError:  # an int of more than 4,300 digits has no text
            return f"a very large {type(value).__name__}"
        return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    return f"a value of type {type(value).__name__}"


def describe_kind(value: object) -> str:
    """Show a refused value by its type alone, where a text may hold anything: it does not end in a log."""
    return "None" if value is None else f"a value of type {type(value).__name__}"


def text_id(value: object, field_name: str) -> str:
    """Return an id as text.

    Args:
        value: A ``str``, ``int``, ``UUID`` or an ``Enum`` of one of these.
        field_name: What the message calls it.

    Raises:
        InvalidEventError: It is none of these.
    """
    if type(value) is str:  # what it nearly always is: whoever says who acts says it for each request
        return whole_text(value)
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return int.__repr__(value)
        except ValueError:  # one of more than 4,300 digits has no text: it is told so below
            pass
    if isinstance(value, loaded_class("uuid", "UUID")):
        return str(value)
    raise InvalidEventError(field_name, describe(value), "a str, int, UUID or Enum")


def _pair(value: object, field_name: str) -> tuple[object, object]:
    """Split what stands for an actor or a target into its id and its name (None when it has none)."""
    if isinstance(value, Mapping):
        if "id" not in value:
            keys = ", ".join(sorted(map(describe, value)))
            raise InvalidEventError(field_name, f"a mapping with keys [{keys}]", "a mapping with 'id'")
        return value["id"], value.get("name")
    if isinstance(value, str | int | Enum) or isinstance(value, loaded_class("uuid", "UUID")):  # noqa: SIM101  (texts)
        return value, None
    if isinstance(value, Sequence) and not isinstance(value, bytes) and not hasattr(value, "_fields"):
        if len(value) != _PAIR:
            raise InvalidEventError(field_name, f"a sequence of {len(value)}", "an (id, name) pair")
        return value[0], value[1]
    for attribute in ("pk", "id"):
        found = getattr(value, attribute, None)
        if found is not None:
            name = getattr(value, "name", None)
            return found, name if isinstance(name, str) else None
    raise InvalidEventError(
        field_name, describe(value), "an id, an (id, name) pair, a mapping with 'id', or an object with pk or id"
    )


def lacks_id(value: object) -> bool:
    """Return whether a value has the place for an id, and None in it: it is not saved yet, or nobody. Never raises."""
    try:
        if isinstance(value, Mapping):
            return "id" in value and value["id"] is None
        found = [getattr(value, name) for name in ("pk", "id") if hasattr(value, name)]
    except Exception:  # noqa: BLE001  (an object's own attributes may raise anything)
        return False
    return value is None or (bool(found) and all(each is None for each in found))


def _name_or(field_name: str, name: object, its_id: str) -> str:
    """Return the name of an actor or a target as text; a missing one, None or empty, is its id."""
    return its_id if name is None else text_id(name, f"{field_name}.name") or its_id


@frozen_value
class Actor(FrozenValue):
    """Who acted. A missing name is the id.

    Args:
        id: ``str``, ``int``, ``UUID`` or ``Enum``; kept as text.
        name: What a person calls them, such as an e-mail address.
        type: What kind of actor it is; ``"user"`` unless said otherwise.

    Raises:
        InvalidEventError: A value is not of these types, or the id is empty.
    """

    __slots__ = ("id", "name", "type")

    id: str
    name: str
    type: str

    def __init__(self, id: Id, name: Id | None = None, type: str = "user") -> None:  # noqa: A002  (fields of the wire)
        """Turn the id into text and fill in the name."""
        actor_id = _text("actor.id", text_id(id, "actor.id"))
        self._settle(id=actor_id, name=_name_or("actor", name, actor_id), type=_text("actor.type", type))

    @classmethod
    def of(cls, value: object) -> Actor:
        """Return the actor that an id, an ``(id, name)`` pair, a mapping or an object with ``pk`` or ``id`` names."""
        if isinstance(value, Actor):
            return value
        if type(value) is tuple and len(value) == _PAIR:  # as most give it
            return cls(*value)
        kind = value.get("type", "user") if isinstance(value, Mapping) else "user"
        actor_id, name = _pair(value, "actor")
        return cls(actor_id, name, kind)  # type: ignore[arg-type]  # __init__ judges them


@frozen_value
class Target(FrozenValue):
    """What was acted on. A missing name is the id, a missing type the action's category.

    Args:
        id: ``str``, ``int``, ``UUID`` or ``Enum``; kept as text.
        name: What a person calls it.
        type: What kind of thing it is.

    Raises:
        InvalidEventError: A value is not of these types.
    """

    __slots__ = ("id", "name", "type")

    id: str
    name: str
    type: str | None

    def __init__(self, id: Id, name: Id | None = None, type: str | None = None) -> None:  # noqa: A002  (as above)
        """Turn the id into text and fill in the name."""
        target_id = text_id(id, "target.id")
        kind = None if type is None else _text("target.type", type)
        self._settle(id=target_id, name=_name_or("target", name, target_id), type=kind)

    @classmethod
    def of(cls, value: object) -> Target:
        """Return the target that an id, an ``(id, name)`` pair, a mapping or an object with ``pk`` or ``id`` names."""
        if isinstance(value, Target):
            return value
        if isinstance(value, Sequence) and not isinstance(value, str | bytes | tuple):
            # Several ids, of which there may be two by chance: they must not pass for an id and its name.
            shown = f"a {type(value).__name__} of {len(value)}"
            raise InvalidEventError("target", shown, "one; current_entry().add_target tells of several")
        kind = value.get("type") if isinstance(value, Mapping) else None
        target_id, name = _pair(value, "target")
        return cls(target_id, name, kind)  # type: ignore[arg-type]  # __init__ judges them


def _text(name: str, value: object, *, empty: bool = False) -> str:
    if type(value) is not str and isinstance(value, Enum):
        value = value.value
    if not isinstance(value, str):
        raise InvalidEventError(name, describe(value), "a str")
    if not value and not empty:
        raise InvalidEventError(name, "''", "a non-empty str")
    return whole_text(value)


def check_action(value: object) -> str:
    """Return an action's name if it has a category and a name separated by a period."""
    text = _text("action", value)
    if not _ACTION.fullmatch(text):
        raise InvalidEventError(
            "action", describe(text), "a category and a name separated by a period, such as 'user.login'"
        )
    return text


def check_action_type(value: object) -> str:
    """Return an action type as one of the texts C, R, U and D."""
    if isinstance(value, str) and str.__str__(value) in {"C", "R", "U", "D"}:
        return str.__str__(value)
    raise InvalidEventError("action_type", describe(value), "'C', 'R', 'U' or 'D'")


def _instant(name: str, value: object) -> datetime:
    expected = "an aware datetime or an ISO-8601 str with an offset, such as '2019-05-01T01:15:55.619355Z'"
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidEventError(name, describe(value), expected) from None
    if not isinstance(value, datetime):
        raise InvalidEventError(name, describe(value), expected)
    if value.utcoffset() is None:
        raise InvalidEventError(name, f"the naive time {value.isoformat()}", expected)
    try:
        utc = value.astimezone(UTC)
    except OverflowError:
        raise InvalidEventError(name, value.isoformat(), "a time between the years 1 and 9999 in UTC") from None
    # A class of its own (pandas', pendulum's) has arithmetic of its own, and more digits than the wire.
    return utc if type(utc) is datetime else datetime.combine(utc.date(), utc.time(), UTC)


def wire_text(instant: datetime) -> str:
    """Return an instant as the wire wants it: UTC, microseconds, ``Z``."""
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _scalar(path: str, value: object) -> Scalar:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _scalar(path, value.value)
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, int | float):
        return _number(path, value)
    if isinstance(value, datetime):
        return wire_text(_instant(path, value))
    raise InvalidEventError(
        path, describe(value), "a str, bool, int, finite float, aware datetime, None, or one mapping of these"
    )


def _number(path: str, value: float) -> int | float:
    if isinstance(value, int):
        if -_INT_LIMIT <= value < _INT_LIMIT:
            return int(value)
        raise InvalidEventError(path, "a larger int", "an int of 64 bits (give larger ones as str)")
    if math.isfinite(value):
        return float(value)
    raise InvalidEventError(path, repr(float(value)), "a finite float")


def is_own(key: str) -> bool:
    """Return whether auditkit writes a key of metadata itself: nobody else may say under it how an action went."""
    return key in _OWN_KEYS or key.startswith("auditkit_")


def stated_key(key: str) -> str:
    """Return the key for what a user states under a key: ``metadata.<key>`` where that is auditkit's own."""
    return f"metadata.{str.__str__(key)}" if is_own(key) else key


def check_metadata(value: object) -> dict[str, MetadataValue]:
    """Return validated metadata as a new dict; datetimes become their wire text.

    Raises:
        InvalidEventError: A key or value is not one that audit metadata takes; names its path.
    """
    if not isinstance(value, Mapping):
        raise InvalidEventError("metadata", describe_kind(value), "a mapping of str keys")
    checked: dict[str, MetadataValue] = {}
    for key, item in value.items():
        name = _key("metadata", key)
        path = f"metadata[{name!r}]"
        if isinstance(item, Mapping):
            checked[name] = MappingProxyType(
                {_key(path, inner): _scalar(f"{path}[{inner!r}]", scalar) for inner, scalar in item.items()}
            )
        else:
            checked[name] = _scalar(path, item)
    return checked


def _key(path: str, key: object) -> str:
    if not isinstance(key, str) or not key:
        raise InvalidEventError(path, f"the key {describe(key)}", "a mapping with non-empty str keys")
    return whole_text(key)


def _now() -> datetime:
    # Microseconds of the same clock that ids use; datetime.now would read another one.
    return instant_of(new_id.clock.time_ns())


_UNSTATED: Any = object()  # not None: a payload whose time is null states none, and must not pass for now
NO_METADATA: Mapping[str, MetadataValue] = MappingProxyType({})  # one for all: it cannot change
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant_of(time_ns: int) -> datetime:
    """Return the UTC instant of nanoseconds since the epoch, to the microsecond."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


@frozen_value
class Event(FrozenValue):
    """One recorded fact: who did what to what, when, from where, and what changed.

    The first ten fields are WorkOS's wire names, so ``Event(**payload)`` takes a payload as it stands.

    Args:
        group: The organization or tenant it belongs to.
        action: A category and a name separated by a period: ``"user.login"``.
        action_type: ``"C"``, ``"R"``, ``"U"`` or ``"D"``.
        actor_name: What a person calls the actor.
        actor_id: Who acted.
        target_name: What a person calls the target.
        target_id: What was acted on; may be empty.
        location: Where from: an address, a host's name or a device's id.
        occurred_at: An aware ``datetime``, or ISO-8601 text with an offset; now by default. Kept in UTC.
        metadata: ``str`` keys to ``str``, ``bool``, 64-bit ``int``, finite ``float``, aware ``datetime`` (kept
            as its wire text), ``None`` ("recorded as empty"), or one mapping of such scalars.
        id: 1 to 255 visible ASCII characters, sent as the idempotency key; a UUIDv7 by default.
        actor_type: What kind of actor it is.
        target_type: What kind of target it is; the action's category by default.
        parent_id: The id of the event this one happened inside of.
        correlation_id: What all events of one request or job share.

    Raises:
        InvalidEventError: A field is not what it must be; names the field, what was given and what is right.

    Thread-safety: immutable, the metadata included.
    Source: design section "Facts of the wire"; WorkOS Audit Trail ``POST /events``.
    """

    __slots__ = (  # noqa: RUF023  (in the order of the wire)
        "group", "action", "action_type", "actor_name", "actor_id", "target_name", "target_id", "location",
        "occurred_at", "metadata", "id", "actor_type", "target_type", "parent_id", "correlation_id",
    )  # fmt: skip

    group: str
    action: str
    action_type: ActionType
    actor_name: str
    actor_id: str
    target_name: str
    target_id: str
    location: str
    occurred_at: datetime
    metadata: Mapping[str, MetadataValue]
    id: str
    actor_type: str
    target_type: str
    parent_id: str | None
    correlation_id: str | None

    def __init__(  # noqa: PLR0913, PLR0917  (the fields of the wire)
        self,
        group: str,
        action: str,
        action_type: str,
        actor_name: str,
        actor_id: str,
        target_name: str,
        target_id: str,
        location: str,
        occurred_at: datetime | str = _UNSTATED,
        metadata: Mapping[str, object] = NO_METADATA,
        *,
        id: str = _UNSTATED,  # noqa: A002  (a field of the wire)
        actor_type: str = "user",
        target_type: str = "",
        parent_id: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        """Validate every field and keep its plain form."""
        action = check_action(action)
        self._settle(
            group=_text("group", group),
            action=action,
            action_type=ActionType(check_action_type(action_type)),
            actor_name=_text("actor_name", actor_name, empty=True),
            actor_id=_text("actor_id", actor_id),
            target_name=_text("target_name", target_name, empty=True),
            target_id=_text("target_id", target_id, empty=True),
            location=_text("location", location),
            occurred_at=_now() if occurred_at is _UNSTATED else _instant("occurred_at", occurred_at),
            metadata=MappingProxyType(check_metadata(metadata)),
            id=new_id() if id is _UNSTATED else check_id("id", id),
            actor_type=_text("actor_type", actor_type),
            target_type=_text("target_type", target_type, empty=True) or action.partition(".")[0],
            parent_id=None if parent_id is None else check_id("parent_id", parent_id),
            correlation_id=None if correlation_id is None else _text("correlation_id", correlation_id),
        )

    def __hash__(self) -> int:
        """Hash by id: an event has one for life."""
        return hash(self.id)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy through the plain dict, since a read-only mapping does neither."""
        return Event.from_dict, (self.to_dict(),)

    @property
    def changes(self) -> dict[str, tuple[Scalar, Scalar]]:
        """Return what changed as ``{"body": (was, is)}``; a value that is not there any more is None."""
        suffix = "_was"
        return {
            key[: -len(suffix)]: (was, self.metadata.get(key[: -len(suffix)]))  # type: ignore[misc]
            for key, was in self.metadata.items()
            if key.endswith(suffix) and len(key) > len(suffix)
        }

    def to_dict(self) -> dict[str, Any]:
        """Return every field as JSON takes it; ``Event.from_dict`` gives the equal event back."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in _NAMES}
        plain["action_type"] = str(self.action_type)
        plain["occurred_at"] = wire_text(self.occurred_at)
        plain["metadata"] = {
            key: dict(value) if isinstance(value, Mapping) else value for key, value in self.metadata.items()
        }
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the event that ``to_dict`` gave, or that a WorkOS payload states.

        Raises:
            InvalidEventError: A field is missing, unknown or not what it must be.
        """
        if not isinstance(data, Mapping):
            raise InvalidEventError("event", describe(data), "a mapping")
        unknown = [key for key in data if key not in _NAMES]
        if unknown:
            raise InvalidEventError(
                "event", f"the unknown field {describe(unknown[0])}", f"made of {', '.join(_NAMES)}"
            )
        missing = [name for name in _REQUIRED if name not in data]
        if missing:
            raise InvalidEventError(missing[0], "nothing", "given")
        return cls(**data)

    @classmethod
    def restore(cls, values: Mapping[str, Any]) -> Self:
        """Return an event from values that auditkit has made or recorded itself, without judging them again.

        A record must be readable for as long as it is kept, also when a later version judges otherwise.
        """
        event = object.__new__(cls)
        for name in _NAMES:
            object.__setattr__(event, name, values[name])
        return event


def check_id(name: str, value: object) -> str:
    """Return an event's id if it is 1 to 255 visible ASCII characters."""
    if isinstance(value, str) and _ID.fullmatch(value):
        return str.__str__(value)
    raise InvalidEventError(name, describe(value), "1 to 255 visible ASCII characters")


_NAMES = Event.__match_args__
_REQUIRED = _NAMES[: _NAMES.index("occurred_at")]  # it is the first that may be left out
