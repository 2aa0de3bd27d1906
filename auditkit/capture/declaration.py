"""What ``@audited`` was told, checked and compiled once, when decorating."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from auditkit.capture.reference import Compiled, Parameters, compile_value, ref
from auditkit.errors import AuditDefinitionError, ConfigurationError, InvalidEventError
from auditkit.event import check_action, check_action_type, check_metadata, describe
from auditkit.redaction import Redactor

if TYPE_CHECKING:
    from auditkit.event import MetadataValue

SKIP, RECORD = "skip", "record"
LOG, RAISE = "log", "raise"
_BEFORE: Final = frozenset("UD")
_AFTER: Final = frozenset("UCR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What ``@audited`` was given, as it was written: see `audited`."""

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
    on_error: object
    on_audit_error: object

    def __post_init__(self) -> None:
        """Read names that come as an iterator now: a decorator may decorate several functions."""
        for name in ("fields", "exclude", "redact"):
            names = getattr(self, name)
            if isinstance(names, Iterator):
                object.__setattr__(self, name, list(names))


@dataclass(frozen=True, slots=True, kw_only=True)
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
        on_error: ``"skip"``, ``"record"``, another action's name, or None for the trail's choice.
        on_audit_error: ``"log"``, ``"raise"``, or None for the trail's choice.
        early_target: Whether the target is read before the call. So are actor and group: what is done to it
            may take it away. But what a C makes has its id only after it.
        early_who: Whether an actor or a group is read before the call.
        overlays: Whether there is an actor or a group of the declaration's own.
        observes: Whether there is a state to be observed.
        states: Whether there is metadata of the declaration's own.
        looks_first: Whether there is anything to read before the call.
    """

    name: str
    action: str
    action_type: str
    category: str
    target: Compiled | None
    target_name: Compiled | None
    actor: Compiled | None
    group: Compiled | None
    before: Compiled | None
    after: Compiled | None
    constants: Mapping[str, MetadataValue]
    values: tuple[tuple[str, Compiled], ...]
    fields: frozenset[str] | None
    exclude: frozenset[str]
    redact: tuple[str, ...]
    on_error: str | None
    on_audit_error: str | None
    early_target: bool = field(init=False)
    early_who: bool = field(init=False)
    overlays: bool = field(init=False)
    observes: bool = field(init=False)
    states: bool = field(init=False)
    looks_first: bool = field(init=False)

    def __post_init__(self) -> None:
        """Settle what each call would otherwise ask anew."""
        early_target = self._is_early(self.target) and not (self.target_name and self.target_name.late)
        early_who = self._is_early(self.actor) or self._is_early(self.group)
        settled = {
            "early_target": early_target,
            "early_who": early_who,
            "overlays": self.actor is not None or self.group is not None,
            "observes": self.before is not None or self.after is not None,
            "states": bool(self.constants or self.values),
            "looks_first": early_target or early_who or self.before is not None,
        }
        for name, value in settled.items():
            object.__setattr__(self, name, value)

    def _is_early(self, compiled: Compiled | None) -> bool:
        return compiled is not None and not compiled.late and self.action_type != "C"

    def named(self, action: str) -> Declaration:
        """Return the same declaration of another action."""
        return replace(self, action=action, category=_category(action))


def _category(action: str) -> str:
    return action.partition(".")[0]


def declare(function: Callable[..., Any], stated: Statement) -> Declaration:
    """Check and compile a declaration.

    Raises:
        AuditDefinitionError: It cannot work; says what was given and what exists.
    """
    parameters = Parameters(function)
    action, action_type = _names(parameters, stated)
    of_id, of_name = _target(parameters, stated.target)
    state_before, state_after = _states(parameters, action_type, stated)
    fields, exclude = _choice(parameters, stated, observes=state_before is not None or state_after is not None)
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
        on_error=_on_error(parameters, stated.on_error),
        on_audit_error=_on_audit_error(parameters, stated.on_audit_error),
    )


def _names(parameters: Parameters, stated: Statement) -> tuple[str, str]:
    try:
        return check_action(stated.action), check_action_type(stated.action_type)
    except InvalidEventError as error:
        raise AuditDefinitionError(f"audited() of {parameters.name}: {error}") from None


def _optional(parameters: Parameters, value: object, option: str) -> Compiled | None:
    return None if value is None else compile_value(parameters, value, option)


def _target(parameters: Parameters, target: object) -> tuple[Compiled | None, Compiled | None]:
    if isinstance(target, tuple):
        if len(target) != 2:  # noqa: PLR2004  (a pair)
            raise AuditDefinitionError(
                f"target= of {parameters.name} must be one reference or an (id, name) pair of them, got {len(target)}"
            )
        return compile_value(parameters, target[0], "target"), compile_value(parameters, target[1], "target")
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
    parameters: Parameters, stated: Statement, *, observes: bool
) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    """Return which fields of the state are recorded, and which are not."""
    given = {name: getattr(stated, name) for name in ("fields", "exclude") if getattr(stated, name) is not None}
    if len(given) > 1:
        raise AuditDefinitionError(f"fields= and exclude= of {parameters.name} cannot both be given")
    for name in given:
        if not observes:
            raise AuditDefinitionError(
                f"{name}= of {parameters.name} chooses among the fields of a state; say which with capture="
            )
    chosen = {name: frozenset(_strings(parameters, names, name)) for name, names in given.items()}
    return chosen.get("fields"), chosen.get("exclude")


def _metadata(
    parameters: Parameters, metadata: object
) -> tuple[Mapping[str, MetadataValue], tuple[tuple[str, Compiled], ...]]:
    given = {} if metadata is None else metadata
    read: dict[str, Any] = {}
    if isinstance(given, Mapping):
        read = {key: value for key, value in given.items() if isinstance(value, ref) or callable(value)}
        given = {key: None if key in read else value for key, value in given.items()}
    try:
        checked = check_metadata(given)
    except InvalidEventError as error:
        raise AuditDefinitionError(f"metadata= of {parameters.name}: {error}") from None
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
    try:
        Redactor(redact=given)  # each call would stumble over what it refuses
    except ConfigurationError as error:
        raise AuditDefinitionError(f"redact= of {parameters.name}: {error}") from None
    return given


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
