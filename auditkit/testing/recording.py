"""Record in memory what a test audits."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from auditkit.testing.recorded_events import RecordedEvents
from auditkit.trail.standing_in import standing_in
from auditkit.transports import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def recording() -> Iterator[RecordedEvents]:
    """Give the events that are recorded inside, as they are recorded; they are nowhere else.

    A trail in memory takes the place of the process-wide one, with its rules (what is redacted, required, a
    denial). It sees all threads and tasks of this process, and none of another: a forked child keeps its own. An
    application that calls `auditkit.configure` inside changes the rules, and makes no directory and sends nothing.
    What is recorded on a trail of its own (``trail=``) goes there. ``AUDITKIT_DISABLED`` does not hold inside.

    May be nested: the innermost records. The fixture ``audit_events`` of auditkit's pytest plugin is this.

    Thread-safety: any number of threads may record; enter and leave it on one thread, one at a time in a process.
    """
    memory = MemoryTransport()
    with standing_in(memory) as troubles:
        yield RecordedEvents(memory, troubles)
