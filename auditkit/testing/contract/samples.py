"""Events to send, from the plain one to whatever an event may be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from auditkit.event import Event

CANARY = "canary-5d1e7c"  # stands in each sample's data, and must not stand in an error's text
_LONGEST_ID = 255


def sample(**changes: Any) -> Event:
    """Return a plain event with an id of its own."""
    fields: dict[str, Any] = {
        "group": "acme",
        "action": "tweet.update",
        "action_type": "U",
        "actor_name": f"{CANARY}@example.com",
        "actor_id": CANARY,
        "target_name": CANARY,
        "target_id": "tweet_5",
        "location": "203.0.113.7",
        "metadata": {"body_was": CANARY, "body": "b"},
    }
    return Event(**(fields | changes))


def samples(count: int) -> list[Event]:
    """Return so many plain events."""
    return [sample() for _ in range(count)]


def shapes() -> list[tuple[str, Event]]:
    """Return events that differ in what an event may be, each with what is odd about it."""
    return [
        ("a plain event", sample()),
        *((f"an event of type {kind}", sample(action_type=kind)) for kind in "CRUD"),
        ("an event without metadata", sample(metadata={})),
        ("an event with None in its metadata", sample(metadata={"n": None, "m": {"a": 1, "b": None}})),
        ("an event with numbers and truths", sample(metadata={"i": 2**63 - 1, "f": -1.5e-300, "t": True})),
        ("an event with time in its metadata", sample(metadata={"at": datetime(2019, 5, 1, tzinfo=UTC)})),
        ("an event beyond ASCII", sample(actor_name="Zoë 王 😀", metadata={"ü": "\n\r\t\x00\x1b[0m\u202e"})),
        ("an event without names", sample(actor_name="", target_id="", target_name="")),
        ("an event with much metadata", sample(metadata={f"k{number}": "x" * 999 for number in range(99)})),
        ("an event with an action of three words", sample(action="billing.invoice.pay")),
        ("an event whose id is no file's name", sample(id=_own_id("../../a:b*?\"<>|%00 '".replace(" ", "/")))),
        ("an event with the longest id", sample(id=_own_id("~" * _LONGEST_ID))),
        ("an event of long ago", sample(occurred_at="1970-01-01T00:00:00Z")),
    ]


def _own_id(text: str) -> str:
    """Return an id that begins as asked, and that no other event has."""
    return text[: _LONGEST_ID - 36] + sample().id
