"""``record``: one fact, with the ambient context, as an audited call would record it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditkit import _current
from auditkit.capture.attribute import identified
from auditkit.capture.call import CALL
from auditkit.capture.composition import merged, overlaid
from auditkit.capture.entry import stated_change
from auditkit.clock import new_id
from auditkit.context import current_scope
from auditkit.encoding import draft_of
from auditkit.errors import AuditError, InvalidEventError, RecordingFailed
from auditkit.event import (
    Actor,
    Event,
    Target,
    check_action,
    check_action_type,
    check_metadata,
    describe,
    instant_of,
    text_id,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from auditkit.capture.audited import ActionTypeName
    from auditkit.draft import Scene
    from auditkit.protocols import Receipt, Recorder

_NOWHERE = ("", -1)
_SUCCESS = "success"


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
    outcome: str = _SUCCESS,
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
        outcome: ``"success"``, ``"failure"`` or ``"denied"``; recorded unless it is ``"success"``.
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
    event_id = id or new_id()
    if not trail.enabled or (scope is not None and scope.suppressing):
        return trail.receipt(event_id, _NOWHERE)
    now = trail.time_ns()
    try:
        name = check_action(action)
        scene = overlaid(
            trail.scene if scope is None else scope.scene(trail.defaults),
            actor=None if actor is None else Actor.of(identified(actor)),
            group=None if group is None else _text(group, "group"),
            location=None if location is None else _text(location, "location"),
        )
        _require(trail, scene, name)
        # Validated as an event is, since a user states it.
        event = _event(
            scene,
            (name, check_action_type(action_type)),
            None if target is None else Target.of(identified(target)),
            instant_of(now) if occurred_at is None else occurred_at,
            event_id,
        )
        state = stated_change(before, after)
        if not state and action_type == "U" and before is not None:
            trail.note_unchanged(name)
        told = {} if outcome == _SUCCESS else {"outcome": _text(outcome, "outcome")}
        layers = merged(told, state, check_metadata({} if metadata is None else metadata), scene.metadata)
        draft = draft_of(event)._replace(scene=scene, metadata=trail.redactor.apply(layers))
        position = trail.write(draft if occurred_at is not None else draft._replace(occurred_ns=now))
        if trail.syncs_each:
            trail.settle()
    except Exception as error:  # noqa: BLE001  (nothing of auditkit's own may reach the application unasked)
        return _not_recorded(trail, action, event_id, error)
    return trail.receipt(event_id, position)


def _text(value: object, field: str) -> str:
    text = text_id(value, field)
    if not text:
        raise InvalidEventError(field, "''", "a non-empty str")
    return text


def _require(trail: Recorder, scene: Scene, action: str) -> None:
    """Refuse a scene that lacks what the trail requires, where refusals are raised; told in any case."""
    missing = trail.require(scene, action) if scene.missing else ""
    if missing and trail.raises:
        raise RecordingFailed(missing)


def _event(
    scene: Scene, kind: tuple[str, str], target: Target | None, occurred_at: datetime | str, event_id: str
) -> Event:
    """Return the event itself, without its metadata."""
    action, action_type = kind
    category = action.partition(".")[0]
    parent = CALL.get()
    return Event(
        group=scene.group,
        action=action,
        action_type=action_type,
        actor_name=scene.actor_name,
        actor_id=scene.actor_id,
        target_name=category if target is None else target.name,
        target_id="" if target is None else target.id,
        location=scene.location,
        occurred_at=occurred_at,  # type: ignore[arg-type]  # it reads a text too
        id=event_id,
        actor_type=scene.actor_type,
        target_type=(target.type if target else None) or category,
        parent_id=None if parent is None else parent.event_id(),
        correlation_id=scene.correlation_id,
    )


def _not_recorded(trail: Recorder, action: object, event_id: object, error: Exception) -> Receipt:
    """Tell that a fact could not be recorded; raise it where that was asked for."""
    name = describe(action)
    reason = f": {error}" if isinstance(error, AuditError) else ""
    message = f"record({name}) could not be recorded ({type(error).__name__}{reason})"
    trail.trouble("not_recorded", message, cause=f"record.{name}", error=error)
    if trail.raises:
        raise RecordingFailed(message) from None
    return trail.receipt(event_id if isinstance(event_id, str) else new_id(), _NOWHERE)
