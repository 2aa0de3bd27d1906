"""What both middlewares are told: checked when they are made, with a text that says what to write instead."""

from __future__ import annotations

from typing import Any

import pytest

from auditkit.errors import ConfigurationError
from auditkit.middleware import asgi, wsgi

BOTH = pytest.mark.parametrize("middleware", [asgi.AuditMiddleware, wsgi.AuditMiddleware], ids=["asgi", "wsgi"])


def app(*args: Any) -> Any:
    raise AssertionError("nobody asked for anything")


async def from_a_database(request: Any) -> str:
    return "ada"


class Asker:
    async def __call__(self, request: Any) -> str:
        return "ada"


@BOTH
@pytest.mark.parametrize(
    "options, told",
    [
        ({"trusted_proxies": ["10.0.0.0/8"], "hops": 1}, "trusted_proxies and hops were both given"),
        ({"trusted_proxies": ["10.0.0.1/8"]}, "did you mean '10.0.0.0/8'?"),
        ({"trusted_proxies": "10.0.0.0/8"}, 'write it as trusted_proxies=["10.0.0.0/8"]'),
        ({"hops": -1}, "hops must be the number of proxies that each request passes (0, 1, 2...), got -1"),
        ({"actor": "ada"}, "actor must be a callable that takes the request, got 'ada'; what is the same for every"),
        ({"group": 5}, "group must be a callable that takes the request, got 5"),
        ({"metadata": {"a": 1}}, "metadata must be a callable that takes the request, got a value of type dict"),
        ({"actor": from_a_database}, "actor must be a plain callable, got an async one"),
        ({"group": Asker()}, "call bind_context(group=...) where the request is authenticated"),
        ({"exclude": "/health"}, "exclude takes a list of paths, got '/health'; write it as exclude=[\"/health\"]"),
        ({"exclude": 5}, "exclude takes a list of paths, got 5"),
        ({"exclude": ["health"]}, "exclude takes paths that begin with '/' and may end with '*'"),
        ({"exclude": ["/a/*/b"]}, "got '/a/*/b'"),
        ({"exclude": [None]}, "got None"),
    ],
)
def test_option_that_cannot_work_is_refused(middleware: Any, options: dict[str, Any], told: str) -> None:
    """A mistake is a ConfigurationError at start-up, which says what was given and what to write."""
    with pytest.raises(ConfigurationError) as caught:
        middleware(app, **options)

    assert told in str(caught.value)


@BOTH
def test_app_that_is_none_is_refused(middleware: Any) -> None:
    """What is no application is refused."""
    with pytest.raises(ConfigurationError, match=r"app must be an? [AW]SGI application, got None"):
        middleware(None)


@BOTH
def test_app_can_be_reached(middleware: Any) -> None:
    """The application is there as `app`, as tools that walk a stack of middlewares expect."""
    assert app is middleware(app).app
