"""The middlewares in real frameworks on real servers: whoever asks what at once, each event is its own request's."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import litestar
import pytest
import uvicorn
from fastapi import BackgroundTasks, Depends, FastAPI, Header, WebSocket
from fastapi.responses import StreamingResponse
from flask import Flask, session, stream_with_context
from litestar.middleware.base import DefineMiddleware
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from websockets.asyncio.client import connect

import auditkit
from auditkit import arecord, audited, bind_context, carry_context, current_context, record
from auditkit.middleware import asgi, wsgi
from auditkit.transports import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from starlette.requests import Request

    from auditkit.event import Event

REQUESTS = 200
THREADS = 20  # of those that a server has, which wait for each other


@pytest.fixture
def memory() -> MemoryTransport:
    transport = MemoryTransport()
    auditkit.configure(transport, directory=None)
    return transport


def who(scope: Any) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-user":
            return str(value.decode())
    return None


def address_of(number: int) -> str:
    return f"203.0.113.{number}"


def headers_of(number: int) -> dict[str, str]:
    """Return what the proxy, which is the test, sends of the client with this number, who tries to be another one."""
    return {
        "X-User": f"user_{number}",
        "X-Request-ID": f"request_{number}",
        "X-Forwarded-For": f"198.51.100.66, {address_of(number)}",
        "Forwarded": "for=198.51.100.66",
        "User-Agent": f"agent/{number}",
    }


async def get(server: str, path: str, headers: Mapping[str, str]) -> str:
    """Send one request and return the whole answer."""
    reader, writer = await asyncio.open_connection(*server.split(":"))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"GET {path} HTTP/1.1\r\nHost: service\r\nConnection: close\r\n{head}\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode()


async def ask(server: str, path: str) -> None:
    """Send as many requests at once, each of another client."""
    answers = await asyncio.gather(*(get(server, f"{path}/{number}", headers_of(number)) for number in range(REQUESTS)))
    assert {"HTTP/1.1 200 OK"} == {answer.partition("\r\n")[0] for answer in answers}


def check(events: list[Mapping[str, Any]], expected: Mapping[str, int]) -> None:
    """Look whether there are as many events of each action as expected, and each is its own request's in everything."""
    assert expected == Counter(event["action"] for event in events)
    for event in events:
        number = event["target_id"]
        assert (f"user_{number}", address_of(number), f"request_{number}", f"agent/{number}") == (
            event["actor_id"],
            event["location"],
            event["metadata"]["request_id"],
            event["metadata"]["user_agent"],
        )
        assert event["metadata"].get("correlation", f"request_{number}") == f"request_{number}"


def told(events: list[Event]) -> list[Mapping[str, Any]]:
    for event in events:
        assert event.correlation_id == event.metadata["request_id"]
    return [event.to_dict() for event in events]


# ---------------------------------------------------------------------- FastAPI on uvicorn


async def view() -> None:
    record("page.view", "R")


@contextmanager
def on_uvicorn(app: Any, **options: Any) -> Iterator[str]:
    """Serve an application on loopback; when it is left, every request has ended."""
    with socket.create_server(("127.0.0.1", 0), backlog=2 * REQUESTS) as listening:  # who connects early waits there
        config = uvicorn.Config(app, log_config=None, ws="websockets-sansio", **{"proxy_headers": False, **options})
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def service() -> FastAPI:
    """Return an application that does what applications do, with requests that wait until others are under way."""
    app = FastAPI()
    app.add_middleware(asgi.AuditMiddleware, actor=who, trusted_proxies=["127.0.0.1"])
    add_threads(app, threading.Barrier(THREADS))
    everybody = asyncio.Barrier(REQUESTS)
    add_tasks(app, everybody)
    add_streams(app, everybody)
    return app


def add_threads(app: FastAPI, others: threading.Barrier) -> None:
    def bind(x_user: str = Header()) -> str:
        others.wait()
        bind_context(group=x_user)
        return x_user

    @app.get("/thread/{number}")
    def view(number: int, background: BackgroundTasks, user: str = Depends(bind)) -> None:  # noqa: FAST002  (is local)
        assert user == current_context().group
        record("thread.view", "R", target=number)
        background.add_task(record, "thread.after", "C", target=number)


def add_tasks(app: FastAPI, everybody: asyncio.Barrier) -> None:
    async def bind(x_user: str = Header()) -> str:
        await everybody.wait()
        bind_context(group=x_user)
        return x_user

    @app.get("/loop/{number}")
    async def view(number: int, background: BackgroundTasks, user: str = Depends(bind)) -> None:  # noqa: FAST002  (as above)
        assert user == current_context().group
        await arecord("loop.view", "R", target=number)
        await asyncio.to_thread(record, "loop.thread", "R", target=number)
        background.add_task(arecord, "loop.after", "C", target=number)


def add_streams(app: FastAPI, everybody: asyncio.Barrier) -> None:
    @app.get("/stream/{number}")
    async def stream(number: int) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(2):
                await everybody.wait()
                record("stream.part", "R", target=number)
                yield b"part"

        return StreamingResponse(parts())

    @app.websocket("/socket/{number}")
    async def talk(websocket: WebSocket, number: int) -> None:
        await websocket.accept()
        async for _ in websocket.iter_text():
            await everybody.wait()
            record("socket.hear", "R", target=number)
            await websocket.send_text("heard")


@pytest.mark.parametrize(
    "path, expected",
    [
        ("/thread", {"thread.view": REQUESTS, "thread.after": REQUESTS}),
        ("/loop", {"loop.view": REQUESTS, "loop.thread": REQUESTS, "loop.after": REQUESTS}),
        ("/stream", {"stream.part": 2 * REQUESTS}),
    ],
)
async def test_requests_to_fastapi_at_once_are_apart(
    memory: MemoryTransport, path: str, expected: Mapping[str, int]
) -> None:
    """Endpoints and dependencies in threads and in the loop, background tasks and streams: no event is another's."""
    with on_uvicorn(service()) as server:
        await ask(server, path)

    check(told(memory.events), expected)


def starlette_service() -> Any:
    async def view(request: Request) -> PlainTextResponse:
        await asyncio.sleep(0)
        record("page.view", "R", target=request.path_params["number"])
        await asyncio.to_thread(record, "page.thread", "R", target=request.path_params["number"])
        return PlainTextResponse("seen")

    middleware = [Middleware(asgi.AuditMiddleware, actor=who, trusted_proxies=["127.0.0.1"])]
    return Starlette(routes=[Route("/page/{number:int}", view)], middleware=middleware)


def litestar_service() -> Any:
    @litestar.get("/page/{number:int}", sync_to_thread=True)
    def view(request: litestar.Request[Any, Any, Any]) -> str:
        record("page.view", "R", target=request.path_params["number"])
        carry_context(record)("page.thread", "R", target=request.path_params["number"])
        return "seen"

    made: Any = asgi.AuditMiddleware  # Litestar types a scope as a dict of exact keys, Starlette as any mapping
    middleware = DefineMiddleware(made, actor=who, trusted_proxies=["127.0.0.1"])
    return litestar.Litestar([view], middleware=[middleware], logging_config=None)


@pytest.mark.parametrize("service", [starlette_service, litestar_service])
async def test_requests_to_starlette_and_litestar_at_once_are_apart(
    memory: MemoryTransport, service: Callable[[], Any]
) -> None:
    """Handlers on the loop and in threads of its own: no event is another request's."""
    with on_uvicorn(service()) as server:
        await ask(server, "/page")

    check(told(memory.events), {"page.view": REQUESTS, "page.thread": REQUESTS})


async def test_websockets_at_once_are_apart(memory: MemoryTransport) -> None:
    """A connection is one scope, message after message, and no event is another connection's."""

    async def talk(server: str, number: int) -> None:
        headers = headers_of(number)
        agent = headers.pop("User-Agent")
        async with connect(
            f"ws://{server}/socket/{number}", additional_headers=headers, user_agent_header=agent, proxy=None,
            open_timeout=30,
        ) as websocket:  # fmt: skip
            for _ in range(2):
                await websocket.send("hello")
                assert "heard" == await websocket.recv()

    with on_uvicorn(service()) as server:
        await asyncio.gather(*(talk(server, number) for number in range(REQUESTS)))

    check(told(memory.events), {"socket.hear": 2 * REQUESTS})


async def test_uvicorn_may_decide_about_proxies(memory: MemoryTransport) -> None:
    """Where the server believes its proxies, the peer is the client already, and nothing is declared here."""
    app = FastAPI()
    app.add_middleware(asgi.AuditMiddleware)
    app.add_api_route("/", view)

    with on_uvicorn(app, proxy_headers=True) as server:
        await get(server, "/", headers_of(7))

    assert [address_of(7)] == [event.location for event in memory.events]


async def test_user_of_a_later_middleware_is_the_actor(memory: MemoryTransport) -> None:
    """Authentication that comes after the middleware has put the user there when the first event asks for it."""

    class Known(AuthenticationBackend):
        async def authenticate(self, conn: Any) -> Any:
            return AuthCredentials(), SimpleUser(conn.headers["x-user"])

    app = FastAPI()
    app.add_middleware(AuthenticationMiddleware, backend=Known())
    app.add_middleware(asgi.AuditMiddleware, actor=lambda scope: scope["user"].display_name)
    app.add_api_route("/", view)

    transport = httpx.ASGITransport(app, client=("203.0.113.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        await client.get("/", headers={"X-User": "ada"})

    assert [("ada", "203.0.113.9")] == [(event.actor_id, event.location) for event in memory.events]


async def test_error_of_an_endpoint_reaches_the_server(memory: MemoryTransport) -> None:
    """What an endpoint raises is what the server gets, the same object."""
    error = LookupError("gone")
    app = FastAPI()
    app.add_middleware(asgi.AuditMiddleware)

    @app.get("/")
    async def fail() -> None:
        record("page.view", "R")
        raise error

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        with pytest.raises(LookupError) as caught:
            await client.get("/")

    assert error is caught.value
    assert 1 == len(memory.events)


# ---------------------------------------------------------------------- Flask


@audited("page.stream", "R", target="number")
def look(number: int) -> bytes:
    return b"part"


def test_flask_with_its_session_and_streams(memory: MemoryTransport) -> None:
    """The actor comes from Flask's session once somebody has logged in, in streamed bodies too."""
    app = Flask("service")
    app.secret_key = "for the test"
    app.wsgi_app = wsgi.AuditMiddleware(  # type: ignore[method-assign]  # as Flask's own documentation has it
        app.wsgi_app, actor=lambda environ: session.get("user"), exclude=["/health"]
    )

    @app.get("/login/<user>")
    def login(user: str) -> str:
        record("user.ask", "R")
        session["user"] = user
        record("user.login", "C")
        return "in"

    @app.get("/stream")
    def stream() -> Any:
        return stream_with_context(look(number) for number in range(2)), 200

    @app.get("/health")
    def health() -> str:
        record("health.view", "R")
        return "well"

    with app.test_client() as client:
        client.get("/login/ada")
        assert b"partpart" == client.get("/stream").data
        client.get("/health")

    assert [
        ("user.ask", "anonymous"),
        ("user.login", "ada"),
        ("page.stream", "ada"),
        ("page.stream", "ada"),
        ("health.view", "anonymous"),
    ] == [(event.action, event.actor_id) for event in memory.events]


GUNICORN = """
import os
import threading
import flask
import auditkit
from auditkit import current_context, record
from auditkit.middleware.wsgi import AuditMiddleware

auditkit.configure(directory="audit")
service = flask.Flask("service")
service.wsgi_app = AuditMiddleware(service.wsgi_app, actor=lambda environ: environ["HTTP_X_USER"], hops=1)
others = threading.Barrier(int(os.environ["TOGETHER"]))

def note(action, number):
    record(action, "R", target=number, metadata={"correlation": current_context().correlation_id})

@service.get("/page/<int:number>")
def page(number):
    others.wait()
    note("page.view", number)
    return "seen"

@service.get("/stream/<int:number>")
def stream(number):
    def parts():
        for _ in range(2):
            others.wait()
            note("stream.part", number)
            yield b"part"
    response = flask.Response(parts())
    response.call_on_close(lambda: note("stream.close", number))
    return response
"""


@contextmanager
def on_gunicorn(directory: Path, workers: Sequence[str], together: int) -> Iterator[str]:
    """Serve the Flask application, in which so many requests wait for each other; when it is left, all has ended."""
    (directory / "served.py").write_text(GUNICORN, encoding="utf-8")
    words = [*workers, "--bind=127.0.0.1:0", "--no-control-socket", "served:service"]
    command = [sys.executable, "-m", "gunicorn", *words]
    surroundings = {**os.environ, "TOGETHER": str(together)}
    with subprocess.Popen(command, cwd=directory, stderr=subprocess.PIPE, text=True, env=surroundings) as process:
        assert process.stderr is not None
        try:
            # It listens before it says so: who connects before a worker is there waits for one.
            listening = next(filter(None, map(LISTENING.search, iter(process.stderr.readline, ""))))
            yield listening[1]
        finally:
            process.send_signal(signal.SIGTERM)
            said = process.stderr.read()
    assert 0 == process.returncode, said


LISTENING = re.compile(r"Listening at: http://(\S+)")


def events_in(directory: Path) -> list[Mapping[str, Any]]:
    command = [sys.executable, "-m", "auditkit", "log", "audit", "--json"]
    done = subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


THREADED = ("--workers=2", "--worker-class=gthread", "--threads=8")
GREEN = ("--workers=1", "--worker-class=gevent")


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")
@pytest.mark.parametrize(("workers", "together"), [(THREADED, 1), (GREEN, REQUESTS)], ids=["threads", "gevent"])
async def test_requests_to_flask_at_once_are_apart(tmp_path: Path, workers: Sequence[str], together: int) -> None:
    """Processes of many threads, or one of greenlets: endpoints, streams and what runs when they are closed; no event is another's."""
    with on_gunicorn(tmp_path, workers, together) as server:
        await ask(server, "/page")
        await ask(server, "/stream")

    expected = {"page.view": REQUESTS, "stream.part": 2 * REQUESTS, "stream.close": REQUESTS}
    check(events_in(tmp_path), expected)
