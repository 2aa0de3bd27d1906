"""``@audited``: the decorator."""

from __future__ import annotations

import inspect
from contextlib import asynccontextmanager, contextmanager
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, TypeVar

from auditkit.capture.celery_tasks import decorated_inside
from auditkit.capture.declaration import Statement, declare, read
from auditkit.capture.generators import AuditedAsyncGeneratorFunction, AuditedGeneratorFunction
from auditkit.capture.holders import decorated_in_place
from auditkit.capture.registry import register
from auditkit.capture.runners import AuditedCoroutineFunction, AuditedFunction
from auditkit.capture.site import Site
from auditkit.errors import AuditDefinitionError
from auditkit.kinds import is_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from auditkit.capture.reference import ref
    from auditkit.event import ActionType
    from auditkit.protocols import Recorder

    Reference = str | Callable[..., Any]
    ActionTypeName = Literal["C", "R", "U", "D"] | ActionType

Decorated = TypeVar("Decorated")


def audited(  # noqa: PLR0913  (the design's names; all but two by keyword)
    action: str,
    action_type: ActionTypeName,
    *,
    target: Reference | tuple[Reference, Reference] | None = None,
    actor: Reference | None = None,
    group: Reference | None = None,
    capture: Reference | None = None,
    before: Reference | None = None,
    after: Reference | None = None,
    fields: Iterable[str] | None = None,
    exclude: Iterable[str] | None = None,
    redact: Iterable[str] = (),
    metadata: Mapping[str, ref | Callable[..., Any] | Any] | None = None,
    when: Literal["changed"] | Callable[..., Any] | None = None,
    outcome: Callable[..., Any] | None = None,
    on_error: str | None = None,
    on_audit_error: Literal["log", "raise"] | None = None,
    trail: Recorder | None = None,
) -> Callable[[Decorated], Decorated]:
    """Record every call of the decorated function.

    A *reference* is a parameter's name or ``result``, followed by attributes or keys: ``"tweet.id"``,
    ``"self.tenant.slug"``, ``"result.id"``. Where a reference is taken, so is a callable; it is given the
    function's parameters, ``result`` and ``error`` by the names it takes.

    Args:
        action: What is done: a category and a name separated by a period.
        action_type: ``"C"``, ``"R"``, ``"U"`` or ``"D"``.
        target: What it is done to: an id, an object with ``pk`` or ``id``, or a pair of references to an id
            and a name.
        actor: Who does it, where that is not the context's actor.
        group: For which group, where that is not the context's.
        capture: The state to be observed: before the call for U and D, after it for C and U, and for R.
        before: The state before the call, where it is not found in the same place as after it.
        after: The state after the call.
        fields: The only fields of the state that are recorded.
        exclude: The fields of the state that are not; not together with ``fields``.
        redact: Names whose values are redacted, beside the trail's rules.
        metadata: More to record: constants, ``ref("plan.name")``, or callables.
        when: A callable that says whether a call is recorded, or ``"changed"``: an update that changed nothing
            is not. A call that was cancelled or abandoned is recorded nevertheless.
        outcome: A callable that judges a result that may itself be an error: ``"success"``, ``"failure"``,
            ``"denied"``, or None for a call that is not recorded.
        on_error: What a call that raises is recorded as: ``"skip"`` (not at all), ``"record"``, or the name
            of another action; by default what the trail says.
        on_audit_error: ``"log"`` or ``"raise"``; by default what the trail says.
        trail: Where to record; the process-wide trail by default.

    Returns:
        A decorator that keeps the function's signature, kind and type. It takes plain and async functions,
        generator functions of both kinds, methods, class methods and static methods (above or below those
        decorators), partials, callable objects, Celery's tasks and click's commands (above or below theirs).
        Callables may be asynchronous where the function is. A plain function that returns a coroutine has ended when
        that has, and one that is a decorator's around a generator function when its generator has; one that returns
        a generator as its value when it returns.

    Raises:
        AuditDefinitionError: When decorating, for anything that could not work when called.

    Thread-safety: calls may overlap in threads and tasks; nothing of one call is shared with another.
    """
    if callable(action):
        raise AuditDefinitionError("write @audited('category.name', 'U') with its parentheses, action and action type")
    stated = Statement(
        action=action,
        action_type=action_type,
        target=target,
        actor=actor,
        group=group,
        capture=capture,
        before=before,
        after=after,
        fields=read(fields),
        exclude=read(exclude),
        redact=read(redact),
        metadata=metadata,
        when=when,
        outcome=outcome,
        on_error=on_error,
        on_audit_error=on_audit_error,
        trail=trail,
    )

    return _Decorator(stated, trail)


class _Decorator:
    """What ``audited(...)`` gives: it decorates, and is no block."""

    def __init__(self, stated: Statement, trail: Recorder | None) -> None:
        self._stated = stated
        self._trail = trail

    def __call__(self, function: Any) -> Any:
        if decorated_inside(function, self) or decorated_in_place(function, self):
            return function
        if isinstance(function, classmethod | staticmethod):
            return _remade(function, self(function.__func__))
        wrapper = _wrapper(function)
        declared = declare(function, self._stated)
        decorated = register(wrapper(Site(function, declared, self._trail)), declared, self._stated)
        made = _MADE_BY_NAME.get(function.__name__) if type(function) is FunctionType else None
        return decorated if made is None else made(decorated)

    def __enter__(self) -> NoReturn:
        raise AuditDefinitionError(
            "audited is for functions: decorate with @audited(...), or write `with auditing(...)`"
        )

    __aenter__ = __enter__

    def __exit__(self, *_: object) -> None:
        """Stand here so that ``with`` gets as far as `__enter__`."""

    __aexit__ = __exit__


# So that @audited without its parentheses meets the message above; a type checker still wants both.
audited.__defaults__ = (None,)


# What a class makes of its functions of these names, for it does so only to functions by their very type.
_MADE_BY_NAME: Final[dict[str, type[classmethod[Any, Any, Any] | staticmethod[Any, Any]]]] = {
    "__new__": staticmethod,
    "__init_subclass__": classmethod,
    "__class_getitem__": classmethod,
}


def _remade(method: Any, decorated: Any) -> Any:
    """Return a class or static method of a decorated function, with what the original was marked with."""
    try:
        made = type(method)(decorated)
    except TypeError:
        raise AuditDefinitionError(
            f"audited() cannot make another {type(method).__name__} of {decorated.__qualname__}; decorate below it"
        ) from None
    for name, value in vars(method).items():
        vars(made).setdefault(name, value)
    return made


def _is_awaitable_generator(function: Any) -> bool:
    """Return whether a generator function was made a coroutine function by `types.coroutine`."""
    code = getattr(function, "__code__", None)
    return isinstance(code, CodeType) and bool(code.co_flags & inspect.CO_ITERABLE_COROUTINE)


def _generate() -> Any:
    """Be made a context manager of."""


# The code of what contextlib makes of generator functions.
_MANAGERS: Final = (contextmanager(_generate).__code__, asynccontextmanager(_generate).__code__)

_WRAPPERS: Final[dict[Callable[[Any], bool], type[AuditedFunction]]] = {
    _is_awaitable_generator: AuditedCoroutineFunction,
    inspect.iscoroutinefunction: AuditedCoroutineFunction,
    inspect.isgeneratorfunction: AuditedGeneratorFunction,
    inspect.isasyncgenfunction: AuditedAsyncGeneratorFunction,
}


def _wrapper(function: Any) -> type[AuditedFunction]:
    """Return the wrapper for a kind of callable."""
    name = getattr(function, "__qualname__", repr(type(function)))
    if isinstance(function, type):
        raise AuditDefinitionError(f"audited() takes a function, and {name} is a class; decorate its methods")
    if not callable(function):
        kind = type(function).__name__
        below = f"; decorate the function that the {kind} is made of" if hasattr(type(function), "__get__") else ""
        raise AuditDefinitionError(f"audited() takes a function, got a value of type {kind}{below}")
    if getattr(function, "__code__", None) in _MANAGERS:
        raise AuditDefinitionError(
            f"audited() above the context manager {name} would record it before it is entered; put @audited below "
            "@contextmanager"
        )
    return next((wrapper for test, wrapper in _WRAPPERS.items() if is_kind(test, function)), AuditedFunction)
