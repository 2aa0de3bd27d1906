"""Run by ``pytest``: with ``task_always_eager`` there is no worker to wait for."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from auditkit import audit_context
from auditkit.testing import RecordedEvents


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("ORDERS_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(Path(__file__).parent)
    orders = importlib.import_module("orders_on_celery")
    monkeypatch.setitem(orders.app.conf, "task_always_eager", True)  # noqa: FBT003
    return orders


def test_everything_is_done_by_who_ordered(orders: ModuleType, audit_events: RecordedEvents) -> None:
    """Whatever tasks an order leads to, and however often they are tried, they are the customer's."""
    with audit_context(actor="ada", group="acme"):
        orders.place_order(10)

    first = audit_events.assert_recorded("order.ship", actor_id="ada", metadata={"outcome": "failure"}, times=1)
    audit_events.assert_recorded("order.tell", actor_id="ada", group="acme", target_id="10", times=1)
    placed = audit_events.assert_recorded("order.place", actor_id="ada", times=1)
    assert first.parent_id == placed.id
    assert {placed.correlation_id} == {event.correlation_id for event in audit_events}
