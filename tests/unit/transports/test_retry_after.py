"""The Retry-After header, in all the ways that servers write it."""

from __future__ import annotations

import pytest

from auditkit.transports.retry_after import retry_after
from tests.unit.transports.examples import NOON


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("315360000", 315360000.0),
        ("Wed, 01 May 2019 12:01:30 GMT", 90.0),
        ("Wednesday, 01-May-19 12:00:05 GMT", 5.0),
        ("Wed, 01 May 2019 12:00:10 -0000", 10.0),
        ("Wed, 01 May 2019 11:59:00 GMT", None),
        (None, None),
        ("", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("1e308", None),
        ("1_000", None),
        ("٣", None),
        ("9" * 400, None),
        ("soon", None),
        ("Wed, 99 May 2019 12:00:00 GMT", None),
        ("Wed, 01 May 99999 12:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_nothing(text: str | None, seconds: float | None) -> None:
    """Seconds and dates are understood; everything else asks for no wait, and nothing raises."""
    assert retry_after(text, NOON) == seconds
