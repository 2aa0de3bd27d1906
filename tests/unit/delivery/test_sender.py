"""Plain and asynchronous transports look the same to a lane."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from typing import TYPE_CHECKING, Any

import pytest

from auditkit.context import current_scope, suppressed
from auditkit.delivery.sender import Sender
from auditkit.errors import Rejected
from auditkit.protocols import Record
from auditkit.testing import ScriptedTransport
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator, Sequence

    from auditkit.event import Event


class Asynchronous:
    """A transport whose methods are coroutines."""

    name, max_batch, concurrency, durable = "async", 1, 2, True

    def __init__(self) -> None:
        self.loops: list[asyncio.AbstractEventLoop] = []
        self.answers: list[BaseException] = []
        self.suppressed: list[bool] = []
        self.background: asyncio.Task[None] | None = None

    async def send(self, events: Sequence[Event]) -> None:
        self.loops.append(asyncio.get_running_loop())
        scope = current_scope()
        self.suppressed.append(scope is not None and scope.suppressing)
        await asyncio.sleep(0)
        if self.answers:
            raise self.answers.pop()

    async def close(self) -> None:
        self.loops.append(asyncio.get_running_loop())


def test_sender_gives_what_was_recorded_to_who_wants_it() -> None:
    """A transport with `send_records` gets each event's recorded JSON too; any other one gets the events."""

    class Keeping(ScriptedTransport):
        def send_records(self, records: Sequence[Record]) -> None:
            kept.extend(each.body for each in records)

    kept: list[bytes] = []
    records = [Record(("s", number), an_event(), b"{}") for number in range(2)]
    Sender(Keeping()).send_records(records)
    Sender(plain := ScriptedTransport()).send_records(records)

    assert [b"{}", b"{}"] == kept
    assert [tuple(each.event for each in records)] == plain.calls


def test_sender_awaits_on_one_loop_of_its_own() -> None:
    """All coroutines of a transport, its close included, run on one loop, which ends with them."""
    transport = Asynchronous()
    sender = Sender(transport)
    sender.send([])
    sender.send([])
    sender.close()

    assert 3 == len(transport.loops)
    assert 1 == len({*transport.loops})
    assert transport.loops[0].is_closed()


def test_sender_keeps_the_suppression() -> None:
    """What an asynchronous transport audits is not recorded: it would feed itself."""
    transport = Asynchronous()
    sender = Sender(transport)
    with suppressed():
        sender.send([])
    sender.close()

    assert [True] == transport.suppressed


@pytest.mark.parametrize("error", [Rejected("no"), KeyboardInterrupt(), SystemExit(2)], ids=repr)
def test_sender_raises_what_a_coroutine_raises(error: BaseException) -> None:
    """An error comes out as it is, and the loop survives it: the next send works."""
    transport = Asynchronous()
    transport.answers.append(error)
    sender = Sender(transport)
    with pytest.raises(type(error)) as caught:
        sender.send([])
    sender.send([])
    sender.close()

    assert error is caught.value


def test_sender_takes_a_cancelled_coroutine_for_an_error() -> None:
    """A coroutine that cancels itself has not delivered."""
    transport = Asynchronous()
    transport.answers.append(asyncio.CancelledError())
    sender = Sender(transport)
    with pytest.raises(concurrent.futures.CancelledError):
        sender.send([])
    sender.close()


def test_sender_awaits_any_awaitable() -> None:
    """An awaitable that is no coroutine has not been accepted before it is awaited."""
    awaited = []

    class Soon:
        def __await__(self) -> Generator[Any, None, None]:
            awaited.append(True)
            yield from asyncio.sleep(0).__await__()

    class Indirect(Asynchronous):
        def send(self, events: Sequence[Event]) -> Awaitable[None]:  # type: ignore[override]  # as wide as the seam
            return Soon()

    sender = Sender(Indirect())
    sender.send([])
    sender.close()

    assert [True] == awaited


def test_sender_sends_side_by_side() -> None:
    """Two lane threads' coroutines overlap on the loop."""
    both = threading.Barrier(2, timeout=10)

    class Meeting(Asynchronous):
        async def send(self, events: Sequence[Event]) -> None:
            await asyncio.to_thread(both.wait)

    sender = Sender(Meeting())
    threads = [threading.Thread(target=sender.send, args=([],)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sender.close()

    assert not both.broken


def test_sender_runs_the_loop_itself_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the interpreter's exit the calling thread runs the coroutines, and nothing is left unawaited."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    transport = Asynchronous()
    sender = Sender(transport)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    sender.send([])
    sender.send([])
    sender.close()

    assert 3 == len(transport.loops)
    assert transport.loops[0].is_closed()


async def test_sender_cannot_run_a_loop_inside_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a loop runs already and no thread is to be had the send fails, and leaves no coroutine behind."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    sender = Sender(Asynchronous())
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="another loop is running"):
        sender.send([])
    with pytest.raises(RuntimeError, match="another loop is running"):
        sender.close()


def test_sender_ends_what_a_transport_left_running() -> None:
    """Tasks that a transport left on the loop are cancelled with it."""
    ended = []

    class Busy(Asynchronous):
        async def send(self, events: Sequence[Event]) -> None:
            self.background = asyncio.create_task(self.work())
            await asyncio.sleep(0)

        async def work(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

    sender = Sender(Busy())
    sender.send([])
    sender.close()

    assert [True] == ended


def test_sender_that_was_never_used_closes_the_transport() -> None:
    """A process with nothing to deliver starts no loop for a plain transport."""
    closed = []

    class Plain:
        name, max_batch, concurrency, durable = "plain", 1, 1, True

        def send(self, events: Sequence[Event]) -> None: ...

        def close(self) -> None:
            closed.append(threading.current_thread())

    Sender(Plain()).close()

    assert [threading.current_thread()] == closed
