"""How long a send may take where its caller cannot leave it behind, as at the interpreter's exit.

There no thread can be started any more: what delivers is the thread that ends the process. A transport of
auditkit's own gives up when patience ends; one that does not ask takes its own time.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNTIL: ContextVar[float] = ContextVar("auditkit_patience", default=math.inf)


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """Let nothing inside take longer than to ``deadline``, on the clock's monotonic scale."""
    token = _UNTIL.set(min(deadline, _UNTIL.get()))
    try:
        yield
    finally:
        _UNTIL.reset(token)


def left(now: float) -> float:
    """Return the seconds of patience left at ``now``; infinite where nobody is in a hurry."""
    return max(0.0, _UNTIL.get() - now)
