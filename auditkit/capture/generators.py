"""What happens when a decorated generator function is called, plain or async.

The call begins when the function is called, and is recorded when its generator has ended, however that came. It
is under way only while the generator runs: what its consumer does between two values is not inside of it. The same
where a decorator below hides the generator function.
"""

from __future__ import annotations

import inspect
from functools import partial
from types import AsyncGeneratorType, GeneratorType
from typing import TYPE_CHECKING, Any

from auditkit import _current
from auditkit.capture.composition import ABANDONED
from auditkit.capture.runners import (
    UNFINISHED,
    AuditedFunction,
    get_call,
    leave,
    named_as,
    record_raised,
    record_returned,
    set_call,
)
from auditkit.context import current_scope
from auditkit.kinds import is_kind, is_unused

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from auditkit.capture.call import Call
    from auditkit.capture.site import Site

    AnyGenerator = Generator[Any, Any, Any] | AsyncGenerator[Any, Any]


def _running(site: Site, call: Call, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    inside: Call | None = call  # where it is: it may enter blocks of its own, and yield inside them
    values: list[Any] = []  # what is yielded goes through here, so that it is kept no longer than without auditkit
    closes = False
    resume: Callable[[], Any] = partial(next, generator)
    while True:
        token = set_call(inside)
        try:
            values.append(resume())
        except StopIteration as stop:
            leave(token)
            if closes:
                _raised(site, call, GeneratorExit(), unfinished=ABANDONED)
                return stop.value  # which closing gives from Python 3.13 on
            return _returned(site, call, stop.value)
        except BaseException as error:
            leave(token)
            is_closed = closes and isinstance(error, GeneratorExit)
            _raised(site, call, error, unfinished=ABANDONED if is_closed else "")
            raise
        finally:
            del resume  # an exception that was thrown in leads to this frame: a circle, if it were kept here
        reached = get_call()
        inside = reached if leave(token) else call
        try:
            sent = yield values.pop()
        except BaseException as error:  # noqa: BLE001  (thrown in, also to close it: it belongs to the one inside)
            closes = isinstance(error, GeneratorExit)
            resume = partial(generator.throw, error)
        else:
            closes = False
            resume = partial(generator.send, sent)
            del sent


def _returned(site: Site, call: Call, result: Any) -> Any:
    call.result = result
    site.returned(call)
    if call.trail.syncs_each:
        site.settle(call.trail, result)
    return result


def _raised(site: Site, call: Call, error: BaseException, *, unfinished: str = "") -> None:
    if site.raised(call, error, unfinished=unfinished) and call.trail.syncs_each:
        site.settle(call.trail, error=error)


async def _running_async(site: Site, call: Call, generator: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, Any]:
    await site.look(call)
    inside: Call | None = call  # as above, and so on
    values: list[Any] = []
    closing = 0  # the id of what was thrown in to close it
    resume: Callable[[], Any] = partial(generator.asend, None)
    while True:
        token = set_call(inside)
        try:
            values.append(await resume())
        except StopAsyncIteration:
            leave(token)
            await (_abandoned(site, call, GeneratorExit()) if closing else record_returned(site, call))
            return
        except BaseException as error:
            leave(token)
            # Another one than it was closed by throws its closing away: nothing can be awaited any more.
            await (_abandoned(site, call, error) if id(error) == closing else record_raised(site, call, error))
            raise
        finally:
            del resume
        reached = get_call()
        inside = reached if leave(token) else call
        try:
            sent = yield values.pop()
        except BaseException as error:  # noqa: BLE001  (as above)
            closing = id(error) if isinstance(error, GeneratorExit) else 0
            resume = partial(generator.athrow, error)
        else:
            closing = 0
            resume = partial(generator.asend, sent)
            del sent


async def _abandoned(site: Site, call: Call, closing: BaseException) -> None:
    """Record that an async generator was closed by its consumer, and so not run to its end."""
    if site.raised(call, closing, unfinished=ABANDONED) and call.trail.syncs_each:
        await site.asettle(call.trail, error=closing)


class AuditedGeneratorFunction(AuditedFunction):
    """A generator function whose calls are recorded: send, throw, close and what it returns are the function's."""

    _runs: Callable[[Site, Call, Any], AnyGenerator] = staticmethod(_running)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return a generator that runs the function's, and records the call."""
        site: Site = self._self_site
        trail, scope = _current.chosen(site.given), current_scope()
        if not trail.enabled or (scope is not None and scope.suppressing):
            return site.wrapped(*args, **kwargs)
        inner = site.wrapped(*args, **kwargs)  # first: arguments that it does not take are no call
        return named_as(inner, self._runs(site, site.begin(trail, scope, args, kwargs), inner))


class AuditedAsyncGeneratorFunction(AuditedGeneratorFunction):
    """An async generator function whose calls are recorded: the same, awaited."""

    _runs = staticmethod(_running_async)


def _hidden(site: Site, call: Call, generator: GeneratorType[Any, Any, Any]) -> AnyGenerator | None:
    """Return what runs a generator where a decorator below hides its function; None where it was meant as a value."""
    if not is_unused(generator) or not is_kind(inspect.isgeneratorfunction, inspect.unwrap(site.wrapped)):
        return None
    call.result = None  # it has none before its end
    return named_as(generator, _running(site, call, generator))


def _hidden_async(site: Site, call: Call, generator: AsyncGeneratorType[Any, Any]) -> AnyGenerator | None:
    """Return the same of an async generator."""
    if not is_unused(generator) or not is_kind(inspect.isasyncgenfunction, inspect.unwrap(site.wrapped)):
        return None
    call.result = None
    return named_as(generator, _running_async(site, call, generator))


UNFINISHED.update({GeneratorType: _hidden, AsyncGeneratorType: _hidden_async})
