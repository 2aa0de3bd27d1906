"""Audited generator functions, plain and async: the whole protocol is the function's, and one event is theirs."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import weakref
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import audit_context, audited, auditing, current_entry, record
from tests.unit.capture.builders import Refused, Tweet, only, troubles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

    from auditkit import AuditTrail
    from auditkit.transports import MemoryTransport


@audited("tweet.export", "U", target="tweet.id", capture="tweet", on_error="record")
def export(tweet: Tweet) -> Generator[str, str, str]:
    """Change the tweet by what is sent."""
    while True:
        try:
            sent = yield tweet.body
        except Refused:
            sent = "refused"
        if sent == "end":
            return "the end"
        tweet.body = sent


@audited("tweet.stream", "U", target="tweet.id", capture="tweet", on_error="record")
async def stream(tweet: Tweet) -> Any:
    """Change the tweet by what is sent."""
    while True:
        await asyncio.sleep(0)
        try:
            sent = yield tweet.body
        except Refused:
            sent = "refused"
        if sent == "end":
            return
        if sent == "fail":
            raise KeyError(sent)
        tweet.body = sent


def test_generator_is_recorded_when_it_has_ended(memory: MemoryTransport) -> None:
    """send, throw and the value it returns are the function's; the event tells the change of the whole run."""
    tweet = Tweet()
    generator = export(tweet)

    assert next(generator) == "old"
    assert generator.send("newer") == "newer"
    assert generator.throw(Refused()) == "refused"
    assert [] == memory.events
    with pytest.raises(StopIteration) as ended:
        generator.send("end")

    assert ended.value.value == "the end"
    assert ("tweet_5", {"body": ("old", "refused")}) == (only(memory).target_id, only(memory).changes)


def test_call_begins_when_the_function_is_called(memory: MemoryTransport) -> None:
    """The state before is that of the call, though the generator is first asked for a value much later."""
    tweet = Tweet()
    generator = export(tweet)
    tweet.body = "changed before the first value"
    next(generator)
    with pytest.raises(StopIteration):
        generator.send("end")

    assert ("old", "changed before the first value") == only(memory).changes["body"]


def test_actor_is_that_of_the_call(memory: MemoryTransport) -> None:
    """Consumed in another scope, a generator's event is its caller's."""
    with audit_context(actor="caller"):
        generator = export(Tweet())
    with audit_context(actor="consumer"):
        next(generator)
        with pytest.raises(StopIteration):
            generator.send("end")

    assert "caller" == only(memory).actor_id


def test_delegation_returns_the_value(memory: MemoryTransport) -> None:
    """``yield from`` gives what the function returns."""

    def delegating() -> Generator[str, str, None]:
        assert (yield from export(Tweet())) == "the end"

    generator = delegating()
    next(generator)
    with pytest.raises(StopIteration):
        generator.send("end")

    assert 1 == len(memory.events)


@pytest.mark.parametrize("how", ["close", "del", "break"])
def test_generator_closed_early_is_abandoned(memory: MemoryTransport, how: str) -> None:
    """Closed, forgotten or left by a loop, what was done until then is recorded as abandoned."""
    tweet = Tweet()

    @audited("tweet.export", "U", capture="tweet")
    def changing(tweet: Tweet) -> Iterator[int]:
        tweet.body = "half"
        yield 1
        tweet.body = "whole"

    generator = changing(tweet)
    if how == "break":
        for _ in generator:
            break
    else:
        next(generator)
    if how == "close":
        generator.close()  # type: ignore[attr-defined]
    del generator
    gc.collect()

    assert {"outcome": "abandoned", "error": "GeneratorExit", "body_was": "old", "body": "half"} == only(
        memory
    ).metadata


def test_generator_that_never_began_is_not_recorded(memory: MemoryTransport) -> None:
    """A generator that nobody asked for a value has done nothing."""
    export(Tweet()).close()

    assert [] == memory.events


def test_generator_that_raises(memory: MemoryTransport) -> None:
    """What it raises is the same object, and recorded as was asked."""
    error = KeyError("x")

    @audited("tweet.export", "R", on_error="record")
    def failing() -> Iterator[int]:
        yield 1
        raise error

    with pytest.raises(KeyError) as caught:
        list(failing())

    assert error is caught.value
    assert {"outcome": "failure", "error": "KeyError"} == only(memory).metadata


def test_generator_that_raises_while_it_is_closed(memory: MemoryTransport) -> None:
    """An error of its own clean-up reaches who closes it, and is recorded as a failure."""

    @audited("tweet.export", "R", on_error="record")
    def failing() -> Iterator[int]:
        try:
            yield 1
        finally:
            raise Refused

    generator: Any = failing()
    next(generator)
    with pytest.raises(Refused):
        generator.close()

    assert {"outcome": "failure", "error": "Refused"} == only(memory).metadata


def test_only_what_runs_inside_is_inside(memory: MemoryTransport) -> None:
    """A call in the generator's body is its child; one in the consumer's loop is not."""

    @audited("tweet.read", "R", target="where")
    def read(where: str) -> None: ...

    @audited("tweet.export", "R")
    def exporting() -> Iterator[int]:
        current_entry().metadata["said"] = True
        read("inside")
        yield 1

    for _ in exporting():
        read("consumer")
        assert not current_entry()

    parents = {each.target_id: each.parent_id for each in memory.events}
    (exported,) = [each for each in memory.events if each.action == "tweet.export"]
    assert (exported.id, None, True) == (parents["inside"], parents["consumer"], exported.metadata["said"])


def test_generator_consumed_in_another_context(memory: MemoryTransport) -> None:
    """A generator whose values are asked for in different contexts is one event, and leaves none of them changed."""
    generator = export(Tweet())
    contextvars.copy_context().run(next, generator)
    contextvars.copy_context().run(generator.send, "newer")
    with pytest.raises(StopIteration):
        generator.send("end")

    assert {"body": ("old", "newer")} == only(memory).changes
    assert {} == troubles()


def editing_in_a_block() -> Iterator[int]:
    """Yield inside a block, and say something to its entry after that."""
    with auditing("tweet.update", "U"):
        yield 1
        current_entry().metadata["said"] = "in the block"
        record("tweet.read", "R")
        yield 2
    record("tweet.read", "R", target="after the block")


@pytest.mark.parametrize("elsewhere", [False, True], ids=["one context", "other contexts"])
def test_block_around_a_yield_is_under_way_after_it(memory: MemoryTransport, *, elsewhere: bool) -> None:
    """What is done in a block of the generator's is the block's also once it was resumed, wherever that is."""
    generator = audited("tweet.export", "U")(editing_in_a_block)()
    for _ in range(3):
        if elsewhere:
            contextvars.copy_context().run(next, generator, None)
        else:
            next(generator, None)

    inside, block, after, exported = memory.events
    assert "in the block" == block.metadata["said"]
    assert (block.id, exported.id, exported.id, None) == (
        inside.parent_id,
        block.parent_id,
        after.parent_id,
        exported.parent_id,
    )
    assert not current_entry()


class Row:
    """Be something that is yielded, and can be asked whether it is still there."""


def test_yielded_value_is_not_kept(memory: MemoryTransport) -> None:
    """What the consumer has let go of is gone while the generator waits, as without auditkit."""

    @audited("tweet.read", "R")
    def rows() -> Iterator[Row]:
        yield Row()
        yield Row()

    generator = rows()
    row = weakref.ref(next(generator))

    assert row() is None


def test_asynchronously_yielded_value_is_not_kept(memory: MemoryTransport) -> None:
    """The same of an async generator."""

    @audited("tweet.read", "R")
    async def rows() -> AsyncIterator[Row]:
        yield Row()
        yield Row()

    async def main() -> None:
        generator = rows()
        row = weakref.ref(await anext(generator))

        assert row() is None

    asyncio.run(main())


def test_exception_thrown_in_is_let_go_of(memory: MemoryTransport) -> None:
    """What is thrown in and comes out again waits for no garbage collection: its frames hold what they worked on."""

    @audited("tweet.read", "R")
    def rows() -> Iterator[int]:
        yield 1

    def throw() -> weakref.ref[Refused]:
        generator: Any = rows()
        next(generator)
        try:
            generator.throw(Refused())
        except Refused as error:
            return weakref.ref(error)
        raise AssertionError

    gc.disable()
    try:
        gone = throw()

        assert gone() is None
    finally:
        gc.enable()


def test_generator_exit_thrown_in_is_the_generator_s_to_handle(memory: MemoryTransport) -> None:
    """A manager's generator is given the very GeneratorExit of the block, and may end it."""
    caught: list[BaseException] = []

    @contextmanager
    @audited("tweet.read", "R")
    def swallowing() -> Iterator[None]:
        try:
            yield
        except GeneratorExit as error:
            caught.append(error)

    thrown = GeneratorExit()
    manager = swallowing()
    manager.__enter__()

    assert manager.__exit__(GeneratorExit, thrown, None)
    assert [True] == [error is thrown for error in caught]


def test_generator_that_goes_on_after_generator_exit(memory: MemoryTransport) -> None:
    """One that yields after GeneratorExit gives the value to who threw it in, and an error to who closes it."""

    @audited("tweet.read", "R")
    def stubborn() -> Iterator[int]:
        try:
            yield 1
        except GeneratorExit:
            yield 2

    @audited("tweet.read", "R")
    async def stubborn_asynchronously() -> AsyncIterator[int]:
        try:
            yield 1
        except GeneratorExit:
            yield 2

    generator: Any = stubborn()
    next(generator)
    assert 2 == generator.throw(GeneratorExit())
    generator = stubborn()
    next(generator)
    with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
        generator.close()

    async def main() -> None:
        generator: Any = stubborn_asynchronously()
        await anext(generator)
        assert 2 == await generator.athrow(GeneratorExit())
        await generator.aclose()

    asyncio.run(main())


def test_context_manager_of_an_audited_generator(memory: MemoryTransport) -> None:
    """contextlib's managers work on top, and an error in the block reaches the generator."""

    @contextmanager
    @audited("tweet.edit", "U", capture="tweet", on_error="record")
    def editing(tweet: Tweet) -> Iterator[Tweet]:
        yield tweet
        tweet.likes += 1

    with editing(Tweet()) as tweet:
        tweet.body = "new"
    with pytest.raises(Refused), editing(Tweet()):
        raise Refused

    assert [{"body": ("old", "new"), "likes": (0, 1)}, {}] == [each.changes for each in memory.events]
    assert "failure" == memory.events[1].metadata["outcome"]


def test_wrong_arguments_are_the_functions_own_error(memory: MemoryTransport) -> None:
    """A call that the function does not take raises at once, as without auditkit, and is no event."""
    wrong: Any = export

    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        wrong()

    assert [] == memory.events


def test_introspection() -> None:
    """Both are told from plain functions as the originals are, and so are their generators."""
    generator, later = export(Tweet()), stream(Tweet())

    assert inspect.isgeneratorfunction(export)
    assert inspect.isasyncgenfunction(stream)
    assert inspect.isgenerator(generator)
    assert inspect.isasyncgen(later)
    assert ("export", "export", "stream") == (generator.__name__, generator.__qualname__, later.__name__)


def test_async_generator_is_recorded_when_it_has_ended(memory: MemoryTransport) -> None:
    """asend and athrow are the function's; the event tells the change of the whole run."""

    async def main() -> None:
        generator = stream(Tweet())
        assert await anext(generator) == "old"
        assert await generator.asend("newer") == "newer"
        assert await generator.athrow(Refused()) == "refused"
        assert [] == memory.events
        with pytest.raises(StopAsyncIteration):
            await generator.asend("end")

    asyncio.run(main())

    assert {"body": ("old", "refused")} == only(memory).changes


def test_async_generator_closed_early_is_abandoned(memory: MemoryTransport) -> None:
    """An async generator that is closed is recorded as abandoned, with what was done."""

    async def main() -> None:
        generator = stream(Tweet())
        await anext(generator)
        await generator.asend("half")
        await generator.aclose()

    asyncio.run(main())

    assert {"outcome": "abandoned", "error": "GeneratorExit", "body_was": "old", "body": "half"} == only(
        memory
    ).metadata


def test_async_generator_that_raises_or_is_cancelled(memory: MemoryTransport) -> None:
    """What it raises goes on; a consumer that is cancelled while it waits for a value cancels the call."""
    waiting = asyncio.Event()

    @audited("tweet.stream", "R")
    async def slow() -> AsyncIterator[int]:
        yield 1
        waiting.set()
        await asyncio.Event().wait()

    async def consume() -> None:
        async for _ in slow():
            pass

    async def main() -> None:
        generator = stream(Tweet())
        await anext(generator)
        with pytest.raises(KeyError):
            await generator.asend("fail")
        task = asyncio.create_task(consume())
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert ["failure", "cancelled"] == [each.metadata["outcome"] for each in memory.events]


def test_async_context_manager_of_an_audited_generator(memory: MemoryTransport) -> None:
    """contextlib's async managers work on top."""

    @asynccontextmanager
    @audited("tweet.edit", "U", capture="tweet")
    async def editing(tweet: Tweet) -> AsyncIterator[Tweet]:
        yield tweet

    async def main() -> None:
        async with editing(Tweet()) as tweet:
            tweet.body = "new"

    asyncio.run(main())

    assert {"body": ("old", "new")} == only(memory).changes


def test_generators_of_methods(memory: MemoryTransport) -> None:
    """Methods that are generator functions are bound like methods."""

    class Service:
        name = "s1"

        @audited("tweet.export", "R", target="self.name")
        def rows(self) -> Iterator[int]:
            yield 1

        @audited("tweet.export", "R", target="cls.name")
        @classmethod
        def all(cls) -> Iterator[int]:
            yield 2

    assert [1, 2] == [*Service().rows(), *Service.all()]
    assert ["s1", "s1"] == [each.target_id for each in memory.events]


def test_disabled_generator_is_the_functions_own(make: Callable[..., AuditTrail]) -> None:
    """Where nothing is recorded the function's own generator is given."""
    trail = make()
    trail.enabled = False

    @audited("tweet.export", "R", trail=trail)
    def rows() -> Iterator[int]:
        yield 1

    assert [1] == [*rows()]
    assert 0 == trail.stats().recorded


def test_generators_under_fsync_always(make: Callable[..., AuditTrail], tmp_path: Any) -> None:
    """Under fsync="always" a generator ends, fails or is closed when its event is on the device."""
    trail = make(directory=str(tmp_path / "audit"), fsync="always", on_error="record")

    @audited("tweet.export", "R", trail=trail)
    def rows(*, fails: bool = False) -> Iterator[int]:
        yield 1
        if fails:
            raise Refused

    @audited("tweet.export", "R", trail=trail)
    async def later() -> AsyncIterator[int]:
        yield 1

    async def main() -> None:
        assert [1] == [each async for each in later()]
        closed: Any = later()
        await anext(closed)
        await closed.aclose()

    assert [1] == [*rows()]
    with pytest.raises(Refused):
        list(rows(fails=True))
    closed: Any = rows()
    next(closed)
    closed.close()
    asyncio.run(main())

    assert 5 == trail.stats().recorded


@pytest.mark.parametrize("outside", [True, False], ids=["scope outside", "audited outside"])
def test_audited_generator_s_event_is_its_scope_s(memory: MemoryTransport, *, outside: bool) -> None:
    """In either order of the decorators a generator's own event, and those inside, carry the scope's actor."""
    scope, audit = audit_context(actor="cron", group="g", location="l"), audited("job.run", "R")

    def work() -> Iterator[int]:
        record("job.step", "R")
        yield 1

    async def work_later() -> AsyncIterator[int]:
        record("job.step", "R")
        yield 1

    async def consume(later: Any) -> None:
        async for _ in later:
            pass

    plain = scope(audit(work)) if outside else audit(scope(work))
    later = scope(audit(work_later)) if outside else audit(scope(work_later))
    with audit_context(actor="consumer", group="g", location="l"):
        list(plain())
        asyncio.run(consume(later()))

    whole = "cron" if outside else "consumer"
    assert [("job.step", "cron"), ("job.run", whole)] * 2 == [(each.action, each.actor_id) for each in memory.events]
