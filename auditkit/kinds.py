"""What kind of callable something is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def is_kind(test: Callable[[Any], bool], function: object) -> bool:
    """Return whether a function, or the ``__call__`` of an object that is none, is of a kind that `inspect` tells."""
    return test(function) or test(type(function).__call__)
