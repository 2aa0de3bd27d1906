"""Where a command prints, and in which style."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

from auditkit.rendering import coloured, plain

if TYPE_CHECKING:
    from auditkit.rendering import Paint


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
