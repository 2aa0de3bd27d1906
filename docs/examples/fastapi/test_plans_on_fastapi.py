"""The example's tests: what each request leaves in the trail."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from plans_on_fastapi import PLANS, Plan, app

from auditkit.testing import RecordedEvents

ADA = {"X-User": "ada", "X-Tenant": "acme", "X-Request-ID": "req-1"}


@pytest.fixture
def client(audit_events: RecordedEvents) -> Iterator[TestClient]:  # noqa: ARG001  (it records from here on)
    PLANS["plan_1"] = Plan(id="plan_1", name="Basic")
    with TestClient(app, client=("203.0.113.9", 4711)) as client:
        yield client


def test_renaming(client: TestClient, audit_events: RecordedEvents) -> None:
    """A plain endpoint, its dependency in the thread pool, and its background task: all are one request's."""
    client.put("/plans/plan_1?name=Pro", headers=ADA)

    event = audit_events.assert_recorded(
        "plan.update",
        actor_id="ada",
        group="acme",
        location="203.0.113.9",
        correlation_id="req-1",
        changed={"name": ("Basic", "Pro")},
        times=1,
    )
    audit_events.assert_recorded("plan.notify", actor_id="ada", correlation_id=event.correlation_id)


def test_failure(client: TestClient, audit_events: RecordedEvents) -> None:
    """What a service refuses is recorded as a failure."""
    with pytest.raises(ValueError, match="needs a name"):
        client.put("/plans/plan_1?name=", headers=ADA)

    audit_events.assert_recorded("plan.update", actor_id="ada", metadata={"outcome": "failure"})


def test_reading(client: TestClient, audit_events: RecordedEvents) -> None:
    """An async endpoint with an async dependency."""
    client.get("/plans/plan_1", headers=ADA)

    audit_events.assert_recorded("plan.read", target_id="plan_1", actor_id="ada")


def test_export(client: TestClient, audit_events: RecordedEvents) -> None:
    """A streamed answer is in its request until its end."""
    assert client.get("/plans", headers=ADA).text == "plan_1,Basic\n"

    audit_events.assert_recorded("plan.export", actor_id="ada", times=1)


def test_seats(client: TestClient, audit_events: RecordedEvents) -> None:
    """Each message of a WebSocket is an event of its connection's user."""
    with client.websocket_connect("/plans/plan_1/seats", headers=ADA) as websocket:
        for seats in ("2", "3"):
            websocket.send_text("another")
            assert websocket.receive_text() == seats

    audit_events.assert_recorded("seat.update", actor_id="ada", group="acme", changed={"seats": (2, 3)})


def test_stranger(client: TestClient, audit_events: RecordedEvents) -> None:
    """Who is not authenticated does nothing that is audited."""
    assert client.put("/plans/plan_1?name=Pro").status_code == 401

    audit_events.assert_nothing_recorded()
