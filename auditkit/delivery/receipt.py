"""A receipt: proof that an event is recorded, and a way to wait until it is delivered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from auditkit.errors import ReceiptUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from auditkit.clock import Clock
    from auditkit.delivery.lane import Lane
    from auditkit.protocols import Position

_POLL = 0.1  # seconds: another process may move the cursor, and tells nobody
_GONE = "nobody in this process delivers the event any more (it was shut down, or forked); it is in the journal"


class Receipt:
    """Tell what became of one event. An ignored receipt costs nothing; safe to use from any thread.

    Attributes:
        id: The event's id.
    """

    __slots__ = ("_alive", "_clock", "_lanes", "_position", "id")

    def __init__(
        self, event_id: str, position: Position, lanes: Sequence[Lane], *, clock: Clock, alive: Callable[[], bool]
    ) -> None:
        """Keep where the event lies and who delivers it."""
        self.id = event_id
        self._position = position
        self._lanes = lanes
        self._clock = clock
        self._alive = alive

    def __repr__(self) -> str:
        """Show the event's id."""
        return f"<Receipt of event {self.id}>"

    def done(self) -> bool:
        """Return whether every transport has accepted the event; without a transport, that it is recorded.

        Raises:
            DeliveryRejected: A destination refused it for good.
            ReceiptUnavailable: Nobody here can know.
        """
        fates = [lane.fate(self._position) for lane in self._lanes]
        if all(fates):
            return True
        if None in fates or not self._alive():
            raise ReceiptUnavailable(_GONE)
        return False

    def result(self, timeout: float | None = None) -> None:
        """Return when every transport has accepted the event.

        Args:
            timeout: The longest wait in seconds; None waits for ever.

        Raises:
            TimeoutError: It took longer; the event stays recorded, and delivery goes on.
            DeliveryRejected: A destination refused it for good.
            ReceiptUnavailable: Nobody here can know.
        """
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        while not self.done():
            rest = _POLL if deadline is None else min(_POLL, deadline - self._clock.monotonic())
            if rest <= 0:
                message = f"event {self.id} was not delivered within {timeout} s; it is recorded, and delivery goes on"
                raise TimeoutError(message)
            self._late().wait(rest)

    def _late(self) -> Lane:
        return next((lane for lane in self._lanes if not lane.fate(self._position)), self._lanes[0])

    def __await__(self) -> Generator[object, None, None]:
        """Wait as `result` does, without holding the event loop."""
        return self._poll().__await__()

    async def _poll(self) -> None:
        rest = 0.001
        while not self.done():
            await asyncio.sleep(rest)
            rest = min(rest * 2, _POLL)
