"""A lane's threads: woken for what there is, led by one at a time, ended in time."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import patience
from auditkit.context import current_scope
from auditkit.delivery.tally import LaneStats
from auditkit.errors import DeliveryRejected, Paused, Rejected, TemporaryFailure
from auditkit.pacing import breathe
from auditkit.testing import DrivenClock, ScriptedTransport
from tests.unit.delivery.builders import Bench, called_ids, ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from auditkit.delivery.lane import Lane
    from auditkit.event import Event


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def start(stack: ExitStack) -> Callable[..., Lane]:
    def start(bench: Bench, **changes: Any) -> Lane:
        lane = bench.lane(**changes)
        lane.start()
        stack.callback(lambda: lane.stop(bench.clock.monotonic() + 5))
        return lane

    return start


def threads_of(lane: Lane) -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith(f"auditkit-{lane.name}-")]


def wait_for_failures(lane: Lane, number: int) -> None:
    with lane._state:
        assert lane._state.wait_for(lambda: lane.stats().failures >= number, 10)


def wait_for_rest(bench: Bench, lane: Lane) -> None:
    """Wait until the leader has seen everything that has happened, and waits itself."""
    growth = bench.journal._growth
    while lane._seen != growth.moment or not growth.waiting:
        pass


def without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


# ---------------------------------------------------------------------- waking


@pytest.mark.parametrize("turn", range(20))
def test_lane_hears_of_a_single_event(start: Callable[..., Lane], turn: int) -> None:
    """Exactly one event is recorded, and nothing follows it: it is delivered all the same."""
    bench = Bench()
    start(bench)
    (event,) = bench.record()

    assert [event.id] == ids(bench.transport.wait_for_events(1, timeout=3))


def test_lane_delivers_what_was_there_before_it(start: Callable[..., Lane]) -> None:
    """What was recorded before the lane's thread ran needs nobody to wake it."""
    bench = Bench()
    events = bench.record(3)
    start(bench)

    assert ids(events) == ids(bench.transport.wait_for_events(3, timeout=3))


def test_lane_starts_once(start: Callable[..., Lane]) -> None:
    """A second start is none: a lane begins with one thread."""
    lane = start(Bench())
    lane.start()

    assert 1 == len(threads_of(lane))


def test_lane_retries_when_the_time_comes(start: Callable[..., Lane]) -> None:
    """A leader that sleeps hears that its clock has moved, and makes the retry that is due."""
    bench = Bench(ScriptedTransport(TemporaryFailure("busy", retry_after=300)))
    lane = start(bench)
    (event,) = bench.record()
    wait_for_failures(lane, 1)
    bench.clock.advance(300)

    assert [event.id] == ids(bench.transport.wait_for_events(1, timeout=3))


def test_lane_goes_on_as_soon_as_a_probe_succeeds(start: Callable[..., Lane]) -> None:
    """Whoever leads while a probe is under way hears that it succeeded: nothing waits for the next look."""
    bench = Bench(ScriptedTransport(concurrency=2))
    lane = start(bench)
    slow = lambda events: bench.clock.advance(0.01)  # noqa: E731
    bench.transport.answer(slow, slow, TemporaryFailure("busy"))
    bench.record(2)
    while lane.stats().delivered < 2:
        pass
    bench.record()
    wait_for_failures(lane, 1)
    with bench.transport.holding():
        bench.clock.advance(10)
        bench.transport.wait_for_calls(4)
        bench.record()
        wait_for_rest(bench, lane)

    assert 4 == len(bench.transport.wait_for_events(4, timeout=3))
    assert 2 == len(threads_of(lane))


# ---------------------------------------------------------------------- threads


def test_lane_hires_while_sending_is_slow(start: Callable[..., Lane]) -> None:
    """A slow destination gets as many requests at once as it takes, and no more."""
    bench = Bench(ScriptedTransport(concurrency=3))
    lane = start(bench)
    bench.transport.answer(lambda events: bench.clock.advance(0.01))
    bench.record()
    bench.transport.wait_for_events(1)
    with bench.transport.holding():
        events = bench.record(5)
        calls = bench.transport.wait_for_calls(4)
        bench.journal.wake()

    assert ids(events[:3]) == sorted(each.id for call in calls[1:] for each in call)
    assert 6 == len(bench.transport.wait_for_events(6))
    assert 3 == len(threads_of(lane))


def test_lane_stays_alone_while_sending_is_fast(start: Callable[..., Lane]) -> None:
    """A fast destination is served by one thread: more would fight over the interpreter."""
    bench = Bench(ScriptedTransport(concurrency=8))
    lane = start(bench)
    bench.record(200)
    bench.transport.wait_for_events(200)

    assert 1 == len(threads_of(lane))


def test_lane_goes_on_where_nobody_can_be_hired(start: Callable[..., Lane], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no further thread is to be had, those that there are go on."""
    bench = Bench(ScriptedTransport(otherwise=lambda events: bench.clock.advance(0.01), concurrency=8))
    lane = start(bench)
    without_threads(monkeypatch)
    bench.record(5)

    assert 5 == len(bench.transport.wait_for_events(5))
    assert 1 == len(threads_of(lane))


def test_lane_is_suppressed(start: Callable[..., Lane]) -> None:
    """What a transport audits is not recorded: it would feed itself."""
    seen: list[bool] = []

    def look(events: Sequence[Event]) -> None:
        scope = current_scope()
        seen.append(scope is not None and scope.suppressing)

    bench = Bench(ScriptedTransport(otherwise=look))
    start(bench)
    bench.record()
    bench.transport.wait_for_events(1)

    assert [True] == seen


@pytest.mark.parametrize("error", [SystemExit(), KeyboardInterrupt(), KeyError()], ids=repr)
def test_lane_s_thread_survives(start: Callable[..., Lane], error: BaseException) -> None:
    """Whatever a transport raises, its lane's thread lives and tries again."""
    bench = Bench(ScriptedTransport(error))
    lane = start(bench)
    (event,) = bench.record()
    wait_for_failures(lane, 1)
    bench.clock.advance(1)

    assert [event.id] == ids(bench.transport.wait_for_events(1))


# ---------------------------------------------------------------------- draining


def test_drain_waits_for_what_is_under_way(start: Callable[..., Lane]) -> None:
    """A drain ends when the last event is accepted, not when it was sent."""
    bench = Bench(ScriptedTransport(max_batch=2))
    lane = start(bench)
    drained: list[bool] = []
    with bench.transport.holding():
        bench.record(5)
        thread = threading.Thread(target=lambda: drained.append(lane.drain(bench.clock.monotonic() + 1)))
        thread.start()
        bench.transport.wait_for_calls(1)
        assert thread.is_alive()
    thread.join()

    assert [True] == drained
    assert 5 == len(bench.transport.events)


def test_drain_does_not_wait_out_a_delay(start: Callable[..., Lane]) -> None:
    """A flush tries what waits for a retry at once."""
    bench = Bench(ScriptedTransport(Paused("key")))
    lane = start(bench)
    bench.record(2)
    wait_for_failures(lane, 1)

    assert lane.drain(bench.clock.monotonic() + 1)
    assert LaneStats(delivered=2, failures=1) == lane.stats()


def test_drain_honours_retry_after(start: Callable[..., Lane]) -> None:
    """Where the destination itself asked for more time than there is, a flush says so at once and sends nothing."""
    bench = Bench(ScriptedTransport(TemporaryFailure("429", retry_after=60)))
    lane = start(bench)
    bench.record()
    wait_for_failures(lane, 1)

    assert not lane.drain(bench.clock.monotonic() + 10)
    assert 1 == len(bench.transport.calls)


def test_drain_gives_up_on_a_dead_destination(start: Callable[..., Lane]) -> None:
    """A destination that is left alone for longer than a flush lasts is not waited for: the test's clock stands."""
    bench = Bench(ScriptedTransport(otherwise=Paused("key")))
    lane = start(bench)
    bench.record()

    assert not lane.drain(bench.clock.monotonic() + 10)
    assert 1 == lane.stats().pending


def test_drain_ends_at_its_deadline(start: Callable[..., Lane]) -> None:
    """A send that never ends does not hold a drain beyond its deadline."""
    bench = Bench()
    lane = start(bench)
    drained: list[bool] = []
    with bench.transport.holding():
        bench.record()
        thread = threading.Thread(target=lambda: drained.append(lane.drain(2.0)))
        thread.start()
        bench.transport.wait_for_calls(1)
        bench.clock.advance(2)
        thread.join()

    assert [False] == drained


def test_drain_without_threads_delivers_here() -> None:
    """At the interpreter's exit the calling thread delivers, retries and halves."""
    bad: list[str] = []

    def judge(events: Sequence[Event]) -> None:
        assert threading.current_thread() is threading.main_thread()
        if bad[0] in ids(events):
            raise Rejected("no")

    bench = Bench(ScriptedTransport(otherwise=judge, max_batch=4))
    bad.append(bench.record(7)[2].id)
    lane = bench.lane()

    assert lane.drain(bench.clock.monotonic() + 1)
    assert LaneStats(delivered=6, dead_letters=1) == lane.stats()


def test_drain_without_threads_waits_for_a_retry_that_can_be_made() -> None:
    """Without threads a retry that is due before the deadline is waited for."""
    bench = Bench(ScriptedTransport(TemporaryFailure("busy", retry_after=1)))
    bench.record()
    lane = bench.lane()

    def drive() -> None:
        wait_for_failures(lane, 1)
        bench.clock.advance(1)

    driver = threading.Thread(target=drive)
    driver.start()

    assert lane.drain(bench.clock.monotonic() + 2)
    driver.join()


def test_drain_without_threads_gives_up() -> None:
    """Without threads a retry that is due after the deadline is left to the next process."""
    bench = Bench(ScriptedTransport(TemporaryFailure("busy", retry_after=60)))
    bench.record()
    lane = bench.lane()

    assert not lane.drain(bench.clock.monotonic() + 2)
    assert 1 == len(bench.transport.calls)


def test_drain_without_threads_bounds_the_transport() -> None:
    """A transport that is called on the ending thread can ask how long it may take."""
    left: list[float] = []
    bench = Bench(ScriptedTransport(otherwise=lambda events: left.append(patience.left(bench.clock.monotonic()))))
    bench.record()
    lane = bench.lane()
    lane.drain(2.0)

    assert [2.0] == left


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit()], ids=repr)
def test_drain_without_threads_can_be_interrupted(error: BaseException) -> None:
    """Ctrl-C on the thread that delivers is the application's, and the event is kept."""
    bench = Bench(ScriptedTransport(error))
    bench.record()
    lane = bench.lane()
    with pytest.raises(type(error)):
        lane.drain(bench.clock.monotonic() + 2)

    assert 1 == lane.stats().pending
    bench.clock.advance(1)
    assert lane.drain(bench.clock.monotonic() + 2)


# ---------------------------------------------------------------------- ending


def test_stop_closes_once() -> None:
    """When the lane is stopped its threads end, and feed and transport are closed, once."""
    bench = Bench()
    lane = bench.lane()
    lane.start()
    lane.stop(5.0)
    lane.stop(5.0)
    lane.start()

    assert [] == threads_of(lane)
    assert (True, 1) == (bench.feed.closed, bench.transport.closed)


def test_stop_without_threads_closes_too() -> None:
    """A lane that never ran lets go of everything as well."""
    bench = Bench()
    bench.lane().stop(5.0)

    assert (True, 1) == (bench.feed.closed, bench.transport.closed)


def test_stop_can_leave_the_transport_open() -> None:
    """A transport that goes on in another lane is not closed."""
    bench = Bench()
    bench.lane().stop(5.0, close_transport=False)

    assert (True, 0) == (bench.feed.closed, bench.transport.closed)


def test_stop_leaves_a_send_under_way_to_end_by_itself() -> None:
    """A stop does not wait beyond its time; what the send delivers is acknowledged, and only then is all closed."""
    bench = Bench()
    lane = bench.lane()
    lane.start()
    with bench.transport.holding():
        bench.record()
        bench.transport.wait_for_calls(1)
        lane.stop(bench.clock.monotonic())
        (thread,) = threads_of(lane)
        assert (False, 0) == (bench.feed.closed, bench.transport.closed)
    thread.join()

    assert bench.positions == bench.feed.acknowledged
    assert (True, 1) == (bench.feed.closed, bench.transport.closed)
    assert LaneStats(delivered=1) == lane.stats()


def test_stop_by_a_transport_of_its_own_lane() -> None:
    """A transport that shuts its own lane down does not wait for itself."""
    bench = Bench()
    lane = bench.lane()
    bench.transport.answer(lambda events: lane.stop(bench.clock.monotonic() + 60))
    lane.start()
    bench.record()
    bench.transport.wait_for_events(1)
    for thread in threads_of(lane):
        thread.join()

    assert (True, 1) == (bench.feed.closed, bench.transport.closed)
    assert LaneStats(delivered=1) == lane.stats()


# ---------------------------------------------------------------------- telling


def test_wait_ends_with_the_attempt(start: Callable[..., Lane]) -> None:
    """Who waits for an event is woken when its attempt ends, and does not wait for one that is delivered."""
    bench = Bench(ScriptedTransport(None, Rejected("no")))
    lane = start(bench)
    bench.record(2)
    first, second = bench.positions
    with lane._state:  # a refusal is told, as every failure is
        assert lane._state.wait_for(lambda: lane.stats().dead_letters, 10)
    lane.wait(first, 60)
    with pytest.raises(DeliveryRejected):
        lane.wait(second, 60)

    assert lane.fate(first)
    assert 2 == len(called_ids(bench.transport))


# ---------------------------------------------------------------------- keeping pace


class Costly(ScriptedTransport):
    """A destination that keeps its lane's thread computing for 40 ms an event, and knows when it was called."""

    def __init__(self, bench_clock: DrivenClock) -> None:
        self.called_at: list[float] = []
        super().__init__(otherwise=self._compute)
        self._driven = bench_clock

    def _compute(self, events: Sequence[Event]) -> None:
        self.called_at.append(round(self._driven.monotonic(), 6))
        self._driven.compute(0.04)
        breathe()


def costly_bench() -> Bench:
    clock = DrivenClock()
    return Bench(Costly(clock), clock)


def wait_until_resting(bench: Bench, lane: Lane) -> None:
    while not lane._pace.rest(bench.clock.monotonic()):
        pass


def test_lane_keeps_to_its_share(start: Callable[..., Lane]) -> None:
    """A lane that may take a tenth rests nine times as long as it computed before it sends again."""
    bench = costly_bench()
    lane = start(bench, share=0.1)
    bench.record(2)
    wait_until_resting(bench, lane)
    bench.clock.advance(0.3)
    bench.clock.advance(0.06)
    bench.transport.wait_for_events(2)

    assert [0.0, 0.4] == bench.transport.called_at


def test_lane_with_the_whole_share_never_rests(start: Callable[..., Lane]) -> None:
    """A lane that may take everything sends one event after the other."""
    bench = costly_bench()
    start(bench, share=1)
    bench.record(3)
    bench.transport.wait_for_events(3)

    assert [0.0, 0.04, 0.08] == bench.transport.called_at


def test_drain_does_not_rest(start: Callable[..., Lane]) -> None:
    """A lane that somebody waits for delivers flat out, also when it rests at that moment."""
    bench = costly_bench()
    lane = start(bench, share=0.1)
    bench.record(3)
    wait_until_resting(bench, lane)

    assert lane.drain(bench.clock.monotonic() + 10)
    assert [0.0, 0.04, 0.08] == bench.transport.called_at


def test_lane_stops_in_the_middle_of_a_rest(start: Callable[..., Lane]) -> None:
    """A lane that rests ends at once; what it has not sent stays for the next process."""
    bench = costly_bench()
    lane = start(bench, share=0.1)
    bench.record(2)
    wait_until_resting(bench, lane)
    lane.stop(bench.clock.monotonic() + 5)

    assert not lane.manned
    assert 1 == lane.stats().pending


def test_lane_that_falls_behind_takes_more(start: Callable[..., Lane]) -> None:
    """More is recorded than the share delivers for ten seconds: the share doubles, until nothing is left."""
    bench = costly_bench()
    lane = start(bench, share=0.1)
    bench.record(1)
    wait_until_resting(bench, lane)  # from here on recorded and taken are compared
    bench.record(5)
    bench.clock.advance(11)
    while len(bench.transport.called_at) < 2 or not lane._pace.rest(bench.clock.monotonic()):
        pass
    risen = lane._pace.share
    while lane.stats().delivered < 6:
        bench.clock.advance(1)
    while lane._pace.share == risen:  # the rest after the last event
        bench.clock.advance(1)

    assert (0.2, 0.1) == (risen, lane._pace.share)
