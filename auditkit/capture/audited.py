"""``@audited``: the decorator, and the wrapper that it puts around a function."""

from __future__ import annotations

import inspect
from types import MethodType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import wrapt

from auditkit.capture.declaration import declare
from auditkit.capture.runners import Site, run_coroutine, run_function
from auditkit.errors import AuditDefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from auditkit.capture.reference import ref
    from auditkit.capture.runners import Run
    from auditkit.event import ActionType
    from auditkit.protocols import Recorder

    Reference = str | Callable[..., Any]
    ActionTypeName = Literal["C", "R", "U", "D"] | ActionType

Decorated = TypeVar("Decorated")


class AuditedFunction(wrapt.FunctionWrapper):  # type: ignore[type-arg]  # it wraps any callable
    """A function whose calls are recorded; in every other way the function itself.

    `__call__` is a plain method rather than a wrapt wrapper function, and `__get__` gives an ordinary bound
    method of this very object: half of wrapt's own cost a call, and the object that a class or a module
    holds is the one that is called, pickled and copied.
    """

    def __init__(self, wrapped: Callable[..., Any], run: Run) -> None:
        """Wrap a function with what runs it."""
        super().__init__(wrapped, _unused)
        self._self_run = run

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, and record the call."""
        return self._self_run(args, kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Return the function itself for its class, and a bound method for an instance."""
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> str:
        """Pickle by the qualified name, as functions do."""
        return str(self.__qualname__)

    def __reduce_ex__(self, protocol: Any) -> str:
        """Pickle by the qualified name, as functions do."""
        return self.__reduce__()

    def __copy__(self) -> AuditedFunction:
        """Return itself, as copying a function does."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> AuditedFunction:
        """Return itself, as copying a function does."""
        return self


def _unused(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """Stand where wrapt wants a wrapper function; `AuditedFunction.__call__` is called instead."""
    raise NotImplementedError


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
        on_error: What a call that raises is recorded as: ``"skip"`` (not at all), ``"record"``, or the name
            of another action; by default what the trail says.
        on_audit_error: ``"log"`` or ``"raise"``; by default what the trail says.
        trail: Where to record; the process-wide trail by default.

    Returns:
        A decorator that keeps the function's signature, kind and type. It takes plain and async functions,
        methods, class methods and static methods (above or below those decorators).

    Raises:
        AuditDefinitionError: When decorating, for anything that could not work when called.

    Thread-safety: calls may overlap in threads and tasks; nothing of one call is shared with another.
    """

    def decorate(function: Any) -> Any:
        if isinstance(function, classmethod | staticmethod):
            return type(function)(decorate(function.__func__))
        kind = _kind(function)
        declared = declare(
            function,
            action,
            action_type,
            target=target,
            actor=actor,
            group=group,
            capture=capture,
            before=before,
            after=after,
            fields=fields,
            exclude=exclude,
            redact=redact,
            metadata=metadata,
            on_error=on_error,
            on_audit_error=on_audit_error,
        )
        return AuditedFunction(function, kind(Site(declared, trail), function))

    if callable(action):
        raise AuditDefinitionError("write @audited('category.name', 'U') with its parentheses")
    return decorate


def _kind(function: Any) -> Callable[[Site, Callable[..., Any]], Run]:
    """Return the runner for a kind of callable."""
    name = getattr(function, "__qualname__", repr(type(function)))
    if isinstance(function, type):
        raise AuditDefinitionError(f"audited() takes a function, and {name} is a class; decorate its methods")
    if not callable(function):
        raise AuditDefinitionError(f"audited() takes a function, got a value of type {type(function).__name__}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise AuditDefinitionError(
            f"audited() cannot record the generator {name}: it has no moment at which it is done; "
            "decorate the function that consumes it"
        )
    return run_coroutine if inspect.iscoroutinefunction(function) else run_function
