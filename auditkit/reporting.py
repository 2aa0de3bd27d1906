"""Trouble inside auditkit: counted always, logged once per cause and window, never thrown."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditkit.clock import Clock

logger = logging.getLogger("auditkit")

_WINDOW = 60.0  # seconds for which one cause is logged once
_CAUSES = 1024  # causes remembered; past that the oldest are forgotten, and may be logged again
_DEPTH = 2  # what a log handler reports is logged; what a handler reports of that is only counted


class _Inside(threading.local):
    """How many of its own log lines this thread is writing: a log handler may report, each time another cause."""

    depth = 0


class Reporter:
    """Count troubles by code and log each cause once a window. Safe to call from any thread.

    Args:
        clock: Whose ``monotonic`` measures the window.
        window: Seconds for which one cause is logged once.
    """

    def __init__(self, clock: Clock, *, window: float = _WINDOW) -> None:
        """Begin with nothing counted."""
        self._clock = clock
        self._window = window
        self._lock = threading.RLock()  # a log handler may itself audit, and meet trouble, on this thread
        self._counts: Counter[str] = Counter()
        self._logged: dict[tuple[str, str], float] = {}
        self._inside = _Inside()

    def report(
        self,
        code: str,
        message: str,
        *,
        cause: str = "",
        error: BaseException | None = None,
        level: int = logging.ERROR,
    ) -> None:
        """Count one trouble, and log it unless the same cause was logged within the window.

        Args:
            code: A stable word for the kind of trouble, as ``stats()``, ``health()`` and the docs name it.
            message: What happened and what to do, complete; never a captured value.
            cause: What tells one cause from another of the same code, such as an action's name.
            error: Its type is added to the message, its text is not: that may hold data.
            level: The logging level.
        """
        if self._inside.depth == _DEPTH:
            self.count(code)
            return
        with self._lock:
            self._counts[code] += 1
            now = self._clock.monotonic()
            last = self._logged.pop((code, cause), None)
            silent = last is not None and now - last < self._window
            self._logged[code, cause] = last if silent and last is not None else now
            if len(self._logged) > _CAUSES:
                self._logged.pop(next(iter(self._logged)))
        if not silent:
            kind = f" ({type(error).__name__})" if error is not None else ""
            self._inside.depth += 1
            try:
                logger.log(level, "%s: %s%s", code, message, kind)
            except Exception:  # noqa: BLE001  (a handler's: neither a lane nor a caller may fail of it)
                self.count("log_failed")
            finally:
                self._inside.depth -= 1

    def count(self, code: str, number: int = 1) -> None:
        """Count without logging."""
        with self._lock:
            self._counts[code] += number

    def counts(self) -> dict[str, int]:
        """Return how often each code was reported."""
        with self._lock:
            return dict(self._counts)
