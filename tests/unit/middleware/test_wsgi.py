"""The WSGI middleware: in scope whenever the application runs, never when the server does, and nothing is altered."""

from __future__ import annotations

import functools
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

from auditkit import _current, audit_context, bind_context, current_context, record
from auditkit.context import current_scope
from auditkit.middleware.wsgi import AuditMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditkit.transports import MemoryTransport


def environ(**more: Any) -> dict[str, Any]:
    return {
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "REMOTE_ADDR": "192.0.2.1",
        "HTTP_USER_AGENT": "curl/8.5.0",
        "HTTP_X_REQUEST_ID": "req-1",
        "HTTP_X_FORWARDED_FOR": "203.0.113.9",
        **more,
    }


def start(*args: Any) -> Any:
    return None


def act(environ: Any, start_response: Any) -> list[bytes]:
    record("page.view", "R")
    return [b"seen"]


def test_events_say_who_and_where_from(memory: MemoryTransport) -> None:
    """An event of a request has its actor, group, address, user agent, id and metadata."""
    app = AuditMiddleware(
        act,
        actor=lambda environ: ("ada", "Ada"),
        group=lambda environ: "acme",
        metadata=lambda environ: {"path": environ["PATH_INFO"]},
        hops=1,
    )

    app(environ(), start)

    (event,) = memory.events
    assert ("ada", "Ada", "acme", "203.0.113.9") == (event.actor_id, event.actor_name, event.group, event.location)
    assert {"request_id": "req-1", "user_agent": "curl/8.5.0", "path": "/"} == event.metadata
    assert "req-1" == event.correlation_id


@pytest.mark.parametrize("peer, expected", [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1")])
def test_location_is_the_peer_where_nobody_is_declared(memory: MemoryTransport, peer: str, expected: str) -> None:
    """Without declared proxies the location is the socket's peer, whatever headers say."""
    AuditMiddleware(act)(environ(REMOTE_ADDR=peer), start)

    assert [expected] == [event.location for event in memory.events]


def test_bare_environment_is_enough(memory: MemoryTransport) -> None:
    """An environment that says nothing of a request opens a scope all the same."""
    AuditMiddleware(act)({}, start)

    (event,) = memory.events
    assert event.correlation_id == event.metadata["request_id"]


class Body:
    """A body that notes in which scope each of its methods ran."""

    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    def __iter__(self) -> Iterator[bytes]:
        self.seen.append(("iter", current_context().actor))
        for number in range(2):
            self.seen.append((number, current_context().actor))
            yield b"part"
        self.seen.append(("end", current_context().actor))

    def close(self) -> None:
        self.seen.append(("close", current_context().actor))


def test_scope_is_there_while_the_application_runs_and_only_then() -> None:
    """The call, each part and the close are in the request's scope; the server in between is not."""
    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        bind_context(actor="bound")
        start_response("200 OK", [])
        return Body(seen)

    body = AuditMiddleware(app)(environ(), start)
    assert current_scope() is None
    for part in body:
        assert b"part" == part
        assert current_scope() is None
    body.close()  # type: ignore[attr-defined]  # there, as a server finds it
    assert current_scope() is None

    assert ["iter", 0, 1, "end", "close"] == [step for step, _ in seen]
    assert {"bound"} == {actor.id for _, actor in seen}


def test_body_that_is_no_generator_is_asked_in_its_scope() -> None:
    """What an object does when it is asked for its length or for its parts is its request's, too."""
    seen: list[Any] = []

    class Parts:
        def __len__(self) -> int:
            seen.append(current_context().actor)
            return 1

        def __iter__(self) -> Iterator[bytes]:
            seen.append(current_context().actor)
            return iter([b"1"])

    body: Any = AuditMiddleware(lambda environ, start: Parts(), actor=lambda environ: "ada")(environ(), start)

    assert len(body) == len([*iter(body)])
    assert {"ada"} == {actor.id for actor in seen}
    assert current_scope() is None


def test_generator_that_yields_inside_a_scope_is_inside_of_it_again() -> None:
    """A body that enters a scope of its own is there again after each part, and the server never is."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        with audit_context(actor="inner"):
            yield b"1"
            assert "inner" == current_context().actor.id  # type: ignore[union-attr]
            yield b"2"
        assert "ada" == current_context().actor.id  # type: ignore[union-attr]

    body = AuditMiddleware(app, actor=lambda environ: "ada")(environ(), start)

    for _ in body:
        assert current_scope() is None


def test_body_that_is_abandoned_is_closed_in_its_scope() -> None:
    """A client that goes away leaves a generator half way: what it does last is still its request's."""
    last: list[Any] = []

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        try:
            yield b"1"
            yield b"2"
        finally:
            last.append(current_context().actor.id)  # type: ignore[union-attr]

    body = AuditMiddleware(app, actor=lambda environ: "ada")(environ(), start)
    next(iter(body))
    body.close()  # type: ignore[attr-defined]  # there, as a server finds it

    assert ["ada"] == last
    assert current_scope() is None


def test_lists_and_files_are_passed_as_they_are() -> None:
    """A list has its length, and a file's wrapper is known to its server, which may send it by itself."""
    for body in ([b"1"], (b"1", b"2"), FileWrapper(io.BytesIO(b"file"))):

        def app(environ: Any, start_response: Any, body: Any = body) -> Any:
            return body

        assert body is AuditMiddleware(app)(environ(**{"wsgi.file_wrapper": FileWrapper}), start)


def test_file_of_a_wrapper_that_is_a_function_is_iterated_in_scope() -> None:
    """Where the server's wrapper is no class, nobody can be asked what it made: it is a body like others."""

    def app(environ: Any, start_response: Any) -> Any:
        return environ["wsgi.file_wrapper"](io.BytesIO(b"file"))

    body = AuditMiddleware(app)(environ(**{"wsgi.file_wrapper": functools.partial(FileWrapper)}), start)

    assert [b"file"] == list(body)


def test_length_is_kept_and_none_is_made_up() -> None:
    """A body that says how many parts it has still does, and one that does not, does not."""

    class Parts(list[bytes]):
        pass

    sized = AuditMiddleware(lambda environ, start_response: Parts([b"1", b"2"]))(environ(), start)
    unsized = AuditMiddleware(lambda environ, start_response: iter([b"1"]))(environ(), start)

    assert 2 == len(sized)  # type: ignore[arg-type]  # as servers ask
    assert [b"1", b"2"] == list(sized) == list(sized)
    assert not hasattr(unsized, "__len__")
    unsized.close()  # type: ignore[attr-defined]  # an iterator cannot be closed, and need not
    assert [b"1"] == list(unsized)


class Broken:
    """An application and its body, which raise an error in one place."""

    def __init__(self, where: str, error: Exception) -> None:
        self.where = where
        self.error = error

    def come_to(self, here: str) -> None:
        if here == self.where:
            raise self.error

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.come_to("call")
        return self

    def __iter__(self) -> Any:
        self.come_to("iter")
        return self

    def __next__(self) -> bytes:
        self.come_to("next")
        raise StopIteration

    def __len__(self) -> int:
        self.come_to("len")
        return 0

    def close(self) -> None:
        self.come_to("close")


def serve(app: Any) -> None:
    """Do what a server does with a request."""
    body = app(environ(), start)
    len(body)
    try:
        list(iter(body))
    finally:
        body.close()


@pytest.mark.parametrize("where", ["call", "iter", "next", "len", "close"])
def test_exception_passes_as_it_is(where: str) -> None:
    """What the application raises is what the server gets, wherever it is raised, and the scope is left."""
    error = LookupError("gone")

    with pytest.raises(LookupError) as caught:
        serve(AuditMiddleware(Broken(where, error)))

    assert error is caught.value
    assert current_scope() is None


def test_request_passes_untouched() -> None:
    """The application is given the very environment and start_response of its server."""
    seen: list[Any] = []

    def app(*args: Any) -> Any:
        seen.extend(args)
        return [b""]

    given = environ()
    AuditMiddleware(app)(given, start)

    assert all(one is other for one, other in zip(seen, [given, start], strict=True))
    assert environ() == given


def test_actor_is_asked_when_an_event_needs_it(memory: MemoryTransport) -> None:
    """Nobody is asked for before the first event, which may be recorded by a part of the body."""
    asked: list[Any] = []

    def actor(environ: Any) -> Any:
        asked.append(environ)
        return environ["user"]

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        yield b"1"
        assert [] == asked
        environ["user"] = "ada"
        record("page.view", "R")
        record("page.view", "R")

    given = environ()
    list(AuditMiddleware(app, actor=actor)(given, start))

    assert ["ada", "ada"] == [event.actor_id for event in memory.events]
    assert [given] == asked


def test_errors_of_callables_are_contained(memory: MemoryTransport) -> None:
    """A callable that raises costs its field, is counted, and never fails a request."""

    def broken(environ: Any) -> Any:
        raise KeyError("user")

    assert [b"seen"] == AuditMiddleware(act, actor=broken, group=broken, metadata=broken)(environ(), start)

    (event,) = memory.events
    assert ("anonymous", "192.0.2.1") == (event.actor_id, event.location)
    assert {"request_id": "req-1", "user_agent": "curl/8.5.0"} == event.metadata
    assert 3 == _current.reporter.counts()["context"]


@pytest.mark.parametrize("nonsense", [{"PATH_INFO": None}, {"HTTP_USER_AGENT": 5}, {"REMOTE_ADDR": 5}])
def test_environment_that_cannot_be_read_is_contained(memory: MemoryTransport, nonsense: dict[str, Any]) -> None:
    """An environment that is not as WSGI has it costs what it says, is counted, and the request runs with its actor."""
    AuditMiddleware(act, actor=lambda environ: "ada")(environ(**nonsense), start)

    assert ["ada"] == [event.actor_id for event in memory.events]
    assert 1 == _current.reporter.counts()["context"]


@pytest.mark.parametrize(
    "script, path, excluded",
    [
        ("", "/health", True),
        ("/api", "/health", False),
        ("/static", "/a.css", True),
        ("", "/caf\xc3\xa9/menu", True),
        ("", "/caf\xe9/menu", False),
        ("", "/\u20ac", False),  # no server makes it
        ("", "", False),
    ],
)
def test_excluded_paths_get_an_empty_scope(memory: MemoryTransport, script: str, path: str, *, excluded: bool) -> None:
    """Excluded paths, with what they are mounted below, get a scope that says nothing, in which one may still bind."""

    def app(environ: Any, start_response: Any) -> Any:
        assert excluded is (current_context().location is None)
        bind_context(actor="bound")
        record("page.view", "R")
        return []

    exclude = ["/health", "/static/*", "/café/*"]
    AuditMiddleware(app, exclude=exclude)(environ(SCRIPT_NAME=script, PATH_INFO=path), start)

    assert ["bound"] == [event.actor_id for event in memory.events]


def test_requests_of_many_threads_are_apart(memory: MemoryTransport) -> None:
    """Requests that are under way at once in threads of one server never see each other's context, nor the last one's."""
    everybody = threading.Barrier(8)

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        everybody.wait()
        record("page.view", "R", target=environ["user"])
        yield b""
        everybody.wait()
        record("page.leave", "R", target=environ["user"])

    audited = AuditMiddleware(app, actor=lambda environ: environ["user"])

    def serve(name: str) -> None:
        assert current_scope() is None
        list(audited(environ(user=name, HTTP_X_REQUEST_ID=name), start))
        assert current_scope() is None

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(serve, [f"user_{number}" for number in range(200)]))

    assert 400 == len(memory.events)
    for event in memory.events:
        assert event.target_id == event.actor_id == event.correlation_id


@pytest.mark.filterwarnings("default")
def test_it_keeps_to_the_protocol(memory: MemoryTransport) -> None:
    """The standard library's validator finds nothing on either side of it, for any kind of body."""

    def parts(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        record("page.view", "R")
        return iter([b"1", b"2"])

    given: dict[str, Any] = {"QUERY_STRING": ""}
    setup_testing_defaults(given)

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        return lambda data: None

    body: Any = validator(AuditMiddleware(validator(parts)))(given, start_response)

    assert [b"1", b"2"] == list(body)
    body.close()
    assert 1 == len(memory.events)
