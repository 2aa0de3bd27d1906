"""Keep events in a list, for tests and for looking around."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, ClassVar

from auditkit.forking import renew_in_child

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.event import Event


class MemoryTransport:
    """Keep every event, newest last.

    It is the one inline transport: the trail calls `send` on the recording thread, before the audited call
    returns, so that a test may look at ``events`` without waiting.

    Attributes:
        events: The events accepted so far, as a new list at each reading.

    Args:
        name: What the destination is called.

    Thread-safety: all methods may be called from any thread.
    """

    inline: ClassVar[bool] = True
    max_batch = 1000
    concurrency = 1
    durable = False

    def __init__(self, *, name: str = "memory") -> None:
        self.name = name
        self._lock = threading.RLock()  # a signal handler that audits may come in here, on this very thread
        renew_in_child(self._renew)
        self._events: list[Event] = []

    def _renew(self) -> None:
        self._lock = threading.RLock()

    @property
    def events(self) -> list[Event]:
        """Return the events accepted so far, newest last."""
        with self._lock:
            return list(self._events)

    def send(self, events: Sequence[Event]) -> None:
        """Accept all events."""
        with self._lock:
            self._events.extend(events)

    def clear(self) -> None:
        """Forget all events."""
        with self._lock:
            self._events.clear()

    def close(self) -> None:
        """Do nothing: what was accepted can still be looked at."""

    def __repr__(self) -> str:
        return f"<MemoryTransport {self.name!r}: {len(self.events)} events>"
