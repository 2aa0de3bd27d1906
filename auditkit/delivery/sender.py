"""Calling a transport's ``send`` and ``close``, whether they are plain or ``async def``."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from auditkit.event import Event
    from auditkit.protocols import Transport


class Sender:
    """Send through one transport; coroutines run on an event loop of the lane's own, in a thread of its own.

    ``send`` may be called from several threads at once. The loop's thread starts with the first coroutine.
    """

    def __init__(self, transport: Transport) -> None:
        """Keep the transport."""
        self._transport = transport
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def send(self, events: Sequence[Event]) -> None:
        """Return when the destination has accepted all events; raise what the transport raises."""
        self._finish(self._transport.send(events))

    def close(self) -> None:
        """Close the transport, then the loop."""
        try:
            self._finish(self._transport.close())
        finally:
            loop, thread = self._loop, self._thread
            if loop is not None and thread is not None:
                loop.call_soon_threadsafe(loop.stop)
                thread.join(timeout=2.0)
                if not thread.is_alive():
                    loop.close()
                self._loop = self._thread = None

    def _finish(self, outcome: object) -> None:
        if inspect.iscoroutine(outcome):
            self._await(outcome)

    def _await(self, coroutine: Coroutine[object, object, None]) -> None:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="auditkit-loop", daemon=True)
                self._thread.start()
            loop = self._loop
        asyncio.run_coroutine_threadsafe(coroutine, loop).result()
