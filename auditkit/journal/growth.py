"""How a journal tells its lanes that it has grown, at almost no cost to the thread that records."""

from __future__ import annotations

import threading


class Growth:
    """A number that rises, and those who wait for it to rise.

    The recording thread adds one and looks whether anybody waits: two attribute reads, no lock. A waiter
    first says that it waits and then looks at the number, so that one of the two always sees the other.

    Attributes:
        number: How many events were recorded; raised in one step of the interpreter, or under the journal's lock.
        waiting: How many threads wait.
    """

    __slots__ = ("_condition", "_wakes", "number", "waiting")

    def __init__(self) -> None:
        """Begin at nothing."""
        self.number = 0
        self.waiting = 0
        self._wakes = 0
        # On a re-entrant lock: a signal handler may record, and so wake, inside `wait` or `wake`.
        self._condition = threading.Condition()

    @property
    def moment(self) -> int:
        """Return a number that rises with each event and with each wake.

        Two counts, since they are raised under two locks: no rise of one can be lost to the other.
        """
        return self.number + self._wakes

    def tell(self) -> None:
        """Wake whoever waits, after the number rose; called without the journal's lock."""
        if self.waiting:
            with self._condition:
                self._condition.notify_all()

    def wake(self) -> None:
        """Wake everybody, and whoever is about to wait."""
        with self._condition:
            self._wakes += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until the moment is not ``seen`` any more, at most ``timeout`` seconds; return the moment."""
        with self._condition:
            self.waiting += 1
            try:
                if self.moment == seen:
                    self._condition.wait(timeout)
            finally:
                self.waiting -= 1
            return self.moment
