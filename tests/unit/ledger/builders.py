"""Events and ledgers for the ledger's tests."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from auditkit.clock import SystemClock
from auditkit.event import Event
from auditkit.ledger import LedgerWriter, ledger_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))


def event_of(number: int = 1, **fields: Any) -> Event:
    """Return the event of a number, a minute after that of the number before."""
    plain: dict[str, Any] = {
        "group": "org_1",
        "action": "tweet.update",
        "action_type": "U",
        "actor_name": "user@email.com",
        "actor_id": "user_1",
        "target_name": f"Tweet {number}",
        "target_id": f"tweet_{number}",
        "location": "1.1.1.1",
        "occurred_at": NOON + timedelta(minutes=number),
        "metadata": {"body_was": "What time is the event", "body": "What time is the event?"},
        "id": f"event-{number}",
    }
    return Event(**{**plain, **fields})


def write(directory: Path, numbers: range, *, key: bytes | None = None) -> None:
    """Write the events of these numbers."""
    LedgerWriter(directory, key=key).send([event_of(number) for number in numbers])


def edit(directory: Path, *statements: str) -> None:
    """Change a ledger behind auditkit's back."""
    with closing(sqlite3.connect(ledger_path(directory))) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def ask(directory: Path, question: str) -> Any:
    """Return the first value of an answer of the ledger's file."""
    with closing(sqlite3.connect(ledger_path(directory))) as connection:
        return connection.execute(question).fetchone()[0]


class EventfulClock(SystemClock):
    """Do something whenever the time that passes is read, which the writer does after each sixteen rows."""

    def __init__(self, happen: Callable[[], float]) -> None:
        self.monotonic = happen


class ImpatientClock(SystemClock):
    """Give no time to wait."""

    @staticmethod
    def random() -> float:
        """Return the shortest pause there is."""
        return 0.0
