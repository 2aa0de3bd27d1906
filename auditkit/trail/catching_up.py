"""What is done to a directory before it is read: what waits in its journal is put into its ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditkit.configuration import LEDGER
from auditkit.errors import JournalUnavailable
from auditkit.files import home
from auditkit.trail.audit_trail import AuditTrail

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence


def remembered(directory: str | os.PathLike[str]) -> set[str]:
    """Return the names of the destinations that a directory keeps events for."""
    try:
        return {each.name for each in (home(Path(directory)) / "lanes").iterdir()}
    except OSError:  # there is none, or this user may not look
        return set()


def catch_up(
    directory: str | os.PathLike[str],
    *,
    secret: str | bytes | Sequence[str | bytes] | None = None,
    shared_group: bool = False,
    timeout: float = 10.0,
) -> bool:
    """Put into the ledger what waits for it in the journal, as after a process was killed.

    Only where the directory remembers a ledger: one that nobody keeps must not begin to be waited for. Records
    nothing, makes no directory, and leaves alone one that this process may not write.

    Args:
        directory: The audit directory.
        secret: What its segments may be signed with, as `configure` takes it.
        shared_group: Whether its group may read and write what is in it, as `configure` takes it.
        timeout: The longest wait for each of flush and shutdown, in seconds.

    Returns:
        False where something may still wait: it took too long, could not be read, or auditing is disabled.

    Raises:
        ConfigurationError: The secret cannot be used.
    """
    if LEDGER not in remembered(directory):
        return True
    try:
        trail = AuditTrail(directory=directory, secret=secret, shared_group=shared_group)
    except JournalUnavailable:
        return False
    caught_up = trail.flush(timeout)
    ended = trail.shutdown(timeout)
    # What a segment signed with another secret holds is told as trouble, and not known to be waiting.
    return trail.enabled and caught_up and ended and not trail.stats().troubles
