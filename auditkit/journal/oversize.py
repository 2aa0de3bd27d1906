"""Events that are larger than a record may be: cut to its size, wherever they are kept, so that all places agree."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from auditkit.cutting import TRUNCATED
from auditkit.encoding import MAX_RECORD, encode
from auditkit.errors import JournalError
from auditkit.fitting import fit

if TYPE_CHECKING:
    from auditkit.draft import Draft
    from auditkit.reporting import Reporter


def cut_to_record(draft: Draft, size: int) -> Draft:
    """Return a draft whose JSON has so many bytes, too many for a record, as one that fits. Pure.

    Raises:
        JournalError: What may not be cut is itself too long.
    """
    cut = fit(draft, size - MAX_RECORD)
    if len(encode(cut)) > MAX_RECORD:
        raise JournalError(f"an event must be at most {MAX_RECORD} bytes as JSON, got {size}")
    return cut


def tell_cut(reporter: Reporter, action: str, size: int) -> None:
    """Count an event that was cut, and say so."""
    reporter.report(
        "truncated",
        f"{action} was recorded with its longest values cut, since its {size} bytes as JSON are more than "
        f"{MAX_RECORD}; the event names them under {TRUNCATED}: capture fewer fields, or shorter ones",
        cause=action,
        level=logging.WARNING,
    )


def within_record(draft: Draft, reporter: Reporter) -> Draft:
    """Return a draft as it is kept: itself, or cut to the size of a record, which is counted and told.

    Raises:
        JournalError: What may not be cut is itself too long.
    """
    size = len(encode(draft))
    if size <= MAX_RECORD:
        return draft
    cut = cut_to_record(draft, size)
    tell_cut(reporter, draft.action, size)
    return cut
