"""A declaration that serves several functions, and one whose names come from enums."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import ActionType, audited
from tests.unit.capture.builders import Tweet, only

if TYPE_CHECKING:
    from auditkit.transports import MemoryTransport


def update(tweet: Tweet) -> None:
    """Be decorated."""


class Names(StrEnum):
    UPDATE = "tweet.update"


class PlainNames(Enum):
    UPDATE = "tweet.update"


class Kinds(str, Enum):  # noqa: UP042  (its str is not its value)
    UPDATE = "U"


@pytest.mark.parametrize("action", [Names.UPDATE, PlainNames.UPDATE], ids=["text", "plain"])
@pytest.mark.parametrize("action_type", [ActionType.UPDATE, Kinds.UPDATE], ids=["ours", "theirs"])
def test_enums_are_recorded_as_their_values(memory: MemoryTransport, action: Any, action_type: Any) -> None:
    """Actions and types kept in enums are the plain texts that an event takes."""
    audited(action, action_type, on_error=action)(update)(Tweet())

    assert ("tweet.update", ActionType.UPDATE, "tweet") == (
        only(memory).action,
        only(memory).action_type,
        only(memory).target_type,
    )


def test_one_decorator_may_decorate_many(memory: MemoryTransport) -> None:
    """A decorator keeps nothing of one function for the next, iterables that are used up included."""
    audit = audited("tweet.update", "U", capture="state", fields=("body",), redact=("body",), target="state.id")

    @audit
    def first(state: dict[str, str]) -> None:
        state["body"] = "new"

    @audit
    def second(body: str, state: dict[str, str]) -> None:
        state["body"] = body

    first({"id": "1", "body": "old"})
    second("new", {"id": "2", "body": "old"})

    assert ["1", "2"] == [event.target_id for event in memory.events]
    assert [{"body_was": "[redacted]", "body": "[redacted]"}] * 2 == [event.metadata for event in memory.events]


def test_an_iterator_of_names_serves_every_function(memory: MemoryTransport) -> None:
    """Names given as an iterator are read once, for all functions that the decorator decorates."""
    audit = audited("tweet.update", "U", capture="state", exclude=iter(["likes"]))

    def change(state: dict[str, int]) -> None:
        state["likes"] += 1
        state["views"] += 1

    audit(change)({"likes": 0, "views": 0})
    audit(change)({"likes": 0, "views": 0})

    assert [{"views_was": 0, "views": 1}] * 2 == [event.metadata for event in memory.events]
