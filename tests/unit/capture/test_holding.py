"""Events that wait for the commit of their transaction."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

import auditkit
from auditkit import (
    AuditTrail,
    JournalFull,
    ReceiptUnavailable,
    audit_context,
    audited,
    auditing,
    bind_context,
    current_entry,
    files,
    record,
)
from auditkit.capture.holding import Held
from auditkit.testing import DrivenClock, ScriptedTransport, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditkit.testing import RecordedEvents


class Transaction:
    """What keeps functions until it commits, as Django's `transaction.on_commit` does."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def on_commit(self, function: Callable[[], None]) -> None:
        self.waiting.append(function)

    def commit(self) -> None:
        waiting, self.waiting = self.waiting, []
        for function in waiting:
            function()

    def roll_back(self) -> None:
        self.waiting.clear()


@pytest.fixture
def events() -> Iterator[RecordedEvents]:
    with recording() as recorded:
        yield recorded


@pytest.fixture
def transaction() -> Transaction:
    return Transaction()


@audited("plan.update", "U", target="plan.id", capture="plan", on_error="record")
def rename(plan: dict[str, str], name: str) -> None:
    plan["name"] = name
    if name == "forbidden":
        raise PermissionError
    if not name:
        raise ValueError


@audited("plan.read", "R", target="plan.id")
def read(plan: dict[str, str]) -> None: ...


def plan() -> dict[str, str]:
    return {"id": "plan_1", "name": "Basic"}


def test_success_is_recorded_at_the_commit(events: RecordedEvents, transaction: Transaction) -> None:
    """Nothing is there before the commit, and then the event as it was when the call ended."""
    changed = plan()
    with audit_context(actor="user_1", on_commit=transaction.on_commit):
        rename(changed, "Pro")
        bind_context(actor="user_2")
        changed["name"] = "Team"
        events.assert_nothing_recorded()
    transaction.commit()

    events.assert_recorded("plan.update", actor_id="user_1", changed={"name": ("Basic", "Pro")}, times=1)
    assert auditkit.stats().rolled_back == 0


def test_rollback_drops_the_event_and_counts_it(events: RecordedEvents, transaction: Transaction) -> None:
    """What is let go of uncalled is not recorded, and stats() says how many there were."""
    with audit_context(on_commit=transaction.on_commit):
        rename(plan(), "Pro")
        rename(plan(), "Team")
        transaction.roll_back()

    events.assert_nothing_recorded()
    assert auditkit.stats().rolled_back == 2


@pytest.mark.parametrize(("name", "outcome"), [("", "failure"), ("forbidden", "denied")])
def test_failures_and_denials_are_recorded_at_once(
    events: RecordedEvents, transaction: Transaction, name: str, outcome: str
) -> None:
    """What did not happen has no part in the commit: it is told though everything is rolled back."""
    with audit_context(on_commit=transaction.on_commit), pytest.raises((ValueError, PermissionError)):
        rename(plan(), name)
    transaction.roll_back()

    events.assert_recorded("plan.update", metadata={"outcome": outcome}, times=1)


def test_reads_are_recorded_at_once(events: RecordedEvents, transaction: Transaction) -> None:
    """What was seen was seen, whatever becomes of the transaction."""
    with audit_context(on_commit=transaction.on_commit):
        read(plan())
        record("plan.read", "R", target="plan_2")

    assert transaction.waiting == []
    assert [each.target_id for each in events] == ["plan_1", "plan_2"]


def test_judged_failure_is_recorded_at_once(events: RecordedEvents, transaction: Transaction) -> None:
    """A result that `outcome=` takes for a failure is one here, too."""

    @audited("plan.update", "U", outcome=lambda result: "failure" if result else "success")
    def change(refused: bool) -> bool:  # noqa: FBT001  (what the function answers)
        return refused

    with audit_context(on_commit=transaction.on_commit):
        change(True)
        change(False)

    assert len(events) == len(transaction.waiting) == 1


async def test_every_kind_of_call_is_held(events: RecordedEvents, transaction: Transaction) -> None:
    """Coroutines, generators, blocks, facts and the rows of a bulk update wait as plain calls do."""

    @audited("plan.update", "U", target="number")
    async def coroutine(number: int) -> None: ...

    @audited("plan.update", "U", target="number")
    def generator(number: int) -> Iterator[int]:
        yield number

    with audit_context(on_commit=transaction.on_commit):
        await coroutine(1)
        list(generator(2))
        with auditing("plan.update", "U", target="3"):
            current_entry().add_target("4")
        record("plan.update", "U", target="5")
        events.assert_nothing_recorded()
    transaction.commit()

    assert [each.target_id for each in events] == ["1", "2", "3", "4", "5"]


def test_inner_scopes_inherit_it(events: RecordedEvents, transaction: Transaction) -> None:
    """A scope inside holds events too; one that starts anew does not, nor one that calls back at once."""
    with audit_context(on_commit=transaction.on_commit):
        with audit_context(actor="user_1"):
            rename(plan(), "Pro")
        with audit_context(inherit=False):
            record("plan.update", "U", target="anew")
        with audit_context(on_commit=lambda function: function()):
            record("plan.update", "U", target="at once")

    assert [each.target_id for each in events] == ["anew", "at once"]
    assert len(transaction.waiting) == 1


def test_it_can_be_bound(events: RecordedEvents, transaction: Transaction) -> None:
    """A dependency that opens the session binds it for the rest of the request."""
    with audit_context():
        bind_context(on_commit=transaction.on_commit)
        rename(plan(), "Pro")
        bind_context(actor="user_1")

        assert len(transaction.waiting) == 1
    events.assert_nothing_recorded()


def test_callback_that_comes_twice_records_once(events: RecordedEvents, transaction: Transaction) -> None:
    """Each event is recorded once, however often and from how many threads its function is called."""
    with audit_context(on_commit=transaction.on_commit):
        rename(plan(), "Pro")
    (function,) = transaction.waiting
    threads = [threading.Thread(target=function) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(events) == 1


def test_on_commit_that_raises_loses_nothing(events: RecordedEvents) -> None:
    """Where nobody will call back the event is recorded at once; the call does not notice, and it is told."""

    def refuse(function: Callable[[], None]) -> None:
        raise RuntimeError("no transaction is open")

    with audit_context(on_commit=refuse):
        rename(plan(), "Pro")

    events.assert_recorded("plan.update", times=1)
    assert auditkit.stats().troubles["on_commit"] == 1


def test_on_commit_that_would_keep_it_weakly_loses_nothing(events: RecordedEvents) -> None:
    """A signal that refers to its receivers weakly would drop the event at once: it is recorded instead."""
    receivers: weakref.WeakSet[Any] = weakref.WeakSet()

    with audit_context(on_commit=receivers.add):
        rename(plan(), "Pro")

    events.assert_recorded("plan.update", times=1)
    assert auditkit.stats().troubles["on_commit"] == 1


def test_interrupt_while_handing_on_loses_nothing(events: RecordedEvents) -> None:
    """What is not about us passes, and the event is recorded first."""

    def interrupt(function: Callable[[], None]) -> None:
        raise KeyboardInterrupt

    with audit_context(on_commit=interrupt), pytest.raises(KeyboardInterrupt):
        rename(plan(), "Pro")

    assert len(events) == 1


def test_async_on_commit_loses_nothing(events: RecordedEvents) -> None:
    """A coroutine would never run: the event is recorded at once, and the mistake told."""

    async def later(function: Callable[[], None]) -> None: ...

    with audit_context(on_commit=later):
        rename(plan(), "Pro")

    events.assert_recorded("plan.update", times=1)
    assert auditkit.stats().troubles["on_commit"] == 1


def test_what_cannot_be_called_is_told_and_left_out(events: RecordedEvents) -> None:
    """As with every field of a context, a mistake is logged and the request goes on."""
    wrong: Any = "transaction"
    with audit_context(on_commit=wrong):
        rename(plan(), "Pro")

    assert len(events) == 1
    assert auditkit.stats().troubles["context"] == 1


def test_nothing_of_a_rolled_back_transaction_is_kept(transaction: Transaction) -> None:
    """A process that rolls back all day does not grow: what was held is freed with the transaction."""
    with recording(), audit_context(on_commit=transaction.on_commit):
        receipts = [record("plan.update", "U", target="plan_1") for _ in range(3)]
        before = sum(type(each) is Held for each in gc.get_objects())
        transaction.roll_back()
        after = sum(type(each) is Held for each in gc.get_objects())

    assert (3, 0, 3) == (before, after, len(receipts))


# ---------------------------------------------------------------------- receipts


def test_receipt_follows_the_transaction(transaction: Transaction) -> None:
    """It is not done while the transaction is open, and is the event's own receipt from the commit on."""
    auditkit.configure(directory=None)
    with audit_context(on_commit=transaction.on_commit):
        receipt = record("plan.update", "U", target="plan_1")
    assert not receipt.done()
    with pytest.raises(TimeoutError, match="did not end within 0.0 s"):
        receipt.result(timeout=0.0)
    transaction.commit()

    receipt.result(timeout=10)
    assert receipt.done()
    assert f"<Receipt of event {receipt.id}, held until its transaction commits>" == repr(receipt)


def test_receipt_can_be_waited_for(transaction: Transaction) -> None:
    """Waiting goes on when another thread commits."""
    auditkit.configure(directory=None)
    with audit_context(on_commit=transaction.on_commit):
        receipt = record("plan.update", "U", target="plan_1")
    committing = threading.Timer(0.0, transaction.commit)
    committing.start()
    receipt.result(timeout=10)
    committing.join()

    assert receipt.done()


def test_transaction_that_does_not_end_is_not_waited_for_longer(transaction: Transaction) -> None:
    """The time that was given is all that is waited."""
    auditkit.configure(directory=None)
    with audit_context(on_commit=transaction.on_commit):
        receipt = record("plan.update", "U", target="plan_1")

    with pytest.raises(TimeoutError, match=r"did not end within 0\.01 s"):
        receipt.result(timeout=0.01)


async def test_receipt_can_be_awaited(transaction: Transaction) -> None:
    """Awaiting goes on when another thread commits and the destination has the event."""
    transport = ScriptedTransport()
    auditkit.configure(transport, directory=None)
    with audit_context(on_commit=transaction.on_commit):
        receipt = record("plan.update", "U", target="plan_1")
    committing = threading.Timer(0.0, transaction.commit)
    committing.start()
    await receipt
    committing.join()

    assert [receipt.id] == [each.id for each in transport.events]


def test_receipt_of_what_was_rolled_back_says_so(transaction: Transaction) -> None:
    """Nobody waits for ever for an event that was dropped."""
    with recording(), audit_context(on_commit=transaction.on_commit):
        receipt = record("plan.update", "U", target="plan_1")
        transaction.roll_back()

        with pytest.raises(ReceiptUnavailable, match="its transaction did not commit"):
            receipt.result()


# ---------------------------------------------------------------------- on disk


def test_committed_event_is_on_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transaction: Transaction
) -> None:
    """Under fsync="always" the commit's callback returns when the device has the event."""
    synced: list[int] = []
    sync = files.sync

    def seen(descriptor: int) -> None:
        sync(descriptor)
        synced.append(descriptor)

    auditkit.configure(directory=tmp_path / "audit", fsync="always", ledger=False)
    with audit_context(on_commit=transaction.on_commit):
        record("plan.update", "U", target="plan_1")
    monkeypatch.setattr(files, "sync", seen)
    assert synced == []
    transaction.commit()

    assert synced


def test_full_journal_at_the_commit_is_told_and_not_raised(
    monkeypatch: pytest.MonkeyPatch, transaction: Transaction
) -> None:
    """The transaction has committed: who commits is not disturbed, and the loss is counted."""

    def refuse(draft: object) -> NoReturn:
        raise JournalFull("the journal holds 1048576 bytes")

    trail = auditkit.configure(directory=None, on_audit_error="raise")
    with audit_context(on_commit=transaction.on_commit):
        receipt = record("plan.update", "U", target="plan_1")
    monkeypatch.setattr(trail, "write", refuse)
    transaction.commit()

    with pytest.raises(ReceiptUnavailable, match="or recording failed"):
        receipt.done()
    assert trail.stats().troubles["not_recorded"] == 1


def test_another_trail_is_counted_by_itself(transaction: Transaction) -> None:
    """An event that goes to a trail of its own is that trail's when it is rolled back."""
    trail = AuditTrail(directory=None, clock=DrivenClock())

    @audited("plan.update", "U", trail=trail)
    def change() -> None: ...

    with audit_context(on_commit=transaction.on_commit):
        change()
        transaction.roll_back()

    assert trail.stats().rolled_back == 1
    trail.shutdown()
