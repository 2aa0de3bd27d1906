"""``export_context``: the audit context that is here, as a dict that any queue can take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditkit import _current
from auditkit.capture.call import CALL
from auditkit.context import current_context
from auditkit.crossing.sealing import MAX_BYTES, fits, plain, sealed

if TYPE_CHECKING:
    from auditkit.event import Actor
    from auditkit.protocols import Recorder


def export_context(*, trail: Recorder | None = None) -> dict[str, Any]:
    """Return the audit context that is here as a small dict that JSON takes, for `restored_context` elsewhere.

    It has what is bound: the actor, the group, the location, the party on whose behalf it is done, metadata, the
    correlation id, and as ``parent_id`` the id of the audited call that is under way. Callables that were not
    asked yet are asked. Metadata is redacted by the trail's rules, all else is there to be read. Outside any
    scope it is valid and says nothing.

    Args:
        trail: Whose secret signs it and whose rules redact; the process-wide trail by default. Without a secret
            it is not signed.

    Where it would be larger than 64 KiB of JSON, which is counted and logged, it goes without the metadata, and
    says nothing if that is not enough. Never raises for what is bound.
    """
    trail = _current.chosen(trail)
    fields = _bound_here(trail)
    if not fits(fields):
        trail.trouble(
            "context_too_large",
            f"an exported context would be larger than {MAX_BYTES} bytes, and goes without its metadata; bind less",
            cause="export",
        )
        fields.pop("metadata", None)
        if not fits(fields):
            fields = {}
    return sealed(fields, trail.context_keys)


def _bound_here(trail: Recorder) -> dict[str, Any]:
    context, call = current_context(), CALL.get()
    fields = {
        "group": context.group,
        "actor": _party(context.actor),
        "location": context.location,
        "on_behalf_of": _party(context.on_behalf_of),
        "metadata": plain(trail.redactor.apply(context.metadata)) or None,
        "correlation_id": context.correlation_id,
        "parent_id": None if call is None else call.event_id(),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _party(actor: Actor | None) -> dict[str, str] | None:
    return None if actor is None else {"id": actor.id, "name": actor.name, "type": actor.type}
