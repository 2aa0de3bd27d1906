"""Ask whether a server is there, without a key and without an event."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from auditkit.clock import SystemClock
from auditkit.transports.http import Connections

if TYPE_CHECKING:
    from datetime import datetime

    from auditkit.clock import Clock

_PATIENCE = 10.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What a server answered.

    Attributes:
        url: What was asked for.
        status: The HTTP status.
        date: The server's time, aware, in whole seconds; None where it told none.
        seconds: How long it took, connecting included.
    """

    url: str
    status: int
    date: datetime | None
    seconds: float


def probe(base_url: str, *, clock: Clock | None = None) -> Probed:
    """Ask a server for its first page.

    Args:
        base_url: Where the server is; no path of its API is asked for.
        clock: Time.

    Raises:
        TemporaryFailure: No answer came; says why.
        ConfigurationError: The environment states a proxy that cannot be used.
    """
    clock = clock or SystemClock()
    url = f"{base_url}/"
    connections = Connections(url, {"User-Agent": "auditkit"}, timeout=_PATIENCE, clock=clock)
    began = clock.monotonic()
    try:
        answer = connections.get()
    finally:
        connections.close()
    return Probed(
        url=url,
        status=answer.status,
        date=date_of(answer.headers.get("date", "")),
        seconds=clock.monotonic() - began,
    )


def date_of(text: str) -> datetime | None:
    """Return the time of a ``Date`` header; None where it has none. Pure."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return date if date.tzinfo is not None else None
