"""What a command does before it reads: put into the ledger what waits for it in the journal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from auditkit.configuration import LEDGER
from auditkit.errors import JournalUnavailable
from auditkit.trail import AuditTrail

if TYPE_CHECKING:
    from pathlib import Path


def remembered(directory: Path) -> set[str]:
    """Return the names of the destinations that a directory keeps events for."""
    try:
        return {each.name for each in (directory / "lanes").iterdir()}
    except OSError:  # there is none, or this user may not look
        return set()


def secret_of_environment() -> str | None:
    """Return the secret that ``AUDITKIT_SECRET`` holds, if there is one."""
    return os.environ.get("AUDITKIT_SECRET") or None


def catch_up(directory: Path, timeout: float) -> bool:
    """Put into the ledger what waits for it in the journal, as after a process was killed.

    Only where the directory remembers a ledger: one that nobody keeps must not begin to be waited for. Records
    nothing, makes no directory, and leaves alone one that this process may not write.

    Args:
        directory: The audit directory.
        timeout: The longest wait for each of flush and shutdown, in seconds.

    Returns:
        False where something may still wait, or could not be looked at.
    """
    if LEDGER not in remembered(directory):
        return True
    try:
        trail = AuditTrail(directory=directory, secret=secret_of_environment())
    except JournalUnavailable:
        return False
    caught_up = trail.flush(timeout)
    return trail.shutdown(timeout) and caught_up
