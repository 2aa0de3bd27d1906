"""``carry_context``: run a function somewhere else in the audit context that is here."""

from __future__ import annotations

import functools
import inspect
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from auditkit.capture.call import CALL
from auditkit.context import SCOPE
from auditkit.errors import AuditDefinitionError
from auditkit.kinds import is_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditkit.capture.call import Call
    from auditkit.context import Scope

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def carry_context(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return the function with every call of it in the audit context that is here and now.

    For threads, executors and callbacks: ``pool.submit(carry_context(work), 1)``. The scope itself is carried,
    not a copy: what is bound on either side is seen on both. Audited calls inside name the audited call that is
    under way here as their parent. Nothing else of `contextvars` is carried, and what was there before is back
    after each call.

    Args:
        function: A plain or coroutine function, which stays one, or an object that is called like one. Of a
            plain function that returns a coroutine only what it does itself is carried.

    Raises:
        AuditDefinitionError: It is a generator function, which would run after it has returned, or no function.

    Thread-safety: may be called from many threads and tasks at once.
    """
    return within(function, functools.partial(_there, SCOPE.get(), CALL.get()), "carry_context()")


def within(
    function: Callable[Arguments, Result], enter: Callable[[], AbstractContextManager[None]], asked: str
) -> Callable[Arguments, Result]:
    """Return the function with every call of it inside what ``enter`` returns.

    Args:
        function: A plain or coroutine function, which stays one.
        enter: Asked for each call.
        asked: What the user wrote, for messages.

    Raises:
        AuditDefinitionError: It is neither.
    """
    if not callable(function):
        raise AuditDefinitionError(f"{asked} takes a function, got a value of type {type(function).__name__}")
    if is_kind(inspect.isgeneratorfunction, function) or is_kind(inspect.isasyncgenfunction, function):
        name = getattr(function, "__qualname__", type(function).__qualname__)
        raise AuditDefinitionError(
            f"{asked} takes a plain or a coroutine function, and {name} makes generators, which run after it has "
            "returned; give the function that consumes them"
        )
    if is_kind(inspect.iscoroutinefunction, function):
        awaited: Callable[..., Any] = function

        @functools.wraps(function)
        async def inner_coroutine(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Any:
            with enter():
                return await awaited(*args, **kwargs)

        return inner_coroutine  # type: ignore[return-value]  # as what it wraps

    @functools.wraps(function)
    def inner(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with enter():
            return function(*args, **kwargs)

    return inner


@contextmanager
def _there(scope: Scope | None, call: Call | None) -> Iterator[None]:
    here = SCOPE.get()
    if here is not None and here.suppressing:  # auditkit's own thread calls it: a transport must not feed itself
        yield
        return
    scope_token, call_token = SCOPE.set(scope), CALL.set(call)
    try:
        yield
    finally:
        # A coroutine that was begun in one context may be thrown away in another: the one it began in is left by
        # itself.
        with suppress(ValueError):
            CALL.reset(call_token)
        with suppress(ValueError):
            SCOPE.reset(scope_token)
