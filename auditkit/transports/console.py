"""Show each event as one line that a person reads."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, TextIO

from auditkit.forking import renew_in_child
from auditkit.rendering import line_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.event import Event


class ConsoleTransport:
    """Write one line an event, for development.

    Args:
        stream: Where to; None is whatever ``sys.stdout`` is when an event comes.
        name: What the destination is called.

    Thread-safety: lines of one transport are never mixed.
    """

    max_batch = 100
    concurrency = 1
    durable = False

    def __init__(self, stream: TextIO | None = None, *, name: str = "console") -> None:
        self.name = name
        self._stream = stream
        self._lock = threading.Lock()
        renew_in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def send(self, events: Sequence[Event]) -> None:
        """Write one line an event and flush."""
        stream = sys.stdout if self._stream is None else self._stream
        encoding = getattr(stream, "encoding", None) or "utf-8"
        text = "".join(f"{line_of(event)}\n" for event in events)
        with self._lock:
            # A terminal that cannot show a character shows its escape: no event is lost to an encoding.
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            stream.flush()

    def close(self) -> None:
        """Leave the stream open: it is not ours."""

    def __repr__(self) -> str:
        return f"<ConsoleTransport {self.name!r}>"
