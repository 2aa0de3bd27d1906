"""The two bodies of WorkOS, from events."""

from __future__ import annotations

import json

from auditkit.event import Event
from auditkit.transports.workos_wire import MAX_BODY, audit_logs_body, audit_trail_body
from tests.unit.transports.examples import an_event


def test_audit_trail_body_is_exactly_the_ten_fields() -> None:
    """Nothing of auditkit's own goes onto the older wire."""
    assert json.loads(audit_trail_body(an_event(parent_id="p", correlation_id="c"))) == {
        "group": "user_1",
        "action": "tweet.update",
        "action_type": "U",
        "actor_name": "user@email.com",
        "actor_id": "user_1",
        "target_name": "T",
        "target_id": "tweet_5",
        "location": "1.1.1.1",
        "occurred_at": "2019-05-01T12:00:00.000000Z",
        "metadata": {"body_was": "a", "body": "b"},
    }


def test_audit_trail_body_without_metadata_has_no_metadata() -> None:
    """As WorkOS's own clients send it; what is recorded as empty is nothing on the wire."""
    assert "metadata" not in json.loads(audit_trail_body(an_event(metadata={})))
    assert "metadata" not in json.loads(audit_trail_body(an_event(metadata={"gone": None})))


def test_audit_trail_body_keeps_one_level_of_maps() -> None:
    """Maps of scalars go as they are."""
    metadata = {"m": {"x": "1", "y": 2, "z": False}}

    assert json.loads(audit_trail_body(an_event(metadata=metadata)))["metadata"] == metadata


def test_audit_logs_body_puts_everything_in_its_place() -> None:
    """Dotted keys and maps mean the same, parties and user agent go to theirs, the rest is flat."""
    metadata = {
        "actor": {"role": "admin"},
        "target.owner": "u2",
        "user_agent": "UA",
        "plan": {"name": "pro", "seats": 5},
        "action_type": "captured",
    }

    body = json.loads(audit_logs_body(an_event(metadata=metadata), "org_1", 2))

    assert body == {
        "organization_id": "org_1",
        "event": {
            "action": "tweet.update",
            "occurred_at": "2019-05-01T12:00:00.000000Z",
            "actor": {"id": "user_1", "type": "user", "name": "user@email.com", "metadata": {"role": "admin"}},
            "targets": [{"id": "tweet_5", "type": "tweet", "name": "T", "metadata": {"owner": "u2"}}],
            "context": {"location": "1.1.1.1", "user_agent": "UA"},
            "metadata": {
                "plan.name": "pro",
                "plan.seats": 5,
                "action_type": "U",
                "auditkit_truncated": "action_type",
            },
            "version": 2,
        },
    }


def test_audit_logs_body_leaves_out_what_is_not_there() -> None:
    """No name, no version, no empty metadata."""
    event = json.loads(audit_logs_body(an_event(metadata={}, actor_name="", target_name=""), "org_1"))["event"]

    assert event["actor"] == {"id": "user_1", "type": "user"}
    assert event["targets"] == [{"id": "tweet_5", "type": "tweet"}]
    assert (event["metadata"], "version" in event) == ({"action_type": "U"}, False)


def test_audit_logs_body_names_a_key_that_found_its_place_taken() -> None:
    """Of two ways to say one key the first counts, and the other is not lost silently."""
    body = json.loads(audit_logs_body(an_event(metadata={"m": {"x": 1}, "m.x": 2}), "org_1"))

    assert body["event"]["metadata"]["m.x"] == 1
    assert body["event"]["metadata"]["auditkit_truncated"] == "m.x"


def test_names_and_places_are_bounded_and_said() -> None:
    """A name of any length is delivered, cut, and named among what was cut."""
    body = json.loads(audit_trail_body(an_event(actor_name="x" * 100_000)))

    assert len(body["actor_name"]) == 500
    assert body["metadata"]["auditkit_truncated"] == "actor_name"


def test_body_that_is_still_too_large_is_cut_further() -> None:
    """Fifty maps within their limits are cut until WorkOS takes the whole, or left out and named."""
    maps = {f"m{i}": {f"k{j}": "é" * 400 for j in range(50)} for i in range(50)}
    wide = {f"m{i}": {f"{j}{'k' * 35}": j for j in range(50)} for i in range(50)}

    for metadata in (maps, wide):
        assert len(audit_trail_body(an_event(metadata=metadata))) <= MAX_BODY
    left = json.loads(audit_trail_body(an_event(metadata=wide)))["metadata"]
    assert left == {"auditkit_truncated": "metadata"}
    escapes = {f"k{i}": "\x01" * 400 for i in range(50)}
    parties = escapes | {"actor": escapes, "target": escapes}
    assert len(audit_logs_body(an_event(metadata=parties), "org_1")) <= MAX_BODY


def test_bodies_are_the_same_bytes_each_time() -> None:
    """What is sent again is what was sent."""
    event = an_event(metadata={f"k{i}": "x" * 600 for i in range(70)})

    assert audit_trail_body(event) == audit_trail_body(Event.from_dict(event.to_dict()))
