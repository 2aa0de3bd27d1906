"""What is too long, cut so that a reader sees it: texts that tell their whole length, and the names of what was cut.

Pure. Wherever an event must be made smaller (for the journal's largest record, for a destination's limits), it says
so in the same words.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

TRUNCATED = "auditkit_truncated"
"""The key under which an event names what was cut from it."""

_WAS = "_was"
_LONGEST_NAME = 100  # units of a name that is told
# An event without these would say something else: a failure that reads as done is a lie, not a loss.
_OWN = frozenset({"action_type", "error", "on_behalf_of_id", "on_behalf_of_name", "outcome"})


def length(text: str) -> int:
    """Return a text's length in UTF-16 units, as JavaScript counts: never fewer than its characters."""
    return len(text) if text.isascii() else len(text) + sum(character > "\uffff" for character in text)


def cut_text(text: str, limit: int, measure: Callable[[str], int] = length) -> str:
    """Return a text of at most ``limit`` units: itself, or its beginning, an ellipsis and its whole length.

    Args:
        text: Any text.
        limit: Units, enough to hold the ellipsis and the length: 24, or 32 of JSON's bytes.
        measure: Counts a text's units: at least one for each character.
    """
    if measure(text) <= limit:
        return text
    mark = f"… ({length(text)} characters)"
    return head(text, limit - measure(mark), measure) + mark


def head(text: str, limit: int, measure: Callable[[str], int] = length) -> str:
    """Return the longest beginning of a text that has at most ``limit`` units; nothing for a limit below 0."""
    text = text[: max(limit, 0)]
    return text[: bisect_right(range(1, len(text) + 1), limit, key=lambda size: measure(text[:size]))]


def pairs(metadata: Mapping[str, object]) -> Iterator[tuple[str, ...]]:
    """Yield the keys in their order, each ``name_was`` together with its ``name``."""
    done: set[str] = set()
    for key in metadata:
        was, now = (key, key[: -len(_WAS)]) if key.endswith(_WAS) else (key + _WAS, key)
        pair = tuple(each for each in (was, now) if each in metadata)
        if key not in done:
            done.update(pair)
            yield pair


def by_rank(metadata: Mapping[str, object]) -> list[tuple[str, ...]]:
    """Return the pairs by what an event can least do without: auditkit's own, then what changed, then the rest."""

    def rank(pair: tuple[str, ...]) -> int:
        if pair[0] in _OWN or pair[0].startswith("auditkit_"):
            return 0
        return 1 if pair[0].endswith(_WAS) else 2

    return sorted(pairs(metadata), key=rank)


def name_all(names: Sequence[str], limit: int) -> str:
    """Return the names as a list in words, the last ones counted where there is no room for them.

    Args:
        names: What was cut.
        limit: UTF-16 units that the list may have.
    """
    told = [cut_text(name, _LONGEST_NAME) for name in islice(names, limit)]  # there is no room for more
    text = ", ".join(told)
    if len(told) == len(names) and length(text) <= limit:
        return text
    for shown in range(min(len(told), len(names) - 1), -1, -1):
        text = ", ".join([*told[:shown], f"and {len(names) - shown} more"])
        if length(text) <= limit:
            break
    return text
