"""The middleware for WSGI applications: Flask, Django, Pyramid, Bottle, and whatever else is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditkit.errors import ConfigurationError
from auditkit.event import describe
from auditkit.middleware.edge import Edge
from auditkit.middleware.facts import Request, headers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from auditkit.middleware.edge import Place


class AuditMiddleware:
    """Open an ``audit_context`` for every request.

    It is there while the application is called, while its body is iterated and while that is closed, and never in
    between: nothing of a request is left in a thread of the server. Responses and exceptions pass as they are.

    Args:
        app: The WSGI application.
        actor: Takes the WSGI environment and returns who acts, in any form that `audit_context` takes. Asked when
            the first event needs it, so that authentication may come later; None is asked again.
        group: The same for the organization or tenant.
        metadata: The same for a mapping to add to every event.
        trusted_proxies: The networks of the service's own proxies (``"10.0.0.0/8"``; ``"unix"`` for a proxy that
            comes through a Unix socket), which are believed about where a request came from. Without any, the
            location is the socket's peer.
        hops: How many proxies each request passes, where their networks are not known.
        exclude: Paths, exact or with ``*`` at their end, whose requests get an empty scope.

    Raises:
        ConfigurationError: That cannot work.

    Thread-safety: one object serves any number of threads.
    """

    def __init__(  # noqa: PLR0913  (options, by name)
        self,
        app: WSGIApplication,
        *,
        actor: Callable[[WSGIEnvironment], object] | None = None,
        group: Callable[[WSGIEnvironment], object] | None = None,
        metadata: Callable[[WSGIEnvironment], Mapping[str, Any] | None] | None = None,
        trusted_proxies: Iterable[str | IPv4Network | IPv6Network | IPv4Address | IPv6Address] = (),
        hops: int | None = None,
        exclude: Iterable[str] = (),
    ) -> None:
        """Check what was told."""
        if not callable(app):
            raise ConfigurationError(f"app must be a WSGI application, got {describe(app)}")
        self.app = app
        self._edge: Edge[WSGIEnvironment] = Edge(
            _request,
            actor=actor,
            group=group,
            metadata=metadata,
            trusted_proxies=trusted_proxies,
            hops=hops,
            exclude=exclude,
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Run the application, and return its body."""
        place = self._edge.place(environ)
        with place:
            body = self.app(environ, start_response)
        if type(body) in {list, tuple} or _is_file(body, environ):  # no code of the application's runs in these
            return body
        return _SizedBody(body, place) if hasattr(body, "__len__") else _Body(body, place)


class _Body:
    """A body whose application is in its request's scope while it makes a part, and while it is closed."""

    def __init__(self, body: Iterable[bytes], place: Place) -> None:
        """Wrap a body."""
        self._body = body
        self._place = place

    def __iter__(self) -> Iterator[bytes]:
        """Yield the parts."""
        with self._place:
            parts = iter(self._body)
        yield from self._place.parts(parts)

    def close(self) -> None:
        """Close the body, if it can be."""
        close = getattr(self._body, "close", None)
        if close is not None:
            with self._place:
                close()


class _SizedBody(_Body):
    """A body that says how many parts it has: of one with one part, servers know the length."""

    def __len__(self) -> int:
        """Return the number of parts."""
        with self._place:
            return len(self._body)  # type: ignore[arg-type]  # who makes one looks first


def _is_file(body: object, environ: WSGIEnvironment) -> bool:
    """Return whether a body is the server's own wrapper of a file, which it must be able to recognise."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


def _request(environ: WSGIEnvironment) -> Request:
    path = _decoded(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
    return Request(path=path, peer=environ.get("REMOTE_ADDR"), headers=headers_of(environ))


def _decoded(path: str) -> str:
    """Return a path as text: WSGI has its UTF-8 bytes as characters."""
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")
