"""Which functions of this process are audited, and what they were declared to be.

A function is registered when it is decorated, so a call pays nothing for it. The registry holds functions weakly
and of their declarations only texts: what was decorated inside of a function goes when that would have gone.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from auditkit.capture.origin import function_of, layers
from auditkit.capture.reference import ref
from auditkit.event import ActionType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from auditkit.capture.declaration import Declaration, Statement

Registered = TypeVar("Registered", bound="Callable[..., Any]")


class RegisteredAction(NamedTuple):
    """One decorated function, and what ``@audited`` was told about it.

    References are as they were written, a pair of them separated by a comma, callables by their qualified names.
    What was not stated is None.

    Attributes:
        action: What is done, such as ``"invoice.update"``.
        action_type: `ActionType`; equal to ``"C"``, ``"R"``, ``"U"`` or ``"D"``.
        module: The name of the module in which the function was defined; empty where it has none.
        function: The function's qualified name within it, such as ``"Billing.correct"``.
        file: The source file as Python knows it; empty for what was not written in Python.
        line: The line in it where the function begins, its decorators included; 0 where there is no file.
        summary: The first line of the function's docstring; empty where there is none.
        target: What it is done to.
        actor: Who does it, where that is not the context's.
        group: For which group, where that is not the context's.
        capture: The state that is observed.
        before: The state before the call, where it was given separately.
        after: The state after the call, where it was given separately.
        fields: The only fields of the state that are recorded, sorted.
        exclude: The fields of the state that are not, sorted.
        redact: Names whose values are redacted, beside the trail's rules; sorted.
        metadata: The names of what else is recorded, sorted; never its values.
        when: What says whether a call is recorded; ``"changed"`` for an update that must have changed something.
        outcome: What judges a call by its result.
        on_error: What a call that raises is recorded as: ``"skip"``, ``"record"``, or another action.
    """

    action: str
    action_type: ActionType
    module: str
    function: str
    file: str
    line: int
    summary: str
    target: str | None
    actor: str | None
    group: str | None
    capture: str | None
    before: str | None
    after: str | None
    fields: tuple[str, ...] | None
    exclude: tuple[str, ...] | None
    redact: tuple[str, ...]
    metadata: tuple[str, ...]
    when: str | None
    outcome: str | None
    on_error: str | None

    @property
    def name(self) -> str:
        """The function's full name: its module, and its qualified name within it."""
        return f"{self.module}.{self.function}" if self.module else self.function


# By the wrapper's identity: two wrappers of one function are equal, and a wrapper need not be hashable. Every
# access is one operation on the dict, which Python makes whole; a lock would be waited for by itself where a
# collection of garbage, and with it forgetting, begins in the thread that holds it.
_HELD: Final[dict[int, tuple[weakref.ref[Any], RegisteredAction]]] = {}


def register(wrapper: Registered, declared: Declaration, stated: Statement) -> Registered:
    """Remember a decorated function for as long as it lives, and return it."""
    key = id(wrapper)

    def forget(_: weakref.ref[Any]) -> None:  # before anything else can have this identity
        _HELD.pop(key, None)

    _HELD[key] = weakref.ref(wrapper, forget), _described(wrapper, declared, stated)
    return wrapper


def registered_actions() -> list[RegisteredAction]:
    """Return every function that is decorated with ``@audited`` in this process.

    A module that has not been imported has decorated nothing yet; a decorated function that was let go is no
    longer there. Facts that are recorded by `record` and `emit` are not functions, and not listed.

    Returns:
        A new list, sorted by action, then by the function's full name.

    Thread-safety: may be called from any thread, also while others import and decorate. It never raises, and
    runs nothing of the functions.
    """
    actions = [action for held, action in _HELD.copy().values() if held() is not None]
    return sorted(actions, key=lambda each: (each.action, each.name, each.file, each.line, each.action_type))


def is_audited(value: object) -> bool:
    """Return whether a function is audited, below any decorators that say what they wrap."""
    return any(_is_registered(layer) for layer in layers(value))


def _is_registered(value: object) -> bool:
    held = _HELD.get(id(value))
    return held is not None and held[0]() is value


def _described(wrapper: Any, declared: Declaration, stated: Statement) -> RegisteredAction:
    function = function_of(wrapper) or function_of(type(wrapper.__wrapped__).__call__)
    return RegisteredAction(
        action=declared.action,
        action_type=ActionType(declared.action_type),
        module=_string(wrapper, "__module__") or "",
        function=_string(wrapper, "__qualname__") or type(wrapper.__wrapped__).__qualname__,
        file=function.__code__.co_filename if function else "",
        line=function.__code__.co_firstlineno if function else 0,
        summary=next(iter((_string(wrapper, "__doc__") or "").strip().splitlines()), ""),
        target=_told(stated.target),
        actor=_told(stated.actor),
        group=_told(stated.group),
        capture=_told(stated.capture),
        before=_told(stated.before),
        after=_told(stated.after),
        fields=_names(declared.fields) if stated.fields is not None else None,
        exclude=_names(declared.exclude) if stated.exclude is not None else None,
        redact=_names(declared.redact),
        metadata=_names([*declared.constants, *(name for name, _ in declared.values)]),
        when=_told(stated.when),
        outcome=_told(stated.outcome),
        on_error=declared.on_error,
    )


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
