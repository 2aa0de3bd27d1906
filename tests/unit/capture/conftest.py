"""What tests of capture share: a trail in memory whose events can be looked at, and a way to make others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditkit import AuditTrail, configure
from auditkit.transports import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def memory() -> MemoryTransport:
    """Return the one transport of a process-wide trail in memory."""
    transport = MemoryTransport()
    configure(transport, directory=None)
    return transport


@pytest.fixture
def make() -> Iterator[Callable[..., AuditTrail]]:
    """Make a trail that is the test's own, in memory unless it says where, and shut it down after the test."""
    made: list[AuditTrail] = []

    def make(*args: Any, directory: str | None = None, **settings: Any) -> AuditTrail:
        made.append(AuditTrail(*args, directory=directory, **settings))
        return made[-1]

    yield make
    for trail in made:
        trail.shutdown(timeout=2)
