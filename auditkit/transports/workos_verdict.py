"""What an answer of WorkOS means for delivery. Pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from auditkit.errors import DeliveryError, KeyReused, Paused, Rejected, TemporaryFailure

if TYPE_CHECKING:
    from auditkit.transports.workos_answer import Answer

_TRY_AGAIN = frozenset({408, 409, 425, 429})
_REUSED = (
    "it was sent this event with another body before, and knows that for 24 hours; put the event back after them, "
    "unless WorkOS has it"
)
_REMEDIES = {
    HTTPStatus.UNAUTHORIZED: "give another API key",
    HTTPStatus.FORBIDDEN: "give the API key this permission, or another key",
    HTTPStatus.NOT_FOUND: "check base_url and that this account has the API",
}


def verdict(answer: Answer) -> DeliveryError | None:
    """Return what ``send`` must raise, or None when WorkOS has the event.

    - ``TemporaryFailure``: 408, 409, 425, 429, 5xx but 501, and a success that WorkOS did not say itself.
    - ``Paused``: 401, 403, redirects, and a 404 of the address: every event would fare the same.
    - ``Rejected``: every other 4xx and 501, and a 404 of this event's organization or schema.
    - ``KeyReused``: a 400 which says that the idempotency key was used with other parameters. Whether WorkOS took
      or refused the event then, it does not say.
    """
    status = answer.status
    if answer.accepted:
        return None
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return TemporaryFailure(
            f"{answer.summary()}, but not as its API does: something else, such as a proxy, may have answered"
        )
    if status < HTTPStatus.BAD_REQUEST:
        return Paused(f"{answer.summary()}: redirects are never followed, set base_url to where the API is")
    if status in _TRY_AGAIN or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED):
        return TemporaryFailure(answer.summary(), retry_after=answer.retry_after)
    if status in _REMEDIES and not (status == HTTPStatus.NOT_FOUND and answer.about_event):
        return Paused(f"{answer.summary()}: {_REMEDIES[HTTPStatus(status)]}")
    return _refusal(answer)


def _refusal(answer: Answer) -> Rejected:
    if answer.status == HTTPStatus.BAD_REQUEST and answer.key_reused:
        return KeyReused(f"{answer.summary()}: {_REUSED}")
    return Rejected(answer.summary())
