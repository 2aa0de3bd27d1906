"""A receipt: proof that an event is recorded, and a way to wait until it is delivered."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from auditkit.errors import DeliveryRejected, ReceiptUnavailable

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from auditkit.clock import Clock
    from auditkit.protocols import Feed, Position

_POLL = 0.1  # seconds: another process may move the cursor, and tells nobody
_FIRST_POLL = 0.001  # seconds


class Destination(Protocol):
    """What a receipt asks of a lane."""

    def fate(self, position: Position) -> bool | None:
        """Return whether the destination has an event; None when nobody here can know.

        Raises:
            DeliveryRejected: It refused it for good.
        """
        ...

    def refusal(self, event_id: str) -> str | None:
        """Return why an event is a dead letter, whoever worked the lane then; None where it is none."""
        ...

    def wait(self, position: Position, timeout: float) -> None:
        """Wait until the event's fate may have changed, at most ``timeout`` seconds."""
        ...

    @property
    def name(self) -> str:
        """Return what people call it."""
        ...


class Followed:
    """A destination that other processes work: its cursor on disk and its dead letters are all there is to ask.

    Attributes:
        name: What people call it.
    """

    def __init__(self, name: str, feed: Feed) -> None:
        """Keep whose cursor it is."""
        self.name = name
        self._feed = feed

    def refusal(self, event_id: str) -> str | None:
        """Return why an event is a dead letter; None where it is none."""
        return self._feed.refusal(event_id)

    def fate(self, position: Position) -> bool | None:
        """Return whether the destination has an event; None when nobody here can know."""
        return self._feed.passed(position)

    def wait(self, position: Position, timeout: float) -> None:
        """Wait: nobody tells when another process moves its cursor."""
        del position
        threading.Event().wait(timeout)


class Nobody:
    """A destination that nobody here can tell of: the trail was shut down before the event."""

    name = "nobody"

    def refusal(self, event_id: str) -> str | None:
        """Return None."""
        del event_id
        return None

    def fate(self, position: Position) -> bool | None:
        """Return None."""
        del position
        return None

    def wait(self, position: Position, timeout: float) -> None:
        """Return at once."""


class Watch:
    """Whom receipts ask: one for all the events of a journal.

    Attributes:
        clock: Time.
        destinations: Those that an event must reach.
        gone: Why nobody here can know any more; empty while somebody can.
        moved: The events that went on to another journal, by their places here, and that journal's watch.
    """

    __slots__ = ("clock", "destinations", "gone", "moved")

    def __init__(self, destinations: Sequence[Destination], clock: Clock, *, gone: str = "") -> None:
        """Begin with all events in one journal."""
        self.destinations = destinations
        self.clock = clock
        self.gone = gone
        self.moved: tuple[Mapping[Position, Position], Watch] | None = None


class Receipt:
    """Tell what became of one event. An ignored receipt costs nothing; safe to use from any thread.

    Attributes:
        id: The event's id.
    """

    __slots__ = ("_at", "id")

    def __init__(self, event_id: str, position: Position, watch: Watch) -> None:
        """Keep where the event lies and who delivers it."""
        self.id = event_id
        self._at = (position, watch)  # one attribute: threads see a matching pair

    def __repr__(self) -> str:
        """Show the event's id."""
        return f"<Receipt of event {self.id}>"

    def done(self) -> bool:
        """Return whether every transport has accepted the event; without a transport, that it is recorded.

        Raises:
            DeliveryRejected: A destination refused it for good.
            ReceiptUnavailable: Nobody here can know.
        """
        position, watch = self._follow()
        if not position[0]:
            raise ReceiptUnavailable("the event was not recorded, or inside the recording of another one")
        fates = [each.fate(position) for each in watch.destinations]
        if all(fates):
            self._check(watch.destinations)
            return True
        if None in fates or watch.gone:
            raise ReceiptUnavailable(watch.gone or "nobody here can tell what became of the event")
        return False

    def _check(self, destinations: Sequence[Destination]) -> None:
        """Raise where it is a dead letter: it counts as passed then, whoever wrote it."""
        for each in destinations:
            if (reason := each.refusal(self.id)) is not None:
                raise DeliveryRejected(each.name, reason)

    def _follow(self) -> tuple[Position, Watch]:
        """Go on to where the event went, if it did."""
        position, watch = self._at
        if watch.moved is not None:
            places, further = watch.moved
            if position in places:
                self._at = position, watch = places[position], further
        return position, watch

    def result(self, timeout: float | None = None) -> None:
        """Return when every transport has accepted the event.

        Args:
            timeout: The longest wait in seconds; None waits for ever.

        Raises:
            TimeoutError: It took longer; the event stays recorded, and delivery goes on.
            DeliveryRejected: A destination refused it for good.
            ReceiptUnavailable: Nobody here can know.
        """
        monotonic = self._at[1].clock.monotonic
        deadline = None if timeout is None else monotonic() + timeout
        while not self.done():
            rest = _POLL if deadline is None else min(_POLL, deadline - monotonic())
            if rest <= 0:
                message = f"event {self.id} was not delivered within {timeout} s; it is recorded, and delivery goes on"
                raise TimeoutError(message)
            self._wait(rest)

    def _wait(self, rest: float) -> None:
        position, watch = self._at
        for each in watch.destinations:
            if not each.fate(position):
                each.wait(position, rest)
                return

    def __await__(self) -> Generator[object, None, None]:
        """Wait as `result` does, without holding the event loop."""
        return self._poll().__await__()

    async def _poll(self) -> None:
        import asyncio  # noqa: PLC0415  (who awaits has it: `import auditkit` stays light)

        rest = _FIRST_POLL
        while not self.done():
            await asyncio.sleep(rest)
            rest = min(rest * 2, _POLL)
