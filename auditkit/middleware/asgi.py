"""The middleware for ASGI applications: FastAPI, Starlette, Django, Quart, Litestar, and whatever else is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditkit.errors import ConfigurationError
from auditkit.event import describe
from auditkit.middleware.edge import Edge
from auditkit.middleware.facts import HEADERS, Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_NAMES = {name.encode("ascii"): name for name in HEADERS}


class AuditMiddleware:
    """Open an ``audit_context`` for every HTTP request and WebSocket connection.

    It is there until the application's callable ends: streamed bodies and background tasks are inside. Responses
    and exceptions pass as they are, and so does the lifespan.

    Args:
        app: The ASGI 3 application.
        actor: Takes the ASGI scope and returns who acts, in any form that `audit_context` takes. Asked when the
            first event needs it, so that authentication may come later; None is asked again.
        group: The same for the organization or tenant.
        metadata: The same for a mapping to add to every event.
        trusted_proxies: The networks of the service's own proxies (``"10.0.0.0/8"``; ``"unix"`` for a proxy that
            comes through a Unix socket), which are believed about where a request came from. Without any, the
            location is the socket's peer.
        hops: How many proxies each request passes, where their networks are not known.
        exclude: Paths, exact or with ``*`` at their end, whose requests get an empty scope.

    Raises:
        ConfigurationError: That cannot work.

    Thread-safety: one object serves any number of tasks and threads.
    """

    def __init__(  # noqa: PLR0913  (options, by name)
        self,
        app: Application,
        *,
        actor: Callable[[Scope], object] | None = None,
        group: Callable[[Scope], object] | None = None,
        metadata: Callable[[Scope], Mapping[str, Any] | None] | None = None,
        trusted_proxies: Iterable[str | IPv4Network | IPv6Network | IPv4Address | IPv6Address] = (),
        hops: int | None = None,
        exclude: Iterable[str] = (),
    ) -> None:
        """Check what was told."""
        if not callable(app):
            raise ConfigurationError(f"app must be an ASGI application, got {describe(app)}")
        self.app = app
        self._edge: Edge[Scope] = Edge(
            _request,
            actor=actor,
            group=group,
            metadata=metadata,
            trusted_proxies=trusted_proxies,
            hops=hops,
            exclude=exclude,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        with self._edge.place(scope):
            await self.app(scope, receive, send)


def _request(scope: Scope) -> Request:
    client = scope.get("client")
    headers = [
        (_NAMES[lowered], value.decode("latin-1"))
        for name, value in scope["headers"]
        if (lowered := name.lower()) in _NAMES
    ]
    return Request(path=scope["path"], peer=client[0] if client else None, headers=headers)
