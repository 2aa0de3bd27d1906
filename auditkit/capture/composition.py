"""From a call to the draft of its event: the target, what changed, what was stated, who and where.

The application's own references and callables are read here. Whatever they raise is contained, told, and marked
in the event; only what is not about them (`NOT_OURS`) passes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from auditkit import _current
from auditkit.capture.attribute import WAYS, identified
from auditkit.capture.tracing import ambient
from auditkit.capture.watching import beside
from auditkit.clock import new_id
from auditkit.context import SCOPE
from auditkit.draft import Draft, Scene
from auditkit.errors import NOT_OURS, InvalidEventError
from auditkit.event import Actor, Target, describe_kind, lacks_id, stated_key, text_id
from auditkit.native import hand_over
from auditkit.redaction import Redactor
from auditkit.snapshot import CAPTURE, Unknown, as_snapshot, changes_since, created, deleted, difference, look, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from auditkit.capture.additions import Additions
    from auditkit.capture.call import Call
    from auditkit.capture.reference import Compiled
    from auditkit.event import MetadataValue

SUCCESS, FAILURE, DENIED = "success", "failure", "denied"
CANCELLED, ABANDONED = "cancelled", "abandoned"

JUDGEMENTS: Final = (SUCCESS, FAILURE, DENIED)
_NOTHING: Final[dict[str, Any]] = {}
_UNREAD: Final = {CAPTURE: "unknown: the state could not be read"}
_UNFINISHED: Final = frozenset({CANCELLED, ABANDONED})  # what was done of these is recorded: it may be all
_LATER: Final = ("", "", "")  # stands for a target that is read again after the call
_PRINCIPAL: Final = ("on_behalf_of_id", "on_behalf_of_name")
# Without the Python function that a named tuple puts in front: a tenth of what composing costs.
_draft: Callable[[tuple[Any, ...]], Draft] = partial(tuple.__new__, Draft)


def observe(call: Call) -> None:
    """Read what must be read before the call: what it may take away, and the state before it.

    The state comes last: a lazy object that is the target too is made by then, and a snapshot makes none.
    """
    declared = call.declared
    if declared.early_target:
        target = _target(call, early=True)
        call.target = None if target is _LATER else target
    if declared.early_who:
        call.who = _who(call)
    _look_before(call)


def _look_before(call: Call) -> None:
    """Look at the state before the call, if one is declared."""
    before = call.declared.before
    if before is None:
        return
    try:
        call.before = look(before.read(call), fields=call.declared.fields, exclude=call.declared.exclude)
    except NOT_OURS:
        raise
    except BaseException as error:  # noqa: BLE001  (see above)
        call.tell("before", before, error)


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
    yield from _given(when=declared.when)


def _given(**options: Compiled | None) -> Iterator[tuple[str, Compiled]]:
    return ((option, compiled) for option, compiled in options.items() if compiled is not None)


def _target(call: Call, early: bool) -> tuple[str, str, str]:  # noqa: FBT001  (C calls it)
    """Return the id, the name and the type of what the call acts on, or what stands where they cannot be read.

    Args:
        call: The call.
        early: Whether it has not run yet. What has no id then may have one afterwards, as what is saved for the
            first time does.
    """
    of_id, kind = call.declared.target, call.declared.category
    if of_id is None:
        return "", kind, kind
    try:
        value = of_id.read(call)
    except NOT_OURS:
        raise
    except BaseException as error:  # noqa: BLE001  (see above)
        return _no_target(call, early, _NOTHING, error)
    return _given_target(call, early, value)


def _given_target(call: Call, early: bool, value: object) -> tuple[str, str, str]:  # noqa: FBT001  (C calls it)
    """Return the target that a reference or callable gave."""
    declared = call.declared
    try:
        if declared.target_name is not None:
            target_id = text_id(value, "target.id")
            return target_id, _target_name(call, declared.target_name, target_id), declared.category
        if type(value) is str and value.isascii():  # what it nearly always is
            return value, value, declared.category
        target = Target.of(identified(value))
    except NOT_OURS:
        raise
    except BaseException as error:  # noqa: BLE001  (see above)
        return _no_target(call, early, value, error)
    return target.id, target.name, target.type or declared.category


def _unread_target(call: Call, early: bool, holder: object, error: BaseException) -> tuple[str, str, str]:  # noqa: FBT001  (C calls it)
    """Return what stands for a target where an attribute or key of an argument could not be read."""
    of_id = call.declared.target
    return _no_target(call, early, _NOTHING, error if of_id is None else of_id.unread(holder, error))


def _no_target(call: Call, early: bool, value: object, error: BaseException) -> tuple[str, str, str]:  # noqa: FBT001  (as above)
    of_id, kind = call.declared.target, call.declared.category
    if early and isinstance(error, InvalidEventError) and lacks_id(identified(value)):
        return _LATER
    if of_id is not None:
        call.tell("target", of_id, error)
    return "", kind, kind


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


def judge(call: Call) -> str | None:
    """Return the outcome of a call that returned, as its declaration judges it; None where it is not to be recorded."""
    declared = call.declared
    outcome: str | None = SUCCESS
    if declared.outcome is not None:
        outcome = _asked(call, "outcome", declared.outcome, _judgement, default=SUCCESS)
    if outcome is not None and not is_wanted(call):
        return None
    return outcome


def is_wanted(call: Call) -> bool:
    """Return whether ``when`` wants the call recorded; one that cannot be asked does not hinder it."""
    when = call.declared.when
    wanted: bool = when is None or _asked(call, "when", when, bool, default=True)
    return wanted


def _judgement(answer: object) -> str | None:
    outcome = str.__str__(answer) if issubclass(type(answer), str) else answer
    if outcome is not None and (type(outcome) is not str or outcome not in JUDGEMENTS):
        raise InvalidEventError("outcome", describe_kind(answer), "'success', 'failure', 'denied' or None")
    return outcome


def _asked(call: Call, option: str, compiled: Compiled, read: Callable[[Any], Any], *, default: Any) -> Any:
    """Return what a callable's answer says; reading it may raise too, as the truth of an array does."""
    try:
        return read(compiled.read(call))
    except NOT_OURS:
        raise
    except BaseException as error:  # noqa: BLE001  (see above)
        call.tell(option, compiled, error)
        return default


def compose(call: Call, redactor: Redactor, told: Mapping[str, MetadataValue] = _NOTHING) -> Draft | None:
    """Return the draft of a call that has ended; None where nothing of it is to be recorded.

    Args:
        call: The call.
        redactor: The trail's rules with the declaration's.
        told: What auditkit itself says of it: the outcome and the error's type.
    """
    declared, trail, said = call.declared, call.trail, call.said
    now = trail.time_ns()
    scene = _scene(call)
    if scene.missing:
        call.trouble = trail.require(scene, declared.action) or call.trouble
    metadata: Mapping[str, Any] = _NOTHING
    if declared.observes and (not call.failed or _tells_state(call, told)):
        metadata = _changes(call)
    if said is not None:
        said.ended_ns, said.scene = now, scene
        metadata = _watched(call, said, metadata)
    if not metadata and declared.only_changed and not told:
        return None
    target_id, target_name, target_type = call.target or _target(call, early=False)
    target_id, target_name = redactor.target(target_id, target_name)
    around = ambient(trail, scene)
    if told or declared.states or around or said is not None:
        stated = _stated(call) if declared.states or said is not None else _NOTHING
        metadata = merged(told, metadata, stated, around)
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


def further(call: Call, said: Additions, redactor: Redactor, told: Mapping[str, MetadataValue]) -> Iterator[Draft]:
    """Yield the drafts of what else a call acted on, after `compose` of the call itself."""
    declared, scene, parent = call.declared, said.scene, call.parent
    assert scene is not None  # noqa: S101  (compose left it there)
    stated = _stated(call)
    for target, state in said.further:
        metadata = merged(told, state if _tells_state(call, told) else _NOTHING, stated, ambient(call.trail, scene))
        target_id, target_name = redactor.target(target.id, target.name)
        yield Draft(
            new_id.at(said.ended_ns),
            said.ended_ns,
            scene,
            declared.action,
            declared.action_type,
            target_id,
            target_name,
            target.type or declared.category,
            None if parent is None else parent.event_id(),
            redactor.apply(metadata),
        )


def _tells_state(call: Call, told: Mapping[str, MetadataValue]) -> bool:
    return not call.failed or told["outcome"] in _UNFINISHED


def _scene(call: Call) -> Scene:
    """Return who acts and from where, without what looks like a secret."""
    trail, scope = call.trail, call.scope
    scene = trail.scene if scope is None else scope.scene(trail.defaults)
    if call.declared.overlays or call.said is not None:
        scene = _overlaid(call, scene)
    if not scene.judged:
        trail.redactor.judge(scene)
    return scene


def _overlaid(call: Call, scene: Scene) -> Scene:
    """Return the scene with what the declaration, and before it the call itself, says of actor and group."""
    actor, group = (call.who or _who(call)) if call.declared.overlays else (None, None)
    if call.said is not None:
        actor = call.said.actor or actor
    return overlaid(scene, actor=actor, group=group)


def _watched(call: Call, said: Additions, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the captured state's changes with those of what was watched."""
    told = metadata
    if said.watched:
        told = beside(said, metadata, {} if call.before is None else as_snapshot(call.before))
    declared = call.declared
    if not told and declared.action_type == "U" and (declared.observes or said.watched) and not said.further:
        call.trail.note_unchanged(declared.action)
    return told


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
    if call.said is not None:
        call.said.captured = state
    if before is None:
        return created(snapshot(state, fields=declared.fields, exclude=declared.exclude))
    changes = changes_since(before, state, fields=declared.fields, exclude=declared.exclude)
    if not changes and declared.action_type == "U" and call.said is None:
        call.trail.note_unchanged(declared.action)
    return changes


def stated_change(before: object, after: object) -> dict[str, Any]:
    """Return what two states tell, under the names they have in metadata; None is no state."""
    if before is None:
        return {} if after is None else created(snapshot(after))
    if after is None:
        return deleted(snapshot(before))
    return difference(snapshot(before), snapshot(after))


def _stated(call: Call) -> dict[str, Any]:
    """Return the call's own metadata over the declaration's; what is not constant is normalised as a state is."""
    stated: dict[str, Any] = dict(call.declared.constants)
    for key, compiled in call.declared.values:
        try:
            stated.update(normalised(key, compiled.read(call)))
        except NOT_OURS:
            raise
        except BaseException as error:  # noqa: BLE001  (see above)
            call.tell(f"metadata[{key!r}]", compiled, error)
    if call.said is not None:
        for key, value in tuple(call.said.metadata.items()):
            stated.update(normalised(key, value))
    return stated


def normalised(key: str, value: object) -> dict[str, Any]:
    """Return a value of any kind as metadata takes it, under its key and where it is nested under dotted ones.

    One of auditkit's own keys becomes ``metadata.<key>``.
    """
    values = {stated_key(name): each for name, each in snapshot({key: value}).items()}
    is_known = all(type(each) is not Unknown for each in values.values())
    return values if is_known else created(values)


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


hand_over(
    SCOPE=SCOPE,
    _current=_current,
    NOT_OURS=NOT_OURS,
    WAYS=WAYS,
    observe=observe,
    look_before=_look_before,
    target=_target,
    given_target=_given_target,
    unread_target=_unread_target,
    LATER=_LATER,
    changes=_changes,
    stated=_stated,
    merged=merged,
    ambient=ambient,
    compose=compose,
    redactor_class=Redactor,
    draft_type=Draft,
    new_id=new_id,
)
