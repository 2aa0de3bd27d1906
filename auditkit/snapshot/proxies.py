"""What an object that stands for another one stands for, as far as that is known without making it.

A lazy object that nobody has used yet stays as it is: to make what it stands for may run a query. A model that is
nothing but its root, as pydantic's `RootModel`, stands for that.
"""

from __future__ import annotations

import sys
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any

from auditkit.loaded import loaded_class

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LAZY = ("django.utils.functional", "LazyObject")
_WRAPT = (("wrapt", "ObjectProxy"), ("wrapt", "BaseObjectProxy"))  # the latter is the other's base since wrapt 2


class Proxying:
    """How what a proxy stands for is found.

    Attributes:
        behind: Gives it; raises LookupError where it is not made yet.
        asks: Whether that calls a function of the application's, as every use of the proxy does.
    """

    __slots__ = ("asks", "behind")

    def __init__(self, behind: Callable[[Any], Any], *, asks: bool = False) -> None:
        """Keep the way."""
        self.behind = behind
        self.asks = asks


def proxying_of(
    mro: tuple[type, ...], found: Callable[[str], Any], held: Callable[[Any], Mapping[str, Any]] | None
) -> Proxying | None:
    """Return how what instances of a class stand for is found; None where they stand for themselves.

    Args:
        mro: The class and its bases.
        found: Gives what the class has under a name, as it stands.
        held: Gives an instance's own dict.
    """
    if held is not None and found("__pydantic_root_model__") is True:
        return Proxying(lambda state: held(state)["root"])
    if held is not None and any(kind in mro for kind in loaded_class(*_LAZY)):
        return Proxying(_made(held, sys.modules[_LAZY[0]].empty))
    if type(current := found("_get_current_object")) is MemberDescriptorType:  # werkzeug's
        return Proxying(lambda state: current.__get__(state)(), asks=True)
    if any(kind in mro for names in _WRAPT for kind in loaded_class(*names)):
        return Proxying(_wrapped if found("__wrapped_get__") is None else _not_known)
    return None


def _made(held: Callable[[Any], Mapping[str, Any]], empty: object) -> Callable[[Any], Any]:
    """Read a lazy object of Django's, such as ``request.user``."""

    def behind(state: Any) -> Any:
        made = held(state)["_wrapped"]
        if made is empty:
            raise LookupError
        return made

    return behind


def _wrapped(state: Any) -> Any:
    return object.__getattribute__(state, "__wrapped__")


def _not_known(_state: Any) -> Any:
    """Leave a lazy object of wrapt's: it is made by looking whether it is."""
    raise LookupError
