"""An event as a person reads it. Pure: text in, text out, nothing in it that steers a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from auditkit.event import wire_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditkit.event import Event

Paint = Callable[[str, str], str]  # puts a style around a text: ``paint("dim", text)``

_SHOWN = 60  # characters of one value
# C0 and C1 controls, bidirectional marks, line and paragraph separators, lone surrogates: an event's text
# must neither move the cursor, nor begin a line of its own, nor change the order in which the line is read.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_STYLES = {"dim": "2", "bold": "1", "C": "32", "R": "34", "U": "33", "D": "31", "bad": "1;31"}
_COLUMNS = (20, 20, 16)  # characters that time, actor and action take at least
_INDENT = " " * 22


def printable(text: str) -> str:
    """Return a text in which everything that steers a terminal is shown as its escape."""
    return _UNSAFE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004  (two hex digits)


def plain(style: str, text: str) -> str:
    """Return the text without a style: for pipes and files."""
    del style
    return text


def coloured(style: str, text: str) -> str:
    """Return the text in the colours of a terminal."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


def line_of(event: Event) -> str:
    """Return one line without its end: time, actor, action, target, changes."""
    parts = [
        wire_text(event.occurred_at),
        _who(event.actor_name, event.actor_id),
        event.action,
        _who(event.target_name, event.target_id),
        *(f"{name}: {told}" for name, told in _told(event)),
    ]
    return printable("  ".join(part for part in parts if part))


def lines_of(event: Event, paint: Paint = plain) -> str:
    """Return an event as lines of text: who did what to what, from where, and below it what changed.

    Args:
        event: The event.
        paint: `plain` or `coloured`.
    """
    time, actor, action = (
        printable(text).ljust(width)
        for text, width in zip(
            (f"{event.occurred_at:%Y-%m-%d %H:%M:%S}Z", event.actor_name or event.actor_id, event.action),
            _COLUMNS,
            strict=True,
        )
    )
    outcome = event.metadata.get("outcome")
    first = [
        paint("dim", time),
        actor,
        paint(str(event.action_type), action),
        printable(_who(event.target_name, event.target_id)),
        paint("dim", printable(event.location)),
    ]
    if outcome is not None:
        first.append(paint("bad", printable(_show(outcome)).upper()))
    rest = [f"{_INDENT}{paint('dim', printable(name) + ':')} {printable(told)}" for name, told in _told(event)]
    return "\n".join(["  ".join(first).rstrip(), *rest])


def _told(event: Event) -> Iterator[tuple[str, str]]:
    """Yield what changed, then the rest of what is known."""
    changes = event.changes
    for name, (was, now) in changes.items():
        gone = name not in event.metadata
        yield name, f"was {_show(was)}" if gone else f"{_show(was)} -> {_show(now)}"
    shown = {"outcome", *changes, *(f"{name}_was" for name in changes)}
    for key, value in event.metadata.items():
        if key not in shown:
            yield key, _show(value)


def _who(name: str, identifier: str) -> str:
    return name if name == identifier or not identifier else f"{name} ({identifier})" if name else identifier


def _show(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_show(each)}" for key, each in value.items()) + "}"
    if value is None:
        return "(none)"
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
