"""The middleware for Django, sync and async.

Django is imported by whoever uses this, not by auditkit: everything of it is looked up when the middleware is made.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from auditkit.errors import ConfigurationError
from auditkit.event import Actor, describe
from auditkit.middleware.edge import Edge
from auditkit.middleware.facts import Request, headers_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    from django.http import HttpRequest, HttpResponseBase

    from auditkit.context import OnCommit
    from auditkit.middleware.edge import Place

SETTING: Final = "AUDITKIT"
_CALLABLES: Final = ("actor", "group", "metadata")
_OPTIONS: Final = (*_CALLABLES, "trusted_proxies", "hops", "exclude", "on_commit")
_SEEN: Final = "_auditkit_user"  # on a request: its `user` when its view began, and what that came to if it was loaded


class AuditMiddleware:
    """Open an ``audit_context`` for every request: ``"auditkit.middleware.django.AuditMiddleware"`` in ``MIDDLEWARE``.

    It is there while the view and the middlewares below run, and while a streamed body is made. Responses and
    exceptions pass as they are. Django makes it with nothing but ``get_response``, so that its options come from
    the setting ``AUDITKIT``, a dict with the names below; callables may be dotted paths there.

    Args:
        get_response: What Django gives.
        actor: Takes the request and returns who acts, in any form that `audit_context` takes. Asked when the first
            event needs it, and again after None. By default ``request.user``, by its primary key and
            ``get_username()``; nobody when not authenticated. Before an async view that user is loaded, since an event
            cannot wait for a query there.
        group: Takes the request and returns the organization or tenant.
        metadata: Takes the request and returns a mapping to add to every event.
        trusted_proxies: The networks of the service's own proxies (``"10.0.0.0/8"``; ``"unix"`` for a proxy that
            comes through a Unix socket), which are believed about where a request came from. Without any, the
            location is the socket's peer.
        hops: How many proxies each request passes, where their networks are not known.
        exclude: Paths, exact or with ``*`` at their end, whose requests get an empty scope.
        on_commit: True to record events of successful actions when the default database's transaction commits,
            and to drop them when it does not, as ``ATOMIC_REQUESTS`` wants it; or what `audit_context` takes.

    Raises:
        ConfigurationError: That cannot work.

    Thread-safety: one object serves any number of threads and tasks.
    Source: https://docs.djangoproject.com/en/5.2/topics/http/middleware/
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any], **options: Any) -> None:
        """Check what was told."""
        # Django's own way to tell that an object's `__call__` gives something to be awaited.
        from asgiref.sync import iscoroutinefunction, markcoroutinefunction  # noqa: PLC0415  (see above)

        told = {**_settings(), **options}
        unknown = sorted(told.keys() - set(_OPTIONS))
        if unknown:
            raise ConfigurationError(f"{SETTING} has no option {unknown[0]!r}; there are {', '.join(_OPTIONS)}")
        self.get_response = get_response
        self._asks_user = told.get("actor") is None
        self._edge = _edge(**told)
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
            self.process_view: Callable[..., Any] = self._before_async
        else:
            self.process_view = self._before

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a request."""
        place = self._edge.place(request)
        if self._is_async:
            return self._answer(request, place)
        with place:
            response = self.get_response(request)
        return _streaming(response, place)

    async def _answer(self, request: HttpRequest, place: Place) -> HttpResponseBase:
        with place:
            response = await self.get_response(request)
        return _streaming(response, place)

    def _before(self, request: HttpRequest, view: Callable[..., Any], *_: Any) -> None:
        """Look at who it is before the view runs: a view that logs out changes it."""
        from asgiref.sync import iscoroutinefunction  # noqa: PLC0415  (see above)

        if self._looks_at(request) and iscoroutinefunction(view):  # also below a WSGI server it is on a loop
            with _unseen(request):
                bool(request.user.is_authenticated)

    async def _before_async(self, request: HttpRequest, view: Callable[..., Any], *_: Any) -> None:
        """Look at who it is, as above; on the event loop no query may be waited for later."""
        from asgiref.sync import iscoroutinefunction  # noqa: PLC0415  (see above)

        if self._looks_at(request) and iscoroutinefunction(view) and hasattr(request, "auser"):
            with _unseen(request):
                setattr(request, _SEEN, (request.user, await request.auser()))

    def _looks_at(self, request: HttpRequest) -> bool:
        """Keep the user as it is now, without loading it, and return whether there is one to look at."""
        is_there = self._asks_user and hasattr(request, "user")
        if is_there:
            setattr(request, _SEEN, (request.user, request.user))
        return is_there


def _settings() -> Mapping[str, Any]:
    """Return the options of Django's settings, dotted paths of callables resolved."""
    from django.conf import settings  # noqa: PLC0415  (see above)
    from django.utils.module_loading import import_string  # noqa: PLC0415

    told = getattr(settings, SETTING, {})
    if not isinstance(told, dict):
        raise ConfigurationError(f"the setting {SETTING} must be a dict of options, got {describe(told)}")
    resolved = dict(told)
    for name in (*_CALLABLES, "on_commit"):
        if isinstance(told.get(name), str):
            try:
                resolved[name] = import_string(told[name])
            except ImportError as error:
                raise ConfigurationError(f"{SETTING}[{name!r}] names what cannot be imported: {error}") from None
    return resolved


def _edge(  # noqa: PLR0913  (the options, by name)
    *,
    actor: Callable[[HttpRequest], object] | None = None,
    group: Callable[[HttpRequest], object] | None = None,
    metadata: Callable[[HttpRequest], Mapping[str, Any] | None] | None = None,
    trusted_proxies: Iterable[str | IPv4Network | IPv6Network | IPv4Address | IPv6Address] = (),
    hops: int | None = None,
    exclude: Iterable[str] = (),
    on_commit: bool | OnCommit = False,
) -> Edge[HttpRequest]:
    return Edge(
        _request,
        actor=_user if actor is None else actor,
        group=group,
        metadata=metadata,
        trusted_proxies=trusted_proxies,
        hops=hops,
        exclude=exclude,
        on_commit=_callback(on_commit),
    )


def _callback(on_commit: object) -> OnCommit | None:
    if on_commit is False or on_commit is None:
        return None
    if on_commit is True:
        return _when_committed
    if not callable(on_commit):
        raise ConfigurationError(f"on_commit must be True, False or a callable, got {describe(on_commit)}")
    return on_commit


def _when_committed(function: Callable[[], None]) -> None:
    """Let Django call back. On an event loop no transaction of its can be open."""
    from django.db import transaction  # noqa: PLC0415  (see above)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        transaction.on_commit(function)
    else:
        function()


def _request(request: HttpRequest) -> Request:
    meta = request.META
    return Request(path=request.path, peer=meta.get("REMOTE_ADDR"), headers=headers_of(meta))


def _user(request: HttpRequest) -> Actor | None:
    """Return who acts: who is logged in now, or else was when the view began; None for nobody."""
    now = getattr(request, "user", None)
    before, loaded = getattr(request, _SEEN, (None, None))
    with _unseen(request):
        return (None if now is before else _actor(now)) or _actor(loaded or now)


def _actor(user: Any) -> Actor | None:
    if user is None or not getattr(user, "is_authenticated", False) or user.pk is None:
        return None
    return Actor.of((user.pk, user.get_username()))


@contextmanager
def _unseen(request: HttpRequest) -> Iterator[None]:
    """Let it not count as the view's looking at the session: no header is to say that the answer depends on it."""
    session = getattr(request, "session", None)
    accessed = getattr(session, "accessed", True)
    try:
        yield
    finally:
        if not accessed and session is not None:
            session.accessed = False


def _streaming(response: Any, place: Place) -> Any:
    """Let a streamed body be made in its request's scope; a file's is the server's to send."""
    if getattr(response, "streaming", False) and getattr(response, "file_to_stream", None) is None:
        parts = response.streaming_content
        response.streaming_content = place.aparts(parts) if response.is_async else place.parts(parts)
    return response
