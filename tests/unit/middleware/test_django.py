"""The middleware for Django: its options, its user, its transactions; real requests are in the integration tests."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.db import connection, transaction
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.test import RequestFactory, override_settings

import auditkit
from auditkit import ConfigurationError, current_context, record
from auditkit.middleware.django import AuditMiddleware
from auditkit.testing import RecordedEvents, recording
from tests.django_models import allow_models

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

allow_models()


@pytest.fixture
def events() -> Iterator[RecordedEvents]:
    with recording() as recorded:
        yield recorded


class User:
    """What Django's users have."""

    def __init__(self, pk: int | None, name: str = "", *, is_authenticated: bool = True) -> None:
        self.pk, self.name, self.is_authenticated = pk, name, is_authenticated

    def get_username(self) -> str:
        return self.name


ANONYMOUS = User(None, is_authenticated=False)


def request(path: str = "/", **more: Any) -> Any:
    return RequestFactory().get(path, **more)


def view(_: Any) -> HttpResponse:
    record("page.view", "R")
    return HttpResponse("seen")


# ---------------------------------------------------------------------- options


def test_options_come_from_the_setting(events: RecordedEvents) -> None:
    """Django gives nothing but get_response: AUDITKIT has the options, callables as such or by dotted path."""
    told = {
        "actor": lambda request: request.GET["user"],
        "group": "operator.attrgetter",
        "metadata": lambda request: {"method": request.method},
        "hops": 1,
        "exclude": ["/health"],
    }
    with override_settings(AUDITKIT={**told, "group": lambda request: request.META["SERVER_NAME"]}):
        middleware = AuditMiddleware(view)
    middleware(request("/page?user=ada", HTTP_X_FORWARDED_FOR="203.0.113.9"))
    middleware(request("/health"))

    event = events[0]
    assert ("ada", "testserver", "203.0.113.9", "GET") == (
        event.actor_id,
        event.group,
        event.location,
        event.metadata["method"],
    )
    assert ("anonymous", "default") == (events[1].actor_id, events[1].group)
    with override_settings(AUDITKIT=told):
        AuditMiddleware(view)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"AUDITKIT": []}, "the setting AUDITKIT must be a dict of options, got a value of type list"),
        ({"AUDITKIT": {"groups": 1}}, "AUDITKIT has no option 'groups'; there are actor, group, metadata"),
        ({"AUDITKIT": {"group": "no.such.thing"}}, "AUDITKIT['group'] names what cannot be imported"),
        ({"AUDITKIT": {"group": 7}}, "group must be a callable that takes the request"),
        ({"AUDITKIT": {"on_commit": 7}}, "on_commit must be True, False or a callable, got 7"),
        ({"AUDITKIT": {"trusted_proxies": ["*"]}}, "everybody"),
    ],
)
def test_options_that_cannot_work_are_refused(told: dict[str, Any], message: str) -> None:
    """The service does not start with a mistake in its settings, and the message says what would be right."""
    with override_settings(**told), pytest.raises(ConfigurationError) as refused:
        AuditMiddleware(view)

    assert message in str(refused.value)


def test_it_is_what_its_neighbour_is() -> None:
    """Django asks whether a middleware is to be awaited: it is where what it calls is."""

    async def answer(_: Any) -> HttpResponse:
        return HttpResponse()

    assert iscoroutinefunction(AuditMiddleware(answer))
    assert not iscoroutinefunction(AuditMiddleware(view))


# ---------------------------------------------------------------------- who it is


def test_user_is_asked_when_the_first_event_needs_it(events: RecordedEvents) -> None:
    """Its primary key and name are recorded; whoever authenticates later in the request is there by then."""

    def later(given: Any) -> HttpResponse:
        record("page.view", "R")
        given.user = User(7, "ada")
        record("user.login", "C")
        return HttpResponse()

    AuditMiddleware(later)(request())

    assert [("anonymous", "anonymous"), ("7", "ada")] == [(each.actor_id, each.actor_name) for each in events]


@pytest.mark.parametrize("nobody", [ANONYMOUS, None, User(None, "unsaved")])
def test_nobody_is_anonymous(events: RecordedEvents, nobody: object) -> None:
    """Without a login there is no actor, and the request goes on."""
    given = request()
    given.user = nobody
    AuditMiddleware(view)(given)

    assert "anonymous" == events[0].actor_id


def test_who_logs_out_is_the_one_who_did(events: RecordedEvents) -> None:
    """The event of a logout ends when nobody is logged in any more: it is still that user's."""

    def log_out(given: Any) -> HttpResponse:
        given.user = ANONYMOUS
        record("user.logout", "D")
        return HttpResponse()

    given = request()
    given.user = User(7, "ada")
    middleware = AuditMiddleware(log_out)
    middleware.get_response = lambda asked: (middleware.process_view(asked, log_out, (), {}), log_out(asked))[1]
    middleware(given)

    events.assert_recorded("user.logout", actor_id="7")


def test_looking_at_the_user_is_not_the_views_looking(events: RecordedEvents) -> None:
    """Django says "Vary: Cookie" where the session was looked at: that we look is not told to caches."""

    class Session:
        accessed = False

    class Lazy(User):
        @property
        def is_authenticated(self) -> bool:
            given.session.accessed = True
            return True

        @is_authenticated.setter
        def is_authenticated(self, value: bool) -> None: ...

    given = request()
    given.session = Session()
    given.user = Lazy(7, "ada")
    AuditMiddleware(view)(given)

    assert "7" == events[0].actor_id
    assert not given.session.accessed


# ---------------------------------------------------------------------- transactions


@pytest.fixture
def database() -> Iterator[None]:
    connection.ensure_connection()
    yield
    connection.close()


def test_on_commit_waits_for_djangos_transaction(events: RecordedEvents, database: None) -> None:
    """With ``on_commit=True`` what is rolled back is not recorded, also to a savepoint; what is committed is."""

    class TakenBackError(Exception):
        pass

    def change(_: Any) -> HttpResponse:
        with transaction.atomic():
            record("plan.update", "U", target="kept")
            with suppress(TakenBackError), transaction.atomic():
                record("plan.update", "U", target="savepoint")
                raise TakenBackError
            events.assert_nothing_recorded()
        with suppress(TakenBackError), transaction.atomic():
            record("plan.update", "U", target="rolled back")
            record("plan.read", "R", target="read")
            raise TakenBackError
        record("plan.update", "U", target="outside")
        return HttpResponse()

    AuditMiddleware(change, on_commit=True)(request())

    assert ["kept", "read", "outside"] == [each.target_id for each in events]
    assert 2 == auditkit.stats().rolled_back


async def test_on_commit_on_a_loop_records_at_once(events: RecordedEvents) -> None:
    """No transaction of Django's can be open on an event loop, and none is asked for."""

    async def change(_: Any) -> HttpResponse:
        record("plan.update", "U")
        return HttpResponse()

    await AuditMiddleware(change, on_commit=True)(request())

    assert 1 == len(events)
    assert "on_commit" not in auditkit.stats().troubles


def test_own_on_commit_is_taken(events: RecordedEvents) -> None:
    """A service with several databases says which one's commit it waits for."""
    waiting: list[Callable[[], None]] = []

    def change(_: Any) -> HttpResponse:
        record("plan.update", "U")
        return HttpResponse()

    AuditMiddleware(change, on_commit=waiting.append)(request())

    assert (0, 1) == (len(events), len(waiting))


# ---------------------------------------------------------------------- bodies


def test_streamed_body_is_in_the_scope(events: RecordedEvents) -> None:
    """Each part is made in the request's scope, and between the parts nothing of it is left in the thread."""

    def parts() -> Iterator[bytes]:
        record("page.part", "R")
        yield b"a"
        record("page.part", "R")
        yield b"b"

    response: Any = AuditMiddleware(lambda _: StreamingHttpResponse(parts()), actor=lambda _: "ada")(request())
    read = []
    for part in response.streaming_content:
        assert current_context().actor is None
        read.append(part)

    assert [b"a", b"b"] == read
    events.assert_recorded("page.part", actor_id="ada", times=2)


async def test_async_body_is_in_the_scope(events: RecordedEvents) -> None:
    """The same for a body that is made on the loop."""

    async def parts() -> AsyncIterator[bytes]:
        record("page.part", "R")
        yield b"a"
        await asyncio.sleep(0)
        record("page.part", "R")
        yield b"b"

    async def answer(_: Any) -> StreamingHttpResponse:
        return StreamingHttpResponse(parts())

    response: Any = await AuditMiddleware(answer, actor=lambda _: "ada")(request())
    read = [part async for part in response.streaming_content]

    assert [b"a", b"b"] == read
    events.assert_recorded("page.part", actor_id="ada", times=2)


def test_file_is_left_to_the_server(tmp_path: Path) -> None:
    """What a server may send by itself, as by sendfile, stays as the view made it."""
    path = tmp_path / "report.csv"
    path.write_bytes(b"a,b")
    made = FileResponse(path.open("rb"))
    response: Any = AuditMiddleware(lambda _: made)(request())

    assert response is made
    assert response.file_to_stream is not None
    response.close()


def test_error_of_a_view_passes(events: RecordedEvents) -> None:
    """What a view raises is what comes out, and the scope is left."""
    error = LookupError("gone")

    def fail(_: Any) -> HttpResponse:
        raise error

    with pytest.raises(LookupError) as raised:
        AuditMiddleware(fail)(request())

    assert error is raised.value
    assert current_context().location is None
