"""How work in the background lets the application in between: it breathes where it has been at it for a while.

CPython lets one thread run at a time, and takes the interpreter from a thread that computes only after five
milliseconds. Who computes for longer than a few hundred microseconds in a lane's thread therefore calls `breathe`
in between: each call is a moment in which a request that waits goes on. Elsewhere, and while a lane is hurried, it
does nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AT_ONCE = 16  # events that are read, encoded or inserted between two breaths: 100 to 400 us (measured)


def _go_on() -> None:
    """Do not pause."""


_BREATH: ContextVar[Callable[[], None]] = ContextVar("auditkit_breath", default=_go_on)


@contextmanager
def breathing(breath: Callable[[], None]) -> Iterator[None]:
    """Let `breathe` call this inside."""
    token = _BREATH.set(breath)
    try:
        yield
    finally:
        _BREATH.reset(token)


def breathe() -> None:
    """Let other threads have the interpreter for a moment, where this one works in the background."""
    _BREATH.get()()
