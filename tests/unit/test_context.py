"""Who acts and from where: scopes, what they hold, and who sees them."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import inspect
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context as Variables
from contextvars import copy_context
from enum import Enum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit import _current
from auditkit.context import Context, audit_context, bind_context, current_context, current_scope, suppressed
from auditkit.draft import Defaults
from auditkit.event import Actor

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator

    from auditkit.draft import Scene

SOME_UUID = UUID("01234567-89ab-7def-8123-456789abcdef")
DEFAULTS = Defaults(group="somewhere", actor=Actor("nobody"), location="here")
OUTSIDE = Context()


class Badge(Enum):
    ADMIN = "a1"


def scene() -> Scene:
    """Return what an event recorded now would take from the scope around."""
    scope = current_scope()
    assert scope is not None
    return scope.scene(DEFAULTS)


def counted(code: str) -> int:
    """Return how often one kind of trouble was reported without a trail."""
    return _current.reporter.counts().get(code, 0)


def group() -> str | None:
    return current_context().group


# Forms


def test_with_is_there_inside_only() -> None:
    """A with block's fields are bound inside it and gone after it."""
    with audit_context(group="acme"):
        inside = group()

    assert "acme" == inside
    assert OUTSIDE == current_context()


async def test_async_with_is_there_inside_only() -> None:
    """An async with block's fields are bound inside it and gone after it."""
    async with audit_context(group="acme"):
        inside = group()

    assert "acme" == inside
    assert OUTSIDE == current_context()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_exception_leaves_the_scope(error: type[BaseException]) -> None:
    """An exception goes through a scope as it is, and the scope around is back."""
    raised = error()
    with audit_context(group="outer"):
        with pytest.raises(error) as caught, audit_context(group="inner"):
            raise raised
        around = group()

    assert raised is caught.value
    assert "outer" == around


def test_decorated_function_runs_inside() -> None:
    """A decorated function runs in the scope, keeps its arguments and result, and leaves no scope."""

    @audit_context(group="acme")
    def function(first: int, *, second: int) -> tuple[str | None, int, int]:
        return group(), first, second

    assert ("acme", 1, 2) == function(1, second=2)
    assert OUTSIDE == current_context()


def test_decorated_method_gets_its_self() -> None:
    """A decorated method is bound to its object as any method is."""

    class Service:
        name = "service"

        @audit_context(group="acme")
        def method(self) -> tuple[str, str | None]:
            return self.name, group()

    assert ("service", "acme") == Service().method()


def test_decorated_function_may_call_itself() -> None:
    """Each call of a decorated function has a scope of its own, also a call inside a call."""

    @audit_context(group="acme")
    def down(depth: int) -> list[int]:
        bind_context(metadata={"depth": depth})
        deeper = down(depth - 1) if depth else []
        return [scene().metadata["depth"], *deeper]  # type: ignore[list-item]

    assert [2, 1, 0] == down(2)


async def test_decorated_coroutine_runs_inside() -> None:
    """A decorated coroutine function is inside its scope from its first line to its last, across awaits."""

    @audit_context(group="acme")
    async def coroutine() -> list[str | None]:
        first = group()
        await asyncio.sleep(0)
        return [first, group()]

    waiting = coroutine()
    before = group()
    groups = await waiting

    assert before is None
    assert ["acme", "acme"] == groups
    assert OUTSIDE == current_context()


def test_decorated_generator_is_inside_only_while_it_runs() -> None:
    """A decorated generator is inside its scope at each resumption, and its consumer never is."""

    @audit_context(group="acme")
    def generator() -> Generator[str | None, None, str]:
        yield group()
        yield group()
        return "the end"

    seen = []
    running, result = generator(), ""
    while True:
        try:
            seen.append((next(running), group()))
        except StopIteration as stop:
            result = stop.value
            break

    assert [("acme", None)] * 2 == seen
    assert "the end" == result


def passing_on(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate as most decorators do, blind to what kind of function it is."""

    @functools.wraps(function)
    def passing(*args: Any) -> Any:
        return function(*args)

    return passing


def actors() -> Generator[Actor | None]:
    for _ in range(2):
        yield current_context().actor


async def actors_later() -> AsyncGenerator[Actor | None]:
    for _ in range(2):
        yield current_context().actor


@pytest.mark.parametrize("kind", [actors, actors_later])
async def test_generator_behind_a_plain_decorator_runs_inside(kind: Callable[..., Any]) -> None:
    """A generator function that a decorator hides is in the scope as any other, while it runs."""
    running = audit_context(actor="ada")(passing_on(kind))()

    assert (kind.__name__, type(kind())) == (running.__name__, type(running))
    found = []
    for _ in range(2):
        found.append(await anext(running) if inspect.isasyncgen(running) else next(running))
        assert OUTSIDE == current_context()
    assert [Actor("ada")] * 2 == found
    if inspect.isasyncgen(running):
        await running.aclose()


def test_generator_that_is_a_value_is_given_as_it_is() -> None:
    """A plain function's generator runs where it is consumed."""
    given = actors()

    assert given is audit_context(actor="ada")(lambda: given)()
    assert [None, None] == [*given]


def test_decorated_generator_takes_what_is_sent_and_thrown() -> None:
    """What is sent into or thrown at a decorated generator arrives in it, inside its scope."""

    @audit_context(group="acme")
    def generator() -> Generator[object, object, None]:
        sent = yield "ready"
        try:
            yield sent, group()
        except KeyError as error:
            yield error, group()

    running = generator()
    thrown = KeyError("k")
    ready = next(running)
    sent = running.send(5)
    answered = running.throw(thrown)
    rest = list(running)

    assert "ready" == ready
    assert (5, "acme") == sent
    assert (thrown, "acme") == answered
    assert [] == rest
    assert group() is None


def test_decorated_generator_raises_what_it_did_not_catch() -> None:
    """An exception thrown at a decorated generator comes out of it as the same object."""

    @audit_context(group="acme")
    def generator() -> Generator[int, None, None]:
        yield 1

    running = generator()
    next(running)
    thrown = KeyError("k")
    with pytest.raises(KeyError) as caught:
        running.throw(thrown)

    assert thrown is caught.value
    assert group() is None


def test_decorated_generator_is_closed_inside() -> None:
    """A decorated generator that is closed early cleans up inside its scope."""
    seen = []

    @audit_context(group="acme")
    def generator() -> Generator[int, None, None]:
        try:
            yield 1
        finally:
            seen.append(group())

    running = generator()
    next(running)
    running.close()

    assert ["acme"] == seen
    assert group() is None


def test_decorated_generator_that_refuses_to_close_is_an_error() -> None:
    """A decorated generator that yields when closed is told so by Python, as an undecorated one is."""

    @audit_context(group="acme")
    def generator() -> Generator[int, None, None]:
        try:
            yield 1
        except GeneratorExit:
            yield 2

    running = generator()
    next(running)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        running.close()

    assert group() is None


def test_generators_keep_their_scopes_apart() -> None:
    """Two generators of one decorated function, resumed in turns, each keep what they bound."""

    @audit_context(group="acme")
    def generator(actor: str) -> Generator[Actor | None, None, None]:
        bind_context(actor=actor)
        while True:
            yield current_context().actor

    first, second = generator("u1"), generator("u2")
    seen = [next(each) for each in (first, second, first, second)]
    first.close()
    second.close()

    assert [Actor("u1"), Actor("u2")] * 2 == seen


def test_generator_resumed_elsewhere() -> None:
    """A decorated generator may be resumed in another context each time, as a thread pool does."""

    @audit_context(group="acme")
    def generator() -> Generator[str | None, None, None]:
        yield group()
        yield group()

    running = generator()
    seen = [Variables().run(next, running, None), copy_context().run(next, running, None), next(running, None)]

    assert ["acme", "acme", None] == seen
    assert {} == _current.reporter.counts()


async def test_decorated_async_generator_is_inside_only_while_it_runs() -> None:
    """A decorated async generator is inside its scope at each resumption, and its consumer never is."""

    @audit_context(group="acme")
    async def generator() -> AsyncGenerator[str | None, None]:
        yield group()
        await asyncio.sleep(0)
        yield group()

    seen = [(inside, group()) async for inside in generator()]

    assert [("acme", None)] * 2 == seen
    assert group() is None


async def test_decorated_async_generator_takes_what_is_sent_and_thrown() -> None:
    """What is sent into or thrown at a decorated async generator arrives in it, inside its scope."""

    @audit_context(group="acme")
    async def generator() -> AsyncGenerator[object, object]:
        sent = yield "ready"
        try:
            yield sent, group()
        except KeyError as error:
            yield error, group()

    running = generator()
    thrown = KeyError("k")
    ready = await anext(running)
    sent = await running.asend(5)
    answered = await running.athrow(thrown)
    rest = [each async for each in running]

    assert "ready" == ready
    assert (5, "acme") == sent
    assert (thrown, "acme") == answered
    assert [] == rest
    assert group() is None


async def test_decorated_async_generator_raises_what_it_did_not_catch() -> None:
    """An exception thrown at a decorated async generator comes out of it as the same object."""

    @audit_context(group="acme")
    async def generator() -> AsyncGenerator[int, None]:
        yield 1

    running = generator()
    await anext(running)
    thrown = KeyError("k")
    with pytest.raises(KeyError) as caught:
        await running.athrow(thrown)

    assert thrown is caught.value
    assert group() is None


async def test_decorated_async_generator_is_closed_inside() -> None:
    """A decorated async generator that is closed early cleans up inside its scope."""
    seen = []

    @audit_context(group="acme")
    async def generator() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            seen.append(group())

    running = generator()
    await anext(running)
    await running.aclose()

    assert ["acme"] == seen
    assert group() is None


async def test_decorated_async_generator_closed_in_another_task() -> None:
    """A decorated async generator that another task closes, as a framework may, raises nothing."""
    seen = []

    @audit_context(group="acme")
    async def generator() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            seen.append(group())

    running = generator()
    await anext(running)
    await asyncio.create_task(running.aclose())

    assert ["acme"] == seen
    assert {} == _current.reporter.counts()


async def test_decorated_coroutine_cancelled() -> None:
    """A decorated coroutine that is cancelled cleans up inside its scope and stays cancelled."""
    seen = []
    begun = asyncio.Event()

    @audit_context(group="acme")
    async def coroutine() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append(group())

    task = asyncio.create_task(coroutine())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert ["acme"] == seen


def test_decorator_keeps_the_kind() -> None:
    """The inspect functions say of a decorated function what they said before, and so do name and signature."""

    def plain(value: int) -> int:
        """Say something."""
        return value

    async def coroutine() -> None: ...

    def generator() -> Generator[int, None, None]:
        yield 1

    async def async_generator() -> AsyncGenerator[int, None]:
        yield 1

    kinds: list[Callable[[object], bool]] = [
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        inspect.isfunction,
    ]
    functions: list[Callable[..., Any]] = [plain, coroutine, generator, async_generator]
    decorated = [audit_context(group="acme")(each) for each in functions]

    assert [[is_kind(each) for is_kind in kinds] for each in functions] == [
        [is_kind(each) for is_kind in kinds] for each in decorated
    ]
    assert [(each.__name__, each.__qualname__, each.__doc__) for each in functions] == [
        (each.__name__, each.__qualname__, each.__doc__) for each in decorated
    ]
    assert [inspect.signature(each) for each in functions] == [inspect.signature(each) for each in decorated]


# Nesting

OUTER: dict[str, Any] = {
    "group": "outer",
    "actor": Actor("o"),
    "location": "outside",
    "on_behalf_of": Actor("p"),
    "metadata": {"a": 1},
    "correlation_id": "c-outer",
}
INNER: dict[str, Any] = {
    "group": "inner",
    "actor": Actor("i"),
    "location": "inside",
    "on_behalf_of": Actor("q"),
    "metadata": {"a": 2},
    "correlation_id": "c-inner",
}


def fields_here() -> dict[str, Any]:
    seen = current_context()
    return {name: getattr(seen, name) for name in OUTER}


@pytest.mark.parametrize("name", sorted(OUTER))
def test_inner_scope_overlays_one_field(name: str) -> None:
    """An inner scope replaces the field it states and leaves the others as they are."""
    with audit_context(**OUTER):
        with audit_context(**{name: INNER[name]}):
            inside = fields_here()
        around = fields_here()

    assert OUTER | {name: INNER[name]} == inside
    assert OUTER == around


def test_metadata_merges_by_key() -> None:
    """Metadata of all scopes merges by key, and the innermost says last."""
    with audit_context(metadata={"a": 1, "b": 1, "m": {"x": 1}}), audit_context(group="acme"):
        with audit_context(metadata={"b": 2, "c": 2, "m": {"y": 2}}):
            inside = dict(current_context().metadata)
        around = dict(current_context().metadata)

    assert {"a": 1, "b": 2, "m": {"y": 2}, "c": 2} == inside
    assert {"a": 1, "b": 1, "m": {"x": 1}} == around


def test_inherit_false_starts_anew() -> None:
    """A scope that does not inherit sees nothing of the scopes around, whose fields are back after it."""
    with audit_context(**OUTER):
        with audit_context(group="alone", inherit=False):
            inside, made = current_context(), scene()
        around = fields_here()

    assert ("alone", None, None, None, {}) == (
        inside.group,
        inside.actor,
        inside.location,
        inside.on_behalf_of,
        inside.metadata,
    )
    assert "c-outer" != inside.correlation_id
    assert ("alone", "nobody", "here", ("actor", "location")) == (
        made.group,
        made.actor_id,
        made.location,
        made.missing,
    )
    assert OUTER == around


def test_scene_has_the_defaults_where_nothing_is_bound() -> None:
    """Where nobody bound a field, an event takes the trail's default and can tell that it did."""
    with audit_context():
        empty = scene()
    with audit_context(group="acme", actor="u1", location="1.1.1.1"):
        full = scene()

    assert ("somewhere", "nobody", "here") == (empty.group, empty.actor_id, empty.location)
    assert ("group", "actor", "location") == empty.missing
    assert () == full.missing


def test_scene_is_of_the_trail_that_asks() -> None:
    """Two trails with different defaults each get their own from one scope."""
    with audit_context():
        scope = current_scope()
        assert scope is not None
        groups = [scope.scene(each).group for each in (DEFAULTS, Defaults(group="else"), DEFAULTS)]

    assert ["somewhere", "else", "somewhere"] == groups


def test_principal_is_in_the_metadata() -> None:
    """The impersonated party is in an event's metadata, and the actor is still who acted."""
    with audit_context(actor="admin", on_behalf_of=("u1", "user@example.com"), metadata={"a": 1}):
        made = scene()
        seen = current_context()

    assert "admin" == made.actor_id
    assert {"on_behalf_of_id": "u1", "on_behalf_of_name": "user@example.com", "a": 1} == made.metadata
    assert {"a": 1} == seen.metadata
    assert Actor("u1", "user@example.com") == seen.on_behalf_of


# What a field may be


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Actor("u1", "n", "service"), Actor("u1", "n", "service")),
        ("u1", Actor("u1", "u1", "user")),
        (7, Actor("7")),
        (SOME_UUID, Actor(str(SOME_UUID))),
        (Badge.ADMIN, Actor("a1")),
        (("u1", "n"), Actor("u1", "n")),
        ([7, None], Actor("7")),
        ({"id": "u1"}, Actor("u1")),
        ({"id": 7, "name": "n", "type": "service"}, Actor("7", "n", "service")),
        (SimpleNamespace(pk=3, id=4), Actor("3")),
        (SimpleNamespace(pk=None, id=4, name="n"), Actor("4", "n")),
        (SimpleNamespace(id=4, name=object()), Actor("4")),
    ],
)
@pytest.mark.parametrize("lazy", [False, True], ids=["given", "lazy"])
def test_actor_forms(given: object, expected: Actor, lazy: bool) -> None:  # noqa: FBT001  (pytest gives it by name)
    """An actor is taken as an Actor, an id, a pair, a mapping or an object, given or answered by a callable."""
    with audit_context(actor=(lambda: given) if lazy else given, on_behalf_of=given):
        seen = current_context()

    assert expected == seen.actor
    assert expected == seen.on_behalf_of


@pytest.mark.parametrize(
    ("given", "expected"), [("acme", "acme"), (7, "7"), (SOME_UUID, str(SOME_UUID)), (Badge.ADMIN, "a1")]
)
@pytest.mark.parametrize("name", ["group", "location", "correlation_id"])
def test_text_forms(name: str, given: object, expected: str) -> None:
    """A group, location or correlation id is taken as text, a number, a UUID or an Enum of these."""
    fields: dict[str, Any] = {name: given}
    with audit_context(**fields):
        seen = current_context()

    assert expected == getattr(seen, name)


class Broken:
    @property
    def pk(self) -> str:
        raise RuntimeError("canary4711")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("group", ""),
        ("group", object()),
        ("group", True),
        ("actor", ""),
        ("actor", object()),
        ("actor", {}),
        ("actor", ("a", "b", "c")),
        ("actor", {"id": "u1", "name": 1.5}),
        ("actor", Broken()),
        ("location", b"bytes"),
        ("on_behalf_of", 1.5),
        ("metadata", [1]),
        ("metadata", {"a": object()}),
        ("metadata", {"": 1}),
        ("correlation_id", ""),
    ],
)
@pytest.mark.parametrize("lazy", [False, True], ids=["given", "lazy"])
def test_unusable_value_is_not_given(
    name: str,
    given: Any,
    lazy: bool,  # noqa: FBT001  (pytest gives it by name)
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A value that cannot be used is counted and logged, and the field is as if it was not given."""
    fields: dict[str, Any] = {name: (lambda: given) if lazy else given}
    with audit_context(**OUTER), audit_context(**fields):
        inside = fields_here()
        reported = counted("context")

    assert OUTER == inside
    assert 1 <= reported
    assert 1 == len(caplog.records)
    assert "canary4711" not in caplog.text


# Lazy fields


def test_lazy_field_is_asked_once_when_needed() -> None:
    """A callable is asked when the first event needs it, on that thread, and its answer is kept."""
    asked = []

    def who() -> str:
        asked.append(threading.get_ident())
        return "u1"

    with audit_context(actor=who):
        before = len(asked)
        with audit_context(group="acme"):
            actors = {scene().actor_id, scene().actor_id}
        actors.add(scene().actor_id)
        with ThreadPoolExecutor(1) as pool:
            actors.add(pool.submit(copy_context().run, scene).result().actor_id)

    assert 0 == before
    assert {"u1"} == actors
    assert [threading.get_ident()] == asked


def test_lazy_field_is_asked_for_each_entry() -> None:
    """Each entry of one audit_context asks anew: the answer is the scope's, not the object's."""
    answers = iter(["u1", "u2"])
    about = audit_context(actor=lambda: next(answers))
    seen = []
    for _ in range(2):
        with about:
            seen.append((scene().actor_id, scene().actor_id))

    assert [("u1", "u1"), ("u2", "u2")] == seen


def test_lazy_field_that_gave_nothing_is_asked_again() -> None:
    """A callable that returned None is asked for the next event, until it gives something."""
    answers = iter([None, None, "u1"])
    with audit_context(actor=lambda: next(answers)):
        actors = [scene().actor_id for _ in range(4)]

    assert ["nobody", "nobody", "u1", "u1"] == actors
    assert {} == _current.reporter.counts()


def test_lazy_field_that_gave_nothing_leaves_the_outer() -> None:
    """While a callable gives None, what the scope around bound stands."""
    with audit_context(group="outer"), audit_context(group=lambda: None):
        inside = group()

    assert "outer" == inside


def test_lazy_field_that_an_inner_scope_states_is_not_asked() -> None:
    """A callable of an outer scope is not asked for a field that an inner scope states."""
    asked = []

    def who() -> str:
        asked.append(1)
        return "u1"

    with audit_context(actor=who), audit_context(actor="u2"):
        actor = scene().actor_id

    assert "u2" == actor
    assert [] == asked


def test_lazy_field_that_raises_is_contained(caplog: pytest.LogCaptureFixture) -> None:
    """A callable that raises is counted each time and logged once without its text; the field has its default."""

    def broken() -> str:
        raise ValueError("canary4711")

    with audit_context(actor=broken, group="acme"):
        actors = [scene().actor_id for _ in range(3)]

    assert ["nobody"] * 3 == actors
    assert 3 == counted("context")
    assert [("auditkit", logging.ERROR)] == [(each.name, each.levelno) for each in caplog.records]
    assert "ValueError" in caplog.text
    assert "canary4711" not in caplog.text


class Odd(BaseException):
    """Be what no handler of `Exception` sees."""


@pytest.mark.parametrize("error", [asyncio.CancelledError, Odd])
@pytest.mark.parametrize("reads", [False, True], ids=["asked", "read"])
def test_lazy_field_that_raises_beside_exception_is_contained(error: type[BaseException], *, reads: bool) -> None:
    """What a callable, or reading its answer, raises beside `Exception` costs that field alone."""

    class Raising:
        @property
        def pk(self) -> str:
            raise error

    def broken() -> object:
        if reads:
            return Raising()
        raise error

    with audit_context(actor=broken, group="acme"):
        seen = scene()

    assert ("nobody", "acme") == (seen.actor_id, seen.group)
    assert 1 == counted("context")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_lazy_field_does_not_hold_an_interrupt(error: type[BaseException]) -> None:
    """An interrupt or exit that falls into a callable goes through."""

    def interrupted() -> str:
        raise error

    with audit_context(actor=interrupted), pytest.raises(error):
        scene()

    assert {} == _current.reporter.counts()


def test_lazy_field_that_is_async_is_refused() -> None:
    """An async callable is refused with the remedy, counted, and leaves no coroutine behind that nobody awaits."""

    async def who() -> str:
        return "u1"

    with audit_context(actor=who):
        actor = scene().actor_id

    assert "nobody" == actor
    assert 1 == counted("context")


def test_lazy_field_may_ask_the_context() -> None:
    """A callable may itself look at the context; it sees what is bound without it."""
    seen: list[str | None] = []

    def who() -> str | None:
        if len(seen) < 1:
            seen.append(None)
            seen[0] = current_context().group
        return "u1"

    with audit_context(group="acme", actor=who):
        actor = scene().actor_id

    assert "u1" == actor
    assert ["acme"] == seen


def test_lazy_metadata() -> None:
    """Metadata may be a callable too: checked as given metadata is, merged with the scopes around."""
    with audit_context(metadata={"a": 1}), audit_context(metadata=lambda: {"b": 2}):
        metadata = scene().metadata

    assert {"a": 1, "b": 2} == metadata


def test_lazy_field_answered_by_two_threads_is_one() -> None:
    """Where two threads ask one callable at once, both events get the same answer."""
    together = threading.Barrier(2, timeout=30)
    answers = iter(["u1", "u2"])

    def who() -> str:
        answer = next(answers)
        together.wait()
        return answer

    with audit_context(actor=who), ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(copy_context().run, scene) for _ in range(2)]
        actors = {each.result().actor_id for each in waiting} | {scene().actor_id}

    assert 1 == len(actors)
    assert actors <= {"u1", "u2"}


# The correlation id


@pytest.fixture
def often_switching() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_correlation_id_is_one_for_a_stack() -> None:
    """A correlation id is made once for an outermost scope, and all scopes inside share it."""
    with audit_context():
        with audit_context():
            inner = scene().correlation_id
        outer = [scene().correlation_id, current_context().correlation_id]
    with audit_context():
        other = scene().correlation_id

    assert inner is not None
    assert [inner, inner] == outer
    assert inner != other


def test_correlation_id_given_stands() -> None:
    """A given correlation id stands, and a scope inside takes it over."""
    with audit_context(correlation_id="request-1"), audit_context(group="acme"):
        given_id = scene().correlation_id

    assert "request-1" == given_id


def test_correlation_id_is_shared_by_threads(often_switching: None) -> None:
    """Threads that share a stack and need its correlation id first at the same moment get the same one."""
    threads = 8
    together = threading.Barrier(threads, timeout=30)

    def ask() -> str | None:
        together.wait()
        return scene().correlation_id

    found = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(50):
            with audit_context():
                waiting = [pool.submit(copy_context().run, ask) for _ in range(threads)]
                found.append(len({each.result() for each in waiting} | {scene().correlation_id}))

    assert {1} == set(found)


# bind_context


def test_bind_fills_the_innermost_scope() -> None:
    """What is bound belongs to the innermost scope, and goes with it."""
    with audit_context(group="outer", metadata={"a": 1}):
        with audit_context():
            bind_context(group="bound", actor="u1", metadata={"b": 2})
            inside = current_context()
        around = current_context()

    assert ("bound", Actor("u1"), {"a": 1, "b": 2}) == (inside.group, inside.actor, inside.metadata)
    assert ("outer", None, {"a": 1}) == (around.group, around.actor, around.metadata)


def test_bind_merges_metadata() -> None:
    """Metadata that is bound merges with what the scope has, and does not change the caller's mapping."""
    mine = {"a": 1, "b": 1}
    with audit_context(metadata=mine):
        bind_context(metadata={"b": 2, "c": 2})
        seen = dict(current_context().metadata)

    assert {"a": 1, "b": 2, "c": 2} == seen
    assert {"a": 1, "b": 1} == mine


@pytest.mark.parametrize("first", ["given", "lazy"])
@pytest.mark.parametrize("second", ["given", "lazy"])
def test_bind_merges_metadata_in_every_form(first: str, second: str) -> None:
    """Metadata of one scope merges whether either part is given or answered by a callable."""
    one: Any = {"a": 1, "b": 1} if first == "given" else lambda: {"a": 1, "b": 1}
    two: Any = {"b": 2} if second == "given" else lambda: {"b": 2}
    with audit_context(metadata=one):
        bind_context(metadata=two)
        seen = dict(current_context().metadata)

    assert {"a": 1, "b": 2} == seen


def test_bind_none_and_unusable_change_nothing() -> None:
    """Binding None or what cannot be used leaves a field as it is."""
    with audit_context(**OUTER):
        bind_context()
        bind_context(group="", actor=object(), metadata=[1])  # type: ignore[arg-type]
        inside = fields_here()

    assert OUTER == inside
    assert 3 == counted("context")


def test_bind_does_not_touch_another_entry() -> None:
    """What was bound in one entry of an audit_context is not there in its next."""
    about = audit_context(group="acme", metadata={"a": 1})
    with about:
        bind_context(actor="u1", metadata={"b": 2})
    with about:
        seen = current_context()

    assert (None, {"a": 1}) == (seen.actor, seen.metadata)


async def test_bind_is_seen_by_tasks_that_share_the_scope() -> None:
    """A task that shares the scope sees what another binds in it, also after both have begun."""
    bound = asyncio.Event()

    async def reader() -> Actor | None:
        await bound.wait()
        return current_context().actor

    async def binder() -> None:
        bind_context(actor="u1")
        bound.set()

    async with audit_context():
        reading = asyncio.create_task(reader())
        await asyncio.create_task(binder())
        read = await reading
        here = current_context().actor

    assert Actor("u1") == read
    assert Actor("u1") == here


async def test_bind_is_seen_from_a_thread() -> None:
    """What a function binds in a worker thread is there for the request that called it."""
    async with audit_context():
        await asyncio.to_thread(bind_context, actor="u1")
        actor = scene().actor_id

    assert "u1" == actor


def test_bind_outside_any_scope_is_only_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Outside any scope bind_context raises nothing, binds nothing, is counted each time and logged once."""
    bind_context(actor="u1")
    bind_context(actor="u2")

    assert {"no_scope": 2} == _current.reporter.counts()
    assert 1 == len(caplog.records)
    assert OUTSIDE == current_context()


# What is seen


def test_current_context_is_frozen() -> None:
    """The view of what is bound cannot be changed, and does not change with what is bound later."""
    with audit_context(group="acme", metadata={"a": 1, "m": {"x": 1}}):
        seen = current_context()
        bind_context(group="else", metadata={"a": 2})
        with pytest.raises(dataclasses.FrozenInstanceError):
            seen.group = "mine"  # type: ignore[misc]
        with pytest.raises(TypeError):
            seen.metadata["a"] = 3  # type: ignore[index]
        with pytest.raises(TypeError):
            seen.metadata["m"]["x"] = 3  # type: ignore[index]

    assert ("acme", {"a": 1, "m": {"x": 1}}) == (seen.group, seen.metadata)


def test_given_metadata_is_taken_by_value() -> None:
    """Changing a mapping after it was given changes nothing in the scope."""
    inner = {"x": 1}
    mine = {"m": inner}
    with audit_context(metadata=mine):
        inner["x"] = 2
        mine["n"] = inner
        seen = current_context().metadata

    assert {"m": {"x": 1}} == seen


def test_scene_is_kept_while_nothing_changes() -> None:
    """Events of an unchanged scope share one scene."""
    with audit_context(group="acme", actor=lambda: "u1"):
        first, second = scene(), scene()

    assert first.actor_id == second.actor_id
    with audit_context(group="acme"):
        assert scene() is scene()


def test_scene_is_never_stale_after_a_bind() -> None:
    """What is bound in an outer scope is seen by an inner one that had made its scene before."""
    with audit_context():
        outer = current_scope()
        assert outer is not None
        with audit_context(location="1.1.1.1"):
            first = scene()
            outer.bind({"actor": "u1"})
            second = scene()
            bind_context(actor="u2")
            third = scene()
        after = scene()

    assert ["nobody", "u1", "u2", "u1"] == [each.actor_id for each in (first, second, third, after)]


def test_scene_is_never_stale_after_a_first_resolution() -> None:
    """What a callable gave at last is seen by every scope of the stack that had made its scene without it."""
    answers: dict[str, str | None] = {"actor": None}
    with audit_context(actor=lambda: answers["actor"]):
        with audit_context():
            first = scene()
            answers["actor"] = "u1"
            second = scene()
        answers["actor"] = "u2"
        third = scene()

    assert ["nobody", "u1", "u1"] == [each.actor_id for each in (first, second, third)]


def test_scene_bound_while_it_is_made_is_not_kept() -> None:
    """What is bound while a scene is being made is in the next one."""

    def bind_meanwhile() -> str:
        bind_context(group="bound")
        return "1.1.1.1"

    with audit_context(group="acme", location=bind_meanwhile):
        scene()
        after = scene()

    assert ("bound", "1.1.1.1") == (after.group, after.location)


# Leaving, threads and tasks


def test_exit_in_another_context_never_raises(caplog: pytest.LogCaptureFixture) -> None:
    """Leaving in another context than was entered raises nothing, is counted, and logged once with the remedy."""
    about = audit_context(group="acme")
    for _ in range(2):
        copy_context().run(about.__enter__)
        about.__exit__(None, None, None)

    assert {"scope_left_elsewhere": 2} == _current.reporter.counts()
    assert 1 == len(caplog.records)
    assert "middleware" in caplog.text
    assert OUTSIDE == current_context()


def test_exit_in_a_copied_context_never_raises() -> None:
    """Leaving in a copy of the context that was entered, where the scope is current, raises nothing."""
    about = audit_context(group="acme")

    def enter_and_copy() -> Variables:
        about.__enter__()
        return copy_context()

    copied = copy_context().run(enter_and_copy)
    copied.run(about.__exit__, None, None, None)

    assert {"scope_left_elsewhere": 1} == _current.reporter.counts()


def test_exit_elsewhere_leaves_the_scope_there_alone() -> None:
    """Leaving elsewhere takes no other scope away: what is current there stays."""
    about = audit_context(group="acme")
    copy_context().run(about.__enter__)
    with audit_context(group="other"):
        about.__exit__(None, None, None)
        inside = group()

    assert "other" == inside
    assert OUTSIDE == current_context()


def test_exit_without_an_entry_never_raises() -> None:
    """Leaving what was never entered raises nothing and is counted."""
    audit_context().__exit__(None, None, None)

    assert {"scope_left_elsewhere": 1} == _current.reporter.counts()


def test_one_object_in_itself() -> None:
    """One audit_context may be entered inside itself, and each exit leaves one entry."""
    about = audit_context(group="acme")
    with about:
        bind_context(actor="u1")
        with about:
            bind_context(actor="u2")
            inner = current_context().actor
        outer = current_context().actor

    assert Actor("u2") == inner
    assert Actor("u1") == outer


def test_one_object_in_many_threads() -> None:
    """One audit_context entered by many threads at once is a scope of its own in each."""
    threads, rounds = 8, 200
    together = threading.Barrier(threads, timeout=30)
    about = audit_context(group="acme")

    def use(number: int) -> set[bool]:
        right = set()
        together.wait()
        for turn in range(rounds):
            with about:
                bind_context(actor=f"{number}-{turn}")
                right.add(scene().actor_id == f"{number}-{turn}")
            right.add(current_scope() is None)
        return right

    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(use, range(threads)))

    assert [{True}] * threads == results
    assert {} == _current.reporter.counts()


async def test_one_object_in_many_tasks() -> None:
    """One audit_context entered by tasks that interleave is a scope of its own in each."""
    about = audit_context(group="acme")

    async def use(number: int) -> tuple[list[str], bool]:
        seen = []
        for turn in range(3):
            async with about:
                bind_context(actor=f"{number}-{turn}")
                await asyncio.sleep(0)
                seen.append(scene().actor_id)
            await asyncio.sleep(0)
        return seen, current_scope() is None

    results = await asyncio.gather(*(use(number) for number in range(20)))

    assert [([f"{number}-{turn}" for turn in range(3)], True) for number in range(20)] == results
    assert {} == _current.reporter.counts()


async def test_tasks_with_scopes_of_their_own() -> None:
    """Tasks of one request that open their own scope never see each other's actor, and share its correlation id."""

    async def act(actor: str) -> tuple[str, str | None]:
        with audit_context(actor=actor):
            await asyncio.sleep(0)
            made = scene()
            return made.actor_id, made.correlation_id

    with audit_context(actor="u0", correlation_id="request-1"):
        results = await asyncio.gather(act("u1"), act("u2"), act("u3"))
        here = scene().actor_id

    assert [("u1", "request-1"), ("u2", "request-1"), ("u3", "request-1")] == list(results)
    assert "u0" == here


def test_thread_begins_outside() -> None:
    """A plain thread inherits no scope."""
    with audit_context(group="acme"), ThreadPoolExecutor(1) as pool:
        there = pool.submit(current_context).result()

    assert OUTSIDE == there


# suppressed


def test_suppressed_inside_only() -> None:
    """Inside suppressed() the scope says so and knows nothing else; after it the scope around is back."""

    def suppressing() -> bool:
        scope = current_scope()
        return scope is not None and scope.suppressing

    with audit_context(group="acme"):
        with suppressed():
            inside = suppressing(), group()
            with audit_context(group="inner"):
                deeper = suppressing()
            with audit_context(inherit=False):
                anew = suppressing()
        around = suppressing(), group()

    assert (True, None) == inside
    assert (True, True) == (deeper, anew)
    assert (False, "acme") == around


def test_suppressed_ends_with_an_exception() -> None:
    """An exception ends suppressed() too, and goes through as it is."""
    with pytest.raises(ValueError, match="mine"), suppressed():
        raise ValueError("mine")

    assert current_scope() is None


# A model

texts = st.sampled_from(["x", "y", "z"])
said = st.fixed_dictionaries(
    {},
    optional={
        "group": texts,
        "actor": texts,
        "location": texts,
        "on_behalf_of": texts,
        "correlation_id": texts,
        "metadata": st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 9), max_size=2),
    },
)
Step = tuple[str, dict[str, Any], bool, bool]
steps: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("enter"), said, st.booleans(), st.booleans()),
    st.tuples(st.just("bind"), said, st.booleans(), st.just(True)),
    st.tuples(st.sampled_from(["exit", "read"]), st.just({}), st.just(False), st.just(True)),
)


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    metadata = {**below.get("metadata", {}), **above.get("metadata", {})}
    return {**below, **above, "metadata": metadata}


def lazily(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: lambda value=value: value for name, value in fields.items()}


def expected_of(stack: list[tuple[dict[str, Any], bool]]) -> dict[str, Any]:
    """Return what a scene has by the plain rule: from the innermost scope that starts anew, laid one on another."""
    begin = max((at for at, (_, inherit) in enumerate(stack) if not inherit), default=0)
    fields: dict[str, Any] = {"metadata": {}}
    for values, _ in stack[begin:]:
        fields = merged(fields, values)
    principal = fields.get("on_behalf_of")
    theirs = {} if principal is None else {"on_behalf_of_id": principal, "on_behalf_of_name": principal}
    return {
        "group": fields.get("group", "somewhere"),
        "actor_id": fields.get("actor", "nobody"),
        "location": fields.get("location", "here"),
        "metadata": {**theirs, **fields["metadata"]},
    } | ({"correlation_id": fields["correlation_id"]} if "correlation_id" in fields else {})


@given(st.lists(steps, max_size=30))
def test_scopes_follow_the_model(sequence: list[Step]) -> None:
    """Whatever is entered, left, bound and read in any order, a scene has what the innermost scope said last."""
    stack: list[tuple[dict[str, Any], bool]] = []
    open_scopes: list[audit_context] = []
    wrong = []
    for step, fields, lazy, inherit in sequence:
        stated = lazily(fields) if lazy else fields
        if step == "enter":
            open_scopes.append(audit_context(**stated, inherit=inherit))
            open_scopes[-1].__enter__()
            stack.append((fields, inherit))
        elif stack and step == "bind":
            bind_context(**stated)
            stack[-1] = merged(stack[-1][0], fields), stack[-1][1]
        elif stack and step == "exit":
            open_scopes.pop().__exit__(None, None, None)
            stack.pop()
        elif stack:
            made, expected = scene(), expected_of(stack)
            found = {name: getattr(made, name) for name in expected}
            wrong.extend([(expected, found)] if expected != found else [])
    while open_scopes:
        open_scopes.pop().__exit__(None, None, None)

    assert [] == wrong
    assert current_scope() is None
