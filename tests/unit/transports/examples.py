"""Events that several tests of transports use."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from auditkit.event import Event

NOON = datetime(2019, 5, 1, 12, 0, 0, tzinfo=UTC)


def an_event(**changes: Any) -> Event:
    fields: dict[str, Any] = {
        "group": "user_1",
        "action": "tweet.update",
        "action_type": "U",
        "actor_name": "user@email.com",
        "actor_id": "user_1",
        "target_name": "T",
        "target_id": "tweet_5",
        "location": "1.1.1.1",
        "occurred_at": NOON,
        "metadata": {"body_was": "a", "body": "b"},
    }
    return Event(**(fields | changes))
