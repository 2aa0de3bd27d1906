"""The pytest plugin, which pytest finds by itself: the fixture `audit_events`.

Every run of pytest loads this file where auditkit is installed, so it imports nothing more until a test asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditkit.testing import RecordedEvents


@pytest.fixture
def audit_events() -> Iterator[RecordedEvents]:
    """Record in memory what the test audits, and nowhere else; give the events."""
    from auditkit.testing import recording  # noqa: PLC0415  (see above)

    with recording() as events:
        yield events
