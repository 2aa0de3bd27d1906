"""Which functions of this process are audited, and what they were declared to be.

A function is registered when it is decorated, so a call pays nothing for it. The registry holds functions weakly
and of their declarations only texts: what was decorated inside of a function goes when that would have gone.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final, TypeVar

from auditkit.capture.origin import function_of, layers
from auditkit.capture.reference import ref
from auditkit.event import ActionType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from auditkit.capture.declaration import Declaration, Statement

Registered = TypeVar("Registered", bound="Callable[..., Any]")


# By the wrapper's identity: two wrappers of one function are equal, and a wrapper need not be hashable. Every
# access is one operation on the dict, which Python makes whole; a lock would be waited for by itself where a
# collection of garbage, and with it forgetting, begins in the thread that holds it.
_HELD: Final[dict[int, tuple[weakref.ref[Any], dict[str, Any]]]] = {}


def register(wrapper: Registered, declared: Declaration, stated: Statement) -> Registered:
    """Remember a decorated function for as long as it lives, and return it."""
    key = id(wrapper)

    def forget(_: weakref.ref[Any]) -> None:  # before anything else can have this identity
        _HELD.pop(key, None)

    _HELD[key] = weakref.ref(wrapper, forget), _described(wrapper, declared, stated)
    return wrapper


def descriptions() -> list[dict[str, Any]]:
    """Return what each decorated function that still lives was declared to be."""
    return [described for held, described in _HELD.copy().values() if held() is not None]


def is_audited(value: object) -> bool:
    """Return whether a function is audited, below any decorators that say what they wrap."""
    return any(_is_registered(layer) for layer in layers(value))


def _is_registered(value: object) -> bool:
    held = _HELD.get(id(value))
    return held is not None and held[0]() is value


def _described(wrapper: Any, declared: Declaration, stated: Statement) -> dict[str, Any]:
    function = function_of(wrapper) or function_of(type(wrapper.__wrapped__).__call__)
    return {
        "action": declared.action,
        "action_type": ActionType(declared.action_type),
        "module": _string(wrapper, "__module__") or "",
        "function": _string(wrapper, "__qualname__") or type(wrapper.__wrapped__).__qualname__,
        "file": function.__code__.co_filename if function else "",
        "line": function.__code__.co_firstlineno if function else 0,
        "summary": next(iter((_string(wrapper, "__doc__") or "").strip().splitlines()), ""),
        "target": _told(stated.target),
        "actor": _told(stated.actor),
        "group": _told(stated.group),
        "capture": _told(stated.capture),
        "before": _told(stated.before),
        "after": _told(stated.after),
        "fields": _names(declared.fields) if stated.fields is not None else None,
        "exclude": _names(declared.exclude) if stated.exclude is not None else None,
        "redact": _names(declared.redact),
        "metadata": _names([*declared.constants, *(name for name, _ in declared.values)]),
        "when": _told(stated.when),
        "outcome": _told(stated.outcome),
        "on_error": declared.on_error,
    }


def _string(value: object, attribute: str) -> str | None:
    found = getattr(value, attribute, None)
    return found if isinstance(found, str) else None


def _told(value: object) -> str | None:
    """Return how a reference was written; nothing of a callable but its name."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, ref):
        return value.path
    if isinstance(value, tuple):
        return ", ".join(str(_told(each)) for each in value)
    return _string(value, "__qualname__") or type(value).__qualname__


def _names(names: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(sorted({*(names or ())}))
