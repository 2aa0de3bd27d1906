"""The ASGI middleware: what is inside of a request's scope, and that nothing else is touched."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import _current, audit_context, bind_context, current_context, record
from auditkit.context import current_scope
from auditkit.middleware.asgi import AuditMiddleware

if TYPE_CHECKING:
    from auditkit.transports import MemoryTransport

HEADERS = [(b"user-agent", b"curl/8.5.0"), (b"x-request-id", b"req-1"), (b"x-forwarded-for", b"203.0.113.9")]


def http(**more: Any) -> dict[str, Any]:
    return {"type": "http", "path": "/", "client": ("192.0.2.1", 4711), "headers": HEADERS, **more}


async def receive() -> dict[str, Any]:
    raise AssertionError("nobody asked")


async def send(message: Any) -> None:
    raise AssertionError("nobody answered")


async def act(scope: Any, receive: Any, send: Any) -> None:
    record("page.view", "R")


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_events_say_who_and_where_from(memory: MemoryTransport, kind: str) -> None:
    """An event of a request or a connection has its actor, group, address, user agent, id and metadata."""
    app = AuditMiddleware(
        act,
        actor=lambda scope: ("ada", "Ada"),
        group=lambda scope: "acme",
        metadata=lambda scope: {"path": scope["path"]},
        trusted_proxies=["192.0.2.0/24"],
    )

    await app(http(type=kind), receive, send)

    (event,) = memory.events
    assert ("ada", "Ada", "acme", "203.0.113.9") == (event.actor_id, event.actor_name, event.group, event.location)
    assert {"request_id": "req-1", "user_agent": "curl/8.5.0", "path": "/"} == event.metadata
    assert "req-1" == event.correlation_id


async def test_location_is_the_peer_where_nobody_is_declared(memory: MemoryTransport) -> None:
    """Without declared proxies the location is the socket's peer, whatever headers say."""
    await AuditMiddleware(act)(http(), receive, send)
    await AuditMiddleware(act)(http(client=None), receive, send)

    with_peer, without = memory.events
    assert "192.0.2.1" == with_peer.location
    assert "203.0.113.9" != without.location


@pytest.mark.parametrize("kind", ["lifespan", "a.future.one"])
async def test_other_scopes_pass_untouched(kind: str) -> None:
    """The lifespan, and what ASGI may bring one day, pass as they are, in no scope."""
    seen: list[Any] = []

    async def app(*args: Any) -> None:
        seen.extend([*args, current_scope()])

    scope = {"type": kind}
    await AuditMiddleware(app)(scope, receive, send)

    assert all(one is other for one, other in zip(seen, [scope, receive, send, None], strict=True))
    assert {"type": kind} == scope


async def test_request_passes_untouched() -> None:
    """The application is given the very scope, receive and send of its server."""
    seen: list[Any] = []

    async def app(*args: Any) -> None:
        seen.extend(args)

    scope = http()
    await AuditMiddleware(app)(scope, receive, send)

    assert all(one is other for one, other in zip(seen, [scope, receive, send], strict=True))
    assert http() == scope


async def test_exception_passes_as_it_is() -> None:
    """What the application raises is what the server gets, and the scope is left."""
    error = LookupError("gone")

    async def app(*args: Any) -> None:
        raise error

    with pytest.raises(LookupError) as caught:
        await AuditMiddleware(app)(http(), receive, send)

    assert error is caught.value
    assert error.__context__ is None
    assert current_scope() is None


async def test_scope_is_left() -> None:
    """After the application has ended, what was around is back, though the application left scopes open."""

    async def app(*args: Any) -> None:
        audit_context(actor="eve").__enter__()

    with audit_context(actor="outside"):
        around = current_scope()
        await AuditMiddleware(app)(http(), receive, send)

        assert around is current_scope()


async def test_actor_is_asked_when_an_event_needs_it(memory: MemoryTransport) -> None:
    """Nobody is asked for before the first event, and then once, with what authentication put into the scope."""
    asked: list[Any] = []

    def actor(scope: Any) -> Any:
        asked.append(scope)
        return scope["user"]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert [] == asked
        scope["user"] = "ada"
        record("page.view", "R")
        record("page.view", "R")

    scope = http()
    await AuditMiddleware(app, actor=actor)(scope, receive, send)

    assert ["ada", "ada"] == [event.actor_id for event in memory.events]
    assert [scope] == asked


async def test_actor_who_is_not_known_yet_is_asked_again(memory: MemoryTransport) -> None:
    """None is no answer: after a login the user is there."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        record("page.view", "R")
        scope["user"] = "ada"
        record("page.view", "R")

    await AuditMiddleware(app, actor=lambda scope: scope.get("user"))(http(), receive, send)

    assert ["anonymous", "ada"] == [event.actor_id for event in memory.events]


async def test_errors_of_callables_are_contained(memory: MemoryTransport) -> None:
    """A callable that raises costs its field, is counted, and never fails a request."""

    def broken(scope: Any) -> Any:
        raise KeyError("user")

    await AuditMiddleware(act, actor=broken, group=broken, metadata=broken)(http(), receive, send)

    (event,) = memory.events
    assert ("anonymous", "192.0.2.1") == (event.actor_id, event.location)
    assert {"request_id": "req-1", "user_agent": "curl/8.5.0"} == event.metadata
    assert 3 == _current.reporter.counts()["context"]


@pytest.mark.parametrize(
    "nonsense",
    [{"headers": None}, {"headers": [("x-request-id", "text")]}, {"path": None}, {"client": 5}, {"client": (5, 5)}],
)
async def test_scope_that_cannot_be_read_is_contained(memory: MemoryTransport, nonsense: dict[str, Any]) -> None:
    """A scope that is not as ASGI has it costs what it says, is counted, and the request runs with its actor."""
    app = AuditMiddleware(act, actor=lambda scope: "ada", metadata=lambda scope: {"a": 1}, exclude=["/health"])

    await app(http(**nonsense), receive, send)

    (event,) = memory.events
    assert ("ada", 1) == (event.actor_id, event.metadata["a"])


@pytest.mark.parametrize(
    "path, excluded",
    [("/health", True), ("/health/", False), ("/healthy", False), ("/static/", True), ("/static/a/b.css", True),
     ("/static", False), ("/", False)],
)  # fmt: skip
async def test_excluded_paths_get_an_empty_scope(memory: MemoryTransport, path: str, *, excluded: bool) -> None:
    """Exact paths and prefixes that are excluded get a scope that says nothing, in which one may still bind."""

    async def app(*args: Any) -> None:
        assert excluded is (current_context().location is None)
        assert excluded is (not current_context().metadata)
        bind_context(actor="bound")
        record("page.view", "R")

    exclude = ["/health", "/static/*"]
    await AuditMiddleware(app, actor=lambda scope: "ada", exclude=exclude)(http(path=path), receive, send)

    assert ["bound"] == [event.actor_id for event in memory.events]
    assert "no_scope" not in _current.reporter.counts()


async def test_what_the_application_binds_wins(memory: MemoryTransport) -> None:
    """A later middleware, a dependency and a thread of its pool may say who it is, for all of the request."""

    async def app(*args: Any) -> None:
        await asyncio.to_thread(bind_context, actor="eve", metadata={"user_agent": "mine"})
        record("page.view", "R")

    await AuditMiddleware(app, actor=lambda scope: "ada")(http(), receive, send)

    (event,) = memory.events
    assert ("eve", "mine", "req-1") == (event.actor_id, event.metadata["user_agent"], event.metadata["request_id"])


async def test_concurrent_requests_of_one_object_are_apart(memory: MemoryTransport) -> None:
    """Requests that are under way at once never see each other's context."""
    everybody = asyncio.Barrier(200)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await everybody.wait()
        record("page.view", "R", target=scope["user"])
        await everybody.wait()
        record("page.leave", "R", target=scope["user"])

    audited = AuditMiddleware(app, actor=lambda scope: scope["user"])
    names = [f"user_{number}" for number in range(200)]

    await asyncio.gather(
        *(audited(http(user=name, headers=[(b"X-Request-ID", name.encode())]), receive, send) for name in names)
    )

    assert 400 == len(memory.events)
    for event in memory.events:
        assert event.target_id == event.actor_id == event.correlation_id == event.metadata["request_id"]


def test_request_that_is_thrown_away_elsewhere_is_left_in_peace() -> None:
    """A request whose coroutine is closed in another context than it began in raises nothing."""

    class Once:
        def __await__(self) -> Any:
            yield

    async def app(*args: Any) -> None:
        await Once()

    request = AuditMiddleware(app)(http(), receive, send)
    copy_context().run(request.send, None)
    request.close()

    assert current_scope() is None


async def test_middleware_in_a_middleware_overlays(memory: MemoryTransport) -> None:
    """A mounted application may have a middleware of its own: it says more, and what it does not say shines through."""
    inner = AuditMiddleware(act, group=lambda scope: "inner")
    outer = AuditMiddleware(inner, actor=lambda scope: "ada", group=lambda scope: "outer")

    await outer(http(), receive, send)

    (event,) = memory.events
    assert ("ada", "inner", "req-1") == (event.actor_id, event.group, event.correlation_id)
