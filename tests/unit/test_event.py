"""What an event may state, what it refuses and in which words, and that it stays what it is."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit import clock
from auditkit.errors import InvalidEventError
from auditkit.event import ActionType, Actor, Event, Target, lacks_id

if TYPE_CHECKING:
    from collections.abc import Callable

SEED_EVENTS = json.loads((Path(__file__).parent.parent / "data" / "seed-events.json").read_text("utf-8"))
SOME_UUID = UUID("01234567-89ab-7def-8123-456789abcdef")
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
SURROGATE = "\ud800"
FACE = "\U0001f600"
LONG = "x" * 1000

A_STR = "a str"
FILLED = "a non-empty str"
AN_ACTION = "a category and a name separated by a period, such as 'user.login'"
A_TYPE = "'C', 'R', 'U' or 'D'"
A_TIME = "an aware datetime or an ISO-8601 str with an offset, such as '2019-05-01T01:15:55.619355Z'"
IN_TIME = "a time between the years 1 and 9999 in UTC"
AN_ID = "1 to 255 visible ASCII characters"
A_SCALAR = "a str, bool, int, finite float, aware datetime, None, or one mapping of these"
NON_EMPTY_KEYS = "a mapping with non-empty str keys"
AN_INT = "an int of 64 bits (give larger ones as str)"
ID_KINDS = "a str, int, UUID or Enum"
WITH_ID = "a mapping with 'id'"
WHO = "an id, an (id, name) pair, a mapping with 'id', or an object with pk or id"


class Word(Enum):
    ACME = "acme"
    NUMBER = 7
    NOTHING = None


class Level(IntEnum):
    HIGH = 3


class Tone(StrEnum):
    CALM = "calm"


class Text(str):
    """A str whose own text is another than what it holds."""

    __slots__ = ()

    def __str__(self) -> str:
        return "another"


def an_event(**fields: Any) -> Event:
    stated: dict[str, Any] = {
        "group": "acme", "action": "user.login", "action_type": "C", "actor_name": "n", "actor_id": "u1",
        "target_name": "t", "target_id": "t1", "location": "1.1.1.1",
    } | fields  # fmt: skip
    return Event(**stated)


def refusal(**fields: Any) -> InvalidEventError:
    with pytest.raises(InvalidEventError) as caught:
        an_event(**fields)
    return caught.value


# Refusals

Given = tuple[Any, str]  # a value, and how a message shows it
NOT_TEXT: list[Given] = [(7, "7"), (True, "True"), (b"x", "a value of type bytes"), (Word.NUMBER, "7")]
NO_ACTIONS = ["login", "user.", ".login", "user..login", "user login.x", "user.log in", "user.login\n", "é.a"]
NO_TYPES: list[Given] = [("X", "'X'"), ("c", "'c'"), ("", "''"), ("CR", "'CR'"), (None, "None"), (1, "1")]
NO_TIMES: list[Given] = [
    ("yesterday", "'yesterday'"),
    ("", "''"),
    (None, "None"),
    (1.5, "1.5"),
    (date(2026, 1, 1), "a value of type date"),
    ("2026-01-01", "the naive time 2026-01-01T00:00:00"),
    ("2026-01-01T10:00:00", "the naive time 2026-01-01T10:00:00"),
    (MOMENT.replace(tzinfo=None), "the naive time 2026-01-02T03:04:05.678901"),
]
BEYOND_TIME = ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-00:01"]
NO_IDS: list[Given] = [
    ("", "''"),
    ("a b", "'a b'"),
    ("a\n", r"'a\n'"),
    ("é", "'é'"),
    (7, "7"),
    (SOME_UUID, "a value of type UUID"),
    ("x" * 256, f"'{'x' * 79}..."),
]
NO_SCALARS: list[tuple[Any, str, str]] = [
    (Decimal("1.5"), "a value of type Decimal", A_SCALAR),
    (object(), "a value of type object", A_SCALAR),
    ([1], "a value of type list", A_SCALAR),
    (b"x", "a value of type bytes", A_SCALAR),
    (SOME_UUID, "a value of type UUID", A_SCALAR),
    (date(2026, 1, 1), "a value of type date", A_SCALAR),
    (1j, "a value of type complex", A_SCALAR),
    (2**63, "a larger int", AN_INT),
    (-(2**63) - 1, "a larger int", AN_INT),
    (10**5000, "a larger int", AN_INT),
    (float("nan"), "nan", "a finite float"),
    (float("inf"), "inf", "a finite float"),
    (float("-inf"), "-inf", "a finite float"),
    (MOMENT.replace(tzinfo=None), "the naive time 2026-01-02T03:04:05.678901", A_TIME),
]
NO_METADATA: list[tuple[Any, str, str, str]] = [
    (None, "metadata", "None", "a mapping of str keys"),
    ([], "metadata", "a value of type list", "a mapping of str keys"),
    ("a", "metadata", "a value of type str", "a mapping of str keys"),
    ({"": 1}, "metadata", "the key ''", NON_EMPTY_KEYS),
    ({7: 1}, "metadata", "the key 7", NON_EMPTY_KEYS),
    ({None: 1}, "metadata", "the key None", NON_EMPTY_KEYS),
    ({"a": {"": 1}}, "metadata['a']", "the key ''", NON_EMPTY_KEYS),
    ({"a": {7: 1}}, "metadata['a']", "the key 7", NON_EMPTY_KEYS),
    ({"a": {"b": {}}}, "metadata['a']['b']", "a value of type dict", A_SCALAR),
    ({"a": {"b": {"c": 1}}}, "metadata['a']['b']", "a value of type dict", A_SCALAR),
    *[({"a": value}, "metadata['a']", shown, expected) for value, shown, expected in NO_SCALARS],
    *[({"a": {"b": value}}, "metadata['a']['b']", shown, expected) for value, shown, expected in NO_SCALARS],
]
FILLED_FIELDS = ["group", "actor_id", "location", "actor_type", "correlation_id"]
TEXT_FIELDS = [*FILLED_FIELDS, "actor_name", "target_name", "target_id", "target_type"]

REFUSED: list[tuple[str, Any, str, str, str]] = [
    *[(name, "", name, "''", FILLED) for name in [*FILLED_FIELDS, "action"]],
    *[(name, value, name, shown, A_STR) for name in [*TEXT_FIELDS, "action"] for value, shown in NOT_TEXT],
    *[(name, None, name, "None", A_STR) for name in [*TEXT_FIELDS, "action"] if name != "correlation_id"],
    *[("action", value, "action", repr(value), AN_ACTION) for value in NO_ACTIONS],
    ("action", LONG, "action", f"'{'x' * 79}...", AN_ACTION),
    *[("action_type", value, "action_type", shown, A_TYPE) for value, shown in NO_TYPES],
    *[("occurred_at", value, "occurred_at", shown, A_TIME) for value, shown in NO_TIMES],
    *[("occurred_at", value, "occurred_at", value, IN_TIME) for value in BEYOND_TIME],
    *[(name, value, name, shown, AN_ID) for name in ("id", "parent_id") for value, shown in NO_IDS],
    ("id", None, "id", "None", AN_ID),
    *[("metadata", *each) for each in NO_METADATA],
]


@pytest.mark.parametrize("name, value, field, shown, expected", REFUSED)
def test_refusal_names_the_field(name: str, value: Any, field: str, shown: str, expected: str) -> None:
    """What an event may not state is refused with the field, what was given and what would be right."""
    error = refusal(**{name: value})

    assert (field, shown, expected) == (error.field, error.given, error.expected)
    assert f"{field} must be {expected}, got {shown}" == str(error)


def test_refusal_shows_no_object() -> None:
    """A refusal never asks a refused object for its text, which may hold data or raise."""

    class Secretive:
        def __repr__(self) -> str:
            raise RuntimeError

        __str__ = __repr__

    errors = [refusal(group=Secretive()), refusal(metadata={"a": Secretive()}), refusal(action=Secretive())]

    assert ["a value of type Secretive"] * 3 == [each.given for each in errors]


def test_refusal_of_a_number_without_a_text() -> None:
    """An int of more digits than Python writes is refused as any other."""
    error = refusal(group=10**5000)

    assert "a very large int" == error.given


def test_refusal_pickles() -> None:
    """A refusal comes out of another process as it went in."""
    error = refusal(metadata={"a": {"b": Decimal(1)}})
    again = pickle.loads(pickle.dumps(error))

    assert (str(error), error.field, error.given, error.expected) == (
        str(again),
        again.field,
        again.given,
        again.expected,
    )


# What is kept


def test_defaults() -> None:
    """What is not stated has its default: now, a new id, no metadata, a user, and the action's category."""
    before = clock.new_id.clock.time_ns() // 1000
    first, second = an_event(), an_event()
    after = clock.new_id.clock.time_ns() // 1000
    moment = (first.occurred_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    assert before <= moment <= after
    assert UTC is first.occurred_at.tzinfo
    assert first.id < second.id
    assert 7 == UUID(first.id).version
    assert ({}, "user", "user", None, None) == (
        first.metadata,
        first.actor_type,
        first.target_type,
        first.parent_id,
        first.correlation_id,
    )


def test_texts_may_be_empty_where_nothing_is_known() -> None:
    """Names, the target's id and its type may be empty; an empty type is the action's category."""
    event = an_event(actor_name="", target_name="", target_id="", target_type="", action="billing.plan.change")

    assert ("", "", "", "billing") == (event.actor_name, event.target_name, event.target_id, event.target_type)


@pytest.mark.parametrize("value", ["a", "!", "~", "x" * 255, "old:key/1"])
def test_ids_that_fit_a_header(value: str) -> None:
    """An id is any 1 to 255 visible ASCII characters, as old idempotency keys are."""
    event = an_event(id=value, parent_id=value)

    assert (value, value) == (event.id, event.parent_id)


@pytest.mark.parametrize("value", ["a.b", "user.login", "A-1_.b.c.d", "0.0"])
def test_actions_with_a_category(value: str) -> None:
    """An action is two or more words of letters, digits, `_` and `-`, separated by periods."""
    assert value == an_event(action=value).action


@pytest.mark.parametrize("value", ["C", "R", "U", "D"])
def test_action_type_is_an_action_type(value: str) -> None:
    """An action type is given as text or ActionType, and kept as ActionType."""
    events = [an_event(action_type=value), an_event(action_type=ActionType(value))]

    assert [ActionType(value)] * 2 == [each.action_type for each in events]
    assert {ActionType} == {type(each.action_type) for each in events}
    assert {value} == {each.to_dict()["action_type"] for each in events}


def test_enums_are_their_values() -> None:
    """An Enum stands for its value, in a field and in metadata."""
    event = an_event(
        group=Word.ACME,
        location=Tone.CALM,
        metadata={"a": Word.ACME, "b": Word.NUMBER, "c": Word.NOTHING, "d": Level.HIGH, "e": Tone.CALM},
    )

    assert ("acme", "calm") == (event.group, event.location)
    assert {"a": "acme", "b": 7, "c": None, "d": 3, "e": "calm"} == event.metadata
    assert [str, int, type(None), int, str] == [type(each) for each in event.metadata.values()]


def test_subclasses_of_text_are_plain() -> None:
    """A str of a class of its own is kept as the plain text that it holds."""
    event = an_event(
        group=Text("acme"), id=Text("i1"), action=Text("user.login"), action_type=Text("C"),
        metadata={Text("k"): Text("v"), "m": {Text("k"): Text("v")}},
    )  # fmt: skip
    kept = [event.group, event.id, event.action, *event.metadata, event.metadata["k"]]

    assert ["acme", "i1", "user.login", "k", "m", "v"] == kept
    assert {str} == {type(each) for each in kept}
    assert {"k": "v", "m": {"k": "v"}} == event.metadata


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SURROGATE, "\ufffd"),
        (f"a{SURROGATE}b", "a\ufffdb"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("\ud83d\ude00", FACE),
        (FACE, FACE),
        ("\x00\x7f\u2028", "\x00\x7f\u2028"),
    ],
)
def test_surrogates_are_replaced(value: str, expected: str) -> None:
    """A lone surrogate, which no UTF-8 carries, is U+FFFD wherever text stands; all other text is kept."""
    event = an_event(
        group=value, actor_name=value, actor_id=value, target_name=value, target_id=value, location=value,
        actor_type=value, target_type=value, correlation_id=value, metadata={value: value, "m": {value: value}},
    )  # fmt: skip
    plain = event.to_dict()
    metadata = plain.pop("metadata")
    texts = {plain[name] for name in plain.keys() - {"action", "action_type", "id", "parent_id", "occurred_at"}}

    assert {expected} == texts
    assert {expected: expected, "m": {expected: expected}} == metadata
    assert json.dumps(plain, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2019-05-01T01:15:55.619355Z", "2019-05-01T01:15:55.619355Z"),
        ("2019-05-01T03:15:55.619355+02:00", "2019-05-01T01:15:55.619355Z"),
        ("2019-05-01T01:15:55Z", "2019-05-01T01:15:55.000000Z"),
        ("2019-04-30T20:45:55-04:30", "2019-05-01T01:15:55.000000Z"),
        (datetime(2019, 5, 1, 3, 15, 55, 1, timezone(timedelta(hours=2))), "2019-05-01T01:15:55.000001Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
        (datetime.max.replace(tzinfo=UTC), "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_times_are_utc(value: Any, expected: str) -> None:
    """A time with any offset is kept in UTC, as the field and in metadata, to the microsecond."""
    event = an_event(occurred_at=value, metadata={} if isinstance(value, str) else {"a": value, "m": {"b": value}})

    assert UTC is event.occurred_at.tzinfo
    assert expected == event.to_dict()["occurred_at"]
    assert {expected} >= {event.metadata.get("a", expected)}


def test_time_of_a_class_of_its_own_is_a_plain_one() -> None:
    """A library's datetime, whose arithmetic and text are its own, is kept as Python's."""

    class Own(datetime):
        def isoformat(self, *_: object) -> str:
            return "own"

        def __sub__(self, _: object) -> Any:
            raise AssertionError

        def astimezone(self, tz: Any = None) -> Any:
            return Own(2019, 5, 1, 1, 15, 55, 7, tz)

        def strftime(self, _: str) -> str:
            return "own"

    own = Own(2019, 5, 1, 1, 15, 55, 7, UTC)
    event = an_event(occurred_at=own, metadata={"at": own})

    assert datetime is type(event.occurred_at)
    assert "2019-05-01T01:15:55.000007Z" == event.to_dict()["occurred_at"] == event.metadata["at"]


def test_metadata_keeps_kinds_and_order() -> None:
    """Metadata keeps text, bools, ints, floats and None apart, in the order given, one level deep."""
    stated = {
        "z": "text", "true": True, "one": 1, "one.0": 1.0, "none": None, "low": -(2**63), "high": 2**63 - 1,
        "m": {"y": False, "x": 0, "w": None}, "empty": {}, "blank": "",
    }  # fmt: skip
    event = an_event(metadata=stated)

    assert stated == event.to_dict()["metadata"]
    assert list(stated) == list(event.metadata)
    assert [str, bool, int, float] == [type(each) for each in event.metadata.values()][:4]


# It stays what it is


def test_event_is_immutable() -> None:
    """No field of an event can be set or deleted, none added, and its metadata cannot be changed on any level."""
    event = an_event(metadata={"a": 1, "m": {"x": 1}})
    before = event.to_dict()
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.group = "else"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del event.group
    with pytest.raises((AttributeError, TypeError)):
        event.other = 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        event.metadata["a"] = 2  # type: ignore[index]
    with pytest.raises(TypeError):
        event.metadata["m"]["x"] = 2  # type: ignore[index]

    assert before == event.to_dict()


def test_metadata_is_taken_by_value() -> None:
    """Changing a mapping after it was stated, or the dict that to_dict gave, changes no event."""
    inner = {"x": 1}
    stated = {"a": 1, "m": inner}
    event = an_event(metadata=stated)
    stated["a"] = 2
    inner["x"] = 2
    given_out = event.to_dict()
    given_out["metadata"]["a"] = 3
    given_out["metadata"]["m"]["x"] = 3

    assert {"a": 1, "m": {"x": 1}} == event.metadata


def test_mappings_of_other_kinds() -> None:
    """Any mapping is metadata, also a read-only one."""
    event = an_event(metadata=MappingProxyType({"m": MappingProxyType({"x": 1})}))

    assert {"m": {"x": 1}} == event.to_dict()["metadata"]


def pickled_by(protocol: int) -> Callable[[Event], Event]:
    def again(event: Event) -> Event:
        unpickled: Event = pickle.loads(pickle.dumps(event, protocol))
        return unpickled

    return again


WAYS: dict[str, Callable[[Event], Event]] = {
    **{f"pickle {protocol}": pickled_by(protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "replace": dataclasses.replace,
    "dict": lambda event: Event.from_dict(event.to_dict()),
    "json": lambda event: Event.from_dict(json.loads(json.dumps(event.to_dict()))),
}


@pytest.mark.parametrize("way", WAYS)
def test_event_comes_back_equal(way: str) -> None:
    """An event that was pickled, copied, or made of its dict is the equal event, with the same hash, immutable."""
    event = an_event(metadata={"a": 1, "m": {"x": None}}, parent_id="p", correlation_id="c", occurred_at=MOMENT)
    other = WAYS[way](event)
    with pytest.raises(TypeError):
        other.metadata["a"] = 2  # type: ignore[index]

    assert event == other
    assert hash(event) == hash(other)
    assert event.to_dict() == other.to_dict()
    assert ActionType.CREATE is other.action_type


def test_replace_judges_again() -> None:
    """A changed copy is validated as a new event is."""
    with pytest.raises(InvalidEventError):
        dataclasses.replace(an_event(), group="")

    assert "else" == dataclasses.replace(an_event(), group="else").group


def test_events_differ_by_any_field() -> None:
    """Two events are equal only if every field is, and a set keeps them apart."""
    event = an_event(id="i1", occurred_at=MOMENT)

    assert event == an_event(id="i1", occurred_at=MOMENT)
    assert event != an_event(id="i1", occurred_at=MOMENT, group="else")
    assert event != an_event(id="i2", occurred_at=MOMENT)
    assert 2 == len({event, an_event(id="i1", occurred_at=MOMENT), an_event(id="i2", occurred_at=MOMENT)})


@pytest.mark.parametrize("payload", SEED_EVENTS, ids=["login", "update"])
def test_wire_payload_is_taken_as_it_stands(payload: dict[str, Any]) -> None:
    """Both published WorkOS payloads are events, and come out unchanged."""
    plain = Event(**payload).to_dict()

    assert payload == {name: plain[name] for name in payload}
    assert list(payload) == list(plain)[: len(payload)]
    assert payload == {name: Event.from_dict(payload).to_dict()[name] for name in payload}


TEXTS = st.text(st.characters(exclude_categories=()))
FILLED_TEXTS = st.text(st.characters(exclude_categories=()), min_size=1)
IDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
    st.datetimes(timezones=st.just(UTC)),
)
STATED = st.fixed_dictionaries(
    {
        "group": FILLED_TEXTS,
        "action": st.from_regex(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+", fullmatch=True),
        "action_type": st.sampled_from("CRUD"),
        "actor_name": TEXTS,
        "actor_id": FILLED_TEXTS,
        "target_name": TEXTS,
        "target_id": TEXTS,
        "location": FILLED_TEXTS,
    },
    optional={
        "occurred_at": st.datetimes(timezones=st.just(UTC)),
        "metadata": st.dictionaries(
            FILLED_TEXTS, SCALARS | st.dictionaries(FILLED_TEXTS, SCALARS, max_size=3), max_size=4
        ),
        "id": IDS,
        "actor_type": FILLED_TEXTS,
        "target_type": TEXTS,
        "parent_id": st.none() | IDS,
        "correlation_id": st.none() | FILLED_TEXTS,
    },
)


@given(STATED)
def test_dict_round_trip(stated: dict[str, Any]) -> None:
    """Whatever an event states, its dict is JSON, and gives the equal event back."""
    event = Event(**stated)
    plain = event.to_dict()

    assert event == Event.from_dict(plain)
    assert plain == json.loads(json.dumps(plain, allow_nan=False))
    assert plain == Event.from_dict(plain).to_dict()


@pytest.mark.parametrize("name", list(SEED_EVENTS[0])[:8])
def test_from_dict_names_what_is_missing(name: str) -> None:
    """A dict without a required field is refused by the field's name."""
    payload = {key: value for key, value in SEED_EVENTS[0].items() if key != name}
    with pytest.raises(InvalidEventError) as caught:
        Event.from_dict(payload)

    assert f"{name} must be given, got nothing" == str(caught.value)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({**SEED_EVENTS[0], "grupo": 1}, "the unknown field 'grupo'"),
        ({**SEED_EVENTS[0], 7: 1}, "the unknown field 7"),
        ([], "a value of type list"),
        (None, "None"),
    ],
)
def test_from_dict_refuses_what_is_no_event(data: Any, shown: str) -> None:
    """A dict with an unknown field, and what is no mapping, are refused."""
    with pytest.raises(InvalidEventError) as caught:
        Event.from_dict(data)

    assert ("event", shown) == (caught.value.field, caught.value.given)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, {}),
        ({"body_was": "a", "body": "b"}, {"body": ("a", "b")}),
        ({"body": "b"}, {}),
        ({"body_was": "a"}, {"body": ("a", None)}),
        ({"body_was": None, "body": "b"}, {"body": (None, "b")}),
        ({"_was": 1}, {}),
        ({"a_was": 1, "a": 2, "b_was": True, "b": False, "c": 3}, {"a": (1, 2), "b": (True, False)}),
        ({"a.b_was": 1, "a.b": 2}, {"a.b": (1, 2)}),
    ],
)
def test_changes(metadata: dict[str, Any], expected: dict[str, Any]) -> None:
    """Changes gives what was and what is by the field's name, and None for what is gone."""
    assert expected == an_event(metadata=metadata).changes


# Actor and target


class Pair(NamedTuple):
    """A row of two columns: what it says is its id is, whatever stands beside it."""

    id: str
    total: str


FORMS: list[tuple[Any, tuple[str, str]]] = [
    ("u1", ("u1", "u1")),
    (7, ("7", "7")),
    (SOME_UUID, (str(SOME_UUID), str(SOME_UUID))),
    (Word.ACME, ("acme", "acme")),
    (Level.HIGH, ("3", "3")),
    (Text("u1"), ("u1", "u1")),
    (SURROGATE, ("\ufffd", "\ufffd")),
    (("u1", "n"), ("u1", "n")),
    (("u1", None), ("u1", "u1")),
    (Pair("u1", "n"), ("u1", "u1")),
    (("u1", 0), ("u1", "0")),
    (("u1", ""), ("u1", "u1")),
    ((7, 8), ("7", "8")),
    ({"id": "u1"}, ("u1", "u1")),
    ({"id": 7, "name": "n"}, ("7", "n")),
    (SimpleNamespace(pk=3, id=4), ("3", "3")),
    (SimpleNamespace(pk=0, id=4), ("0", "0")),
    (SimpleNamespace(pk=None, id=4, name="n"), ("4", "n")),
    (SimpleNamespace(id=SOME_UUID, name=5), (str(SOME_UUID), str(SOME_UUID))),
]


@pytest.mark.parametrize("value, expected", FORMS)
def test_actor_and_target_forms(value: Any, expected: tuple[str, str]) -> None:
    """An actor or a target is taken as an id, a pair, a mapping or an object, and kept as plain text."""
    actor, target = Actor.of(value), Target.of(value)

    assert (*expected, "user") == (actor.id, actor.name, actor.type)
    assert (*expected, None) == (target.id, target.name, target.type)
    assert {str} == {type(each) for each in (actor.id, actor.name, target.id, target.name)}


def test_list_is_an_actor_s_pair_and_several_targets() -> None:
    """JSON has no tuples, so that an actor may be a list; a list of targets is never mistaken for one and its name."""
    assert ("u1", "n") == dataclasses.astuple(Actor.of(["u1", "n"]))[:2]
    with pytest.raises(InvalidEventError, match="a list of 2"):
        Target.of(["t1", "t2"])


class Unreadable:
    @property
    def id(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, True),
        (SimpleNamespace(pk=None, id=None), True),
        (SimpleNamespace(id=None), True),
        ({"id": None}, True),
        (SimpleNamespace(pk=None, id=0), False),
        ({}, False),
        ({"id": 0}, False),
        ("", False),
        (object(), False),
        (Unreadable(), False),
    ],
)
def test_what_lacks_an_id(value: object, expected: bool) -> None:  # noqa: FBT001  (a column of the table)
    """What has a place for an id, and None in it, is not saved yet, or nobody; what has none is something else."""
    assert expected is lacks_id(value)


def test_actor_and_target_are_themselves() -> None:
    """An Actor and a Target are taken as they are, and a mapping may state the type."""
    actor, target = Actor("u1", "n", "service"), Target("t1", "t", "tweet")

    assert actor is Actor.of(actor)
    assert target is Target.of(target)
    assert actor == Actor.of({"id": "u1", "name": "n", "type": "service"})
    assert target == Target.of({"id": "t1", "name": "t", "type": "tweet"})


@pytest.mark.parametrize("kind", [Actor, Target])
@pytest.mark.parametrize(("name", "expected"), [(None, "u1"), ("", "u1"), (0, "0"), (Word.NUMBER, "7")])
def test_name_of_nothing_is_the_id(kind: Any, name: object, expected: str) -> None:
    """A name that is None or empty is the id; 0 is a name."""
    assert [expected] * 3 == [
        kind("u1", name).name,
        kind.of(("u1", name)).name,
        kind.of({"id": "u1", "name": name}).name,
    ]


def test_target_may_be_empty() -> None:
    """A target's id may be empty: an action need not be on anything."""
    assert ("", "", None) == dataclasses.astuple(Target.of(""))


@pytest.mark.parametrize(
    ("value", "field", "shown", "expected"),
    [
        (None, "", "None", WHO),
        (object(), "", "a value of type object", WHO),
        (1.5, "", "1.5", WHO),
        (b"u1", "", "a value of type bytes", WHO),
        (SimpleNamespace(pk=None, id=None), "", "a value of type SimpleNamespace", WHO),
        ({}, "", "a mapping with keys []", "a mapping with 'id'"),
        ({"pk": 1, "name": 2}, "", "a mapping with keys ['name', 'pk']", "a mapping with 'id'"),
        (
            {10**5000: 1, SimpleNamespace: 2},
            "",
            "a mapping with keys [a value of type type, a very large int]",
            WITH_ID,
        ),
        ((), "", "a sequence of 0", "an (id, name) pair"),
        (("a", "b", "c"), "", "a sequence of 3", "an (id, name) pair"),
        (True, ".id", "True", ID_KINDS),
        ((None, "n"), ".id", "None", ID_KINDS),
        ({"id": 1.5}, ".id", "1.5", ID_KINDS),
        (Word.NOTHING, ".id", "None", ID_KINDS),
        (("u1", 1.5), ".name", "1.5", ID_KINDS),
        (("u1", False), ".name", "False", ID_KINDS),
        (("u1", 10**5000), ".name", "a very large int", ID_KINDS),
        pytest.param(10**5000, ".id", "a very large int", ID_KINDS, id="an id without a text"),
        ({"id": "u1", "type": ""}, ".type", "''", FILLED),
        ({"id": "u1", "type": 5}, ".type", "5", A_STR),
    ],
)
@pytest.mark.parametrize("kind", [Actor, Target])
def test_actor_and_target_refusals(
    kind: type[Actor | Target], value: Any, field: str, shown: str, expected: str
) -> None:
    """What names no actor or target is refused with the part, what was given and what would be right."""
    with pytest.raises(InvalidEventError) as caught:
        kind.of(value)

    assert (f"{kind.__name__.lower()}{field}", shown, expected) == (
        caught.value.field,
        caught.value.given,
        caught.value.expected,
    )


def test_actor_may_not_be_empty() -> None:
    """Somebody acted: an empty actor id is refused."""
    with pytest.raises(InvalidEventError) as caught:
        Actor("")

    assert "actor.id must be a non-empty str, got ''" == str(caught.value)


def test_actor_and_target_are_values() -> None:
    """Actors and targets are compared and hashed by value, frozen, and pickled."""
    actor, target = Actor("u1", "n"), Target("t1", "t")
    with pytest.raises(dataclasses.FrozenInstanceError):
        actor.id = "u2"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        target.id = "t2"  # type: ignore[misc]

    assert {actor: 1, target: 2} == {Actor("u1", "n", "user"): 1, Target("t1", "t", None): 2}
    assert (actor, target) == pickle.loads(pickle.dumps((actor, target)))
