"""One destination's events, attempted on the test's own thread and time."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

from auditkit.delivery.dispatcher import Dispatcher
from auditkit.delivery.schedule import HELD_BACK
from auditkit.delivery.tally import LaneStats
from auditkit.delivery.verdict import GIVE_UP, LONGEST_WAIT
from auditkit.errors import DeliveryRejected, Paused, Rejected, TemporaryFailure
from auditkit.journal.feed import HELD_AT_ONCE
from auditkit.reporting import Reporter
from auditkit.testing import DrivenClock, ScriptedTransport
from tests.journals import open_journal, write
from tests.unit.delivery.builders import Bench, called_ids, ids, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from auditkit.event import Event
    from auditkit.journal import DiskJournal


def test_dispatcher_delivers_in_order() -> None:
    """Events are sent in the order in which they were recorded, and each is acknowledged."""
    bench = Bench(ScriptedTransport(max_batch=2))
    events = bench.record(5)
    dispatcher = bench.dispatcher()

    assert 3 == run(dispatcher)
    assert ids(events) == ids(bench.transport.events)
    assert bench.positions == bench.feed.acknowledged
    assert LaneStats(delivered=5) == dispatcher.stats()


def test_dispatcher_keeps_what_failed() -> None:
    """A failed attempt is told, counted and repeated with the same events when its time has come."""
    bench = Bench(ScriptedTransport(TemporaryFailure("busy")))
    (event,) = bench.record()
    dispatcher = bench.dispatcher()
    run(dispatcher)
    since = bench.clock.time_ns()

    assert LaneStats(failures=1, pending=1, code="failing", trouble="busy", since_ns=since) == dispatcher.stats()
    bench.clock.advance(0.2)
    assert 0 == run(dispatcher)
    bench.clock.advance(0.05)
    assert 1 == run(dispatcher)
    assert [[event.id], [event.id]] == called_ids(bench.transport)
    assert LaneStats(delivered=1, failures=1) == dispatcher.stats()


def test_dispatcher_honours_retry_after() -> None:
    """What a destination asks for is what it gets, to the second."""
    bench = Bench(ScriptedTransport(TemporaryFailure("busy", retry_after=17)))
    bench.record(3)
    dispatcher = bench.dispatcher()
    run(dispatcher)
    bench.clock.advance(16.9)

    assert 0 == run(dispatcher)
    bench.clock.advance(0.1)
    assert 3 == run(dispatcher)


def test_dispatcher_probes_a_paused_destination(caplog: pytest.LogCaptureFixture) -> None:
    """A destination that is configured wrongly keeps everything, is probed slowly, and is told as paused."""
    bench = Bench(ScriptedTransport(*[Paused("401: give another API key")] * 3))
    events = bench.record(4)
    dispatcher = bench.dispatcher()
    for _ in range(3):
        run(dispatcher)
        assert "paused" == dispatcher.stats().code
        bench.clock.advance(45)

    run(dispatcher)

    assert ids(events) == sorted(ids(bench.transport.events))
    assert LaneStats(delivered=4, failures=3) == dispatcher.stats()
    assert "paused: scripted did not accept events, which are kept and tried again: 401" in caplog.text


def test_dispatcher_finds_the_bad_event() -> None:
    """One bad event among a hundred goes to the dead letters with the reason, and nothing else does."""
    bad: list[str] = []

    def judge(events: Sequence[Event]) -> None:
        if bad[0] in ids(events):
            raise Rejected("no such schema")

    bench = Bench(ScriptedTransport(otherwise=judge, max_batch=100))
    events = bench.record(100)
    bad.append(events[41].id)
    dispatcher = bench.dispatcher()

    assert 15 == run(dispatcher)
    assert {each.id for each in events} - {bad[0]} == set(ids(bench.transport.events))
    assert 99 == len(bench.transport.events)
    assert [(events[41], "no such schema")] == bench.feed.dead
    assert LaneStats(delivered=99, dead_letters=1) == dispatcher.stats()


def test_dispatcher_gives_up_after_a_day() -> None:
    """An event that fails for a day while its neighbours are accepted is buried as undeliverable."""
    bad: list[str] = []

    def judge(events: Sequence[Event]) -> None:
        if bad[0] in ids(events):
            raise TemporaryFailure("500")

    bench = Bench(ScriptedTransport(otherwise=judge))
    bad.append(bench.record()[0].id)
    dispatcher = bench.dispatcher()
    neighbours = 0
    while bench.clock.monotonic() < GIVE_UP + 400:
        run(dispatcher)
        bench.clock.advance(100)
        bench.record()
        neighbours += 1

    run(dispatcher)

    assert ["undeliverable: 500"] == [reason for _, reason in bench.feed.dead]
    assert neighbours == len(bench.transport.events)


def test_outage_gives_up_nothing() -> None:
    """What failed once before another event was accepted, and then waits for days, is delivered in the end."""
    down = False

    def judge(events: Sequence[Event]) -> None:
        if down or bad[0] in ids(events):
            raise TemporaryFailure("503")

    bench = Bench(ScriptedTransport(otherwise=judge))
    bad = ids(bench.record())
    dispatcher = bench.dispatcher()
    for _ in range(8):  # ragged: the last event that was accepted comes after the first that was not
        run(dispatcher)
        bench.clock.advance(1)
        bench.record()
    down = True
    for _ in range(1000):
        run(dispatcher)
        bench.clock.advance(300)
    down = False
    run(dispatcher)
    bench.clock.advance(300)
    bad[0] = "none"
    run(dispatcher)

    assert ([], 9) == (bench.feed.dead, len(bench.transport.events))


def segments_of_one(journal: DiskJournal, number: int) -> set[str]:
    """Record events, each in a segment of its own; return their ids."""
    written: set[str] = set()
    for _ in range(number):
        written.update(write(journal, 1))
        journal.rest()
    return written


def refuse(bad: set[str], events: Sequence[Event]) -> None:
    """Fail for these events as a server does that is in trouble."""
    if bad & set(ids(events)):
        raise TemporaryFailure("500")


def run_for_days(dispatcher: Dispatcher, clock: DrivenClock, days: int, journal: DiskJournal) -> None:
    """Let a lane work for so many days in which other events come now and then."""
    while clock.monotonic() < days * GIVE_UP:
        if clock.monotonic() % 1500 == 0:
            write(journal, 1)
            journal.rest()
        run(dispatcher)
        clock.advance(LONGEST_WAIT)


def test_many_segments_of_failing_events_hold_nobody_back(tmp_path: Path) -> None:
    """More segments than a lane holds, each with an event that only fails itself: what comes after them has its turn."""
    audit = tmp_path / "audit"
    journal = open_journal(audit)
    bad = segments_of_one(journal, HELD_AT_ONCE + 3)
    good = write(journal, 50)
    journal.rest()
    clock, transport = DrivenClock(), ScriptedTransport(otherwise=partial(refuse, bad))
    feed = open_journal(audit).feed("scripted", durable=True)
    dispatcher = Dispatcher(transport, feed, clock=clock, reporter=Reporter(clock))
    for _ in range(3 * HELD_AT_ONCE):
        run(dispatcher)
        clock.advance(LONGEST_WAIT)

    assert good == ids(transport.events)
    assert len(bad) == dispatcher.stats().pending
    bad.clear()
    while dispatcher.left():
        run(dispatcher)
        clock.advance(LONGEST_WAIT)
    assert len(good) + HELD_AT_ONCE + 3 == len(transport.events) == len({event.id for event in transport.events})


def test_failing_events_of_many_segments_are_given_up_too(tmp_path: Path) -> None:
    """More segments than a lane holds, each with an event that only fails itself: all become dead letters in the end."""
    audit = tmp_path / "audit"
    journal = open_journal(audit)
    bad = segments_of_one(journal, HELD_AT_ONCE + 3)
    clock, transport = DrivenClock(), ScriptedTransport(otherwise=partial(refuse, bad))
    feed = open_journal(audit).feed("scripted", durable=True)
    dispatcher = Dispatcher(transport, feed, clock=clock, reporter=Reporter(clock))
    run_for_days(dispatcher, clock, 3, journal)

    assert len(bad) == dispatcher.stats().dead_letters


def test_batches_that_are_given_back_are_given_up_too(tmp_path: Path) -> None:
    """More segments than a lane holds, each with an event that fails and one that fails with it, in one batch."""
    audit = tmp_path / "audit"
    journal = open_journal(audit)
    bad: set[str] = set()
    dragged: set[str] = set()
    for _ in range(HELD_AT_ONCE + 3):
        bad.update(write(journal, 1))
        dragged.update(write(journal, 1))
        journal.rest()
    clock, transport = DrivenClock(), ScriptedTransport(otherwise=partial(refuse, bad), max_batch=2)
    feed = open_journal(audit).feed("scripted", durable=True)
    dispatcher = Dispatcher(transport, feed, clock=clock, reporter=Reporter(clock))
    run_for_days(dispatcher, clock, 5, journal)

    assert (len(bad), set()) == (dispatcher.stats().dead_letters, dragged - set(ids(transport.events)))


def test_rejected_batches_are_halved_though_nothing_is_accepted(tmp_path: Path) -> None:
    """More segments than a lane holds, each with an event that is refused, after one failure: no endless turns."""
    audit = tmp_path / "audit"
    journal = open_journal(audit)
    bad: set[str] = set()
    for _ in range(HELD_AT_ONCE + 3):
        bad.update(write(journal, 1))
        write(journal, 1)
        journal.rest()

    def judge(events: Sequence[Event]) -> None:
        if bad & set(ids(events)):
            raise Rejected("no such schema")

    clock = DrivenClock()
    transport = ScriptedTransport(TemporaryFailure("503"), otherwise=judge, max_batch=2)
    feed = open_journal(audit).feed("scripted", durable=True)
    dispatcher = Dispatcher(transport, feed, clock=clock, reporter=Reporter(clock))
    run(dispatcher)
    clock.advance(1)
    attempts = 0
    while attempts < 2000:
        with dispatcher.state:
            batch = dispatcher.next()
        if batch is None:
            break
        dispatcher.attempt(batch)
        attempts += 1

    assert (3 * len(bad), len(bad)) == (attempts, dispatcher.stats().dead_letters)


def test_failing_batches_hold_nobody_back(tmp_path: Path) -> None:
    """One event in each of a few batches fails, no more than documented: what comes behind has its turn."""
    audit = tmp_path / "audit"
    journal = open_journal(audit)
    bad: set[str] = set()
    for _ in range(HELD_BACK // 100 + 1):
        bad.update(write(journal, 1))
        write(journal, 99)
    journal.rest()
    good = write(journal, 1)
    clock, transport = DrivenClock(), ScriptedTransport(otherwise=partial(refuse, bad), max_batch=100)
    feed = open_journal(audit).feed("scripted", durable=True)
    dispatcher = Dispatcher(transport, feed, clock=clock, reporter=Reporter(clock))
    while clock.monotonic() < 3 * GIVE_UP:
        run(dispatcher)
        clock.advance(LONGEST_WAIT)

    assert set(good) <= set(ids(transport.events))


def test_outage_beside_more_living_segments_than_are_held(tmp_path: Path) -> None:
    """What failed gives way to segments in which nothing is, and comes again: nobody stumbles over it."""
    audit = tmp_path / "audit"
    journals = [open_journal(audit) for _ in range(HELD_AT_ONCE + 4)]
    for journal in journals:
        write(journal, 1)
    clock, transport = DrivenClock(), ScriptedTransport(max_batch=100)
    feed = open_journal(audit).feed("scripted", durable=True)
    dispatcher = Dispatcher(transport, feed, clock=clock, reporter=Reporter(clock))
    dispatcher.scan(eager=True)
    run(dispatcher)
    transport.answer(*[TemporaryFailure("503")] * 10)
    write(journals[3], 1)
    for _ in range(100):
        run(dispatcher)
        clock.advance(LONGEST_WAIT)

    assert HELD_AT_ONCE + 5 == len(transport.events)


def test_order_of_a_process_is_kept_in_turns(tmp_path: Path) -> None:
    """Where nothing fails, a process's younger segment comes behind its older one, though that had its turn before."""
    audit = tmp_path / "audit"
    journals = [open_journal(audit) for _ in range(HELD_AT_ONCE + 8)]
    clock, transport = DrivenClock(), ScriptedTransport(max_batch=100)
    feed = open_journal(audit).feed("scripted", durable=True)
    dispatcher = Dispatcher(transport, feed, clock=clock, reporter=Reporter(clock))
    written: list[list[str]] = [[] for _ in journals]
    for number in range(6):
        for each, journal in enumerate(journals):
            written[each] += write(journal, 2)
            if number % 2:
                journal.rest()
                written[each] += write(journal, 1)
        dispatcher.scan(eager=True)
        run(dispatcher)
        clock.advance(10)
    sent = {name: place for place, name in enumerate(ids(transport.events))}

    assert written == [sorted(each, key=sent.__getitem__) for each in written]


def test_line_that_goes_bad_costs_its_batch_nothing(tmp_path: Path) -> None:
    """A line is damaged while a hundred wait to be tried again: it alone is lost, put aside and counted."""
    audit = tmp_path / "audit"
    journal = open_journal(audit)
    written = write(journal, 100)
    journal.rest()
    clock, transport = DrivenClock(), ScriptedTransport(TemporaryFailure("503"), max_batch=100)
    reporter = Reporter(clock)
    feed = open_journal(audit, reporter=reporter).feed("scripted", durable=True)
    dispatcher = Dispatcher(transport, feed, clock=clock, reporter=reporter)
    run(dispatcher)
    (path,) = (audit / "journal").iterdir()
    lines = path.read_bytes().split(b"\n")
    lines[50] = lines[50].replace(b"tweet", b"tweEt", 1)
    path.write_bytes(b"\n".join(lines))
    for _ in range(3):
        clock.advance(LONGEST_WAIT)
        run(dispatcher)

    assert written[:49] + written[50:] == ids(transport.events)
    assert (0, {"failing": 1, "corrupt": 1}) == (dispatcher.stats().pending, reporter.counts())


@pytest.mark.parametrize("max_batch", [1, 3])
def test_more_failing_events_than_may_wait_hold_nobody_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_batch: int
) -> None:
    """In more segments than a lane holds, each is tried in its turn, and what comes behind them all."""
    monkeypatch.setattr("auditkit.delivery.schedule.HELD_BACK", 40)
    monkeypatch.setattr("auditkit.delivery.schedule._PROBED", 160)
    audit = tmp_path / "audit"
    journal = open_journal(audit)
    bad: set[str] = set()
    for _ in range(HELD_AT_ONCE + 8):
        bad.update(write(journal, 10))
        journal.rest()
    good = write(journal, 5)
    journal.rest()
    clock, transport = DrivenClock(), ScriptedTransport(otherwise=partial(refuse, bad), max_batch=max_batch)
    feed = open_journal(audit).feed("scripted", durable=True)
    dispatcher = Dispatcher(transport, feed, clock=clock, reporter=Reporter(clock))
    while len(transport.events) < len(good) and clock.monotonic() < 30 * 24 * 3600:
        run(dispatcher)
        clock.advance(LONGEST_WAIT)

    assert {*good} == {*ids(transport.events)}


def test_known_events_are_not_sent_again_in_an_outage(tmp_path: Path) -> None:
    """What only has to be acknowledged is, while nothing is accepted and segments make room for others."""
    audit = tmp_path / "audit"
    journal = open_journal(audit)
    known = write(journal, 3)
    journal.rest()
    for _ in range(HELD_AT_ONCE + 3):
        write(journal, 1)
        journal.rest()
    clock, transport = DrivenClock(), ScriptedTransport()
    transport.answer(*[TemporaryFailure("503")] * 100)
    feed = open_journal(audit).feed("scripted", durable=True)
    dispatcher = Dispatcher(transport, feed, clock=clock, reporter=Reporter(clock), already=known)
    run(dispatcher)
    while dispatcher.left():
        run(dispatcher)
        clock.advance(LONGEST_WAIT)

    assert HELD_AT_ONCE + 3 == len(transport.events)
    assert set(known).isdisjoint(ids(transport.events))


@pytest.mark.parametrize(
    "error",
    [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), MemoryError(), RecursionError()],
    ids=repr,
)
def test_dispatcher_survives_what_a_transport_raises(error: BaseException) -> None:
    """Whatever a transport raises, the events are kept and tried again."""
    bench = Bench(ScriptedTransport(error))
    (event,) = bench.record()
    dispatcher = bench.dispatcher()
    run(dispatcher)
    bench.clock.advance(1)
    run(dispatcher)

    assert [event.id] == ids(bench.transport.events)
    assert LaneStats(delivered=1, failures=1) == dispatcher.stats()


def test_dispatcher_survives_an_error_that_cannot_be_told() -> None:
    """An error whose text raises is trouble of ours: reported, and the events wait a minute."""

    class Untellable(TemporaryFailure):
        def __str__(self) -> str:
            raise ValueError("no text")

    bench = Bench(ScriptedTransport(Untellable()))
    bench.record()
    dispatcher = bench.dispatcher()
    run(dispatcher)

    assert {"lane_failed": 1} == bench.reporter.counts()
    assert 1 == dispatcher.stats().pending
    bench.clock.advance(60)
    assert 1 == run(dispatcher)
    assert 1 == dispatcher.stats().delivered


def test_dispatcher_does_not_send_again_what_it_could_not_acknowledge() -> None:
    """Where the acknowledgement fails, only the acknowledgement is repeated, and only then is it counted."""
    bench = Bench()
    (event,) = bench.record()
    dispatcher = bench.dispatcher()
    bench.feed.failing["acknowledge"] = KeyError("gone")
    run(dispatcher)

    assert LaneStats(pending=1) == dispatcher.stats()
    assert {"lane_failed": 1} == bench.reporter.counts()
    bench.feed.failing.clear()
    bench.clock.advance(60)
    run(dispatcher)

    assert [[event.id]] == called_ids(bench.transport)
    assert LaneStats(delivered=1) == dispatcher.stats()


def test_dispatcher_buries_once() -> None:
    """A dead letter whose acknowledgement fails is written once."""
    bench = Bench(ScriptedTransport(Rejected("no")))
    bench.record()
    dispatcher = bench.dispatcher()
    bench.feed.failing["acknowledge"] = OSError("EIO")
    run(dispatcher)
    bench.feed.failing.clear()
    bench.clock.advance(60)
    run(dispatcher)

    assert ["no"] == [reason for _, reason in bench.feed.dead]
    assert LaneStats(dead_letters=1) == dispatcher.stats()


def test_dispatcher_keeps_an_event_whose_dead_letter_cannot_be_written() -> None:
    """Nothing is acknowledged before its dead letter is safe: the event is sent again later."""
    bench = Bench(ScriptedTransport(Rejected("no"), Rejected("no")))
    bench.record()
    dispatcher = bench.dispatcher()
    bench.feed.failing["bury"] = OSError("ENOSPC")
    run(dispatcher)

    assert LaneStats(pending=1) == dispatcher.stats()
    bench.feed.failing.clear()
    bench.clock.advance(60)
    run(dispatcher)
    assert LaneStats(dead_letters=1) == dispatcher.stats()


def test_dead_letters_that_cannot_be_written_hold_nobody_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk refused events of many segments wait, and those behind them are delivered, which frees space."""
    audit = tmp_path / "audit"
    journal = open_journal(audit)
    refused = segments_of_one(journal, 2 * HELD_AT_ONCE)
    others = write(journal, 3)
    journal.rest()

    def judge(events: Sequence[Event]) -> None:
        if events[0].id in refused:
            raise Rejected("no such schema")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("auditkit.journal.letters.bury", full)
    clock, transport = DrivenClock(), ScriptedTransport(otherwise=judge)
    feed = open_journal(audit).feed("scripted", durable=True)
    dispatcher = Dispatcher(transport, feed, clock=clock, reporter=Reporter(clock))
    while len(transport.events) < len(others):
        run(dispatcher)
        clock.advance(LONGEST_WAIT)

    assert others == ids(transport.events)
    monkeypatch.undo()
    while dispatcher.left():
        run(dispatcher)
        clock.advance(LONGEST_WAIT)
    assert (len(refused), 0) == (dispatcher.stats().dead_letters, dispatcher.stats().pending)


def test_dispatcher_waits_for_what_it_cannot_read_again() -> None:
    """What failed is read anew when it is tried again: where that cannot be done now, others go on and it waits."""
    bench = Bench(ScriptedTransport(TemporaryFailure("503")))
    first, second = bench.record(2)
    dispatcher = bench.dispatcher()
    bench.feed.failing["again"] = OSError("EIO")
    run(dispatcher)
    bench.clock.advance(10)
    run(dispatcher)
    waiting = dispatcher.stats().pending
    bench.feed.failing.clear()
    bench.clock.advance(60)
    run(dispatcher)

    assert ([second.id, first.id], 1) == (ids(bench.transport.events), waiting)
    assert 0 == dispatcher.stats().pending
    assert 1 == bench.reporter.counts()["read_failed"]


@pytest.mark.parametrize("what, code", [("scan", "scan_failed"), ("take", "read_failed"), ("pending", "read_failed")])
def test_dispatcher_survives_a_journal_that_cannot_be_read(what: str, code: str) -> None:
    """Trouble of the journal is told; the lane goes on when it is over, and does not call itself done before."""
    bench = Bench()
    dispatcher = bench.dispatcher()
    bench.feed.failing[what] = OSError("EIO")
    run(dispatcher)
    with dispatcher.state:
        first, second = dispatcher.left(), dispatcher.left()

    assert second
    assert first or what == "pending"
    assert code in bench.reporter.counts()
    bench.feed.failing.clear()
    bench.clock.advance(10)
    (event,) = bench.record()
    run(dispatcher)
    with dispatcher.state:
        assert not dispatcher.left()
    assert [event.id] == ids(bench.transport.events)


def test_dispatcher_looks_again_within_seconds() -> None:
    """Without anything to do it rests until the next look for segments that nobody delivers."""
    bench = Bench()
    dispatcher = bench.dispatcher()
    run(dispatcher)

    assert 5.0 == dispatcher.rest()
    bench.clock.advance(5)
    assert 0.0 == dispatcher.rest()


def test_dispatcher_does_not_send_what_is_known() -> None:
    """Events that the destination accepted from another journal are acknowledged, and not sent again."""
    bench = Bench(ScriptedTransport(max_batch=10))
    events = bench.record(4)
    dispatcher = bench.dispatcher(already=[events[0].id, events[2].id, "unknown"])
    run(dispatcher)

    assert [[events[1].id, events[3].id]] == called_ids(bench.transport)
    assert LaneStats(delivered=4) == dispatcher.stats()


def test_dispatcher_tells_an_event_s_fate() -> None:
    """An event is pending, then delivered or rejected with the destination's own words."""
    bench = Bench(ScriptedTransport(None, Rejected("no such schema")))
    bench.record(2)
    dispatcher = bench.dispatcher()
    first, second = bench.positions

    assert [False, False] == [dispatcher.fate(first), dispatcher.fate(second)]
    run(dispatcher)
    assert dispatcher.fate(first)
    with pytest.raises(DeliveryRejected, match="^scripted rejected the event: no such schema$"):
        dispatcher.fate(second)


def test_dispatcher_does_not_know_what_it_cannot_read() -> None:
    """Where the cursor cannot be read nobody here can know."""
    bench = Bench()
    bench.record()
    bench.feed.failing["passed"] = PermissionError()

    assert bench.dispatcher().fate(bench.positions[0]) is None


@pytest.mark.parametrize("delivered, fate", [(True, True), (False, None)])
def test_dispatcher_after_its_end(*, delivered: bool, fate: bool | None) -> None:
    """Once closed it still knows its counts, and an event's fate where everything was delivered."""
    bench = Bench()
    bench.record(2)
    dispatcher = bench.dispatcher()
    if delivered:
        run(dispatcher)
    before = dispatcher.stats()
    dispatcher.close(transport=True)
    dispatcher.close(transport=True)

    assert before == dispatcher.stats()
    assert fate is dispatcher.fate(bench.positions[0])
    assert (True, 1) == (bench.feed.closed, bench.transport.closed)


def test_dispatcher_tells_of_a_transport_that_cannot_be_closed(caplog: pytest.LogCaptureFixture) -> None:
    """What close() raises is told, and goes no further."""

    class Stuck(ScriptedTransport):
        def close(self) -> None:
            raise SystemExit(3)

    Bench(Stuck()).dispatcher().close(transport=True)

    assert ["close_failed: scripted could not be closed (SystemExit)"] == caplog.messages


def test_dispatcher_survives_a_log_handler(caplog: pytest.LogCaptureFixture) -> None:
    """A handler of the application's that raises costs neither the lane nor the event."""

    class Broken(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise OSError("the log's disk is full")

    handler = Broken()
    bench = Bench(ScriptedTransport(TemporaryFailure("busy")))
    bench.record()
    dispatcher = bench.dispatcher()
    logging.getLogger("auditkit").addHandler(handler)
    try:
        run(dispatcher)
    finally:
        logging.getLogger("auditkit").removeHandler(handler)
    bench.clock.advance(1)
    run(dispatcher)

    assert 1 == dispatcher.stats().delivered
    assert {"failing": 1, "log_failed": 1} == bench.reporter.counts()


# ---------------------------------------------------------------------- leaving word for other processes


def test_dispatcher_tells_how_it_stands_now_and_then() -> None:
    """However much is sent, word of it is left once in a while: what was accepted, how fast, and when last."""
    bench = Bench()
    dispatcher = bench.dispatcher()
    bench.record(100)
    run(dispatcher)
    first = len(bench.feed.told)
    for _ in range(10):
        bench.clock.advance(1)
        bench.record(3)
        run(dispatcher)

    assert 1 == first
    assert 3 == len(bench.feed.told)  # a look at the journal every five seconds
    last = bench.feed.told[-1]
    assert (127, 3.0, bench.clock.time_ns() - 10**9) == (last.delivered, last.rate, last.accepted_ns)
    assert 3.0 == dispatcher.stats().rate


def test_dispatcher_tells_at_once_what_is_wrong() -> None:
    """Word of a trouble is left when it begins and when it ends, and not at each attempt in between."""
    bench = Bench(ScriptedTransport(*[TemporaryFailure("busy")] * 3, Paused("401"), Paused("401")))
    dispatcher = bench.dispatcher(scan_interval=10**6)
    bench.record()
    attempts = [run(dispatcher)]
    for seconds in (0.25, 0.5):
        bench.clock.advance(seconds)
        attempts.append(run(dispatcher))

    assert [1, 1, 1] == attempts
    assert ["", "failing"] == [each.code for each in bench.feed.told]
    for _ in range(3):
        bench.clock.advance(60)
        run(dispatcher)
    assert [("paused", "401"), ("paused", "401"), ("", "")] == [
        (each.code, each.trouble) for each in bench.feed.told[2:]
    ]


def test_dispatcher_leaves_its_last_word() -> None:
    """What stands when a lane is closed is told, though nothing was told of for long."""
    bench = Bench()
    dispatcher = bench.dispatcher()
    run(dispatcher)
    bench.record(2)
    run(dispatcher)
    dispatcher.close(transport=True)

    assert [0, 2] == [each.delivered for each in bench.feed.told]


def test_rate_falls_while_nothing_is_accepted() -> None:
    """A rate is that of the last seconds, whoever asks and however often."""
    bench = Bench()
    dispatcher = bench.dispatcher()
    run(dispatcher)
    bench.record(10)
    run(dispatcher)
    rates = []
    for _ in range(6):
        bench.clock.advance(1)
        rates.append(dispatcher.stats().rate)

    assert [0.0, 5.0, 5.0, 0.0, 0.0, 0.0] == rates
