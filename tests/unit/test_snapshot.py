"""Snapshots of what Python itself offers to hold state in."""

from __future__ import annotations

import copy
import json
import pickle
from array import array
from collections import OrderedDict, UserDict, defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from functools import cached_property
from ipaddress import ip_address
from pathlib import PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import Any, ClassVar, NamedTuple, TypedDict
from uuid import UUID

import pytest

from auditkit.snapshot import REST, UNKNOWN, snapshot


class Colour(Enum):
    RED = "red"
    PAIR = (1, 2)


class Level(IntEnum):
    HIGH = 3


class Kind(StrEnum):
    FREE = "free"


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "not asked"


@pytest.mark.parametrize(
    "value, expected",
    [
        ("text", "text"),
        (True, True),
        (7, 7),
        (1.5, 1.5),
        (2**63, "9223372036854775808"),
        (-(2**63), -(2**63)),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (1 + 2j, "(1+2j)"),
        ("a\ud800b", "a\ufffdb"),
        ("caf\u00e9 \U0001f600", "caf\u00e9 \U0001f600"),
        (b"plain", "plain"),
        (bytearray(b"\xff\x00"), "0xff00"),
        (memoryview(b"plain"), "plain"),
        (Decimal("1.50"), "1.50"),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Colour.RED, "red"),
        (Colour.PAIR, "PAIR"),
        (Level.HIGH, 3),
        (Kind.FREE, "free"),
        (Text("mine"), "mine"),
        (date(2019, 5, 1), "2019-05-01"),
        (time(1, 2, 3), "01:02:03"),
        (timedelta(days=1, seconds=2), "1 day, 0:00:02"),
        (datetime(2019, 5, 1, 1, 2, 3, 4), "2019-05-01T01:02:03.000004"),  # noqa: DTZ001  (a naive one)
        (datetime(2019, 5, 1, 3, tzinfo=timezone(timedelta(hours=2))), "2019-05-01T01:00:00.000000Z"),
        (datetime(2019, 5, 1, tzinfo=UTC), "2019-05-01T00:00:00.000000Z"),
        (PurePosixPath("/a/b"), "/a/b"),
        (ip_address("10.0.0.1"), "10.0.0.1"),
        ([1, "a", None], '[1, "a", null]'),
        ((1, (2, 3)), "[1, [2, 3]]"),
        ({3, 1, 2}, "[1, 2, 3]"),
        (frozenset({"b", "a"}), '["a", "b"]'),
        (deque([1]), "[1]"),
        (array("i", [1, 2]), "[1, 2]"),
        ({"a": 1}.keys(), '["a"]'),
        ({"a": 1}.values(), "[1]"),
        (OrderedDict(a=1).items(), '[["a", 1]]'),
        (range(3), "range(0, 3)"),
        (Fraction(1, 2), "1/2"),
        ([{"a": [{"b": date(2019, 5, 1)}]}], '[{"a": [{"b": "2019-05-01"}]}]'),
        ([], "[]"),
    ],
)
def test_value_becomes_a_scalar(value: Any, expected: Any) -> None:
    """A value becomes the scalar that says it best, by itself and as a field."""
    assert {"value": expected} == snapshot(value)
    assert {"name": expected} == snapshot({"name": value})
    assert type(expected) is type(snapshot(value)["value"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [(len, "<builtin_function_or_method object>"), (int, "<type object>"), (object(), "<object object>")],
)
def test_opaque_value_is_told_by_its_type(value: Any, expected: Any) -> None:
    """What is not looked into is told by its type as a field, and is unknown where it is the state itself."""
    assert {"name": expected} == snapshot({"name": value})
    assert {REST: UNKNOWN} == snapshot(value)


class Concealed:
    """What keeps its one value to itself."""

    def __init__(self) -> None:
        self._amount = 1


class ConcealedSlot:
    __slots__ = ("_amount",)

    def __init__(self) -> None:
        self._amount = 1


class Elsewhere:
    """What keeps a value where nobody sees it."""

    __slots__ = ()

    def __get__(self, instance: object, owner: object) -> int:
        raise AssertionError

    def __set__(self, instance: object, value: object) -> None:
        """Keep it."""


class Described:
    amount = Elsewhere()


class Bare:
    @property
    def worked_out(self) -> int:
        raise AssertionError


@pytest.mark.parametrize("state", [Concealed(), ConcealedSlot(), Described(), ValueError(1)])
def test_state_that_shows_nothing_is_unknown(state: Any) -> None:
    """An object that keeps everything to itself is no empty one; one that has nothing is."""
    assert {REST: UNKNOWN} == snapshot(state)
    assert {} == snapshot(Bare())


@pytest.mark.parametrize("state", [Concealed(), ConcealedSlot()])
def test_private_field_is_read_where_it_is_named(state: Any) -> None:
    """Who asks for a private field by its name has it; below a field that is asked for, private ones stay unread."""
    named = frozenset({"_amount", "inner._amount"})

    assert {"_amount": 1} == snapshot(state, fields=named)
    assert {"inner._amount": 1} == snapshot({"inner": state}, fields=named)
    assert {"inner": f"<{type(state).__name__} object>"} == snapshot({"inner": state}, fields=frozenset({"inner"}))


class Slotted:
    __slots__ = ("_private", "body", "id", "never_set")

    def __init__(self, id_: str, body: str) -> None:
        self.id = id_
        self.body = body
        self._private = 1


class Derived(Slotted):
    __slots__ = ("more",)

    def __init__(self) -> None:
        super().__init__("t1", "T")
        self.more = 1


class Open(Slotted):
    def __init__(self) -> None:
        super().__init__("t1", "T")
        self.free = 2


class Plain:
    limit = 10
    LIMIT = 280
    status = "new"

    def __init__(self) -> None:
        self.id = "t1"
        self._private = "p"
        self.__mangled = "m"

    @property
    def asked(self) -> str:
        raise AssertionError

    @cached_property
    def kept(self) -> str:
        return "worked out"

    @classmethod
    def make(cls) -> Plain:
        return cls()


@dataclass
class Tweet:
    id: str
    body: str = ""
    views: int = field(default=3, init=False)
    table: ClassVar[str] = "tweets"


@dataclass(frozen=True, slots=True)
class Frozen:
    id: str
    body: str


class Point(NamedTuple):
    x: int
    y: int


class Settings(TypedDict):
    theme: str


class Hidden(UserDict[str, Any]):
    pass


@pytest.mark.parametrize(
    "state, expected",
    [
        (None, {}),
        ({}, {}),
        ({"id": "t1", "_kept": 1}, {"id": "t1", "_kept": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(int, a=1), {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (Hidden(a=1), {"a": 1}),
        (Settings(theme="dark"), {"theme": "dark"}),
        (Slotted("t1", "T"), {"body": "T", "id": "t1"}),
        (Derived(), {"body": "T", "id": "t1", "more": 1}),
        (Open(), {"body": "T", "id": "t1", "free": 2}),
        (Plain(), {"limit": 10, "status": "new", "id": "t1"}),
        (Tweet("t1", "T"), {"views": 3, "id": "t1", "body": "T"}),
        (Frozen("t1", "T"), {"id": "t1", "body": "T"}),
        (Point(1, 2), {"x": 1, "y": 2}),
        (SimpleNamespace(a=1), {"a": 1}),
    ],
)
def test_fields_are_read(state: Any, expected: Any) -> None:
    """The fields of a state are what it holds itself: no properties, nothing private of an object."""
    assert expected == snapshot(state)


def test_slots_keep_the_order_in_which_they_were_declared() -> None:
    """People see fields in the order in which they wrote them."""
    assert ["body", "id", "more"] == [*snapshot(Derived())]
    assert ["id", "body"] == [*snapshot(Frozen("t1", "T"))]


def test_class_level_value_stands_until_the_instance_has_its_own() -> None:
    """The first assignment to a field with a class-level default is told as a change from that default."""
    state = Plain()
    before = snapshot(state)
    state.status = "done"

    assert ("new", "done") == (before["status"], snapshot(state)["status"])


def test_result_of_a_cached_property_is_no_field() -> None:
    """That somebody looked at a cached property is no change."""
    state = Plain()
    before = snapshot(state)
    assert state.kept == "worked out"

    assert before == snapshot(state)


def test_snapshot_is_by_value() -> None:
    """What happens to the state later does not reach its snapshot."""
    state = {"tags": ["a"], "address": {"city": "Rome"}}
    before = snapshot(state)
    state["tags"].append("b")  # type: ignore[attr-defined]
    state["address"]["city"] = "Oslo"  # type: ignore[index]

    assert {"tags": '["a"]', "address.city": "Rome"} == before


def test_nested_state_has_dotted_names() -> None:
    """Mappings and objects inside a state flatten; an empty one is told as empty."""
    state = {"user": SimpleNamespace(name="A", address={"city": "Rome"}), "empty": {}, 1: {2: 3}}

    assert {"user.name": "A", "user.address.city": "Rome", "empty": "{}", "1.2": 3} == snapshot(state)


@pytest.mark.parametrize(
    "state, names",
    [
        ({1: "a", "1": "b"}, ["1", "1 #2"]),
        ({"1": "b", 1: "a"}, ["1", "1 (int)"]),
        ({True: 1, None: 2, 1.5: 3, (1, 2): 4}, ["True", "None", "1.5", "<tuple object>"]),
        ({"a": {"b": 1}, "a.b": 2}, ["a.b", "a.b #2"]),
        ({"": 1}, [REST]),
        ({"\ud800": 1}, ["\ufffd"]),
    ],
)
def test_keys_become_texts_that_do_not_collide(state: Any, names: Any) -> None:
    """Every key becomes a text of its own, so that no value takes another one's place."""
    assert names == [*snapshot(state)]


@pytest.mark.parametrize(
    "fields, exclude, expected",
    [
        ({"id"}, (), {"id"}),
        ({"address"}, (), {"address.city", "address.zip"}),
        ({"address.city", "id"}, (), {"address.city", "id"}),
        ({"nothing"}, (), set()),
        (None, {"address"}, {"id", "tags"}),
        (None, {"address.city", "tags"}, {"id", "address.zip"}),
    ],
)
def test_fields_and_exclude_choose(fields: Any, exclude: Any, expected: Any) -> None:
    """A name in fields or exclude means itself and everything below it."""
    state = {"id": 1, "address": {"city": "Rome", "zip": "00100"}, "tags": []}
    chosen = snapshot(state, fields=None if fields is None else frozenset(fields), exclude=frozenset(exclude))

    assert expected == set(chosen)


def test_fields_choose_also_on_the_short_way() -> None:
    """A small flat state is chosen from as any other is."""
    state = Tweet("t1", "T")

    assert {"id": "t1"} == snapshot(state, fields=frozenset({"id"}))
    assert {"views", "id"} == set(snapshot(state, exclude=frozenset({"body"})))


def test_chosen_field_is_found_among_more_than_are_kept() -> None:
    """The bound on names is one of what is kept, not of what the state has."""
    state = {f"name{number}": number for number in range(500)}

    assert {"name499": 499} == snapshot(state, fields=frozenset({"name499"}))


def test_cycle_ends() -> None:
    """A state that contains itself is told up to there."""
    state: dict[str, Any] = {"id": 1}
    state["self"] = state
    state["list"] = [state, 2]

    assert {"id": 1, "self": "<cycle>", "list": '["<cycle>", 2]'} == snapshot(state)


def test_depth_is_bounded() -> None:
    """What lies deeper than six levels is not looked into, and the snapshot says that there is more."""
    state: dict[str, Any] = {"leaf": "deep"}
    for _ in range(10):
        state = {"a": state}

    assert {REST: UNKNOWN, "a.a.a.a.a.a": "<dict object>"} == snapshot(state)


def test_breadth_is_bounded() -> None:
    """A state of more than a hundred fields gives a hundred, and says that there are more."""
    flat = snapshot({f"name{number}": number for number in range(1000)})

    assert 101 == len(flat)
    assert UNKNOWN is flat[REST]


def test_long_list_is_bounded() -> None:
    """A list of more than a thousand elements gives the first ones, and says that there are more."""
    flat = snapshot({"list": range(2)} | {"list": [0] * 1001})

    assert UNKNOWN is flat[REST]
    assert str(flat["list"]).endswith('0, "<more>"]')


def test_long_value_keeps_its_beginning_and_says_what_was_cut() -> None:
    """A long text is cut at a space, with its length; a change behind the cut still shows."""
    text = "word " * 10_000
    one, other = snapshot({"body": text})["body"], snapshot({"body": f"{text}!"})["body"]

    assert isinstance(one, str)
    assert 15_000 < len(one) < 17_000
    assert "<cut: 50000 characters, " in one
    assert one != other


@pytest.mark.parametrize("character", ["x", "\x00", "\u4e2d", "\U0001f600"])
def test_snapshot_is_bounded_as_json(character: Any) -> None:
    """However its characters are escaped, a snapshot takes at most 96 KiB of JSON and a little."""
    flat = snapshot({f"name{number}": character * 20_000 for number in range(50)})
    text = json.dumps({name: value for name, value in flat.items() if name != REST})

    assert UNKNOWN is flat[REST]
    assert len(text) < 100_000
    assert len(flat) > 1


def test_long_name_is_not_kept() -> None:
    """A name too long to keep whole is not cut, for what was cut off could say that its value is a secret."""
    assert {REST: UNKNOWN} == snapshot({"x" * 300 + "password": "hunter2"})
    assert {"list": "[{}]", REST: UNKNOWN} == snapshot({"list": [{"x" * 300 + "password": "hunter2"}]})


def test_huge_int_is_told_by_its_size() -> None:
    """An int that Python refuses to write as text is told by its bits."""
    assert str(snapshot(10**5000)["value"]).startswith("<int of 16610 bits, ")
    assert snapshot(10**5000) != snapshot(10**5000 + 1)


def test_keys_inside_a_list_do_not_collide() -> None:
    """In a list's JSON, too, every key has a name of its own."""
    state = [{"1": "a", 1: "b", (1,): "c", (2,): "d", (3,): "e"}]
    names = [*json.loads(str(snapshot(state)["value"]))[0]]

    tuples = ["<tuple object>", "<tuple object> (tuple)", "<tuple object> (tuple) (tuple)"]
    assert ["1", "1 (int)", *tuples] == names


def test_private_names_inside_a_list_are_left_out() -> None:
    """An object in a list shows what it would show anywhere; one that shows nothing is named."""
    assert (
        '[{"a": 1}, "<SimpleNamespace object>"]'
        == snapshot([SimpleNamespace(a=1, _b=2), SimpleNamespace(_b=2)])["value"]
    )


def test_wide_object_inside_a_list_is_bounded() -> None:
    """A mapping in a list gives a hundred names, and the snapshot says that there are more."""
    flat = snapshot([{f"n{number}": number for number in range(200)}])

    assert 100 == len(json.loads(str(flat["value"]))[0])
    assert UNKNOWN is flat[REST]


def test_list_too_deep_is_bounded() -> None:
    """A list more than six levels deep ends in the name of what is not looked into."""
    assert {REST: UNKNOWN, "value": '[[[[[["<list object>"]]]]]]'} == snapshot([[[[[[[1]]]]]]])


def test_set_of_anything_has_one_order() -> None:
    """Equal sets are told alike, also where their elements cannot be compared."""
    assert '["a", 1, null]' == snapshot({1, "a", None})["value"]


def test_names_without_end_are_forgotten() -> None:
    """A state whose names are data does not fill the memory with decisions."""
    for number in range(5000):
        assert {f"k{number}": 1} == snapshot({f"k{number}": 1})


def test_many_bytes_are_told_by_their_length() -> None:
    """Bytes too many for hex are told by their length and a fingerprint."""
    assert str(snapshot(b"x" * 1000)["value"]).startswith("<1000 bytes, ")
    assert snapshot(b"x" * 1000) != snapshot(b"y" * 1000)


def test_unknown_survives_copies() -> None:
    """The sentinels are compared by identity, so a copy is the same object."""
    assert UNKNOWN is copy.deepcopy(UNKNOWN)
    assert UNKNOWN is pickle.loads(pickle.dumps(UNKNOWN))
    assert "UNKNOWN" == repr(UNKNOWN)
