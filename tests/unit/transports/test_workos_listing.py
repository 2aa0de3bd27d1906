"""The query that lists events, and the page that comes back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from auditkit.errors import ConfigurationError
from auditkit.event import ActionType
from auditkit.transports.workos_listing import list_query, read_page

ITEM: dict[str, Any] = {
    "object": "event",
    "id": "evt_1",
    "group": "g",
    "location": "1.1.1.1",
    "latitude": 1.5,
    "longitude": None,
    "type": "u",
    "actor_name": "a",
    "actor_id": "a1",
    "target_name": "t",
    "target_id": "",
    "metadata": {"x": 1},
    "occurred_at": "2019-05-01T01:15:55.619Z",
    "action": {"object": "event_action", "id": "evt_action_1", "name": "tweet.update", "project_id": "p"},
}


def test_query_repeats_lists_and_writes_times_as_the_wire_does() -> None:
    """One text or several, times as datetime or as text, and nothing that was not asked for."""
    query = list_query(
        group=["a", "b"],
        action="user.login",
        action_type=ActionType.CREATE,
        occurred_at_gte="2019-01-01T00:00:00Z",
        occurred_at_lt=datetime(2020, 1, 1, tzinfo=UTC),
        limit=5,
        order="desc",
    )

    assert query == [
        ("group[]", "a"),
        ("group[]", "b"),
        ("action[]", "user.login"),
        ("action_type[]", "C"),
        ("occurred_at_gte", "2019-01-01T00:00:00Z"),
        ("occurred_at_lt", "2020-01-01T00:00:00.000000Z"),
        ("limit", "5"),
        ("order", "desc"),
    ]
    assert list_query() == []


@pytest.mark.parametrize(
    "filters, reason",
    [
        ({"occurred_at_gte": "2019-01-01T00:00:00Z", "occurred_at_gt": "2019-01-01T00:00:00Z"}, "not both"),
        ({"occurred_at_lte": "2019-01-01T00:00:00Z", "occurred_at_lt": "2019-01-01T00:00:00Z"}, "not both"),
        ({"occurred_at": "2019-01-01T00:00:00Z", "occurred_at_lt": "2019-01-01T00:00:00Z"}, "not both"),
        ({"occurred_at": "yesterday"}, "aware datetime or ISO-8601"),
        ({"occurred_at": "2019-01-01T00:00:00"}, "aware datetime or ISO-8601"),
        ({"occurred_at": datetime(2019, 1, 1)}, "aware datetime or ISO-8601"),  # noqa: DTZ001  (naive: the point)
        ({"occurred_at": 5}, "aware datetime or ISO-8601"),
        ({"limit": 0}, "limit must be"),
        ({"limit": True}, "limit must be"),
        ({"limit": "5"}, "limit must be"),
        ({"order": "up"}, "order must be"),
        ({"group": [1]}, "group must be"),
    ],
)
def test_query_that_cannot_be_meant_is_refused(filters: dict[str, Any], reason: str) -> None:
    """What WorkOS would quietly ignore or refuse is an error before it is sent."""
    with pytest.raises(ConfigurationError, match=reason):
        list_query(**filters)


@pytest.mark.parametrize("spelling", ["listMetadata", "list_metadata"])
def test_page_is_read_in_both_spellings(spelling: str) -> None:
    """WorkOS has answered both; one typed page comes of them."""
    page = read_page({"data": [ITEM], spelling: {"before": None, "after": "evt_1"}})

    event = page.data[0]
    assert (page.before, page.after) == (None, "evt_1")
    assert (event.id, event.action.name, event.action.project_id) == ("evt_1", "tweet.update", "p")
    assert event.action_type is ActionType.UPDATE
    assert event.occurred_at == datetime(2019, 5, 1, 1, 15, 55, 619000, tzinfo=UTC)
    assert (event.latitude, event.longitude, dict(event.metadata)) == (1.5, None, {"x": 1})


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"data": None}, {"data": [{}]}, {"data": [ITEM | {"occurred_at": "?"}]}, {"data": [5]}],
)
def test_page_of_another_shape_is_refused(document: object) -> None:
    """What is not WorkOS's list is one error, which repeats nothing of it."""
    with pytest.raises(ValueError, match=r"^not a list of events$"):
        read_page(document)
