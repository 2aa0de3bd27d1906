"""What type checkers must see of auditkit's public names: checked by mypy and pyright, never run.

A line with `type: ignore` must be refused: mypy complains of an ignore that nothing needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, assert_type

from auditkit.context import audit_context
from auditkit.event import Event


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
