"""What a forked child renews: locks that another thread of its parent may have held at the fork, held for ever.

And what a worker forgets: where its parent was when it was forked.
"""

from __future__ import annotations

import os
import sys
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import ContextVar

_renewals: list[weakref.WeakMethod[Any]] = []
_of_parent: list[ContextVar[Any]] = []


def renew_in_child(method: Callable[[], None]) -> None:
    """Call a bound method in every forked child, before anything else runs there, while its object lives.

    Args:
        method: Gives the object new locks, and drops what belongs to the parent. It must not wait, and must
            not use the old locks: the threads that hold them do not exist in the child.
    """
    _renewals.append(weakref.WeakMethod(method, _renewals.remove))


def forget_in_worker(variable: ContextVar[Any]) -> None:
    """Set a context variable to None in every child that multiprocessing forks, before it runs anything.

    A worker is forked wherever the first task happens to be handed over, and works for everybody from then on. A
    child of a plain `os.fork` goes on with the same code, and keeps what it is in.
    """
    _of_parent.append(variable)


def _forget(_: object) -> None:
    for variable in _of_parent:
        variable.set(None)


def _begin() -> None:
    for reference in tuple(_renewals):
        method = reference()
        if method is not None:
            method()
    # It is loaded, and calls this next, where the fork is its own.
    register = getattr(sys.modules.get("multiprocessing.util"), "register_after_fork", None)
    if register is not None:
        register(_forget, _forget)  # the first is what it holds weakly: as long as that lives


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin)
