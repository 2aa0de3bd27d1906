"""The transport under examination, called as a lane calls it."""

from __future__ import annotations

import inspect
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditkit.delivery.sender import Sender
from auditkit.event import describe
from auditkit.testing.contract.broken import BrokenPromise

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from auditkit.event import Event
    from auditkit.protocols import Record, Transport

_SENDS = frozenset({"send", "send_encoded", "send_records"})


class Served:
    """A transport in use.

    Attributes:
        transport: The transport.
    """

    def __init__(self, transport: Transport, received: Callable[[], int]) -> None:
        """Begin to use it."""
        self.transport = transport
        self._received = received
        self._sender = Sender(_Observed(transport))

    def send(self, events: Sequence[Event]) -> None:
        """Send; raise what the transport raises."""
        self._sender.send(events)

    def takes(self, events: Sequence[Event], what: str, *, again: bool = False) -> None:
        """Return if the destination has all events as soon as `send` returned.

        Args:
            events: What is sent.
            what: How they are spoken of.
            again: Whether the destination may know them already.
        """
        least = 0 if again else len(events)
        self._arrive(lambda: self._sender.send(events), f"send() of {what}", least, len(events))

    def takes_records(self, records: Sequence[Record], what: str) -> None:
        """Return as `takes` does."""
        self._arrive(lambda: self._sender.send_records(records), f"send_records() of {what}", len(records))

    def takes_encoded(self, event_id: str, body: bytes, *, again: bool = False) -> None:
        """Return as `takes` does."""
        what = "send_encoded() of the same bytes again" if again else "send_encoded()"
        self._arrive(lambda: self._sender.send_encoded(event_id, body), what, 0 if again else 1, 1)

    def close(self) -> None:
        """Close it."""
        _must("close()", self._sender.close)

    def _arrive(self, act: Callable[[], object], what: str, least: int, most: int | None = None) -> None:
        before = self._received()
        _must(what, act)
        arrived = self._received() - before
        if not least <= arrived <= (least if most is None else most):
            raise BrokenPromise(f"{what} returned, and the destination has {arrived} of {most or least} events more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a test gave.

    Attributes:
        make: Makes the transport.
        received: Returns how many events the destination has.
        failing: Keeps the destination from taking anything; None where that cannot be had.
    """

    make: Callable[[], Transport]
    received: Callable[[], int]
    failing: Callable[[], AbstractContextManager[object]] | None

    @contextmanager
    def made(self) -> Iterator[Transport]:
        """Give the transport to look at, and let go of it, whatever it is."""
        transport = self.make()
        try:
            yield transport
        finally:
            with suppress(Exception):  # how it closes is looked at elsewhere
                Sender(transport).close()

    def has(self, *names: str) -> bool:
        """Return whether the transport has all methods of these names."""
        with self.made() as transport:
            return all(callable(getattr(transport, name, None)) for name in names)

    @contextmanager
    def served(self) -> Iterator[Served]:
        """Give the transport to use, and close it."""
        served = Served(self.make(), self.received)
        try:
            yield served
        except BaseException:
            with suppress(BrokenPromise):  # told first: what went wrong first
                served.close()
            raise
        served.close()


class _Observed:
    """Pass everything on, and look at what a send returns: delivery does not."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._transport, name)
        return _watched(name, found) if name in _SENDS and callable(found) else found


def _watched(name: str, send: Callable[..., Any]) -> Callable[..., Awaitable[None] | None]:
    async def awaited(outcome: Awaitable[object]) -> None:
        _nothing(name, await outcome)

    def call(*arguments: Any) -> Awaitable[None] | None:
        outcome = send(*arguments)
        if inspect.isawaitable(outcome):
            return awaited(outcome)
        _nothing(name, outcome)
        return None

    return call


def _nothing(name: str, outcome: object) -> None:
    if outcome is not None:
        raise BrokenPromise(
            f"{name}() returned {describe(outcome)}, which nobody looks at: "
            "return nothing when all events are accepted, and raise otherwise"
        )


def _must(what: str, act: Callable[[], object]) -> None:
    try:
        act()
    except BrokenPromise:
        raise
    except Exception as error:
        raise BrokenPromise(f"{what} raised {type(error).__name__}: {error}") from error
