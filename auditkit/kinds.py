"""What kind of callable something is."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import GeneratorType


def is_kind(test: Callable[[Any], bool], function: object) -> bool:
    """Return whether a function, or the ``__call__`` of an object that is none, is of a kind that `inspect` tells."""
    return test(function) or test(type(function).__call__)


def is_unused(generator: GeneratorType[Any, Any, Any]) -> bool:
    """Return whether a generator was not begun: one that was cannot be begun again by who stands in for it."""
    return inspect.getgeneratorstate(generator) == inspect.GEN_CREATED
