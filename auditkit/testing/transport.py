"""A destination that answers as a test says: accepts, fails, refuses, or waits to be let go."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditkit.event import Event

Answer = BaseException | type[BaseException] | Callable[[Sequence["Event"]], None] | None


class ScriptedTransport:
    """Answer each `send` by the next line of a script, and keep what came.

    Usage::

        transport = ScriptedTransport(TemporaryFailure("busy"), Rejected("no such schema"))
        trail = AuditTrail(transport, directory=None)
        ...
        transport.wait_for_events(1)
        assert len(transport.calls) == 3

    Args:
        answers: One for each call, in their order: None accepts, an exception is raised, and a callable is
            called with the events: it accepts by returning and fails by raising. Calls after the last one
            are answered by ``otherwise``.
        otherwise: The answer to all further calls; None accepts.
        name: What the destination is called.
        max_batch: How many events one `send` may take.
        concurrency: How many calls may be under way at once.
        durable: Whether the journal remembers it.

    Thread-safety: all methods may be called from any thread, also while events come in.
    """

    def __init__(
        self,
        *answers: Answer,
        otherwise: Answer = None,
        name: str = "scripted",
        max_batch: int = 1,
        concurrency: int = 1,
        durable: bool = True,
    ) -> None:
        self.name = name
        self.max_batch = max_batch
        self.concurrency = concurrency
        self.durable = durable
        self._answers = deque(answers)
        self._otherwise = otherwise
        self._changed = threading.Condition()
        self._calls: list[tuple[Event, ...]] = []
        self._events: list[Event] = []
        self._held = 0
        self._under_way = 0
        self._closed = 0

    @property
    def calls(self) -> list[tuple[Event, ...]]:
        """Return the events of every `send`, answered or not, oldest first."""
        with self._changed:
            return list(self._calls)

    @property
    def events(self) -> list[Event]:
        """Return the accepted events, oldest first."""
        with self._changed:
            return list(self._events)

    @property
    def closed(self) -> int:
        """Return how often it was closed."""
        return self._closed

    def answer(self, *answers: Answer) -> None:
        """Add to the end of the script."""
        with self._changed:
            self._answers.extend(answers)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Let calls come in and wait, and answer them when the block ends."""
        with self._changed:
            self._held += 1
        try:
            yield
        finally:
            with self._changed:
                self._held -= 1
                self._changed.notify_all()

    def wait_for_events(self, count: int, timeout: float = 10.0) -> list[Event]:
        """Return the accepted events as soon as there are ``count`` of them.

        Raises:
            TimeoutError: There were fewer after ``timeout`` seconds.
        """
        self._wait(lambda: len(self._events), count, timeout, "events were accepted")
        return self.events

    def wait_for_calls(self, count: int, timeout: float = 10.0) -> list[tuple[Event, ...]]:
        """Return the events of every call as soon as ``count`` of them have come in, answered or not.

        Raises:
            TimeoutError: There were fewer after ``timeout`` seconds.
        """
        self._wait(lambda: len(self._calls), count, timeout, "calls came in")
        return self.calls

    def send(self, events: Sequence[Event]) -> None:
        """Keep the events, and do what the script says."""
        with self._changed:
            if self._closed:
                raise RuntimeError(f"{self.name} was closed before this send")
            self._calls.append(tuple(events))
            answer = self._answers.popleft() if self._answers else self._otherwise
            self._under_way += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._held)
        try:
            _give(answer, events)
        finally:
            with self._changed:
                self._under_way -= 1
        with self._changed:
            self._events.extend(events)
            self._changed.notify_all()

    def close(self) -> None:
        """Count that it was closed.

        Raises:
            RuntimeError: A `send` is under way.
        """
        with self._changed:
            self._closed += 1
            self._changed.notify_all()
            if self._under_way:
                raise RuntimeError(f"{self.name} was closed during a send")

    def __repr__(self) -> str:
        return f"<ScriptedTransport {self.name!r}: {len(self.calls)} calls, {len(self.events)} events accepted>"

    def _wait(self, number: Callable[[], int], count: int, timeout: float, what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: number() >= count, timeout):
                raise TimeoutError(f"{number()} of {count} {what} within {timeout} s")


def _give(answer: Answer, events: Sequence[Event]) -> None:
    if answer is None:
        return
    if isinstance(answer, BaseException):
        raise answer
    if isinstance(answer, type):
        raise answer()
    answer(events)
