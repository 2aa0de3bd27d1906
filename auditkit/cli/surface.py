"""The functions that modules offer to others, and which of them are audited."""

from __future__ import annotations

import dis
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from auditkit.capture import is_audited
from auditkit.capture.origin import function_of, layers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import CodeType, FunctionType, ModuleType

# What a function that does nothing may name, and the beginnings of the instructions that read what it was given.
_REFUSAL: Final = {"NotImplementedError"}
_READING: Final = ("LOAD_FAST", "LOAD_DEREF", "LOAD_CLOSURE")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicFunction:
    """A function, or a method, that others may call.

    Attributes:
        name: Its full name: the module, and the qualified name within it.
        file: Its source file.
        line: The line in it where the function begins, its decorators included.
        audited: Whether its calls are recorded.
    """

    name: str
    file: str
    line: int
    audited: bool


def public_functions(modules: Mapping[str, ModuleType]) -> list[PublicFunction]:
    """Return the public functions, and the public methods of public classes, that are defined in some modules.

    Public is what ``__all__`` names, where a module has one, else what begins with no underscore. What a public
    class inherits from a private one is its own. Left out are properties, abstract methods and functions that do
    nothing. A function that several names stand for is told once.

    Args:
        modules: Imported modules by their names.

    Returns:
        The functions, sorted by name.
    """
    found: dict[tuple[int, bool], PublicFunction] = {}
    for name, value in _offered(modules):
        function = function_of(value)
        if function is not None and function.__module__ in modules and not _is_left_out(value, function):
            code, audited = function.__code__, is_audited(value)
            told = PublicFunction(name=name, file=code.co_filename, line=code.co_firstlineno, audited=audited)
            found.setdefault((id(function), audited), told)
    return sorted(found.values(), key=lambda each: (each.name, each.line))


def _offered(modules: Mapping[str, ModuleType]) -> Iterator[tuple[str, object]]:
    """Yield what might be a public function, with its full name."""
    for name, module in modules.items():
        for key, value in _public(module):
            if issubclass(type(value), type):  # a lazy object would be made by asking whether it is a class
                yield from _methods(value, name, modules)
            elif _is_from(function_of(value), name):
                yield f"{name}.{key}", value


def _public(module: ModuleType) -> list[tuple[str, Any]]:
    held = dict(vars(module))
    listed = held.get("__all__")
    if isinstance(listed, Iterable):
        return [(key, held[key]) for key in listed if key in held]
    return [(key, value) for key, value in held.items() if not key.startswith("_")]


def _is_from(value: object, module: str) -> bool:
    return value is not None and getattr(value, "__module__", None) == module


def _methods(cls: type, module: str, modules: Mapping[str, ModuleType]) -> Iterator[tuple[str, object]]:
    """Yield what a class defined in a module holds under public names, and its nested classes."""
    if not _is_from(cls, module):
        return
    taken: set[str] = set()
    for owner in cls.__mro__:
        if owner.__module__ in modules:
            fields = getattr(owner, "__dataclass_fields__", ())  # a default may be a function
            for key, value in dict(vars(owner)).items():
                if not key.startswith("_") and key not in taken and key not in fields:
                    yield from _member(owner, key, value, modules)
        taken.update(vars(owner))


def _member(owner: type, key: str, value: Any, modules: Mapping[str, ModuleType]) -> Iterator[tuple[str, object]]:
    if not issubclass(type(value), type):
        if _is_from(function_of(value), owner.__module__):
            yield f"{owner.__module__}.{owner.__qualname__}.{key}", value
    elif value.__qualname__ == f"{owner.__qualname__}.{key}":  # else it is defined elsewhere, and may hold us
        yield from _methods(value, owner.__module__, modules)


def _is_left_out(value: object, function: FunctionType) -> bool:
    abstract = any(getattr(layer, "__isabstractmethod__", False) is True for layer in layers(value))
    return abstract or _does_nothing(function.__code__)


def _does_nothing(code: CodeType) -> bool:
    """Return whether a function's body is empty, a constant, or a refusal: there is nothing to be recorded."""
    if not set(code.co_names) <= _REFUSAL:
        return False
    return not any(each.opname.startswith(_READING) for each in dis.get_instructions(code))
