"""What type checkers must see of @audited on every kind of callable: checked by mypy and pyright, never run.

A line with `type: ignore` must be refused: mypy complains of an ignore that nothing needs, and so does pyright.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import abc
import enum
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from typing import Concatenate, Generic, NamedTuple, ParamSpec, Protocol, Self, TypeVar, assert_type, overload

from auditkit import ActionType, audited

Item = TypeVar("Item")
Arguments = ParamSpec("Arguments")


# ---------------------------------------------------------------------- functions


@audited("number.read", "R", target="number")
def function(number: int, /, text: str = "", *rest: bytes, keyword: float, **more: complex) -> list[str]:
    """Have parameters of every kind."""
    return [text]


@audited("number.read", "R", target="number")
async def coroutine(number: int, *, keyword: str = "") -> bytes:
    """Be awaited."""
    return b""


@audited("number.read", ActionType.READ, target="number")
def iterator(number: int) -> Iterator[str]:
    """Yield."""
    yield ""


@audited("number.read", "R", target="number")
def generator(number: int) -> Generator[int, str, bytes]:
    """Yield, be sent, and return."""
    yield number
    return b""


@audited("number.read", "R", target="number")
async def async_iterator(number: int) -> AsyncIterator[str]:
    """Yield later."""
    yield ""


@audited("number.read", "R", target="number")
async def async_generator(number: int) -> AsyncGenerator[int, str]:
    """Yield later, and be sent."""
    yield number


async def functions_keep_their_signatures() -> None:
    """Each kind takes and gives what it did."""
    assert_type(function(1, "a", b"b", keyword=1.0, more=2j), list[str])
    function(number=1, keyword=1.0)  # type: ignore[call-arg]
    function(1, 2, keyword=1.0)  # type: ignore[arg-type]
    function(1, "a", "b", keyword=1.0)  # type: ignore[arg-type]
    function(1)  # type: ignore[call-arg]
    function(1, keyword=1.0, more="a")  # type: ignore[arg-type]

    assert_type(await coroutine(1, keyword="a"), bytes)
    await coroutine("1")  # type: ignore[arg-type]
    await coroutine(1, "a")  # type: ignore[call-arg]

    assert_type(iterator(1), Iterator[str])
    assert_type(next(iterator(1)), str)
    iterator("1")  # type: ignore[arg-type]

    assert_type(generator(1), Generator[int, str, bytes])
    assert_type(generator(1).send("a"), int)
    generator(1).send(1)  # type: ignore[arg-type]

    assert_type(async_iterator(1), AsyncIterator[str])
    assert_type([each async for each in async_iterator(1)], list[str])
    async_iterator("1")  # type: ignore[arg-type]

    assert_type(async_generator(1), AsyncGenerator[int, str])
    assert_type(await async_generator(1).asend("a"), int)
    await async_generator(1).asend(1)  # type: ignore[arg-type]


def takes_plain(given: Callable[[int], Iterator[str]]) -> None:
    """Be given a decorated function, as a framework is."""


def takes_awaited(given: Callable[[int], Awaitable[bytes]]) -> None:
    """Be given a decorated coroutine function, as a framework is."""


def functions_are_given_to_others() -> None:
    """What takes a function of a kind takes a decorated one, and no other."""
    takes_plain(iterator)
    takes_awaited(coroutine)
    takes_plain(coroutine)  # type: ignore[arg-type]
    takes_awaited(iterator)  # type: ignore[arg-type]
    assert_type(audited("number.read", "R")(lambda: [b""])(), list[bytes])
    assert_type(audited("number.read", "R")(functools.partial(function, 1))(keyword=1.0), list[str])
    assert_type(audited("number.read", "R")(len)("abc"), int)


# ---------------------------------------------------------------------- overloads and generics


@overload
def overloaded(given: int) -> str: ...
@overload
def overloaded(given: str) -> int: ...
@audited("number.read", "R", target="given")
def overloaded(given: int | str) -> str | int:
    """Give the other."""
    return given


@audited("number.read", "R")
def generic(items: Sequence[Item], default: Item) -> Item:
    """Give one of them."""
    return items[0] if items else default


@audited("number.read", "R")
async def generic_later(given: Item) -> list[Item]:
    """Give it in a list."""
    return [given]


@audited("number.read", "R")
def applied(given: Callable[Arguments, Item], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Item:
    """Call a function with what it takes."""
    return given(*args, **kwargs)


@audited("number.read", "R")
def prefixed(given: Callable[Concatenate[int, Arguments], Item]) -> Callable[Arguments, Item]:
    """Give a function that takes one argument less."""
    return functools.partial(given, 1)


async def overloads_and_generics_are_kept() -> None:
    """Overloads choose as before; type variables and parameter specifications are solved as before."""
    assert_type(overloaded(1), str)
    assert_type(overloaded("a"), int)
    overloaded(b"")  # type: ignore[call-overload]

    assert_type(generic([1], 2), int)
    assert_type(await generic_later("a"), list[str])

    assert_type(applied(iterator, 1), Iterator[str])
    assert_type(await applied(coroutine, 1, keyword="a"), bytes)
    applied(iterator, "a")  # type: ignore[arg-type]
    await applied(coroutine, 1, word="a")  # type: ignore[call-arg]
    assert_type(prefixed(iterator)(), Iterator[str])


# ---------------------------------------------------------------------- methods


class Store(Generic[Item]):
    """Hold a method of every kind, with @audited below and above."""

    def __init__(self, item: Item) -> None:
        self.item = item

    @audited("store.read", "R", target="self")
    def method(self, number: int, *, text: str = "") -> Item:
        return self.item

    @audited("store.read", "R")
    def itself(self) -> Self:
        return self

    @audited("store.read", "R")
    async def coroutine(self, number: int) -> Item:
        return self.item

    @audited("store.read", "R")
    def iterator(self, number: int) -> Iterator[Item]:
        yield self.item

    @audited("store.read", "R")
    async def async_iterator(self, number: int) -> AsyncIterator[Item]:
        yield self.item

    @classmethod
    @audited("store.read", "R", target="cls")
    def class_below(cls, item: Item) -> Self:
        return cls(item)

    @audited("store.read", "R", target="cls")
    @classmethod
    def class_above(cls, number: int) -> str:
        return ""

    @classmethod
    @audited("store.read", "R")
    async def class_coroutine_below(cls, number: int) -> str:
        return ""

    @audited("store.read", "R")
    @classmethod
    async def class_coroutine_above(cls, number: int) -> str:
        return ""

    @classmethod
    @audited("store.read", "R")
    def class_iterator_below(cls, number: int) -> Iterator[str]:
        yield ""

    @audited("store.read", "R")
    @classmethod
    async def class_async_iterator_above(cls, number: int) -> AsyncIterator[str]:
        yield ""

    @staticmethod
    @audited("store.read", "R", target="number")
    def static_below(number: int) -> str:
        return ""

    @audited("store.read", "R", target="number")
    @staticmethod
    def static_above(number: int) -> str:
        return ""

    @staticmethod
    @audited("store.read", "R")
    async def static_coroutine_below(number: int) -> str:
        return ""

    @audited("store.read", "R")
    @staticmethod
    async def static_coroutine_above(number: int) -> str:
        return ""

    @staticmethod
    @audited("store.read", "R")
    async def static_async_iterator_below(number: int) -> AsyncIterator[str]:
        yield ""

    @audited("store.read", "R")
    @staticmethod
    def static_iterator_above(number: int) -> Iterator[str]:
        yield ""

    @property
    @audited("store.read", "R")
    def held(self) -> Item:
        return self.item

    @held.setter
    @audited("store.set", "U", target="value")
    def held(self, value: Item) -> None:
        self.item = value

    @functools.cached_property
    @audited("store.read", "R")
    def cached(self) -> list[Item]:
        return [self.item]

    @audited("store.read", "R")
    def __call__(self, number: int) -> Item:
        return self.item

    @audited("store.read", "R")
    def __getitem__(self, key: str) -> Item:
        return self.item


async def methods_keep_their_signatures(store: Store[float]) -> None:
    """A method is bound, a class method to its class and a static one to nothing, in either order."""
    assert_type(store.method(1, text="a"), float)
    assert_type(Store[float].method(store, 1), float)
    assert_type(store.itself(), Store[float])
    assert_type(await store.coroutine(1), float)
    assert_type(store.iterator(1), Iterator[float])
    assert_type([each async for each in store.async_iterator(1)], list[float])
    store.method("1")  # type: ignore[arg-type]
    store.method(1, word="a")  # type: ignore[call-arg]
    await store.coroutine()  # type: ignore[call-arg]
    store.iterator("1")  # type: ignore[arg-type]

    assert_type(Store.class_above(1), str)
    assert_type(store.class_above(1), str)
    assert_type(await Store.class_coroutine_below(1), str)
    assert_type(await store.class_coroutine_above(1), str)
    assert_type(Store.class_iterator_below(1), Iterator[str])
    assert_type(Store.class_async_iterator_above(1), AsyncIterator[str])
    Store.class_above("1")  # type: ignore[arg-type]
    await Store.class_coroutine_below("1")  # type: ignore[arg-type]
    await Store.class_coroutine_above()  # type: ignore[call-arg]

    assert_type(Store.static_below(1), str)
    assert_type(store.static_above(1), str)
    assert_type(await Store.static_coroutine_below(1), str)
    assert_type(await store.static_coroutine_above(1), str)
    assert_type(Store.static_async_iterator_below(1), AsyncIterator[str])
    assert_type(Store.static_iterator_above(1), Iterator[str])
    Store.static_below("1")  # type: ignore[arg-type]
    Store.static_above("1")  # type: ignore[arg-type]
    await Store.static_coroutine_above()  # type: ignore[call-arg]


def what_is_made_of_methods_keeps_its_type(store: Store[float]) -> None:
    """Properties and special methods are typed as without @audited."""
    assert_type(store.held, float)
    store.held = 2.5
    store.held = "a"  # type: ignore[assignment]
    assert_type(store.cached, list[float])
    assert_type(store(1), float)
    assert_type(store["key"], float)
    store("1")  # type: ignore[arg-type]
    assert_type(Store[float].class_below(1.5), Store[float])


# ---------------------------------------------------------------------- classes of other kinds


class Runs(Protocol):
    """Be known by a method."""

    def run(self, number: int) -> str: ...


class Base(abc.ABC):
    """Have an abstract method that is audited."""

    @audited("base.run", "R")
    @abc.abstractmethod
    def run(self, number: int) -> str: ...


class Derived(Base):
    """Override it, audited too."""

    @audited("derived.run", "R")
    def run(self, number: int) -> str:
        return f"over {number}"


class Wrong(Base):
    """Override it with another signature."""

    @audited("wrong.run", "R")
    def run(self, number: str) -> str:  # type: ignore[override]
        return number


class Colour(enum.Enum):
    """Have a method that is no member."""

    RED = "red"

    @audited("colour.read", "R")
    def shown(self, number: int) -> str:
        return self.value * number


class Point(NamedTuple):
    """Have a method that is no field."""

    x: int

    @audited("point.read", "R")
    def moved(self, by: int) -> Point:
        return Point(self.x + by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Have a method that is no field."""

    name: str

    @audited("account.read", "R")
    def greeted(self, word: str) -> str:
        return word + self.name


def takes_a_runner(given: Runs) -> None:
    """Be given what has the method."""


def classes_of_other_kinds_keep_their_types() -> None:
    """An abstract method stays abstract, and a class with an audited method is what the method makes it."""
    Base()  # type: ignore[abstract]
    takes_a_runner(Derived())
    takes_a_runner(Wrong())  # type: ignore[arg-type]
    takes_a_runner(Store(1))  # type: ignore[arg-type]
    assert_type(Derived().run(1), str)
    assert_type(Colour.RED.shown(1), str)
    assert_type(Point(1).moved(2), Point)
    assert_type(Account(name="a").greeted("b"), str)
    Colour.RED.shown("1")  # type: ignore[arg-type]
    Point(1).moved("2")  # type: ignore[arg-type]
    Account(name="a").greeted(1)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- decorators above and below


@functools.cache
@audited("number.read", "R")
def cache_above(number: int) -> str:
    """Be cached."""
    return ""


@audited("number.read", "R")
@functools.cache
def cache_below(number: int) -> str:
    """Be cached."""
    return ""


@contextmanager
@audited("number.read", "R")
def managed(number: int) -> Generator[str]:
    """Be a block."""
    yield ""


@asynccontextmanager
@audited("number.read", "R")
async def managed_later(number: int) -> AsyncGenerator[str]:
    """Be an async block."""
    yield ""


@functools.singledispatch
@audited("number.read", "R")
def dispatched(given: object) -> str:
    """Be told apart by type."""
    return ""


@dispatched.register
@audited("number.read", "R")
def dispatched_int(given: int) -> str:
    """Be that of numbers."""
    return ""


def traced(given: Callable[Arguments, Item]) -> Callable[Arguments, Item]:
    """Decorate as most decorators do."""
    return given


@audited("number.read", "R")
@audited("number.again", "R")
@traced
def decorated(number: int, *, text: str = "") -> str:
    """Be decorated by several."""
    return text


def takes_a_manager(one: AbstractContextManager[str], other: AbstractAsyncContextManager[str]) -> None:
    """Be given blocks."""


def decorators_above_and_below_see_the_signature() -> None:
    """Decorators see a decorated function as the function, and @audited gives what they made as it was."""
    assert_type(cache_above(1), str)
    assert_type(cache_below(1), str)
    cache_below.cache_clear()
    takes_a_manager(managed(1), managed_later(1))
    with managed(1) as text:
        assert_type(text, str)
    managed("1")  # type: ignore[arg-type]
    assert_type(dispatched(1), str)
    assert_type(dispatched_int(1), str)
    assert_type(decorated(1, text="a"), str)
    decorated(1, text=1)  # type: ignore[arg-type]
