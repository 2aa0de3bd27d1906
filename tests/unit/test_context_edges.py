"""Scopes at their edges: proxies, shared decorators, copied contexts, generators that yield inside scopes."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit import _current
from auditkit.context import audit_context, bind_context, current_context, current_scope
from auditkit.draft import Defaults
from auditkit.event import Actor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

DEFAULTS = Defaults(group="somewhere", actor=Actor("nobody"), location="here")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    _current.reset()
    yield
    _current.reset()


class Proxy:
    """A current user as Flask-Login gives it: a proxy that can be called, whatever stands behind it."""

    def __init__(self, user_id: object) -> None:
        self._id = user_id

    @property
    def id(self) -> object:
        return self._id

    def __call__(self, *args: object) -> Any:
        raise AssertionError("a proxy of a user was called")


def test_proxy_of_a_user_is_read_and_not_called() -> None:
    """An actor that can be called, and has an id, is the actor itself."""
    with audit_context(actor=Proxy("ada")):
        assert Actor("ada") == current_context().actor


def test_proxy_without_a_user_yet_is_asked_again() -> None:
    """A proxy behind which nobody stands yet binds nobody, and is read again for the next event."""
    user: list[str] = []

    class Later(Proxy):
        @property
        def id(self) -> object:
            return user[0] if user else None

        def __call__(self, *args: object) -> Any:
            return None

    with audit_context(actor=Later(None)):
        assert current_context().actor is None
        user.append("ada")
        assert Actor("ada") == current_context().actor


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


def test_scope_left_in_a_copied_context() -> None:
    """Leaving a scope in a copy of the context it was entered in leaves it there and raises nothing; here it goes
    with the scope around, and both are told.
    """
    scope = audit_context(group="inner")
    with audit_context(group="outer"):
        scope.__enter__()
        copied = copy_context()
        copied.run(scope.__exit__, None, None, None)

        assert "outer" == copied.run(lambda: current_context().group)

    assert current_scope() is None
    assert {"scope_left_elsewhere": 2} == _current.reporter.counts()


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
