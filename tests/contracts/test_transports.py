"""Every shipped transport keeps the contract of the seam."""

from __future__ import annotations

import io
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from auditkit.ledger import LedgerReader, LedgerWriter
from auditkit.testing import ScriptedTransport, WorkOSDouble, transport_contract
from auditkit.testing.contract.samples import shapes
from auditkit.transports import (
    ConsoleTransport,
    JSONLinesTransport,
    MemoryTransport,
    Route,
    WorkOSAuditLogsTransport,
    WorkOSTransport,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from auditkit.protocols import Transport


@dataclass(frozen=True, kw_only=True)
class Destination:
    """How to make a transport to it, how many events it has, and what keeps it from taking more."""

    make: Callable[..., Transport]
    received: Callable[[], int]
    failing: Callable[[], AbstractContextManager[object]] | None = None


def _workos(kind: type[WorkOSTransport | WorkOSAuditLogsTransport]) -> Callable[[Path, ExitStack], Destination]:
    def destination(path: Path, stack: ExitStack) -> Destination:
        double = stack.enter_context(WorkOSDouble())

        @contextmanager
        def failing() -> Iterator[None]:
            double.fail(503)  # once: whoever tried again on its own would be accepted
            yield

        return Destination(
            make=lambda **named: kind(double.api_key, base_url=double.base_url, **named),
            received=lambda: len(double.events),
            failing=failing,
        )

    return destination


def _memory(path: Path, stack: ExitStack) -> Destination:
    made: list[MemoryTransport] = []

    def make(**named: Any) -> MemoryTransport:
        made.append(MemoryTransport(**named))
        return made[-1]

    return Destination(make=make, received=lambda: len(made[-1].events))


def _console(path: Path, stack: ExitStack) -> Destination:
    stream = Pipe()
    return Destination(
        make=lambda **named: ConsoleTransport(stream, **named),
        received=lambda: stream.getvalue().count("\n"),
        failing=stream.broken,
    )


class Pipe(io.StringIO):
    """Text that nobody may read any more."""

    _is_broken = False

    def write(self, text: str) -> int:
        if self._is_broken:
            raise BrokenPipeError
        return super().write(text)

    @contextmanager
    def broken(self) -> Iterator[None]:
        self._is_broken = True
        yield
        self._is_broken = False


def _json_lines(max_bytes: int | None) -> Callable[[Path, ExitStack], Destination]:
    def destination(path: Path, stack: ExitStack) -> Destination:
        out = path / "out"
        out.mkdir()

        @contextmanager
        def failing() -> Iterator[None]:
            out.rename(path / "away")
            yield
            (path / "away").rename(out)

        return Destination(
            make=lambda **named: JSONLinesTransport(out / "events.jsonl", max_bytes=max_bytes, **named),
            received=lambda: sum(file.read_bytes().count(b"\n") for file in out.iterdir()),
            failing=failing,
        )

    return destination


def _route(path: Path, stack: ExitStack) -> Destination:
    """A route of what encodes, has a probe and fails: all of it must come through."""
    workos = _workos(WorkOSTransport)(path, stack)
    return Destination(
        make=lambda **named: Route(workos.make(), when=lambda event: True, **named),
        received=workos.received,
        failing=workos.failing,
    )


def _scripted(path: Path, stack: ExitStack) -> Destination:
    made: list[ScriptedTransport] = []

    def make(**named: Any) -> ScriptedTransport:
        made.append(ScriptedTransport(max_batch=3, concurrency=4, **named))
        return made[-1]

    @contextmanager
    def failing() -> Iterator[None]:
        made[-1].answer(OSError)
        yield

    return Destination(make=make, received=lambda: len(made[-1].events), failing=failing)


DESTINATIONS: dict[str, Callable[[Path, ExitStack], Destination]] = {
    "console": _console,
    "json_lines": _json_lines(None),
    "json_lines_rotating": _json_lines(2000),
    "memory": _memory,
    "route": _route,
    "scripted": _scripted,
    "workos": _workos(WorkOSTransport),
    "workos_audit_logs": _workos(WorkOSAuditLogsTransport),
}


@pytest.fixture(params=sorted(DESTINATIONS))
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Destination]:
    with ExitStack() as stack:
        yield DESTINATIONS[request.param](tmp_path, stack)


def test_transport_keeps_the_contract(destination: Destination) -> None:
    """Every promise that is asked of a third party's transport is kept by ours."""
    transport_contract(destination.make, received=destination.received, failing=destination.failing)


def test_transport_refuses_no_event_for_its_shape(destination: Destination) -> None:
    """An event that can be made is one that each of ours delivers."""
    transport = destination.make()
    for _, event in shapes():
        transport.send([event])
    transport.close()

    assert destination.received() == len(shapes())


def test_ledger_keeps_the_contract(tmp_path: Path) -> None:
    """The local trail is a destination like any other, and takes what was recorded as it is."""

    class Kept(LedgerWriter):
        name = "kept"  # no transport may be called as the ledger is

    reader = LedgerReader(tmp_path)

    transport_contract(lambda: Kept(tmp_path), received=lambda: reader.last_position() if reader.path.exists() else 0)


def test_transport_can_be_named(destination: Destination) -> None:
    """Two destinations of one kind can be told apart, also in a repr."""
    transport = destination.make(name="second")

    assert transport.name == "second"
    assert "'second'" in repr(transport)
    transport.close()


def test_transport_takes_no_events_for_what_they_are(destination: Destination) -> None:
    """To send nothing at all is no error."""
    transport = destination.make()
    transport.send([])
    transport.close()

    assert destination.received() == 0
