"""A decorated function is in every way but its record the function itself."""

from __future__ import annotations

import abc
import asyncio
import copy
import functools
import inspect
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest

from auditkit import audit_context, audited
from tests.unit.capture.builders import Author, Refused, Tweet, only

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from auditkit.transports import MemoryTransport


def plain(tweet: Tweet, body: str = "b", /, *rest: int, draft: bool = False, **more: str) -> Tweet:
    """Do nothing at all."""
    return tweet


async def plain_coroutine(tweet: Tweet) -> Tweet:
    """Do nothing, later."""
    return tweet


decorated = audited("tweet.update", "U", target="tweet.id")(plain)
decorated_coroutine = audited("tweet.update", "U", target="tweet.id")(plain_coroutine)


@audited("tweet.read", "R", target="tweet_id")
def pickled(tweet_id: str) -> str:
    """Be found by its name."""
    return tweet_id


@audited("tweet.read", "R", target="tweet_id")
async def pickled_coroutine(tweet_id: str) -> str:
    """Be found by its name."""
    return tweet_id


class Service:
    """Hold a method of every kind."""

    prefix = "service"

    def __init__(self, name: str = "one") -> None:
        self.name = name

    @audited("service.method", "R", target="self.name")
    def method(self, number: int) -> str:
        return f"{self.name} {number}"

    @audited("service.coroutine", "R", target="self.name")
    async def coroutine(self, number: int) -> str:
        await asyncio.sleep(0)
        return f"{self.name} {number}"

    @classmethod
    @audited("service.class_inside", "R", target="cls.prefix")
    def class_inside(cls, number: int) -> str:
        return f"{cls.prefix} {number}"

    @audited("service.class_outside", "R", target="cls.prefix")
    @classmethod
    def class_outside(cls, number: int) -> str:
        return f"{cls.prefix} {number}"

    @staticmethod
    @audited("service.static_inside", "R", target="number")
    def static_inside(number: int) -> str:
        return f"static {number}"

    @audited("service.static_outside", "R", target="number")
    @staticmethod
    def static_outside(number: int) -> str:
        return f"static {number}"

    @classmethod
    @audited("service.class_coroutine", "R", target="cls.prefix")
    async def class_coroutine(cls, number: int) -> str:
        return f"{cls.prefix} {number}"


class Inheriting(Service):
    """Override some, and inherit the others."""

    prefix = "inheriting"

    def method(self, number: int) -> str:
        return f"over {super().method(number)}"

    @audited("inheriting.coroutine", "R", target="self.name")
    async def coroutine(self, number: int) -> str:
        return f"over {await super().coroutine(number)}"


# ---------------------------------------------------------------------- calls of every kind


def test_function_returns_what_it_returns(memory: MemoryTransport) -> None:
    """The very object comes out, however arguments go in."""
    tweet = Tweet()

    assert tweet is decorated(tweet, "b", 1, 2, draft=True, self="self", args="args")
    assert "tweet_5" == only(memory).target_id


@pytest.mark.parametrize("name", ["class_inside", "class_outside", "static_inside", "static_outside"])
def test_class_and_static_methods_work_in_either_order(memory: MemoryTransport, name: str) -> None:
    """Above or below @classmethod and @staticmethod, on the class and on an instance."""
    is_static = name.startswith("static")
    expected = "static 7" if is_static else "service 7"
    inherited = "static 7" if is_static else "inheriting 7"

    assert [expected, expected, inherited, inherited] == [
        getattr(owner, name)(7) for owner in (Service, Service(), Inheriting, Inheriting())
    ]
    assert [
        text.removesuffix(" 7") if not is_static else "7" for text in (expected, expected, inherited, inherited)
    ] == [event.target_id for event in memory.events]
    assert {f"service.{name}"} == {event.action for event in memory.events}


def test_methods_are_bound(memory: MemoryTransport) -> None:
    """A method is found on its instance, on its class, and may be kept and called later."""
    service = Service("one")
    kept = service.method

    assert ["one 1", "one 2", "two 3"] == [kept(1), Service.method(service, 2), Service("two").method(number=3)]
    assert ["one", "one", "two"] == [event.target_id for event in memory.events]
    assert inspect.ismethod(kept)
    assert service is kept.__self__
    assert service.method == kept


async def test_coroutine_methods_are_awaited(memory: MemoryTransport) -> None:
    """Async methods and class methods are no different."""
    assert "one 1" == await Service("one").coroutine(1)
    assert "inheriting 2" == await Inheriting.class_coroutine(2)
    assert ["one", "inheriting"] == [event.target_id for event in memory.events]


async def test_coroutine_records_when_it_is_done(memory: MemoryTransport) -> None:
    """Making a coroutine records nothing: awaiting it does."""
    waiting = decorated_coroutine(Tweet())

    assert [] == memory.events
    await waiting
    assert "tweet_5" == only(memory).target_id


async def test_inherited_and_overridden_methods_record_what_ran(memory: MemoryTransport) -> None:
    """super() reaches the audited method; an overriding one that is audited is the parent."""
    assert "over one 1" == Inheriting("one").method(1)
    assert "over one 2" == await Inheriting("one").coroutine(2)
    inherited, inner, outer = memory.events

    assert ["service.method", "service.coroutine", "inheriting.coroutine"] == [
        event.action for event in (inherited, inner, outer)
    ]
    assert [None, outer.id, None] == [event.parent_id for event in (inherited, inner, outer)]


def test_abstract_methods_stay_abstract(memory: MemoryTransport) -> None:
    """A class is not made concrete by auditing its abstract method."""

    class Base(abc.ABC):
        @audited("base.run", "U")
        @abc.abstractmethod
        def run(self) -> None: ...

    assert {"run"} == Base.__abstractmethods__


def test_properties_and_partials_may_hold_it(memory: MemoryTransport) -> None:
    """What takes a function takes a decorated one."""

    class Holder:
        name = property(audited("holder.name", "R")(lambda self: "held"))
        partly = functools.partialmethod(audited("holder.partly", "R")(lambda self, number: number), 7)

    assert ("held", 7) == (Holder().name, Holder().partly())
    assert 8 == functools.partial(audited("tweet.read", "R")(lambda number: number), 8)()
    assert 3 == len(memory.events)


def test_decorated_twice_records_twice(memory: MemoryTransport) -> None:
    """Two declarations of one function are two events, the inner one the outer one's child."""
    twice = audited("outer.act", "U")(audited("inner.act", "U")(plain))
    twice(Tweet())
    inner, outer = memory.events

    assert ("inner.act", "outer.act", outer.id) == (inner.action, outer.action, inner.parent_id)


def test_arguments_may_have_any_name(memory: MemoryTransport) -> None:
    """No name of a parameter collides with one of auditkit's own."""

    @audited("tweet.update", "U", target="self")
    def update(self: str, args: str, kwargs: str, wrapped: str, instance: str, site: str) -> str:
        return self + args + kwargs + wrapped + instance + site

    assert "abcdef" == update(self="a", args="b", kwargs="c", wrapped="d", instance="e", site="f")
    assert "a" == only(memory).target_id


def test_wrong_arguments_are_the_functions_own_error(memory: MemoryTransport) -> None:
    """A call that the function refuses is refused in its own words."""
    unwrapped: Any = Service.method.__wrapped__  # type: ignore[attr-defined]  # wrapt's
    with pytest.raises(TypeError) as expected:
        unwrapped(Service())
    with pytest.raises(TypeError) as caught:
        Service().method()  # type: ignore[call-arg]

    assert str(expected.value) == str(caught.value)
    assert [] == memory.events


# ---------------------------------------------------------------------- what introspection sees


@pytest.mark.parametrize(("wrapper", "wrapped"), [(decorated, plain), (decorated_coroutine, plain_coroutine)])
def test_introspection_sees_the_function(wrapper: Any, wrapped: Any) -> None:
    """Frameworks that look at a function see its own signature, annotations, name and documentation."""
    assert inspect.signature(wrapped) == inspect.signature(wrapper)
    assert inspect.getfullargspec(wrapped) == inspect.getfullargspec(wrapper)
    assert get_type_hints(wrapped) == get_type_hints(wrapper)
    assert wrapped.__annotations__ == wrapper.__annotations__
    assert inspect.getdoc(wrapped) == inspect.getdoc(wrapper)
    assert inspect.getsource(wrapped) == inspect.getsource(wrapper)
    assert wrapped is inspect.unwrap(wrapper)
    assert inspect.isfunction(wrapper)
    assert isinstance(wrapper, type(plain))
    for name in ("__name__", "__qualname__", "__module__", "__defaults__", "__kwdefaults__", "__code__"):
        assert getattr(wrapped, name) == getattr(wrapper, name)


def test_its_call_by_name_is_a_functions_and_records(memory: MemoryTransport) -> None:
    """As with a function, ``__call__`` is no bound method of a class, whose annotations would be read instead."""
    function: Any = decorated
    call = function.__call__
    tweet = Tweet()

    assert not inspect.ismethod(call)
    assert tweet is call(tweet)
    assert "tweet_5" == only(memory).target_id


def test_kind_of_callable_is_kept() -> None:
    """A coroutine function is one, and a plain function is not, also as methods."""
    assert [False, True] == [inspect.iscoroutinefunction(each) for each in (decorated, decorated_coroutine)]
    assert [False, True, True] == [
        inspect.iscoroutinefunction(each) for each in (Service().method, Service().coroutine, Service.class_coroutine)
    ]


async def test_task_is_named_by_its_function(memory: MemoryTransport) -> None:
    """What a debugger shows of a task is the function's name, and not auditkit's."""
    waiting: Any = Service("one").coroutine(1)

    assert ("coroutine", "Service.coroutine") == (waiting.__name__, waiting.__qualname__)
    await waiting


def test_attributes_are_the_functions(memory: MemoryTransport) -> None:
    """What a framework marks a function with is kept on it."""

    @audited("tweet.update", "U")
    def marked() -> None:
        """Be marked."""

    marked.route = "/tweets"  # type: ignore[attr-defined]

    assert "/tweets" == marked.__wrapped__.route  # type: ignore[attr-defined]  # wrapt's


# ---------------------------------------------------------------------- pickling and copying


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_by_its_qualified_name(memory: MemoryTransport, protocol: int) -> None:
    """What comes out of a pickle is the very object that the module or class holds."""
    for given in (pickled, pickled_coroutine, Service.method, Service.static_inside, Service.static_outside):
        assert given is pickle.loads(pickle.dumps(given, protocol))
    for name in ("class_inside", "class_outside"):
        assert getattr(Inheriting, name) == pickle.loads(pickle.dumps(getattr(Inheriting, name), protocol))


def test_bound_method_pickles_with_its_instance(memory: MemoryTransport) -> None:
    """A bound method sent to another process is audited there."""
    assert "one 7" == pickle.loads(pickle.dumps(Service("one").method))(7)
    assert "one" == only(memory).target_id


def test_copies_to_itself() -> None:
    """Copying a decorated function is copying a function: the same object."""
    for given in (pickled, pickled_coroutine, Service.method):
        assert given is copy.copy(given)
        assert given is copy.deepcopy(given)
        assert given is copy.deepcopy([given])[0]


# ---------------------------------------------------------------------- threads and tasks


def test_threads_record_their_own_actor_and_state(memory: MemoryTransport) -> None:
    """Calls that overlap in threads share nothing: each event has its call's actor, parent, target and change."""
    workers, rounds = 8, 25
    together = threading.Barrier(workers)

    @audited("author.rename", "U", target="author.id", capture="author", metadata={"worker": lambda author: author.id})
    def rename(author: Author, name: str) -> None:
        together.wait(timeout=30)
        author.name = name

    @audited("author.session", "R", target="author.id")
    def session(author: Author, name: str) -> None:
        rename(author, name)

    def work(worker: int) -> None:
        author = Author(f"user_{worker}", "name 0")
        for turn in range(1, rounds + 1):
            with audit_context(actor=f"user_{worker}", group=f"org_{worker}"):
                session(author, f"name {turn}")

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    sessions = {event.id: event for event in memory.events if event.action == "author.session"}
    renames = [event for event in memory.events if event.action == "author.rename"]

    assert workers * rounds == len(sessions) == len(renames)
    for event in renames:
        worker = event.actor_id.removeprefix("user_")
        assert f"org_{worker}" == event.group
        assert event.actor_id == event.target_id == event.metadata["worker"]
        assert event.parent_id is not None
        assert event.actor_id == sessions[event.parent_id].actor_id
        assert event.correlation_id == sessions[event.parent_id].correlation_id
    for number in range(workers):
        assert [(f"name {turn}", f"name {turn + 1}") for turn in range(rounds)] == [
            event.changes["name"] for event in renames if event.actor_id == f"user_{number}"
        ]


async def test_tasks_record_their_own_actor_and_state(memory: MemoryTransport) -> None:
    """Calls that overlap in tasks share nothing, whatever order they end in."""
    number = 50
    begun, go = [asyncio.Event() for _ in range(number)], [asyncio.Event() for _ in range(number)]

    @audited("author.rename", "U", target="author.id", capture="author", on_error="record")
    async def rename(author: Author, index: int) -> None:
        begun[index].set()
        await go[index].wait()
        author.name = f"name {index}"
        if index % 5 == 0:
            raise Refused

    async def work(index: int) -> None:
        async with audit_context(actor=f"user_{index}"):
            await rename(Author(f"user_{index}", "old"), index)

    tasks = [asyncio.create_task(work(index)) for index in range(number)]
    for each in begun:
        await each.wait()
    for each in reversed(go):
        each.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    found = {event.actor_id: event for event in memory.events}

    assert number == len(memory.events) == len(found)
    for index in range(number):
        event = found[f"user_{index}"]
        assert event.actor_id == event.target_id
        assert event.parent_id is None
        if index % 5 == 0:
            assert {"outcome": "failure", "error": "Refused"} == event.metadata
        else:
            assert ("old", f"name {index}") == event.changes["name"]


async def test_executor_threads_see_the_callers_context(memory: MemoryTransport) -> None:
    """asyncio.to_thread carries scope and parent along, as it carries every context variable."""

    @audited("author.read", "R")
    def read() -> None:
        """Be recorded."""

    @audited("author.list", "R")
    async def listing() -> None:
        await asyncio.to_thread(read)

    with audit_context(actor="user_1"):
        await listing()
    inner, outer = memory.events

    assert ("user_1", outer.id) == (inner.actor_id, inner.parent_id)


def test_threads_begin_without_context(memory: MemoryTransport) -> None:
    """A bare thread is nobody's: it has neither the scope nor the call that started it."""

    @audited("author.read", "R")
    def read() -> None:
        """Be recorded."""

    @audited("author.list", "R")
    def listing() -> None:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()

    with audit_context(actor="user_1"):
        listing()
    inner, outer = memory.events

    assert ("anonymous", None) == (inner.actor_id, inner.parent_id)
    assert "user_1" == outer.actor_id


def test_coroutine_driven_from_several_contexts_still_records(memory: MemoryTransport) -> None:
    """A loop of one's own may resume a coroutine in another context than it began in."""

    class Pause:
        def __await__(self) -> Any:
            yield

    @audited("tweet.read", "R")
    async def read() -> str:
        await Pause()
        return "done"

    coroutine = read()
    copy_context().run(coroutine.send, None)
    with pytest.raises(StopIteration) as stopped:
        copy_context().run(coroutine.send, None)

    assert "done" == stopped.value.value
    assert "tweet.read" == only(memory).action
    assert None is only(memory).parent_id


def test_closed_coroutine_closes(memory: MemoryTransport) -> None:
    """A coroutine that is thrown away while it waits ends quietly; its effect may have happened, so it is recorded."""

    class Pause:
        def __await__(self) -> Any:
            yield

    @audited("tweet.update", "U")
    async def update() -> None:
        await Pause()

    coroutine = update()
    coroutine.send(None)
    coroutine.close()

    assert {"outcome": "cancelled", "error": "GeneratorExit"} == only(memory).metadata


def test_annotations_stay_the_functions_own() -> None:
    """Somebody who asks a wrapper's class for its annotations, as documentation tools do, takes none from functions."""

    def work(tweet: Tweet) -> str:
        return tweet.id

    async def later(tweet: Tweet) -> str:
        return tweet.id

    def stream(tweet: Tweet) -> Iterator[str]:
        yield tweet.id

    async def stream_later(tweet: Tweet) -> AsyncIterator[str]:
        yield tweet.id

    functions: list[Any] = [work, later, stream, stream_later]
    for function in functions:
        wrapper = audited("tweet.read", "R")(function)
        ours = [kind for kind in type(wrapper).__mro__ if kind.__module__.startswith("auditkit.")]
        assert ours
        for kind in ours:
            assert kind.__annotations__ is not None
        assert function.__annotations__ == wrapper.__annotations__
        assert {"tweet", "return"} == {*wrapper.__annotations__}

    wrapper = audited("tweet.read", "R")(work)
    wrapper.__annotations__ = {"tweet": "Tweet"}
    assert {"tweet": "Tweet"} == work.__annotations__ == wrapper.__annotations__
