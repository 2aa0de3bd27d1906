"""References into a call, such as ``"tweet.id"`` and ``"result.id"``, compiled when decorating.

What a reference's first segment names is settled then: a parameter's place in the call, so that nothing is
bound or looked up by name while the application waits (`inspect.Signature.bind` costs 3 us a call).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final

from auditkit.errors import AuditDefinitionError

if TYPE_CHECKING:
    from auditkit.capture.call import Call

# Reads a value from a call.
Reader = Callable[["Call"], Any]

_PATH: Final = re.compile(r"[^\W\d]\w*(\.\w+)*")
_LATE: Final = ("result", "error")


class Unavailable(LookupError):  # noqa: N818  (a state of the call, not a fault)
    """Say that there is no such value in this call; the message is complete."""


@dataclass(frozen=True, slots=True)
class ref:  # noqa: N801  (used like a function in a declaration)
    """Refer to a value of the call in ``metadata``, where a plain string is a constant.

    Args:
        path: A parameter's name or ``result``, then attributes or keys: ``ref("plan.name")``.
    """

    path: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """A reference or callable, ready to read.

    Attributes:
        read: Reads the value.
        late: Whether it needs the call's result or error, so that it cannot be read before.
        text: How it was written, for messages.
    """

    read: Reader
    late: bool
    text: str


class Parameters:
    """Where a function's parameters are found in a call.

    Args:
        function: The function that is decorated.

    Raises:
        AuditDefinitionError: It has no signature.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        """Read the signature once."""
        self.name = getattr(function, "__qualname__", repr(type(function)))
        self._function = function
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):
            raise AuditDefinitionError(f"{self.name} has no signature that audited can read") from None
        self._all = list(signature.parameters.values())

    @property
    def names(self) -> list[str]:
        """Return the parameters' names."""
        return [parameter.name for parameter in self._all]

    def reader(self, name: str) -> Reader:
        """Return what reads one parameter, its default included."""
        index = self.names.index(name)
        parameter = self._all[index]
        if parameter.kind is parameter.VAR_POSITIONAL:
            return lambda call: call.args[index:]
        if parameter.kind is parameter.VAR_KEYWORD:
            named = frozenset(self.names)
            return lambda call: {key: value for key, value in call.kwargs.items() if key not in named}
        default = parameter.default

        def read_by_name(call: Call) -> Any:
            value = call.kwargs.get(name, default)
            if value is inspect.Parameter.empty:
                raise Unavailable(f"the call gives no argument {name!r}")
            return value

        def read(call: Call) -> Any:
            try:
                return call.args[index]
            except IndexError:
                return read_by_name(call)

        return read_by_name if parameter.kind is parameter.KEYWORD_ONLY else read

    def annotation(self, name: str) -> object:
        """Return the class a parameter is annotated with, or None where it is none that can be told now."""
        annotation = self._all[self.names.index(name)].annotation
        if isinstance(annotation, str):
            try:  # only this one: others may name what is imported for type checkers alone
                annotation = eval(annotation, getattr(self._function, "__globals__", {}))  # noqa: S307  (its own code)
            except Exception:  # noqa: BLE001  (a forward reference: it is checked when it is used)
                return None
        return annotation if isinstance(annotation, type) else None


def compile_value(parameters: Parameters, value: object, option: str) -> Compiled:
    """Compile what ``option=`` was given: a reference or a callable.

    Raises:
        AuditDefinitionError: It names nothing that the function has; says what exists.
    """
    if isinstance(value, ref):
        return compile_reference(parameters, value.path, option)
    if isinstance(value, str):
        return compile_reference(parameters, value, option)
    if callable(value):
        return compile_callable(parameters, value, option)
    raise AuditDefinitionError(
        f"{option}= of {parameters.name} must be a reference such as {_example(parameters)!r} or a callable, "
        f"got a value of type {type(value).__name__}"
    )


def _example(parameters: Parameters) -> str:
    return f"{next(iter(parameters.names), 'result')}.id"


def compile_reference(parameters: Parameters, path: str, option: str) -> Compiled:
    """Compile a dotted path whose first segment is a parameter's name, ``result`` or ``error``."""
    if not _PATH.fullmatch(path):
        raise AuditDefinitionError(
            f"{option}={path!r} of {parameters.name} is not a reference: "
            f"write a parameter's name, then attributes or keys, such as {_example(parameters)!r}"
        )
    first, *rest = path.split(".")
    if first in parameters.names:
        _check_fields(parameters, first, rest, f"{option}={path!r} of {parameters.name}")
        read, late = parameters.reader(first), False
    elif first in _LATE:
        read, late = _read_late(first), True
    else:
        raise AuditDefinitionError(
            f"{option}={path!r} of {parameters.name}: there is no parameter {first!r}; "
            f"there are {', '.join([*parameters.names, 'result'])}"
        )
    return Compiled(_follow(read, rest, path) if rest else read, late, path)


def _read_late(name: str) -> Reader:
    def read(call: Call) -> Any:
        if not call.ended or (name == "result" and call.error is not None):
            raise Unavailable(f"there is no {name}")
        return getattr(call, name)

    return read


def _follow(read: Reader, rest: list[str], path: str) -> Reader:
    if len(rest) == 1:  # the usual case, without a loop
        (only,) = rest

        def follow_one(call: Call) -> Any:
            return _step(read(call), only, path)

        return follow_one

    def follow(call: Call) -> Any:
        value = read(call)
        for segment in rest:
            value = _step(value, segment, path)
        return value

    return follow


def _step(value: Any, segment: str, path: str) -> Any:
    try:
        return value[segment] if type(value) is dict else getattr(value, segment)
    except (AttributeError, KeyError):
        if isinstance(value, Mapping) and segment in value:
            return value[segment]
        raise Unavailable(f"{path!r}: a value of type {type(value).__name__} has no {segment!r}") from None


def _check_fields(parameters: Parameters, first: str, rest: list[str], where: str) -> None:
    """Refuse an attribute that a class with declared fields does not have."""
    kind = parameters.annotation(first)
    if not rest or kind is None:
        return
    declared = _declared(kind)
    if declared is not None and rest[0] not in declared and not hasattr(kind, rest[0]):
        raise AuditDefinitionError(
            f"{where}: {getattr(kind, '__name__', kind)} has no field {rest[0]!r}; it has {', '.join(sorted(declared))}"
        )


def _declared(kind: object) -> set[str] | None:
    """Return the fields a class declares, or None where an instance may have others."""
    if is_dataclass(kind):
        return {each.name for each in fields(kind)}
    for marker in ("_fields", "__attrs_attrs__", "__pydantic_fields__"):
        found = getattr(kind, marker, None)
        if found:
            return {each if isinstance(each, str) else each.name for each in found}
    if getattr(kind, "__total__", None) is not None:  # a TypedDict
        return set(getattr(kind, "__annotations__", {}))
    return None


def compile_callable(parameters: Parameters, function: Callable[..., Any], option: str) -> Compiled:
    """Compile a callable that takes any of the function's parameters, ``result`` and ``error`` by name."""
    text = getattr(function, "__qualname__", type(function).__name__)
    if inspect.iscoroutinefunction(function):
        raise AuditDefinitionError(f"{option}= of {parameters.name} is the async function {text}; give a plain one")
    try:
        wanted = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise AuditDefinitionError(
            f"{option}= of {parameters.name}: {text} has no signature; wrap it in a lambda that names what it takes"
        ) from None
    available = [*parameters.names, *(name for name in _LATE if name not in parameters.names)]
    readers: list[tuple[str, Reader]] = []
    for parameter in wanted:
        if parameter.name in available and parameter.kind is not parameter.POSITIONAL_ONLY:
            in_call = parameter.name in parameters.names
            readers.append(
                (parameter.name, parameters.reader(parameter.name) if in_call else _read_if_there(parameter.name))
            )
        elif parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
            raise AuditDefinitionError(
                f"{option}= of {parameters.name}: {text} takes {parameter.name!r}, "
                f"and what can be given by name is {', '.join(available)}"
            )
    late = any(name in _LATE and name not in parameters.names for name, _ in readers)

    def read(call: Call) -> Any:
        return function(**{name: reader(call) for name, reader in readers})

    return Compiled(read, late, text)


def _read_if_there(name: str) -> Reader:
    """Read the result or the error for a callable: None where there is none."""
    return lambda call: getattr(call, name)
