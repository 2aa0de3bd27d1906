"""What calls know of each other, and what they let go of."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import audited
from auditkit.capture.call import CALL
from tests.unit.capture.builders import Refused

if TYPE_CHECKING:
    from auditkit import Event
    from auditkit.transports import MemoryTransport


@audited("inner.call", "R")
def inner() -> None:
    """Be a call inside another."""


def named(memory: MemoryTransport, action: str) -> list[Event]:
    return [event for event in memory.events if event.action == action]


def test_call_that_outlives_its_parent_names_the_event_that_was_recorded(memory: MemoryTransport) -> None:
    """Who asks for the parent's id after its event was made is given the id of that event."""
    kept: list[Context] = []

    @audited("outer.call", "R")
    def outer() -> None:
        kept.append(copy_context())

    outer()
    kept[0].run(inner)
    kept[0].run(inner)

    assert [named(memory, "outer.call")[0].id] * 2 == [event.parent_id for event in named(memory, "inner.call")]


def test_threads_inside_a_call_agree_on_its_id(memory: MemoryTransport) -> None:
    """Calls that end at once in many threads name one parent, and that is the event that is recorded."""
    count = 16

    @audited("outer.call", "R")
    def outer() -> None:
        together = threading.Barrier(count)

        def work() -> None:
            together.wait()
            inner()

        threads = [threading.Thread(target=copy_context().run, args=(work,)) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for _ in range(20):
        outer()
    expected = [event.id for event in named(memory, "outer.call") for _ in range(count)]

    assert expected == [event.parent_id for event in named(memory, "inner.call")]


async def test_tasks_that_begin_each_other_leave_nothing_behind(memory: MemoryTransport) -> None:
    """A chain of tasks, each begun inside the call before, keeps neither arguments nor the calls before."""

    class Argument:
        pass

    seen: list[weakref.ref[Argument]] = []
    contexts: list[Context] = []
    tasks: list[asyncio.Task[Any]] = []

    @audited("chain.link", "U", before="argument")
    async def link(left: int, argument: Argument) -> None:
        seen.append(weakref.ref(argument))
        contexts.append(copy_context())
        if left:
            tasks.append(asyncio.create_task(link(left - 1, Argument())))

    await link(5, Argument())
    for _ in range(5):
        await tasks[-1]
    last = contexts[-1].get(CALL)
    del tasks[:], contexts[:]
    gc.collect()

    assert [None, *(event.id for event in memory.events[:-1])] == [event.parent_id for event in memory.events]
    assert [None] * 6 == [each() for each in seen]
    assert last is not None
    assert last.parent is None


@pytest.mark.parametrize("on_error", ["skip", "record"])
def test_exception_keeps_no_circle(memory: MemoryTransport, on_error: str) -> None:
    """What a raising call was given is free as soon as its exception is, without the garbage collector."""

    class Argument:
        pass

    @audited("tweet.update", "U", on_error=on_error)
    def fails(argument: Argument) -> None:
        raise Refused

    def call(argument: Argument) -> None:
        with pytest.raises(Refused):
            fails(argument)

    argument = Argument()
    kept = weakref.ref(argument)
    gc.disable()
    try:
        with contextlib.suppress(Refused):
            fails(argument)
        del argument

        assert kept() is None
    finally:
        gc.enable()


def test_there_is_no_call_outside(memory: MemoryTransport) -> None:
    """A call is current inside itself only, whether it returns or raises."""
    seen: list[bool] = []

    @audited("outer.call", "R")
    def outer(*, fail: bool) -> None:
        seen.append(CALL.get() is not None)
        if fail:
            raise Refused

    outer(fail=False)
    seen.append(CALL.get() is not None)
    with pytest.raises(Refused):
        outer(fail=True)
    seen.append(CALL.get() is not None)

    assert [True, False, True, False] == seen


async def test_coroutine_driven_by_hand_from_several_contexts_returns(memory: MemoryTransport) -> None:
    """A coroutine whose steps run in different contexts is recorded, and nobody meets a context variable's complaint."""

    class Step:
        def __await__(self) -> Any:
            yield

    @audited("tweet.update", "U")
    async def update() -> str:
        await Step()
        return "done"

    coroutine = update()
    copy_context().run(coroutine.send, None)
    with pytest.raises(StopIteration) as caught:
        copy_context().run(coroutine.send, None)

    assert "done" == caught.value.value
    assert ["tweet.update"] == [event.action for event in memory.events]
