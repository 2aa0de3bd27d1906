"""The process's one state: the default trail, how to make it, and where trouble is told without one.

`trail.py` registers its factory here, so that nothing below has to import upwards.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from auditkit.clock import SystemClock
from auditkit.reporting import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

# Read on every audited call as `_current.trail`; None until configured or first needed. The type is the
# composition root's own, which this file must not know: `protocols.Recorder` is what capture asks of it.
trail: Any = None
reporter = Reporter(SystemClock())

# What `configure` makes of its settings instead of a trail, while a test records: see `trail.standing_in`.
stand_in: Callable[[Any], Any] | None = None

_factory: Callable[[], Any] | None = None
_lock = threading.RLock()


def register(factory: Callable[[], Any]) -> None:
    """Say how a trail is made from the environment when the first event needs one."""
    global _factory  # noqa: PLW0603  (this file is where the process's state lives)
    _factory = factory


def install(new: Any) -> Any:
    """Make ``new`` the process-wide trail and return the one it replaces."""
    global trail
    with _lock:
        old, trail = trail, new
    return old


def resolve() -> Any:
    """Return the process-wide trail, made from the environment if there is none yet."""
    with _lock:
        if trail is None and _factory is not None:
            install(_factory())
        return trail


def chosen(given: Any) -> Any:
    """Return the trail that was given, or else the process-wide one."""
    if given is not None:
        return given
    return resolve() if trail is None else trail


def reset() -> None:
    """Forget the trail and every count: for tests."""
    global reporter, stand_in  # noqa: PLW0603  (this file is where the process's state lives)
    install(None)
    stand_in = None
    reporter = Reporter(SystemClock())


def _renew() -> None:
    """Begin with locks of its own in a forked child: a thread of the parent may have held these."""
    global _lock, reporter  # noqa: PLW0603  (as above)
    _lock = threading.RLock()
    reporter = Reporter(SystemClock())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
