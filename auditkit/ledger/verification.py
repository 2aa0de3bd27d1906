"""Verify a ledger: walk its chain, and compare what filters ask with what was recorded."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditkit.encoding import decode
from auditkit.errors import LedgerError
from auditkit.ledger import schema
from auditkit.ledger.chain import GENESIS, Break, ChainedRow, Walk
from auditkit.ledger.database import is_blank, is_damage, reading
from auditkit.ledger.rows import columns_of
from auditkit.stated import stated_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PAGE = 500  # entries read at once; no transaction is open while they are judged
_CHAIN_PARTS = len(ChainedRow._fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What can be vouched for.

    Entries that were cut off the end by somebody who set the chain's end back too are not noticed: that
    takes a head kept elsewhere, to compare ``head`` with. Without a secret, neither is a chain made anew.

    Attributes:
        checked: How many entries, from the first on, are as they were recorded.
        signed: How many of them were signed with one of the keys given.
        head: The link of the last of them, in hex.
        first_bad: The first record that is not, or None.
    """

    checked: int
    signed: int
    head: str
    first_bad: Break | None


def verify(directory: Path | str, *, keys: Sequence[bytes] = ()) -> Verification:
    """Walk the ledger's chain from its beginning.

    Args:
        directory: The audit directory.
        keys: The subkeys that may have signed it: today's, and one that was in use before.

    Raises:
        LedgerError: There is no ledger, it is of a newer format, or may not be read.
        ConfigurationError: A key has not 16 to 64 bytes.
    """
    walk = Walk(keys)
    try:
        # One connection throughout, so that all pages are of one file, should a writer move it aside meanwhile.
        with reading(schema.ledger_path(directory)) as connection:
            first_bad = None if is_blank(connection) else _walk(connection, walk)
    except LedgerError as error:
        cause = error.__cause__
        if not (isinstance(cause, sqlite3.Error) and is_damage(cause)):
            raise
        first_bad = Break(walk.position + 1, None, f"cannot be read: {cause}")
    return Verification(checked=walk.position, signed=walk.signed, head=walk.link.hex(), first_bad=first_bad)


def _walk(connection: sqlite3.Connection, walk: Walk) -> Break | None:
    # The end is read first: entries that come while we walk are walked as well, but not missed.
    head, link, last = connection.execute(schema.READ_END).fetchone()
    at_head = GENESIS
    while page := connection.execute(schema.READ_CHAIN, (walk.position, _PAGE)).fetchall():
        for row in page:
            found = walk.follow(ChainedRow(*row[:_CHAIN_PARTS])) or _differs(row)
            if found is not None:
                return found
            if walk.position == head:
                at_head = walk.link
    return _judge_end(head, link, last, at_head)


def _differs(row: tuple[object, ...]) -> Break | None:
    """Return what is wrong where the columns, by which filters find an entry, are not those of its body."""
    chained = ChainedRow(*row[:_CHAIN_PARTS])  # type: ignore[arg-type]  # the walk has judged them
    if chained.body is None:
        return None
    try:
        if columns_of(stated_of(decode(chained.body))) == (chained.id, *row[_CHAIN_PARTS:]):
            return None
    except (ValueError, TypeError, RecursionError):
        return Break(chained.position, chained.id, "is not a recorded event")
    return Break(chained.position, chained.id, "was changed: its columns are not those of its body")


def _judge_end(head: int, link: bytes | None, last: int, at_head: bytes) -> Break | None:
    if last < head:
        return Break(last + 1, None, f"is missing; the chain ended at {head}")
    if last > head:
        return Break(head + 1, None, "stands beyond the end of the chain that was written down")
    if at_head != (link or GENESIS):
        return Break(head, None, "is not the end of the chain that was written down")
    return None
