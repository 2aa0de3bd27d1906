"""From an audited call to WorkOS and the ledger, over a real network, with what goes wrong there."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import auditkit
from auditkit import AuditTrail, audit_context, audited
from auditkit.delivery import schedule, verdict
from auditkit.errors import DeliveryRejected
from auditkit.ledger import LedgerReader
from auditkit.testing import DrivenClock, ScriptedTransport, WorkOSDouble
from auditkit.transports import ConsoleTransport, JSONLinesTransport, WorkOSTransport
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def transport_to(workos: WorkOSDouble, **named: Any) -> WorkOSTransport:
    return WorkOSTransport(workos.api_key, base_url=workos.base_url, **named)


def keys(workos: WorkOSDouble) -> list[str]:
    return [request.headers["idempotency-key"] for request in workos.requests]


def in_ledger(directory: Path) -> list[str]:
    return sorted(entry.event.id for entry in LedgerReader(directory).events())


FAULTS: dict[str, Callable[[WorkOSDouble], None]] = {
    "500": lambda workos: workos.fail(500, times=3),
    "429 with seconds": lambda workos: workos.fail(429, times=2, retry_after=1),
    "429 with a date": lambda workos: workos.fail(429, retry_after="Thu, 01 Jan 1970 00:00:00 GMT"),
    "408": lambda workos: workos.fail(408),
    "401": lambda workos: workos.fail(401, times=2),
    "403": lambda workos: workos.fail(403),
    "404": lambda workos: workos.fail(404),
    "redirect": lambda workos: workos.fail(302, headers={"Location": "/elsewhere"}),
    "200 of a captive portal": lambda workos: workos.fail(200, body="<html>Welcome to the hotel</html>"),
    "reset before the request was handled": lambda workos: workos.reset_connection(2),
    "answer lost": lambda workos: workos.lose_answer(3),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_everything_arrives_exactly_once(
    workos: WorkOSDouble, make: Callable[..., AuditTrail], tmp_path: Path, fault: str
) -> None:
    """Whatever goes wrong on the way, each event is accepted once by its id, and the ledger has it too."""
    clock = DrivenClock()
    trail = make(transport_to(workos, concurrency=1), clock=clock)
    FAULTS[fault](workos)
    events = [an_event(metadata={"n": number}) for number in range(5)]
    receipts = [trail.emit(event) for event in events]
    while len(workos.events) < len(events):
        clock.advance(30)
    for receipt in receipts:
        receipt.result(timeout=10)

    assert trail.flush(timeout=10)
    assert [0, 1, 2, 3, 4] == sorted(each["metadata"]["n"] for each in workos.events)
    assert {event.id for event in events} == {*keys(workos)}
    assert sorted(event.id for event in events) == in_ledger(tmp_path / "audit")
    assert (5, 0, 0) == _counts(trail, "workos")


def _counts(trail: AuditTrail, name: str) -> tuple[int, int, int]:
    stats = trail.stats().destinations[name]
    return stats.delivered, stats.dead_letters, stats.pending


def test_audited_call_end_to_end(workos: WorkOSDouble, tmp_path: Path) -> None:
    """The README's example: a call is recorded with its change, delivered, and read back from the ledger."""
    auditkit.configure(transport_to(workos))

    @audited("tweet.update", "U", target="tweet.id", capture="tweet")
    def update_tweet(tweet: dict[str, str], body: str) -> None:
        tweet["body"] = body

    with audit_context(group="user_1", actor=("user_1", "user@email.com"), location="1.1.1.1"):
        update_tweet({"id": "tweet_5", "body": "What time is the event"}, "What time is the event?")

    assert auditkit.flush(timeout=10)
    (sent,) = workos.events
    (entry,) = LedgerReader(tmp_path / "audit").events()
    assert {"body_was": "What time is the event", "body": "What time is the event?"} == sent["metadata"]
    assert ("tweet.update", "user_1", "tweet_5") == (sent["action"], sent["actor_id"], sent["target_id"])
    assert [entry.event.id] == keys(workos)


def test_refused_event_is_a_dead_letter(workos: WorkOSDouble, make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """What WorkOS refuses lies in the dead letters with its reason; its neighbours arrive."""
    trail = make(transport_to(workos, concurrency=1))
    body = {"message": "Validation failed", "errors": [{"field": "action", "code": "unknown"}]}
    workos.fail(422, body=body)
    refused, accepted = trail.emit(an_event()), trail.emit(an_event())
    accepted.result(timeout=10)
    with pytest.raises(DeliveryRejected, match="422") as caught:
        refused.result(timeout=10)

    assert trail.flush(timeout=10)
    letters = (tmp_path / "audit" / "dead" / "workos.jsonl").read_text("ascii")
    assert refused.id in letters
    assert caught.value.reason in letters
    assert workos.api_key not in letters
    assert (1, 1, 0) == _counts(trail, "workos")
    assert (2, 0, 0) == _counts(trail, "ledger")


def test_dead_destination_does_not_delay_another(
    workos: WorkOSDouble, make: Callable[..., AuditTrail], tmp_path: Path
) -> None:
    """Of two lanes one hangs: the other gets everything meanwhile, and so does the ledger."""
    with WorkOSDouble() as hung:
        trail = make([transport_to(hung, name="hung"), transport_to(workos)])
        with hung.holding():
            receipts = [trail.emit(an_event()) for _ in range(100)]
            workos.wait_for_events(100)
            while any(_counts(trail, name)[2] for name in ("ledger", "workos")):
                assert not any(receipt.done() for receipt in receipts)
            assert (0, 0, 100) == _counts(trail, "hung")
        hung.wait_for_events(100)
        assert trail.flush(timeout=10)

    assert {1} == {*Counter(keys(workos)).values()} == {*Counter(keys(hung)).values()}


def test_destination_that_comes_back_gets_everything(make: Callable[..., AuditTrail]) -> None:
    """Nobody listens at first: everything waits, in the journal and not in memory, and arrives in the end."""
    with WorkOSDouble() as gone:
        base_url = gone.base_url
    clock = DrivenClock()
    scripted = ScriptedTransport(max_batch=50)
    transport = WorkOSTransport("sk_test", base_url=base_url, timeout=1)
    scripted.answer(*[lambda events: transport.send(events)] * 30)  # noqa: PLW0108  (its type is a transport's own)
    trail = make(scripted, clock=clock, ledger=False)
    number = 3 * schedule.HELD_BACK
    for _ in range(number):
        trail.emit(an_event())
    while len(scripted.calls) <= 30:
        clock.advance(verdict.LONGEST_WAIT)
    scripted.wait_for_events(number)

    assert trail.flush(timeout=10)
    assert number == len({event.id for event in scripted.events}) == len(scripted.events)


def test_local_destinations_work_beside_the_journal(
    make: Callable[..., AuditTrail], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lane that is not durable and one that is a file get every event as well."""
    trail = make([ConsoleTransport(), JSONLinesTransport(tmp_path / "events.jsonl")])
    for _ in range(3):
        trail.emit(an_event())

    assert trail.flush(timeout=10)
    assert 3 == len((tmp_path / "events.jsonl").read_text("ascii").splitlines())
    assert 3 == (capsys.readouterr().out + capsys.readouterr().err).count("tweet.update")


def test_asynchronous_transport_is_delivered_to(make: Callable[..., AuditTrail]) -> None:
    """A transport whose methods are coroutines gets every event, on a loop of its own."""
    got: list[str] = []

    class Asynchronous:
        name, max_batch, concurrency, durable = "asynchronous", 10, 2, True

        async def send(self, events: Any) -> None:
            got.extend(event.id for event in events)

        async def close(self) -> None:
            got.append("closed")

    trail = make(Asynchronous())
    ids = [trail.emit(an_event()).id for _ in range(30)]

    assert trail.shutdown(timeout=10)
    assert [*ids, "closed"] == got
    assert not [each for each in threading.enumerate() if each.name.startswith("auditkit")]


def test_transport_that_hangs_in_close_does_not_hold_the_shutdown(make: Callable[..., AuditTrail]) -> None:
    """A shutdown ends at its timeout also where the destination's close() does not."""
    may_close = threading.Event()

    class Hanging(ScriptedTransport):
        def close(self) -> None:
            may_close.wait(30)

    transport = Hanging()
    trail = make(transport, ledger=False)
    trail.emit(an_event()).result(timeout=10)

    trail.shutdown(timeout=0.1)
    assert not may_close.is_set()
    may_close.set()
