"""An event as a person reads it. Pure: text in, text out, nothing in it that steers a terminal."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from auditkit.event import wire_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditkit.event import Event

Paint = Callable[[str, str], str]  # puts a style around a text: ``paint("dim", text)``

_SHOWN = 60  # characters of one value
# C0 and C1 controls, bidirectional and invisible characters, line and paragraph separators, lone surrogates: an
# event's text must neither move the cursor, nor begin a line of its own, nor change the order in which the line is
# read, nor hold what nobody sees. Two joiners (U+200C, U+200D) stay: Persian, Indic scripts and emoji need them.
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"
)
_STYLES = {"dim": "2", "bold": "1", "C": "32", "R": "34", "U": "33", "D": "31", "bad": "1;31"}
_COLUMNS = (20, 20, 16)  # characters that time, actor and action take at least
_WIDTH = 80  # columns
INDENT = " " * 22
_SECOND_COLUMN = "\0"  # stands behind a wide character while lines are wrapped: no printable text has it


def printable(text: str) -> str:
    """Return a text in which everything that steers a terminal is shown as its escape."""
    return _UNSAFE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= 0xFF:  # noqa: PLR2004  (two hex digits)
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004  (four hex digits)


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


def lines_of(event: Event, paint: Paint = plain, *, group: bool = False) -> str:
    """Return an event as lines of text: who did what to what, from where, and below it what changed.

    Args:
        event: The event.
        paint: `plain` or `coloured`.
        group: Whether its group is told.

    Returns:
        Lines of up to 80 columns where its parts allow that, joined, without the last one's end.
    """
    time, actor, action = (
        padded(printable(text), width)
        for text, width in zip(
            (f"{event.occurred_at:%Y-%m-%d %H:%M:%S}Z", event.actor_name or event.actor_id, event.action),
            _COLUMNS,
            strict=True,
        )
    )
    parts = [
        ("dim", time),
        ("plain", actor),
        (str(event.action_type), action),
        ("bad", printable(_show(event.metadata["outcome"])).upper() if "outcome" in event.metadata else ""),
        ("plain", printable(_who(event.target_name, event.target_id))),
        ("dim", printable(event.location)),
        ("dim", printable(f"in {event.group}") if group else ""),
    ]
    rows = ["  ".join(_painted(row, paint)) for row in _rows([part for part in parts if part[1]])]
    details = (line for name, told in _told(event) for line in _detail(printable(name), printable(told), paint))
    return "\n".join([f"\n{INDENT}".join(rows), *details])


def _rows(parts: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Yield the parts, each a style and a text, in as few rows as hold them; none is cut."""
    row: list[tuple[str, str]] = []
    room = _WIDTH
    for part in parts:
        if row and columns(part[1].rstrip()) > room:
            yield row
            row, room = [], _WIDTH - len(INDENT)
        row.append(part)
        room -= columns(part[1]) + 2
    yield row


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes: ideographs take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(2 if _is_wide(each) else unicodedata.category(each) not in {"Cf", "Me", "Mn"} for each in text)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in {"F", "W"}


def padded(text: str, width: int) -> str:
    """Return a text with spaces up to a width in columns."""
    return text + " " * (width - columns(text))


def _painted(row: list[tuple[str, str]], paint: Paint) -> Iterator[str]:
    for number, (style, text) in enumerate(row, 1):
        shown = text.rstrip() if number == len(row) else text
        yield shown if style == "plain" else paint(style, shown)


def _detail(name: str, told: str, paint: Paint) -> Iterator[str]:
    """Yield the lines that tell one thing below an event."""
    head = f"{INDENT}{name}:"
    text = f"{name}: {told}"
    if not text.isascii():
        text = "".join(f"{each}{_SECOND_COLUMN}" if _is_wide(each) else each for each in text)
    wrapped = textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=INDENT,
        subsequent_indent=f"{INDENT}  ",
        expand_tabs=False,
        replace_whitespace=False,
        break_on_hyphens=False,
    )
    first, *rest = (line.replace(_SECOND_COLUMN, "") for line in wrapped)
    yield f"{INDENT}{paint('dim', name + ':')}{first[len(head) :]}" if first.startswith(head) else first
    yield from rest


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
    text = str(value) or "(empty)"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
