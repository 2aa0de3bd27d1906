"""From a call to the draft of its event: the target, what changed, what was stated, who and where."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from auditkit.clock import new_id
from auditkit.draft import Draft, Scene
from auditkit.event import Actor, Target, text_id
from auditkit.snapshot import CAPTURE, changes_since, created, deleted, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditkit.capture.call import Call
    from auditkit.event import MetadataValue
    from auditkit.redaction import Redactor

FAILURE, DENIED, CANCELLED = "failure", "denied", "cancelled"

_NOTHING: Final[dict[str, Any]] = {}
_PRINCIPAL: Final = ("on_behalf_of_id", "on_behalf_of_name")
# Without the Python function that a named tuple puts in front: a tenth of what composing costs.
_draft: Callable[[tuple[Any, ...]], Draft] = partial(tuple.__new__, Draft)


def observe(call: Call) -> None:
    """Read what must be read before the call: the state before it, and what it acts on."""
    declared = call.declared
    if declared.before is not None:
        try:
            call.before = snapshot(declared.before.read(call), fields=declared.fields, exclude=declared.exclude)
        except Exception as error:  # noqa: BLE001  (the user's references and callables: contained, told, marked)
            call.lost = type(error).__name__
            call.tell("before", declared.before, error)
    if declared.early_target:
        call.target = read_target(call)


def read_target(call: Call) -> tuple[str, str] | None:
    """Return the id and the name of what the call acts on, or None where they cannot be read."""
    of_id, of_name = call.declared.target, call.declared.target_name
    if of_id is None:
        return None
    try:
        value = of_id.read(call)
        if of_name is not None:
            return text_id(value, "target.id"), text_id(of_name.read(call), "target.name")
        if type(value) is str and value.isascii():  # what it nearly always is
            return value, value
        target = Target.of(value)
    except Exception as error:  # noqa: BLE001  (the user's references and callables: contained, told)
        call.tell("target", of_id, error)
        return None
    return target.id, target.name


def compose(call: Call, redactor: Redactor, told: Mapping[str, MetadataValue] = _NOTHING) -> Draft:
    """Return the draft of a call that has ended.

    Args:
        call: The call.
        redactor: The trail's rules with the declaration's.
        told: What auditkit itself says of it: the outcome and the error's type.
    """
    declared, trail, scope = call.declared, call.trail, call.scope
    now = trail.time_ns()
    scene = trail.scene if scope is None else scope.scene(trail.defaults)
    if declared.actor is not None or declared.group is not None:
        scene = _overlaid(call, scene)
    if scene.missing:
        call.trouble = trail.require(scene, declared.action) or call.trouble
    metadata: Mapping[str, Any] = _NOTHING
    if declared.observes and (call.error is None or told["outcome"] == CANCELLED):
        metadata = _changes(call)
    target = call.target or read_target(call) or ("", declared.category)
    if told or declared.states or scene.metadata:
        metadata = _merged(call, scene, metadata, told)
    parent = call.parent
    return _draft(
        (
            call.id or new_id.at(now),
            now,
            scene,
            declared.action,
            declared.action_type,
            target[0],
            target[1],
            declared.category,
            None if parent is None else parent.mint(),
            redactor.apply(metadata) if metadata else metadata,
        )
    )


def _changes(call: Call) -> dict[str, Any]:
    """Return what the observed state tells, under the names it has in metadata."""
    declared, before = call.declared, call.before
    if declared.after is None:
        return _lost(call.lost) if before is None else deleted(before)
    try:
        state = declared.after.read(call)
    except Exception as error:  # noqa: BLE001  (the user's references and callables: contained, told, marked)
        call.tell("after", declared.after, error)
        return _lost(type(error).__name__)
    if before is None:
        if declared.before is not None:
            return _lost(call.lost)
        return created(snapshot(state, fields=declared.fields, exclude=declared.exclude))
    changes = changes_since(before, state, fields=declared.fields, exclude=declared.exclude)
    if not changes and declared.action_type == "U":
        call.trail.note_unchanged(declared.action)
    return changes


def _lost(reason: str) -> dict[str, Any]:
    return {CAPTURE: f"unknown: the state could not be read ({reason})"} if reason else _NOTHING


def _merged(
    call: Call, scene: Scene, state: Mapping[str, Any], told: Mapping[str, MetadataValue]
) -> dict[str, Any]:
    """Merge metadata by precedence: auditkit's own, the state's, the declaration's, the context's."""
    context = scene.metadata
    merged: dict[str, Any] = dict(told)
    merged.update((key, context[key]) for key in _PRINCIPAL if key in context)
    for layer in (state, _stated(call), context):
        for key, value in layer.items():
            merged.setdefault(key, value)
    return merged


def _stated(call: Call) -> dict[str, Any]:
    declared = call.declared
    stated: dict[str, Any] = dict(declared.constants)
    for key, compiled in declared.values:
        try:
            stated.update(snapshot({key: compiled.read(call)}))  # normalised as a field of a state is
        except Exception as error:  # noqa: BLE001  (the user's references and callables: contained, told)
            call.tell(f"metadata[{key!r}]", compiled, error)
    return stated


def _overlaid(call: Call, scene: Scene) -> Scene:
    """Return the scene with the declaration's own actor and group."""
    actor, group = Actor(scene.actor_id, scene.actor_name, scene.actor_type), scene.group
    missing = set(scene.missing)
    for name, compiled in (("actor", call.declared.actor), ("group", call.declared.group)):
        if compiled is None:
            continue
        try:
            value = compiled.read(call)
            if name == "actor":
                actor = Actor.of(value)
            else:
                group = text_id(value, "group")
            missing.discard(name)
        except Exception as error:  # noqa: BLE001  (the user's references and callables: contained, told)
            call.tell(name, compiled, error)
    return overlay(scene, actor, group, scene.location, tuple(missing))


def overlay(scene: Scene, actor: Actor, group: str, location: str, missing: tuple[str, ...]) -> Scene:
    """Return a scene like this one with another actor, group and location."""
    return Scene(
        group=group,
        actor_id=actor.id,
        actor_name=actor.name,
        actor_type=actor.type,
        location=location,
        correlation_id=scene.correlation_id,
        metadata=scene.metadata,
        missing=missing,
    )
