"""A carried function runs elsewhere in the audit context of the place where it was carried from."""

from __future__ import annotations

import asyncio
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import audit_context, audited, bind_context, carry_context, current_context, record
from auditkit.capture.call import CALL
from auditkit.context import current_scope, suppressed
from auditkit.errors import AuditDefinitionError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from auditkit.transports import MemoryTransport

OTHERS: ContextVar[str] = ContextVar("others", default="unset")


def group() -> str | None:
    return current_context().group


async def group_later() -> str | None:
    await asyncio.sleep(0)
    return group()


def in_thread(function: Callable[[], Any]) -> Any:
    """Return what a function returns in a thread that has begun with nothing of ours."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result(timeout=10)


def test_thread_has_the_context() -> None:
    """A thread sees the context of the place where its function was carried from, and nothing without."""
    with audit_context(group="acme"):
        carried = carry_context(group)

        assert "acme" == in_thread(carried)
        assert None is in_thread(group)


def test_context_outlives_its_block() -> None:
    """A carried function keeps its context when the block that it came from has ended."""
    with audit_context(group="acme"):
        carried = carry_context(group)

    assert "acme" == in_thread(carried)
    assert None is group()


def test_pool_thread_is_left_as_it_was() -> None:
    """After a carried call, also one that raised, the pool's thread has its own context again."""

    def fail() -> None:
        raise ValueError("asked for")

    with ThreadPoolExecutor(1) as pool:
        with audit_context(group="acme"):
            pool.submit(carry_context(group)).result(timeout=10)
            with pytest.raises(ValueError, match="asked for"):
                pool.submit(carry_context(fail)).result(timeout=10)

        assert (None, None) == pool.submit(lambda: (current_scope(), CALL.get())).result(timeout=10)


def test_arguments_and_result_pass() -> None:
    """A carried function takes and returns what the function does."""

    def work(first: int, /, *rest: int, last: int = 0) -> tuple[int, tuple[int, ...], int]:
        return first, rest, last

    assert (1, (2, 3), 4) == in_thread(partial(carry_context(work), 1, 2, 3, last=4))


def test_exception_passes() -> None:
    """What a carried function raises is the very same object."""
    raised = KeyError("x")

    def fail() -> None:
        raise raised

    with pytest.raises(KeyError) as caught:
        carry_context(fail)()

    assert raised is caught.value


def test_one_carried_function_runs_many_times_at_once() -> None:
    """Many threads may be inside one carried function at the same moment."""
    number = 8
    all_inside = threading.Barrier(number, timeout=10)

    def work(own: int) -> tuple[int, str | None]:
        all_inside.wait()
        return own, group()

    with ThreadPoolExecutor(number) as pool:
        with audit_context(group="acme"):
            carried = carry_context(work)
        results = list(pool.map(carried, range(number)))

    assert [(own, "acme") for own in range(number)] == results


def test_threads_keep_their_contexts_apart() -> None:
    """Functions that were carried from different contexts each have their own, whichever thread runs them."""
    carried = []
    for number in range(50):
        with audit_context(group=f"group_{number}"):
            carried.append(carry_context(group))
    with ThreadPoolExecutor(4) as pool:
        results = [each.result(timeout=10) for each in [pool.submit(each) for each in carried]]

    assert [f"group_{number}" for number in range(50)] == results


def test_carried_from_nowhere_runs_nowhere() -> None:
    """A function that was carried from outside any scope runs outside, also where a scope is."""
    carried = carry_context(group)
    with audit_context(group="acme"):
        assert None is carried()
        assert "acme" == group()


def test_scope_is_shared() -> None:
    """What a carried function binds is bound in the scope that it came from."""
    with audit_context(group="acme"):
        in_thread(carry_context(lambda: bind_context(actor="user_1")))
        actor = current_context().actor

    assert actor is not None
    assert "user_1" == actor.id


def test_other_variables_are_not_carried() -> None:
    """Variables of others are neither carried nor put back: they are the thread's own."""

    def work() -> str:
        before = OTHERS.get()
        OTHERS.set("inside")
        return before

    def here() -> tuple[str, str]:
        OTHERS.set("here")
        with ThreadPoolExecutor(1) as pool:
            return (
                pool.submit(carry_context(work)).result(timeout=10),
                pool.submit(OTHERS.get).result(timeout=10),
            )

    assert ("unset", "inside") == copy_context().run(here)


# Coroutines


async def test_coroutine_function_stays_one() -> None:
    """A carried coroutine function is a coroutine function, whose coroutine runs in the context to its end."""
    with audit_context(group="acme"):
        carried = carry_context(group_later)

    assert inspect.iscoroutinefunction(carried)
    assert "acme" == await carried()
    assert None is group()


async def test_tasks_of_one_carried_function_overlap() -> None:
    """Many tasks may be inside one carried coroutine function, and each has its context after the others' turns."""
    with audit_context(group="acme"):
        carried = carry_context(group_later)
    with audit_context(group="other"):
        results = await asyncio.gather(*(carried() for _ in range(20)), group_later())

    assert [*["acme"] * 20, "other"] == results


async def test_loop_of_another_thread_has_the_context() -> None:
    """A coroutine that another thread's loop runs has the context of the place it was carried from."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        with audit_context(group="acme"):
            future = asyncio.run_coroutine_threadsafe(carry_context(group_later)(), loop)
        found = await asyncio.wrap_future(future)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()

    assert "acme" == found


class Later:
    """A coroutine function in an object."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function

    async def __call__(self) -> Any:
        return await self.function()


@pytest.mark.parametrize(
    "function",
    [Later(group_later), Later(group_later).__call__, partial(group_later), audited("work.do", "R")(group_later)],
    ids=["object", "method", "partial", "audited"],
)
async def test_every_kind_of_coroutine_function_is_one(memory: MemoryTransport, function: Callable[[], Any]) -> None:
    """Whatever makes a coroutine when it is called is carried to that coroutine's end."""
    with audit_context(group="acme"):
        carried = carry_context(function)

    assert inspect.iscoroutinefunction(carried)
    assert "acme" == await carried()


def test_coroutine_thrown_away_elsewhere_is_quiet() -> None:
    """A coroutine that is begun in one context and closed in another raises nothing and leaks nothing."""
    with audit_context(group="acme"):
        coroutine = carry_context(group_later)()
    Context().run(coroutine.send, None)
    Context().run(coroutine.close)

    assert None is group()


# What is carried


def test_metadata_of_the_function_is_kept() -> None:
    """A carried function has the name, docstring, annotations and signature of the function."""

    def work(number: int) -> str:
        """Work."""
        return str(number)

    carried = carry_context(work)

    assert (work.__name__, work.__qualname__, "Work.") == (carried.__name__, carried.__qualname__, carried.__doc__)
    assert inspect.signature(work) == inspect.signature(carried)
    assert work is carried.__wrapped__  # type: ignore[attr-defined]


class Service:
    name = "service"

    def method(self) -> tuple[str, str | None]:
        return self.name, group()


@pytest.mark.parametrize(
    "function, expected",
    [
        (Service().method, ("service", "acme")),
        (partial(lambda number: (number, group()), 1), (1, "acme")),
        (audited("work.do", "R")(group), "acme"),
        (dict, {}),
        (carry_context(group), None),
    ],
    ids=["method", "partial", "audited", "class", "carried"],
)
def test_whatever_is_called_is_carried(memory: MemoryTransport, function: Callable[[], Any], expected: Any) -> None:
    """Methods, partials, audited functions and classes are carried; what was carried before keeps its own context."""
    with audit_context(group="acme"):
        carried = carry_context(function)

    assert expected == carried()


def generates() -> Iterator[int]:
    yield 1


async def generates_later() -> AsyncIterator[int]:
    yield 1


class Generates:
    def __call__(self) -> Iterator[int]:
        yield 1


@pytest.mark.parametrize("function", [generates, generates_later, Generates()], ids=["plain", "async", "object"])
def test_generator_is_refused(function: Callable[[], Any]) -> None:
    """A generator function, whose body would run outside, is refused by its name where it is given."""
    name = getattr(function, "__qualname__", "Generates")
    with pytest.raises(AuditDefinitionError, match=rf"carry_context\(\) takes .* {name} makes generators"):
        carry_context(function)


def test_what_cannot_be_called_is_refused() -> None:
    """What is no function, such as a call's result, is refused where it is given."""
    with pytest.raises(AuditDefinitionError, match=r"takes a function, got a value of type int"):
        carry_context(5)  # type: ignore[arg-type]


# Audited calls


@audited("row.read", "R")
def read_row() -> None:
    """Be an audited call inside another."""


def test_current_call_is_the_parent(memory: MemoryTransport) -> None:
    """Events of a carried function name the audited call that was under way where it was carried, and only there."""

    @audited("table.read", "R")
    def read_table() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(carry_context(read_row)).result(timeout=10)
            pool.submit(carry_context(partial(record, "row.note", "R"))).result(timeout=10)
            pool.submit(read_row).result(timeout=10)

    read_table()
    row, note, bare, table = memory.events

    assert (table.id, table.id, None) == (row.parent_id, note.parent_id, bare.parent_id)


def test_parent_may_have_ended(memory: MemoryTransport) -> None:
    """A callback that runs after the audited call it was made in still names that call."""

    @audited("table.read", "R")
    def read_table() -> Callable[[], None]:
        return carry_context(read_row)

    callback = read_table()
    in_thread(callback)
    table, row = memory.events

    assert table.id == row.parent_id


def test_call_around_is_not_the_parent(memory: MemoryTransport) -> None:
    """A carried function names the call it came from, not one that happens to run it; that one is back after it."""
    carried = carry_context(read_row)

    @audited("table.read", "R")
    def read_table() -> None:
        carried()
        read_row()

    read_table()
    from_outside, inside, table = memory.events

    assert (None, table.id) == (from_outside.parent_id, inside.parent_id)


def test_nothing_is_recorded_of_what_auditkit_itself_calls(memory: MemoryTransport) -> None:
    """A carried function that a transport calls records nothing, so that a transport cannot feed itself."""
    with audit_context(group="acme"):
        carried = carry_context(read_row)
    with suppressed():
        carried()
    assert [] == memory.events

    carried()
    assert ["acme"] == [each.group for each in memory.events]
