"""Whether what a directory holds is as it was recorded: its ledger and its journal, with a secret's keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditkit import configuration
from auditkit.errors import LedgerError
from auditkit.files import home
from auditkit.journal import JournalVerification, Keys, verify_journal
from auditkit.ledger import Verification, ledger_path, verify

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence


def verify_directory(
    directory: str | os.PathLike[str], *, secret: str | bytes | Sequence[str | bytes] | None = None
) -> tuple[Verification | None, JournalVerification]:
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
        return ledger, verify_journal(root, Keys(settings.subkeys("chain")))
    except OSError as error:
        raise LedgerError(f"the journal in {root} cannot be read: {error.strerror}") from None
