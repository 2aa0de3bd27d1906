"""The process-wide trail: how it is configured, made from the environment, and called."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

from auditkit import _current, configuration
from auditkit.configuration import DELIVERY_SHARE, DIRECTORY, MAX_BYTES, TRANSPORTS
from auditkit.errors import AuditError, ConfigurationError
from auditkit.reporting import logger
from auditkit.trail.audit_trail import AuditTrail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auditkit.event import Event
    from auditkit.protocols import Receipt, Transport
    from auditkit.trail.telling import Health, Stats


def configure(  # noqa: PLR0913  (the design's names; all but one by keyword)
    transport: Transport | Sequence[Transport] | None = None,
    *,
    directory: str | os.PathLike[str] | None = DIRECTORY,
    fsync: Literal["interval", "always"] | None = None,
    ledger: bool | None = None,
    deliver: bool = True,
    delivery_share: float = DELIVERY_SHARE,
    on_audit_error: Literal["log", "raise"] = "log",
    on_error: str = "skip",
    denied: type[BaseException] | tuple[type[BaseException], ...] = (PermissionError,),
    require: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
    redact: Iterable[str] = (),
    expose: Iterable[str] = (),
    secret: str | bytes | Sequence[str | bytes] | None = None,
    trace_ids: bool = True,
    shared_group: bool = False,
    max_bytes: int = MAX_BYTES,
) -> AuditTrail:
    """Set the process-wide trail, which every audited call without a ``trail=`` of its own uses.

    A second call shuts the first trail down, and says so.

    Args:
        transport: A destination, or a list of them, each with its own name.
        directory: Where events are kept; None for memory alone, bounded and lost with the process.
        fsync: ``"interval"``: ``kill -9`` loses nothing, a power cut at most the last 0.5 s. ``"always"``:
            a power cut loses nothing either, and each call waits for the device.
        ledger: Whether the directory has a ledger for people to read; True with a directory.
        deliver: False where another process delivers: this one only records.
        delivery_share: The part of the interpreter's time, above 0 and up to 1, that each destination's lane may
            take while nobody waits for it; at 1 it delivers flat out, as `flush` and `shutdown` always do.
        on_audit_error: ``"log"``: trouble inside auditkit never reaches the application. ``"raise"``: an
            action whose record cannot be made fails before it runs, or raises `RecordingFailed` after it.
        on_error: What a call that raises is recorded as: ``"skip"``, ``"record"`` or another action.
        denied: Exceptions that mean a denial, for calls that are recorded when they raise.
        require: Which of ``"actor"``, ``"group"``, ``"location"`` must be bound.
        defaults: What stands where nothing is bound: a mapping with these names.
        redact: Names whose values are redacted, beside those that always are.
        expose: Exact names whose values are not redacted though a rule says so.
        secret: What keys redaction, chain and exported contexts, kept outside the directory, of at least 16
            characters; two may be given: the first signs, both verify.
        trace_ids: Whether the trace and span ids of an active OpenTelemetry span are added to metadata, where the
            application uses OpenTelemetry.
        shared_group: Whether the directory's group may read and write what is in it, so that another user of
            that group can deliver from there.
        max_bytes: How large the journal may become before events are refused, at least 1 MiB.

    Raises:
        ConfigurationError: Something cannot work.
        JournalUnavailable: The directory cannot be made or written.
    """
    settings = configuration.settle(
        transport,
        directory=directory,
        fsync=fsync,
        ledger=ledger,
        deliver=deliver,
        delivery_share=delivery_share,
        on_audit_error=on_audit_error,
        on_error=on_error,
        denied=denied,
        require=require,
        defaults=defaults,
        redact=redact,
        expose=expose,
        secret=secret,
        trace_ids=trace_ids,
        shared_group=shared_group,
        max_bytes=max_bytes,
    )
    if _current.stand_in is not None:  # a test records: see `auditkit.testing.recording`
        recording: AuditTrail = _current.stand_in(settings)
        return recording
    trail = AuditTrail.of(settings, opened=True)
    old = _current.install(trail)
    if old is not None:
        logger.warning("configure() was called again: %r is shut down, %r takes its place", old, trail)
        old.shutdown()
    return trail


def from_environment() -> AuditTrail:
    """Make the trail that the environment describes: for the first event of a process that configured none.

    Reads ``AUDITKIT_DIRECTORY``, ``AUDITKIT_TRANSPORT``, ``AUDITKIT_SECRET``, ``AUDITKIT_SHARED_GROUP`` and
    ``AUDITKIT_DISABLED``. Never raises: the application did not call it. What cannot work is told, and the trail
    goes on without it.
    """
    wrong: list[Exception] = []
    transport: Transport | None = None
    try:
        transport = transport_from_environment()
    except (AuditError, ImportError) as error:
        wrong.append(error)
    secret = os.environ.get("AUDITKIT_SECRET") or None
    try:
        configuration.secrets_of(secret)
    except ConfigurationError as error:
        wrong.append(error)
        secret = None
    directory = os.environ.get("AUDITKIT_DIRECTORY") or DIRECTORY
    try:
        settings = configuration.settle(
            transport, directory=directory, secret=secret, shared_group=configuration.shares_group(os.environ)
        )
    except ConfigurationError as error:  # without it there is only memory
        wrong.append(error)
        settings = configuration.settle(transport, directory=None, secret=secret)
    trail = AuditTrail.of(settings)
    for each in wrong:
        trail.trouble("environment", f"{each}; the trail goes on without it", cause=str(each))
    return trail


def transport_from_environment() -> Transport | None:
    """Return the destination that ``AUDITKIT_TRANSPORT`` names; None where it names none.

    Raises:
        ConfigurationError: There is no such one, or what it needs is missing.
    """
    name = os.environ.get("AUDITKIT_TRANSPORT")
    if not name:
        return None
    if name not in TRANSPORTS:
        raise ConfigurationError(f"AUDITKIT_TRANSPORT must be {' or '.join(TRANSPORTS)}, got {name!r}")
    # Imported here, as the ledger is: `import auditkit` loads no httpx.
    from auditkit import transports  # noqa: PLC0415

    return transports.WorkOSTransport() if name == TRANSPORTS[0] else transports.WorkOSAuditLogsTransport()


def _here() -> AuditTrail:
    trail: AuditTrail = _current.trail or _current.resolve()
    return trail


def emit(event: Event) -> Receipt:
    """Record a complete event on the process-wide trail: see `AuditTrail.emit`."""
    return _here().emit(event)


async def aemit(event: Event) -> Receipt:
    """Record a complete event on the process-wide trail: see `AuditTrail.aemit`."""
    return await _here().aemit(event)


def flush(timeout: float = 10.0) -> bool:
    """Deliver everything on the process-wide trail: see `AuditTrail.flush`."""
    return _here().flush(timeout)


async def aflush(timeout: float = 10.0) -> bool:  # noqa: ASYNC109  (the design's name; nothing is cancelled)
    """Deliver everything on the process-wide trail: see `AuditTrail.aflush`."""
    return await _here().aflush(timeout)


def shutdown(timeout: float = 10.0) -> bool:
    """End the process-wide trail: see `AuditTrail.shutdown`."""
    return True if _current.trail is None else _here().shutdown(timeout)


def stats() -> Stats:
    """Return what became of every event on the process-wide trail."""
    return _here().stats()


def health() -> Health:
    """Return whether the process-wide trail does what it promises."""
    return _here().health()


_current.register(from_environment)
