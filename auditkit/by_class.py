"""What was decided of each class, remembered."""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Decided = TypeVar("Decided")

MOST: Final = 1024  # classes remembered, and so kept alive: there may be programs that make ever new ones

# As they stand, whatever a metaclass says of itself.
mro_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
namespace_of: Callable[[type], Mapping[str, Any]] = type.__dict__["__dict__"].__get__


class ByClass(dict[type, Decided]):
    """What was decided of each class: by the first who asks, found at the cost of a dict. Safe from any thread.

    A class whose metaclass says what it equals is decided each time: remembered, it could be found in another's place.

    Args:
        decide: Gives what is to be remembered; what it raises is remembered by nobody.
    """

    def __init__(self, decide: Callable[[type], Decided]) -> None:
        super().__init__()
        self._decide = decide
        # What is compiled holds these until the very end: classes, and the modules of the application that they lead
        # to, must not wait for that, or what is open there would not be closed in order.
        atexit.register(self.clear)

    def __missing__(self, kind: type) -> Decided:
        decided = self._decide(kind)
        if not _says_what_it_equals(kind):
            if len(self) >= MOST:
                self.clear()
            self[kind] = decided
        return decided


def _says_what_it_equals(kind: type) -> bool:
    namespaces = (namespace_of(each) for each in mro_of(type(kind)) if each is not type and each is not object)
    return any("__eq__" in each or "__hash__" in each for each in namespaces)
