"""record() writes down one fact with the ambient context."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import Actor, AuditTrail, Target, _current, arecord, audit_context, audited, configure, record, stats
from auditkit.errors import JournalFull, JournalUnavailable, ReceiptUnavailable, RecordingFailed
from auditkit.transports import MemoryTransport
from tests.unit.capture.builders import Tweet, only, troubles

if TYPE_CHECKING:
    from pathlib import Path

    from auditkit.draft import Draft
    from auditkit.protocols import Position

MAY = datetime(2019, 5, 1, 1, 15, 55, 619355, tzinfo=UTC)


def test_record_takes_the_ambient_context(memory: MemoryTransport) -> None:
    """Who, where and for whom are what the scope says; metadata merges."""
    with audit_context(
        group="org_1",
        actor=("user_1", "Ada"),
        location="1.1.1.1",
        on_behalf_of=("user_2", "Eve"),
        metadata={"a": "context", "b": "context"},
        correlation_id="request-7",
    ):
        record("user.login", "C", metadata={"b": "call", "on_behalf_of_id": "call"})
    event = only(memory)

    assert ("org_1", "user_1", "Ada", "user", "1.1.1.1", "request-7") == (
        event.group,
        event.actor_id,
        event.actor_name,
        event.actor_type,
        event.location,
        event.correlation_id,
    )
    assert ("user.login", "C", "", "user", "user") == (
        event.action,
        event.action_type,
        event.target_id,
        event.target_name,
        event.target_type,
    )
    assert {
        "on_behalf_of_id": "user_2",
        "on_behalf_of_name": "Eve",
        "metadata.on_behalf_of_id": "call",
        "a": "context",
        "b": "call",
    } == event.metadata
    assert {} == dict(stats().troubles)


def test_record_outside_any_scope_takes_the_defaults() -> None:
    """Where nobody said who, the trail's defaults stand."""
    memory = MemoryTransport()
    configure(memory, directory=None, defaults={"group": "g", "actor": ("cron", "Cron"), "location": "l"})
    record("job.run", "U")
    event = only(memory)

    assert ("g", "cron", "Cron", "l", None) == (
        event.group,
        event.actor_id,
        event.actor_name,
        event.location,
        event.correlation_id,
    )


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        ("user_2", ("user_2", "user_2", "user")),
        (("user_2", "Eve"), ("user_2", "Eve", "user")),
        ({"id": 7, "name": "Seven", "type": "service"}, ("7", "Seven", "service")),
        (SimpleNamespace(pk=7, name="Seven"), ("7", "Seven", "user")),
        (Actor("user_2", "Eve", "robot"), ("user_2", "Eve", "robot")),
    ],
    ids=["id", "pair", "mapping", "object", "actor"],
)
def test_record_states_who_and_where(memory: MemoryTransport, actor: Any, expected: tuple[str, str, str]) -> None:
    """What the call states goes before the scope."""
    with audit_context(group="org_1", actor="user_1", location="1.1.1.1", metadata={"kept": True}):
        record("user.login", "C", actor=actor, group=5, location="2.2.2.2")
    event = only(memory)

    assert expected == (event.actor_id, event.actor_name, event.actor_type)
    assert ("5", "2.2.2.2", {"kept": True}) == (event.group, event.location, event.metadata)
    assert event.correlation_id is not None


def test_stating_everything_needs_no_scope(memory: MemoryTransport) -> None:
    """What is stated is not missing: no default is counted."""
    record("user.login", "C", actor="user_1", group="org_1", location="here")

    assert {} == dict(stats().troubles)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("tweet_5", ("tweet_5", "tweet_5", "tweet")),
        (("tweet_5", "hello"), ("tweet_5", "hello", "tweet")),
        ({"id": 7, "name": "Seven", "type": "post"}, ("7", "Seven", "post")),
        (Target("7", "Seven", "post"), ("7", "Seven", "post")),
        (Tweet(), ("tweet_5", "tweet_5", "tweet")),
    ],
    ids=["id", "pair", "mapping", "target", "object"],
)
def test_record_states_its_target(memory: MemoryTransport, target: Any, expected: tuple[str, str, str]) -> None:
    """A target is given in every form."""
    record("tweet.read", "R", target=target)
    event = only(memory)

    assert expected == (event.target_id, event.target_name, event.target_type)


@pytest.mark.parametrize(
    ("states", "metadata"),
    [
        ({"before": {"a": 1, "b": 2}, "after": {"a": 1, "b": 3}}, {"b_was": 2, "b": 3}),
        ({"before": {"a": 1}}, {"a_was": 1}),
        ({"after": {"a": 1}}, {"a": 1}),
        ({"after": Tweet()}, {"id": "tweet_5", "body": "old", "likes": 0, "author.id": "user_1", "author.name": "Ada"}),
        ({}, {}),
        ({"before": {}, "after": {}}, {}),
    ],
    ids=["both", "before", "after", "object", "none", "empty"],
)
def test_record_tells_the_difference(memory: MemoryTransport, states: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Two states are told by what changed; one as it was or is."""
    record("tweet.update", "U", **states)

    assert metadata == only(memory).metadata


def test_record_counts_an_update_that_changed_nothing(memory: MemoryTransport) -> None:
    """An update that is none is recorded and counted, as an audited call's is."""
    record("tweet.update", "U", before={"a": 1}, after={"a": 1})

    assert {} == only(memory).metadata
    assert {"unchanged": 1} == troubles()


@pytest.mark.parametrize(
    ("outcome", "metadata"),
    [("success", {}), ("failure", {"outcome": "failure"}), ("denied", {"outcome": "denied"})],
)
def test_record_tells_the_outcome(memory: MemoryTransport, outcome: str, metadata: dict[str, str]) -> None:
    """A denial is a fact, too; a success goes without saying."""
    record("user.login", "C", outcome=outcome)

    assert metadata == only(memory).metadata


def test_outcome_goes_before_what_is_stated(memory: MemoryTransport) -> None:
    """auditkit's own keys cannot be overwritten, and a captured field of that name is set apart."""
    record("user.login", "C", outcome="denied", after={"outcome": "captured"}, metadata={"outcome": "stated", "a": 1})

    assert {
        "outcome": "denied",
        "state.outcome": "captured",
        "metadata.outcome": "stated",
        "a": 1,
    } == only(memory).metadata


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (MAY, MAY),
        (MAY.astimezone(timezone(timedelta(hours=2))), MAY),
        ("2019-05-01T01:15:55.619355Z", MAY),
        ("2019-05-01T03:15:55.619355+02:00", MAY),
        (datetime(1969, 12, 31, tzinfo=UTC), datetime(1969, 12, 31, tzinfo=UTC)),
    ],
    ids=["utc", "offset", "text", "text-offset", "before-the-epoch"],
)
def test_record_states_its_time(memory: MemoryTransport, given: Any, expected: datetime) -> None:
    """A backfill says when it was."""
    record("user.login", "C", occurred_at=given)

    assert expected == only(memory).occurred_at


def test_record_is_now_by_default(memory: MemoryTransport) -> None:
    """Without a time it is the present one."""
    earliest = datetime.now(UTC) - timedelta(microseconds=1)
    record("user.login", "C")

    assert earliest <= only(memory).occurred_at <= datetime.now(UTC)


def test_record_states_its_id(memory: MemoryTransport) -> None:
    """An older system's idempotency key fits; without one a new id is made, and the receipt has it."""
    receipts = [record("user.login", "C", id="key-from-2019"), record("user.login", "C")]

    assert [receipt.id for receipt in receipts] == [event.id for event in memory.events]
    assert "key-from-2019" == receipts[0].id
    assert receipts[1].id


def test_record_inside_an_audited_call_is_its_child(memory: MemoryTransport) -> None:
    """A fact told inside an audited call belongs to it."""

    @audited("order.place", "C")
    def place() -> None:
        record("order.pay", "U")

    place()
    inner, outer = memory.events

    assert (outer.id, None) == (inner.parent_id, outer.parent_id)


def test_record_redacts(memory: MemoryTransport) -> None:
    """Secrets do not reach the event from states nor from metadata."""
    record("user.update", "U", before={"password": "a"}, after={"password": "b"}, metadata={"api_key": "c"})

    assert {"password_was": "[redacted]", "password": "[redacted]", "api_key": "[redacted]"} == only(memory).metadata


def test_fact_is_not_lost_for_what_its_metadata_holds(memory: MemoryTransport) -> None:
    """A value that an event does not take is told as a state's is, and one that it takes as it was stated."""
    metadata: dict[Any, Any] = {
        "price": Decimal("1.50"),
        "rows": [1, {"pin": 2}],
        "by": {"a": 1},
        "deep": {"b": {"c": 3}},
        5: 1,
    }
    record("order.refund", "U", metadata=metadata)

    assert {
        "price": "1.50",
        "rows": "[redacted]",
        "by": {"a": 1},
        "deep.b.c": 3,
        "5": 1,
    } == only(memory).metadata
    assert {} == troubles()


async def test_receipt_without_transport_is_done_once_recorded() -> None:
    """Where nothing is to be delivered, nothing is waited for."""
    configure(directory=None)
    receipt = record("user.login", "C")

    assert receipt.done()
    receipt.result(timeout=0)
    await asyncio.wait_for(receipt, timeout=5)


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"action": "login"},
        (
            "record('login') could not be recorded (InvalidEventError: action must be a category and a name separated by a "
            "period, such as 'user.login', got 'login')"
        ),
    ),
    (
        {"action_type": "X"},
        (
            "record('user.login') could not be recorded (InvalidEventError: action_type must be 'C', 'R', 'U' or 'D', "
            "got 'X')"
        ),
    ),
    (
        {"occurred_at": datetime(2019, 5, 1)},  # noqa: DTZ001  (naive, to be refused)
        (
            "record('user.login') could not be recorded (InvalidEventError: occurred_at must be an aware datetime or an "
            "ISO-8601 str with an offset, such as '2019-05-01T01:15:55.619355Z', got the naive time 2019-05-01T00:00:00)"
        ),
    ),
    ({"occurred_at": "yesterday"}, "InvalidEventError: occurred_at must be "),
    ({"id": "two words"}, "InvalidEventError: id must be "),
    ({"id": 5}, "InvalidEventError: id must be "),
    ({"actor": ""}, "InvalidEventError: actor.id must be a non-empty str, got ''"),
    ({"actor": object()}, "InvalidEventError: actor must be "),
    ({"group": ""}, "InvalidEventError: group must be a non-empty str, got ''"),
    ({"location": 1.5}, "InvalidEventError: location must be "),
    ({"target": (1, 2, 3)}, "InvalidEventError: target must be "),
    ({"metadata": [1]}, "InvalidEventError: metadata must be "),
    ({"outcome": None}, "InvalidEventError: outcome must be "),
    ({"outcome": "succes"}, "InvalidEventError: outcome must be 'success', 'failure' or 'denied', got 'succes'"),
    ({"action": object()}, "record(a value of type object) could not be recorded (InvalidEventError: action must be "),
]


@pytest.mark.parametrize(("given", "told"), REFUSED, ids=lambda given: str(given)[:30])
def test_refusals_are_contained(
    memory: MemoryTransport, caplog: pytest.LogCaptureFixture, given: dict[str, Any], told: str
) -> None:
    """What cannot be recorded never reaches the application: it is counted and logged, and the receipt says that it knows nothing."""
    receipt = record(**({"action": "user.login", "action_type": "C"} | given))

    assert [] == memory.events
    assert {"not_recorded": 1} == troubles()
    assert told in caplog.text
    assert receipt.id
    with pytest.raises(ReceiptUnavailable):
        receipt.done()


@pytest.mark.parametrize(("given", "told"), REFUSED, ids=lambda given: str(given)[:30])
def test_refusals_are_raised_where_that_was_asked_for(given: dict[str, Any], told: str) -> None:
    """With on_audit_error="raise" the caller hears of it."""
    memory = MemoryTransport()
    configure(memory, directory=None, on_audit_error="raise")
    with pytest.raises(RecordingFailed) as caught:
        record(**({"action": "user.login", "action_type": "C"} | given))

    assert told in str(caught.value)
    assert None is caught.value.result
    assert [] == memory.events
    assert {"not_recorded": 1} == troubles()


def test_missing_requirement_is_raised_where_that_was_asked_for() -> None:
    """configure(require=...) makes a missing actor an audit error: nothing is recorded half."""
    memory = MemoryTransport()
    configure(memory, directory=None, on_audit_error="raise", require=("actor",))
    with pytest.raises(RecordingFailed, match="no actor is bound"):
        record("user.login", "C")
    record("user.login", "C", actor="user_1")

    assert ["user_1"] == [event.actor_id for event in memory.events]


def test_missing_requirement_is_told_where_nothing_is_raised() -> None:
    """By default the fact is recorded with the default, and the lack is counted."""
    memory = MemoryTransport()
    configure(memory, directory=None, require=("actor",))
    record("user.login", "C")

    assert "anonymous" == only(memory).actor_id
    assert {"missing": 1} == troubles()


@pytest.mark.parametrize("raises", [False, True])
def test_journal_that_fails_is_contained_or_raised(*, raises: bool) -> None:
    """A full journal costs the fact, and the application only where that was asked for."""

    class FullTrail(AuditTrail):
        def write(self, draft: Draft) -> Position:
            raise JournalFull("there is no room")

    trail = FullTrail(directory=None, on_audit_error="raise" if raises else "log")
    _current.install(trail)
    if raises:
        with pytest.raises(RecordingFailed) as caught:
            record("user.login", "C")
        assert "record('user.login') could not be recorded (JournalFull: there is no room)" == str(caught.value)
    else:
        assert record("user.login", "C").id

    assert 1 == trail.stats().troubles["not_recorded"]


def test_hostile_state_is_recorded_as_what_can_be_told(memory: MemoryTransport) -> None:
    """A state whose fields cannot be read costs the fields, not the fact."""

    class Hostile:
        def __getattribute__(self, name: str) -> Any:
            raise ValueError

    record("tweet.update", "U", before=Hostile(), after={"body": "new"})

    assert "tweet.update" == only(memory).action


# ---------------------------------------------------------------------- arecord


def test_arecord_records_what_record_does(memory: MemoryTransport) -> None:
    """The same fact, recorded either way, is the same event."""
    fact: dict[str, Any] = {
        "actor": ("user_1", "Ada"), "target": Tweet(), "group": "g", "location": "l", "before": {"a": 1},
        "after": {"a": 2, "password": "b"}, "metadata": {"c": 3}, "outcome": "denied", "occurred_at": MAY, "id": "i1",
    }  # fmt: skip
    receipt = asyncio.run(arecord("tweet.update", "U", **fact))
    assert receipt.id == record("tweet.update", "U", **fact).id
    first, second = memory.events

    assert first == second


def test_arecord_does_not_hold_the_loop(tmp_path: Path) -> None:
    """Under fsync="always" the event is on the device when arecord returns, and the loop was not held."""
    configure(directory=tmp_path / "audit", fsync="always")

    async def main() -> None:
        await arecord("job.run", "U", actor="a", group="g", location="l")

    asyncio.run(main())
    assert {} == troubles()

    async def held() -> None:
        record("job.run", "U", actor="a", group="g", location="l")

    asyncio.run(held())
    assert {"loop_held": 1} == troubles()
    assert 2 == stats().recorded


def test_arecord_tells_what_cannot_be_recorded(memory: MemoryTransport) -> None:
    """A mistake is counted, and raised where the trail was asked to."""
    assert isinstance(asyncio.run(arecord("nonsense", "U")).id, str)
    assert {"not_recorded": 1} == troubles()
    assert [] == memory.events

    configure(memory, directory=None, on_audit_error="raise")
    with pytest.raises(RecordingFailed, match="action must be"):
        asyncio.run(arecord("nonsense", "U"))


def test_arecord_tells_that_the_device_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the sync fails, an awaited fact is told as a plain one is."""
    trail = configure(directory=tmp_path / "audit", fsync="always", on_audit_error="raise")

    async def fail() -> None:
        raise JournalUnavailable("the device failed")

    monkeypatch.setattr(trail, "asettle", fail)
    with pytest.raises(RecordingFailed, match="the device failed"):
        asyncio.run(arecord("job.run", "U", actor="a", group="g", location="l"))
