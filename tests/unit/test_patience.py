"""How long a send may take where its caller cannot leave it behind."""

from __future__ import annotations

import math
import threading

import pytest

from auditkit import patience
from auditkit.errors import TemporaryFailure
from auditkit.testing import WorkOSDouble
from auditkit.transports import WorkOSTransport
from tests.unit.transports.examples import an_event


def test_patience_is_endless_by_default() -> None:
    """Where nobody is in a hurry a send takes the transport's own time."""
    assert math.inf == patience.left(10.0)


def test_patience_ends_at_the_nearest_deadline() -> None:
    """An inner deadline never extends an outer one, and none outlives its block or leaves its thread."""
    seen = []
    with patience.until(12.0):
        with patience.until(15.0):
            seen.append(patience.left(10.0))
        with patience.until(11.0):
            seen += [patience.left(10.0), patience.left(11.5)]
        thread = threading.Thread(target=lambda: seen.append(patience.left(10.0)))
        thread.start()
        thread.join()

    assert [2.0, 1.0, 0.0, math.inf] == seen
    assert math.inf == patience.left(10.0)


def test_transport_asks_for_patience() -> None:
    """A transport of auditkit's own sends nothing when there is no time left."""
    with WorkOSDouble() as workos:
        transport = WorkOSTransport(workos.api_key, base_url=workos.base_url)
        with patience.until(-math.inf), pytest.raises(TemporaryFailure, match=r"^no time left to ask 127\.0\.0\.1$"):
            transport.send([an_event()])
        transport.close()

        assert [] == workos.requests
