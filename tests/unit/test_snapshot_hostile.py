"""Snapshots of what lies, raises, never ends or changes under our hands."""

from __future__ import annotations

import json
import threading
from collections import UserDict
from datetime import UTC, datetime, tzinfo
from enum import Enum
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.snapshot import DEFERRED, REST, UNKNOWN, created, deleted, difference, snapshot
from auditkit.snapshot.fields import PLANS

if TYPE_CHECKING:
    from collections.abc import Callable


class Trap(BaseException):
    """What no ``except Exception`` catches."""


def trap(*_args: object, **_kwargs: object) -> Any:
    raise Trap


class LyingClass:
    @property  # type: ignore[misc]  # the trap
    def __class__(self) -> Any:
        return trap()

    def __init__(self) -> None:
        self.id = 1


class Getter:
    __getattr__ = __getattribute__ = trap

    def __init__(self) -> None:
        object.__setattr__(self, "id", 1)


class SlottedGetter:
    __slots__ = ("body", "id", "unset")
    __getattribute__ = trap

    def __init__(self) -> None:
        object.__setattr__(self, "id", 1)


class Comparing:
    __eq__ = __ne__ = __lt__ = __bool__ = __len__ = __iter__ = __contains__ = __repr__ = __str__ = trap
    __format__ = __index__ = __int__ = __float__ = __reduce__ = __sizeof__ = __dir__ = trap
    __hash__ = trap

    def __init__(self) -> None:
        self.id = 1


class Mapped(dict[Any, Any]):
    items = keys = values = get = copy = trap
    __iter__ = __getitem__ = __len__ = __contains__ = trap


class Listed(list[Any]):
    __iter__ = __getitem__ = __len__ = trap


class Paired(tuple[Any, ...]):
    __slots__ = ()
    _fields = ("id",)
    __iter__ = __getitem__ = __len__ = trap


class Named(str):
    __slots__ = ()
    __str__ = __len__ = __iter__ = isascii = encode = trap
    __hash__ = str.__hash__


class Number(int):
    __int__ = __repr__ = __str__ = __neg__ = bit_length = __lt__ = __le__ = __ge__ = trap
    __eq__ = trap
    __hash__ = int.__hash__


class Zone(tzinfo):
    utcoffset = dst = tzname = trap


def of_class_with(**methods: Any) -> Any:
    """Return an instance of a class whose metaclass has these methods; pytest would ask one of the module."""
    made = type("Meta", (type,), methods)("Made", (), {})
    state = object.__new__(made)
    object.__setattr__(state, "id", 1)
    return state


class Faked:
    _sa_class_manager = _meta = __dataclass_fields__ = __pydantic_extra__ = _fields = 5

    def __init__(self) -> None:
        self.id = 1


class FakedMapper:
    class _sa_class_manager:  # noqa: N801  (SQLAlchemy's name)
        mapper = property(trap)

    def __init__(self) -> None:
        self.id = 1


class FakedModel:
    class _meta:  # noqa: N801  (Django's name)
        concrete_fields = (object(),)

    def __init__(self) -> None:
        self.id = 1


class Fetching:
    @property
    def __dict__(self) -> Any:  # type: ignore[override]  # the trap
        return trap()


class Replaced:
    def __init__(self) -> None:
        self.__dict__ = Mapped(id=1)


class Broken(UserDict[str, int]):
    def __init__(self) -> None:  # without its data
        pass


class Odd(Enum):
    VALUE = object()


def deep(make: Callable[[Any], Any]) -> Any:
    state: Any = 1
    for _ in range(100_000):
        state = make(state)
    return state


def cyclic() -> Any:
    state: dict[str, Any] = {}
    other: list[Any] = [state, (state,), {"back": state}]
    state["other"] = other
    other.append(other)
    return state


def exploded() -> Any:
    """Two references a level: a walk that does not count sees 2**40 leaves."""
    state: Any = "leaf"
    for _ in range(40):
        state = [state, state]
    return state


def released() -> Any:
    """Return a view of bytes that cannot be read any more."""
    view = memoryview(b"x")
    view.release()
    return view


ZOO: dict[str, Callable[[], Any]] = {
    "lying class": LyingClass,
    "getter": Getter,
    "slotted getter": SlottedGetter,
    "comparing": Comparing,
    "mapping": lambda: Mapped(id=1),
    "list": lambda: Listed([1]),
    "named tuple": lambda: Paired([1]),
    "text": lambda: Named("x"),
    "int": lambda: Number(1),
    "time": lambda: datetime(2019, 1, 1, tzinfo=Zone()),
    "unhashable class": lambda: of_class_with(__hash__=trap),
    "equal class": lambda: of_class_with(__hash__=lambda _: hash(dict), __eq__=lambda *_: True),
    "metaclass": lambda: of_class_with(__instancecheck__=trap, __subclasscheck__=trap, __getattribute__=trap),
    "fake library": Faked,
    "fake mapper": FakedMapper,
    "fake model": FakedModel,
    "fetching": Fetching,
    "replaced dict": Replaced,
    "broken user dict": Broken,
    "enum": lambda: Odd.VALUE,
    "deep dict": lambda: deep(lambda state: {"a": state}),
    "deep list": lambda: deep(lambda state: [state]),
    "deep tuple": lambda: deep(lambda state: (state,)),
    "cyclic": cyclic,
    "exploded": exploded,
    "wide": lambda: {number: number for number in range(200_000)},
    "wide list": lambda: [[number] * 50 for number in range(20_000)],
    "huge int": lambda: 10**5000,
    "negative huge int": lambda: -(10**5000),
    "nan": lambda: float("nan"),
    "bytes": lambda: b"\xff" * 100_000,
    "released view": released,
    "surrogates": lambda: {"\ud800": "\udfff\ud800", "ok": "\ud83d\ude00"},
    "exception": lambda: ValueError("secret"),
    "generator": lambda: (each for each in [1]),
    "lock": threading.Lock,
    "module": lambda: json,
    "class": lambda: LyingClass,
    "metaclass itself": lambda: type(of_class_with(__getattribute__=trap)),
}


def check(flat: dict[str, Any]) -> None:
    """Fail unless the snapshot is what every reader of it counts on."""
    assert len(flat) <= 101
    assert {str} >= {type(name) for name in flat}
    plain = {name: value for name, value in flat.items() if value is not UNKNOWN and value is not DEFERRED}
    assert {str, bool, int, float, type(None)} >= {type(value) for value in plain.values()}
    text = json.dumps(plain, allow_nan=False)
    assert len(text) < 100_000
    assert "\\ud8" not in text or "\\ude" in text or json.loads(text)
    for told in (created(flat), deleted(flat), difference({}, flat), difference(flat, {}), difference(flat, flat)):
        json.dumps(told, allow_nan=False).encode()
        assert all(value is None or type(value) in {str, bool, int, float} for value in told.values())


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize(
    "place",
    [
        lambda each: each,
        lambda each: {"a": each},
        lambda each: [each],
        lambda each: [{"a": [each]}],
        lambda each: {1: each},
    ],
    ids=["state", "field", "element", "inside", "key"],
)
def test_hostile_state_never_raises(name: Any, place: Any) -> None:
    """Wherever it stands, nothing that an object does reaches the application, and the rest is told."""
    check(snapshot(place(ZOO[name]())))
    check(snapshot({"id": 1, "x": place(ZOO[name]())}, fields=frozenset({"id", "x"})))


@pytest.mark.parametrize(
    "name",
    [
        "lying class", "getter", "slotted getter", "comparing", "mapping", "named tuple", "metaclass", "replaced dict",
        "unhashable class",
    ],
)  # fmt: skip
def test_hostile_code_is_not_asked(name: Any) -> None:
    """Fields are read past everything that a class may override."""
    flat = snapshot(ZOO[name]())

    assert name == "unhashable class" or {"id": 1} == flat


def test_hostile_field_takes_no_other_with_it() -> None:
    """One field that cannot be read leaves the others as they are."""
    state = {"id": 1, "at": datetime(2019, 1, 1, tzinfo=Zone()), "inner": Broken(), "last": 2}

    assert {"id": 1, "at": "<unreadable>", "inner": "<unreadable>", "last": 2} == snapshot(state)


def test_unreadable_state_is_unknown_not_empty() -> None:
    """A state that cannot be read at all is not taken for one without fields."""
    assert {REST: UNKNOWN} == snapshot(Broken())
    assert {"auditkit_capture": "unknown: further fields, id"} == difference({"id": 1}, snapshot(Broken()))


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_not_about_the_object_goes_through(error: Any) -> None:
    """A user's Ctrl-C is not swallowed, wherever it strikes."""

    class Struck(Zone):
        def utcoffset(self, *_args: object, **_kwargs: object) -> Any:
            raise error

    with pytest.raises(error):
        snapshot({"at": datetime(2019, 1, 1, tzinfo=Struck())})


def test_state_that_changes_meanwhile_is_still_told() -> None:
    """Other threads may add to a mapping while it is read."""
    state: dict[str, Any] = {f"n{number}": number for number in range(90)} | {"list": [1]}
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            state["more"] = 1
            state.pop("more", None)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(200):
            assert 1 == snapshot(state)["n1"]
    finally:
        stop.set()
        thread.join()


def test_classes_without_end_are_forgotten() -> None:
    """A program that makes ever new classes does not fill the memory with plans."""
    for number in range(1100):
        assert {"default": "x", "value": number} == snapshot(_holding(number))
    assert len(PLANS) <= 1024


def _holding(value: Any) -> Any:
    made = type("Holding", (), {"default": "x"})()
    made.value = value
    return made


_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters()),
    st.text("\ud800\udfffa"),
    st.binary(),
    st.decimals(),
    st.uuids(),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.datetimes(timezones=st.sampled_from([UTC, None])),
    st.complex_numbers(),
    st.sampled_from(["fake mapper", "fake model", "broken user dict", "enum", "cyclic", "huge int", "lock"]).map(
        lambda name: ZOO[name]()  # not those that hypothesis itself trips over
    ),
)
_KEYS = st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.floats(), st.dates())
_STATES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(_KEYS, inner),
        st.tuples(inner, inner),
        inner.map(_holding),
    ),
)


@given(_STATES)
def test_any_state_gives_a_bounded_snapshot(state: Any) -> None:
    """Whatever a state is, its snapshot is flat, bounded, plain JSON, and the same when taken again."""
    flat = snapshot(state)

    check(flat)
    assert flat == snapshot(state)
