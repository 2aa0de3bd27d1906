"""Deliver to WorkOS's Audit Logs, the current one of its two audit products."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NoReturn

from auditkit.errors import ConfigurationError, Rejected
from auditkit.transports.api_key import refuse_pickling
from auditkit.transports.workos_endpoint import BASE_URL, TIMEOUT, Endpoint, check_concurrency
from auditkit.transports.workos_wire import audit_logs_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.event import Event
    from auditkit.transports.probing import Probed

    Organizations = Mapping[str, str] | Callable[[str], str | None]


class WorkOSAuditLogsTransport:
    """Deliver each event to ``POST /audit_logs/events``, with its id as the idempotency key.

    Args:
        api_key: The key, or None to take it from ``WORKOS_API_KEY``. It is in no repr, log, error or pickle.
        organization: What gives WorkOS's ``org_...`` id for an event's group: a mapping, or a callable, from
            any thread; None where the groups are those ids.
        versions: The schema's version to state for an action; none is stated for other actions.
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

    def __init__(  # noqa: PLR0913  (all keywords, all optional)
        self,
        api_key: str | None = None,
        *,
        organization: Organizations | None = None,
        versions: Mapping[str, int] | None = None,
        base_url: str = BASE_URL,
        timeout: float = TIMEOUT,
        concurrency: int = 4,
        name: str = "workos_audit_logs",
    ) -> None:
        self.name = name
        self.concurrency = check_concurrency(concurrency)
        self._organization = _resolver(organization)
        self._versions = _check_versions(versions or {})
        self._endpoint = Endpoint("/audit_logs/events", api_key, base_url=base_url, timeout=timeout)

    def encode(self, event: Event) -> bytes:
        """Return the body that delivers an event; what WorkOS could not take of it is fitted.

        Raises:
            Rejected: ``organization`` knows none for the event's group.
        """
        try:
            organization = self._organization(event.group)
        except LookupError:
            organization = None
        if not isinstance(organization, str) or not organization:
            raise Rejected("organization= gives no WorkOS organization for this event's group: add it there")
        return audit_logs_body(event, organization, self._versions.get(event.action))

    def send(self, events: Sequence[Event]) -> None:
        """Return when WorkOS has accepted all events.

        Raises:
            TemporaryFailure: Call again with the same events; also where no answer came.
            Paused: The key, the address or this account's permissions are wrong.
            Rejected: WorkOS will never take an event, or no organization is known for it.
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
        return f"<WorkOSAuditLogsTransport {self.name!r} to {self._endpoint.url}>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied."""
        refuse_pickling(self)


def _resolver(organization: Organizations | None) -> Callable[[str], str | None]:
    if organization is None:
        return str
    if isinstance(organization, Mapping):
        return organization.get
    if callable(organization):
        return organization
    raise ConfigurationError(
        f"organization must be a mapping or a callable from group, got a value of type {type(organization).__name__}"
    )


def _check_versions(versions: Mapping[str, int]) -> Mapping[str, int]:
    for action, version in versions.items():
        if type(version) is not int or version < 1:
            raise ConfigurationError(f"versions[{action!r}] must be an int above 0, got {version!r}")
    return dict(versions)
