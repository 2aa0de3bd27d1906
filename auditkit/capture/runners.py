"""What happens when a decorated function is called, and a decorated coroutine function.

The only file that knows wrapt. A wrapper is in every way but its call the function itself.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import partial
from types import AsyncGeneratorType, CoroutineType, GeneratorType, MethodType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import wrapt

from auditkit import _current
from auditkit.capture.awaiting import fetch
from auditkit.capture.call import CALL
from auditkit.capture.composition import CANCELLED
from auditkit.context import current_scope
from auditkit.errors import RecordingFailed
from auditkit.kinds import is_unused
from auditkit.native import hand_over, in_c

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Token

    from auditkit.capture.call import Call
    from auditkit.capture.site import Site

Made = TypeVar("Made")

get_call = CALL.get
set_call, _reset_call = CALL.set, CALL.reset  # bound once: the hot path calls them on every audited call


def run(site: Site, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a site's function, and record the call."""
    trail, scope = _current.chosen(site.given), current_scope()
    if not trail.enabled or (scope is not None and scope.suppressing):
        return site.wrapped(*args, **kwargs)
    call = site.begin(trail, scope, args, kwargs)
    token = set_call(call)
    try:
        result = call.result = site.wrapped(*args, **kwargs)
    except BaseException as error:
        _failed(site, call, token, error)
        raise
    _reset_call(token)
    kind = type(result)  # not looked up: how a class is hashed or compared may be its metaclass's own
    if kind is CoroutineType or kind is GeneratorType or kind is AsyncGeneratorType:
        finishing = UNFINISHED[kind](site, call, result)
        if finishing is not None:
            return finishing
    site.returned(call)
    if trail.syncs_each:
        site.settle(trail, result)
    return result


def _failed(site: Site, call: Call, token: Token[Call | None], error: BaseException) -> None:
    """Record that a site's function raised."""
    leave(token)
    if site.raised(call, error) and call.trail.syncs_each:
        site.settle(call.trail, error=error)


@in_c("Called")
class _Called:
    """What makes the calls of an audited plain function."""

    __slots__ = ()
    _self_site: Site

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function, and record the call."""
        return run(self._self_site, args, kwargs)


class AuditedFunction(_Called, wrapt.FunctionWrapper):  # type: ignore[type-arg]  # it wraps any callable
    """A plain function whose calls are recorded.

    `__call__` is a plain method rather than a wrapt wrapper function, and `__get__` gives an ordinary bound
    method of this very object: half of wrapt's own cost a call, and the object that a class or a module
    holds is the one that is called, pickled and copied.
    """

    def __init_subclass__(cls, **named: Any) -> None:
        """Keep the class from having annotations of its own: see `_annotations`."""
        super().__init_subclass__(**named)
        type.__setattr__(cls, "__annotations__", _annotations)

    def __init__(self, site: Site) -> None:
        """Wrap the site's function."""
        super().__init__(site.wrapped, _unused)
        self._self_site = site
        self._self_binds = _binds(site.wrapped)
        # As a function's own, no bound method: who finds one takes this for an object of a class that is called, and
        # reads the annotations there (Litestar does). Python itself calls what the class has.
        self.__call__ = partial(_called_by_name, type(self), site)  # type: ignore[method-assign]

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Return the function itself for its class, and a bound method for an instance."""
        return self if instance is None or not self._self_binds else MethodType(self, instance)

    def __repr__(self) -> str:
        """Show the function."""
        return f"<audited {self.__wrapped__!r}>"

    def __reduce__(self) -> str:
        """Pickle by the qualified name, as functions do."""
        name = getattr(self, "__qualname__", None)
        if not isinstance(name, str):
            from pickle import PicklingError  # noqa: PLC0415  (who pickles has it: `import auditkit` stays light)

            raise PicklingError(
                f"an audited {type(self.__wrapped__).__name__} has no qualified name to be pickled by; "
                "pickle what it is made of, or an audited function of a module"
            )
        return name

    def __reduce_ex__(self, protocol: Any) -> str:
        """Pickle by the qualified name, as functions do."""
        return self.__reduce__()

    def __copy__(self) -> AuditedFunction:
        """Return itself, as copying a function does."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> AuditedFunction:
        """Return itself, as copying a function does."""
        return self


def _called_by_name(kind: type[AuditedFunction], site: Site, /, *args: Any, **kwargs: Any) -> Any:
    """Call another wrapper of the same: the one that is asked would be in a circle, if it were kept here."""
    return kind(site)(*args, **kwargs)


def _annotate(audited: AuditedFunction, annotations: dict[str, Any]) -> None:
    audited.__wrapped__.__annotations__ = annotations


# What wrapt gives stands in a base class. A class of ours that is asked for its annotations would make some for
# itself, empty ones, and these would hide those of every function from then on.
_annotations: Final = property(lambda audited: audited.__wrapped__.__annotations__, _annotate)
type.__setattr__(AuditedFunction, "__annotations__", _annotations)


class AuditedCoroutineFunction(AuditedFunction):
    """A coroutine function whose calls are recorded: the same, awaited."""

    def __init__(self, site: Site) -> None:
        """Wrap the site's function."""
        super().__init__(site)
        self._self_run = _awaiting(site)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return a coroutine that calls the function, and records the call."""
        return self._self_run(args, kwargs)


def _binds(function: Any) -> bool:
    """Return whether a class gives its instances bound methods of this: of a plain callable object it does not."""
    if isinstance(function, AuditedFunction):
        return bool(function._self_binds)  # noqa: SLF001  (wrapt keeps a wrapper's own attributes by such names)
    return hasattr(type(function), "__get__") and not isinstance(function, _NEVER_BOUND)


_NEVER_BOUND: Final = (MethodType, partial) if sys.version_info < (3, 14) else MethodType


def _finishing(site: Site, call: Call, coroutine: CoroutineType[Any, Any, Any]) -> Coroutine[Any, Any, Any] | None:
    """Return a coroutine in another's place: the call has ended when that has. None where it is a value: begun."""
    if not is_unused(coroutine):
        return None

    async def finish() -> Any:
        token = set_call(call)
        try:
            result = call.result = await coroutine
        except BaseException as error:
            leave(token)
            await record_raised(site, call, error)
            raise
        leave(token)
        await record_returned(site, call)
        return result

    return named_as(coroutine, finish)()


# By the type of what a call returned: gives what runs in its place, where a decorator below hides a function that has
# done nothing yet, or None where it is a value like others. generators.py has more.
UNFINISHED: Final[dict[type, Callable[[Site, Call, Any], Any]]] = {CoroutineType: _finishing}

hand_over(failed=_failed, unfinished=UNFINISHED)


def _awaiting(site: Site) -> Callable[[tuple[Any, ...], dict[str, Any]], Coroutine[Any, Any, Any]]:
    """Return what makes the coroutines of a site."""
    wrapped, awaits = site.wrapped, site.declared.awaits

    async def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        trail, scope = _current.chosen(site.given), current_scope()
        if not trail.enabled or (scope is not None and scope.suppressing):
            return await wrapped(*args, **kwargs)
        call = site.begin(trail, scope, args, kwargs)
        if awaits:
            await site.look(call)
        token = set_call(call)
        try:
            result = call.result = await wrapped(*args, **kwargs)
        except BaseException as error:
            leave(token)
            await record_raised(site, call, error)
            raise
        leave(token)
        await record_returned(site, call)
        return result

    return named_as(wrapped, run)


async def record_returned(site: Site, call: Call) -> None:
    """Record that a coroutine, or an async generator, has come to its end."""
    trail, result = call.trail, call.result
    if site.declared.awaits:
        try:
            await fetch(call, early=False)
        except BaseException:  # one that is cancelled meanwhile has been done, and is recorded
            with suppress(RecordingFailed):  # who stops us must not be kept waiting for another exception
                site.returned(call)
            raise
    site.returned(call)
    if trail.syncs_each:
        await site.asettle(trail, result)


async def record_raised(site: Site, call: Call, error: BaseException) -> None:
    """Record what a coroutine raised."""
    trail = call.trail
    closed = isinstance(error, GeneratorExit)  # thrown away while it waited: nothing can be awaited any more
    unfinished = CANCELLED if closed or is_cancellation(error) else ""
    recorded = False
    try:
        if site.declared.awaits and not closed and site.records(call, error, unfinished):
            call.error, call.failed = error, not unfinished
            await fetch(call, early=False)
    finally:
        recorded = site.raised(call, error, unfinished=unfinished)
    if recorded and trail.syncs_each and not closed:
        await site.asettle(trail, error=error)


def named_as(original: Any, made: Made) -> Made:
    """Return what was made in place of another, by that one's name: so it is told in a task's repr and in warnings."""
    for name in ("__name__", "__qualname__"):
        setattr(made, name, getattr(original, name, getattr(made, name)))
    return made


def _unused(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """Stand where wrapt wants a wrapper function; `__call__` is called instead."""
    raise NotImplementedError


def leave(token: Token[Call | None]) -> bool:
    """Let the call around be the one that is under way again; return whether that could be done here."""
    try:
        _reset_call(token)
    except ValueError:  # driven by hand from several contexts: the one it began in is left by itself
        return False
    return True


def is_cancellation(error: BaseException) -> bool:
    """Return whether this is how asyncio, trio and anyio cancel: beside Exception, and not the process's end."""
    return not isinstance(error, Exception | KeyboardInterrupt | SystemExit)
