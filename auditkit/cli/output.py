"""Where a command prints, and in which style."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, TextIO

from auditkit.rendering import INDENT, coloured, lines_of, plain, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auditkit.ledger import Entry
    from auditkit.rendering import Paint

_UNNAMED = "default"  # the group of a service that has none


class Listing:
    """Print entries, one below the other.

    Args:
        stream: Where they go.
        color: As for `paint_for`.
        as_json: Print one JSON object a line instead of what a person reads.
        group: The group of all of them, where that is known. Else an event's group is shown where it is
            another one than the event's before.
        doubts: By an event's id, the destinations that may have it twice.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        color: str,
        as_json: bool = False,
        group: str | None = None,
        doubts: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._stream = stream
        self._paint = paint_for(stream, color)
        self._as_json = as_json
        self._group = group or _UNNAMED
        self._doubts = doubts or {}

    def show(self, entries: Iterable[Entry]) -> int:
        """Print entries, and return the position of the last one; 0 when there was none."""
        last = 0
        for entry in entries:
            say(self._stream, self._told(entry))
            last = entry.position
        return last

    def _told(self, entry: Entry) -> str:
        doubts = self._doubts.get(entry.event.id, ())
        if self._as_json:
            marks = {"possible_duplicate": [*doubts]} if doubts else {}
            return json.dumps({"position": entry.position, **entry.event.to_dict(), **marks})
        known, self._group = self._group, entry.event.group
        told = lines_of(entry.event, self._paint, group=self._group != known)
        if not doubts:
            return told
        return f"{told}\n{INDENT}possible duplicate at {printable(', '.join(doubts))}"


def paint_for(stream: TextIO, choice: str) -> Paint:
    """Return how to style what goes to a stream.

    Args:
        stream: Where it goes.
        choice: ``"always"``, ``"never"``, or ``"auto"``: on a terminal that has colours, unless ``NO_COLOR``
            is set.

    Source: https://no-color.org.
    """
    if choice == "auto":
        refused = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return coloured if stream.isatty() and not refused else plain
    return coloured if choice == "always" else plain


def say(stream: TextIO, text: str) -> None:
    """Print a line at once; what the stream's encoding lacks is shown as its escape."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()
