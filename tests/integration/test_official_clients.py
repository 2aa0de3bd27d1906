"""auditkit and WorkOS's own clients say the same on the wire.

`wire/official-clients.jsonl` holds requests as they were recorded from WorkOS's Node and Python clients.
"""

from __future__ import annotations

import http.client
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from auditkit.event import Event
from auditkit.testing import WorkOSDouble
from auditkit.transports import WorkOSAuditLogsTransport, WorkOSClient, WorkOSTransport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditkit.testing.loopback_server import RecordedRequest

KEY = "sk_test_1"  # what the recordings were made with
LINES = (Path(__file__).parent / "wire" / "official-clients.jsonl").read_text(encoding="utf-8").splitlines()
RECORDED: list[dict[str, Any]] = [json.loads(line) for line in LINES]
LABELS = [f"{number}-{each['client']}-{each['method']}" for number, each in enumerate(RECORDED)]
TIMES = {"occurred_at", "d"}  # fields that hold an instant; clients write them to different precision

every = pytest.mark.parametrize("recorded", RECORDED, ids=LABELS)


@pytest.fixture
def workos() -> Iterator[WorkOSDouble]:
    with WorkOSDouble(api_key=KEY) as double:
        yield double


@every
def test_recorded_request_is_accepted_as_it_was_sent(recorded: dict[str, Any], workos: WorkOSDouble) -> None:
    """The double takes what WorkOS's clients send, byte for byte."""
    status, answer = _replay(recorded, workos)

    if recorded["method"] == "GET":
        assert (status, answer["data"]) == (200, [])
    else:
        assert (status, answer) == (201, {"success": True})
        assert workos.events == [json.loads(recorded["body"])]


@every
def test_auditkit_sends_what_the_official_client_sends(recorded: dict[str, Any], workos: WorkOSDouble) -> None:
    """Method, path, query, headers that matter and JSON body are equal for the same event.

    Accept and User-Agent are each client's own. A client that was given no idempotency key sends none;
    auditkit always sends the event's id.
    """
    _send_alike(recorded, workos)

    (ours,) = workos.requests
    assert ours.method == recorded["method"]
    assert _address(ours.path) == _address(recorded["path"])
    assert _headers(ours.headers) == _expected_headers(recorded, ours)
    assert _plain(ours.body) == _plain(recorded["body"])
    assert ours.headers["accept"] == "application/json"


def _replay(recorded: Mapping[str, Any], workos: WorkOSDouble) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(workos.base_url.removeprefix("http://"), timeout=10)
    connection.request(recorded["method"], recorded["path"], recorded["body"].encode() or None, recorded["headers"])
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def _send_alike(recorded: Mapping[str, Any], workos: WorkOSDouble) -> None:
    if recorded["method"] == "GET":
        with WorkOSClient(KEY, base_url=workos.base_url) as client:
            client.list_events(**_filters(recorded["path"]))
    elif recorded["path"] == "/events":
        _send_both_ways(recorded, workos)
    else:
        body = json.loads(recorded["body"])
        versions = {body["event"]["action"]: body["event"]["version"]}
        logs = WorkOSAuditLogsTransport(KEY, base_url=workos.base_url, versions=versions)
        logs.send([_event_of_audit_log(body, _key(recorded))])
        logs.close()


def _send_both_ways(recorded: Mapping[str, Any], workos: WorkOSDouble) -> None:
    """Send by transport and by client, and leave one request if both were the same."""
    event = Event(**json.loads(recorded["body"]), **_id(recorded))
    transport = WorkOSTransport(KEY, base_url=workos.base_url)
    transport.send([event])
    transport.close()
    (sent,) = workos.requests
    workos.clear()
    with WorkOSClient(KEY, base_url=workos.base_url) as client:
        client.create_event(event)
    (created,) = workos.requests
    assert (created.method, created.path, created.body) == (sent.method, sent.path, sent.body)
    assert _headers(created.headers) == _headers(sent.headers)


def _event_of_audit_log(body: Mapping[str, Any], key: str | None) -> Event:
    event = body["event"]
    target = event["targets"][0]
    return Event(
        group=body["organization_id"],
        action=event["action"],
        action_type="U",
        actor_name=event["actor"]["name"],
        actor_id=event["actor"]["id"],
        actor_type=event["actor"]["type"],
        target_name=target["name"],
        target_id=target["id"],
        target_type=target["type"],
        location=event["context"]["location"],
        occurred_at=event["occurred_at"],
        metadata=event["metadata"]
        | {"actor": event["actor"]["metadata"], "user_agent": event["context"]["user_agent"]},
        id=key or "none",
    )


def _plain(body: str | bytes) -> Any:
    """Return the JSON value with times as instants, and without what auditkit adds and documents."""
    if not body:
        return None
    value = _instants(json.loads(body))
    if "event" in value:
        # Audit Logs have no place for the action type: auditkit puts it into the metadata.
        value["event"]["metadata"].pop("action_type", None)
    return value


def _instants(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _instants(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_instants(each) for each in value]
    return datetime.fromisoformat(value) if name in TIMES else value


def _address(path: str) -> tuple[str, list[tuple[str, str]]]:
    parts = urlsplit(path)
    return parts.path, sorted(parse_qsl(parts.query))


def _filters(path: str) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    for name, text in parse_qsl(urlsplit(path).query):
        if name.endswith("[]"):
            filters.setdefault(name.removesuffix("[]"), []).append(text)
        else:
            filters[name] = int(text) if name == "limit" else text
    return filters


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    lower = {name.lower(): value for name, value in headers.items()}
    return {name: lower[name] for name in ("authorization", "content-type", "idempotency-key") if name in lower}


def _expected_headers(recorded: Mapping[str, Any], ours: RecordedRequest) -> dict[str, str]:
    expected = _headers(recorded["headers"])
    if recorded["method"] == "POST" and "idempotency-key" not in expected:
        expected["idempotency-key"] = ours.headers["idempotency-key"]
    return expected


def _key(recorded: Mapping[str, Any]) -> str | None:
    return _headers(recorded["headers"]).get("idempotency-key")


def _id(recorded: Mapping[str, Any]) -> dict[str, Any]:
    key = _key(recorded)
    return {} if key is None else {"id": key}


def test_official_python_client_works_against_the_double(workos: WorkOSDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """workos 0.7.0 creates, repeats, conflicts, is refused and lists, as against WorkOS itself."""
    official = pytest.importorskip("workos")
    exceptions = pytest.importorskip("workos.exceptions")
    monkeypatch.setattr(official, "api_key", KEY)
    monkeypatch.setattr(official, "project_id", "project_1")
    monkeypatch.setattr(official, "base_api_url", workos.base_url + "/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    trail = pytest.importorskip("workos.audit_trail").AuditTrail()
    body = json.loads(RECORDED[1]["body"])

    assert trail.create_event(body, idempotency_key="k-1") is True
    assert trail.create_event(body, idempotency_key="k-1") is True
    with pytest.raises(exceptions.BadRequestException) as conflict:
        trail.create_event(body | {"group": "other"}, idempotency_key="k-1")
    with pytest.raises(exceptions.BadRequestException) as invalid:
        trail.create_event({"group": "g"}, idempotency_key="k-2")
    for number in range(12):
        trail.create_event(body | {"group": "many"}, idempotency_key=f"n-{number}")
    first, _, after = trail.get_events(group="many")
    second, before, end = trail.get_events(group="many", after=after)

    assert len(workos.events) == 13
    assert "different request parameters" in conflict.value.message
    assert (invalid.value.message, invalid.value.request_id) == ("Validation failed", "req_00000004")
    assert (len(first), len(second), end) == (10, 2, None)
    assert before == second[0].id
    assert second[0].action.name == "tweet.update"
    assert second[0].metadata == body["metadata"]


def test_official_python_client_with_a_wrong_key_is_let_in_nowhere(
    workos: WorkOSDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another key is unauthorized."""
    official = pytest.importorskip("workos")
    exceptions = pytest.importorskip("workos.exceptions")
    monkeypatch.setattr(official, "api_key", "sk_other")
    monkeypatch.setattr(official, "project_id", "project_1")
    monkeypatch.setattr(official, "base_api_url", workos.base_url + "/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    trail = pytest.importorskip("workos.audit_trail").AuditTrail()

    with pytest.raises(exceptions.AuthenticationException):
        trail.create_event(json.loads(RECORDED[1]["body"]), idempotency_key="k-1")

    assert workos.events == []
