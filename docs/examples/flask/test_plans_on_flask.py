"""The example's tests: what each request leaves in the trail."""

import pytest
from flask.testing import FlaskClient
from plans_on_flask import PLANS, Plan, create_app

from auditkit.testing import RecordedEvents


@pytest.fixture
def client(audit_events: RecordedEvents) -> FlaskClient:  # noqa: ARG001  (it records from here on)
    PLANS["plan_1"] = Plan("plan_1", "Basic")
    return create_app().test_client()


def test_login_is_the_users_own(client: FlaskClient, audit_events: RecordedEvents) -> None:
    """The session is asked when the event is made: who logs in did it."""
    client.post("/login/ada")

    audit_events.assert_recorded("user.login", actor_id="ada", target_id="ada")


def test_renaming(client: FlaskClient, audit_events: RecordedEvents) -> None:
    """A request's user, address and id are on its event."""
    client.post("/login/ada")
    client.put("/plans/plan_1?name=Pro", headers={"X-Request-ID": "req-1"}, environ_base={"REMOTE_ADDR": "203.0.113.9"})

    audit_events.assert_recorded(
        "plan.update",
        actor_id="ada",
        location="203.0.113.9",
        correlation_id="req-1",
        changed={"name": ("Basic", "Pro")},
        times=1,
    )


def test_export(client: FlaskClient, audit_events: RecordedEvents) -> None:
    """A streamed answer is in its request until its end."""
    client.post("/login/ada")
    assert client.get("/plans").text == "plan_1,Basic\n"

    audit_events.assert_recorded("plan.export", actor_id="ada", times=1)


def test_stranger(client: FlaskClient, audit_events: RecordedEvents) -> None:
    """Nobody is logged in: the event says so."""
    client.put("/plans/plan_1?name=Pro")

    audit_events.assert_recorded("plan.update", actor_id="anonymous")


def test_health_is_not_attributed(client: FlaskClient, audit_events: RecordedEvents) -> None:
    """An excluded path records nothing by itself."""
    assert client.get("/health").text == "well"

    audit_events.assert_nothing_recorded()
