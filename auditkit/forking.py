"""What a forked child renews: locks that another thread of its parent may have held at the fork, held for ever."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_renewals: list[weakref.WeakMethod[Any]] = []


def renew_in_child(method: Callable[[], None]) -> None:
    """Call a bound method in every forked child, before anything else runs there, while its object lives.

    Args:
        method: Gives the object new locks, and drops what belongs to the parent. It must not wait, and must
            not use the old locks: the threads that hold them do not exist in the child.
    """
    _renewals.append(weakref.WeakMethod(method, _renewals.remove))


def _renew_all() -> None:
    for reference in tuple(_renewals):
        method = reference()
        if method is not None:
            method()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
