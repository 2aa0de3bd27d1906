"""Rows of text below each other. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditkit.rendering import columns, padded, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table: each column as wide as its widest text, nothing in them that steers a terminal.

    Args:
        head: The columns' names.
        rows: A text for each column.
    """
    shown = [[printable(text) for text in row] for row in (head, *rows)]
    widths = [max(map(columns, texts)) for texts in zip(*shown, strict=True)]
    for row in shown:
        yield "  ".join(padded(text, width) for text, width in zip(row, widths, strict=True)).rstrip()
