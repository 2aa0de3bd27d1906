"""What type checkers must see of auditkit's public names: checked by mypy and pyright, never run.

A line with `type: ignore` must be refused: mypy complains of an ignore that nothing needs.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Self, TypeVar, assert_type

from auditkit import (
    ActionType,
    Actor,
    AuditTrail,
    Event,
    Receipt,
    RegisteredAction,
    Transport,
    aemit,
    arecord,
    audit_context,
    audited,
    carry_context,
    configure,
    emit,
    export_context,
    record,
    ref,
    registered_actions,
    restored_context,
)

Item = TypeVar("Item")


class Robot(Actor):
    """A user's own kind of actor."""


def an_actor_is_a_value_that_can_be_derived_from() -> None:
    """It is made of an id alone, and so is a user's kind of it; it does not change."""
    assert_type(Actor(5).name, str)
    robot = Robot("r2", type="robot")
    assert_type(robot.type, str)
    assert_type(replace(robot, name="R2"), Robot)
    robot.name = "C3"  # type: ignore[misc]
    Actor()  # type: ignore[call-arg]


def an_event_takes_a_payload(payload: Mapping[str, Any]) -> None:
    """An event is made of a payload, or of its fields by name."""
    assert_type(Event(**payload), Event)
    assert_type(Event.from_dict(payload), Event)
    assert_type(Event.from_dict(payload).to_dict(), dict[str, Any])
    event = Event(
        group="user_1",
        action="tweet.update",
        action_type="U",
        actor_name="user@email.com",
        actor_id="user_1",
        target_name="tweet_5",
        target_id="tweet_5",
        location="1.1.1.1",
        occurred_at=datetime(2019, 5, 1, tzinfo=UTC),
        metadata={"body_was": "a", "body": "b", "count": 1, "ratio": 0.5, "done": True, "gone": None},
    )
    assert_type(event.id, str)
    assert_type(event.occurred_at, datetime)
    event.group = "user_2"  # type: ignore[misc]


@audit_context(group="user_1", actor=("user_1", "user@email.com"), location="1.1.1.1")
def a_function(number: int, *, name: str = "") -> str:
    """Be decorated."""
    return name * number


@audit_context(actor="job")
async def a_coroutine(number: int) -> str:
    """Be decorated."""
    return str(number)


@audit_context(actor="job")
def a_generator(number: int) -> Iterator[int]:
    """Be decorated."""
    yield number


async def a_scope_keeps_what_it_decorates() -> None:
    """A scope works as `with`, `async with` and a decorator, which leaves the signature as it is."""
    with audit_context(actor="a", metadata={"reason": "test"}):
        assert_type(a_function(1, name="x"), str)
        a_function("1")  # type: ignore[arg-type]
    async with audit_context(actor="a", inherit=False):
        assert_type(await a_coroutine(1), str)
    assert_type(a_generator(1), Iterator[int])
    with audit_context("user_1"):  # type: ignore[call-arg]
        pass


async def a_context_crosses_with_its_signature() -> None:
    """A carried function keeps its signature; a restored context is a scope of every form."""
    assert_type(carry_context(a_function)(1, name="x"), str)
    assert_type(await carry_context(a_coroutine)(1), str)
    carry_context(a_function)("1")  # type: ignore[arg-type]
    assert_type(export_context(), dict[str, Any])
    with restored_context(export_context()):
        assert_type(restored_context(None)(a_function)(1, name="x"), str)
    async with restored_context(export_context()):
        assert_type(await restored_context(None)(a_coroutine)(1), str)


def state_of(number: int) -> dict[str, int]:
    """Fetch the state of an id."""
    return {"number": number}


class Store:
    """Hold a method of every kind."""

    @audited("tweet.method", "U", target="self")
    def method(self, number: int, /, *, name: str = "") -> str:
        return name * number

    @audited("tweet.coroutine", "U", capture=state_of)
    async def coroutine(self, number: int) -> str:
        return str(number)

    @classmethod
    @audited("tweet.class_inside", "C", target=("result", "number"))
    def class_inside(cls, number: int) -> Self:
        return cls()

    @audited("tweet.class_outside", "C", metadata={"source": "web", "number": ref("number")})
    @classmethod
    def class_outside(cls, number: int) -> str:
        return str(number)

    @staticmethod
    @audited("tweet.static_inside", "R", fields=("id",), capture="number")
    def static_inside(number: int) -> str:
        return str(number)

    @audited("tweet.static_outside", ActionType.READ, redact={"email"})
    @staticmethod
    def static_outside(number: int) -> str:
        return str(number)


@audited("tweet.update", "U", target="number", on_error="record", on_audit_error="raise")
def audited_function(number: int, *names: str, sep: str = "") -> str:
    """Be decorated."""
    return sep.join(names) * number


@audited("tweet.update", "U", on_error="tweet.update_failed")
async def audited_coroutine(number: int) -> str:
    """Be decorated."""
    return str(number)


@audited("tweet.first", "R")
def audited_generic(items: Sequence[Item]) -> Item:
    """Be decorated."""
    return items[0]


def takes_a_function(function: Callable[[int], Coroutine[Any, Any, str]]) -> None:
    """Be given a decorated function, as a framework is."""


async def an_audited_function_keeps_its_signature(store: Store) -> None:
    """What is decorated is, to a type checker, what it was."""
    assert_type(audited_function(1, "a", "b", sep="-"), str)
    assert_type(await audited_coroutine(1), str)
    assert_type(audited_generic([1.5]), float)
    takes_a_function(audited_coroutine)
    audited_function("1")  # type: ignore[arg-type]
    audited_function(1, separator="-")  # type: ignore[call-arg]
    await audited_coroutine()  # type: ignore[call-arg]
    takes_a_function(audited_function)  # type: ignore[arg-type]

    assert_type(store.method(1, name="x"), str)
    assert_type(await store.coroutine(1), str)
    assert_type(Store.class_inside(1), Store)
    assert_type(store.class_inside(1), Store)
    assert_type(Store.class_outside(1), str)
    assert_type(Store.static_inside(1), str)
    assert_type(Store.static_outside(1), str)
    assert_type(store.static_outside(1), str)
    store.method(number=1)  # type: ignore[call-arg]
    Store.class_inside("1")  # type: ignore[arg-type]
    Store.static_inside("1")  # type: ignore[arg-type]


def a_declaration_is_checked() -> None:
    """What cannot work is refused before it is run, as far as types tell."""
    audited("tweet.update", "X")  # type: ignore[arg-type]
    audited("tweet.update", "u")  # type: ignore[arg-type]
    audited("tweet.update")  # type: ignore[call-arg]
    audited("tweet.update", "U", target=5)  # type: ignore[arg-type]
    audited("tweet.update", "U", target=("a", "b", "c"))  # type: ignore[arg-type]
    audited("tweet.update", "U", on_audit_error="ignore")  # type: ignore[arg-type]
    audited("tweet.update", "U", tarjet="a")  # type: ignore[call-arg]
    record("tweet.update", "X")  # type: ignore[arg-type]


def a_registered_action_is_read_only() -> None:
    """What is registered is told in texts, and cannot be changed."""
    for each in registered_actions():
        assert_type(each, RegisteredAction)
        assert_type(each.action_type, ActionType)
        assert_type(each.name, str)
        assert_type(each.fields, tuple[str, ...] | None)
        each.action = "tweet.other"  # type: ignore[misc]


def a_fact_gives_a_receipt(receipt: Receipt) -> None:
    """A receipt says whether the event was delivered."""
    assert_type(
        record("user.login", "C", actor=("user_1", "Ada"), occurred_at=datetime(2019, 5, 1, tzinfo=UTC)).id, str
    )
    assert_type(
        record("user.login", ActionType.CREATE, occurred_at="2019-05-01T00:00:00Z", outcome="denied").done(), bool
    )
    assert_type(emit(Event.from_dict({})), Receipt)
    assert_type(receipt.result(timeout=1.0), None)


class Printer:
    """Be a user's own destination, which inherits nothing of auditkit's."""

    name = "printer"
    max_batch = 100
    concurrency = 1
    durable = False

    def send(self, events: Sequence[Event]) -> None:
        """Accept all events."""

    def close(self) -> None:
        """Let go of nothing."""


class AsyncPrinter:
    """Be a destination with coroutines."""

    name = "async-printer"
    max_batch = 1
    concurrency = 4
    durable = True

    async def send(self, events: Sequence[Event]) -> None:
        """Accept all events."""

    async def close(self) -> None:
        """Let go of nothing."""


class Nameless:
    """Be no destination."""

    def send(self, events: Sequence[Event]) -> None:
        """Accept all events."""


def a_trail_takes_destinations() -> None:
    """A class is a transport by what it has."""
    transport: Transport = Printer()
    assert_type(configure(transport, directory=None), AuditTrail)
    assert_type(configure([Printer(), AsyncPrinter()], directory="audit", fsync="always"), AuditTrail)
    assert_type(configure(), AuditTrail)
    configure(Nameless())  # type: ignore[arg-type]
    configure(fsync="never")  # type: ignore[arg-type]
    audited("tweet.update", "U", trail=AuditTrail(AsyncPrinter()))


async def receipts_are_one_type() -> None:
    """Whatever recorded it, an event's receipt is annotated as `Receipt`."""
    facts: list[Receipt] = [record("user.login", "C"), await arecord("user.login", "C")]
    events: list[Receipt] = [emit(Event.from_dict({})), await aemit(Event.from_dict({}))]
    assert_type(facts[0], Receipt)
    assert_type(events[0], Receipt)
    assert_type(record("user.login", "C"), Receipt)
