"""An event as a person reads it."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.event import Event
from auditkit.rendering import coloured, line_of, lines_of, printable


def an_event(**changes: Any) -> Event:
    """Return an event with some of its fields changed."""
    fields: dict[str, Any] = {
        "group": "acme",
        "action": "invoice.update",
        "action_type": "U",
        "actor_name": "ada@example.com",
        "actor_id": "user_1",
        "target_name": "inv_1",
        "target_id": "inv_1",
        "location": "203.0.113.7",
        "occurred_at": "2026-11-23T07:35:01Z",
    }
    return Event(**{**fields, **changes})


def test_first_line_says_who_did_what_to_what_from_where() -> None:
    """Time, actor, action, target and location stand in one line."""
    expected = "2026-11-23 07:35:01Z  ada@example.com       invoice.update    inv_1  203.0.113.7"

    assert expected == lines_of(an_event())


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"amount_was": 1, "amount": 2}, "amount: 1 -> 2"),
        ({"amount_was": None, "amount": 2}, "amount: (none) -> 2"),
        ({"amount_was": 1}, "amount: was 1"),
        ({"amount": 1}, "amount: 1"),
        ({"plan": {"id": "p", "seats": 3}}, "plan: {id: p, seats: 3}"),
        ({"text": "x" * 100}, f"text: {'x' * 60}…"),
    ],
)
def test_changes_stand_below(metadata: dict[str, Any], told: str) -> None:
    """What changed is told as it was and as it is."""
    assert told == lines_of(an_event(metadata=metadata)).splitlines()[1].strip()


@pytest.mark.parametrize("outcome", ["failure", "denied"])
def test_outcome_stands_out(outcome: str) -> None:
    """What did not succeed is told in the first line."""
    assert lines_of(an_event(metadata={"outcome": outcome})).endswith(outcome.upper())


def test_colours_only_surround() -> None:
    """Without its colours a coloured event is the plain one."""
    event = an_event(metadata={"amount_was": 1, "amount": 2, "outcome": "failure"})
    painted = lines_of(event, coloured)
    for code in ("\x1b[2m", "\x1b[33m", "\x1b[1;31m", "\x1b[0m"):
        painted = painted.replace(code, "")

    assert lines_of(event) == painted


@given(st.text())
def test_nothing_steers_the_terminal(text: str) -> None:
    """No control, no change of direction and no line break of an event's text is printed as it is."""
    event = an_event(
        actor_name=text, target_name=text, location=text or "x", metadata={"k" + text: text, "outcome": text}
    )
    shown = lines_of(event).replace("\n", "") + line_of(event) + printable(text)

    steering = {each for each in shown if unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"}}
    assert set() == steering | ({"\u202e", "\u2066", "\u200f"} & set(shown))
