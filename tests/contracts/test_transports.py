"""Every shipped transport keeps the contract of the seam."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from auditkit.testing import ScriptedTransport, WorkOSDouble
from auditkit.transports import (
    ConsoleTransport,
    JSONLinesTransport,
    MemoryTransport,
    Route,
    WorkOSAuditLogsTransport,
    WorkOSTransport,
)
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from pathlib import Path

    from auditkit.protocols import Transport

Made = tuple["Transport", Callable[[], int]]
Make = Callable[["Path", ExitStack, dict[str, Any]], Made]


def _workos(kind: type[WorkOSTransport | WorkOSAuditLogsTransport]) -> Make:
    def make(path: Path, stack: ExitStack, named: dict[str, Any]) -> Made:
        double = stack.enter_context(WorkOSDouble())
        return kind(double.api_key, base_url=double.base_url, **named), lambda: len(double.events)

    return make


def _memory(path: Path, stack: ExitStack, named: dict[str, Any]) -> Made:
    memory = MemoryTransport(**named)
    return memory, lambda: len(memory.events)


def _console(path: Path, stack: ExitStack, named: dict[str, Any]) -> Made:
    stream = io.StringIO()
    return ConsoleTransport(stream, **named), lambda: stream.getvalue().count("\n")


def _json_lines(path: Path, stack: ExitStack, named: dict[str, Any]) -> Made:
    file = path / "events.jsonl"
    return JSONLinesTransport(file, **named), lambda: file.read_bytes().count(b"\n") if file.exists() else 0


def _route(path: Path, stack: ExitStack, named: dict[str, Any]) -> Made:
    memory = MemoryTransport()
    return Route(memory, when=lambda event: True, **named), lambda: len(memory.events)


def _scripted(path: Path, stack: ExitStack, named: dict[str, Any]) -> Made:
    scripted = ScriptedTransport(**named)
    return scripted, lambda: len(scripted.events)


TRANSPORTS: dict[str, Make] = {
    "console": _console,
    "json_lines": _json_lines,
    "memory": _memory,
    "route": _route,
    "scripted": _scripted,
    "workos": _workos(WorkOSTransport),
    "workos_audit_logs": _workos(WorkOSAuditLogsTransport),
}


@pytest.fixture(params=sorted(TRANSPORTS))
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Made]]:
    with ExitStack() as stack:
        yield lambda **named: TRANSPORTS[request.param](tmp_path, stack, named)


def test_transport_states_what_delivery_asks(make: Callable[..., Made]) -> None:
    """Name, batch, concurrency and durability are there and can be worked with."""
    transport, _ = make()

    assert transport.name
    assert type(transport.max_batch) is int
    assert transport.max_batch >= 1
    assert type(transport.concurrency) is int
    assert transport.concurrency >= 1
    assert type(transport.durable) is bool
    transport.close()


def test_transport_can_be_named(make: Callable[..., Made]) -> None:
    """Two destinations of one kind can be told apart, also in a repr."""
    transport, _ = make(name="second")

    assert transport.name == "second"
    assert "'second'" in repr(transport)
    transport.close()


def test_transport_accepts_events_of_any_shape_and_is_closed_once(make: Callable[..., Made]) -> None:
    """When send() returns, the destination has every event; after close() nothing is left open."""
    transport, count = make()
    events = [
        an_event(),
        an_event(metadata={}),
        an_event(metadata={"n": None, "m": {"a": 1, "b": None}, "f": 1.5, "t": True, "s": "ü😀\n\x00"}),
        an_event(actor_name="", target_id="", target_name="", metadata={f"k{i}": "x" * 999 for i in range(99)}),
    ]
    for event in events:
        assert transport.send([event]) is None
    transport.close()

    assert count() == len(events)


def test_transport_takes_its_whole_batch(make: Callable[..., Made]) -> None:
    """As many events as max_batch says go in one call, and none at all is no error."""
    transport, count = make()
    transport.send([])
    transport.send([an_event() for _ in range(transport.max_batch)])
    transport.close()

    assert count() == transport.max_batch


def test_transport_closes_without_having_sent(make: Callable[..., Made]) -> None:
    """A process with nothing to deliver ends cleanly."""
    transport, count = make()
    transport.close()

    assert count() == 0
