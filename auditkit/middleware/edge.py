"""What the middlewares share: what a user told them, checked, and the scope of one request."""

from __future__ import annotations

import functools
import inspect
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from auditkit import _current
from auditkit.clock import new_id
from auditkit.context import SCOPE, audit_context, bind_context, current_scope
from auditkit.errors import ConfigurationError
from auditkit.event import describe
from auditkit.kinds import is_kind
from auditkit.middleware.address import Proxies
from auditkit.middleware.facts import context_values

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from contextvars import Token
    from types import TracebackType

    from auditkit.context import OnCommit, Scope
    from auditkit.middleware.facts import Request

Carrier = TypeVar("Carrier")
Part = TypeVar("Part")

_EVERYTHING: Final = "*"


class Place:
    """Where an application is: the scope of its request, which is there only while the application runs.

    It may enter scopes of its own and be left inside of them, as a generator is at a ``yield``: entered again, it is
    where it was. Not thread-safe: one request is in one thread at a time.
    """

    __slots__ = ("_inside", "_token")

    def __init__(self, scope: Scope | None) -> None:
        """Begin in this scope."""
        self._inside = scope
        self._token: Token[Scope | None]

    def __enter__(self) -> None:
        """Go where the application is."""
        self._token = SCOPE.set(self._inside)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remember where it is, and be back where its server was."""
        self._inside = SCOPE.get()
        # A coroutine that was begun in one context may be thrown away in another: the one it began in is left by
        # itself.
        with suppress(ValueError):
            SCOPE.reset(self._token)

    def parts(self, parts: Iterator[Part]) -> Iterator[Part]:
        """Yield the parts of a body, each made here; in between, nothing of a request is left in the thread."""
        while True:
            with self:
                try:
                    part = next(parts)
                except StopIteration:
                    return
            yield part

    async def aparts(self, parts: AsyncIterator[Part]) -> AsyncIterator[Part]:
        """Yield the parts as `parts` does, on an event loop."""
        while True:
            with self:
                try:
                    part = await anext(parts)
                except StopAsyncIteration:
                    return
            yield part


class Edge(Generic[Carrier]):
    """What a middleware was told, and what it makes of a request.

    Args:
        read: Returns what a carrier (a scope of ASGI, an environment of WSGI) says of its request.
        actor: Takes the carrier and returns who acts; asked when the first event needs it.
        group: The same for the group.
        metadata: The same for what to add to every event.
        trusted_proxies: The networks of the service's own proxies.
        hops: How many proxies each request passes, instead.
        exclude: Paths, exact or with ``*`` at their end, that get an empty scope.
        on_commit: What `audit_context` takes by this name.

    Raises:
        ConfigurationError: That cannot work.

    Thread-safety: may be used from many threads and tasks at once.
    """

    def __init__(  # noqa: PLR0913  (the options of a middleware, by name)
        self,
        read: Callable[[Carrier], Request],
        *,
        actor: Callable[[Carrier], object] | None,
        group: Callable[[Carrier], object] | None,
        metadata: Callable[[Carrier], object] | None,
        trusted_proxies: Iterable[object],
        hops: int | None,
        exclude: Iterable[str],
        on_commit: OnCommit | None = None,
    ) -> None:
        """Check what was told."""
        self._read = read
        self._actor = _checked("actor", actor)
        self._group = _checked("group", group)
        self._metadata = _checked("metadata", metadata)
        self._proxies = Proxies.declared(trusted_proxies, hops)
        self._exact, self._prefixes = _paths(exclude)
        self._on_commit = on_commit

    def place(self, carrier: Carrier) -> Place:
        """Return where the application of a request is to run: in a scope that says who acts and from where."""
        more: Any = None
        try:
            request = self._read(carrier)
            if self._excludes(request.path):
                given: dict[str, Any] = {}
            else:
                given = {**self._asked(carrier), **context_values(request, new_id, self._proxies)}
                more = _later(self._metadata, carrier)
        except Exception as error:  # noqa: BLE001  (a request that a server or a test made up: it runs all the same)
            message = "the middleware could not read a request; its events go without what it says"
            _current.reporter.report("context", message, cause="middleware", error=error)
            given = self._asked(carrier)
            more = _later(self._metadata, carrier)
        with audit_context(**given, on_commit=self._on_commit):
            if more is not None:  # beside what the request says, not instead of it
                bind_context(metadata=more)
            return Place(current_scope())

    def _asked(self, carrier: Carrier) -> dict[str, Any]:
        return {"actor": _later(self._actor, carrier), "group": _later(self._group, carrier)}

    def _excludes(self, path: str) -> bool:
        return path in self._exact or path.startswith(self._prefixes)


def _later(function: Callable[[Carrier], object] | None, carrier: Carrier) -> Callable[[], object] | None:
    return None if function is None else functools.partial(function, carrier)


def _checked(name: str, function: Callable[[Carrier], object] | None) -> Callable[[Carrier], object] | None:
    """Return a callable that a user gave, or None."""
    if function is None:
        return None
    if not callable(function):
        raise ConfigurationError(
            f"{name} must be a callable that takes the request, got {describe(function)}; "
            f"what is the same for every request is said by configure() or audit_context"
        )
    if is_kind(inspect.iscoroutinefunction, function):
        raise ConfigurationError(
            f"{name} must be a plain callable, got an async one: an event cannot wait for it; "
            f"call bind_context({name}=...) where the request is authenticated"
        )
    return function


def _paths(exclude: Iterable[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the exact paths and the prefixes that a user excluded."""
    if isinstance(exclude, str | bytes) or not hasattr(exclude, "__iter__"):
        raise ConfigurationError(
            f'exclude takes a list of paths, got {describe(exclude)}; write it as exclude=["/health"]'
        )
    paths = [_path(each) for each in exclude]
    exact = frozenset(each for each in paths if not each.endswith(_EVERYTHING))
    return exact, tuple(each.removesuffix(_EVERYTHING) for each in paths if each not in exact)


def _path(given: object) -> str:
    if not isinstance(given, str) or not given.startswith("/") or _EVERYTHING in given[:-1]:
        raise ConfigurationError(
            f"exclude takes paths that begin with '/' and may end with '*', such as '/health' or '/static/*', "
            f"got {describe(given)}"
        )
    return given
