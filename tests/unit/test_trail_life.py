"""A trail's life: begun with the first event, mended when something is wrong, ended in time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import auditkit
from auditkit import AuditTrail, _current, audited
from auditkit.delivery import LaneStats
from auditkit.errors import JournalFull, JournalUnavailable, RecordingFailed, Rejected, TemporaryFailure
from auditkit.journal import MemoryJournal
from auditkit.ledger import LedgerReader
from auditkit.testing import DrivenClock, ScriptedTransport
from auditkit.trail import process_wide
from auditkit.trail.works import Builder, Works
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditkit.event import Event


def auditkit_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("auditkit")}


def emit(trail: AuditTrail, number: int = 1) -> list[Event]:
    events = [an_event() for _ in range(number)]
    for event in events:
        trail.emit(event)
    return events


def in_ledger(directory: Path) -> list[str]:
    return sorted(entry.event.id for entry in LedgerReader(directory).events())


# ---------------------------------------------------------------------- beginning


def test_threads_start_with_the_first_event(make: Callable[..., AuditTrail]) -> None:
    """Neither import nor configure starts a thread, which a fork would lose."""
    trail = make(ScriptedTransport())
    before = auditkit_threads()
    emit(trail)

    assert set() == before
    assert {"auditkit-sync", "auditkit-ledger-0", "auditkit-scripted-0"} <= auditkit_threads()


def test_event_recorded_while_the_trail_begins_is_delivered(
    make: Callable[..., AuditTrail], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A signal handler may record while the first event opens the directory: one journal is begun, and has both."""
    transport = ScriptedTransport()
    trail = make(transport, fsync="always")
    inside: list[str] = []
    told: list[object] = []
    on_disk = Builder.on_disk

    def interrupted(self: Builder, directory: Path, **named: Any) -> Works:
        inside.append(trail.emit(an_event()).id)
        told.append(trail.flush())
        with pytest.raises(JournalUnavailable, match="just being opened"):
            trail.ensure_room()
        return on_disk(self, directory, **named)

    monkeypatch.setattr(Builder, "on_disk", interrupted)
    outer = trail.emit(an_event()).id

    assert trail.flush()
    assert [False] == told
    assert 2 == len({outer, *inside}) == trail.stats().recorded
    assert [*inside, outer] == [event.id for event in transport.events]
    assert sorted([*inside, outer]) == in_ledger(tmp_path / "audit")
    assert {} == trail.stats().troubles


def test_event_recorded_while_the_trail_begins_may_be_refused(
    make: Callable[..., AuditTrail], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no room for what a signal handler recorded meanwhile, that is counted: the handler has gone on."""
    trail = make(ScriptedTransport(), ledger=False)
    on_disk = Builder.on_disk

    def interrupted(self: Builder, directory: Path, **named: Any) -> Works:
        trail.emit(an_event())
        works = on_disk(self, directory, **named)
        append = works.journal.append

        def full(draft: Any) -> Any:
            monkeypatch.setattr(works.journal, "append", append)
            raise JournalFull("no space left")

        monkeypatch.setattr(works.journal, "append", full)
        return works

    monkeypatch.setattr(Builder, "on_disk", interrupted)
    event = an_event()
    trail.emit(event).result(timeout=10)

    assert {"not_recorded": 1} == trail.stats().troubles


def test_trail_that_cannot_start_threads_records(
    make: Callable[..., AuditTrail], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without threads events are recorded, that is told, and the trail tries again with later events."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    clock, transport = DrivenClock(), ScriptedTransport()
    trail = make(transport, clock=clock)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        events = emit(trail, 3)
        assert [("sync_stalled", None)] == [(each.code, each.destination) for each in trail.health().problems]
        clock.advance(1)
        events += emit(trail)
    clock.advance(1)
    events += emit(trail)

    assert sorted(each.id for each in events) == sorted(each.id for each in transport.wait_for_events(5))
    assert trail.health().ok
    assert 2 == trail.stats().troubles["sync_stalled"]


def test_trail_without_threads_delivers_in_flush(
    make: Callable[..., AuditTrail], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where no thread can be started a flush delivers on its own thread, the ledger included."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    transport = ScriptedTransport()
    trail = make(transport)
    events = emit(trail, 3)

    assert trail.flush()
    assert sorted(each.id for each in events) == in_ledger(tmp_path / "audit")
    assert events == transport.events
    assert trail.shutdown()


def test_dead_destination_does_not_starve_the_others_without_threads(
    make: Callable[..., AuditTrail], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the calling thread delivers, each destination gets its share of the time."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    clock = DrivenClock(chance=0.0)

    def dead(events: object) -> None:
        clock.advance(1)
        raise TemporaryFailure("timeout")

    first, second = ScriptedTransport(otherwise=dead, name="dead"), ScriptedTransport(name="alive")
    trail = make([first, second], clock=clock)
    emit(trail, 5)

    assert not trail.flush(timeout=3)
    assert (0, 5) == (len(first.events), len(second.events))


def test_trail_without_sqlite_delivers(
    make: Callable[..., AuditTrail], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A Python without sqlite3 has no ledger: that is told, and everything else works."""
    monkeypatch.setitem(__import__("sys").modules, "auditkit.ledger", None)
    transport = ScriptedTransport()
    trail = make(transport)
    emit(trail)

    assert trail.flush()
    assert 1 == len(transport.events)
    assert [
        "no_ledger: this Python has no sqlite3, so there is no ledger; install it, or configure ledger=False (ModuleNotFoundError)"
    ] == caplog.messages


def test_trail_delivers_what_dead_processes_left(make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """A flush in a process that recorded nothing delivers what is in the directory."""
    events = emit(recorder := make(ScriptedTransport(), deliver=False))
    recorder.shutdown()
    transport = ScriptedTransport()

    assert make(transport).flush()
    assert events == transport.events


@pytest.mark.parametrize("kind", ["deliver=False", "shut down"])
def test_recording_alone_remembers_every_destination(make: Callable[..., AuditTrail], kind: str) -> None:
    """What a process without lanes recorded waits for each of its destinations, the ledger too, whoever comes first."""
    transports = [ScriptedTransport(name="one"), ScriptedTransport(name="passing", durable=False)]
    recorder = make(transports, deliver=kind == "shut down")
    if kind == "shut down":
        recorder.shutdown()
    ids = sorted(each.id for each in emit(recorder, 2))
    recorder.shutdown()
    one, another = ScriptedTransport(name="one"), ScriptedTransport(name="another")

    assert make(another, ledger=False).flush()
    assert make(one, ledger=False).flush()
    assert make().flush()
    assert ids == sorted(each.id for each in another.events)
    assert ids == sorted(each.id for each in one.events)
    assert ids == in_ledger(Path("audit"))


def test_flush_does_not_vouch_for_what_it_cannot_read(make: Callable[..., AuditTrail]) -> None:
    """Where events wait that were written with another secret, neither flush nor shutdown says that all is delivered."""
    recorder = make(ScriptedTransport(), deliver=False, secret="the first secret of all")
    events = emit(recorder)
    recorder.shutdown()
    stranger = make(ScriptedTransport(), secret="another secret altogether")

    assert (False, False) == (stranger.flush(), stranger.shutdown())

    transport = ScriptedTransport()
    knowing = make(transport, secret=["another secret altogether", "the first secret of all"])
    assert knowing.flush()
    assert events == transport.events


# ---------------------------------------------------------------------- a directory that cannot be opened


class Locked:
    """A directory that cannot be opened while there is a file in its place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text("in the way")

    def open(self) -> None:
        self.path.unlink()


@pytest.fixture
def locked(tmp_path: Path) -> Locked:
    return Locked(tmp_path / "trail")


def from_environment(locked: Locked, clock: DrivenClock, monkeypatch: pytest.MonkeyPatch) -> AuditTrail:
    """Return the trail of an environment whose directory cannot be opened, on a driven clock."""
    monkeypatch.setenv("AUDITKIT_DIRECTORY", str(locked.path))
    monkeypatch.setattr("auditkit.trail.audit_trail.SystemClock", lambda: clock)
    trail = _current.resolve()
    assert isinstance(trail, AuditTrail)
    return trail


def test_environment_s_trail_never_raises(
    locked: Locked, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A directory that cannot be opened leaves the trail in memory: one ERROR names path and remedy."""
    monkeypatch.setenv("AUDITKIT_DIRECTORY", str(locked.path))
    for _ in range(3):
        auditkit.record("user.login", "C")

    assert 3 == auditkit.stats().recorded
    (problem,) = auditkit.health().problems
    text = f"{locked.path} is a file, not a directory; remove it or configure another directory"
    assert ("not_durable", None) == (problem.code, problem.destination)
    assert f"{text}; until then events are kept in memory only" == problem.text
    assert [f"not_durable: {problem.text}"] == [each.message for each in caplog.records if each.levelname == "ERROR"]
    assert not auditkit.flush()


def test_unwritable_directory_is_tried_every_minute(locked: Locked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it can be opened everything that waited is in the directory, though no event comes after it."""
    clock = DrivenClock()
    trail = from_environment(locked, clock, monkeypatch)
    events = emit(trail, 5)
    receipts = [trail.emit(event) for event in [an_event() for _ in range(2)]]
    clock.advance(59)
    locked.open()
    assert not trail.flush()
    assert not locked.path.exists()
    clock.advance(1)
    for thread in threading.enumerate():
        if thread.name == "auditkit-mend":
            thread.join(10)

    assert trail.health().ok
    assert trail.flush()
    assert sorted([*(each.id for each in events), *(each.id for each in receipts)]) == in_ledger(locked.path)
    assert [True, True] == [each.done() for each in receipts]
    assert 7 == trail.stats().recorded == trail.stats().destinations["ledger"].delivered


def test_unwritable_directory_is_tried_without_a_thread(locked: Locked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started the next event after the minute brings the trail back."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    clock = DrivenClock()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        trail = from_environment(locked, clock, monkeypatch)
        emit(trail)
        clock.advance(60)
        emit(trail)
        assert "not_durable" == trail.health().problems[0].code
        locked.open()
        clock.advance(60)
        emit(trail)
    trail.flush()

    assert 3 == len(in_ledger(locked.path))


def test_destinations_do_not_get_twice_what_they_had(make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """What a destination accepted from memory is not sent again from the directory; what it did not have is."""
    clock = DrivenClock()
    refusing = [Rejected("no"), TemporaryFailure("busy", retry_after=30)]
    one, two = ScriptedTransport(name="one"), ScriptedTransport(None, *refusing, name="two")
    trail = make([one, two], directory=tmp_path / "trail", clock=clock)
    (tmp_path / "trail").rmdir()
    locked = Locked(tmp_path / "trail")
    events = emit(trail, 4)
    one.wait_for_events(4)
    two.wait_for_calls(3)
    receipt = trail.emit(an_event())
    while trail.stats().destinations["two"].failures < 1 or trail.stats().destinations["one"].delivered < 5:
        pass
    locked.open()
    clock.advance(60)
    two.wait_for_events(5)
    receipt.result(timeout=10)

    assert trail.flush()
    assert 5 == len(one.calls) == len(one.events)
    assert [each.id for each in events[:1]] == [each.id for each in two.events[:1]]
    assert 5 == len({each.id for each in two.events})
    assert LaneStats(delivered=5) == trail.stats().destinations["one"]
    assert (0, 0) == (one.closed, two.closed)


def test_actions_that_insist_fail_while_nothing_is_durable(make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """With on_audit_error="raise" an action is not run while its record would not last, and is again after that."""
    clock = DrivenClock()
    trail = make(directory=tmp_path / "trail", clock=clock, on_audit_error="raise")
    (tmp_path / "trail").rmdir()
    locked = Locked(tmp_path / "trail")
    ran = []

    @audited("plan.update", "U", trail=trail)
    def update() -> None:
        ran.append(True)

    with pytest.raises(RecordingFailed, match="plan.update was not run: .*is a file, not a directory"):
        update()
    assert [] == ran
    locked.open()
    clock.advance(60)
    update()

    assert [True] == ran


def test_memory_s_overflow_is_counted(
    make: Callable[..., AuditTrail], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the directory cannot be opened memory is bounded: the oldest events go, counted as lost."""
    monkeypatch.setattr("auditkit.trail.refuge._GIVEN_UP", 10)
    monkeypatch.setattr("auditkit.trail.works.MemoryJournal", lambda **named: MemoryJournal(max_records=100, **named))
    clock = DrivenClock()
    trail = make(directory=tmp_path / "trail", clock=clock)
    (tmp_path / "trail").rmdir()
    locked = Locked(tmp_path / "trail")
    events = emit(trail, 125)
    locked.open()
    clock.advance(60)
    trail.flush()

    assert sorted(each.id for each in events[30:]) == in_ledger(tmp_path / "trail")
    assert (125, 30) == (trail.stats().recorded, trail.stats().troubles["memory_overflow"])


def test_memory_keeps_what_destinations_wait_for(
    make: Callable[..., AuditTrail], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a destination has not accepted the oldest events, new ones are refused, and told."""
    monkeypatch.setattr("auditkit.trail.works.MemoryJournal", lambda **named: MemoryJournal(max_records=10, **named))
    transport = ScriptedTransport()
    trail = make(transport, directory=tmp_path / "trail")
    (tmp_path / "trail").rmdir()
    Locked(tmp_path / "trail")
    with transport.holding():
        emit(trail, 12)
    transport.wait_for_events(10)

    assert (10, 2) == (trail.stats().recorded, trail.stats().troubles["not_recorded"])


def test_directory_that_fills_up_while_it_is_moved_to(
    make: Callable[..., AuditTrail], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the directory opens and then has no room, the trail stays in memory and tries again."""
    clock = DrivenClock()
    trail = make(directory=tmp_path / "trail", clock=clock)
    (tmp_path / "trail").rmdir()
    locked = Locked(tmp_path / "trail")
    events = emit(trail, 3)
    locked.open()
    with monkeypatch.context() as patch:
        patch.setattr("auditkit.journal.disk.DiskJournal.append", _full)
        clock.advance(60)
        trail._engine.ready()
        assert "not_durable" == trail.health().problems[0].code
    clock.advance(60)
    trail.flush()

    assert sorted(each.id for each in events) == in_ledger(tmp_path / "trail")


def _full(self: object, draft: object) -> None:
    raise JournalFull("no space left")


def test_shutdown_makes_a_last_attempt_at_the_directory(make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """What waits in memory is not lost at a shutdown, if the directory can be opened by then."""
    trail = make(directory=tmp_path / "trail")
    (tmp_path / "trail").rmdir()
    locked = Locked(tmp_path / "trail")
    events = emit(trail, 3)
    locked.open()

    assert trail.shutdown()
    assert sorted(each.id for each in events) == in_ledger(tmp_path / "trail")


def test_shutdown_says_what_is_lost(make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """A shutdown whose directory cannot be opened is not called a success."""
    trail = make(directory=tmp_path / "trail")
    (tmp_path / "trail").rmdir()
    Locked(tmp_path / "trail")
    emit(trail)

    assert not trail.shutdown()


# ---------------------------------------------------------------------- the environment


@pytest.mark.parametrize(
    "name, value, message",
    [
        (
            "AUDITKIT_TRANSPORT",
            "workos",
            "AUDITKIT_TRANSPORT must be workos_audit_trail or workos_audit_logs, got 'workos'",
        ),
        ("AUDITKIT_TRANSPORT", "workos_audit_trail", "WORKOS_API_KEY"),
        ("AUDITKIT_SECRET", "short", "secret must have at least 16 characters, got 5"),
    ],
)
def test_environment_that_cannot_work_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    """The application did not call it: what is wrong is told, and the trail goes on without it."""
    monkeypatch.setenv(name, value)
    auditkit.record("user.login", "C")

    assert message in caplog.text
    assert 1 == auditkit.stats().troubles["environment"]
    assert auditkit.flush()


def test_environment_describes_the_trail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Directory, transport and secret come from the environment; a WorkOS key alone switches nothing on."""
    monkeypatch.setenv("WORKOS_API_KEY", "sk_test_1")
    assert () == process_wide.from_environment().settings.transports

    monkeypatch.setenv("AUDITKIT_DIRECTORY", str(tmp_path / "here"))
    monkeypatch.setenv("AUDITKIT_SECRET", "s" * 16)
    monkeypatch.setenv("AUDITKIT_TRANSPORT", "workos_audit_trail")
    settings = process_wide.from_environment().settings
    assert (tmp_path / "here", (b"s" * 16,)) == (settings.directory, settings.secrets)
    assert ["workos"] == [each.name for each in settings.transports]

    monkeypatch.setenv("AUDITKIT_TRANSPORT", "workos_audit_logs")
    assert ["workos_audit_logs"] == [each.name for each in process_wide.from_environment().settings.transports]


# ---------------------------------------------------------------------- ending


def test_shutdown_leaves_nothing_behind(make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """A clean end delivers everything, ends every thread, and leaves no segment."""
    transport = ScriptedTransport()
    trail = make(transport)
    emit(trail, 10)

    assert trail.shutdown()
    assert 10 == len(transport.events)
    assert set() == auditkit_threads()
    assert [] == list((tmp_path / "audit" / "journal").iterdir())


def test_shutdown_twice_tells_the_same(make: Callable[..., AuditTrail]) -> None:
    """A second shutdown does nothing, and answers as the first did."""
    transport = ScriptedTransport(otherwise=TemporaryFailure("busy", retry_after=600))
    trail = make(transport)
    emit(trail)

    assert [False, False, False] == [trail.shutdown(), trail.shutdown(), trail.flush()]
    assert 1 == transport.closed


def test_shutdown_by_two_threads(make: Callable[..., AuditTrail]) -> None:
    """Two shutdowns at once end the trail once, and neither comes back before it is ended."""
    transport = ScriptedTransport()
    trail = make(transport)
    emit(trail, 20)
    ended: list[tuple[bool, int]] = []
    threads = [threading.Thread(target=lambda: ended.append((trail.shutdown(), transport.closed))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [(True, 1)] * 4 == ended


def test_shutdown_ends_at_its_timeout(make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """A send that never ends does not hold a shutdown; its event is delivered once, and acknowledged when it is."""
    transport = ScriptedTransport()
    trail = make(transport)
    with transport.holding():
        emit(trail)
        transport.wait_for_calls(1)
        assert not trail.shutdown(timeout=0.05)
        assert 0 == transport.closed
    transport.wait_for_events(1)
    for thread in threading.enumerate():
        if thread.name.startswith("auditkit-scripted"):
            thread.join()
    further = ScriptedTransport()

    assert make(further).flush()
    assert ([], 1) == (further.calls, transport.closed)


def test_events_after_the_shutdown_wait_for_the_next_process(make: Callable[..., AuditTrail]) -> None:
    """What is recorded after a shutdown is written down, and not called delivered."""
    trail = make(ScriptedTransport())
    emit(trail)
    assert trail.shutdown()
    before = auditkit_threads()
    events = emit(trail, 3)

    assert not trail.flush()
    assert before == auditkit_threads()
    assert trail.shutdown()
    further = ScriptedTransport()
    assert make(further).flush()
    assert events == further.events


def test_flush_does_not_chase_a_busy_application(make: Callable[..., AuditTrail]) -> None:
    """A flush waits for what is recorded when it is called, not for what is recorded meanwhile."""
    transport = ScriptedTransport()
    trail = make(transport, ledger=False)
    ended = threading.Event()

    def keep_recording(events: object) -> None:
        if not ended.is_set():
            thread = threading.Thread(target=emit, args=(trail, 2))  # this one is the lane's: it audits nothing
            thread.start()
            thread.join()

    transport.answer(*[keep_recording] * 500)
    emit(trail, 10)
    flushed = trail.flush(timeout=30)
    unanswered = len(transport._answers)
    ended.set()

    assert flushed
    assert unanswered


def test_event_recorded_during_the_shutdown_is_not_lost(make: Callable[..., AuditTrail]) -> None:
    """Threads that record while the trail is shut down lose nothing."""
    transport, further = ScriptedTransport(max_batch=100), ScriptedTransport(max_batch=100)
    trail = make(transport)
    recorded: list[Event] = []
    ended = threading.Event()

    def keep_recording() -> None:
        while not ended.is_set():
            recorded.extend(emit(trail))

    threads = [threading.Thread(target=keep_recording) for _ in range(3)]
    for thread in threads:
        thread.start()
    transport.wait_for_events(20)
    trail.shutdown()
    ended.set()
    for thread in threads:
        thread.join()
    trail.shutdown()
    make(further).flush()

    delivered = [each.id for each in (*transport.events, *further.events)]
    assert sorted(each.id for each in recorded) == sorted(delivered)


def test_journal_error_while_beginning_is_contained(make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """A directory that vanishes between configure and the first event is made again."""
    trail = make(directory=tmp_path / "trail")
    (tmp_path / "trail").rmdir()
    emit(trail)

    assert trail.flush()
    assert 1 == len(in_ledger(tmp_path / "trail"))


def test_room_is_asked_of_the_journal(make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """ensure_room says before an action whether its record can be made."""
    trail = make(directory=tmp_path / "trail")
    trail.ensure_room()
    (tmp_path / "other").write_text("")
    other = make(directory=tmp_path / "later")
    (tmp_path / "later").rmdir()
    Locked(tmp_path / "later")
    with pytest.raises(JournalUnavailable):
        other.ensure_room()
