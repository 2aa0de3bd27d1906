"""The example's tests: what each request leaves in the trail."""

import pytest
from plans_on_starlette import PLANS, Plan, create_app
from starlette.testclient import TestClient

from auditkit.testing import RecordedEvents


@pytest.fixture
def client(audit_events: RecordedEvents) -> TestClient:  # noqa: ARG001  (it records from here on)
    PLANS["plan_1"] = Plan("plan_1", "Basic")
    return TestClient(create_app(), client=("203.0.113.9", 4711))


def test_renaming(client: TestClient, audit_events: RecordedEvents) -> None:
    """The user of the authentication middleware is the actor, though that comes later."""
    client.put("/plans/plan_1?name=Pro", headers={"X-User": "ada"})

    audit_events.assert_recorded(
        "plan.update", actor_id="ada", location="203.0.113.9", changed={"name": ("Basic", "Pro")}, times=1
    )


def test_stranger(client: TestClient, audit_events: RecordedEvents) -> None:
    """Who is not authenticated does nothing that is audited."""
    assert client.put("/plans/plan_1?name=Pro").status_code == 403

    audit_events.assert_nothing_recorded()
