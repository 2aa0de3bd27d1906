"""The transports and clients of WorkOS over real connections, in fair weather and foul."""

from __future__ import annotations

import asyncio
import copy
import http.client
import json
import logging
import os
import pickle
import socket
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from auditkit.errors import (
    ConfigurationError,
    DeliveryError,
    InvalidEventError,
    KeyReused,
    Paused,
    Rejected,
    TemporaryFailure,
    WorkOSAuthenticationError,
    WorkOSAuthorizationError,
    WorkOSBadRequest,
    WorkOSConnectionError,
    WorkOSError,
    WorkOSNotFound,
    WorkOSRateLimited,
    WorkOSServerError,
    WorkOSUnprocessable,
)
from auditkit.testing import WorkOSDouble
from auditkit.transports import AsyncWorkOSClient, WorkOSAuditLogsTransport, WorkOSClient, WorkOSTransport
from auditkit.transports.http import Connections
from tests.unit.transports.examples import NOON, an_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CANARY = "sk_canary_5e7"


@pytest.fixture
def transport(workos: WorkOSDouble) -> Iterator[WorkOSTransport]:
    made = WorkOSTransport(workos.api_key, base_url=workos.base_url)
    yield made
    made.close()


@pytest.fixture
def client(workos: WorkOSDouble) -> Iterator[WorkOSClient]:
    with WorkOSClient(workos.api_key, base_url=workos.base_url) as made:
        yield made


class TestTransport:
    def test_event_is_accepted_once_however_often_it_is_sent(
        self, workos: WorkOSDouble, transport: WorkOSTransport
    ) -> None:
        """The event's id is the key under which WorkOS keeps one."""
        event = an_event()
        transport.send([event])
        transport.send([event])

        assert len(workos.events) == 1
        assert {each.headers["idempotency-key"] for each in workos.requests} == {event.id}

    def test_event_whose_answer_was_lost_is_sent_again_safely(
        self, workos: WorkOSDouble, transport: WorkOSTransport
    ) -> None:
        """An unknown outcome is temporary, and the second try finds the event there."""
        workos.lose_answer()
        event = an_event()
        with pytest.raises(TemporaryFailure, match="no answer from 127"):
            transport.send([event])
        transport.send([event])

        assert len(workos.events) == 1

    def test_key_used_with_another_body_is_told_apart(self, workos: WorkOSDouble, transport: WorkOSTransport) -> None:
        """Only delivery knows whether the body that WorkOS has under this event's id was accepted or refused."""
        event = an_event()
        transport.send_encoded(event.id, transport.encode(event))
        with pytest.raises(KeyReused, match="400.*for 24 hours; put the event back after them"):
            transport.send_encoded(event.id, transport.encode(an_event(location="elsewhere")))

        assert len(workos.events) == 1

    @pytest.mark.parametrize("echo", ["actor_name is not allowed: {}", "{} is not allowed", "{}"])
    def test_refusal_that_repeats_the_event_is_a_refusal(
        self, workos: WorkOSDouble, transport: WorkOSTransport, echo: str
    ) -> None:
        """Whatever an event holds, WorkOS's refusal of it is not taken for its having it."""
        said = "Another idempotency key (id-1) with different request parameters was found"
        workos.fail(400, body={"message": echo.format(said)})
        with pytest.raises(Rejected) as caught:
            transport.send([an_event(id="id-1", actor_name=said)])

        assert type(caught.value) is Rejected

    def test_reset_connection_is_temporary_and_the_next_send_works(
        self, workos: WorkOSDouble, transport: WorkOSTransport
    ) -> None:
        """A broken connection is replaced."""
        transport.send([an_event()])
        workos.reset_connection()
        with pytest.raises(TemporaryFailure) as caught:
            transport.send([an_event()])
        transport.send([an_event()])

        assert len(workos.events) == 2
        assert caught.value.__context__ is None

    def test_connection_is_kept_for_the_thread(self, workos: WorkOSDouble, transport: WorkOSTransport) -> None:
        """Many events of one thread go over one connection."""
        for _ in range(20):
            transport.send([an_event()])

        assert len({each.connection for each in workos.requests}) == 1

    def test_many_threads_send_at_once(self, workos: WorkOSDouble, transport: WorkOSTransport) -> None:
        """Each has a connection of its own, and no event is lost or doubled."""
        events = [an_event(target_id=f"t{number}") for number in range(200)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda event: transport.send([event]), events))

        assert sorted(each["target_id"] for each in workos.events) == sorted(each.target_id for each in events)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_forked_child_uses_connections_of_its_own(self, workos: WorkOSDouble, transport: WorkOSTransport) -> None:
        """A socket shared by parent and child would mix their answers."""
        transport.send([an_event(target_id="before")])
        child = os.fork()
        if child == 0:
            try:
                transport.send([an_event(target_id="child")])
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        transport.send([an_event(target_id="parent")])

        assert status == 0
        assert [each["target_id"] for each in workos.events] == ["before", "child", "parent"]

    @pytest.mark.parametrize(
        "status, kind",
        [(401, Paused), (404, Paused), (422, Rejected), (429, TemporaryFailure), (503, TemporaryFailure)],
    )
    def test_answer_decides_what_delivery_does(
        self, workos: WorkOSDouble, transport: WorkOSTransport, status: int, kind: type[DeliveryError]
    ) -> None:
        """Each kind of answer over a real connection; the whole table is the verdict's."""
        workos.fail(status, retry_after=3)

        with pytest.raises(kind, match=f"WorkOS answered {status}"):
            transport.send([an_event()])
        transport.send([an_event()])
        assert len(workos.events) == 1

    def test_wrong_key_pauses(self, workos: WorkOSDouble) -> None:
        """A wrong key keeps everything."""
        wrong = WorkOSTransport("sk_other", base_url=workos.base_url)

        with pytest.raises(Paused, match="401: Unauthorized"):
            wrong.send([an_event()])
        wrong.close()

    def test_captive_portal_is_no_success(self, workos: WorkOSDouble, transport: WorkOSTransport) -> None:
        """A 200 that is not the API's word leaves the event to be sent again."""
        workos.fail(200, body="<html>Welcome to the airport</html>")

        with pytest.raises(TemporaryFailure, match="not as its API does"):
            transport.send([an_event()])

    def test_endless_answer_is_cut(self, workos: WorkOSDouble, transport: WorkOSTransport) -> None:
        """An answer of any size costs at most a mebibyte."""
        workos.fail(500, body=b"x" * 5_000_000)

        with pytest.raises(TemporaryFailure, match="WorkOS answered 500"):
            transport.send([an_event()])
        transport.send([an_event()])

    def test_unreachable_host_is_temporary(self) -> None:
        """Nobody listening is a reason to wait."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            transport = WorkOSTransport("sk", base_url=f"http://127.0.0.1:{free.getsockname()[1]}")
            with pytest.raises(TemporaryFailure, match="ConnectError"):
                transport.send([an_event()])
            transport.close()

    def test_server_without_tls_is_temporary(self, workos: WorkOSDouble) -> None:
        """A TLS failure is an unknown outcome, and verification is never given up."""
        transport = WorkOSTransport("sk", base_url=workos.base_url.replace("http:", "https:"))

        with pytest.raises(TemporaryFailure, match="no answer"):
            transport.send([an_event()])
        transport.close()
        assert workos.requests == []


class TestAuditLogs:
    def test_event_is_accepted_for_the_organization_of_its_group(self, workos: WorkOSDouble) -> None:
        """A mapping or a callable gives WorkOS's id."""
        for organization in ({"user_1": "org_1"}, lambda group: f"org_{group[-1]}"):
            transport = WorkOSAuditLogsTransport(
                workos.api_key, organization=organization, versions={"tweet.update": 3}, base_url=workos.base_url
            )
            transport.send([an_event()])
            transport.close()

        assert [each["organization_id"] for each in workos.events] == ["org_1", "org_1"]
        assert {each["event"]["version"] for each in workos.events} == {3}

    @pytest.mark.parametrize("organization", [{}, {"user_1": ""}, lambda group: None, {}.__getitem__])
    def test_unknown_organization_is_rejected(self, workos: WorkOSDouble, organization: Any) -> None:
        """It is about this event: the others go on, and nothing is sent for this one."""
        transport = WorkOSAuditLogsTransport(workos.api_key, organization=organization, base_url=workos.base_url)

        with pytest.raises(Rejected, match="no WorkOS organization"):
            transport.send([an_event()])
        transport.close()
        assert workos.requests == []

    def test_organization_that_workos_does_not_know_is_rejected(self) -> None:
        """A 404 about the organization is the event's, one about the address everybody's."""
        with WorkOSDouble(organizations={"org_1"}) as workos:
            transport = WorkOSAuditLogsTransport(workos.api_key, base_url=workos.base_url)
            elsewhere = WorkOSAuditLogsTransport(workos.api_key, base_url=workos.base_url + "/v9")
            transport.send([an_event(group="org_1")])
            with pytest.raises(Rejected, match="Organization not found"):
                transport.send([an_event(group="org_2")])
            with pytest.raises(Paused, match="check base_url"):
                elsewhere.send([an_event(group="org_1")])
            transport.close()
            elsewhere.close()

    @pytest.mark.parametrize(
        "options", [{"organization": "org_1"}, {"versions": {"a.b": 0}}, {"versions": {"a.b": True}}]
    )
    def test_options_that_cannot_work_are_refused(self, options: dict[str, Any]) -> None:
        """A mistake in the settings is an error at the start."""
        with pytest.raises(ConfigurationError):
            WorkOSAuditLogsTransport("sk", **options)


class TestClient:
    def test_event_is_created_and_listed(self, workos: WorkOSDouble, client: WorkOSClient) -> None:
        """What is created comes back in WorkOS's shape."""
        client.create_event(an_event(), idempotency_key="k-1")

        (event,) = client.list_events(group="user_1").data
        assert (event.action.name, event.action_type, event.occurred_at) == ("tweet.update", "U", NOON)
        assert workos.requests[0].headers["idempotency-key"] == "k-1"

    @pytest.mark.parametrize(
        "filters, found",
        [
            ({}, [4, 3, 2, 1, 0]),
            ({"order": "asc"}, [0, 1, 2, 3, 4]),
            ({"group": ["g0", "g3"]}, [3, 0]),
            ({"action": "tweet.update"}, [4, 3, 2, 1, 0]),
            ({"action": "user.login"}, []),
            ({"action_type": "U", "actor_id": "a1"}, [1]),
            ({"actor_name": "A2"}, [2]),
            ({"target_id": "t4", "target_name": "T"}, [4]),
            ({"occurred_at": NOON + timedelta(hours=2)}, [2]),
            ({"occurred_at_gte": NOON + timedelta(hours=2), "occurred_at_lt": NOON + timedelta(hours=4)}, [3, 2]),
            ({"occurred_at_gt": NOON + timedelta(hours=2), "occurred_at_lte": NOON + timedelta(hours=4)}, [4, 3]),
            ({"search": "NEEDLE 3"}, [3]),
            ({"limit": 2}, [4, 3]),
        ],
    )
    def test_every_filter_filters(
        self, workos: WorkOSDouble, client: WorkOSClient, filters: dict[str, Any], found: list[int]
    ) -> None:
        """Each filter reaches WorkOS and means what it says."""
        for number in range(5):
            client.create_event(
                an_event(
                    group=f"g{number}",
                    actor_id=f"a{number}",
                    actor_name=f"A{number}",
                    target_id=f"t{number}",
                    occurred_at=NOON + timedelta(hours=number),
                    metadata={"note": f"needle {number}"},
                )
            )

        assert [int(event.group[1:]) for event in client.list_events(**filters).data] == found

    def test_pages_lead_there_and_back(self, workos: WorkOSDouble, client: WorkOSClient) -> None:
        """Following `after` sees every event once, and `before` leads back."""
        for number in range(25):
            client.create_event(an_event(target_id=f"t{number}"))
        seen: list[str] = []
        page = client.list_events(order="asc")
        seen += [event.target_id for event in page.data]
        while page.after is not None:
            page = client.list_events(order="asc", after=page.after)
            seen += [event.target_id for event in page.data]
        back = client.list_events(order="asc", before=page.before)

        assert seen == [f"t{number}" for number in range(25)]
        assert [event.target_id for event in back.data] == [f"t{number}" for number in range(10, 20)]

    @pytest.mark.parametrize(
        "status, kind",
        [
            (302, WorkOSError),
            (400, WorkOSBadRequest),
            (401, WorkOSAuthenticationError),
            (403, WorkOSAuthorizationError),
            (404, WorkOSNotFound),
            (418, WorkOSError),
            (422, WorkOSUnprocessable),
            (429, WorkOSRateLimited),
            (500, WorkOSServerError),
            (503, WorkOSServerError),
        ],
    )
    def test_errors_say_what_workos_said(
        self, workos: WorkOSDouble, client: WorkOSClient, status: int, kind: type[WorkOSError]
    ) -> None:
        """Status, request id, field errors and wait are attributes of the error."""
        errors = [{"field": "group", "code": "group must be a string", "data": "secret"}]
        workos.fail(status, times=2, retry_after=9, body={"message": "no", "errors": errors})
        for call in (lambda: client.create_event(an_event()), client.list_events):
            with pytest.raises(kind) as caught:
                call()

            assert type(caught.value) is kind
            assert caught.value.status == status
            assert caught.value.request_id == f"req_{len(workos.requests):08d}"
            assert caught.value.errors == ({"field": "group", "code": "group must be a string"},)
            assert caught.value.retry_after == 9.0

    def test_key_reused_with_another_event_is_an_error(self, workos: WorkOSDouble, client: WorkOSClient) -> None:
        """The plain client shows WorkOS's 400 as it is."""
        client.create_event(an_event(), idempotency_key="k")
        with pytest.raises(WorkOSBadRequest, match="different request parameters"):
            client.create_event(an_event(location="elsewhere"), idempotency_key="k")

        workos.expire_idempotency_keys()
        client.create_event(an_event(location="elsewhere"), idempotency_key="k")
        assert len(workos.events) == 2

    @pytest.mark.parametrize("key", ["", "a\r\nX: 1", "k" * 256, "ü"])
    def test_idempotency_key_that_cannot_travel_is_refused(self, client: WorkOSClient, key: str) -> None:
        """It is a header: no line break gets into it."""
        with pytest.raises(InvalidEventError, match="idempotency_key"):
            client.create_event(an_event(), idempotency_key=key)

    @pytest.mark.parametrize("body", ["<html>", b"\xff", {"success": False}, [], ["data"]])
    def test_success_that_is_not_the_apis_is_an_error(
        self, workos: WorkOSDouble, client: WorkOSClient, body: object
    ) -> None:
        """A status of 200 alone proves nothing."""
        workos.fail(200, times=2, body=body)
        for call in (lambda: client.create_event(an_event()), client.list_events):
            with pytest.raises(WorkOSError, match="not as its API does"):
                call()

    def test_no_answer_is_a_connection_error(self, workos: WorkOSDouble, client: WorkOSClient) -> None:
        """Whether the event was accepted is unknown, and the error holds nothing of the request."""
        workos.lose_answer()
        with pytest.raises(WorkOSConnectionError) as caught:
            client.create_event(an_event())

        assert (caught.value.status, caught.value.__context__) == (None, None)
        assert len(workos.events) == 1

    def test_huge_answer_is_cut(self, workos: WorkOSDouble, client: WorkOSClient) -> None:
        """An answer of any size costs at most a mebibyte."""
        workos.fail(500, body=b"x" * 5_000_000)
        with pytest.raises(WorkOSServerError):
            client.create_event(an_event())

        client.create_event(an_event())

    async def test_async_client_does_the_same(self, workos: WorkOSDouble) -> None:
        """The pair differs in nothing but await."""
        async with AsyncWorkOSClient(workos.api_key, base_url=workos.base_url) as client:
            await client.create_event(an_event(target_id="t1"))
            await asyncio.gather(*(client.create_event(an_event(target_id=f"t{n}")) for n in (2, 3)))
            page = await client.list_events(order="asc", limit=2)
            workos.fail(401)
            with pytest.raises(WorkOSAuthenticationError):
                await client.list_events()
            workos.fail(500, body=b"x" * 5_000_000)
            with pytest.raises(WorkOSServerError):
                await client.create_event(an_event())
            workos.reset_connection()
            with pytest.raises(WorkOSConnectionError) as caught:
                await client.create_event(an_event())

        assert (len(page.data), page.after) == (2, page.data[1].id)
        assert caught.value.__context__ is None
        assert repr(client) == f"<AsyncWorkOSClient to {workos.base_url}>"


def _drip(listener: socket.socket, head: bytes) -> None:
    """Answer one request, one byte at a time, until the client has had enough."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(head)
        connection.settimeout(0.05)
        while True:
            try:
                connection.sendall(b"x")
                if connection.recv(1) == b"":
                    return
            except TimeoutError:
                continue
            except OSError:
                return


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_slow_answer_ends_with_the_request_s_time(head: bytes) -> None:
    """A server that sends a byte now and then cannot hold a sender, in the headers or in the body."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=_drip, args=(listener, head))
        server.start()
        connections = Connections(f"http://127.0.0.1:{listener.getsockname()[1]}/", {}, timeout=0.3)
        with pytest.raises(TemporaryFailure, match="ReadTimeout"):
            connections.post(b"{}", {})
        connections.close()
        server.join()


def test_answer_that_is_no_http_is_temporary() -> None:
    """What speaks another protocol is named by the kind of trouble alone: its words may repeat ours."""

    def speak(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"SSH-2.0-canary\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=speak, args=(listener,))
        server.start()
        connections = Connections(f"http://127.0.0.1:{listener.getsockname()[1]}/", {}, timeout=5.0)
        with pytest.raises(TemporaryFailure, match=r"RemoteProtocolError$"):
            connections.post(b"{}", {})
        connections.close()
        server.join()


def test_headers_that_come_several_times_are_one_list() -> None:
    """An answer's headers are found by their names in lower case; repeated ones are read as one list."""

    def speak(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nretry-AFTER: 2\r\nX-Odd: \xfc\r\n")
            connection.sendall(b"Content-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=speak, args=(listener,))
        server.start()
        connections = Connections(f"http://127.0.0.1:{listener.getsockname()[1]}/", {}, timeout=5.0)
        answer = connections.post(b"{}", {})
        connections.close()
        server.join()

    assert (429, "1, 2", "\xfc") == (answer.status, answer.headers["retry-after"], answer.headers["x-odd"])


def test_connection_of_a_thread_that_ended_is_closed(workos: WorkOSDouble) -> None:
    """Senders come and go; what belonged to them goes with them."""
    connections = Connections(f"{workos.base_url}/events", {}, timeout=5.0)
    thread = threading.Thread(target=connections.post, args=(b"{}", {}))
    thread.start()
    thread.join()

    assert list(connections._all) == []
    connections.close()


class TestKey:
    """The key is in nothing that is shown, kept or sent elsewhere."""

    @staticmethod
    def _holders(base_url: str) -> list[Any]:
        return [
            WorkOSTransport(CANARY, base_url=base_url),
            WorkOSAuditLogsTransport(CANARY, base_url=base_url),
            WorkOSClient(CANARY, base_url=base_url),
        ]

    @staticmethod
    def _use(holder: Any) -> None:
        if isinstance(holder, WorkOSClient):
            holder.create_event(an_event())
        else:
            holder.send([an_event()])

    def test_redirects_are_never_followed(self) -> None:
        """The server that a redirect names sees no request, and so no key."""
        with WorkOSDouble(api_key=CANARY) as workos, WorkOSDouble(api_key=CANARY) as other:
            for holder in self._holders(workos.base_url):
                for status in (301, 302, 303, 307, 308):
                    workos.fail(status, headers={"Location": f"{other.base_url}/events"})
                    with pytest.raises((Paused, WorkOSError), match="redirects are never followed"):
                        self._use(holder)
                holder.close()

            assert (len(workos.requests), other.requests) == (15, [])

    def test_key_is_in_no_text(self, caplog: pytest.LogCaptureFixture) -> None:
        """Not in a repr, a log at DEBUG, an exception, its traceback or the locals of its frames."""
        shown: list[str] = []
        with caplog.at_level(logging.DEBUG), WorkOSDouble(api_key=CANARY) as workos:
            for holder in self._holders(workos.base_url):
                faults: list[Callable[[], None]] = [
                    lambda: workos.fail(401, body={"message": "Unauthorized"}),
                    lambda: workos.fail(302, headers={"Location": "/"}),
                    lambda: workos.fail(200, body="<html>"),
                    workos.reset_connection,
                ]
                for fault in faults:
                    fault()
                    with pytest.raises((DeliveryError, WorkOSError)) as caught:
                        self._use(holder)
                    whole = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
                    ours = [frame for frame in whole.stack if "auditkit/" in frame.filename]
                    shown += [repr(caught.value), str(vars(caught.value)), *(str(each.locals) for each in ours)]
                    shown += [repr(caught.value.__cause__), repr(caught.value.__context__)]
                shown += [repr(holder), str(holder), str(vars(holder))]
                self._use(holder)
                holder.close()
            assert workos.requests[-1].headers["authorization"] == f"Bearer {CANARY}"

        assert CANARY not in " ".join([*shown, caplog.text])
        assert "127.0.0.1" in caplog.text  # something was logged at all

    def test_holder_of_a_key_is_not_pickled_or_copied(self) -> None:
        """A key does not travel to another process by accident; the error says what to do."""
        holders = [*self._holders("https://api.workos.com"), AsyncWorkOSClient(CANARY)]
        for holder in holders:
            for keep in (pickle.dumps, copy.copy, copy.deepcopy):
                with pytest.raises(TypeError, match="make one in each process") as caught:
                    keep(holder)
                assert CANARY not in str(caught.value)
            if not isinstance(holder, AsyncWorkOSClient):
                holder.close()

    def test_event_data_is_in_no_error(self) -> None:
        """What WorkOS echoes of an event stays out of our texts."""
        canary = "4111111111111111"
        body = {"message": f"bad {canary}", "errors": [{"field": "x", "code": canary, "data": canary}]}
        with WorkOSDouble(api_key=CANARY) as workos:
            for holder in self._holders(workos.base_url):
                workos.fail(422, body=body)
                event = an_event(metadata={"card": canary})
                with pytest.raises((Rejected, WorkOSError)) as caught:
                    holder.create_event(event) if isinstance(holder, WorkOSClient) else holder.send([event])
                assert canary not in f"{caught.value!r} {vars(caught.value)}"
                holder.close()


class TestDouble:
    def test_refusals_name_the_fields(self, workos: WorkOSDouble) -> None:
        """A body that is no event is refused as WorkOS refuses it, with its request id."""
        answer = _post(workos, "/events", {"group": 5, "metadata": {"k" * 41: "v" * 501}, "extra": 1})

        assert answer["message"] == "Validation failed"
        assert {each["field"] for each in answer["errors"]} >= {
            "group", "action", "action_type", "occurred_at", "metadata", f"metadata.{'k' * 41}", "extra",
        }  # fmt: skip
        assert {"field": "action_type", "code": "action_type must be a string"} in answer["errors"]

    def test_audit_logs_refuse_more_than_twenty_targets(self, workos: WorkOSDouble) -> None:
        """The answer echoes the data, as WorkOS's does."""
        party = {"id": "x", "type": "user"}
        event = {
            "action": "a.b",
            "occurred_at": NOON.isoformat(),
            "actor": party,
            "targets": [party] * 21,
            "context": {"location": "x"},
        }

        answer = _post(workos, "/audit_logs/events", {"organization_id": "org_1", "event": event})
        fine = _post(workos, "/audit_logs/events", {"organization_id": "o", "event": event | {"targets": [party] * 20}})

        assert answer["code"] == "invalid_audit_log"
        assert [each["instancePath"] for each in answer["errors"]] == ["/targets"]
        assert answer["errors"][0]["data"] == [party] * 21
        assert fine == {"success": True}

    @pytest.mark.parametrize(
        "event",
        [
            None,
            {},
            {"actor": 5, "targets": [5], "context": {}, "version": "1", "metadata": {"a": {"b": 1}}},
            {"actor": {"name": 5, "metadata": 5}, "targets": 5, "context": 5},
            {"actor": {"id": "a", "type": "t", "metadata": {f"k{n}": "x" for n in range(51)}}, "targets": []},
        ],
        ids=["nothing", "empty", "wrong", "partly", "too much"],
    )
    def test_audit_logs_refuse_what_is_no_event(self, workos: WorkOSDouble, event: object) -> None:
        """Every wrong part is named."""
        answer = _post(workos, "/audit_logs/events", {"organization_id": "org_1", "event": event})

        assert answer["errors"]
        assert _post(workos, "/audit_logs/events", {"event": event})["errors"][0]["field"] == "organization_id"

    def test_bodies_that_are_not_json_or_too_large_are_refused(self, workos: WorkOSDouble) -> None:
        """As WorkOS's framework refuses them."""
        assert "Unexpected" in _post(workos, "/events", b"{")["message"]
        assert _post(workos, "/events", b" " * 200_000)["message"] == "request entity too large"
        assert _post(workos, "/events", b"[]")["errors"][0]["field"] == "event"

    @pytest.mark.parametrize("query", ["limit=0", "limit=x", "order=up", "occurred_at=now", "actor=x"])
    def test_queries_that_mean_nothing_are_refused(self, workos: WorkOSDouble, query: str) -> None:
        """A wrong filter is an error, not an empty list."""
        answer = _ask(workos, "GET", f"/events?{query}", b"")

        assert [each["field"] for each in answer["errors"]] == [query.partition("=")[0]]

    def test_requests_can_be_held(self, workos: WorkOSDouble, transport: WorkOSTransport) -> None:
        """A test decides when WorkOS answers, without a clock."""
        with ThreadPoolExecutor(1) as pool:
            with workos.holding():
                sending = pool.submit(transport.send, [an_event()])
                (request,) = workos.wait_for_requests(1)
                assert (request.json()["action"], workos.events, sending.done()) == ("tweet.update", [], False)
            sending.result()

        assert len(workos.wait_for_events(1)) == 1
        with pytest.raises(TimeoutError, match="1 of 2 events"):
            workos.wait_for_events(2, timeout=0)

    def test_close_ends_held_requests_and_threads(self) -> None:
        """A test that fails in the middle leaves nothing running."""
        before = set(threading.enumerate())
        workos = WorkOSDouble()
        transport = WorkOSTransport(workos.api_key, base_url=workos.base_url)
        with ThreadPoolExecutor(1) as pool:
            with workos.holding():
                sending = pool.submit(transport.send, [an_event()])
                workos.wait_for_requests(1)
                workos.close()
            sending.exception()
        workos.close()
        transport.close()

        assert set(threading.enumerate()) <= before
        assert repr(workos) == f"<WorkOSDouble at {workos.base_url}>"


def _post(workos: WorkOSDouble, path: str, body: object) -> Any:
    return _ask(workos, "POST", path, body if isinstance(body, bytes) else json.dumps(body).encode())


def _ask(workos: WorkOSDouble, method: str, path: str, body: bytes) -> Any:
    connection = http.client.HTTPConnection(workos.base_url.removeprefix("http://"), timeout=10)
    connection.request(method, path, body, {"Authorization": f"Bearer {workos.api_key}"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    assert response.headers["X-Request-ID"].startswith("req_")
    connection.close()
    return answer
