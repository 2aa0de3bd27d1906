"""What tests of the middlewares share: a process-wide trail in memory, whose events can be looked at."""

from __future__ import annotations

import pytest

from auditkit import configure
from auditkit.transports import MemoryTransport


@pytest.fixture
def memory() -> MemoryTransport:
    """Return the one transport of a process-wide trail in memory."""
    transport = MemoryTransport()
    configure(transport, directory=None)
    return transport
