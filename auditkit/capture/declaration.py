"""What ``@audited`` was told, checked and compiled once, when decorating."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from auditkit.capture.reference import Compiled, Parameters, compile_value, ref
from auditkit.errors import AuditDefinitionError, InvalidEventError
from auditkit.event import check_action, check_action_type, check_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from auditkit.event import MetadataValue

SKIP, RECORD = "skip", "record"
LOG, RAISE = "log", "raise"
_BEFORE: Final = frozenset("UD")
_AFTER: Final = frozenset("UCR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One audited function's declaration.

    Attributes:
        name: The function's qualified name.
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
        early_target: Whether the target is read before the call: what a C makes has its id after it.
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
    observes: bool = field(init=False)
    states: bool = field(init=False)
    looks_first: bool = field(init=False)

    def __post_init__(self) -> None:
        """Settle what each call would otherwise ask anew."""
        early = self.target is not None and not self.target.late and self.action_type != "C"
        object.__setattr__(self, "early_target", early)
        object.__setattr__(self, "observes", self.before is not None or self.after is not None)
        object.__setattr__(self, "states", bool(self.constants or self.values))
        object.__setattr__(self, "looks_first", early or self.before is not None)


def declare(  # noqa: PLR0913  (what audited takes)
    function: Callable[..., Any],
    action: str,
    action_type: str,
    *,
    target: object,
    actor: object,
    group: object,
    capture: object,
    before: object,
    after: object,
    fields: Iterable[str] | None,
    exclude: Iterable[str] | None,
    redact: Iterable[str],
    metadata: Mapping[str, object] | None,
    on_error: str | None,
    on_audit_error: str | None,
) -> Declaration:
    """Check and compile a declaration.

    Raises:
        AuditDefinitionError: It cannot work; says what was given and what exists.
    """
    parameters = Parameters(function)
    _check_names(parameters, action, action_type)
    if fields is not None and exclude is not None:
        raise AuditDefinitionError(f"fields= and exclude= of {parameters.name} cannot both be given")
    of_id, of_name = _target(parameters, target)
    state_before, state_after = _states(parameters, action_type, capture, before, after)
    constants, values = _metadata(parameters, metadata or {})
    return Declaration(
        name=parameters.name,
        action=action,
        action_type=str(action_type),
        category=action.partition(".")[0],
        target=of_id,
        target_name=of_name,
        actor=_optional(parameters, actor, "actor"),
        group=_optional(parameters, group, "group"),
        before=state_before,
        after=state_after,
        constants=constants,
        values=values,
        fields=None if fields is None else frozenset(_strings(parameters, fields, "fields")),
        exclude=frozenset() if exclude is None else frozenset(_strings(parameters, exclude, "exclude")),
        redact=tuple(_strings(parameters, redact, "redact")),
        on_error=_on_error(parameters, on_error),
        on_audit_error=_on_audit_error(parameters, on_audit_error),
    )


def _check_names(parameters: Parameters, action: object, action_type: object) -> None:
    try:
        check_action(action)
        check_action_type(action_type)
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


def _states(
    parameters: Parameters, action_type: str, capture: object, before: object, after: object
) -> tuple[Compiled | None, Compiled | None]:
    """Return what reads the state before the call, and what reads it after."""
    if capture is not None and (before is not None or after is not None):
        raise AuditDefinitionError(
            f"capture= of {parameters.name} names the state for both moments; give it, or before= and after="
        )
    if capture is None:
        return _separate(parameters, before, after)
    compiled = compile_value(parameters, capture, "capture")
    if compiled.late and action_type in _BEFORE:
        raise AuditDefinitionError(
            f"capture={compiled.text!r} of {parameters.name} is not there before the call, and {action_type!r} needs "
            "the state before it; give before= and after= separately"
        )
    return (compiled if action_type in _BEFORE else None), (compiled if action_type in _AFTER else None)


def _separate(parameters: Parameters, before: object, after: object) -> tuple[Compiled | None, Compiled | None]:
    compiled_before = _optional(parameters, before, "before")
    if compiled_before is not None and compiled_before.late:
        raise AuditDefinitionError(f"before={compiled_before.text!r} of {parameters.name} is not there before the call")
    return compiled_before, _optional(parameters, after, "after")


def _metadata(
    parameters: Parameters, metadata: Mapping[str, object]
) -> tuple[Mapping[str, MetadataValue], tuple[tuple[str, Compiled], ...]]:
    values = {key: value for key, value in metadata.items() if isinstance(value, ref) or callable(value)}
    try:
        constants = check_metadata({key: value for key, value in metadata.items() if key not in values})
    except InvalidEventError as error:
        raise AuditDefinitionError(f"metadata= of {parameters.name}: {error}") from None
    return constants, tuple(
        (key, compile_value(parameters, value, f"metadata[{key!r}]")) for key, value in values.items()
    )


def _strings(parameters: Parameters, names: Iterable[str], option: str) -> Iterable[str]:
    if isinstance(names, str):
        raise AuditDefinitionError(f"{option}= of {parameters.name} takes several names: write {option}=({names!r},)")
    given = list(names)
    for name in given:
        if not isinstance(name, str):
            raise AuditDefinitionError(f"{option}= of {parameters.name} takes names, got {type(name).__name__}")
    return given


def _on_error(parameters: Parameters, value: str | None) -> str | None:
    if value in {None, SKIP, RECORD}:
        return value
    try:
        return check_action(value)
    except InvalidEventError:
        raise AuditDefinitionError(
            f"on_error= of {parameters.name} must be 'skip', 'record' or another action's name, got {value!r}"
        ) from None


def _on_audit_error(parameters: Parameters, value: str | None) -> str | None:
    if value in {None, LOG, RAISE}:
        return value
    raise AuditDefinitionError(f"on_audit_error= of {parameters.name} must be 'log' or 'raise', got {value!r}")
