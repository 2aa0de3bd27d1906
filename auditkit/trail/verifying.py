"""Whether what a directory holds is as it was recorded: its ledger and its journal, with a secret's keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditkit import configuration
from auditkit.errors import LedgerError
from auditkit.files import home
from auditkit.journal import JournalVerification, Keys, verify_journal
from auditkit.ledger import Verification, ledger_path, verify
from auditkit.trail.set_aside import set_aside_in

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryVerification:
    """What can be vouched for of a directory, and what cannot.

    Attributes:
        ledger: What can be vouched for of its ledger; None where there is none.
        journal: What can be vouched for of what waits.
        set_aside: Files with what was hit by damage that was found, named from the directory on.
    """

    ledger: Verification | None
    journal: JournalVerification
    set_aside: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Return whether everything is as it was recorded: nothing is bad, beyond judging, or put aside."""
        is_kept = self.ledger is None or self.ledger.first_bad is None
        return is_kept and self.journal.first_bad is None and not self.journal.unknown and not self.set_aside


def verify_directory(
    directory: str | os.PathLike[str], *, secret: str | bytes | Sequence[str | bytes] | None = None
) -> DirectoryVerification:
    """Read an audit directory's ledger, if it has one, and its journal to their ends. Changes nothing.

    Args:
        directory: The audit directory, or the volume that it lies in.
        secret: What they may be signed with, as `configure` takes it.

    Raises:
        ConfigurationError: The secret cannot be used.
        LedgerError: The ledger is of a newer format, or something may not be read.
    """
    settings = configuration.settle(None, directory=directory, secret=secret)
    root = home(Path(directory))
    has_ledger = ledger_path(root).exists()
    ledger = verify(root, keys=settings.subkeys("ledger")) if has_ledger else None
    try:
        journal = verify_journal(root, Keys(settings.subkeys("chain")))
        set_aside = tuple(path.relative_to(root).as_posix() for path in set_aside_in(root))
    except OSError as error:
        raise LedgerError(f"the journal in {root} cannot be read: {error.strerror}") from None
    return DirectoryVerification(ledger=ledger, journal=journal, set_aside=set_aside)
