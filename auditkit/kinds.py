"""What kind of callable something is, and whether what one made was begun."""

from __future__ import annotations

import inspect
import opcode
import sys
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable


def is_kind(test: Callable[[Any], bool], function: object) -> bool:
    """Return whether a function, or the ``__call__`` of an object that is none, is of a kind that `inspect` tells."""
    return test(function) or test(type(function).__call__)


def is_unused(made: Any) -> bool:
    """Return whether a coroutine, or a generator of either kind, was not begun.

    One that was, or is closed, cannot be begun by who stands in for it, and is what others are at work with.
    """
    kind = type(made)
    if kind is CoroutineType:
        return inspect.getcoroutinestate(made) == inspect.CORO_CREATED
    if kind is GeneratorType:
        return inspect.getgeneratorstate(made) == inspect.GEN_CREATED
    return kind is AsyncGeneratorType and _is_unused_async(made)


if sys.version_info >= (3, 12):

    def _is_unused_async(generator: AsyncGeneratorType[Any, Any]) -> bool:
        return inspect.getasyncgenstate(generator) == inspect.AGEN_CREATED

else:
    _RETURN_GENERATOR: Final = opcode.opmap["RETURN_GENERATOR"]

    def _is_unused_async(generator: AsyncGeneratorType[Any, Any]) -> bool:
        frame = generator.ag_frame  # at the instruction that made it, as long as it was not begun
        return frame is not None and frame.f_code.co_code[frame.f_lasti] == _RETURN_GENERATOR
