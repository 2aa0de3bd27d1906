"""A trail in memory that takes the place of the process-wide one, for as long as a test records."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from auditkit import _current, configuration
from auditkit.trail.audit_trail import AuditTrail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from auditkit.configuration import Settings
    from auditkit.protocols import Transport


@contextmanager
def standing_in(transport: Transport) -> Iterator[Callable[[], Mapping[str, int]]]:
    """Record on a trail in memory inside; the process-wide trail rests, and is back afterwards.

    The rules of the process-wide trail hold, if there is one: what it redacts, requires, takes for a denial.
    `configure` inside changes them, as an application that is set up by a test does, and nothing else: no
    directory is made, and no transport but this one gets anything. What ``AUDITKIT_DISABLED`` says does not hold.

    For one test at a time in a process, whose threads and tasks may be as many as they like.

    Args:
        transport: What gets each event; called on the recording thread where it is inline.

    Yields:
        What tells the audit errors of the latest trail that stood in, by their codes; also afterwards.
    """
    before, outer = _current.trail, _current.stand_in
    stood_in: list[AuditTrail] = []

    def record_by(settings: Settings) -> AuditTrail:
        trail = AuditTrail.of(_in_memory(settings, transport))
        trail.enabled = True
        stood_in.append(trail)
        _current.install(trail)
        return trail

    record_by(before.settings if before is not None else configuration.settle(None, directory=None))
    _current.stand_in = record_by
    try:
        yield lambda: stood_in[-1].stats().troubles
    finally:
        _current.stand_in = outer
        _current.install(before)
        for trail in stood_in:
            trail.shutdown(timeout=0.0)


def _in_memory(settings: Settings, transport: Transport) -> Settings:
    return settings._replace(
        transports=(transport,),
        directory=None,
        syncs_each=False,
        ledger=False,
        deliver=True,
        shared_group=False,
    )
