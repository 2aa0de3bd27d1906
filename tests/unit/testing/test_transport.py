"""A destination that answers as a test says; that it keeps the transports' contract is shown in tests/contracts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from auditkit.errors import Rejected, TemporaryFailure
from auditkit.testing import ScriptedTransport
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.event import Event


def test_script_is_followed() -> None:
    """Each send is answered by the next line of the script, and those after the last one by `otherwise`."""

    def refuse(events: Sequence[Event]) -> None:
        raise Rejected(f"{len(events)} refused")

    transport = ScriptedTransport(TemporaryFailure("busy"), TimeoutError, None, otherwise=refuse)
    transport.answer(None)
    events = [an_event(), an_event()]
    with pytest.raises(TemporaryFailure, match="busy"):
        transport.send(events)
    with pytest.raises(TimeoutError):
        transport.send(events)
    transport.send(events[:1])
    transport.send(events[1:])
    with pytest.raises(Rejected, match="2 refused"):
        transport.send(events)

    assert events == transport.events
    assert [2, 2, 1, 1, 2] == [len(call) for call in transport.calls]
    assert "<ScriptedTransport 'scripted': 5 calls, 2 events accepted>" == repr(transport)


def test_calls_can_be_held() -> None:
    """Calls come in and wait until the block ends, and who waits for them hears of each."""
    transport = ScriptedTransport()
    event = an_event()
    sending = threading.Thread(target=transport.send, args=([event],))
    with transport.holding():
        sending.start()
        assert [(event,)] == transport.wait_for_calls(1)
        assert [] == transport.events
        with pytest.raises(TimeoutError, match=r"^0 of 1 events were accepted within 0.01 s$"):
            transport.wait_for_events(1, timeout=0.01)
        with pytest.raises(RuntimeError, match="^scripted was closed during a send$"):
            transport.close()
    sending.join()

    assert [event] == transport.wait_for_events(1)
    with pytest.raises(TimeoutError, match=r"^1 of 2 calls came in within 0 s$"):
        transport.wait_for_calls(2, timeout=0)


def test_closed_transport_takes_nothing() -> None:
    """A send after close() is a fault of delivery's, and seen."""
    transport = ScriptedTransport()
    transport.close()
    with pytest.raises(RuntimeError, match="^scripted was closed before this send$"):
        transport.send([an_event()])

    assert (1, []) == (transport.closed, transport.calls)
