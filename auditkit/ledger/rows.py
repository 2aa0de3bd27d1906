"""An event as the ledger's columns. Pure.

What a person reads is the body; the columns only find it. Names are kept there without case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from auditkit.encoding import nanoseconds_of, wire_time
from auditkit.event import whole_text
from auditkit.ledger.chain import SALT_SIZE, digest_of, key_id
from auditkit.pacing import AT_ONCE, breathe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.event import Event
    from auditkit.protocols import Record


class Columns(NamedTuple):
    """The columns that filters ask."""

    occurred_at: str
    group_id: str
    actor_id: str
    actor_name: str
    action: str
    target_id: str
    target_name: str


class Prepared(NamedTuple):
    """An event ready to be inserted, all but its place in the chain."""

    id: str
    digest: bytes
    values: tuple[str | bytes, ...]


def fold(name: str) -> str:
    """Return a name as it is compared: without case."""
    return whole_text(name).casefold()


def columns_of(event: Event) -> Columns:
    """Return what the columns must hold for an event."""
    # whole_text once more: a lone surrogate in a captured text cannot be bound, and the trail must go on.
    return Columns(
        wire_time(nanoseconds_of(event)),
        whole_text(event.group),
        whole_text(event.actor_id),
        fold(event.actor_name),
        event.action,
        whole_text(event.target_id),
        fold(event.target_name),
    )


def prepare(records: Sequence[Record], salts: bytes, key: bytes | None) -> list[Prepared]:
    """Return events as rows.

    Args:
        records: In the order of the ledger, each with its recorded JSON.
        salts: ``SALT_SIZE`` random bytes for each event.
        key: The subkey that signs, or None.
    """
    signer = key_id(key)
    prepared = []
    for number, (_, event, body, _) in enumerate(records):
        if number and number % AT_ONCE == 0:
            breathe()
        salt = salts[number * SALT_SIZE : (number + 1) * SALT_SIZE]
        digest = digest_of(salt, body, key)
        prepared.append(Prepared(event.id, digest, (event.id, *columns_of(event), signer, salt, digest, body)))
    return prepared
