"""A task is audited wherever ``@audited`` stands, as far as it can be; and where it cannot, it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from celery import Celery, Task, shared_task
from pydantic import BaseModel

from auditkit import AuditDefinitionError, audited, configure, registered_actions
from auditkit.capture import is_audited
from auditkit.transports import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Callable


class Order(BaseModel):
    number: int


def plain(number: int) -> int:
    """Be a task."""
    return number


def bound(self: Task, number: int) -> int:
    assert isinstance(self, Task)
    return number


TRIES: list[int] = []


def retried(number: int) -> int:
    TRIES.append(number)
    if len(TRIES) == 1:
        raise TypeError
    return number


def modelled(order: Order) -> int:
    return order.number


modelled.__annotations__["order"] = Order  # as it is without the import above: Celery 5.5 reads no text


@pytest.fixture
def memory() -> MemoryTransport:
    TRIES.clear()
    transport = MemoryTransport()
    configure(transport, directory=None, on_error="record")
    return transport


@pytest.fixture
def app() -> Celery:
    return Celery("tests", broker="memory://", set_as_current=False)


TASKS: dict[str, tuple[Any, dict[str, Any], str, Any]] = {
    "plain": (plain, {}, "number", 7),
    "bound": (bound, {"bind": True}, "number", 7),
    "made": (plain, {"lazy": False}, "number", 7),
    "made-bound": (bound, {"lazy": False, "bind": True}, "number", 7),
    "retried": (retried, {"autoretry_for": (TypeError,), "default_retry_delay": 0}, "number", 7),
    "pydantic": (modelled, {"pydantic": True}, "order.number", {"number": 7}),
}


@pytest.mark.parametrize("above", [True, False], ids=["above", "below"])
@pytest.mark.parametrize("kind", TASKS)
def test_either_order_audits_the_task(app: Celery, memory: MemoryTransport, kind: str, above: bool) -> None:  # noqa: FBT001
    """Sent or called, a task is recorded once a try, and is a task as it was."""
    function, options, target, argument = TASKS[kind]
    audit, make = audited("order.ship", "C", target=target), app.task(shared=False, **options)
    task: Any = audit(make(function)) if above else make(audit(function))
    app.conf.task_always_eager = True

    assert 7 == task.delay(argument).get()
    events = list(memory.events)
    assert ["7"] * len(events) == [event.target_id for event in events]
    assert (["TypeError", None] if kind == "retried" else [None]) == [event.metadata.get("error") for event in events]

    assert 7 == task(Order(number=7) if kind == "pydantic" else argument)
    assert len(events) + 1 == len(memory.events)
    assert isinstance(task, Task)
    assert app.tasks[task.name].name == task.name
    assert is_audited(task)


def test_task_that_is_not_made_is_not_made_for_it(app: Celery) -> None:
    """Decorating reads no configuration, which may come later; the action is registered all the same."""

    @audited("order.late", "C", target="number")
    @app.task(shared=False)  # type: ignore[untyped-decorator]
    def late(number: int) -> None: ...

    assert not app.configured
    assert ["order.late"] == [each.action for each in registered_actions() if each.action == "order.late"]
    app.conf.task_acks_late = True
    assert late.acks_late
    assert ["order.late"] == [each.action for each in registered_actions() if each.action == "order.late"]


def test_mistakes_are_told_when_decorating(app: Celery) -> None:
    """A reference that cannot work is refused at import also above a task that is not made yet."""
    with pytest.raises(AuditDefinitionError, match="there is no parameter 'order'"):
        audited("order.ship", "C", target="order")(app.task(shared=False)(plain))


def test_task_that_was_made_meanwhile_is_audited(app: Celery, memory: MemoryTransport) -> None:
    """A task that Celery made of its stand-in before it is decorated is audited as others are."""
    task: Any = app.task(shared=False)(plain)
    app.finalize()
    audited("order.ship", "C", target="number")(task)

    assert 7 == task(7)
    assert ["7"] == [event.target_id for event in memory.events]


def test_class_of_a_task_serves_its_instance(app: Celery, memory: MemoryTransport) -> None:
    """A task that is an object of the user's own class is audited alone, not its class."""

    class Shipping(app.Task):  # type: ignore[misc]
        name = "shipping"

        def run(self, number: int) -> int:
            return number

    class Other(Shipping):
        name = "other"

    other: Any = app.register_task(Other())
    task: Callable[[int], int] = audited("order.ship", "C", target="number")(app.register_task(Shipping()))

    assert [7, 8] == [task(7), other(8)]
    assert ["7"] == [event.target_id for event in memory.events]


def test_shared_task_is_refused() -> None:
    """The stand-in of a shared task has no function to decorate: a worker would run it unaudited, so it is refused."""
    with pytest.raises(AuditDefinitionError, match="write @shared_task first"):
        audited("order.ship", "C")(shared_task(name="refused above")(plain))
