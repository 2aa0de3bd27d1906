"""What ``@audited`` was told, checked and compiled once, when decorating."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from auditkit.capture.annotations import check_segments, has_fields
from auditkit.capture.reference import Compiled, Parameters, compile_value, ref
from auditkit.errors import AuditDefinitionError, ConfigurationError, InvalidEventError
from auditkit.event import check_action, check_action_type, check_metadata, describe, describe_kind, is_own, stated_key
from auditkit.redaction import Redactor

if TYPE_CHECKING:
    from auditkit.event import MetadataValue

SKIP, RECORD = "skip", "record"
LOG, RAISE = "log", "raise"
CHANGED = "changed"
_BEFORE: Final = frozenset("UD")
_AFTER: Final = frozenset("UCR")


class Statement(NamedTuple):
    """What ``@audited`` was given, as it was written: see `audited`; iterators of names are read."""

    action: object
    action_type: object
    target: object
    actor: object
    group: object
    capture: object
    before: object
    after: object
    fields: Iterable[str] | None
    exclude: Iterable[str] | None
    redact: Iterable[str]
    metadata: Mapping[str, object] | None
    when: object
    outcome: object
    on_error: object
    on_audit_error: object
    trail: object


Names = TypeVar("Names", bound="Iterable[str] | None")


def read(names: Names) -> Names | list[str]:
    """Return names to be read again and again: a decorator may decorate several functions."""
    return list(names) if isinstance(names, Iterator) else names


class Declaration:
    """One audited function's declaration.

    Attributes:
        name: The function's qualified name.
        action: What is done.
        action_type: ``C``, ``R``, ``U`` or ``D``.
        category: The action's first part.
        target: Reads what was acted on: an id, a pair, or an object with ``pk`` or ``id``.
        target_name: Reads its name, where a pair of references was given.
        actor: Reads who acted, where that is not the context's.
        group: Reads the group, where that is not the context's.
        before: Reads the state to be observed before the call.
        after: Reads it after the call.
        constants: Metadata that is the same for every call.
        values: Metadata read from the call, by key.
        fields: The fields of the state that are recorded; None for all.
        exclude: The fields that are not.
        redact: Names whose values are redacted, beside the trail's.
        when: Says whether a call is recorded, where it is asked.
        only_changed: Whether an update that changed nothing is left out.
        outcome: Judges what a call returned.
        on_error: ``"skip"``, ``"record"``, another action's name, or None for the trail's choice.
        on_audit_error: ``"log"``, ``"raise"``, or None for the trail's choice.
        early_target: Whether the target is read before the call. So are actor and group: what is done to it
            may take it away. But what a C makes has its id only after it.
        early_who: Whether an actor or a group is read before the call.
        overlays: Whether there is an actor or a group of the declaration's own.
        observes: Whether there is a state to be observed.
        states: Whether there is metadata of the declaration's own.
        looks_first: Whether there is anything to read before the call.
        judges: Whether a call that returned is asked about.
        awaits: Whether there are callables that may be asynchronous.
        takes: Says whether the function takes the arguments of a call.
    """

    __slots__ = (
        "action", "action_type", "actor", "after", "awaits", "before", "category", "constants", "early_target",
        "early_who", "exclude", "fields", "group", "judges", "looks_first", "name", "observes", "on_audit_error",
        "on_error", "only_changed", "outcome", "overlays", "redact", "states", "takes", "target", "target_name",
        "values", "when",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913  (what can be declared)
        self,
        *,
        name: str,
        action: str,
        action_type: str,
        category: str,
        target: Compiled | None,
        target_name: Compiled | None,
        actor: Compiled | None,
        group: Compiled | None,
        before: Compiled | None,
        after: Compiled | None,
        constants: Mapping[str, MetadataValue],
        values: tuple[tuple[str, Compiled], ...],
        fields: frozenset[str] | None,
        exclude: frozenset[str],
        redact: tuple[str, ...],
        when: Compiled | None,
        only_changed: bool,
        outcome: Compiled | None,
        on_error: str | None,
        on_audit_error: str | None,
        takes: Callable[[tuple[Any, ...], Mapping[str, Any]], bool],
    ) -> None:
        """Settle what each call would otherwise ask anew."""
        self.name = name
        self.action = action
        self.action_type = action_type
        self.category = category
        self.target = target
        self.target_name = target_name
        self.actor = actor
        self.group = group
        self.before = before
        self.after = after
        self.constants = constants
        self.values = values
        self.fields = fields
        self.exclude = exclude
        self.redact = redact
        self.when = when
        self.only_changed = only_changed
        self.outcome = outcome
        self.on_error = on_error
        self.on_audit_error = on_audit_error
        self.takes = takes
        self.early_target = self._is_early(target) and not (target_name and target_name.late)
        self.early_who = self._is_early(actor) or self._is_early(group)
        self.overlays = actor is not None or group is not None
        self.observes = before is not None or after is not None
        self.states = bool(constants or values)
        self.looks_first = self.early_target or self.early_who or before is not None
        self.judges = when is not None or outcome is not None
        self.awaits = any(compiled.asks is not None for _, compiled in self.compiled())

    def compiled(self) -> Iterator[tuple[str, Compiled]]:
        """Yield every reference and callable with its option."""
        for option in ("target", "target_name", "actor", "group", "before", "after", "when", "outcome"):
            compiled = getattr(self, option)
            if compiled is not None:
                yield option, compiled
        for key, compiled in self.values:
            yield f"metadata[{key!r}]", compiled

    def _is_early(self, compiled: Compiled | None) -> bool:
        return compiled is not None and not compiled.late and self.action_type != "C"

    def named(self, action: str) -> Declaration:
        """Return the same declaration of another action."""
        other = object.__new__(Declaration)
        for slot in Declaration.__slots__:
            setattr(other, slot, getattr(self, slot))
        other.action, other.category = action, _category(action)
        return other


def _category(action: str) -> str:
    return action.partition(".")[0]


def declare(function: Callable[..., Any], stated: Statement) -> Declaration:
    """Check and compile a function's declaration.

    Raises:
        AuditDefinitionError: It cannot work; says what was given and what exists.
    """
    return _declare(Parameters(function), stated)


def declare_block(stated: Statement) -> Declaration:
    """Check a block's declaration, in which everything is a value.

    Raises:
        AuditDefinitionError: It cannot work; says what was given.
    """
    block = _BLOCK.titled(f"auditing({describe(stated.action)})")
    if not isinstance(stated.metadata, Mapping | None):
        raise AuditDefinitionError(f"metadata= of {block.name} must be a mapping, got {describe_kind(stated.metadata)}")
    metadata: Mapping[Any, object] = stated.metadata or {}
    target = stated.target
    if isinstance(target, tuple) and target[1:] == (None,):  # a pair without a name
        target = target[0]
    return _declare(
        block,
        stated._replace(
            target=tuple(map(_given, target)) if isinstance(target, tuple) else _given(target),
            actor=_given(stated.actor),
            group=_given(stated.group),
            capture=_given(stated.capture),
            before=_given(stated.before),
            after=_given(stated.after),
            metadata={
                stated_key(key) if isinstance(key, str) else key: _given(value) for key, value in metadata.items()
            },
        ),
    )


def _given(value: object) -> Compiled | None:
    """Return what reads a value that is known already; None is nothing to read."""
    if isinstance(value, ref):
        raise AuditDefinitionError(
            f"auditing() takes values, and ref({value.path!r}) refers to a parameter; give its value"
        )
    return None if value is None else Compiled(lambda _: value, late=False, text=f"a {type(value).__name__}")


def _block() -> None:
    """Stand where a function would be: a block has no parameters."""


_BLOCK: Final = Parameters(_block)


def _declare(parameters: Parameters, stated: Statement) -> Declaration:
    _check_trail(parameters, stated.trail)
    action, action_type = _names(parameters, stated)
    of_id, of_name = _target(parameters, stated.target)
    state_before, state_after = _states(parameters, action_type, stated)
    fields, exclude = _choice(parameters, stated, [each for each in (state_before, state_after) if each is not None])
    constants, values = _metadata(parameters, stated.metadata)
    return Declaration(
        name=parameters.name,
        action=action,
        action_type=action_type,
        category=_category(action),
        target=of_id,
        target_name=of_name,
        actor=_optional(parameters, stated.actor, "actor"),
        group=_optional(parameters, stated.group, "group"),
        before=state_before,
        after=state_after,
        constants=constants,
        values=values,
        fields=fields,
        exclude=exclude or frozenset(),
        redact=_redact(parameters, stated.redact),
        when=_when(parameters, stated.when),
        only_changed=_only_changed(parameters, action_type, stated.when),
        outcome=_callable(parameters, stated.outcome, "outcome"),
        on_error=_on_error(parameters, stated.on_error),
        on_audit_error=_on_audit_error(parameters, stated.on_audit_error),
        takes=parameters.takes,
    )


def is_trail(given: object) -> bool:
    """Return whether something records what it is given, as far as can be told at sight."""
    return not isinstance(given, type) and hasattr(given, "enabled") and hasattr(given, "write")


def _check_trail(parameters: Parameters, given: object) -> None:
    if given is not None and not is_trail(given):
        shown = f"the class {given.__name__}" if isinstance(given, type) else describe(given)
        raise AuditDefinitionError(f"trail= of {parameters.name} must be an AuditTrail, got {shown}")


def _names(parameters: Parameters, stated: Statement) -> tuple[str, str]:
    try:
        return check_action(stated.action), check_action_type(stated.action_type)
    except InvalidEventError as error:
        raise AuditDefinitionError(f"{parameters.title}: {error}") from None


def _optional(parameters: Parameters, value: object, option: str) -> Compiled | None:
    return None if value is None else compile_value(parameters, value, option)


def _target(parameters: Parameters, target: object) -> tuple[Compiled | None, Compiled | None]:
    if isinstance(target, tuple):
        if len(target) != 2:  # noqa: PLR2004  (a pair)
            raise AuditDefinitionError(
                f"target= of {parameters.name} must be one reference or an (id, name) pair of them, got {len(target)}"
            )
        return compile_value(parameters, target[0], "target"), compile_value(parameters, target[1], "target")
    if isinstance(target, str):
        parameters.check_one(target, f"target={target!r} of {parameters.name}")
    return _optional(parameters, target, "target"), None


def _states(parameters: Parameters, action_type: str, stated: Statement) -> tuple[Compiled | None, Compiled | None]:
    """Return what reads the state before the call, and what reads it after."""
    if stated.capture is None:
        return _separate(parameters, stated)
    if stated.before is not None or stated.after is not None:
        raise AuditDefinitionError(
            f"capture= of {parameters.name} names the state for both moments; give it, or before= and after="
        )
    compiled = compile_value(parameters, stated.capture, "capture")
    if compiled.late and action_type in _BEFORE:
        raise AuditDefinitionError(
            f"capture={compiled.text!r} of {parameters.name} is not there before the call, and {action_type!r} needs "
            "the state before it; give before= and after= separately"
        )
    return (compiled if action_type in _BEFORE else None), (compiled if action_type in _AFTER else None)


def _separate(parameters: Parameters, stated: Statement) -> tuple[Compiled | None, Compiled | None]:
    before = _optional(parameters, stated.before, "before")
    if before is not None and before.late:
        raise AuditDefinitionError(f"before={before.text!r} of {parameters.name} is not there before the call")
    return before, _optional(parameters, stated.after, "after")


def _choice(
    parameters: Parameters, stated: Statement, states: Sequence[Compiled]
) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    """Return which fields of the state are recorded, and which are not."""
    given = {name: getattr(stated, name) for name in ("fields", "exclude") if getattr(stated, name) is not None}
    if len(given) > 1:
        raise AuditDefinitionError(f"fields= and exclude= of {parameters.name} cannot both be given")
    for name in given:
        if not states:
            raise AuditDefinitionError(
                f"{name}= of {parameters.name} chooses among the fields of a state; say which with capture="
            )
    chosen = {name: frozenset(_strings(parameters, names, name)) for name, names in given.items()}
    for name, names in chosen.items():
        if all(has_fields(state.kind) for state in states):
            _check_names(states, names, f"{name}= of {parameters.name}")
    return chosen.get("fields"), chosen.get("exclude")


def _check_names(states: Sequence[Compiled], names: Iterable[str], where: str) -> None:
    """Refuse a name that no state can have a field of: a wrong one in ``exclude`` would be told, not left out."""
    for name in sorted(names):
        refusals = []
        for state in states:
            try:
                check_segments(state.kind, name.split("."), where)
            except AuditDefinitionError as error:
                refusals.append(error)
        if len(refusals) == len(states):
            raise refusals[0]


def _metadata(
    parameters: Parameters, metadata: object
) -> tuple[Mapping[str, MetadataValue], tuple[tuple[str, Compiled], ...]]:
    given = {} if metadata is None else metadata
    read: dict[str, Any] = {}
    if isinstance(given, Mapping):
        read = {key: value for key, value in given.items() if isinstance(value, ref | Compiled) or callable(value)}
        given = {key: None if key in read else value for key, value in given.items()}
    try:
        checked = check_metadata(given)
    except InvalidEventError as error:
        raise AuditDefinitionError(f"metadata= of {parameters.name}: {error}") from None
    for key in filter(is_own, checked):
        raise AuditDefinitionError(
            f"metadata= of {parameters.name}: auditkit writes {key!r} itself; choose another name"
        )
    constants = {key: value for key, value in checked.items() if key not in read}
    values = [(key, compile_value(parameters, value, f"metadata[{key!r}]")) for key, value in read.items()]
    return constants, tuple(values)


def _strings(parameters: Parameters, names: object, option: str) -> list[str]:
    if isinstance(names, str):
        raise AuditDefinitionError(f"{option}= of {parameters.name} takes several names: write {option}=({names!r},)")
    given: list[Any] = [*names] if isinstance(names, Iterable) else [names]
    for name in given:
        if not isinstance(name, str) or not name:
            raise AuditDefinitionError(f"{option}= of {parameters.name} takes non-empty names, got {describe(name)}")
    return given


def _redact(parameters: Parameters, names: Iterable[str]) -> tuple[str, ...]:
    given = tuple(_strings(parameters, names, "redact"))
    if not given:
        return ()
    try:
        Redactor(redact=given)  # each call would stumble over what it refuses
    except ConfigurationError as error:
        raise AuditDefinitionError(f"redact= of {parameters.name}: {error}") from None
    return given


def _when(parameters: Parameters, value: object) -> Compiled | None:
    return None if value == CHANGED else _callable(parameters, value, "when", f"{CHANGED!r} or ")


def _only_changed(parameters: Parameters, action_type: str, when: object) -> bool:
    if when != CHANGED:
        return False
    if action_type != "U":
        raise AuditDefinitionError(
            f"when='changed' of {parameters.name} leaves out updates that changed nothing, and {action_type!r} is none"
        )
    return True


def _callable(parameters: Parameters, value: object, option: str, besides: str = "") -> Compiled | None:
    if value is None:
        return None
    if not callable(value):
        raise AuditDefinitionError(f"{option}= of {parameters.name} must be {besides}a callable, got {describe(value)}")
    return compile_value(parameters, value, option)


def _on_error(parameters: Parameters, value: object) -> str | None:
    if value is None:
        return None
    try:
        return value if isinstance(value, str) and value in {SKIP, RECORD} else check_action(value)
    except InvalidEventError:
        raise AuditDefinitionError(
            f"on_error= of {parameters.name} must be 'skip', 'record' or another action's name, got {describe(value)}"
        ) from None


def _on_audit_error(parameters: Parameters, value: object) -> str | None:
    if value is None or (isinstance(value, str) and value in {LOG, RAISE}):
        return value
    raise AuditDefinitionError(f"on_audit_error= of {parameters.name} must be 'log' or 'raise', got {describe(value)}")
