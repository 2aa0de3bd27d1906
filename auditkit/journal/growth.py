"""How a journal tells its lanes that it has grown, at almost no cost to the thread that records."""

from __future__ import annotations

import threading


class Growth:
    """A number that rises, and those who wait for it to rise.

    The recording thread adds one and looks whether anybody waits: two attribute reads, no lock. A waiter
    first says that it waits and then looks at the number, so that one of the two always sees the other.
    """

    __slots__ = ("_condition", "_waiting", "number")

    def __init__(self) -> None:
        """Begin at nothing."""
        self.number = 0
        self._waiting = 0
        self._condition = threading.Condition()

    def rise(self) -> None:
        """Add one; called under the journal's lock."""
        self.number += 1

    def tell(self) -> None:
        """Wake whoever waits; called without the journal's lock."""
        if self._waiting:
            self.wake()

    def wake(self) -> None:
        """Wake everybody, whether the number rose or not."""
        with self._condition:
            self._condition.notify_all()

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until the number is not ``seen`` any more or somebody wakes all, at most ``timeout`` seconds."""
        with self._condition:
            self._waiting += 1
            try:
                if self.number == seen:
                    self._condition.wait(timeout)
            finally:
                self._waiting -= 1
        return self.number
