"""What tests of capture audit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditkit import stats

if TYPE_CHECKING:
    from auditkit.event import Event
    from auditkit.transports import MemoryTransport


@dataclass
class Author:
    id: str = "user_1"
    name: str = "Ada"


@dataclass
class Tweet:
    id: str = "tweet_5"
    body: str = "old"
    likes: int = 0
    author: Author = field(default_factory=Author)


class Refused(Exception):  # noqa: N818  (it reads as what happened)
    """Be what an audited function raises."""


def only(memory: MemoryTransport) -> Event:
    """Return the one event that was recorded."""
    (event,) = memory.events
    return event


def troubles() -> dict[str, int]:
    """Return what the process-wide trail counted, but for the defaults that most tests leave standing."""
    return {code: number for code, number in stats().troubles.items() if code != "default"}
