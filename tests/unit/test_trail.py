"""A trail records what it is given, hands it on, and tells what became of it."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

import auditkit
from auditkit import AuditTrail, audited, bind_context, configure, files
from auditkit.delivery import LaneStats
from auditkit.errors import (
    DeliveryRejected,
    JournalUnavailable,
    Paused,
    ReceiptUnavailable,
    RecordingFailed,
    Rejected,
    TemporaryFailure,
)
from auditkit.event import instant_of
from auditkit.testing import DrivenClock, ScriptedTransport
from auditkit.trail.telling import Health, Problem
from auditkit.transports import MemoryTransport
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditkit.event import Event


@pytest.fixture
def trails() -> Iterator[list[AuditTrail]]:
    made: list[AuditTrail] = []
    yield made
    for trail in made:
        trail.shutdown(timeout=2)


@pytest.fixture
def make(trails: list[AuditTrail]) -> Any:
    def make(*args: Any, **named: Any) -> AuditTrail:
        trails.append(AuditTrail(*args, **named))
        return trails[-1]

    return make


# ---------------------------------------------------------------------- emitting


def test_emit_delivers_the_event_as_it_is(make: Any) -> None:
    """A complete event comes out as it went in."""
    transport = ScriptedTransport()
    trail = make(transport)
    event = an_event()
    receipt = trail.emit(event)
    receipt.result(timeout=10)

    assert [event] == transport.events
    assert event.id == receipt.id


def test_emit_redacts(make: Any) -> None:
    """A complete event's metadata goes through the trail's rules before anything is written."""
    memory = MemoryTransport()
    make(memory, directory=None).emit(an_event(metadata={"password": "hunter2", "plan": "pro"}))

    assert [{"password": "[redacted]", "plan": "pro"}] == [dict(event.metadata) for event in memory.events]


async def test_aemit_delivers(make: Any) -> None:
    """A coroutine emits, and awaits the receipt."""
    transport = ScriptedTransport()
    await (await make(transport).aemit(an_event()))

    assert 1 == len(transport.events)


@pytest.mark.parametrize("given", [None, {"action": "user.login"}, "user.login"], ids=str)
async def test_emit_of_something_else(make: Any, caplog: pytest.LogCaptureFixture, given: Any) -> None:
    """What is no event is counted and logged, and the application goes on; nobody can follow it."""
    trail = make(directory=None)
    receipts = [trail.emit(given), await trail.aemit(given)]

    assert 2 == trail.stats().troubles["not_recorded"]
    assert "emit takes an Event, got" in caplog.text
    for receipt in receipts:
        with pytest.raises(ReceiptUnavailable, match="not recorded"):
            receipt.result()


async def test_emit_of_something_else_can_raise(make: Any) -> None:
    """With on_audit_error="raise" the application hears of it."""
    trail = make(directory=None, on_audit_error="raise")
    with pytest.raises(RecordingFailed, match="emit takes an Event, got None"):
        trail.emit(None)
    with pytest.raises(RecordingFailed, match="emit takes an Event, got None"):
        await trail.aemit(None)


def test_emit_inside_a_transport_is_suppressed(make: Any) -> None:
    """A transport that emits does not feed itself, whichever thread it runs on."""
    trails: list[AuditTrail] = []

    def feed(events: Sequence[Event]) -> None:
        trails[0].emit(an_event())

    class Inline(ScriptedTransport):
        inline = True

    transports = [ScriptedTransport(otherwise=feed), Inline(otherwise=feed, name="inline")]
    trails.append(make(transports, directory=None))
    trails[0].emit(an_event())

    assert trails[0].flush(timeout=10)
    assert [1, 1] == [len(each.events) for each in transports]
    assert 1 == trails[0].stats().recorded


def test_disabled_trail_records_nothing(make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """AUDITKIT_DISABLED leaves no trace: no event, no directory, no thread."""
    monkeypatch.setenv("AUDITKIT_DISABLED", "1")
    before = threading.active_count()
    memory = MemoryTransport()
    trail = make(memory, directory=tmp_path / "trail")
    trail.emit(an_event())

    assert trail.flush()
    assert ([], False, before) == (memory.events, (tmp_path / "trail").exists(), threading.active_count())


# ---------------------------------------------------------------------- inline


def test_inline_transport_has_the_event_before_the_call_returns(make: Any) -> None:
    """MemoryTransport is filled on the recording thread: a test need not wait."""
    memory = MemoryTransport()
    trail = make(memory, directory=None)

    @audited("plan.update", "U", trail=trail)
    def update() -> int:
        return len(memory.events)

    assert 0 == update()
    assert ["plan.update"] == [event.action for event in memory.events]


@pytest.mark.parametrize("directory", ["audit", None])
def test_inline_transport_has_a_long_event_as_it_is_kept(make: Any, directory: str | None) -> None:
    """What is larger than a record is cut once, for the journal, its lanes and whoever is called on this thread."""
    memory, lane = MemoryTransport(), ScriptedTransport()
    trail = make([memory, lane], directory=directory)
    trail.emit(an_event(metadata={"text": "x" * 300_000}))
    assert trail.flush(timeout=20)

    assert memory.events == lane.events
    assert "text" == memory.events[0].metadata["auditkit_truncated"]
    assert 1 == trail.stats().troubles["truncated"]


def test_inline_transport_that_fails_is_not_the_caller_s(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What an inline transport raises is counted and logged; the event is recorded, and others have it."""

    class Broken(MemoryTransport):
        def send(self, events: Sequence[Event]) -> None:
            raise OSError("no")

    memory = MemoryTransport(name="second")
    trail = make([Broken(), memory], directory=None)
    trail.emit(an_event())

    assert (1, 1) == (len(memory.events), trail.stats().recorded)
    assert ["inline_failed: memory did not take an event (OSError)"] == caplog.messages


# ---------------------------------------------------------------------- receipts


def test_receipt_waits_for_every_transport(make: Any) -> None:
    """An event is done when the last transport has it; the ledger is not waited for."""
    quick, slow = ScriptedTransport(name="quick"), ScriptedTransport(name="slow")
    trail = make([quick, slow])
    with slow.holding():
        receipt = trail.emit(an_event())
        quick.wait_for_events(1)
        assert not receipt.done()
        with pytest.raises(TimeoutError):
            receipt.result(timeout=0.01)
    receipt.result(timeout=10)

    assert receipt.done()


def test_receipt_without_a_transport(make: Any) -> None:
    """Without a transport an event is done once it is recorded, also after the shutdown."""
    trail = make()
    receipt = trail.emit(an_event())

    assert receipt.done()
    trail.shutdown()
    assert receipt.done()


def test_receipt_of_a_dead_letter(make: Any) -> None:
    """A refusal reaches whoever waits, with the destination's reason."""
    trail = make(ScriptedTransport(Rejected("no such schema")))
    with pytest.raises(DeliveryRejected, match="^scripted rejected the event: no such schema$"):
        trail.emit(an_event()).result(timeout=10)

    assert trail.flush()


def test_receipt_after_the_shutdown(make: Any) -> None:
    """After a shutdown what was delivered is done, and what was not is unavailable at once."""
    transport = ScriptedTransport(None, otherwise=TemporaryFailure("busy", retry_after=600))
    trail = make(transport)
    first = trail.emit(an_event())
    first.result(timeout=10)
    second = trail.emit(an_event())
    transport.wait_for_calls(2)

    assert not trail.shutdown(timeout=5)
    with pytest.raises(ReceiptUnavailable, match="^the trail was shut down"):
        second.result()
    with pytest.raises(ReceiptUnavailable):
        trail.emit(an_event()).result()


def test_receipt_where_another_process_delivers(make: Any, tmp_path: Any) -> None:
    """With deliver=False the receipt follows the cursor that another process moves."""
    recorder = make(ScriptedTransport(), directory=tmp_path / "trail", deliver=False)
    receipt = recorder.emit(an_event())
    assert not receipt.done()
    assert recorder.flush()

    sidecar = ScriptedTransport()
    assert make(sidecar, directory=tmp_path / "trail").flush()
    receipt.result(timeout=10)
    assert 1 == len(sidecar.events)


# ---------------------------------------------------------------------- fsync="always"


def test_always_syncs_each_event(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fsync="always" an event is on the device when emit returns."""
    synced: list[int] = []
    sync = files.sync

    def seen(descriptor: int) -> None:
        synced.append(descriptor)
        sync(descriptor)

    monkeypatch.setattr(files, "sync", seen)
    trail = make(fsync="always")
    trail.emit(an_event())

    assert synced


async def test_always_does_not_hold_the_loop(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A coroutine's sync runs elsewhere: the loop goes on meanwhile, also when the coroutine is cancelled."""
    trail = make(fsync="always", ledger=False)
    may_end, began, ended = threading.Event(), threading.Event(), threading.Event()
    settle = trail._settle

    def slowly(number: int) -> None:
        began.set()
        may_end.wait(10)
        settle(number)
        ended.set()

    monkeypatch.setattr(trail, "_settle", slowly)
    emitting = asyncio.create_task(trail.aemit(an_event()))
    while not began.is_set():
        await asyncio.sleep(0)
    emitting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await emitting
    may_end.set()
    await asyncio.to_thread(ended.wait, 10)

    assert ended.is_set()
    assert "loop_held" not in trail.stats().troubles


async def test_always_on_a_loop_is_told(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A plain emit on a loop's thread waits for the disk: counted each time, logged once, with the remedy."""
    trail = make(fsync="always", ledger=False)
    for _ in range(3):
        trail.emit(an_event())
    await trail.aemit(an_event())

    assert 3 == trail.stats().troubles["loop_held"]
    assert 1 == caplog.text.count("loop_held")
    assert "use aemit" in caplog.text


@pytest.mark.parametrize("raises", [False, True])
async def test_always_where_the_device_fails(make: Any, monkeypatch: pytest.MonkeyPatch, *, raises: bool) -> None:
    """A sync that fails is an audit error: told, and raised only where that was asked for."""
    trail = make(fsync="always", on_audit_error="raise" if raises else "log", ledger=False)
    trail.emit(an_event())

    def fail(_: int) -> None:
        raise JournalUnavailable("the device failed")

    monkeypatch.setattr(trail, "_settle", fail)
    if raises:
        with pytest.raises(RecordingFailed, match="the device failed"):
            trail.emit(an_event())
        with pytest.raises(RecordingFailed, match="the device failed"):
            await trail.aemit(an_event())
    else:
        trail.emit(an_event())
        await trail.aemit(an_event())

    assert 2 == trail.stats().troubles["not_recorded"]


def test_device_that_failed_is_a_problem(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync that failed once stays a problem: the next one succeeds without what the kernel has dropped."""
    trail = make(fsync="always", ledger=False)
    trail.emit(an_event())
    sync = files.sync

    def fail(descriptor: int) -> None:
        monkeypatch.setattr(files, "sync", sync)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(files, "sync", fail)
    for _ in range(2):
        trail.emit(an_event())

    (problem,) = trail.health().problems
    assert ("sync_failed", None) == (problem.code, problem.destination)
    assert {"sync_failed": 1, "not_recorded": 1} == trail.stats().troubles


# ---------------------------------------------------------------------- telling


def test_stats_add_up(make: Any) -> None:
    """Recorded = delivered + pending + dead letters, for each destination, before and after the shutdown."""
    bad = {number for number in range(50) if number % 7 == 0}
    numbers: dict[str, int] = {}

    def judge(events: Sequence[Event]) -> None:
        if numbers[events[0].id] in bad:
            raise Rejected("no")
        if numbers[events[0].id] > 30:
            raise TemporaryFailure("busy", retry_after=600)

    good, picky = ScriptedTransport(name="good", max_batch=9), ScriptedTransport(otherwise=judge, name="picky")
    trail = make([good, picky])
    for number in range(50):
        event = an_event()
        numbers[event.id] = number
        trail.emit(event)
    assert not trail.flush(timeout=5)

    stats = trail.stats()
    assert 50 == stats.recorded
    assert {"ledger": 50, "good": 50, "picky": 50} == {
        name: each.delivered + each.pending + each.dead_letters for name, each in stats.destinations.items()
    }
    assert (50, 0) == (stats.destinations["good"].delivered, stats.destinations["good"].pending)
    picky_stats = stats.destinations["picky"]
    assert (26, 19, 5) == (picky_stats.delivered, picky_stats.pending, picky_stats.dead_letters)
    assert not trail.shutdown(timeout=5)
    assert stats.destinations == trail.stats().destinations


def test_stats_of_many_threads(make: Any) -> None:
    """No event is lost from the count when threads record at once."""
    memory = MemoryTransport()
    trail = make(memory, directory=None)
    threads = [threading.Thread(target=lambda: [trail.emit(an_event()) for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (1600, 1600) == (trail.stats().recorded, len(memory.events))


def test_health_of_a_sound_trail(make: Any) -> None:
    """A trail that does what it promises has no problem."""
    trail = make(ScriptedTransport())
    assert trail.health().ok
    trail.emit(an_event()).result(timeout=10)

    assert Health(()) == trail.health()


@pytest.mark.parametrize(
    "error, code, remedy",
    [
        (TemporaryFailure("503"), "failing", "see the destination's own status; everything is kept and tried again"),
        (
            Paused("401"),
            "paused",
            "correct the destination's configuration; everything is kept, and tried again every minute",
        ),
    ],
)
def test_health_of_a_failing_destination(make: Any, error: Exception, code: str, remedy: str) -> None:
    """A destination that does not accept events is a problem: since when, why, and what to do."""
    clock = DrivenClock()
    transport = ScriptedTransport(error, error)
    trail = make(transport, clock=clock, ledger=False)
    receipt = trail.emit(an_event())
    since = instant_of(clock.time_ns())

    def wait_for_failures(number: int) -> None:
        while trail.stats().destinations["scripted"].failures < number:
            with pytest.raises(TimeoutError):
                receipt.result(timeout=0)

    wait_for_failures(1)
    text = f"scripted does not accept events: {error}"
    assert (
        Problem(code=code, destination="scripted", since=since, text=text, remedy=remedy),
    ) == trail.health().problems
    clock.advance(60)
    wait_for_failures(2)  # a call that has begun has not failed yet
    clock.advance(60)
    transport.wait_for_events(1)
    receipt.result(timeout=10)
    assert trail.health().ok


def test_health_of_a_full_journal(make: Any) -> None:
    """A journal that has no room for another event is a problem, whether or not somebody has tried."""
    trail = make(ScriptedTransport(otherwise=Paused("key")), max_bytes=2**20, ledger=False)
    codes: set[str] = set()
    while not {"journal_full", "paused"} <= codes:  # a segment that is being prepared may make room again
        trail.emit(an_event(metadata={"body": "x" * 50_000}))
        codes = {problem.code for problem in trail.health().problems}

    assert {"journal_full", "paused"} == codes


def test_repr_holds_no_secret(make: Any) -> None:
    """A trail shows where it is kept and where it goes."""
    trail = make([ScriptedTransport(), MemoryTransport()], directory=None, secret="s3cret-s3cret-s3cret")

    assert "<AuditTrail in memory, scripted, memory>" == repr(trail)


# ---------------------------------------------------------------------- the process-wide trail


def test_configure_again_shuts_the_first_down(caplog: pytest.LogCaptureFixture) -> None:
    """A second configure() delivers what the first trail holds, and says so."""
    first, second = ScriptedTransport(name="first"), ScriptedTransport(name="second")
    old = auditkit.configure(first)
    auditkit.emit(an_event())
    new = auditkit.configure(second)
    auditkit.emit(an_event())

    assert auditkit.flush(timeout=10)
    assert ([1, 1], [1, 0]) == ([len(first.events), len(second.events)], [first.closed, second.closed])
    assert [f"configure() was called again: {old!r} is shut down, {new!r} takes its place"] == [
        record.message for record in caplog.records if record.levelno >= logging.WARNING
    ]


def test_refused_configure_leaves_the_first_trail() -> None:
    """A configuration that is refused changes nothing."""
    memory = MemoryTransport()
    auditkit.configure(memory, directory=None)
    with pytest.raises(auditkit.ConfigurationError):
        auditkit.configure(fsync="never")  # type: ignore[arg-type]  # what is refused
    auditkit.emit(an_event())

    assert 1 == len(memory.events)


def test_configure_of_an_unwritable_directory(tmp_path: Any) -> None:
    """A directory that cannot be one fails in configure(), with the path and what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalUnavailable, match=f"^{tmp_path}/file is a file, not a directory; "):
        auditkit.configure(directory=tmp_path / "file")


async def test_module_functions_are_the_trail_s() -> None:
    """emit, aemit, flush, aflush, stats, health and shutdown act on the process-wide trail."""
    transport = ScriptedTransport()
    auditkit.configure(transport)
    auditkit.emit(an_event())
    await auditkit.aemit(an_event())

    assert await auditkit.aflush(timeout=10)
    assert auditkit.flush(timeout=10)
    assert LaneStats(delivered=2) == auditkit.stats().destinations["scripted"]
    assert auditkit.health().ok
    assert auditkit.shutdown()


def test_shutdown_of_a_process_that_recorded_nothing() -> None:
    """Without a trail there is nothing to shut down, and none is made for it."""
    assert auditkit.shutdown()
    assert auditkit._current.trail is None


def test_stats_of_the_process_s_trail_count_what_contexts_meet(make: Any) -> None:
    """Troubles of a scope belong to no trail: the process-wide one counts them, another one does not."""
    other = make()
    trail = configure(directory=None)
    bind_context(actor="nobody is here")

    assert {"no_scope": 1} == trail.stats().troubles
    assert {} == other.stats().troubles
