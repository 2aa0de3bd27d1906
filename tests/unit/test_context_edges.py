"""Scopes at their edges: proxies, shared decorators, copied contexts, generators that yield inside scopes."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial, wraps
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit import _current, context
from auditkit.context import audit_context, bind_context, current_context, current_scope
from auditkit.draft import Defaults
from auditkit.errors import AuditDefinitionError
from auditkit.event import Actor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import FrameType

    from auditkit.context import Scope

SOME_UUID = UUID("01234567-89ab-7def-8123-456789abcdef")
DEFAULTS = Defaults(group="somewhere", actor=Actor("nobody"), location="here")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    _current.reset()
    yield
    _current.reset()


class Proxy:
    """Stand for what a function gives, and be callable whatever that is, as werkzeug's LocalProxy does."""

    def __init__(self, find: Callable[[], Any]) -> None:
        object.__setattr__(self, "_find", find)

    def __getattribute__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_find")(), name)

    def __call__(self) -> Any:
        return object.__getattribute__(self, "_find")()()


class User(SimpleNamespace):
    """Somebody, with an id where logged in."""


class Answering(User):
    """Somebody who can be called."""

    def __call__(self) -> Any:
        raise AssertionError("an actor was called")


@pytest.mark.parametrize("field", ["actor", "on_behalf_of"])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Proxy(lambda: User(id="ada", name="Ada")), Actor("ada", "Ada")),
        (Proxy(lambda: User(pk=0, id=None)), Actor("0")),
        (Proxy(lambda: Answering(id="ada")), Actor("ada")),
        (Answering(id=SOME_UUID), Actor(str(SOME_UUID))),
        (Proxy(lambda: lambda: "ada"), Actor("ada")),
        (partial(User, id="ada"), Actor("ada")),
        (Mock(return_value="ada"), Actor("ada")),
    ],
    ids=[
        "proxy",
        "proxy with pk",
        "proxy of a callable user",
        "callable user",
        "proxy of a function",
        "factory",
        "mock",
    ],
)
def test_party_that_can_be_called(field: str, given: Any, expected: Actor) -> None:
    """A party that can be called is read where it is somebody or a proxy of somebody, and asked where it is neither."""
    with audit_context(**{field: given}):
        assert expected == getattr(current_context(), field)

    assert {} == _current.reporter.counts()


@pytest.mark.parametrize("nobody", [None, User(), User(id=None)], ids=["None", "no id", "an id of None"])
def test_proxy_of_nobody_is_read_again(nobody: object) -> None:
    """A proxy behind which nobody stands yet binds nobody, is no trouble, and is read again for the next event."""
    user = [nobody]
    with audit_context(actor=Proxy(lambda: user[0])):
        assert current_context().actor is None
        user[0] = User(id="ada")
        assert Actor("ada") == current_context().actor

    assert {} == _current.reporter.counts()


@pytest.mark.parametrize("nobody", [User(pk=None, id=None), {"id": None}, lambda: User(pk=None)])
def test_user_without_an_id_is_nobody(nobody: object) -> None:
    """What a framework puts in a user's place while nobody is logged in binds nobody, and is no trouble."""
    with audit_context(actor="service"), audit_context(actor=nobody, on_behalf_of=nobody):
        assert (Actor("service"), None) == (current_context().actor, current_context().on_behalf_of)

    assert {} == _current.reporter.counts()


def test_proxy_of_a_user_with_an_unknown_kind_of_id(caplog: pytest.LogCaptureFixture) -> None:
    """A proxied user whose id is of no kind that auditkit takes is told as such, and not called."""
    with audit_context(actor=Proxy(lambda: User(id=object()))):
        assert current_context().actor is None

    assert "actor.id must be a str, int, UUID or Enum, got a value of type object" in caplog.text


def test_later_metadata_comes_over_earlier() -> None:
    """Mappings and callables are merged in the order in which they were said, inner scopes last."""
    with audit_context(metadata=lambda: {"a": 1, "b": 1}):
        bind_context(metadata={"b": 2, "c": 2})
        bind_context(metadata=lambda: {"c": 3, "d": 3})
        with audit_context(metadata={"d": 4}):
            assert {"a": 1, "b": 2, "c": 3, "d": 4} == current_context().metadata


def test_metadata_that_is_not_known_yet_is_added_when_it_is() -> None:
    """A callable that gives None is asked again, and holds back nothing that is known."""
    answers: list[dict[str, Any] | None] = [None, {"a": 1}]
    with audit_context(metadata=lambda: answers.pop(0)):
        bind_context(metadata={"b": 2})
        assert {"b": 2} == current_context().metadata
        assert {"a": 1, "b": 2} == current_context().metadata
        assert {"a": 1, "b": 2} == current_context().metadata

    assert [] == answers


def test_answer_of_a_callable_is_kept_beside_other_binds() -> None:
    """What was answered once is not asked again, whatever is bound meanwhile, and a kept scene is made anew."""
    asked: list[int] = []

    def who() -> str:
        asked.append(1)
        return "ada"

    with audit_context(actor=who):
        scope = current_scope()
        assert scope is not None
        assert "ada" == scope.scene(DEFAULTS).actor_id
        bind_context(location="there")
        assert ("ada", "there") == (scope.scene(DEFAULTS).actor_id, scope.scene(DEFAULTS).location)

    assert [1] == asked


def test_callable_that_needs_its_own_answer_goes_without() -> None:
    """A lazy field whose callable looks at the context sees itself unbound, and does not recurse."""

    def who() -> str:
        seen.append(current_context().actor)
        return "ada"

    seen: list[Any] = []
    with audit_context(actor=who):
        assert Actor("ada") == current_context().actor

    assert [None] == seen


def at_step(number: int, act: Callable[[], object], meanwhile: Callable[[], object]) -> bool:
    """Act, and let something happen in the middle, at one step of the interpreter in the module, as another thread may.

    Return whether there was such a step: where there was none, all have been tried.
    """
    elsewhere, left = copy_context(), number

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename != context.__file__:
            return None
        frame.f_trace_opcodes = True
        if event in {"line", "opcode"}:
            left -= 1
            if left == 0:
                elsewhere.run(meanwhile)
        return trace

    traced_by = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(traced_by)
    return left <= 0


def test_generation_is_never_set_back() -> None:
    """Whenever another thread binds while one does, no scene that was made before a later bind outlives it."""
    for number in count(1):
        with audit_context():
            scope = current_scope()
            assert scope is not None

            def meanwhile(scope: Scope = scope) -> None:
                bind_context(location="first")
                bind_context(location="second")
                scope.scene(DEFAULTS)

            more = at_step(number, partial(bind_context, group="g"), meanwhile)
            bind_context(location="last")
            scene = scope.scene(DEFAULTS)

        assert ("g", "last") == (scene.group, scene.location), number
        if not more:
            break


def test_bind_while_a_callable_is_asked_stands() -> None:
    """Whenever a field is bound while its callable is being asked, what was bound stands."""
    for number in count(1):
        with audit_context(actor=lambda: "lazy"):
            more = at_step(number, current_context, partial(bind_context, actor="bound"))
            actor = current_context().actor

        assert Actor("bound" if more else "lazy") == actor, number
        if not more:
            break


def test_callable_asked_twice_at_once_has_one_answer() -> None:
    """Whenever another thread asks a callable while one does, both get the same answer, and it stays."""
    for number in count(1):
        numbers = count()
        seen: list[Actor | None] = []
        with audit_context(actor=lambda numbers=numbers: next(numbers)):

            def look(seen: list[Actor | None] = seen) -> None:
                seen.append(current_context().actor)

            more = at_step(number, look, look)
            look()

        assert 1 == len(set(seen)), number
        if not more:
            break


@pytest.mark.parametrize("first", [None, {"a": 1}, lambda: {"a": 1}], ids=["nothing", "a mapping", "a callable"])
@pytest.mark.parametrize("lazy", [False, True], ids=["a mapping each", "a callable each"])
def test_metadata_bound_twice_at_once_is_all_there(first: Any, *, lazy: bool) -> None:
    """Whenever another thread binds metadata while one does, what both said is there."""
    one: Any = (lambda: {"b": 1}) if lazy else {"b": 1}
    other: Any = (lambda: {"c": 1}) if lazy else {"c": 1}
    for number in count(1):
        with audit_context(metadata=first):
            more = at_step(number, partial(bind_context, metadata=one), partial(bind_context, metadata=other))
            metadata = current_context().metadata

        assert {"b", *("c" * more), *("a" if first else "")} == set(metadata), number
        if not more:
            break


def test_bind_while_garbage_is_collected() -> None:
    """A scope may be bound at any allocation that a look at it makes, as a finalizer may: the look does not fail."""

    def bind(*_: object) -> None:
        gc.callbacks.remove(bind)
        bind_context(location="l", correlation_id="c")

    thresholds = gc.get_threshold()
    gc.freeze()  # what is there already need not be looked at each time
    try:
        for number in range(1, 60):
            with audit_context(group="g", actor="a", metadata={"a": 1}):
                gc.collect()  # empties the lists from which tuples are taken uncounted
                gc.callbacks.append(bind)
                gc.set_threshold(number)
                assert "g" == current_context().group
                gc.set_threshold(*thresholds)
                gc.collect()  # binds at the latest here
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def test_callable_that_is_not_needed_does_not_hold_a_scene_back() -> None:
    """A callable of an outer scope that an inner one covers is not asked, and events of the inner share one scene."""

    def never() -> str:
        raise AssertionError

    with audit_context(actor=never), audit_context(actor="ada"):
        scope = current_scope()
        assert scope is not None

        assert scope.scene(DEFAULTS) is scope.scene(DEFAULTS)


def test_threads_that_ask_at_once_get_one_answer() -> None:
    """Where several threads ask a lazy field at the same time, all see the same answer ever after."""
    barrier = threading.Barrier(4)
    count = iter(range(100))

    def who() -> str:
        number = next(count)
        barrier.wait(10)
        return f"user_{number}"

    seen: list[Any] = []
    with audit_context(actor=who):
        threads = [
            threading.Thread(target=copy_context().run, args=(lambda: seen.append(current_context().actor),))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seen.append(current_context().actor)

    assert 1 == len(set(seen))


def test_one_decorator_serves_many_calls_at_once() -> None:
    """A scope as a decorator is begun anew for each call: recursion, threads and tasks do not share it."""
    here: list[Any] = []

    @audit_context(group="g")
    def recursive(depth: int) -> None:
        bind_context(location=f"depth {depth}")
        if depth:
            recursive(depth - 1)
        here.append(current_context().location)

    @audit_context(group="g")
    async def task(name: str) -> str | None:
        bind_context(actor=name)
        await asyncio.sleep(0)
        actor = current_context().actor
        return None if actor is None else actor.id

    async def main() -> list[str | None]:
        return await asyncio.gather(*(task(name) for name in "abc"))

    recursive(2)

    assert ["depth 0", "depth 1", "depth 2"] == here
    assert ["a", "b", "c"] == asyncio.run(main())
    assert current_scope() is None


def test_decorated_call_leaves_what_was_left_open_in_it() -> None:
    """A call leaves its own scope, whatever the same decorator's object was entered for inside of it."""
    scope = audit_context(group="g")

    def opened() -> Iterator[None]:
        with scope:
            yield

    @scope
    def call() -> Iterator[None]:
        inside = opened()
        next(inside)
        return inside

    def leave_open() -> str | None:
        with audit_context(group="around"):
            inside = call()
            after = current_context().group
            inside.close()  # type: ignore[attr-defined]  # a generator
            return after

    assert "around" == copy_context().run(leave_open)


def test_one_decorator_serves_many_threads_at_once() -> None:
    """Calls of functions with one decorator, all inside at the same time, see their own scope and no other."""
    together = threading.Barrier(4, timeout=30)
    scope = audit_context(group="g")

    @scope
    def call(location: str) -> tuple[str | None, str | None]:
        bind_context(location=location)
        together.wait()
        seen = current_context()
        together.wait()
        return seen.group, seen.location

    def run(location: str) -> tuple[Any, Any]:
        return call(location), current_scope()

    with ThreadPoolExecutor(4) as pool:
        assert [(("g", each), None) for each in "abcd"] == list(pool.map(run, "abcd"))


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
@pytest.mark.parametrize("outside", [True, False], ids=["context outside", "context inside"])
def test_static_and_class_methods(kind: Callable[[Any], Any], *, outside: bool) -> None:
    """The decorator stands above and below staticmethod and classmethod."""

    def method(*_: object) -> Any:
        return current_context().group

    scope = audit_context(group="g")

    class Service:
        ask = scope(kind(method)) if outside else kind(scope(method))

    assert ("g", "g") == (Service.ask(), Service().ask())


def test_generator_goes_on_in_the_scope_it_yielded_in() -> None:
    """A generator that enters a scope of its own, and yields inside it, is in it again when it goes on."""

    @audit_context(group="outer")
    def walk() -> Iterator[tuple[str | None, str | None]]:
        with audit_context(location="inner"):
            yield current_context().group, current_context().location
            yield current_context().group, current_context().location
        yield current_context().group, current_context().location

    seen = []
    for each in walk():
        seen.append(each)
        assert current_scope() is None

    assert [("outer", "inner"), ("outer", "inner"), ("outer", None)] == seen


def test_async_generator_goes_on_in_the_scope_it_yielded_in() -> None:
    """The same for async generators."""

    @audit_context(group="outer")
    async def walk() -> AsyncIterator[str | None]:
        async with audit_context(location="inner"):
            yield current_context().location
            await asyncio.sleep(0)
            yield current_context().location
        yield current_context().location

    async def main() -> list[str | None]:
        seen = []
        async for each in walk():
            seen.append(each)
            assert current_scope() is None
        return seen

    assert ["inner", "inner", None] == asyncio.run(main())


def test_generator_is_closed_in_the_scope_it_yielded_in() -> None:
    """A generator that is closed, or into which an error is thrown, inside a scope of its own cleans up there."""
    seen = []

    @audit_context(group="outer")
    def walk() -> Iterator[None]:
        with audit_context(location="inner"):
            try:
                yield
            finally:
                seen.append(current_context().location)

    first, second = walk(), walk()
    next(first)
    next(second)
    first.close()  # type: ignore[attr-defined]  # a generator
    with pytest.raises(KeyError):
        second.throw(KeyError)  # type: ignore[attr-defined]  # a generator

    assert ["inner", "inner"] == seen
    assert current_scope() is None


def test_async_generator_is_closed_in_the_scope_it_yielded_in() -> None:
    """An async generator that is closed inside a scope of its own cleans up there."""
    seen = []

    @audit_context(group="outer")
    async def walk() -> AsyncIterator[None]:
        async with audit_context(location="inner"):
            try:
                yield
            finally:
                seen.append(current_context().location)

    async def main() -> None:
        each = walk()
        await anext(each)
        await each.aclose()  # type: ignore[attr-defined]  # an async generator
        assert current_scope() is None

    asyncio.run(main())

    assert ["inner"] == seen


def test_generator_goes_on_in_its_scope_in_another_context() -> None:
    """A generator resumed in another context each time is in the scope it yielded in, and leaves nothing behind."""

    @audit_context(group="outer")
    def walk() -> Iterator[str | None]:
        with audit_context(location="inner"):
            yield current_context().location
            yield current_context().location
        yield current_context().location

    walking, contexts = walk(), [copy_context() for _ in range(3)]

    assert ["inner", "inner", None] == [each.run(next, walking) for each in contexts]
    assert [None] * 3 == [each.run(current_scope) for each in contexts]


def test_scope_left_in_a_copied_context() -> None:
    """A scope left in a copy of its context is gone there, goes with the scope around where it was entered, and both
    are told.
    """
    scope = audit_context(group="inner")

    def leave_in_a_copy() -> tuple[object, object]:
        with audit_context(group="outer"):
            scope.__enter__()
            copied = copy_context()
            copied.run(scope.__exit__, None, None, None)
            there = copied.run(current_context).group
        return there, current_scope()

    assert ("outer", None) == copy_context().run(leave_in_a_copy)
    assert {"scope_left_elsewhere": 2} == _current.reporter.counts()


def test_scope_left_before_its_copy_is() -> None:
    """A scope that was left where it was entered may be left in a copy of that context too: there it is gone as well."""
    scope = audit_context(group="g")

    def leave_twice() -> tuple[object, object]:
        scope.__enter__()
        copied = copy_context()
        scope.__exit__(None, None, None)
        copied.run(scope.__exit__, None, None, None)
        return current_scope(), copied.run(current_scope)

    assert (None, None) == copy_context().run(leave_twice)
    assert {"scope_left_elsewhere": 1} == _current.reporter.counts()


metadata = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), metadata), max_size=6))
def test_metadata_is_the_merge_of_all_that_was_said(said: list[tuple[bool, bool, dict[str, int]]]) -> None:
    """However metadata is given, in whichever scope, each key has the value that was said last."""
    expected: dict[str, int] = {}
    scopes = [audit_context()]
    scopes[0].__enter__()
    for is_scope, is_lazy, each in said:
        expected.update(each)
        values: Any = (lambda each=each: each) if is_lazy else each
        if is_scope:
            scopes.append(audit_context(metadata=values))
            scopes[-1].__enter__()
        else:
            bind_context(metadata=values)
    try:
        assert expected == current_context().metadata
        assert expected == current_context().metadata
    finally:
        for scope in reversed(scopes):
            scope.__exit__(None, None, None)


class Thrown(Exception):  # noqa: N818  (it reads as what happened)
    """Be what is thrown into a generator."""


@pytest.mark.parametrize("kind", [GeneratorExit, Thrown])
def test_generator_is_given_the_very_exception_that_is_thrown(kind: type[BaseException]) -> None:
    """What is thrown in reaches the generator as it is, also what asks it to end, and it may answer."""
    error = kind()

    @audit_context(group="g")
    def walk() -> Iterator[Any]:
        try:
            yield 1
        except kind as caught:
            yield caught, current_context().group

    generator: Any = walk()
    next(generator)

    assert (error, "g") == generator.throw(error)


@pytest.mark.parametrize("kind", [GeneratorExit, Thrown])
def test_async_generator_is_given_the_very_exception_that_is_thrown(kind: type[BaseException]) -> None:
    """The same for async generators."""
    error = kind()

    @audit_context(group="g")
    async def walk() -> AsyncIterator[Any]:
        try:
            yield 1
        except kind as caught:
            yield caught, current_context().group

    async def main() -> Any:
        generator: Any = walk()
        await anext(generator)
        return await generator.athrow(error)

    assert (error, "g") == asyncio.run(main())


def test_exception_thrown_into_a_generator_is_not_kept() -> None:
    """While a generator waits after it has caught what was thrown in, nothing of ours keeps that alive."""

    @audit_context(group="g")
    def walk() -> Iterator[int]:
        with suppress(Thrown):
            yield 1
        yield 2

    generator: Any = walk()
    next(generator)
    thrown = Thrown()
    gone = weakref.ref(thrown)
    gc.disable()
    try:
        generator.throw(thrown)
        del thrown
        assert gone() is None
    finally:
        gc.enable()


class Row:
    """Be something that is yielded, and can be asked whether it is still there."""


def test_yielded_value_is_not_kept() -> None:
    """What the consumer of a generator inside a scope has let go of is gone while that waits."""

    @audit_context(group="g")
    def rows() -> Iterator[Row]:
        yield Row()
        yield Row()

    generator = rows()
    row = weakref.ref(next(generator))

    assert row() is None


def test_asynchronously_yielded_value_is_not_kept() -> None:
    """The same of an async generator."""

    @audit_context(group="g")
    async def rows() -> AsyncIterator[Row]:
        yield Row()
        yield Row()

    async def main() -> None:
        generator = rows()
        row = weakref.ref(await anext(generator))

        assert row() is None

    asyncio.run(main())


def test_sent_value_is_not_kept() -> None:
    """What was sent into a generator inside a scope, and let go of by it, is gone while that waits."""

    @audit_context(group="g")
    def rows() -> Iterator[None]:
        while True:
            yield None

    generator: Any = rows()
    next(generator)
    row = Row()
    gone = weakref.ref(row)
    generator.send(row)
    del row

    assert gone() is None


def plainly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate with a plain function, as most decorators do."""

    @wraps(function)
    def inner(*args: Any) -> Any:
        return function(*args)

    return inner


class AsyncCallable:
    """What is called like a function of each kind."""

    async def __call__(self) -> str | None:
        return current_context().group


class GeneratorCallable:
    def __call__(self) -> Iterator[str | None]:
        yield current_context().group


async def answer() -> str | None:
    await asyncio.sleep(0)
    return current_context().group


@pytest.mark.parametrize("function", [AsyncCallable(), plainly(answer), plainly(AsyncCallable()), partial(answer)])
def test_coroutine_by_any_way_runs_inside(function: Callable[..., Any]) -> None:
    """Whatever is called to give a coroutine, that runs in the scope, and nothing is left of the scope after it."""

    async def main() -> None:
        assert "g" == await audit_context(group="g")(function)()
        assert current_context().group is None

    asyncio.run(main())

    assert {} == _current.reporter.counts()


def test_generator_of_a_callable_object_runs_inside() -> None:
    """An object whose call is a generator function is entered at each resumption, as a function is."""
    assert ["g"] == list(audit_context(group="g")(GeneratorCallable())())


@pytest.mark.parametrize(
    ("wrong", "told"), [(User, "User is a class; decorate its methods"), (5, "got a value of type int")]
)
def test_what_is_no_function_is_refused(wrong: Any, told: str) -> None:
    """A class would only be made inside of the scope, and would be no class any more: that is said at once."""
    with pytest.raises(AuditDefinitionError, match=told):
        audit_context(group="g")(wrong)
