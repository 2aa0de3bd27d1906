"""Every error of auditkit, drawn as a tree first.

AuditError
├── AuditDefinitionError      a decorator was given something that cannot work (raised when decorating)
├── ConfigurationError        configure() or a constructor was given something that cannot work
├── InvalidEventError         an event states something that is not an audit event
├── ContextRefused            an exported context is not to be believed
├── JournalError              an event could not be written down
│   ├── JournalFull           there is no room: the disk, or max_bytes, is used up
│   └── JournalUnavailable    the directory cannot be opened or written
├── LedgerError               the ledger cannot be read
├── RecordingFailed           on_audit_error="raise": the action ran, its record could not be made
├── ReceiptUnavailable        nobody in this process can know whether the event was delivered
├── DeliveryRejected          a destination refused the event for good: it is in the dead letters
├── DeliveryError             what a transport's send() raises to say what to do next
│   ├── TemporaryFailure      call again with the same events
│   ├── Paused                the destination's configuration is wrong: keep everything, probe slowly
│   └── Rejected              these events will never be accepted
│       └── KeyReused         the destination knows the event's key with another body
└── WorkOSError               WorkOS answered with an error, or could not be reached
    ├── WorkOSBadRequest              400
    ├── WorkOSAuthenticationError     401
    ├── WorkOSAuthorizationError      403
    ├── WorkOSNotFound                404
    ├── WorkOSUnprocessable           422
    ├── WorkOSRateLimited             429
    ├── WorkOSServerError             5xx
    └── WorkOSConnectionError         no answer: refused, reset, timed out, not TLS, unknown host
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# What passes where all else that an application's own code raises is contained: it is not about what was read.
NOT_OURS: Final = (KeyboardInterrupt, SystemExit, GeneratorExit)


class AuditError(Exception):
    """Be the base of everything that auditkit raises."""


class AuditDefinitionError(AuditError, TypeError):
    """Say that a decorator or block was declared in a way that cannot work."""


class ConfigurationError(AuditError, ValueError):
    """Say that a setting cannot work, and what would."""


class InvalidEventError(AuditError, ValueError):
    """Say which field of an event is wrong, what was given and what would be right.

    Attributes:
        field: The name of the field, with the path of the key for metadata (``metadata['a']['b']``).
        given: A short description of what was given.
        expected: What would be right.
    """

    def __init__(self, field: str, given: str, expected: str) -> None:
        """Build the message from its three parts."""
        super().__init__(f"{field} must be {expected}, got {given}")
        self.field = field
        self.given = given
        self.expected = expected

    def __reduce__(self) -> tuple[type[InvalidEventError], tuple[str, str, str]]:
        """Pickle by the three parts, since the message is made of them."""
        return type(self), (self.field, self.given, self.expected)


class ContextRefused(AuditError, ValueError):  # noqa: N818  (a verdict)
    """Say that an exported context is not to be believed. Repeats nothing of it.

    Attributes:
        reason: ``"shape"``, ``"version"``, ``"size"``, ``"unsigned"`` or ``"forged"``.
        text: What is wrong with it.
    """

    def __init__(self, reason: str, text: str) -> None:
        """Build the message."""
        super().__init__(f"an exported context was refused: {text}")
        self.reason = reason
        self.text = text

    def __reduce__(self) -> tuple[type[ContextRefused], tuple[str, str]]:
        """Pickle by the two parts, since the message is made of them."""
        return type(self), (self.reason, self.text)


class JournalError(AuditError):
    """Say that an event could not be written down."""


class JournalFull(JournalError):  # noqa: N818  (a state, like queue.Full)
    """Say that there is no room for another event."""


class JournalUnavailable(JournalError):  # noqa: N818  (a state, not a fault of the caller)
    """Say that the audit directory cannot be opened or written."""


class LedgerError(AuditError):
    """Say that the ledger cannot be read, and why."""


class RecordingFailed(AuditError):  # noqa: N818  (the design's name)
    """Say that the action ran but its record could not be made.

    Attributes:
        result: What the action returned.
    """

    def __init__(self, message: str, result: Any = None) -> None:
        """Keep the action's result beside the message."""
        super().__init__(message)
        self.result = result


class ReceiptUnavailable(AuditError):  # noqa: N818  (a state, not a fault of the caller)
    """Say that nobody here can know whether the event was delivered."""


class DeliveryRejected(AuditError):  # noqa: N818  (the design's name)
    """Say that a destination refused the event for good.

    Attributes:
        destination: The transport's name.
        reason: What the destination said.
    """

    def __init__(self, destination: str, reason: str) -> None:
        """Build the message from the destination and its reason."""
        super().__init__(f"{destination} rejected the event: {reason}")
        self.destination = destination
        self.reason = reason

    def __reduce__(self) -> tuple[type[DeliveryRejected], tuple[str, str]]:
        """Pickle by the two parts, since the message is made of them."""
        return type(self), (self.destination, self.reason)


class DeliveryError(AuditError):
    """Be the base of what a transport raises from ``send``."""


class TemporaryFailure(DeliveryError):  # noqa: N818  (the design's name)
    """Ask delivery to call ``send`` again with the same events.

    Attributes:
        retry_after: How many seconds the destination asked to wait, or None.
    """

    def __init__(self, message: str = "temporary failure", *, retry_after: float | None = None) -> None:
        """Keep the wait that was asked for."""
        super().__init__(message)
        self.retry_after = retry_after


class Paused(DeliveryError):  # noqa: N818  (the design's name)
    """Say that the destination's configuration is wrong, so that everything must be kept."""


class Rejected(DeliveryError):  # noqa: N818  (the design's name)
    """Say that the destination will never accept these events."""


class KeyReused(Rejected):
    """Say that the destination was sent another body under the event's key before.

    An event has one key for life: delivery takes it as accepted, unless it is a dead letter that was put back, since
    then the other body is the one that was refused.
    """


class WorkOSError(AuditError):
    """Say what WorkOS answered. The API key is never part of it.

    Attributes:
        status: The HTTP status, or None when there was no answer.
        request_id: WorkOS's ``X-Request-ID``, to quote to their support, or None.
        errors: The ``{"field": ..., "code": ...}`` entries of the body, if any.
        retry_after: How many seconds WorkOS asked to wait, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        errors: Sequence[dict[str, Any]] = (),
        retry_after: float | None = None,
    ) -> None:
        """Keep what WorkOS said beside the message."""
        super().__init__(message)
        self.status = status
        self.request_id = request_id
        self.errors = tuple(errors)
        self.retry_after = retry_after


class WorkOSBadRequest(WorkOSError):  # noqa: N818  (named after the status)
    """Answer 400: also an idempotency key used again with another body."""


class WorkOSAuthenticationError(WorkOSError):
    """Answer 401: the API key is not valid."""


class WorkOSAuthorizationError(WorkOSError):
    """Answer 403: the API key may not do this."""


class WorkOSNotFound(WorkOSError):  # noqa: N818  (named after the status)
    """Answer 404."""


class WorkOSUnprocessable(WorkOSError):  # noqa: N818  (named after the status)
    """Answer 422: ``errors`` names the fields."""


class WorkOSRateLimited(WorkOSError):  # noqa: N818  (named after the status)
    """Answer 429: ``retry_after`` says how long to wait, when WorkOS said so."""


class WorkOSServerError(WorkOSError):
    """Answer 5xx: WorkOS's own trouble."""


class WorkOSConnectionError(WorkOSError):
    """Get no answer: the event may or may not have been accepted."""
