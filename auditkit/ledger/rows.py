"""An event as the ledger's columns. Pure.

What a person reads is the body; the columns only find it. Names are kept there without case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditkit.encoding import encode_event
from auditkit.event import whole_text
from auditkit.ledger.chain import SALT_SIZE
from auditkit.pacing import AT_ONCE, breathe
from auditkit.stated import stated_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.ledger.chain import Hasher
    from auditkit.protocols import Record, Stated

    # An event ready to be inserted, all but its place in the chain: its id, its digest and its values.
    Prepared = tuple[str, bytes, tuple[str | bytes, ...]]


def fold(name: str) -> str:
    """Return a name as it is compared: without case."""
    return whole_text(name).casefold()


def columns_of(stated: Stated) -> tuple[str, ...]:
    """Return what the columns must hold for an event, its id first."""
    event_id, occurred_at, group, actor_id, actor_name, action, target_id, target_name = stated
    return event_id, occurred_at, group, actor_id, actor_name.casefold(), action, target_id, target_name.casefold()


def prepare(records: Sequence[Record], salts: bytes, hasher: Hasher) -> list[Prepared]:
    """Return events as rows.

    Args:
        records: In the order of the ledger.
        salts: ``SALT_SIZE`` random bytes for each event.
        hasher: What the chain is made with.
    """
    prepared: list[Prepared] = []
    for number, record in enumerate(records):
        if number and number % AT_ONCE == 0:
            breathe()
        stated = record.stated or stated_of(record.event)
        body = record.body or encode_event(record.event)
        salt = salts[number * SALT_SIZE : (number + 1) * SALT_SIZE]
        digest = hasher.digest(salt, body)
        prepared.append((stated[0], digest, (*columns_of(stated), hasher.key_id, salt, digest, body)))
    return prepared
