"""``record``: one fact, with the ambient context, as an audited call would record it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, Unpack

from auditkit import _current
from auditkit.capture.attribute import identified
from auditkit.capture.call import CALL
from auditkit.capture.composition import JUDGEMENTS, SUCCESS, merged, normalised, overlaid, stated_change
from auditkit.capture.holding import hold, holder
from auditkit.capture.tracing import ambient
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
    stated_key,
    text_id,
)

if TYPE_CHECKING:
    from datetime import datetime

    from auditkit.capture.audited import ActionTypeName
    from auditkit.draft import Scene
    from auditkit.protocols import Receipt, Recorder

_NOWHERE: Final = ("", -1)


class Fact(TypedDict, total=False):
    """What `record` takes by name."""

    actor: object
    target: object
    group: object
    location: object
    before: object
    after: object
    metadata: Mapping[str, Any] | None
    outcome: str
    occurred_at: datetime | str | None
    id: str | None


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
    outcome: str = SUCCESS,
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
        metadata: More to record. Values that an event does not take (a ``Decimal``, a list, an object) are told as
            a state's are.
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
    fact: Fact = {
        "actor": actor,
        "target": target,
        "group": group,
        "location": location,
        "before": before,
        "after": after,
        "metadata": metadata,
        "outcome": outcome,
        "occurred_at": occurred_at,
        "id": id,
    }
    trail: Recorder = _current.chosen(None)
    receipt, written = _write(trail, action, action_type, fact)
    if trail.syncs_each and written:
        try:
            trail.settle()
        except Exception as error:  # noqa: BLE001  (nothing of auditkit's own may reach the application unasked)
            return _not_recorded(trail, action, receipt.id, error)
    return receipt


async def arecord(action: str, action_type: ActionTypeName, **fact: Unpack[Fact]) -> Receipt:
    """Record one fact as `record` does; under ``fsync="always"`` the event loop is not held.

    Args:
        action: As for `record`.
        action_type: As for `record`.
        fact: What `record` takes by name.

    Returns:
        A receipt.

    Raises:
        RecordingFailed: As `record` does.
    """
    trail: Recorder = _current.chosen(None)
    receipt, written = _write(trail, action, action_type, fact)
    if trail.syncs_each and written:
        try:
            await trail.asettle()
        except Exception as error:  # noqa: BLE001  (as in record)
            return _not_recorded(trail, action, receipt.id, error)
    return receipt


def _write(trail: Recorder, action: str, action_type: ActionTypeName, fact: Fact) -> tuple[Receipt, bool]:
    """Write a fact down; return its receipt, and whether it is in the journal: not if it is held, or could not be.

    Raises:
        RecordingFailed: That was asked to be raised.
    """
    scope = current_scope()
    event_id = fact.get("id") or new_id()
    if not trail.enabled or (scope is not None and scope.suppressing):
        return trail.receipt(event_id, _NOWHERE), False
    now = trail.time_ns()
    occurred_at = fact.get("occurred_at")
    try:
        name = check_action(action)
        actor, target = fact.get("actor"), fact.get("target")
        scene = overlaid(
            trail.scene if scope is None else scope.scene(trail.defaults),
            actor=None if actor is None else Actor.of(identified(actor)),
            group=_stated(fact, "group"),
            location=_stated(fact, "location"),
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
        state = stated_change(fact.get("before"), fact.get("after"))
        if not state and action_type == "U" and fact.get("before") is not None:
            trail.note_unchanged(name)
        metadata, outcome = fact.get("metadata"), _outcome(fact.get("outcome", SUCCESS))
        told = {} if outcome == SUCCESS else {"outcome": outcome}
        layers = merged(told, state, _metadata({} if metadata is None else metadata), ambient(trail, scene))
        draft = trail.redactor.draft(draft_of(event)._replace(scene=scene, metadata=layers))
        if occurred_at is None:
            draft = draft._replace(occurred_ns=now)
        on_commit = holder(scope, action_type, succeeded=not told)
        if on_commit is not None:
            return hold(on_commit, trail, draft), False
        return trail.receipt(event_id, trail.write(draft)), True
    except Exception as error:  # noqa: BLE001  (nothing of auditkit's own may reach the application unasked)
        return _not_recorded(trail, action, event_id, error), False


def _metadata(given: object) -> dict[str, Any]:
    """Return metadata as it was stated; a value that an event does not take is normalised as a state is.

    Raises:
        InvalidEventError: It is no mapping.
    """
    if not isinstance(given, Mapping):
        return check_metadata(given)  # which says so
    stated: dict[str, Any] = {}
    for key, value in given.items():
        try:
            stated.update((stated_key(name), each) for name, each in check_metadata({key: value}).items())
        except InvalidEventError:  # a fact must not be lost for a Decimal beside it
            stated.update(normalised(key, value))
    return stated


def _stated(fact: Fact, field: Literal["group", "location"]) -> str | None:
    value = fact.get(field)
    return None if value is None else _text(value, field)


def _text(value: object, field: str) -> str:
    text = text_id(value, field)
    if not text:
        raise InvalidEventError(field, "''", "a non-empty str")
    return text


def _outcome(value: object) -> str:
    outcome = _text(value, "outcome")
    if outcome not in JUDGEMENTS:
        raise InvalidEventError("outcome", describe(value), "'success', 'failure' or 'denied'")
    return outcome


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
        occurred_at=occurred_at,
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
