"""Events as JSON bytes and back, and times as the wire writes them. Pure.

The JSON of a record is made from a template and the C string escaper: a third of the cost of `json.dumps`
(measured: 1.6 against 4.5 us), on a path that every audited call pays. It is ASCII, so that it has no line
breaks and no surrogate can stop it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from json.encoder import encode_basestring_ascii as quote
from time import gmtime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from auditkit.draft import Draft, Scene
from auditkit.event import ActionType, Event, instant_of
from auditkit.native import hand_over, in_c

if TYPE_CHECKING:
    from auditkit.event import MetadataValue

_EPOCH = instant_of(0)
_parse = json.JSONDecoder().raw_decode
MAX_RECORD = 256 * 1024  # bytes of one event's JSON: what is larger is fitted before it is recorded


class _WireClock:
    """Write times, keeping the text of the last millisecond: a hot path stamps many events in one."""

    __slots__ = ("_latest",)

    def __init__(self) -> None:
        self._latest = (-1, "")

    def text(self, time_ns: int) -> str:
        """Return nanoseconds since the epoch as UTC with microseconds and ``Z``."""
        milliseconds, microseconds = divmod(time_ns // 1000, 1000)
        kept, text = self._latest  # one read of one tuple: threads see a matching pair
        if kept != milliseconds:
            t = gmtime(milliseconds // 1000)
            text = f"{t[0]:04d}-{t[1]:02d}-{t[2]:02d}T{t[3]:02d}:{t[4]:02d}:{t[5]:02d}.{milliseconds % 1000:03d}"
            self._latest = (milliseconds, text)
        return text + _ENDINGS[microseconds]


_ENDINGS = [f"{microseconds:03d}Z" for microseconds in range(1000)]  # looked up: `:03d` takes 200 ns
wire_time = _WireClock().text


def _value(value: MetadataValue) -> str:
    if isinstance(value, str):
        return quote(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return _mapping(value)
    return repr(value)  # an int, or a finite float: Python's text for them is JSON's


# The names of fields and kinds come again and again: looked up, they cost a third of being quoted.
_quoted: dict[str, str] = {}
_MAX_QUOTED = 4096
_LONGEST_QUOTED = 100  # characters


def _name(text: str) -> str:
    quoted = _quoted.get(text)
    if quoted is None:
        quoted = quote(text)
        if len(text) <= _LONGEST_QUOTED:
            if len(_quoted) >= _MAX_QUOTED:
                _quoted.clear()
            _quoted[text] = quoted
    return quoted


def _mapping(metadata: Mapping[str, MetadataValue]) -> str:
    return f"{{{','.join([f'{_name(key)}:{_value(value)}' for key, value in metadata.items()])}}}"


def _optional(value: str | None) -> str:
    return "null" if value is None else quote(value)


def _encode_scene(scene: Scene) -> str:
    scene.encoded = (
        f'"group":{quote(scene.group)},"actor_id":{quote(scene.actor_id)},"actor_name":{quote(scene.actor_name)},'
        f'"actor_type":{quote(scene.actor_type)},"location":{quote(scene.location)},'
        f'"correlation_id":{_optional(scene.correlation_id)}'
    )
    return scene.encoded


@in_c("encode", otherwise="encode")
def encode(draft: Draft) -> bytes:
    """Return the draft as one line of ASCII JSON, with every field of an event under its own name."""
    (event_id, time_ns, scene, action, action_type, target_id, target_name, target_type, parent_id, metadata) = draft
    known = _quoted
    told = ""
    try:  # most values are texts, and most keys were there before: these cost no call of ours
        for key, value in metadata.items():
            told += f",{known[key]}:{quote(value) if type(value) is str else _value(value)}"
    except KeyError:
        told = "," + _mapping(metadata)[1:-1]
    quoted_id = quote(target_id)
    # An action and its type hold nothing that JSON would escape: `check_action` saw to that.
    return (
        f'{{"id":{quote(event_id)},"occurred_at":"{wire_time(time_ns)}",{scene.encoded or _encode_scene(scene)},'
        f'"action":"{action}","action_type":"{action_type}","target_id":{quoted_id},'
        f'"target_name":{quoted_id if target_name is target_id else quote(target_name)},'
        f'"target_type":{_quoted.get(target_type) or _name(target_type)},'
        f'"parent_id":{"null" if parent_id is None else quote(parent_id)},"metadata":{{{told[1:]}}}}}'
    ).encode("ascii")


hand_over(encode_scene=_encode_scene, value_text=_value)


def nanoseconds_of(event: Event) -> int:
    """Return when an event occurred, in nanoseconds since the epoch."""
    since_epoch = event.occurred_at - _EPOCH
    return ((since_epoch.days * 86_400 + since_epoch.seconds) * 1_000_000 + since_epoch.microseconds) * 1000


def draft_of(event: Event) -> Draft:
    """Return the draft that a complete event makes."""
    scene = Scene(
        group=event.group,
        actor_id=event.actor_id,
        actor_name=event.actor_name,
        actor_type=event.actor_type,
        location=event.location,
        correlation_id=event.correlation_id,
        metadata={},
    )
    return Draft(
        event.id,
        nanoseconds_of(event),
        scene,
        event.action,
        str(event.action_type),
        event.target_id,
        event.target_name,
        event.target_type,
        event.parent_id,
        event.metadata,
    )


def encode_event(event: Event) -> bytes:
    """Return an event as its journal line's JSON: the same bytes that were recorded for it."""
    return encode(draft_of(event))


def decode(body: bytes) -> Event:
    """Return the event that `encode` wrote.

    Raises:
        ValueError: It is not such JSON. (A `KeyError` is never raised: a missing field is a ValueError too.)
    """
    try:
        text = body.decode().strip()
        values: dict[str, Any]
        values, end = _parse(text)  # json.loads looks for an encoding first: a fifth more
        if end != len(text):
            raise ValueError(f"more than an event: {len(text) - end} characters behind it")
        metadata = values["metadata"]
        values["occurred_at"] = datetime.fromisoformat(values["occurred_at"])
        values["action_type"] = ActionType(values["action_type"])
        values["metadata"] = MappingProxyType(
            {key: MappingProxyType(each) if type(each) is dict else each for key, each in metadata.items()}
        )
        return Event.restore(values)
    except (KeyError, AttributeError, TypeError, RecursionError) as error:
        message = f"not a recorded event: {error!r}"
        raise ValueError(message) from None
