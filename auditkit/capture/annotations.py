"""Whether the later segments of a reference exist, as far as annotations tell when decorating."""

from __future__ import annotations

import inspect
import sys
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    ForwardRef,
    Never,
    NoReturn,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    is_typeddict,
)

from auditkit.errors import AuditDefinitionError
from auditkit.loaded import loaded_class

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WRAPPINGS: Final = (Annotated, Required, NotRequired)
# Their instances have what these classes have, and nobody gives them more.
_CLOSED: Final = frozenset({str, int, float, bool, bytes, list, set, frozenset})
_OF_ENUMS: Final = frozenset({"name", "value"})  # an enum's member may be a str or an int too
_NOTHING: Final = (None, NoneType, Never, NoReturn)


def _is_closed(kind: object) -> bool:
    """Return whether a class is one of those, or of the same sort in a module that may not be loaded."""
    return kind in _CLOSED or kind in (*loaded_class("decimal", "Decimal"), *loaded_class("uuid", "UUID"))


def check_segments(kind: type | None, segments: Iterable[str], where: str) -> type | None:
    """Refuse an attribute or key that a class with declared fields does not have.

    Args:
        kind: The class that the first segment is annotated with, if any.
        segments: The segments after it.
        where: What the message begins with.

    Returns:
        The class that the last segment is annotated with, if that can be told now.

    Raises:
        AuditDefinitionError: There is no such field; names those that exist.
    """
    for segment in segments:
        if kind is not None and _is_closed(kind):
            _check_closed(kind, segment, where)
            return None
        declared = None if kind is None else _declared(kind)
        if kind is None or declared is None:
            return None
        if segment in declared:
            kind = _annotated(kind, segment)
        elif hasattr(kind, segment) and not is_typeddict(kind):
            return None  # a property or the like: nothing is declared of what it gives
        else:
            raise AuditDefinitionError(
                f"{where}: {kind.__name__} has no field {segment!r}; it has {', '.join(sorted(declared))}"
            )
    return kind


def _check_closed(kind: type, segment: str, where: str) -> None:
    if kind is list:
        there, instead = segment.isdecimal(), "an element is named by its number, the first one by '0'"
    else:
        there, instead = segment in _OF_ENUMS, "name the value itself, or give a callable"
    if not there and not hasattr(kind, segment):
        raise AuditDefinitionError(f"{where}: a value of type {kind.__name__} has no {segment!r}; {instead}")


def has_fields(kind: type | None) -> bool:
    """Return whether a class declares all fields that its instances have."""
    return kind is not None and not _is_closed(kind) and _declared(kind) is not None


def is_nothing(annotation: object) -> bool:
    """Return whether a function that is annotated to return this never has a result."""
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2] in {"None", "Never", "NoReturn"}
    return any(annotation is each for each in _NOTHING)


def class_of(annotation: object, namespace: Mapping[str, Any]) -> type | None:
    """Return the class that an annotation names, or None where it is none that can be told now."""
    if isinstance(annotation, ForwardRef):  # what TypedDict and NamedTuple make of a text
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        try:  # only this one: others may name what is imported for type checkers alone
            annotation = eval(annotation, dict(namespace))  # noqa: S307  (the application's own code)
        except Exception:  # noqa: BLE001  (a forward reference: it is checked when it is used)
            return None
    origin: Any = get_origin(annotation)
    if origin in _WRAPPINGS:
        return class_of(get_args(annotation)[0], namespace)
    if origin in {Union, UnionType}:
        others = [each for each in get_args(annotation) if each is not NoneType]
        return class_of(others[0], namespace) if len(others) == 1 else None
    kind = origin if _is_closed(origin) else annotation
    return kind if (origin is None or kind is origin) and isinstance(kind, type) else None


def _declared(kind: Any) -> Iterable[str] | None:
    """Return the fields a class declares, or None where an instance may have others."""
    if is_typeddict(kind):
        return list(kind.__annotations__)
    found = getattr(kind, "__pydantic_fields__", None)
    if found is not None:
        return None if getattr(kind, "model_config", {}).get("extra") == "allow" else list(found)
    if hasattr(kind, "__getattr__"):
        return None
    if hasattr(kind, "__dataclass_fields__"):
        from dataclasses import fields  # noqa: PLC0415  (who declares one has loaded it; importing auditkit does not)

        return [each.name for each in fields(kind)]
    if issubclass(kind, tuple):
        return getattr(kind, "_fields", None)
    attributes = getattr(kind, "__attrs_attrs__", None)
    return None if attributes is None else [each.name for each in attributes]


def _annotated(kind: type, name: str) -> type | None:
    """Return the class that a field is annotated with."""
    for base in kind.__mro__:
        annotations = inspect.get_annotations(base)
        if name in annotations:
            return class_of(annotations[name], vars(sys.modules.get(base.__module__, inspect)))
    return None
