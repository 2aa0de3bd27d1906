"""WorkOS's API without input and output: what to ask, and what an answer means to who asked. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from auditkit.errors import (
    WorkOSAuthenticationError,
    WorkOSAuthorizationError,
    WorkOSBadRequest,
    WorkOSError,
    WorkOSNotFound,
    WorkOSRateLimited,
    WorkOSServerError,
    WorkOSUnprocessable,
)
from auditkit.event import check_id
from auditkit.transports.workos_answer import texts_of
from auditkit.transports.workos_listing import EventPage, read_page
from auditkit.transports.workos_wire import audit_trail_body

if TYPE_CHECKING:
    from auditkit.event import Event
    from auditkit.transports.workos_answer import Answer
    from auditkit.transports.workos_listing import Query

_KINDS: dict[int, type[WorkOSError]] = {
    HTTPStatus.BAD_REQUEST: WorkOSBadRequest,
    HTTPStatus.UNAUTHORIZED: WorkOSAuthenticationError,
    HTTPStatus.FORBIDDEN: WorkOSAuthorizationError,
    HTTPStatus.NOT_FOUND: WorkOSNotFound,
    HTTPStatus.UNPROCESSABLE_ENTITY: WorkOSUnprocessable,
    HTTPStatus.TOO_MANY_REQUESTS: WorkOSRateLimited,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, but for the address and the key."""

    method: str
    path: str
    query: Query = field(default_factory=list, repr=False)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    def data(self) -> list[str]:
        """Return the texts that no error may repeat."""
        return [text for _, text in self.query] + list(texts_of(self.body))


def create_call(event: Event, idempotency_key: str | None) -> Call:
    """Return the request that creates an event.

    Raises:
        InvalidEventError: The idempotency key is not 1 to 255 visible ASCII characters.
    """
    key = event.id if idempotency_key is None else check_id("idempotency_key", idempotency_key)
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return Call(method="POST", path="/events", headers=headers, body=audit_trail_body(event))


def list_call(query: Query) -> Call:
    """Return the request that lists events."""
    return Call(method="GET", path="/events", query=query)


def judge_created(answer: Answer) -> None:
    """Return if WorkOS has the event.

    Raises:
        WorkOSError: It has not, as far as the answer tells.
    """
    if not answer.accepted:
        raise error_of(answer)


def judge_listed(answer: Answer) -> EventPage:
    """Return the page that WorkOS answered.

    Raises:
        WorkOSError: It answered something else.
    """
    if answer.status == HTTPStatus.OK:
        try:
            return read_page(answer.document)
        except ValueError:
            pass
    raise error_of(answer)


def error_of(answer: Answer) -> WorkOSError:
    """Return the error that an answer is."""
    status, text = answer.status, answer.summary()
    kind = _KINDS.get(status, WorkOSServerError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else WorkOSError)
    if status < HTTPStatus.MULTIPLE_CHOICES:
        text += ", but not as its API does: something else, such as a proxy, may have answered"
    elif status < HTTPStatus.BAD_REQUEST:
        text += ": redirects are never followed, set base_url to where the API is"
    return kind(
        text,
        status=status,
        request_id=answer.request_id,
        errors=answer.errors,
        retry_after=answer.retry_after,
    )
