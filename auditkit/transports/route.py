"""Send only some events to a destination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditkit.errors import ConfigurationError, Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from auditkit.event import Event
    from auditkit.protocols import Transport


class Route:
    """Forward the events for which ``when`` is true; the others count as accepted.

    Args:
        transport: Where they go.
        when: Called with each event, from any thread, again for each retry: it must answer the same for the
            same event. Where it raises, the event is rejected: neither lost nor sent where it may not belong.
        name: What the destination is called; the transport's own name by default.

    Raises:
        ConfigurationError: ``when`` is not callable.

    Thread-safety: as safe as the transport and the predicate.
    """

    def __init__(self, transport: Transport, when: Callable[[Event], bool], *, name: str | None = None) -> None:
        if not callable(when):
            raise ConfigurationError(f"when must be callable with an event, got a value of type {type(when).__name__}")
        self.name = transport.name if name is None else name
        self.max_batch = transport.max_batch
        self.concurrency = transport.concurrency
        self.durable = transport.durable
        self.inline = getattr(transport, "inline", False)
        if hasattr(transport, "probe"):
            self.probe = transport.probe
        self._transport = transport
        self._when = when
        encode, send_encoded = (getattr(transport, name, None) for name in ("encode", "send_encoded"))
        if callable(encode) and callable(send_encoded):  # what a transport lacks, its route must lack too
            self.encode = self._encoding(encode)
            self.send_encoded = self._sending(send_encoded)

    def send(self, events: Sequence[Event]) -> Awaitable[None] | None:
        """Send what matches, as the transport does; with nothing to send it is not called.

        Raises:
            Rejected: The predicate raised.
        """
        chosen = [event for event in events if self._matches(event)]
        return self._transport.send(chosen) if chosen else None

    def _encoding(self, encode: Callable[[Event], bytes]) -> Callable[[Event], bytes]:
        """Return what encodes the events that match; the others become nothing."""
        return lambda event: encode(event) if self._matches(event) else b""

    @staticmethod
    def _sending(send_encoded: Callable[[str, bytes], Any]) -> Callable[[str, bytes], Any]:
        """Return what sends what there is to send."""
        return lambda event_id, body: send_encoded(event_id, body) if body else None

    def close(self) -> Awaitable[None] | None:
        """Close the transport."""
        return self._transport.close()

    def __repr__(self) -> str:
        return f"<Route {self.name!r} to {self._transport!r}>"

    def _matches(self, event: Event) -> bool:
        try:
            return bool(self._when(event))
        except Exception as error:  # noqa: BLE001  (the boundary to the user's code)
            kind = type(error).__name__  # never its text: that may hold the event's data
        raise Rejected(f"the predicate of the route {self.name!r} raised {kind}")
