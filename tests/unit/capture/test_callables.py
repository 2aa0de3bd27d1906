"""Every kind of callable that Python knows: called as it was before, and its event beside it."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import copy
import enum
import functools
import inspect
import multiprocessing
import operator
import pickle
import pydoc
import sys
import threading
import traceback
import types
import typing
import weakref
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, runtime_checkable
from unittest import mock

import pytest

from auditkit import (
    AuditDefinitionError,
    audit_context,
    audited,
    configure,
    current_entry,
    flush,
    record,
    ref,
    shutdown,
)
from auditkit.ledger import LedgerReader
from tests.unit.capture.builders import Refused, Tweet, only

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
    from pathlib import Path

    from auditkit.transports import MemoryTransport


def function(number: int = 7) -> int:
    """Give the number."""
    return number


async def coroutine(number: int = 7) -> int:
    """Give the number, later."""
    await asyncio.sleep(0)
    return number


def generator(number: int = 7) -> Iterator[int]:
    """Give the number, on demand."""
    yield number


async def async_generator(number: int = 7) -> AsyncIterator[int]:
    """Give the number, later and on demand."""
    await asyncio.sleep(0)
    yield number


KINDS: list[Callable[..., Any]] = [function, coroutine, generator, async_generator]
TESTS: list[Callable[[Any], bool]] = [
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=operator.attrgetter("__name__"))


def read(**options: Any) -> Callable[[Any], Any]:
    """Audit something whose types are none of this file's business: tests/typing checks them."""
    return audited("number.read", "R", **options)


async def outcome_of(result: Any) -> Any:
    """Run what a callable of any kind returned to its end."""
    if inspect.isawaitable(result):
        return await result
    if inspect.isasyncgen(result):
        (result,) = [each async for each in result]
    elif inspect.isgenerator(result):
        (result,) = result
    return result


async def run(given: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a callable of any kind, and run what it returned to its end."""
    return await outcome_of(given(*args, **kwargs))


def in_words(value: object) -> str:
    """Name a case: an object's own repr has its address in it, which is another each time."""
    return value if isinstance(value, str) else f"{type(value).__name__} {getattr(value, '__name__', '')}".strip()


def targets(memory: MemoryTransport) -> list[str]:
    """Return what was acted on, in the order of the events."""
    return [event.target_id for event in memory.events]


def passing_on(given: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate as most decorators do, blind to what kind of function it is."""

    @functools.wraps(given)
    def passing(*args: Any, **kwargs: Any) -> Any:
        return given(*args, **kwargs)

    return passing


# ---------------------------------------------------------------------- functions of the four kinds


class OfEveryKind:
    """Hold class and static methods of every function kind, with @audited above and below."""

    @classmethod
    @read(target="cls.__name__")
    def class_function_below(cls, number: int) -> int:
        return number

    @read(target="cls.__name__")
    @classmethod
    def class_function_above(cls, number: int) -> int:
        return number

    @classmethod
    @read(target="cls.__name__")
    async def class_coroutine_below(cls, number: int) -> int:
        return number

    @read(target="cls.__name__")
    @classmethod
    async def class_coroutine_above(cls, number: int) -> int:
        return number

    @classmethod
    @read(target="cls.__name__")
    def class_generator_below(cls, number: int) -> Iterator[int]:
        yield number

    @read(target="cls.__name__")
    @classmethod
    def class_generator_above(cls, number: int) -> Iterator[int]:
        yield number

    @classmethod
    @read(target="cls.__name__")
    async def class_async_generator_below(cls, number: int) -> AsyncIterator[int]:
        yield number

    @read(target="cls.__name__")
    @classmethod
    async def class_async_generator_above(cls, number: int) -> AsyncIterator[int]:
        yield number

    @staticmethod
    @read(target="number")
    def static_function_below(number: int) -> int:
        return number

    @read(target="number")
    @staticmethod
    def static_function_above(number: int) -> int:
        return number

    @staticmethod
    @read(target="number")
    async def static_coroutine_below(number: int) -> int:
        return number

    @read(target="number")
    @staticmethod
    async def static_coroutine_above(number: int) -> int:
        return number

    @staticmethod
    @read(target="number")
    def static_generator_below(number: int) -> Iterator[int]:
        yield number

    @read(target="number")
    @staticmethod
    def static_generator_above(number: int) -> Iterator[int]:
        yield number

    @staticmethod
    @read(target="number")
    async def static_async_generator_below(number: int) -> AsyncIterator[int]:
        yield number

    @read(target="number")
    @staticmethod
    async def static_async_generator_above(number: int) -> AsyncIterator[int]:
        yield number


class Inheriting(OfEveryKind):
    """Inherit all of them."""


@pytest.mark.parametrize("side", ["above", "below"])
@every_kind
async def test_class_methods_of_every_kind(memory: MemoryTransport, kind: Callable[..., Any], side: str) -> None:
    """Above or below @classmethod, on class and instance, inherited or not: bound to the class, its kind kept."""
    name = f"class_{kind.__name__}_{side}"
    bound = [getattr(owner, name) for owner in (OfEveryKind, OfEveryKind(), Inheriting, Inheriting())]

    assert [1, 2, 3, 4] == [await run(each, number) for number, each in enumerate(bound, 1)]
    assert ["OfEveryKind", "OfEveryKind", "Inheriting", "Inheriting"] == targets(memory)
    for each in bound:
        assert [test(kind) for test in TESTS] == [test(each) for test in TESTS]
        assert "(number: 'int')" == str(inspect.signature(each)).partition(" ->")[0]


@pytest.mark.parametrize("side", ["above", "below"])
@every_kind
async def test_static_methods_of_every_kind(memory: MemoryTransport, kind: Callable[..., Any], side: str) -> None:
    """Above or below @staticmethod, on class and instance: bound to nothing, its kind kept."""
    name = f"static_{kind.__name__}_{side}"
    found = [getattr(owner, name) for owner in (OfEveryKind, OfEveryKind(), Inheriting)]

    assert [1, 2, 3] == [await run(each, number) for number, each in enumerate(found, 1)]
    assert ["1", "2", "3"] == targets(memory)
    assert all(found[0] is each for each in found)
    assert [test(kind) for test in TESTS] == [test(found[0]) for test in TESTS]


@every_kind
async def test_methods_of_every_kind(memory: MemoryTransport, kind: Callable[..., Any]) -> None:
    """A method of any kind is bound to its instance, may be kept, and compares as bound methods do."""
    decorated = read(target="number")(kind)
    owner: Any = type("Owner", (int,), {"method": decorated})
    one, other = owner(1), owner(2)
    kept = one.method

    assert [1, 2, 1] == [await run(each) for each in (kept, other.method, functools.partial(owner.method, one))]
    assert ["1", "2", "1"] == targets(memory)
    assert (kept, one) == (one.method, kept.__self__)
    assert kept != other.method
    assert isinstance(kept, types.MethodType)


@every_kind
async def test_lambdas_and_closures_of_every_kind(memory: MemoryTransport, kind: Callable[..., Any]) -> None:
    """A function that is made again and again is audited each time, and reads its own closure."""

    def make(step: int) -> Any:
        @read(target="number", metadata={"step": lambda: step})
        @functools.wraps(kind)
        def inner(number: int) -> Any:
            return kind(number + step)

        return inner

    assert [11, 21] == [await run(make(step), 1) for step in (10, 20)]
    assert [10, 20] == [event.metadata["step"] for event in memory.events]
    assert await run(read(target="number")(lambda number: kind(number + 0)), 5) == 5
    assert ["1", "1", "5"] == targets(memory)


# ---------------------------------------------------------------------- classes that are made in other ways


class Account(abc.ABC):
    """Have abstract methods of several kinds that are audited."""

    name = "account"

    @read(target="self.name")
    @abc.abstractmethod
    def above(self) -> str:
        return "base"

    @abc.abstractmethod
    @read(target="self.name")
    def below(self) -> str:
        return "base"

    @read(target="cls.name")
    @classmethod
    @abc.abstractmethod
    async def of_class(cls) -> str:
        return "base"

    @property
    @read(target="self.name")
    @abc.abstractmethod
    def held(self) -> str:
        return "base"

    @staticmethod
    @read()
    @abc.abstractmethod
    def of_nobody() -> Iterator[str]:
        yield "base"


class Savings(Account):
    """Override all of them, some audited and some not."""

    name = "savings"

    @audited("savings.above", "R", target="self.name")
    def above(self) -> str:
        return f"over {super().above()}"

    def below(self) -> str:
        return f"over {super().below()}"

    @classmethod
    async def of_class(cls) -> str:
        return f"over {await super().of_class()}"

    @property
    @audited("savings.held", "R", target="self.name")
    def held(self) -> str:
        return f"over {super().held}"

    @staticmethod
    def of_nobody() -> Iterator[str]:
        yield "over nothing"


async def test_abstract_methods_are_abstract_and_overridden(memory: MemoryTransport) -> None:
    """An ABC stays abstract whatever the order; each audited level that runs gives its event, with its parent."""
    abstract: Any = Account
    with pytest.raises(TypeError, match="abstract"):
        abstract()
    account = Savings()

    assert {"above", "below", "held", "of_class", "of_nobody"} == Account.__abstractmethods__
    assert ["over base"] * 4 == [account.above(), account.below(), await account.of_class(), account.held]
    assert ["over nothing"] == [*account.of_nobody()]
    events = memory.events
    assert ["number.read", "savings.above", "number.read", "number.read", "number.read", "savings.held"] == [
        event.action for event in events
    ]
    assert [events[1].id, None, None, None, events[5].id, None] == [event.parent_id for event in events]
    assert {"savings"} == {event.target_id for event in events}


@every_kind
async def test_super_reaches_every_audited_level(memory: MemoryTransport, kind: Callable[..., Any]) -> None:
    """Three audited levels of one method are three events, each the child of the one that called it."""

    class First:
        @audited("level.first", "R")
        def run(self) -> Any:
            return kind()

    class Second(First):
        @audited("level.second", "R")
        async def run(self) -> Any:
            return await outcome_of(super().run())

    class Third(Second):
        @audited("level.third", "R")
        @classmethod
        async def make(cls) -> Any:
            return await cls().run()

    assert 7 == await Third.make()
    by_action = {event.action: event for event in memory.events}
    assert {"level.first", "level.second", "level.third"} == {*by_action}
    assert None is by_action["level.third"].parent_id
    assert by_action["level.third"].id == by_action["level.second"].parent_id
    assert by_action["level.second"].id == by_action["level.first"].parent_id
    assert 1 == len({event.correlation_id for event in memory.events})


async def test_mixins_cooperate(memory: MemoryTransport) -> None:
    """super() goes along the order of resolution, also where audited methods of several bases take part."""

    class Base:
        def run(self) -> list[str]:
            return ["base"]

    class Left(Base):
        @audited("mixin.left", "R")
        def run(self) -> list[str]:
            return ["left", *super().run()]

    class Right(Base):
        @audited("mixin.right", "R")
        def run(self) -> list[str]:
            return ["right", *super().run()]

    class Both(Left, Right): ...

    assert ["left", "right", "base"] == Both().run()
    right, left = memory.events
    assert ("mixin.right", "mixin.left", left.id) == (right.action, left.action, right.parent_id)


def test_dataclass_methods(memory: MemoryTransport) -> None:
    """Frozen, slotted dataclasses have audited methods and no field more; what they hold is referred to."""

    @dataclass(frozen=True, slots=True)
    class Point:
        x: int
        seen: ClassVar[list[int]] = []

        @audited("point.make", "C", target="self.x")
        def __post_init__(self) -> None:
            self.seen.append(self.x)

        @read(target="self.x")
        def moved(self, by: int) -> Point:
            return Point(self.x + by)

    assert Point(1).moved(2) == Point(3)
    assert {"x"} == {*Point.__dataclass_fields__} - {"seen"}
    assert [("point.make", "1"), ("point.make", "3"), ("number.read", "1"), ("point.make", "3")] == [
        (event.action, event.target_id) for event in memory.events
    ]


def test_named_tuple_methods(memory: MemoryTransport) -> None:
    """A named tuple has audited methods of every kind, and no field more."""

    class Point(NamedTuple):
        x: int

        @read(target="self.x")
        def method(self) -> int:
            return self.x

        @read(target="cls.__name__")
        @classmethod
        def made(cls) -> Any:
            return cls(5)

    assert ("x",) == Point._fields
    assert (4, 5) == (Point(4).method(), Point.made().x)
    assert ["4", "Point"] == targets(memory)


@pytest.mark.parametrize("base", [enum.Enum, enum.StrEnum, enum.Flag], ids=operator.attrgetter("__name__"))
def test_enum_methods(memory: MemoryTransport, base: Any) -> None:
    """Audited methods of an enum are methods, never members."""

    class Colour(base):  # type: ignore[misc]  # any kind of enum
        RED = enum.auto()

        @read(target="self.name")
        def method(self) -> int:
            return 1

        @read(target="cls.__name__")
        @classmethod
        def above(cls) -> int:
            return 2

        @classmethod
        @read(target="cls.__name__")
        def below(cls) -> int:
            return 3

        @read()
        @staticmethod
        def static(number: int) -> int:
            return number

    red: Any = Colour.RED

    assert ["RED"] == [*Colour.__members__]
    assert [1, 2, 3, 4] == [red.method(), Colour.above(), Colour.below(), Colour.static(4)]
    assert ["RED", "Colour", "Colour", ""] == targets(memory)


def test_protocol_methods(memory: MemoryTransport) -> None:
    """A Protocol's audited default method serves who inherits it, and the Protocol is still known by what it has."""

    @runtime_checkable
    class Named(Protocol):
        name: str

        @read(target="self.name")
        def method(self) -> str:
            return f"default of {self.name}"

    class Explicit(Named):
        name = "explicit"

    class Structural:
        name = "structural"

        def method(self) -> str:
            return ""

    assert "default of explicit" == Explicit().method()
    assert "explicit" == only(memory).target_id
    assert isinstance(Structural(), Named)
    assert not isinstance(5, Named)


def test_metaclass_methods(memory: MemoryTransport) -> None:
    """A metaclass's audited methods are bound to its classes, also the one that makes their instances."""

    class Meta(type):
        @audited("meta.call", "C", target="cls.__name__")
        def __call__(cls, *args: Any) -> Any:
            return super().__call__(*args)

        @read(target="cls.__name__")
        def count(cls) -> int:
            return 1

    class Made(metaclass=Meta):
        """Be made by it."""

    assert 1 == Made.count()
    assert isinstance(Made(), Made)
    assert [("number.read", "Made"), ("meta.call", "Made")] == [(each.action, each.target_id) for each in memory.events]


def test_methods_that_a_class_makes_by_their_names(memory: MemoryTransport) -> None:
    """__new__ is a static method, and __init_subclass__ and __class_getitem__ are class methods, as without us."""

    class Base:
        kinds: ClassVar[list[str]] = []

        @audited("base.new", "C", target="cls.__name__")
        def __new__(cls) -> Base:  # noqa: PYI034  (as people write it)
            return super().__new__(cls)

        @audited("base.init", "C")
        def __init__(self) -> None:
            self.ready = True

        @audited("base.subclass", "C", target="cls.__name__")
        def __init_subclass__(cls, *, kind: str = "none", **more: Any) -> None:
            super().__init_subclass__(**more)
            cls.kinds.append(kind)

        @audited("base.item", "R", target="item")
        def __class_getitem__(cls, item: str) -> str:
            return f"{cls.__name__} of {item}"

    class Derived(Base, kind="some"): ...

    derived: Any = Derived
    made = derived()

    assert (True, ["some"], "Derived of x") == (made.ready, Base.kinds, derived["x"])
    assert isinstance(made.__new__(Base), Base)
    assert [
        ("base.subclass", "Derived"), ("base.new", "Derived"), ("base.init", ""), ("base.item", "x"), ("base.new", "Base"),
    ] == [(each.action, each.target_id) for each in memory.events]  # fmt: skip


def test_special_methods(memory: MemoryTransport) -> None:  # noqa: C901  (a method each)
    """What Python itself looks up on the class is found there: operators, items, contexts, attributes, iteration."""

    class Special:
        @read(target="key")
        def __getitem__(self, key: str) -> str:
            return key

        @read()
        def __iter__(self) -> Iterator[int]:
            yield 1

        @read()
        def __enter__(self) -> str:
            return "entered"

        @read(metadata={"kind": lambda kind: kind and kind.__name__})
        def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
            return True

        @read(target="name")
        def __getattr__(self, name: str) -> str:
            return f"no {name}"

        @read(target="name")
        def __set_name__(self, owner: type, name: str) -> None: ...

        @read()
        def __add__(self, other: int) -> int:
            return other

        @read(target="number")
        def __call__(self, number: int) -> int:
            return number

    special = Special()
    type("Owner", (), {"attribute": special})
    with contextlib.ExitStack() as stack:
        entered = stack.enter_context(special)
        raising(Refused())

    assert ("entered", "k", [1], "no such", 2, 3) == (
        entered, special["k"], [*special], special.such, special + 2, special(3),
    )  # fmt: skip
    assert ["attribute", "", "", "k", "", "such", "", "3"] == targets(memory)
    assert "Refused" == memory.events[2].metadata["kind"]


def test_property_functions(memory: MemoryTransport) -> None:
    """The getter, setter and deleter of a property are audited one by one, and a cached property when it is made."""

    class Holder:
        name = "holder"

        @property
        @read(target="self.name")
        def held(self) -> str:
            """Tell what is held."""
            return "held"

        @held.setter
        @audited("holder.set", "U", target="value")
        def held(self, value: str) -> None: ...

        @held.deleter
        @audited("holder.delete", "D", target="self.name")
        def held(self) -> None: ...

        @functools.cached_property
        @audited("holder.cached", "R", target="self.name")
        def cached(self) -> list[int]:
            return []

    holder = Holder()
    holder.held = "new"
    del holder.held

    assert holder.held == "held"
    assert holder.cached is holder.cached
    assert [
        ("holder.set", "new"),
        ("holder.delete", "holder"),
        ("number.read", "holder"),
        ("holder.cached", "holder"),
    ] == [(each.action, each.target_id) for each in memory.events]
    assert "Tell what is held." == inspect.getdoc(Holder.held)


# ---------------------------------------------------------------------- objects that are called


class Plain:
    """Be called."""

    def __call__(self, number: int = 7) -> Any:
        return number


class Coroutine(Plain):
    async def __call__(self, number: int = 7) -> Any:
        await asyncio.sleep(0)
        return number


class Generates(Plain):
    def __call__(self, number: int = 7) -> Any:
        yield number


class GeneratesLater(Plain):
    async def __call__(self, number: int = 7) -> Any:
        await asyncio.sleep(0)
        yield number


@pytest.mark.parametrize("kind", [Plain, Coroutine, Generates, GeneratesLater])
async def test_callable_objects_of_every_kind(memory: MemoryTransport, kind: type[Plain]) -> None:
    """An object that is called is audited as its __call__ is one kind or another, and is otherwise itself."""
    given = kind()
    decorated = read(target="number")(given)
    result = decorated(3)

    assert (3, 7) == (await outcome_of(result), await run(decorated))
    assert ["3", "7"] == targets(memory)
    assert isinstance(decorated, kind)
    assert inspect.signature(given) == inspect.signature(decorated)
    assert f"<audited {given!r}>" == repr(decorated)


@pytest.mark.parametrize("kind", [Plain, Coroutine, Generates, GeneratesLater])
async def test_decorated_calls_of_every_kind(memory: MemoryTransport, kind: type[Plain]) -> None:
    """An audited __call__ is found by calling the instance."""
    owner = type("Owner", (), {"__call__": read(target="number")(kind.__call__), "name": "owner"})

    assert 3 == await run(owner(), 3)
    assert "3" == only(memory).target_id


@every_kind
async def test_partial_of_every_kind_is_audited(memory: MemoryTransport, kind: Callable[..., Any]) -> None:
    """A partial has the signature that is left of its function's, and references mean that one."""
    decorated = read(target="number")(functools.partial(passing_two(kind), "first"))
    stated = read(target="number")(functools.partial(passing_two(kind), "first", number=9))

    assert (3, 4, 9, 8) == (
        await run(decorated, 3), await run(decorated, number=4), await run(stated), await run(stated, number=8),
    )  # fmt: skip
    assert ["3", "4", "9", "8"] == targets(memory)
    assert [test(passing_two(kind)) for test in TESTS] == [test(decorated) for test in TESTS]


def passing_two(kind: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of the same kind with a parameter more."""

    async def coroutine_of_two(first: str, number: int) -> Any:
        return number

    def generator_of_two(first: str, number: int) -> Any:
        yield number

    async def async_generator_of_two(first: str, number: int) -> Any:
        yield number

    made = {coroutine: coroutine_of_two, generator: generator_of_two, async_generator: async_generator_of_two}
    return made.get(kind, lambda first, number: number)


@every_kind
async def test_audited_function_inside_a_partial(memory: MemoryTransport, kind: Callable[..., Any]) -> None:
    """A partial of an audited function calls it as any other, and is still of its kind to those who look."""
    held = functools.partial(read(target="number")(kind), 5)

    assert 5 == await run(held)
    assert "5" == only(memory).target_id
    assert [test(kind) for test in TESTS] == [test(held) for test in TESTS]


@every_kind
async def test_audited_method_inside_a_partialmethod(memory: MemoryTransport, kind: Callable[..., Any]) -> None:
    """functools.partialmethod binds an audited method, class method or static method as it binds any."""

    class Holder:
        name = "holder"

        @read(target="self.name")
        def method(self, number: int) -> Any:
            return kind(number)

        @read(target="cls.__name__")
        @classmethod
        def of_class(cls, number: int) -> Any:
            return kind(number)

        @read(target="number")
        @staticmethod
        def static(number: int) -> Any:
            return kind(number)

        one = functools.partialmethod(method, 1)
        two = functools.partialmethod(of_class, 2)
        three = functools.partialmethod(static, number=3)

    assert [1, 2, 2, 3] == [await run(each) for each in (Holder().one, Holder().two, Holder.two, Holder().three)]
    assert ["holder", "Holder", "Holder", "3"] == targets(memory)


def test_objects_in_a_class_are_bound_as_they_were(memory: MemoryTransport) -> None:
    """A callable object, a partial, a builtin and a bound method get no instance in a class; a function does."""

    class Holder:
        thing = read(target="number")(Plain())
        partly = read(target="number")(functools.partial(function))
        builtin = read()(len)
        twice = audited("number.again", "R")(read(target="number")(Plain()))
        method = read(target="number")(Plain().__call__)
        upper = read()(str.upper)
        cached = read()(functools.lru_cache(lambda self: "bound"))

    holder: Any = Holder()
    assert (1, 2, 3, 4, 5, "bound") == (
        holder.thing(1), holder.partly(2), holder.builtin("abc"), holder.twice(4), holder.method(5), holder.cached(),
    )  # fmt: skip
    assert ["1", "2", "", "4", "", "5", ""] == targets(memory)
    with pytest.raises(TypeError, match="str"):
        holder.upper()  # a method of str, bound to something else


@pytest.mark.parametrize(
    ("builtin", "args", "target", "expected"),
    [
        (len, ("abc",), None, 3),
        (abs, (-4,), "x", 4),
        (str.upper, ("ab",), "self", "AB"),
        ("a-b".split, ("-",), "sep", ["a", "b"]),
        (operator.add, (1, 2), "a", 3),
    ],
    ids=in_words,
)
def test_builtins_with_a_signature(
    memory: MemoryTransport, builtin: Any, args: tuple[Any, ...], target: str | None, expected: object
) -> None:
    """What was written in C is audited where Python knows its signature, and references mean its parameters."""
    decorated = read(target=target)(builtin)

    assert expected == decorated(*args)
    assert ("" if target is None else str(args[0])) == only(memory).target_id
    assert inspect.signature(builtin) == inspect.signature(decorated)


# ---------------------------------------------------------------------- functools, contextlib and other decorators


@every_kind
async def test_singledispatch_below(memory: MemoryTransport, kind: Callable[..., Any]) -> None:
    """Audited as a whole, a generic function still registers and dispatches; each call is one event of its end."""

    @functools.singledispatch
    def dispatching(number: Any) -> Any:
        return kind(0)

    generic = read(target="number")(dispatching)

    def of_int(number: int) -> Any:
        return kind(number)

    def of_text(number: Any) -> Any:
        return kind(int(number) * 2)

    generic.register(of_int)
    generic.register(str)(of_text)

    assert (1, 4, 0) == (await run(generic, 1), await run(generic, "2"), await run(generic, None))
    assert ["1", "2", ""] == targets(memory)
    assert {object, int, str} == {*generic.registry}
    assert (of_text, dispatching) == (generic.dispatch(str), generic.__wrapped__)


@every_kind
async def test_singledispatch_above(memory: MemoryTransport, kind: Callable[..., Any]) -> None:
    """Implementations that are audited one by one are dispatched to, by annotation or by a named class."""

    @functools.singledispatch
    @audited("generic.object", "R", target="number")
    def generic(number: Any) -> Any:
        return kind(0)

    @generic.register
    @audited("generic.int", "R", target="number")
    def _(number: int) -> Any:
        return kind(number)

    @generic.register(str)
    @audited("generic.text", "R", target="number")
    def _(number: Any) -> Any:
        return kind(int(number) * 2)

    assert (1, 4, 0) == (await run(generic, 1), await run(generic, "2"), await run(generic, b""))
    assert ["generic.int", "generic.text", "generic.object"] == [event.action for event in memory.events]


async def test_singledispatchmethod_above(memory: MemoryTransport) -> None:
    """Methods of a generic method are audited one by one, on class methods too."""

    class Generic:
        name = "generic"

        @functools.singledispatchmethod
        @audited("generic.object", "R", target="self.name")
        def method(self, given: Any) -> Any:
            return "object"

        @method.register
        @audited("generic.int", "R", target="given")
        def _(self, given: int) -> str:
            return "int"

        @method.register(str)
        @audited("generic.text", "R", target="given")
        async def _(self, given: Any) -> str:
            return "text"

        @functools.singledispatchmethod
        @classmethod
        def of_class(cls, given: Any) -> str:
            return "object"

        @of_class.register(int)
        @classmethod
        @audited("generic.class", "R", target="cls.name")
        def _(cls, given: Any) -> str:
            return "int"

    generic = Generic()

    assert ("object", "int", "text", "int") == (
        generic.method(b""),
        generic.method(1),
        await generic.method("a"),
        Generic.of_class(1),
    )
    assert [
        ("generic.object", "generic"),
        ("generic.int", "1"),
        ("generic.text", "a"),
        ("generic.class", "generic"),
    ] == [(event.action, event.target_id) for event in memory.events]


def test_cache_above_records_what_ran(memory: MemoryTransport) -> None:
    """Below a cache only the calls that run are calls; the cache is still one."""
    cached = functools.lru_cache(read(target="number")(function))

    assert (1, 1, 2) == (cached(1), cached(1), cached(2))
    assert ["1", "2"] == targets(memory)
    assert (1, 2) == cached.cache_info()[:2]


def test_cache_below_records_every_call(memory: MemoryTransport) -> None:
    """Above a cache every call is one; what the cache has besides is still reached, also from a bound method."""

    class Holder:
        @read(target="number")
        @functools.lru_cache  # noqa: B019  (it ends with the test)
        def method(self, number: int) -> int:
            return number

    holder, cached = Holder(), read(target="number")(functools.cache(function))

    assert [1, 1, 2, 2] == [cached(1), cached(1), holder.method(2), holder.method(2)]
    assert ["1", "1", "2", "2"] == targets(memory)
    assert [(1, 1), (1, 1), (1, 1)] == [each.cache_info()[:2] for each in (cached, Holder.method, holder.method)]
    cached.cache_clear()
    assert 0 == cached.cache_info().currsize


@every_kind
async def test_decorators_above(memory: MemoryTransport, kind: Callable[..., Any]) -> None:
    """A decorator above calls the audited function as it would any, and finds its metadata to copy."""
    marked = read(target="number")(kind)
    decorated: Any = passing_on(passing_on(marked))

    assert 3 == await run(decorated, 3)
    assert "3" == only(memory).target_id
    assert inspect.signature(kind) == inspect.signature(decorated)
    assert (kind.__name__, kind.__doc__, kind) == (decorated.__name__, decorated.__doc__, inspect.unwrap(decorated))


@every_kind
async def test_decorators_below(memory: MemoryTransport, kind: Callable[..., Any]) -> None:
    """Above a decorator the audited function has what that one copied, and references mean the function's own."""
    decorated = read(target="number")(passing_on(kind))

    assert 3 == await run(decorated, number=3)
    assert "3" == only(memory).target_id
    assert inspect.signature(kind) == inspect.signature(decorated)


async def test_coroutine_behind_a_plain_decorator_ends_when_it_is_awaited(memory: MemoryTransport) -> None:
    """A plain function that returns a coroutine has done nothing yet: the call is that of the coroutine."""
    children = read(target="number")(function)

    @audited("behind.update", "U", target="number", metadata={"result": ref("result")}, on_error="record")
    @passing_on
    async def behind(number: int) -> int:
        current_entry().metadata["inside"] = True
        children(number)
        await asyncio.sleep(0)
        if number < 0:
            raise Refused
        return number * 2

    waiting = behind(2)

    assert [] == memory.events
    assert ("behind", behind.__qualname__) == (waiting.__name__, waiting.__qualname__)
    assert not current_entry()
    assert 4 == await waiting
    child, event = memory.events
    assert (event.id, "2", 4, True) == (
        child.parent_id,
        event.target_id,
        event.metadata["result"],
        event.metadata["inside"],
    )
    with pytest.raises(Refused):
        await behind(-1)
    assert {"outcome": "failure", "error": "Refused", "inside": True} == memory.events[-1].metadata


async def test_coroutine_behind_a_plain_decorator_is_cancelled(memory: MemoryTransport) -> None:
    """Cancelled while it waits, or thrown away, its effect may have happened: it is recorded as such."""
    waits = asyncio.Event()

    @audited("behind.update", "U")
    @passing_on
    async def behind() -> None:
        waits.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(behind())
    await waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert {"outcome": "cancelled", "error": "CancelledError"} == only(memory).metadata


async def test_coroutine_behind_a_plain_decorator_is_durable(make: Callable[..., Any], tmp_path: Path) -> None:
    """Under fsync="always" its event is on the device when it has been awaited."""
    trail = make(directory=str(tmp_path / "audit"), fsync="always")
    behind = read(trail=trail)(passing_on(coroutine))

    assert 7 == await behind()
    assert 1 == trail.stats().recorded


def rows(tweet: Tweet, *, fails: bool = False) -> Generator[str, str, str]:
    """Change the tweet by what is sent."""
    tweet.body = yield tweet.body
    record("child.read", "R")
    if fails:
        raise Refused
    return "the end"


async def rows_later(tweet: Tweet, *, fails: bool = False) -> AsyncGenerator[str, str]:
    """Change the tweet by what is sent."""
    tweet.body = yield tweet.body
    record("child.read", "R")
    if fails:
        raise Refused


@pytest.mark.parametrize("kind", [rows, rows_later])
async def test_generator_behind_a_plain_decorator_ends_when_it_has_run(
    memory: MemoryTransport, kind: Callable[..., Any]
) -> None:
    """A generator function that a decorator hides is recorded at its generator's end, with what it changed till then."""
    behind = audited("behind.update", "U", target="tweet.id", capture="tweet", on_error="record")(
        passing_on(passing_on(kind))
    )

    assert inspect.signature(kind) == inspect.signature(behind)
    for fails, told in (
        (False, {"body_was": "old", "body": "new"}),
        (True, {"outcome": "failure", "error": "Refused"}),
    ):
        memory.clear()
        waiting = behind(Tweet(), fails=fails)

        assert ([], kind.__name__, type(kind(Tweet()))) == (memory.events, waiting.__name__, type(waiting))
        assert "old" == await stepped(waiting, None)
        assert ([], False) == (memory.events, bool(current_entry()))
        with pytest.raises(Refused) if fails else contextlib.nullcontext():
            assert "ended" == await stepped(waiting, "new")
        child, event = memory.events
        assert (event.id, "tweet_5", told) == (child.parent_id, event.target_id, event.metadata)


async def stepped(generator: Any, sent: object) -> Any:
    """Send to a generator of either kind; return what it yields then."""
    step = generator.asend if inspect.isasyncgen(generator) else generator.send
    try:
        given = step(sent)
        return await given if inspect.isawaitable(given) else given
    except (StopIteration, StopAsyncIteration):
        return "ended"


async def closed(generator: Any) -> None:
    """Close a generator of either kind."""
    if inspect.isasyncgen(generator):
        await generator.aclose()
    else:
        generator.close()


@pytest.mark.parametrize("kind", [rows, rows_later])
async def test_generator_behind_a_plain_decorator_may_be_left(
    memory: MemoryTransport, kind: Callable[..., Any]
) -> None:
    """One that its consumer leaves early was abandoned; one that never ran has done nothing."""
    behind = read(target="tweet.id")(passing_on(kind))
    unused, left = behind(Tweet()), behind(Tweet())
    await stepped(left, None)
    await closed(unused)
    await closed(left)

    assert "abandoned" == only(memory).metadata["outcome"]


def consumed(given: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a generator function, and give what it yields as a list."""
    return functools.wraps(given)(lambda *args: [*given(*args)])


def meant(given: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a plain function, and give a generator in place of what it returns."""
    return functools.wraps(given)(lambda *args: (each for each in [given(*args)]))


@pytest.mark.parametrize(
    "decorated", [consumed(generator), lambda number: (each for each in [number]), meant(function)]
)
def test_generator_that_is_a_value_is_recorded_where_it_is_returned(
    memory: MemoryTransport, decorated: Callable[..., Any]
) -> None:
    """What a decorator has run to its end, and a generator that a plain function gives, is recorded at the return."""
    given = read(target="number")(decorated)(3)

    assert "3" == only(memory).target_id
    assert [3] == [*given]
    assert 1 == len(memory.events)


def primed(given: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a generator function, and give its generators begun, as who sends into them wants them."""

    @functools.wraps(given)
    def begun(*args: Any) -> Any:
        made = given(*args)
        next(made)
        return made

    return begun


def echo(number: int) -> Generator[int, int]:
    while True:
        number = yield number


def test_generator_that_was_begun_goes_on_where_it_is(memory: MemoryTransport) -> None:
    """One that a decorator below has begun is a value: recorded at the return, and given as it is."""
    given = read(target="number")(primed(echo))(3)

    assert "3" == only(memory).target_id
    assert (5, 7) == (given.send(5), audit_context(actor="ada")(primed(echo))(1).send(7))


async def slow(number: int) -> int:
    await asyncio.sleep(0)
    return number


def slow_values(more: list[int]) -> Callable[[int], AsyncGenerator[int]]:
    async def values(number: int) -> AsyncGenerator[int]:
        yield number
        for each in more:  # of a closure: such a generator's code begins with other instructions
            yield each

    return values


@pytest.mark.parametrize("closed", [False, True], ids=["begun", "closed"])
async def test_coroutine_that_was_begun_is_a_value(memory: MemoryTransport, *, closed: bool) -> None:
    """One that a task is at work with, or that has ended, is recorded where it is returned, and given as it is."""
    task = asyncio.create_task(slow(3))
    await asyncio.sleep(0)
    begun: Any = task.get_coro()
    if closed:
        await task

    assert begun is read(target="number")(lambda number: begun)(3)
    assert begun is audit_context(actor="ada")(lambda: begun)()
    assert "3" == only(memory).target_id
    assert 3 == await task


@pytest.mark.parametrize("closed", [False, True], ids=["begun", "closed"])
async def test_async_generator_that_was_begun_goes_on_where_it_is(memory: MemoryTransport, *, closed: bool) -> None:
    """So is an async generator that a decorator below has begun, or that has ended."""
    values = slow_values([5])
    begun = values(3)
    assert 3 == await anext(begun)
    if closed:
        await begun.aclose()
    given = functools.wraps(values)(lambda number: begun)

    assert begun is read(target="number")(given)(3)
    assert begun is audit_context(actor="ada")(given)(3)
    assert "3" == only(memory).target_id
    assert ([] if closed else [5]) == [each async for each in begun]


async def test_async_generator_that_was_not_begun_runs_inside(memory: MemoryTransport) -> None:
    """One that is still to begin is recorded at its end, also where its function is a closure."""
    values = slow_values([5])
    given = read(target="number")(functools.wraps(values)(lambda number: values(number)))(3)  # noqa: PLW0108  (it hides)
    assert [] == memory.events

    assert [3, 5] == [each async for each in given]
    assert "3" == only(memory).target_id


class Unhashable(type):
    """A metaclass whose classes can be compared in their own way, and so not be hashed."""

    def __eq__(cls, other: object) -> bool:
        raise AssertionError("it was compared")

    __hash__ = None  # type: ignore[assignment]


class OfUnhashable(metaclass=Unhashable):
    """What such a class makes."""


def test_result_of_any_class_is_recorded(memory: MemoryTransport) -> None:
    """A result's class is neither hashed nor compared: how that goes is its metaclass's own."""
    result = OfUnhashable()

    assert result is read(target="number")(lambda number: result)(3)
    assert result is audit_context(actor="ada")(lambda: result)()
    assert "3" == only(memory).target_id


async def test_generator_behind_a_plain_decorator_is_durable(make: Callable[..., Any], tmp_path: Path) -> None:
    """Under fsync="always" its event is on the device when it has ended."""
    trail = make(directory=str(tmp_path / "audit"), fsync="always")

    assert [1] == [*read(trail=trail)(passing_on(generator))(1)]
    assert [2] == [each async for each in read(trail=trail)(passing_on(async_generator))(2)]
    assert 2 == trail.stats().recorded


async def test_generator_that_is_awaited(memory: MemoryTransport) -> None:
    """A generator function that types.coroutine made awaitable is awaited and delegated to, as without us."""

    @read(target="number")
    @types.coroutine
    def older(number: int) -> Generator[Any, Any, int]:
        yield from asyncio.sleep(0).__await__()
        return number

    assert 3 == await older(3)
    assert "3" == only(memory).target_id


@pytest.mark.skipif(sys.version_info < (3, 12), reason="inspect.markcoroutinefunction is of Python 3.12")
async def test_function_that_is_marked_as_coroutine_function(memory: MemoryTransport) -> None:
    """What says that it gives coroutines is a coroutine function, marked before or after it is audited."""
    mark: Any = getattr(inspect, "markcoroutinefunction", None)
    before = read(target="number")(mark(passing_on(coroutine)))
    after = mark(read(target="number")(passing_on(coroutine)))

    assert [True, True] == [inspect.iscoroutinefunction(each) for each in (before, after)]
    assert (1, 2) == (await before(1), await after(2))
    assert ["1", "2"] == targets(memory)


def test_context_manager_of_an_audited_generator_decorates(memory: MemoryTransport) -> None:
    """contextlib.contextmanager above: each block, and each call of what it decorates, is an event of its end."""

    @contextlib.contextmanager
    @read(target="number", on_error="record")
    def managed(number: int) -> Iterator[int]:
        yield number

    @managed(2)
    def decorated() -> str:
        return "done"

    with managed(1) as entered:
        assert [] == memory.events
    with pytest.raises(Refused), managed(3):
        raise Refused

    assert (1, "done", "done") == (entered, decorated(), decorated())
    assert ["1", "3", "2", "2"] == targets(memory)
    assert "failure" == memory.events[1].metadata["outcome"]


@pytest.mark.parametrize("manager", [contextlib.contextmanager, contextlib.asynccontextmanager])
def test_context_manager_below_is_refused(manager: Callable[..., Any]) -> None:
    """Above contextlib's decorators it would be recorded as done before it is entered: the message says where to stand."""
    with pytest.raises(AuditDefinitionError, match=r"context manager generator .* put @audited below @contextmanager"):
        read(target="number")(manager(generator))


def test_overloads(memory: MemoryTransport) -> None:
    """The implementation of overloads is audited, and its overloads are still found."""

    @typing.overload
    def twice(given: int) -> int: ...
    @typing.overload
    def twice(given: str) -> str: ...
    @audited("overloaded.read", "R", target="given")
    def twice(given: Any) -> Any:
        return given * 2

    assert (2, "aa") == (twice(1), twice("a"))
    assert ["1", "a"] == targets(memory)
    assert 2 == len(typing.get_overloads(twice))


def test_marks_of_class_methods_are_kept() -> None:
    """What a framework marked a class or static method with is found above @audited."""

    def marking(method: Any) -> Any:
        method.route = "/numbers"
        return method

    class Routed:
        @read()
        @marking
        @classmethod
        def of_class(cls) -> None:
            """Be routed."""

        @read()
        @marking
        @staticmethod
        def static() -> None:
            """Be routed."""

    for name in ("of_class", "static"):
        held = vars(Routed)[name]
        assert ("/numbers", "Be routed.", name) == (held.route, held.__doc__, held.__name__)
        assert inspect.unwrap(held).__qualname__.endswith(f"Routed.{name}")


# ---------------------------------------------------------------------- parameters of every kind


def test_parameters_of_every_kind_are_referred_to(memory: MemoryTransport) -> None:
    """References and callables read positional-only, keyword-only and collected parameters, given or by default."""

    @read(
        target="first",
        metadata={
            "second": ref("second"),
            "rest": ref("rest"),
            "keyword": ref("keyword"),
            "colour": ref("more.colour"),
            "collected": lambda rest, more: f"{rest} {more}",
        },
    )
    def taking(first: str, second: int = 2, /, *rest: int, keyword: str = "k", **more: str) -> None: ...

    taking("a", 3, 4, 5, keyword="given", colour="red", first="shadow")
    taking("b")

    assert ["a", "b"] == targets(memory)
    given, default = [dict(event.metadata) for event in memory.events]
    assert {
        "second": 3, "rest": "[4, 5]", "keyword": "given", "colour": "red",
        "collected": "(4, 5) {'colour': 'red', 'first': 'shadow'}",
    } == given  # fmt: skip
    assert {"second": 2, "rest": "[]", "keyword": "k", "collected": "() {}"} == default


@every_kind
async def test_arguments_reach_every_kind(memory: MemoryTransport, kind: Callable[..., Any]) -> None:
    """By position, by name or by default: the function gets what it was given, and so do references."""
    decorated = read(target="number")(kind)

    assert (1, 2, 7) == (await run(decorated, 1), await run(decorated, number=2), await run(decorated))
    assert ["1", "2", "7"] == targets(memory)
    with pytest.raises(TypeError, match=rf"^{kind.__name__}\(\) got an unexpected keyword argument 'other'"):
        await run(decorated, other=1)
    assert 3 == len(memory.events)


# ---------------------------------------------------------------------- what is refused


class Own(classmethod):  # type: ignore[type-arg]
    """Be a class method that is made in another way."""

    def __init__(self, given: Any, more: int) -> None:
        super().__init__(given)
        self.more = more


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (property(function), "got a value of type property; decorate the function that the property is made of"),
        (functools.cached_property(function), "type cached_property; decorate the function that"),
        (functools.partialmethod(function), "type partialmethod; decorate the function that"),
        (functools.singledispatchmethod(function), "type singledispatchmethod; decorate the function that"),
        (staticmethod(typing.cast("Any", property(function))), "type property; decorate the function that"),
        (Own(function, 1), "audited() cannot make another Own of function; decorate below it"),
        (Plain, "Plain is a class; decorate its methods"),
        (functools.partial, "partial is a class; decorate its methods"),
        (None, "got a value of type NoneType"),
        ("text", "got a value of type str"),
        (getattr, "getattr has no signature that audited can read"),
    ],
    ids=in_words,
)
def test_what_cannot_be_audited_is_refused_when_decorating(given: Any, message: str) -> None:
    """What is no function is refused at once, with what to decorate instead."""
    with pytest.raises(AuditDefinitionError) as refused:
        read()(given)

    assert message in str(refused.value)


# ---------------------------------------------------------------------- what introspection sees


@every_kind
def test_every_kind_looks_like_itself(kind: Any) -> None:
    """Its signature, kind, hints, names, documentation, source and code are the function's own."""
    decorated: Any = read(target="number")(kind)

    assert inspect.signature(kind) == inspect.signature(decorated)
    assert [test(kind) for test in TESTS] == [test(decorated) for test in TESTS]
    assert typing.get_type_hints(kind, {**globals(), **_LATE_NAMES}) == typing.get_type_hints(
        decorated, {**globals(), **_LATE_NAMES}
    )
    assert inspect.getsource(kind) == inspect.getsource(decorated)
    assert inspect.getsourcefile(kind) == inspect.getsourcefile(decorated)
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__code__", "__defaults__", "__annotations__"):
        assert getattr(kind, name) == getattr(decorated, name)
    assert kind is decorated.__wrapped__
    assert f"<audited {kind!r}>" == repr(decorated)
    assert callable(decorated)
    assert inspect.isroutine(decorated)


_LATE_NAMES = {"Iterator": typing.Iterator, "AsyncIterator": typing.AsyncIterator, "Callable": typing.Callable}


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="asyncio.iscoroutinefunction is deprecated there")
@every_kind
def test_asyncio_knows_coroutine_functions(kind: Any) -> None:
    """asyncio's own test of a coroutine function says the same as inspect's."""
    assert (kind is coroutine) == asyncio.iscoroutinefunction(read()(kind))


@every_kind
def test_help_shows_the_function(kind: Any) -> None:
    """help() prints the same page, word for word."""
    page, own = (pydoc.render_doc(each, renderer=pydoc.plaintext) for each in (read()(kind), kind))  # type: ignore[attr-defined]

    assert own == page


def test_help_shows_methods_in_their_places() -> None:
    """help() of a class lists audited methods as methods, with their signatures and documentation."""

    class Documented:
        @read()
        def method(self, number: int) -> None:
            """Tell of the method."""

        @read()
        @classmethod
        def of_class(cls, number: int) -> None:
            """Tell of the class method."""

        @read()
        @staticmethod
        def static(number: int) -> None:
            """Tell of the static method."""

    page = pydoc.render_doc(Documented, renderer=pydoc.plaintext)  # type: ignore[attr-defined]
    sections = [
        page.index(title) for title in ("Methods defined here", "Class methods defined", "Static methods defined")
    ]
    told = [page.index(f"Tell of the {name}method.") for name in ("", "class ", "static ")]

    assert sorted([*sections, *told]) == [place for pair in zip(sections, told, strict=True) for place in pair]
    assert "method(self, number: 'int')" in page


def test_iterators_of_every_kind_are_shown_by_name() -> None:
    """Generators, async generators and coroutines go by their function's name, not by one of ours."""
    made: list[Any] = [read()(kind)() for kind in KINDS[1:]]
    made[0].close()

    assert [(each.__name__, each.__qualname__) for each in KINDS[1:]] == [
        (each.__name__, each.__qualname__) for each in made
    ]


# ---------------------------------------------------------------------- mocks


class Service:
    @read(target="number")
    def method(self, number: int) -> int:
        return number

    @read(target="number")
    async def later(self, number: int) -> int:
        return number

    @read(target="number")
    @classmethod
    def of_class(cls, number: int) -> int:
        return number

    @read(target="number")
    @staticmethod
    def static(number: int) -> int:
        return number


@pytest.mark.parametrize("name", ["method", "later", "of_class", "static"])
async def test_mock_patches_with_the_functions_signature(memory: MemoryTransport, name: str) -> None:
    """mock.patch(autospec=True) gives a stand-in of the same signature and kind, and puts the very method back."""
    held = vars(Service)[name]
    with mock.patch.object(Service, name, autospec=True):
        stand_in: Any = getattr(Service(), name)
        await run(stand_in, 1)
        with pytest.raises(TypeError):
            await run(stand_in)
        with pytest.raises(TypeError):
            await run(stand_in, 1, 2)

    assert held is vars(Service)[name]
    assert [] == memory.events


@every_kind
def test_autospec_of_every_kind(kind: Any) -> None:
    """mock.create_autospec takes an audited function for the function."""
    spec, own = mock.create_autospec(read()(kind)), mock.create_autospec(kind)

    assert (type(own), inspect.signature(own)) == (type(spec), inspect.signature(spec))
    assert inspect.iscoroutinefunction(own) == inspect.iscoroutinefunction(spec)


async def test_mocks_are_audited(memory: MemoryTransport) -> None:
    """A mock that is audited counts its calls, plain or awaited, and gives what it was told."""
    plain, later = mock.Mock(return_value=3), mock.AsyncMock(return_value=4)

    assert (3, 4) == (read()(plain)(1), await read()(later)(2))
    plain.assert_called_once_with(1)
    later.assert_awaited_once_with(2)
    assert 2 == len(memory.events)


# ---------------------------------------------------------------------- pickling, copies and other processes


@read(target="number")
def in_module(number: int) -> int:
    """Be found by name, in this process and in others."""
    return number * 2


@read(target="number")
def rows_in_module(number: int) -> Iterator[int]:
    yield from range(number)


@read(target="number")
async def later_rows_in_module(number: int) -> AsyncIterator[int]:
    for each in range(number):
        yield each


class Worker:
    """Hold methods that are called in other processes."""

    def __init__(self, name: str) -> None:
        self.name = name

    @audited("worker.method", "R", target=("number", "self.name"))
    def method(self, number: int) -> int:
        return number * 3

    @audited("worker.class", "R", target="number")
    @classmethod
    def of_class(cls, number: int) -> int:
        return number * 4


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_generator_functions_pickle_by_their_names(protocol: int) -> None:
    """Generator functions of both kinds pickle as plain ones do: by name, to the very object."""
    for given in (rows_in_module, later_rows_in_module, in_module, Worker.method):
        assert given is pickle.loads(pickle.dumps(given, protocol))
    assert Worker.of_class == pickle.loads(pickle.dumps(Worker.of_class, protocol))


@pytest.mark.parametrize(
    "given",
    [functools.partial(function), Plain(), functools.partial(in_module, 1)],
    ids=["partial", "object", "of audited"],
)
def test_objects_without_a_name_say_that_they_do_not_pickle(given: Any) -> None:
    """An audited object has no name to be found by; that is said, and nothing else is pickled in its place."""
    kind = type(given).__name__
    with pytest.raises(pickle.PicklingError, match=f"an audited {kind} has no qualified name to be pickled by"):
        pickle.dumps(read()(given))


def test_partial_of_an_audited_function_pickles(memory: MemoryTransport) -> None:
    """A partial of an audited function of a module is still one on the other side."""
    assert 6 == pickle.loads(pickle.dumps(functools.partial(in_module, 3)))()
    assert "3" == only(memory).target_id


@pytest.mark.parametrize("make_one", [lambda: lambda: None, lambda: read()(lambda: None)], ids=["plain", "audited"])
def test_local_functions_do_not_pickle(make_one: Callable[[], Any]) -> None:
    """What pickle refuses of a plain function it refuses of an audited one."""
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(make_one())


def begin_in_child(directory: str) -> None:
    """Configure a child process's own trail, on the directory of its parent."""
    configure(directory=directory)


def test_audited_functions_run_in_other_processes(tmp_path: Path) -> None:
    """Sent to processes that were spawned, functions and methods are audited there, in the same audit directory."""
    directory = str(tmp_path / "audit")
    with ProcessPoolExecutor(
        2, mp_context=multiprocessing.get_context("spawn"), initializer=begin_in_child, initargs=(directory,)
    ) as pool:
        doubled = pool.map(in_module, range(4))
        tripled = pool.submit(Worker("w").method, 5)
        fourfold = pool.submit(Worker.of_class, 6)
        partly = pool.submit(functools.partial(in_module, number=7))

        assert ([0, 2, 4, 6], 15, 24, 14) == ([*doubled], tripled.result(), fourfold.result(), partly.result())
    configure(directory=directory)
    in_module(8)

    assert flush(timeout=30)
    shutdown(timeout=5)
    found = [(entry.event.action, entry.event.target_id) for entry in LedgerReader(directory).events()]
    assert sorted(
        [
            *(("number.read", str(number)) for number in (0, 1, 2, 3, 7, 8)),
            ("worker.class", "6"),
            ("worker.method", "5"),
        ]
    ) == sorted(found)


def call_in_child(directory: str, given: Callable[[int], Any], number: int) -> None:
    """Call a function in a process that configures its own trail."""
    configure(directory=directory)
    given(number)


def test_audited_function_is_a_processes_argument(tmp_path: Path) -> None:
    """multiprocessing.Process takes an audited function, as its target's argument, under spawn."""
    directory = str(tmp_path / "audit")
    process = multiprocessing.get_context("spawn").Process(target=call_in_child, args=(directory, in_module, 3))
    process.start()
    process.join()
    configure(directory=directory)

    assert 0 == process.exitcode
    assert flush(timeout=30)
    shutdown(timeout=5)
    assert ["3"] == [entry.event.target_id for entry in LedgerReader(directory).events()]


@every_kind
def test_identity_is_a_functions(kind: Any) -> None:
    """Copies are itself; it is hashable, a key, equal to itself and weakly referred to, as a function is."""
    decorated: Any = read()(kind)
    held = {decorated: "value", "nested": [decorated]}
    forgotten = weakref.ref(decorated)

    assert decorated is copy.copy(decorated)
    assert decorated is copy.deepcopy(decorated)
    assert decorated is copy.deepcopy(held)["nested"][0]
    assert (hash(decorated), "value") == (hash(decorated), held[decorated])
    assert decorated == decorated  # noqa: PLR0124  (that is what is asked)
    assert decorated is forgotten()
    del decorated, held
    assert None is forgotten()


def test_objects_that_hold_audited_functions_are_copied(memory: MemoryTransport) -> None:
    """A deep copy of an object with bound methods and callables is its own object, and audited as the first."""
    worker = Worker("first")
    held = {"bound": worker.method, "callable": in_module}
    copied = copy.deepcopy(held)
    copied["bound"].__self__.name = "copy"

    assert (3, 3) == (held["bound"](1), copied["bound"](1))
    assert ["first", "copy"] == [event.target_name for event in memory.events]


def test_one_function_in_many_threads(memory: MemoryTransport) -> None:
    """A generator's values may be asked for by several threads, one after the other; it is one call."""
    running = rows_in_module(3)
    found: list[int] = []
    for _ in range(4):
        thread = threading.Thread(target=lambda: found.extend([next(running, -1)]))
        thread.start()
        thread.join()

    assert [0, 1, 2, -1] == found
    assert "3" == only(memory).target_id


# ---------------------------------------------------------------------- exceptions


def raising(error: BaseException) -> None:
    """Raise it, with a cause."""
    raise error from KeyError("cause")


async def raising_later(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error from KeyError("cause")


def raising_on_demand(error: BaseException) -> Iterator[None]:
    yield
    raise error from KeyError("cause")


async def raising_later_on_demand(error: BaseException) -> AsyncIterator[None]:
    yield
    raise error from KeyError("cause")


async def drain(result: Any) -> None:
    if inspect.isasyncgen(result):
        async for _ in result:
            pass
    elif inspect.isgenerator(result):
        for _ in result:
            pass
    elif inspect.isawaitable(result):
        await result


RAISING = [raising, raising_later, raising_on_demand, raising_later_on_demand, passing_on(raising_later)]


@pytest.mark.parametrize("on_error", ["skip", "record"])
@pytest.mark.parametrize("kind", RAISING, ids=["plain", "coroutine", "generator", "async generator", "behind"])
async def test_exception_is_the_same_object(memory: MemoryTransport, kind: Any, on_error: str) -> None:
    """What is raised is the very object, with its cause, context, notes and the whole way it came."""
    error, earlier = Refused("no"), ValueError("earlier")
    error.add_note("a note")
    decorated = read(on_error=on_error)(kind)
    try:
        raise earlier
    except ValueError:
        with pytest.raises(Refused) as caught:
            await drain(decorated(error))
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]

    assert error is caught.value
    assert ["a note"] == error.__notes__
    assert (KeyError, earlier) == (type(error.__cause__), error.__context__)
    assert (test_exception_is_the_same_object.__name__, inspect.unwrap(kind).__name__) == (frames[0], frames[-1])
    assert (1 if on_error == "record" else 0) == len(memory.events)


@pytest.mark.parametrize("kind", RAISING, ids=["plain", "coroutine", "generator", "async generator", "behind"])
async def test_exception_is_the_same_where_recording_fails(memory: MemoryTransport, kind: Any) -> None:
    """Trouble of auditkit's own while a failure is recorded is no part of that failure."""

    def troubled(error: BaseException) -> str:
        raise OSError("of auditkit's own")

    error = Refused("no")
    with pytest.raises(Refused) as caught:
        await drain(read(on_error="record", metadata={"key": troubled})(kind)(error))

    assert error is caught.value
    assert KeyError is type(error.__cause__)
    assert None is error.__context__
    assert not hasattr(error, "__notes__")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), StopIteration(4)], ids=in_words)
def test_exceptions_that_mean_something_pass(memory: MemoryTransport, error: BaseException) -> None:
    """An interrupt, the end of the process or of somebody's iteration reaches the caller as it was raised."""
    with pytest.raises(type(error)) as caught:
        read()(raising)(error)

    assert error is caught.value


@pytest.mark.parametrize("is_audited", [False, True], ids=["plain", "audited"])
def test_closed_generator_gives_what_it_returns(memory: MemoryTransport, is_audited: bool) -> None:  # noqa: FBT001
    """close() gives what the generator returned then: from Python 3.13 on that, before nothing, with us or without."""

    def closing() -> Generator[int, None, str]:
        try:
            yield 1
        except GeneratorExit:
            return "closed"
        return "ended"

    running: Any = read()(closing)() if is_audited else closing()
    next(running)

    assert ("closed" if sys.version_info >= (3, 13) else None) == running.close()
    assert None is running.close()
    assert ["abandoned"] * is_audited == [event.metadata["outcome"] for event in memory.events]


async def test_awaitables_that_are_no_coroutines_are_results(memory: MemoryTransport) -> None:
    """A future that a plain function returns is its result: the very object, and the call has ended."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @read()
    def scheduling() -> Awaitable[int]:
        return future

    assert future is scheduling()
    assert 1 == len(memory.events)
    future.cancel()
