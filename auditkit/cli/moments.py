"""Points in time as people type them."""

from __future__ import annotations

import argparse
import re
from datetime import datetime, timedelta

from auditkit.clock import SystemClock
from auditkit.event import instant_of

_AGO = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, now: datetime | None = None) -> datetime:
    """Return the aware time that a text means.

    Args:
        text: ISO 8601, taken for local time where it has no offset, or how long ago: ``30m``, ``2h``, ``7d``.
        now: The aware time to count back from; the present by default.

    Raises:
        argparse.ArgumentTypeError: It is neither.
    """
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            present = now or instant_of(SystemClock.time_ns())
            return present - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        message = f"must be ISO 8601, such as 2026-11-23T07:35, or how long ago, such as 30m, 2h or 7d; got {text!r}"
        raise argparse.ArgumentTypeError(message) from None
