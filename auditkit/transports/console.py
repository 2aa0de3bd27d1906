"""Show each event as one line that a person reads."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from auditkit.event import wire_text
from auditkit.forking import renew_in_child

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.event import Event

_SHOWN = 60  # characters of one value
# C0 and C1 controls, bidirectional marks, line and paragraph separators, lone surrogates: an event's text
# must neither move the cursor, nor begin a line of its own, nor change the order in which the line is read.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Return a text in which everything that steers a terminal is shown as its escape."""
    return _UNSAFE.sub(_escape, text)


def line_of(event: Event) -> str:
    """Return one line without its end: time, actor, action, target, changes. Pure."""
    parts = [
        wire_text(event.occurred_at),
        _who(event.actor_name, event.actor_id),
        event.action,
        _who(event.target_name, event.target_id),
    ]
    changes = event.changes
    shown = {key for name in changes for key in (name, f"{name}_was")}
    parts += [f"{name}: {_show(was)} -> {_show(now)}" for name, (was, now) in changes.items()]
    parts += [f"{key}: {_show(value)}" for key, value in event.metadata.items() if key not in shown]
    return printable("  ".join(part for part in parts if part))


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


def _who(name: str, identifier: str) -> str:
    return name if name == identifier or not identifier else f"{name} ({identifier})" if name else identifier


def _show(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_show(each)}" for key, each in value.items()) + "}"
    if value is None:
        return "(none)"
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004  (two hex digits)
