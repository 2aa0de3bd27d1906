"""Forgetting a destination that nobody needs any more, so that what waits for it holds nothing back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditkit.errors import ConfigurationError, JournalUnavailable
from auditkit.files import home
from auditkit.journal import backlog, drop_lane, finish, interrupted, is_worked
from auditkit.trail.catching_up import remembered

if TYPE_CHECKING:
    import os


def forget(directory: str | os.PathLike[str], destination: str) -> int:
    """Forget a destination: nothing is kept for it any more, and what waits for nobody else goes.

    Its dead letters stay: they are the record of what it refused. What was about to be put back for it goes with
    what waits. A process that has it in its configuration remembers it anew when it begins.

    Args:
        directory: The audit directory, or the volume that it lies in.
        destination: Its name.

    Returns:
        How many events it never gets.

    Raises:
        ConfigurationError: There is none of this name, or a process works it.
        JournalUnavailable: The directory cannot be written.
    """
    root = home(Path(directory))
    names = remembered(root)
    if destination not in names:
        there = f"it keeps events for {', '.join(sorted(names))}" if names else "it keeps events for none"
        raise ConfigurationError(f"there is no destination {destination} in {directory}; {there}")
    try:
        if is_worked(root, destination):
            raise ConfigurationError(
                f"a process works {destination}; take it out of that one's configuration, or stop it, then drop it"
            )
        finish(root, destination)  # what a killed requeue left beside the letters waits in the journal now
        if interrupted(root, destination):
            raise ConfigurationError(f"dead letters are being put back for {destination}; drop it when that has ended")
        lost = backlog(root, destination)
        drop_lane(root, destination)
    except OSError as error:
        raise JournalUnavailable(f"cannot drop {destination} from {root}: {error.strerror}") from None
    return lost
