"""From a call to the draft of its event: the target, what changed, what was stated, who and where.

The application's own references and callables are read here. Whatever they raise is contained, told, and marked
in the event; only what is not about them (`NOT_OURS`) passes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from auditkit.capture.attribute import identified
from auditkit.clock import new_id
from auditkit.draft import Draft, Scene
from auditkit.event import Actor, Target, text_id
from auditkit.snapshot import CAPTURE, Unknown, as_snapshot, changes_since, created, deleted, look, snapshot
from auditkit.snapshot.fields import NOT_OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from auditkit.capture.call import Call
    from auditkit.capture.reference import Compiled
    from auditkit.event import MetadataValue
    from auditkit.redaction import Redactor

FAILURE, DENIED, CANCELLED = "failure", "denied", "cancelled"

_NOTHING: Final[dict[str, Any]] = {}
_UNREAD: Final = {CAPTURE: "unknown: the state could not be read"}
_PRINCIPAL: Final = ("on_behalf_of_id", "on_behalf_of_name")
# Without the Python function that a named tuple puts in front: a tenth of what composing costs.
_draft: Callable[[tuple[Any, ...]], Draft] = partial(tuple.__new__, Draft)


def observe(call: Call) -> None:
    """Read what must be read before the call: the state before it, and what it may take away."""
    declared = call.declared
    if declared.before is not None:
        try:
            call.before = look(declared.before.read(call), fields=declared.fields, exclude=declared.exclude)
        except NOT_OURS:
            raise
        except BaseException as error:  # noqa: BLE001  (see above)
            call.tell("before", declared.before, error)
    if declared.early_target:
        call.target = _target(call)
    if declared.early_who:
        call.who = _who(call)


def rehearse(call: Call) -> None:
    """Read, before the call, what is else read of its arguments after it, so that what cannot be is told now."""
    for option, compiled in _read_afterwards(call):
        if not compiled.late:
            try:
                compiled.read(call)
            except NOT_OURS:
                raise
            except BaseException as error:  # noqa: BLE001  (see above)
                call.tell(option, compiled, error)


def _read_afterwards(call: Call) -> Iterator[tuple[str, Compiled]]:
    """Yield what is there before the call already: nothing for a C, and not the state that a U makes."""
    declared = call.declared
    if declared.action_type == "C":
        return
    if declared.action_type == "R" and declared.after is not None:
        yield "after", declared.after
    for key, compiled in declared.values:
        yield f"metadata[{key!r}]", compiled
    if not declared.early_target:
        yield from _given(target=declared.target, target_name=declared.target_name)
    if not declared.early_who:
        yield from _given(actor=declared.actor, group=declared.group)


def _given(**options: Compiled | None) -> Iterator[tuple[str, Compiled]]:
    return ((option, compiled) for option, compiled in options.items() if compiled is not None)


def _target(call: Call) -> tuple[str, str, str]:
    """Return the id, the name and the type of what the call acts on, or what stands where they cannot be read."""
    declared = call.declared
    of_id, kind = declared.target, declared.category
    if of_id is None:
        return "", kind, kind
    try:
        value = of_id.read(call)
        if declared.target_name is not None:
            target_id = text_id(value, "target.id")
            return target_id, _target_name(call, declared.target_name, target_id), kind
        if type(value) is str and value.isascii():  # what it nearly always is
            return value, value, kind
        target = Target.of(identified(value))
    except NOT_OURS:
        raise
    except BaseException as error:  # noqa: BLE001  (see above)
        call.tell("target", of_id, error)
        return "", kind, kind
    return target.id, target.name, target.type or kind


def _target_name(call: Call, compiled: Compiled, default: str) -> str:
    try:
        return text_id(compiled.read(call), "target.name")
    except NOT_OURS:
        raise
    except BaseException as error:  # noqa: BLE001  (see above)
        call.tell("target", compiled, error)
        return default


def _who(call: Call) -> tuple[Actor | None, str | None]:
    """Return the declaration's own actor and group; None where there is none, or none that can be read."""
    actor = group = None
    for option, compiled in _given(actor=call.declared.actor, group=call.declared.group):
        try:
            value = compiled.read(call)
            if option == "actor":
                actor = Actor.of(identified(value))
            else:
                group = text_id(value, "group") or None
        except NOT_OURS:
            raise
        except BaseException as error:  # noqa: BLE001  (see above)
            call.tell(option, compiled, error)
    return actor, group


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
    if declared.overlays:
        actor, group = call.who or _who(call)
        scene = overlaid(scene, actor=actor, group=group)
    if scene.missing:
        call.trouble = trail.require(scene, declared.action) or call.trouble
    metadata: Mapping[str, Any] = _NOTHING
    if declared.observes and (call.error is None or told["outcome"] == CANCELLED):
        metadata = _changes(call)
    target_id, target_name, target_type = call.target or _target(call)
    if told or declared.states or scene.metadata:
        metadata = merged(told, metadata, _stated(call) if declared.states else _NOTHING, scene.metadata)
    ids, parent = call.ids, call.parent
    if not ids:
        ids.append(new_id.at(now))
    return _draft(
        (
            ids[0],  # which a call inside this one may have asked for meanwhile
            now,
            scene,
            declared.action,
            declared.action_type,
            target_id,
            target_name,
            target_type,
            None if parent is None else parent.event_id(),
            redactor.apply(metadata) if metadata else metadata,
        )
    )


def _changes(call: Call) -> dict[str, Any]:
    """Return what the observed state tells, under the names it has in metadata."""
    declared, before = call.declared, call.before
    if declared.before is not None and before is None:
        return _UNREAD
    if declared.after is None:
        return _NOTHING if before is None else deleted(as_snapshot(before))
    try:
        state = declared.after.read(call)
    except NOT_OURS:
        raise
    except BaseException as error:  # noqa: BLE001  (see above)
        call.tell("after", declared.after, error)
        return _UNREAD
    if before is None:
        return created(snapshot(state, fields=declared.fields, exclude=declared.exclude))
    changes = changes_since(before, state, fields=declared.fields, exclude=declared.exclude)
    if not changes and declared.action_type == "U":
        call.trail.note_unchanged(declared.action)
    return changes


def _stated(call: Call) -> dict[str, Any]:
    """Return the declaration's own metadata; what is read from the call is normalised as a state is."""
    stated: dict[str, Any] = dict(call.declared.constants)
    for key, compiled in call.declared.values:
        try:
            values = snapshot({key: compiled.read(call)})
        except NOT_OURS:
            raise
        except BaseException as error:  # noqa: BLE001  (see above)
            call.tell(f"metadata[{key!r}]", compiled, error)
        else:
            is_known = all(type(value) is not Unknown for value in values.values())
            stated.update(values if is_known else created(values))
    return stated


def merged(told: Mapping[str, Any], *layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge metadata by precedence.

    Args:
        told: What auditkit itself says.
        layers: The state's, the call's or the declaration's, and last the context's, which may name the party
            on whose behalf it is done: that is auditkit's own too.
    """
    context = layers[-1]
    metadata: dict[str, Any] = dict(told)
    metadata.update((key, context[key]) for key in _PRINCIPAL if key in context)
    for layer in layers:
        for key, value in layer.items():
            metadata.setdefault(key, value)
    return metadata


def overlaid(scene: Scene, *, actor: Actor | None, group: str | None, location: str | None = None) -> Scene:
    """Return the scene with another actor, group or location; None keeps what is there."""
    if actor is None and group is None and location is None:
        return scene
    stated = {"actor": actor, "group": group, "location": location}
    return Scene(
        group=group or scene.group,
        actor_id=actor.id if actor else scene.actor_id,
        actor_name=actor.name if actor else scene.actor_name,
        actor_type=actor.type if actor else scene.actor_type,
        location=location or scene.location,
        correlation_id=scene.correlation_id,
        metadata=scene.metadata,
        missing=tuple(name for name in scene.missing if stated[name] is None),
    )
