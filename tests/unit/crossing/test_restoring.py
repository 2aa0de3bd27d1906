"""A restored context is the exported one, in whatever process; what is not to be believed opens an empty scope."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context as Variables
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import (
    Actor,
    Context,
    ContextRefused,
    audit_context,
    audited,
    carry_context,
    configure,
    current_context,
    export_context,
    record,
    restored_context,
    stats,
)
from auditkit.capture.call import CALL
from auditkit.context import suppressed
from auditkit.errors import AuditDefinitionError
from auditkit.transports import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET, NEW_SECRET = "the secret of these tests", "the next secret of these tests"
EXPORT = {
    "version": 1,
    "group": "acme",
    "actor": {"id": "user_1", "name": "Ada", "type": "admin"},
    "location": "203.0.113.7",
    "on_behalf_of": {"id": "user_2", "name": "Bob", "type": "user"},
    "metadata": {"plan": "pro"},
    "correlation_id": "req_1",
    "parent_id": "parent_1",
}


@audited("report.make", "C")
def make_report() -> None:
    """Be the work of a queue's worker."""


def troubles() -> dict[str, int]:
    return {code: number for code, number in stats().troubles.items() if code != "default"}


def exported(**fields: Any) -> dict[str, Any]:
    """Return an export through JSON, signed with the process-wide trail's secret."""
    with audit_context(**fields):
        export: dict[str, Any] = json.loads(json.dumps(export_context()))
    return export


def test_events_inside_are_those_of_the_exported_context(memory: MemoryTransport) -> None:
    """Events inside have every field of the exported context, and its parent; those after have none of it."""
    with restored_context(EXPORT):
        make_report()
        record("report.note", "C")
    make_report()
    inside, noted, after = memory.events

    for event in (inside, noted):
        assert ("acme", "user_1", "Ada", "admin") == (event.group, event.actor_id, event.actor_name, event.actor_type)
        assert ("203.0.113.7", "req_1", "parent_1") == (event.location, event.correlation_id, event.parent_id)
        assert {"plan": "pro", "on_behalf_of_id": "user_2", "on_behalf_of_name": "Bob"} == dict(event.metadata)
    assert ("anonymous", None, None) == (after.actor_id, after.parent_id, after.correlation_id)


def test_parent_is_only_the_outermost_s(memory: MemoryTransport) -> None:
    """An audited call inside an audited call of a restored context names that call, as anywhere."""

    @audited("report.order", "C")
    def order() -> None:
        make_report()

    with restored_context(EXPORT):
        order()
    inner, outer = memory.events

    assert (outer.id, "parent_1") == (inner.parent_id, outer.parent_id)


def test_scope_around_does_not_show_through(memory: MemoryTransport) -> None:
    """What was not bound where it was exported is not bound inside, whatever the worker's own scope says."""
    with audit_context(group="worker", actor="worker", metadata={"queue": "a"}, correlation_id="w"):
        with restored_context({"version": 1, "correlation_id": "req_1"}):
            inside = current_context()
        after = current_context()

    assert Context(correlation_id="req_1") == inside
    assert Actor("worker") == after.actor


def test_call_around_is_the_parent_where_none_was_exported(memory: MemoryTransport) -> None:
    """Inside a worker's own audited call the exported parent counts, and the call itself where there is none."""

    @audited("job.run", "U")
    def run(data: dict[str, Any]) -> None:
        with restored_context(data):
            make_report()
        make_report()

    run(EXPORT)
    run({"version": 1})
    exported, after, with_parent, inside, _, without = memory.events

    assert ("parent_1", with_parent.id, without.id) == (exported.parent_id, after.parent_id, inside.parent_id)


async def test_async_with_and_tasks(memory: MemoryTransport) -> None:
    """One restored context may be entered by many tasks at once, each with a scope of its own."""
    scope = restored_context(EXPORT)

    async def work() -> str | None:
        async with scope:
            await asyncio.sleep(0)
            make_report()
            return current_context().group

    groups = await asyncio.gather(*(work() for _ in range(10)))

    assert ["acme"] * 10 == groups
    assert ["parent_1"] * 10 == [each.parent_id for each in memory.events]
    assert None is CALL.get()


def test_threads_share_one_restored_context(memory: MemoryTransport) -> None:
    """One restored context may be entered by many threads at once, and leaves nothing in them."""
    scope = restored_context(EXPORT)

    def work(_: int) -> tuple[str | None, object]:
        with scope:
            make_report()
            inside = current_context().group
        return inside, CALL.get()

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(50)))

    assert [("acme", None)] * 50 == results
    assert {"parent_1"} == {each.parent_id for each in memory.events}


def test_nested_in_itself(memory: MemoryTransport) -> None:
    """One restored context may be entered inside itself, and each is left by its own end."""
    scope = restored_context(EXPORT)
    with scope:
        with scope:
            pass
        make_report()
    make_report()

    assert ["parent_1", None] == [each.parent_id for each in memory.events]


def test_decorator(memory: MemoryTransport) -> None:
    """As a decorator it keeps the function what it is, and each call is inside."""

    @restored_context(EXPORT)
    def work(number: int) -> int:
        """Work."""
        make_report()
        return number

    assert (5, "Work.") == (work(5), work.__doc__)
    assert ["parent_1"] == [each.parent_id for each in memory.events]


async def test_decorator_of_a_coroutine_function(memory: MemoryTransport) -> None:
    """A decorated coroutine function stays one, and is inside until its end."""

    @restored_context(EXPORT)
    async def work() -> None:
        await asyncio.sleep(0)
        make_report()

    await work()

    assert inspect.iscoroutinefunction(work)
    assert ["parent_1"] == [each.parent_id for each in memory.events]


def test_decorator_refuses_a_generator(memory: MemoryTransport) -> None:
    """A generator function, whose body would run outside, is refused where it is decorated."""

    def work() -> Iterator[int]:
        yield 1

    with pytest.raises(AuditDefinitionError, match=r"restored_context\(\) takes"):
        restored_context(EXPORT)(work)


def test_exception_passes(memory: MemoryTransport) -> None:
    """What is raised inside passes as it is, and the parent is gone."""
    raised = ValueError()
    with pytest.raises(ValueError, match="^$") as caught, restored_context(EXPORT):
        raise raised

    assert raised is caught.value
    assert None is CALL.get()


def test_left_in_another_context(memory: MemoryTransport) -> None:
    """A scope that is left in a copy of its context leaves no parent there, and raises nothing."""
    scope = restored_context(EXPORT)

    def begin() -> Variables:
        scope.__enter__()
        return copy_context()

    def end() -> None:
        scope.__exit__(None, None, None)
        make_report()

    Variables().run(begin).run(end)

    assert [None] == [each.parent_id for each in memory.events]


def test_left_without_being_entered(memory: MemoryTransport) -> None:
    """Leaving what was not entered here raises nothing, and leaves another's scope alone."""
    other = restored_context(EXPORT)
    with restored_context(EXPORT):
        other.__exit__(None, None, None)
        make_report()

    assert ["parent_1"] == [each.parent_id for each in memory.events]


def test_what_was_begun_inside_keeps_the_parent(memory: MemoryTransport) -> None:
    """Work that was begun inside and ends later, carried or as a task, still names the exported parent."""
    with restored_context(EXPORT):
        carried, begun = carry_context(make_report), copy_context()
    carried()
    begun.run(make_report)

    assert [("parent_1", "user_1")] * 2 == [(each.parent_id, each.actor_id) for each in memory.events]


def test_nothing_around_is_kept_alive(memory: MemoryTransport) -> None:
    """What was begun inside, and may live for ever, does not hold the context around through its parent."""
    with restored_context(EXPORT):
        call = CALL.get()

    assert call is not None
    assert None is call.entry  # type: ignore[attr-defined]


def test_exported_again(memory: MemoryTransport) -> None:
    """A worker that enqueues more work passes the context on, parent included."""
    with restored_context(EXPORT):
        assert export_context() == EXPORT


def test_suppression_holds(memory: MemoryTransport) -> None:
    """Where auditkit itself is at work nothing is recorded, in a restored context neither."""
    with suppressed(), restored_context(EXPORT):
        make_report()

    assert [] == memory.events


# What is not to be believed


def forged() -> dict[str, Any]:
    return {**exported(actor="user_1"), "actor": {"id": "admin", "name": "admin", "type": "user"}}


def stripped() -> dict[str, Any]:
    export = forged()
    del export["signature"]
    return export


REFUSED: dict[str, Callable[[], dict[str, Any]]] = {
    "forged": forged,
    "unsigned": stripped,
    "version": lambda: {**exported(actor="user_1"), "version": 2},
    "shape": lambda: {**exported(actor="user_1"), "actor": "admin"},
    "size": lambda: {**exported(actor="user_1"), "group": "a" * 70_000},
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refused_is_an_empty_scope(reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """What is refused is counted, logged once for its reason, and opens a scope that says nothing at all."""
    memory = MemoryTransport()
    configure(memory, directory=None, secret=SECRET)
    data = REFUSED[reason]()
    with caplog.at_level(logging.ERROR), audit_context(actor="worker", group="worker", metadata={"queue": "a"}):
        for _ in range(2):
            with restored_context(data):
                make_report()
        with restored_context(data):
            inside = current_context()

    assert Context(correlation_id=inside.correlation_id) == inside
    assert {("anonymous", "default", None)} == {(each.actor_id, each.group, each.parent_id) for each in memory.events}
    assert {"context_refused": 3} == troubles()
    assert 1 == len(caplog.records)
    assert "an exported context was refused" in caplog.text
    assert "admin" not in caplog.text


@pytest.mark.parametrize("reason", REFUSED)
def test_refused_is_raised_where_that_was_asked_for(reason: str) -> None:
    """With on_audit_error="raise" what is refused is raised before any scope is opened, and counted too."""
    configure(directory=None, secret=SECRET, on_audit_error="raise")
    data = REFUSED[reason]()
    with pytest.raises(ContextRefused) as caught:
        restored_context(data)

    assert reason == caught.value.reason
    assert {"context_refused": 1} == troubles()


def test_each_reason_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Two reasons are two causes, each logged."""
    configure(directory=None, secret=SECRET)
    with caplog.at_level(logging.ERROR):
        for data in (forged(), stripped(), None, forged(), stripped(), None):
            restored_context(data)

    assert 3 == len(caplog.records)
    assert {"context_refused": 6} == troubles()


def test_job_without_a_context_is_refused(memory: MemoryTransport) -> None:
    """A job that was enqueued without a context is told, and gets the empty scope, also without a secret."""
    with restored_context(None):
        make_report()

    assert {"context_refused": 1} == troubles()
    assert ["anonymous"] == [each.actor_id for each in memory.events]


def test_secret_may_be_changed() -> None:
    """While two secrets are configured, exports of before and after the change are believed; then only the new."""
    configure(directory=None, secret=SECRET)
    old = exported(actor="old")
    configure(directory=None, secret=(NEW_SECRET, SECRET))
    new = exported(actor="new")
    both = [actor_of(old), actor_of(new)]
    configure(directory=None, secret=NEW_SECRET)

    assert ["old", "new"] == both
    assert [None, "new"] == [actor_of(old), actor_of(new)]


def actor_of(data: object) -> str | None:
    with restored_context(data):
        actor = current_context().actor
    return None if actor is None else actor.id


def test_without_a_secret_everything_is_believed(memory: MemoryTransport) -> None:
    """Without a secret what has the right form is believed, and a signature that nobody can verify is told."""
    assert "user_1" == actor_of(EXPORT)
    assert {} == troubles()

    assert "user_1" == actor_of({**EXPORT, "signature": "0" * 64})
    assert {"context_unverified": 1} == troubles()


# Another process

WORKER = """
import json, sys
from auditkit import AuditTrail, audited, configure, flush, restored_context, stats
from auditkit.transports import MemoryTransport

memory = MemoryTransport()
configure(memory, directory=None, secret=sys.argv[1])

@audited("report.make", "C")
def make_report():
    pass

for line in sys.stdin:
    with restored_context(json.loads(line)):
        make_report()
print(json.dumps([event.to_dict() for event in memory.events]))
"""


def test_queue_to_another_process() -> None:
    """A worker in a process of its own records a job under its producer's actor, correlation and parent, or nobody's."""
    memory = MemoryTransport()
    configure(memory, directory=None, secret=SECRET)
    queue: list[dict[str, Any]] = []

    @audited("report.order", "C")
    def order() -> None:
        queue.append(export_context())

    with audit_context(group="acme", actor=("user_1", "Adä"), location="203.0.113.7", metadata={"plan": "pro"}):
        order()
    queue.append({**queue[0], "group": "other"})
    worker = subprocess.run(
        [sys.executable, "-c", WORKER, SECRET],
        input="".join(json.dumps(each) + "\n" for each in queue),
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    (ordered,) = memory.events
    made, refused = json.loads(worker.stdout)

    assert ("acme", "user_1", "Adä") == (made["group"], made["actor_id"], made["actor_name"])
    assert "203.0.113.7" == made["location"]
    assert {"plan": "pro"} == made["metadata"]
    assert (ordered.id, ordered.correlation_id) == (made["parent_id"], made["correlation_id"])
    assert ("default", "anonymous", None) == (refused["group"], refused["actor_id"], refused["parent_id"])
    assert "context_refused" in worker.stderr
