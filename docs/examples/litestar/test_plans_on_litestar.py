"""The example's tests: what each request leaves in the trail."""

from collections.abc import Iterator

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from plans_on_litestar import PLANS, Plan, create_app

from auditkit.testing import RecordedEvents


@pytest.fixture
def client(audit_events: RecordedEvents) -> Iterator[TestClient[Litestar]]:  # noqa: ARG001  (it records from here on)
    PLANS["plan_1"] = Plan("plan_1", "Basic")
    with TestClient(create_app()) as client:
        yield client


def test_renaming(client: TestClient[Litestar], audit_events: RecordedEvents) -> None:
    """A handler in a worker thread: the user of the authentication middleware is the actor."""
    client.put("/plans/plan_1?name=Pro", headers={"X-User": "ada", "X-Request-ID": "req-1"})

    audit_events.assert_recorded(
        "plan.update", actor_id="ada", correlation_id="req-1", changed={"name": ("Basic", "Pro")}, times=1
    )


def test_export(client: TestClient[Litestar], audit_events: RecordedEvents) -> None:
    """A streamed answer is in its request until its end."""
    assert client.get("/plans", headers={"X-User": "ada"}).text == "plan_1,Basic\n"

    audit_events.assert_recorded("plan.export", actor_id="ada", times=1)


def test_stranger(client: TestClient[Litestar], audit_events: RecordedEvents) -> None:
    """Who is not authenticated does nothing that is audited."""
    assert client.put("/plans/plan_1?name=Pro").status_code == 401

    audit_events.assert_nothing_recorded()
