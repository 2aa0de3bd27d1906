"""What code inside an audited call may say of its event."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import (
    Actor,
    AuditTrail,
    RecordingFailed,
    audit_context,
    audited,
    auditing,
    current_entry,
    record,
    restored_context,
)
from auditkit.capture.additions import Additions
from auditkit.errors import JournalFull
from auditkit.transports import MemoryTransport
from tests.unit.capture.builders import Refused, Tweet, only, troubles

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditkit.draft import Draft
    from auditkit.protocols import Position


def test_target_that_is_known_inside(memory: MemoryTransport) -> None:
    """set_target takes the declaration's place, with a name and a type of its own."""

    @audited("tweet.update", "U", target="tweet_id")
    def update(tweet_id: str) -> None:
        current_entry().set_target("tweet_7", "The seventh", type="draft")

    update("tweet_5")

    assert ("tweet_7", "The seventh", "draft") == (
        only(memory).target_id,
        only(memory).target_name,
        only(memory).target_type,
    )


@pytest.mark.parametrize("given", ["tweet_7", ("tweet_7", "tweet_7"), {"id": "tweet_7"}, Tweet("tweet_7")])
def test_target_in_every_form(memory: MemoryTransport, given: object) -> None:
    """set_target takes what target= takes; its type is the action's category by default."""

    @audited("tweet.create", "C")
    def create() -> None:
        current_entry().set_target(given)

    create()

    assert ("tweet_7", "tweet_7", "tweet") == (
        only(memory).target_id,
        only(memory).target_name,
        only(memory).target_type,
    )


@pytest.mark.parametrize("given", ["ada", ("ada", "Ada"), Actor("ada", "Ada", "robot")])
def test_login_says_who_it_was(memory: MemoryTransport, given: Any) -> None:
    """set_actor takes precedence over the context and the declaration."""

    @audited("user.login", "C", actor=lambda: "somebody else")
    def login() -> None:
        current_entry().set_actor(given)

    with audit_context(actor="nobody"):
        login()

    assert Actor.of(given) == Actor(only(memory).actor_id, only(memory).actor_name, only(memory).actor_type)


def test_metadata_of_the_call(memory: MemoryTransport) -> None:
    """What the call says stands before the decorator's, after captured state, and is normalised as state is."""

    @audited("tweet.update", "U", capture="tweet", metadata={"why": "declared", "kept": 1})
    def update(tweet: Tweet) -> None:
        tweet.body = "new"
        entry = current_entry()
        entry.metadata["why"] = "said"
        entry.metadata["body"] = "not this"
        entry.metadata["price"] = Decimal("1.50")
        entry.metadata["password"] = "hunter2"
        entry.metadata["nested"] = {"a": {"b": 1}}

    with audit_context(metadata={"why": "bound", "from": "context"}):
        update(Tweet())

    assert {
        "body_was": "old",
        "body": "new",
        "why": "said",
        "kept": 1,
        "price": "1.50",
        "password": "[redacted]",
        "nested.a.b": 1,
        "from": "context",
    } == only(memory).metadata


def test_watched_object(memory: MemoryTransport) -> None:
    """watch looks at an object at that moment and at the end, with the choice of fields that is given."""
    tweet, other = Tweet(), Tweet("tweet_6", likes=3)

    @audited("tweet.update", "U", capture="tweet")
    def update(tweet: Tweet) -> None:
        tweet.body = "new"
        other.body = "before it was watched"
        current_entry().watch(other, fields=["likes", "body"], exclude=None)
        other.likes = 4

    update(tweet)

    assert {"body": ("old", "new"), "Tweet.likes": (3, 4)} == only(memory).changes


class Account:
    def __init__(self, balance: int) -> None:
        self.balance = balance
        self.owner = object()


@pytest.mark.parametrize("moved", [1, 0], ids=["all change", "the first does not"])
@pytest.mark.parametrize("capture", ["source", None], ids=["captured", "watched"])
def test_watched_objects_of_the_same_fields(memory: MemoryTransport, moved: int, capture: str | None) -> None:
    """Each object's change is told, under names that do not depend on what else changed."""

    @audited("money.move", "U", capture=capture)
    def move(source: Account, *others: Any) -> None:
        if capture is None:
            current_entry().watch(source)
        for other in others:
            current_entry().watch(other)
            other.balance += 5
        source.balance -= moved

    move(Account(10), Account(20), Account(30), SimpleNamespace(balance=40))

    assert {
        **({"balance": (10, 9)} if moved else {}),
        "Account.balance": (20, 25),
        "Account.2.balance": (30, 35),
        "SimpleNamespace.balance": (40, 45),
    } == only(memory).changes


@pytest.mark.parametrize("action_type", ["C", "D"])
def test_watched_object_beside_one_that_comes_or_goes(memory: MemoryTransport, action_type: Any) -> None:
    """What was watched is told beside all of what a C makes, or a D takes away."""
    other = Account(20)

    @audited("money.move", action_type, capture="account", exclude=["owner"])
    def move(account: Account) -> None:
        current_entry().watch(other)
        other.balance = 30

    move(Account(10))

    assert {
        "balance" if action_type == "C" else "balance_was": 10,
        "Account.balance_was": 20,
        "Account.balance": 30,
    } == only(memory).metadata


def test_object_that_is_watched_twice_is_told_once(memory: MemoryTransport) -> None:
    """Of an object that is captured, or watched before, the earlier look is what is told of a field."""
    first, second = Tweet(), Tweet()

    @audited("tweet.update", "U", capture="tweet", fields=["body"])
    def update(tweet: Tweet) -> None:
        tweet.body = second.body = "new"
        for each in (tweet, second, second):
            current_entry().watch(each)
            each.body += "er"
            each.likes += 1

    update(first)

    assert {
        "body": ("old", "newer"),
        "likes": (0, 1),
        "Tweet.body": ("new", "newerer"),
        "Tweet.likes": (0, 2),
    } == only(memory).changes


def test_what_is_unknown_of_each_watched_object_is_told(memory: MemoryTransport) -> None:
    """Each object's fields that could not be read are named, once."""
    first, second = Account(1), Account(2)

    @audited("money.move", "U", capture="account")
    def move(account: Account) -> None:
        for each in (account, second):
            current_entry().watch(each)
            each.owner = object()

    move(first)

    assert {"auditkit_capture": "unknown: owner; Account: unknown: owner"} == only(memory).metadata


def test_watched_object_that_did_not_change_is_counted(memory: MemoryTransport) -> None:
    """An update in which neither the state nor what was watched changed is told as unchanged, once."""

    @audited("tweet.update", "U")
    def update() -> None:
        current_entry().watch(Tweet())

    update()

    assert {} == only(memory).metadata
    assert {"unchanged": 1} == troubles()


def test_bulk_update_tells_the_story_of_each_row(memory: MemoryTransport) -> None:
    """add_target gives each row its own event: its own difference and id, the call's action, parent and time."""
    rows = [Tweet(f"tweet_{number}", body=f"body {number}") for number in range(500)]

    @audited("tweet.archive", "U", metadata={"reason": "cleanup"})
    def archive() -> None:
        for row in rows:
            current_entry().add_target(row.id, f"Row {row.id}", before={"body": row.body}, after={"body": ""})

    @audited("job.run", "U")
    def job() -> None:
        archive()

    with audit_context(actor="ada", group="acme"):
        job()

    *told, run = memory.events
    assert 501 == len(told)
    assert {run.id} == {each.parent_id for each in told}
    assert 1 == len({each.occurred_at for each in told})
    assert 501 == len({each.id for each in told})
    assert {("ada", "acme", "tweet.archive", "tweet")} == {
        (each.actor_id, each.group, each.action, each.target_type) for each in told
    }
    assert [("", {})] + [(row.id, {"body": (row.body, "")}) for row in rows] == [
        (each.target_id, each.changes) for each in told
    ]
    assert {"cleanup"} == {each.metadata["reason"] for each in told}
    assert {} == troubles()


@pytest.mark.parametrize(
    ("states", "metadata"),
    [
        ({}, {}),
        ({"before": {"a": 1}}, {"a_was": 1}),
        ({"after": {"a": 1}}, {"a": 1}),
        ({"before": {"a": 1}, "after": {"a": 1}}, {}),
        ({"after": {"token": "abc"}}, {"token": "[redacted]"}),
    ],
)
def test_states_of_a_further_target(memory: MemoryTransport, states: dict[str, Any], metadata: dict[str, Any]) -> None:
    """A further target's states tell what they tell in record, redacted."""
    with auditing("tweet.update", "U") as entry:
        entry.add_target("t1", **states)

    assert [{}, metadata] == [each.metadata for each in memory.events]


def test_further_targets_of_a_failed_call_tell_no_change(memory: MemoryTransport) -> None:
    """A bulk update that raised is recorded as failed for each target, and none is told as changed."""

    @audited("tweet.archive", "U", on_error="record")
    def archive() -> None:
        current_entry().add_target("t1", before={"a": 1}, after={"a": 2})
        raise Refused

    with pytest.raises(Refused):
        archive()

    assert [{"outcome": "failure", "error": "Refused"}] * 2 == [each.metadata for each in memory.events]


class _Stumbling(AuditTrail):
    """Be a trail that has no room for some events."""

    def write(self, draft: Draft) -> Position:
        if draft.target_id in {"rows", "2"}:
            raise JournalFull("there is no room")
        return super().write(draft)


def test_each_target_is_recorded_by_itself(make: Callable[..., AuditTrail]) -> None:
    """Where the call's own event, or one of its targets', cannot be written, it is counted, and the others are."""
    memory = MemoryTransport()
    trail = _Stumbling(memory, directory=None)

    @audited("row.update", "U", target=lambda: "rows", trail=trail)
    def update() -> str:
        for number in range(4):
            current_entry().add_target(number)
        return "done"

    assert "done" == update()
    assert ["0", "1", "3"] == [each.target_id for each in memory.events]
    assert 2 == trail.stats().troubles["not_recorded"]
    trail.shutdown(timeout=2)


def test_discarded_call_is_not_recorded(memory: MemoryTransport) -> None:
    """discard leaves nothing behind, neither of the call nor of further targets, whether it returns or raises."""

    @audited("tweet.update", "U", on_error="record")
    def update(*, fails: bool) -> None:
        current_entry().add_target("t1")
        current_entry().discard()
        if fails:
            raise Refused

    update(fails=False)
    with pytest.raises(Refused):
        update(fails=True)

    assert [] == memory.events


def test_entry_is_the_innermost_call_s(memory: MemoryTransport) -> None:
    """What is said inside a nested call is the nested call's; afterwards it is the outer one's again."""

    @audited("inner.do", "U")
    def inner() -> None:
        current_entry().metadata["said"] = "inside"

    @audited("outer.do", "U")
    def outer() -> str:
        inner()
        current_entry().metadata["said"] = "outside"
        return current_entry().id

    outer_id = outer()
    first, second = memory.events

    assert ("inside", outer_id) == (first.metadata["said"], first.parent_id)
    assert ("outside", outer_id) == (second.metadata["said"], second.id)


def test_entry_outside_of_any_call_is_inert(memory: MemoryTransport) -> None:
    """Where nothing is under way the entry is falsy, takes everything and does nothing."""
    entry = current_entry()
    entry.set_target("t")
    entry.set_actor(object())
    entry.watch(object())
    entry.add_target(object())
    entry.metadata["a"] = "b"
    entry.discard()

    assert not entry
    assert ("", {}, "<Entry of nothing>") == (entry.id, entry.metadata, repr(entry))
    assert [] == memory.events
    assert {} == troubles()


def test_entry_of_a_restored_scope_is_inert(memory: MemoryTransport) -> None:
    """In a scope that came through a queue the parent's entry is in another process: there is none to speak to."""
    with restored_context({"version": 1, "parent_id": "p"}):
        assert not current_entry()
        current_entry().metadata["a"] = 1
        record("tweet.seen", "R")

    assert "p" == only(memory).parent_id


def test_entry_is_truthy_inside() -> None:
    """Inside a call the entry is there, and shows its action."""
    with auditing("tweet.update", "U") as entry:
        assert entry
        assert current_entry()
        assert repr(entry) == "<Entry of tweet.update>"


def test_entry_that_comes_too_late_is_told(memory: MemoryTransport) -> None:
    """What is said after the event was written is not in it; that is counted, and nothing raised."""
    with auditing("tweet.update", "U") as entry:
        pass
    entry.metadata["late"] = 1
    entry.set_target("t9")
    entry.add_target("t9")

    assert ("", {}) == (only(memory).target_id, only(memory).metadata)
    assert {"late_entry": 3} == troubles()


@pytest.mark.parametrize(
    "say",
    [
        lambda entry: entry.set_target(1.5),
        lambda entry: entry.set_target(object()),
        lambda entry: entry.set_target("t", name="x", type=""),
        lambda entry: entry.set_actor(None),
        lambda entry: entry.set_actor(object()),
        lambda entry: entry.add_target(object()),
        lambda entry: entry.watch({"salary": 1}, exclude="salary"),
        lambda entry: entry.watch({"salary": 1}, fields=5),
        lambda entry: entry.watch({"salary": 1}, fields=["salary", []]),
    ],
    ids=["float", "object", "no type", "no actor", "odd actor", "odd target", "letters", "number", "odd name"],
)
def test_what_cannot_be_used_is_told(memory: MemoryTransport, say: Callable[[Any], None]) -> None:
    """A value that no event can take never breaks the application: it is counted, and the event goes without it."""

    @audited("tweet.update", "U", target="tweet_id")
    def update(tweet_id: str) -> str:
        say(current_entry())
        return "done"

    with audit_context(actor="ada"):
        assert update("tweet_5") == "done"

    assert ("tweet_5", "ada") == (only(memory).target_id, only(memory).actor_id)
    assert {"capture": 1} == troubles()


def test_what_cannot_be_used_is_raised_where_asked(make: Callable[..., AuditTrail]) -> None:
    """With on_audit_error="raise" the call raises what its entry was given wrongly, with its result."""
    memory = MemoryTransport()
    trail = make(memory, on_audit_error="raise")

    @audited("tweet.update", "U", trail=trail)
    def update() -> str:
        current_entry().set_target(object())
        return "done"

    with pytest.raises(RecordingFailed, match="set_target of the entry of .*update could not use") as caught:
        update()

    assert caught.value.result == "done"
    assert 1 == len(memory.events)


def test_threads_of_the_call_say_something_at_once(memory: MemoryTransport) -> None:
    """Entries that threads were handed are the call's: nothing that they say is lost."""
    with auditing("tweet.update", "U") as entry:
        threads = [
            threading.Thread(target=lambda number=number: entry.add_target(f"t{number}")) for number in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert {"", *(f"t{number}" for number in range(20))} == {each.target_id for each in memory.events}


def test_signal_handler_says_something_while_the_first_is_said(
    memory: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said while another's first word is taken in is kept beside it."""

    def interrupted() -> Additions:
        monkeypatch.undo()
        current_entry().metadata["handler"] = 1
        return Additions()

    monkeypatch.setattr("auditkit.capture.entry.Additions", interrupted)
    with auditing("tweet.update", "U") as entry:
        entry.metadata["block"] = 2

    assert {"handler": 1, "block": 2} == only(memory).metadata


def test_tasks_have_their_own_entries(memory: MemoryTransport) -> None:
    """Coroutines that run side by side each speak to their own call."""

    @audited("tweet.update", "U", target="tweet_id")
    async def update(tweet_id: str) -> None:
        await asyncio.sleep(0)
        current_entry().metadata["of"] = tweet_id
        await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(update(f"t{number}") for number in range(10)))

    asyncio.run(main())

    assert {f"t{number}": f"t{number}" for number in range(10)} == {
        each.target_id: each.metadata["of"] for each in memory.events
    }
