"""The Retry-After header as seconds. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Digits only: "nan", "inf", "1e308", "-1" and "0x10" are all numbers to float() and none of them a wait.
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return how many seconds the header asks to wait.

    Args:
        value: The header's text, or None when there is none: seconds, or an HTTP date.
        now: The aware time that a date is compared with.

    Returns:
        Seconds, at least 0 and not capped; None for what is neither, and for a date that has passed.

    Source: RFC 9110, section 10.2.3.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
        # An HTTP date is always GMT; "-0000" parses as naive and means the same.
        seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return seconds if seconds > 0 else None
