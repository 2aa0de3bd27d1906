"""What every trail of a process must hear of: forks, and the interpreter's exit."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import TYPE_CHECKING, Protocol

# Imported for its own hooks: those registered last run first before a fork, and the guard of `files`, for which who
# holds an engine's lock may wait, must be taken after that lock.
from auditkit import files  # noqa: F401
from auditkit.configuration import exit_timeout

if TYPE_CHECKING:
    from auditkit.clock import Clock


class Engine(Protocol):
    """What hears of it."""

    @property
    def clock(self) -> Clock:
        """Return the time it lives by."""
        ...

    def before_fork(self) -> None:
        """Wait for what a fork would cut in two."""
        ...

    def after_fork_in_parent(self) -> None:
        """Go on."""
        ...

    def after_fork_in_child(self) -> None:
        """Begin anew."""
        ...

    def at_exit(self, timeout: float) -> None:
        """End within ``timeout`` seconds, and raise nothing."""
        ...


_all: weakref.WeakSet[Engine] = weakref.WeakSet()
_running: set[Engine] = set()
_held: list[Engine] = []  # those whose locks the fork under way holds


def know(engine: Engine) -> None:
    """Tell an engine of forks while it lives."""
    _all.add(engine)


def begun(engine: Engine) -> None:
    """Keep an engine until it is ended, or the interpreter's exit ends it."""
    _running.add(engine)


def ended(engine: Engine) -> None:
    """Let go of an engine."""
    _running.discard(engine)


def _before_fork() -> None:
    # The ones told after the fork are the ones told before it, whatever other threads make or end meanwhile.
    for engine in tuple(_all):
        engine.before_fork()
        _held.append(engine)


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().after_fork_in_parent()


def _after_fork_in_child() -> None:
    _running.clear()
    while _held:
        _held.pop().after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


@atexit.register
def end_all() -> None:
    """End every trail of a process that is about to end: deliver what can be in a moment, all trails in one.

    The rest is in their journals. Takes as long as ``AUDITKIT_SHUTDOWN_TIMEOUT`` says.
    """
    left = exit_timeout(os.environ)
    engines = tuple(_running)
    for number, engine in enumerate(engines):
        began = engine.clock.monotonic()
        engine.at_exit(left / (len(engines) - number))
        left = max(0.0, left - (engine.clock.monotonic() - began))
