"""An event as the ledger's columns. Pure.

What a person reads is the body; the columns only find it. Names are kept there without case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from auditkit.encoding import draft_of, encode, wire_time
from auditkit.event import whole_text
from auditkit.ledger.chain import SALT_SIZE, digest_of, key_id
from auditkit.pacing import AT_ONCE, breathe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.draft import Draft
    from auditkit.event import Event


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
    return _columns(draft_of(event))


def _columns(draft: Draft) -> Columns:
    # whole_text once more: a lone surrogate in a captured text cannot be bound, and the trail must go on.
    scene = draft.scene
    return Columns(
        wire_time(draft.occurred_ns),
        whole_text(scene.group),
        whole_text(scene.actor_id),
        fold(scene.actor_name),
        draft.action,
        whole_text(draft.target_id),
        fold(draft.target_name),
    )


def prepare(events: Sequence[Event], salts: bytes, key: bytes | None) -> list[Prepared]:
    """Return events as rows.

    Args:
        events: In the order of the ledger.
        salts: ``SALT_SIZE`` random bytes for each event.
        key: The subkey that signs, or None.
    """
    signer = key_id(key)
    prepared = []
    for number, event in enumerate(events):
        if number and number % AT_ONCE == 0:
            breathe()
        salt = salts[number * SALT_SIZE : (number + 1) * SALT_SIZE]
        draft = draft_of(event)
        body = encode(draft)
        digest = digest_of(salt, body, key)
        prepared.append(Prepared(event.id, digest, (event.id, *_columns(draft), signer, salt, digest, body)))
    return prepared
