"""Deliver to WorkOS's Audit Trail, the older of its two audit products."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from auditkit.transports.api_key import refuse_pickling
from auditkit.transports.workos_endpoint import BASE_URL, TIMEOUT, Endpoint, check_concurrency
from auditkit.transports.workos_wire import audit_trail_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.event import Event
    from auditkit.transports.probing import Probed


class WorkOSTransport:
    """Deliver each event to ``POST /events``, with its id as the idempotency key.

    A new WorkOS account has Audit Logs instead: `WorkOSAuditLogsTransport`.

    Args:
        api_key: The key, or None to take it from ``WORKOS_API_KEY``. It is in no repr, log, error or pickle.
        base_url: Where the API lives; https, or http on this machine only.
        timeout: Seconds for one whole request, at least one in effect.
        concurrency: How many requests may be under way at once, each over a connection of its own.
        name: What the destination is called; its progress is remembered by it.

    Raises:
        ConfigurationError: There is no key, or one of these cannot work.

    Thread-safety: `send` may be called from any number of threads.
    Source: design section "Facts of the wire"; requests recorded from WorkOS's own clients.
    """

    max_batch = 1
    durable = True

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str = BASE_URL,
        timeout: float = TIMEOUT,
        concurrency: int = 4,
        name: str = "workos",
    ) -> None:
        self.name = name
        self.concurrency = check_concurrency(concurrency)
        self._endpoint = Endpoint("/events", api_key, base_url=base_url, timeout=timeout)

    def encode(self, event: Event) -> bytes:
        """Return the body that delivers an event; what WorkOS could not take of it is fitted."""
        return audit_trail_body(event)

    def send(self, events: Sequence[Event]) -> None:
        """Return when WorkOS has accepted all events.

        Raises:
            TemporaryFailure: Call again with the same events; also where no answer came.
            Paused: The key, the address or this account's permissions are wrong.
            Rejected: WorkOS will never take an event.
        """
        for event in events:
            self.send_encoded(event.id, self.encode(event))

    def send_encoded(self, event_id: str, body: bytes) -> None:
        """Send a body that `encode` made, now or long ago, byte for byte; raises as `send` does."""
        self._endpoint.post(event_id, body)

    def probe(self) -> Probed:
        """Ask whether WorkOS is there, without a key and without an event: what ``auditkit doctor`` does.

        Raises:
            TemporaryFailure: No answer came; says why.
        """
        return self._endpoint.probe()

    def close(self) -> None:
        """Close every connection; called once, after the last `send`."""
        self._endpoint.close()

    def __repr__(self) -> str:
        return f"<WorkOSTransport {self.name!r} to {self._endpoint.url}>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied."""
        refuse_pickling(self)
