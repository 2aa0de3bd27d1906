"""``record``: one fact, with the ambient context, as an audited call would record it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from auditkit import _current
from auditkit.capture.call import CALL
from auditkit.capture.composition import overlay
from auditkit.clock import new_id
from auditkit.context import current_scope
from auditkit.draft import Draft
from auditkit.encoding import draft_of
from auditkit.errors import AuditError, RecordingFailed
from auditkit.event import Actor, Event, Target, check_action, check_action_type, check_metadata, text_id
from auditkit.snapshot import created, deleted, difference, snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from auditkit.capture.audited import ActionTypeName
    from auditkit.protocols import Receipt, Recorder

_NOWHERE = ("", -1)


def record(  # noqa: PLR0913  (the design's names; all but two by keyword)
    action: str,
    action_type: ActionTypeName,
    *,
    actor: object = None,
    target: object = None,
    group: object = None,
    location: object = None,
    before: object = None,
    after: object = None,
    metadata: Mapping[str, Any] | None = None,
    outcome: Literal["success", "failure", "denied"] | str = "success",
    occurred_at: datetime | str | None = None,
    id: str | None = None,  # noqa: A002  (the design's name)
) -> Receipt:
    """Record one fact with the ambient context: a login, a denial in a handler, a backfill.

    Args:
        action: What was done: a category and a name separated by a period.
        action_type: ``"C"``, ``"R"``, ``"U"`` or ``"D"``.
        actor: Who did it; by default the context's actor.
        target: What it was done to: an id, an ``(id, name)`` pair, or an object with ``pk`` or ``id``.
        group: For which group; by default the context's.
        location: Where from; by default the context's.
        before: The state before, in any form that ``capture`` takes.
        after: The state after.
        metadata: More to record.
        outcome: Recorded unless it is ``"success"``.
        occurred_at: When, an aware ``datetime`` or ISO-8601 text with an offset; now by default.
        id: The event's id, such as an older system's idempotency key; a new one by default.

    Returns:
        A receipt, for those who want to wait until the event is delivered.

    Raises:
        RecordingFailed: It could not be recorded, and the trail was configured with
            ``on_audit_error="raise"``; otherwise that is counted and logged.

    Thread-safety: may be called from anywhere, signal handlers included.
    """
    trail: Recorder = _current.trail or _current.resolve()
    scope = current_scope()
    if not trail.enabled or (scope is not None and scope.suppressing):
        return trail.receipt(id or new_id(), _NOWHERE)
    event_id = id or new_id()
    try:
        draft = _draft(
            trail,
            event_id,
            check_action(action),
            check_action_type(action_type),
            actor=actor,
            target=target,
            group=group,
            location=location,
            state=_state(before, after),
            metadata=metadata,
            outcome=outcome,
            occurred_at=occurred_at,
        )
        position = trail.write(draft)
        if trail.syncs_each:
            trail.settle()
    except Exception as error:  # noqa: BLE001  (nothing of auditkit's own may reach the application unasked)
        reason = f": {error}" if isinstance(error, AuditError) else ""
        message = f"record({action!r}) could not be recorded ({type(error).__name__}{reason})"
        trail.trouble("not_recorded", message, cause=str(action), error=error)
        if trail.raises:
            raise RecordingFailed(message) from None
        return trail.receipt(event_id, _NOWHERE)
    return trail.receipt(event_id, position)


def _state(before: object, after: object) -> dict[str, Any]:
    if before is None:
        return {} if after is None else created(snapshot(after))
    if after is None:
        return deleted(snapshot(before))
    return difference(snapshot(before), snapshot(after))


def _draft(  # noqa: PLR0913  (what record takes)
    trail: Recorder,
    event_id: str,
    action: str,
    action_type: str,
    *,
    actor: object,
    target: object,
    group: object,
    location: object,
    state: dict[str, Any],
    metadata: Mapping[str, Any] | None,
    outcome: str,
    occurred_at: datetime | str | None,
) -> Draft:
    scope = current_scope()
    scene = trail.scene if scope is None else scope.scene(trail.defaults)
    given = {name for name, value in (("actor", actor), ("group", group), ("location", location)) if value is not None}
    if given:
        scene = overlay(
            scene,
            Actor(scene.actor_id, scene.actor_name, scene.actor_type) if actor is None else Actor.of(actor),
            scene.group if group is None else text_id(group, "group"),
            scene.location if location is None else text_id(location, "location"),
            tuple(name for name in scene.missing if name not in given),
        )
    if scene.missing:
        trail.require(scene, action)
    of = None if target is None else Target.of(target)
    category = action.partition(".")[0]
    parent = CALL.get()
    merged: dict[str, Any] = {} if outcome == "success" else {"outcome": outcome}
    for layer in (state, check_metadata(metadata or {}), scene.metadata):
        for key, value in layer.items():
            merged.setdefault(key, value)
    now = trail.time_ns()
    # Validated as an event is, since a user states it; then the parts as an audited call has them.
    event = Event(
        scene.group, action, action_type, scene.actor_name, scene.actor_id,
        category if of is None else of.name, "" if of is None else of.id, scene.location,
        **({} if occurred_at is None else {"occurred_at": occurred_at}),  # type: ignore[arg-type]  # it judges
        id=event_id, actor_type=scene.actor_type, target_type=(of.type if of else None) or category,
        parent_id=None if parent is None else parent.mint(), correlation_id=scene.correlation_id,
    )  # fmt: skip
    made = draft_of(event)
    return made._replace(
        occurred_ns=now if occurred_at is None else made.occurred_ns,
        scene=scene,
        metadata=trail.redactor.apply(merged),
    )
