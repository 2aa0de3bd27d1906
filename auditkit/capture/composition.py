"""From a call to the draft of its event: the target, what changed, what was stated, who and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from auditkit.capture.reference import Outcome, Unavailable
from auditkit.draft import Draft, Scene
from auditkit.errors import InvalidEventError
from auditkit.event import Actor, Target, text_id
from auditkit.snapshot import CAPTURE, created, deleted, difference, snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditkit.capture.declaration import Declaration
    from auditkit.capture.entry import Entry
    from auditkit.capture.reference import Args, Compiled, Kwargs
    from auditkit.context import Scope
    from auditkit.event import MetadataValue
    from auditkit.protocols import Recorder
    from auditkit.redaction import Redactor

FAILURE, DENIED, CANCELLED = "failure", "denied", "cancelled"
_NOTHING: Final[dict[str, Any]] = {}


def observe(declared: Declaration, trail: Recorder, entry: Entry, args: Args, kwargs: Kwargs) -> None:
    """Read what must be read before the call: the state before it, and what it acts on."""
    if declared.before is not None:
        try:
            state = declared.before.read(args, kwargs, None)
            entry.before = snapshot(state, fields=declared.fields, exclude=declared.exclude)
        except Exception as error:  # noqa: BLE001  (the user's references and callables: contained, told, marked)
            entry.lost = type(error).__name__
            _tell(declared, trail, entry, "capture", declared.before, error)
    if declared.target is not None and not declared.target.late and declared.action_type != "C":
        entry.target = read_target(declared, trail, entry, args, kwargs, None)


def read_target(  # noqa: PLR0913  (the call)
    declared: Declaration, trail: Recorder, entry: Entry, args: Args, kwargs: Kwargs, outcome: Outcome | None
) -> tuple[str, str] | None:
    """Return the id and the name of what the call acts on, or None where they cannot be read."""
    of_id, of_name = declared.target, declared.target_name
    if of_id is None:
        return None
    try:
        value = of_id.read(args, kwargs, outcome)
        if type(value) is str and of_name is None and value.isascii():
            return value, value
        if of_name is not None:
            return text_id(value, "target.id"), text_id(of_name.read(args, kwargs, outcome), "target.name")
        target = Target.of(value)
    except Exception as error:  # noqa: BLE001  (the user's references and callables: contained, told)
        failed_before_its_result = of_id.late and outcome is not None and outcome.error is not None
        if not failed_before_its_result:
            _tell(declared, trail, entry, "target", of_id, error)
        return None
    return target.id, target.name


def compose(  # noqa: PLR0913  (everything that is known of the call)
    declared: Declaration,
    trail: Recorder,
    redactor: Redactor,
    scope: Scope | None,
    entry: Entry,
    args: Args,
    kwargs: Kwargs,
    outcome: Outcome,
    told: Mapping[str, MetadataValue] = _NOTHING,
) -> Draft:
    """Return the draft of a call that has ended.

    Args:
        declared: What the call was declared to be.
        trail: Where it will go.
        redactor: The trail's rules with the declaration's.
        scope: The scope that was innermost when the call began.
        entry: What was read before it.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        outcome: How it ended.
        told: What auditkit itself says of it: the outcome and the error's type.
    """
    now = trail.time_ns()
    scene = trail.scene if scope is None else scope.scene(trail.defaults)
    if declared.actor is not None or declared.group is not None:
        scene = _overlaid(declared, trail, entry, scene, args, kwargs, outcome)
    if scene.missing:
        entry.trouble = trail.require(scene, declared.action) or entry.trouble
    failed = outcome.error is not None and told.get("outcome") != CANCELLED
    state = _NOTHING if failed else _changes(declared, trail, entry, args, kwargs, outcome)
    target = entry.target or read_target(declared, trail, entry, args, kwargs, outcome) or ("", declared.category)
    metadata = state
    if told or declared.constants or declared.values or scene.metadata:
        metadata = _merged(declared, trail, entry, scene, state, told, args, kwargs, outcome)
    parent = entry.parent
    return Draft(
        entry.mint(now),
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


def _changes(
    declared: Declaration, trail: Recorder, entry: Entry, args: Args, kwargs: Kwargs, outcome: Outcome
) -> dict[str, Any]:
    """Return what the observed state tells, under the names it has in metadata."""
    before = entry.before
    if declared.after is None:
        return _lost(entry.lost) if before is None else deleted(before)
    try:
        after = snapshot(
            declared.after.read(args, kwargs, outcome), fields=declared.fields, exclude=declared.exclude
        )
    except Exception as error:  # noqa: BLE001  (the user's references and callables: contained, told, marked)
        if not (isinstance(error, Unavailable) and outcome.error is not None):
            _tell(declared, trail, entry, "capture", declared.after, error)
        return _lost(type(error).__name__)
    if declared.before is None:
        return created(after)
    if before is None:
        return _lost(entry.lost)
    changes = difference(before, after)
    if not changes and declared.action_type == "U":
        trail.note_unchanged(declared.action)
    return changes


def _lost(reason: str) -> dict[str, Any]:
    return {CAPTURE: f"unknown: the state could not be read ({reason})"} if reason else _NOTHING


def _merged(  # noqa: PLR0913  (everything that metadata is made of)
    declared: Declaration,
    trail: Recorder,
    entry: Entry,
    scene: Scene,
    state: Mapping[str, Any],
    told: Mapping[str, MetadataValue],
    args: Args,
    kwargs: Kwargs,
    outcome: Outcome,
) -> dict[str, Any]:
    """Merge metadata by precedence: auditkit's own, the state's, the declaration's, the context's."""
    context = scene.metadata
    merged: dict[str, Any] = dict(told)
    for key in ("on_behalf_of_id", "on_behalf_of_name"):
        if key in context:
            merged[key] = context[key]
    for layer in (state, _stated(declared, trail, entry, args, kwargs, outcome), context):
        for key, value in layer.items():
            merged.setdefault(key, value)
    return merged


def _stated(  # noqa: PLR0913  (the call)
    declared: Declaration, trail: Recorder, entry: Entry, args: Args, kwargs: Kwargs, outcome: Outcome
) -> Mapping[str, Any]:
    stated: dict[str, Any] = dict(declared.constants)
    for key, compiled in declared.values:
        try:
            stated.update(snapshot({key: compiled.read(args, kwargs, outcome)}))  # normalised as a state's field is
        except Exception as error:  # noqa: BLE001  (the user's references and callables: contained, told)
            if not (isinstance(error, Unavailable) and outcome.error is not None):
                _tell(declared, trail, entry, "metadata", compiled, error)
    return stated


def _overlaid(  # noqa: PLR0913  (the call and the scene)
    declared: Declaration,
    trail: Recorder,
    entry: Entry,
    scene: Scene,
    args: Args,
    kwargs: Kwargs,
    outcome: Outcome,
) -> Scene:
    """Return the scene with the declaration's own actor and group."""
    actor, group = Actor(scene.actor_id, scene.actor_name, scene.actor_type), scene.group
    missing = set(scene.missing)
    for name, compiled in (("actor", declared.actor), ("group", declared.group)):
        if compiled is None:
            continue
        try:
            value = compiled.read(args, kwargs, outcome)
            if name == "actor":
                actor = Actor.of(value)
            else:
                group = text_id(value, "group")
            missing.discard(name)
        except Exception as error:  # noqa: BLE001  (the user's references and callables: contained, told)
            _tell(declared, trail, entry, name, compiled, error)
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


def _tell(  # noqa: PLR0913  (what is told)
    declared: Declaration, trail: Recorder, entry: Entry, option: str, compiled: Compiled, error: Exception
) -> None:
    detail = f": {error}" if isinstance(error, Unavailable | InvalidEventError) else ""
    entry.trouble = f"{option}={compiled.text} of {declared.name} could not be read{detail}"
    trail.trouble(
        "capture",
        f"{entry.trouble}; the event is recorded without it",
        cause=f"{declared.name}.{option}",
        error=error,
    )
