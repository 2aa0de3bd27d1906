"""What is sent of an event never changes, and what may have arrived twice is marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditkit.errors import KeyReused, Paused, Rejected, TemporaryFailure
from auditkit.testing import ScriptedTransport
from auditkit.transports import Route
from tests.unit.delivery.builders import Bench, ids, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.event import Event

DAY = 24 * 3600


class Encoding:
    """A transport that tells its bytes, which change with its release; it answers as told."""

    name, max_batch, concurrency, durable = "encoding", 1, 1, True

    def __init__(self, *answers: BaseException | None) -> None:
        self.release = 1
        self.answers = [*answers]
        self.sent: list[tuple[str, bytes]] = []

    def encode(self, event: Event) -> bytes:
        return f"{self.release} {event.id}".encode()

    def send_encoded(self, event_id: str, body: bytes) -> None:
        self.sent.append((event_id, body))
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer

    def send(self, events: Sequence[Event]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        pass


def releases(transport: Encoding) -> list[int]:
    return [int(body.split()[0]) for _, body in transport.sent]


def test_body_stays_what_it_was() -> None:
    """An event is sent again with the same bytes, though the code that makes them is another by then."""
    bench = Bench(Encoding(TemporaryFailure("no answer"), TemporaryFailure("no answer")))
    (event,) = bench.record()
    dispatcher = bench.dispatcher()
    for bench.transport.release in (1, 2, 3):
        run(dispatcher)
        bench.clock.advance(60)
    (later,) = bench.record()
    run(dispatcher)

    assert [event.id] * 3 + [later.id] == [each for each, _ in bench.transport.sent]
    assert [1, 1, 1, 3] == releases(bench.transport)
    assert bench.feed.kept_body(bench.positions[0]) is None


def test_body_stays_what_it_was_in_the_next_process() -> None:
    """Another dispatcher over the same feed sends what the first one was sending when it was killed."""
    bench = Bench(Encoding(TemporaryFailure("no answer")))
    bench.record()
    run(bench.dispatcher())
    bench.feed.acknowledged.clear()
    taken = bench.feed.kept_body(bench.positions[0])
    successor = Bench(Encoding(), clock=bench.clock)
    successor.transport.release = 2
    successor.record()
    assert taken is not None
    successor.feed.keep_body(successor.positions[0], taken)
    run(successor.dispatcher())

    assert [1] == releases(successor.transport)


def test_body_that_nobody_took_is_made_anew() -> None:
    """A destination that is configured wrongly took nothing: what the right configuration makes is sent then."""
    bench = Bench(Encoding(Paused("404: another base_url")))
    bench.record()
    dispatcher = bench.dispatcher()
    run(dispatcher)
    bench.transport.release = 2
    bench.clock.advance(60)
    run(dispatcher)

    assert [1, 2] == releases(bench.transport)


def test_body_that_may_have_been_taken_stays_through_a_pause() -> None:
    """A body whose answer was lost stays, though the destination then says that its configuration is wrong."""
    bench = Bench(Encoding(TemporaryFailure("no answer"), Paused("401: another key")))
    bench.record()
    dispatcher = bench.dispatcher()
    for bench.transport.release in (1, 2, 3):
        run(dispatcher)
        bench.clock.advance(60)

    assert [1, 1, 1] == releases(bench.transport)


def test_key_known_with_another_body_is_an_event_that_was_accepted() -> None:
    """An event has one key for life: where its body was lost and made anew, it is delivered and no dead letter."""
    bench = Bench(Encoding(KeyReused("used before")))
    bench.record()
    dispatcher = bench.dispatcher()
    run(dispatcher)

    assert (1, 0) == (dispatcher.stats().delivered, dispatcher.stats().dead_letters)


@pytest.mark.parametrize("lost", [0, 1])
def test_key_known_with_another_body_is_no_acceptance_of_what_was_put_back(lost: int) -> None:
    """The other body of a dead letter is the one that was refused, also once an answer was lost: it is one again."""
    bench = Bench(Encoding(*[TemporaryFailure("no answer")] * lost, KeyReused("used before")))
    bench.feed.returned = True
    (event,) = bench.record()
    dispatcher = bench.dispatcher()
    for _ in range(1 + lost):
        run(dispatcher)
        bench.clock.advance(60)

    assert [(event, "used before")] == bench.feed.dead
    assert 0 == dispatcher.stats().delivered


def test_key_known_with_another_body_says_nothing_of_a_batch() -> None:
    """Which event of a batch a destination means is found as with every refusal; none counts as accepted with it."""
    bench = Bench(ScriptedTransport(KeyReused("used before"), max_batch=2))
    events = bench.record(2)
    dispatcher = bench.dispatcher()
    run(dispatcher)

    assert ids(events) == ids(bench.transport.events)
    assert 2 == dispatcher.stats().delivered


def test_event_that_cannot_be_encoded_is_judged_like_one_that_is_refused() -> None:
    """What a transport raises while it encodes counts as what it raises while it sends."""
    bench = Bench(Encoding())
    events = bench.record(2)

    def encode(event: Event) -> bytes:
        if event.id == events[0].id:
            raise Rejected("no organization")
        return b"body"

    bench.transport.encode = encode
    dispatcher = bench.dispatcher()
    run(dispatcher)

    assert [(events[0], "no organization")] == bench.feed.dead
    assert [(events[1].id, b"body")] == bench.transport.sent


@pytest.mark.parametrize(("age", "doubted"), [(DAY - 60, 0), (DAY + 60, 1)])
def test_late_acceptance_is_a_possible_duplicate(age: int, doubted: int) -> None:
    """An event accepted more than 24 hours after it was first sent, unchanged, is marked and counted; a younger is not."""
    bench = Bench(Encoding(TemporaryFailure("no answer")))
    (event,) = bench.record()
    dispatcher = bench.dispatcher()
    run(dispatcher)
    first_ns = bench.clock.time_ns()
    bench.clock.advance(age)
    run(dispatcher)

    assert [(event, first_ns)] * doubted == bench.feed.doubtful
    assert doubted == dispatcher.stats().possible_duplicates
    assert doubted == bench.reporter.counts().get("possible_duplicate", 0)
    assert 1 == len({body for _, body in bench.transport.sent})
    assert 1 == dispatcher.stats().delivered


def test_mark_is_made_once() -> None:
    """An acknowledgement that has to be repeated does not repeat the mark."""
    bench = Bench(Encoding(TemporaryFailure("no answer")))
    bench.record()
    dispatcher = bench.dispatcher()
    run(dispatcher)
    bench.clock.advance(DAY + 60)
    bench.feed.failing["acknowledge"] = OSError("not now")
    run(dispatcher)
    bench.feed.failing.clear()
    bench.clock.advance(120)
    run(dispatcher)

    assert 1 == len(bench.feed.doubtful)
    assert 1 == dispatcher.stats().delivered


def test_event_of_a_long_outage_is_no_duplicate() -> None:
    """An event that waited for days and was sent only once is not marked."""
    bench = Bench(Encoding(TemporaryFailure("down")))
    bench.record(2)
    dispatcher = bench.dispatcher()
    run(dispatcher)
    bench.clock.advance(2 * DAY)
    run(dispatcher)

    assert 2 == dispatcher.stats().delivered
    assert 1 == dispatcher.stats().possible_duplicates


def test_route_keeps_what_it_forwards() -> None:
    """Behind a route a body stays what it was, and what does not match is accepted without a body."""
    transport = Encoding(TemporaryFailure("no answer"))
    wanted: list[str] = []
    bench = Bench(Route(transport, lambda event: event.id in wanted))
    events = bench.record(2)
    wanted += ids(events[1:])
    dispatcher = bench.dispatcher()
    run(dispatcher)
    transport.release = 2
    bench.clock.advance(60)
    run(dispatcher)

    assert [(events[1].id, f"1 {events[1].id}".encode())] * 2 == transport.sent
    assert 2 == dispatcher.stats().delivered


def test_route_of_a_transport_without_bodies_has_none() -> None:
    """A route tells bytes only where its transport does."""
    route = Route(Bench().transport, bool)

    assert not hasattr(route, "encode")
    assert not hasattr(route, "send_encoded")
