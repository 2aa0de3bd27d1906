"""Calling a transport's ``send`` and ``close``, whether they are plain or ``async def``."""

from __future__ import annotations

import inspect
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Coroutine, Sequence

    from auditkit.event import Event
    from auditkit.protocols import Record, Transport


_LONGEST_END = 2.0  # seconds that what a transport left running may take to be cancelled


class Escaped(Exception):  # noqa: N818  (a way out of an event loop, not an error)
    """Carry out of the loop what would end it: KeyboardInterrupt and its like.

    Attributes:
        error: What the transport raised.
    """

    def __init__(self, error: BaseException) -> None:
        """Keep what was raised."""
        super().__init__(type(error).__name__)
        self.error = error


class Sender:
    """Send through one transport; coroutines run on an event loop of the lane's own, in a thread of its own.

    ``send`` may be called from several threads at once. The loop's thread starts with the first coroutine;
    where none can be started (the interpreter is ending) the calling thread runs the loop.

    Attributes:
        encodes: Whether the transport tells the bytes that it sends, so that they can be kept and sent again.
    """

    def __init__(self, transport: Transport) -> None:
        """Keep the transport."""
        self._transport = transport
        self.encodes = transport.max_batch == 1 and all(
            callable(getattr(transport, name, None)) for name in ("encode", "send_encoded")
        )
        self._takes_records = callable(getattr(transport, "send_records", None))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        if inspect.iscoroutinefunction(transport.send) or inspect.iscoroutinefunction(transport.close):
            # Imported here, where a transport needs it (`import auditkit` stays light), and not on the lane's own
            # thread: a fork while that imports leaves the module locked in the child, for ever.
            import asyncio  # noqa: F401, PLC0415

    def send(self, events: Sequence[Event]) -> None:
        """Return when the destination has accepted all events; raise what the transport raises."""
        self._finish(self._transport.send(events))

    def send_records(self, records: Sequence[Record]) -> None:
        """Return as `send` does; a transport that wants the recorded JSON beside the events gets that too."""
        if self._takes_records:
            self._finish(self._transport.send_records(records))  # type: ignore[attr-defined]  # just looked for
        else:
            self.send([record.event for record in records])

    def encode(self, event: Event) -> bytes:
        """Return the bytes that deliver an event; raise what the transport raises."""
        return bytes(self._transport.encode(event))  # type: ignore[attr-defined]  # see `encodes`

    def send_encoded(self, event_id: str, body: bytes) -> None:
        """Return when the destination has accepted what `encode` made; raise what the transport raises."""
        self._finish(self._transport.send_encoded(event_id, body))  # type: ignore[attr-defined]  # as in encode

    def close(self) -> None:
        """Close the transport, then the loop; raise what the transport raises."""
        try:
            self._finish(self._transport.close())
        finally:
            self._end_loop()

    def _finish(self, outcome: Awaitable[None] | None) -> None:
        if not inspect.isawaitable(outcome):
            return
        coroutine = _guarded(outcome)
        try:
            self._run(coroutine)
        except Escaped as escaped:
            raise escaped.error from None
        finally:
            if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:  # no loop took it
                coroutine.close()
                if inspect.iscoroutine(outcome):
                    outcome.close()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        import asyncio  # noqa: PLC0415  (as in __init__)

        with self._lock:
            loop = self._loop or self._begin_loop(asyncio.new_event_loop())
            if self._thread is None:  # none to be had: one coroutine after the other, on this thread
                loop.run_until_complete(coroutine)
                return
        asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    def _begin_loop(self, loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
        self._loop = loop
        thread = threading.Thread(target=_serve, args=(loop,), name="auditkit-loop", daemon=True)
        with suppress(RuntimeError):
            thread.start()
            self._thread = thread
        return loop

    def _end_loop(self) -> None:
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is None:
            return
        if thread is None:
            _wind_up(loop)
        else:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_LONGEST_END)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        _wind_up(loop)


def _wind_up(loop: asyncio.AbstractEventLoop) -> None:
    """End what a transport left running on the loop, then close it."""
    import asyncio  # noqa: PLC0415  (as in Sender._run)

    if asyncio._get_running_loop() is not None:  # noqa: SLF001  (nothing can be run here: not on this thread)
        loop.close()
        return
    try:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


async def _guarded(outcome: Awaitable[None]) -> None:
    try:
        await outcome
    except (KeyboardInterrupt, SystemExit) as error:
        raise Escaped(error) from None  # asyncio would let these end the loop, and every later send would hang
