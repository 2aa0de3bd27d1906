"""What happens when a decorated generator function is called, plain or async.

The call begins when the function is called, and is recorded when its generator has ended, however that came. It
is under way only while the generator runs: what its consumer does between two values is not inside of it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from auditkit import _current
from auditkit.capture.awaiting import fetch
from auditkit.capture.composition import ABANDONED
from auditkit.capture.runners import AuditedFunction, leave, record_raised, set_call
from auditkit.context import current_scope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from auditkit.capture.call import Call
    from auditkit.capture.site import Site

    AnyGenerator = Generator[Any, Any, Any] | AsyncGenerator[Any, Any]


def _running(site: Site, call: Call, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    resume: Callable[[], Any] = partial(next, generator)
    while True:
        token = set_call(call)
        try:
            value = resume()
        except StopIteration as stop:
            leave(token)
            return _returned(site, call, stop.value)
        except BaseException as error:
            leave(token)
            _raised(site, call, error)
            raise
        leave(token)
        try:
            sent = yield value
        except GeneratorExit as closing:
            value = _close(site, call, generator, closing)
            if value is None:
                raise
            return value
        except BaseException as error:  # noqa: BLE001  (thrown in: it belongs to the generator inside)
            resume = partial(generator.throw, error)
        else:
            resume = partial(generator.send, sent)


def _returned(site: Site, call: Call, result: Any) -> Any:
    call.result = result
    site.returned(call)
    if call.trail.syncs_each:
        site.settle(call.trail, result)
    return result


def _raised(site: Site, call: Call, error: BaseException, *, unfinished: str = "") -> None:
    if site.raised(call, error, unfinished=unfinished) and call.trail.syncs_each:
        site.settle(call.trail, error=error)


def _close(site: Site, call: Call, generator: Generator[Any, Any, Any], closing: GeneratorExit) -> Any:
    """Close a generator that its consumer has done with, and record that it was not run to its end.

    From Python 3.13 on closing gives what the generator then returns.
    """
    token = set_call(call)
    try:
        value: Any = generator.close()  # type: ignore[func-returns-value]
    except BaseException as error:
        leave(token)
        _raised(site, call, error)
        raise
    leave(token)
    _raised(site, call, closing, unfinished=ABANDONED)
    return value


async def _running_async(site: Site, call: Call, generator: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, Any]:
    await site.look(call)
    resume: Callable[[], Any] = partial(generator.asend, None)
    while True:
        token = set_call(call)
        try:
            value = await resume()
        except StopAsyncIteration:
            leave(token)
            await _ended(site, call)
            return
        except BaseException as error:
            leave(token)
            await record_raised(site, call, error)
            raise
        leave(token)
        try:
            sent = yield value
        except GeneratorExit as closing:
            await _aclose(site, call, generator, closing)
            raise
        except BaseException as error:  # noqa: BLE001  (thrown in: it belongs to the generator inside)
            resume = partial(generator.athrow, error)
        else:
            resume = partial(generator.asend, sent)


async def _ended(site: Site, call: Call) -> None:
    try:
        if site.declared.awaits:
            await fetch(call, early=False)
    finally:
        site.returned(call)
    if call.trail.syncs_each:
        await site.asettle(call.trail)


async def _aclose(site: Site, call: Call, generator: AsyncGenerator[Any, Any], closing: GeneratorExit) -> None:
    """Close an async generator as `_close` does a plain one."""
    token = set_call(call)
    try:
        await generator.aclose()
    except BaseException as error:
        leave(token)
        await record_raised(site, call, error)
        raise
    leave(token)
    if site.raised(call, closing, unfinished=ABANDONED) and call.trail.syncs_each:
        await site.asettle(call.trail, error=closing)


class AuditedGeneratorFunction(AuditedFunction):
    """A generator function whose calls are recorded: send, throw, close and what it returns are the function's."""

    # Without an annotation: the class would have __annotations__, which would stand before the function's.
    _runs = staticmethod(cast("Callable[[Site, Call, Any], AnyGenerator]", _running))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return a generator that runs the function's, and records the call."""
        site: Site = self._self_site
        trail, scope = site.given or _current.trail or _current.resolve(), current_scope()
        if not trail.enabled or (scope is not None and scope.suppressing):
            return site.wrapped(*args, **kwargs)
        inner = site.wrapped(*args, **kwargs)  # first: arguments that it does not take are no call
        outer = self._runs(site, site.begin(trail, scope, args, kwargs), inner)
        for name in ("__name__", "__qualname__"):
            setattr(outer, name, getattr(inner, name))
        return outer


class AuditedAsyncGeneratorFunction(AuditedGeneratorFunction):
    """An async generator function whose calls are recorded: the same, awaited."""

    _runs = staticmethod(_running_async)
