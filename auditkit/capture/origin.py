"""What lies below the decorators of a function."""

from __future__ import annotations

from contextlib import suppress
from functools import partial, partialmethod, singledispatchmethod
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEPTH: Final = 64  # what answers to every attribute, as a mock may, would have layers without end
_HOLDERS: Final = {partial, partialmethod, singledispatchmethod}
_METHODS: Final = {classmethod, staticmethod, MethodType}


def layers(value: object) -> Iterator[Any]:
    """Yield a value, and one after the other what its decorators wrapped. Never raises.

    It sees through `functools.wraps`, partials, and what makes methods of functions.
    """
    current: Any = value
    for _ in range(_DEPTH):
        if current is None:
            return
        yield current
        current = _below(current)


def _below(value: Any) -> Any:
    # By its very type: asking a lazy object for its class would make what it stands for.
    if type(value) in _METHODS:
        return value.__func__
    if type(value) in _HOLDERS:
        return value.func
    if callable(value):
        with suppress(Exception):  # a proxy may have nothing to stand for yet
            return getattr(value, "__wrapped__", None)
    return None


def function_of(value: object) -> FunctionType | None:
    """Return the function at the bottom of a value's layers, if there is one."""
    functions = [layer for layer in layers(value) if type(layer) is FunctionType]
    return functions[-1] if functions else None
