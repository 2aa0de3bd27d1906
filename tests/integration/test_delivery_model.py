"""Delivery against a model of it: whatever writers, lanes and destinations do, each event's fate is the one that is told.

What `test_journal_model` does to the journal this does to all from there to the destinations: dispatchers over feeds on
real files, worked on the test's own thread and time, in processes that are simulated as there. Everything that is
bounded has little room, so that segments are held in turns, what fails is given back and forgotten, and cursors end.
A process may also be killed inside of what it does, at any of its changes to a file: that one is torn, and nothing
that it would do afterwards to clean up is done.

``AUDITKIT_MODEL_EXAMPLES=5000 pytest tests/integration/test_delivery_model.py`` looks for longer.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from auditkit import files
from auditkit.clock import IdSource
from auditkit.delivery.dispatcher import Dispatcher
from auditkit.delivery.verdict import LONGEST_ASKED, LONGEST_WAIT
from auditkit.errors import DeliveryRejected, Paused, Rejected, TemporaryFailure
from auditkit.journal import DiskJournal, Keys, backlog, letters_of
from auditkit.journal.cursor import _SLOT
from auditkit.reporting import Reporter
from auditkit.testing import DrivenClock
from tests.journals import MAX_BYTES, draft, owned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from auditkit.delivery.schedule import Batch
    from auditkit.event import Event
    from auditkit.journal.feed import DiskFeed
    from auditkit.protocols import Mark, Position

PROCESSES = 3
PICKS = st.integers(0, 999)  # which one of those that there are
GIVE_UP = 2 * 3600.0
LITTLE_ROOM = {
    "auditkit.journal.feed.HELD_AT_ONCE": 2,
    "auditkit.journal.held.WINDOW": 6,
    "auditkit.journal.disk._FIRST": 8 * 1024,
    "auditkit.journal.disk._LARGEST": 8 * 1024,
    "auditkit.delivery.schedule.HELD_BACK": 12,
    "auditkit.delivery.schedule._REMEMBERED": 24,
    "auditkit.delivery.dispatcher._AHEAD": 3,
    "auditkit.delivery.verdict.GIVE_UP": GIVE_UP,
    "auditkit.files.sync": lambda descriptor: None,  # no power cut comes here, and a device takes its time
    "auditkit.files.sync_directory": lambda path: None,
}
USUAL = {"failing", "paused", "rejected", "possible_duplicate"}
OF_DAMAGE = {"corrupt", "unreadable_segment", "unreadable_record"}
KEPT = {".corrupt", ".worker", ".jsonl"}  # what damage has left, who worked a lane last, and what may be there twice
ERRORS: dict[str, BaseException] = {
    "down": TemporaryFailure("503"),
    "throttling": TemporaryFailure("429", retry_after=600),
    "misconfigured": Paused("401"),
    "fails": TemporaryFailure("500"),
    "pauses": Paused("403"),
    "rejects": Rejected("no such schema"),
    "loses": TemporaryFailure("no answer"),
}


class Destination:
    """What accepts events of one lane, and knows what may come to it.

    Attributes:
        weather: How it answers everything; "up" where it looks at the events.
        answers: How it answers what holds an event: "fails", "pauses", "rejects", or "loses" the answer, once.
        accepted: How often it has accepted each event.
        known: Events that it has accepted, and whose acknowledgement is kept: they must not come again.
        buried: The same for those in the dead letters.
        unsure: Events of which it was kept by a death whether they are concluded.
        frozen: The bytes that were sent of events and may have arrived.
        failing: When each event failed first.
    """

    concurrency, durable = 2, True

    def __init__(self, name: str, max_batch: int, clock: DrivenClock) -> None:
        self.name, self.max_batch, self.clock = name, max_batch, clock
        self.weather = "up"
        self.answers: dict[str, str] = {}
        self.accepted: Counter[str] = Counter()
        self.known: set[str] = set()
        self.buried: set[str] = set()
        self.unsure: set[str] = set()
        self.frozen: dict[str, bytes] = {}
        self.failing: dict[str, float] = {}
        self.excused: set[str] = set()

    def send(self, events: Sequence[Event]) -> None:
        for event in events:
            text = event.metadata["text"]
            assert event.id == str(text).split(maxsplit=1)[0], f"{event.id} has another event's text"
        self.take([event.id for event in events])

    def take(self, ids: list[str]) -> None:
        assert len({*ids}) == len(ids) <= self.max_batch
        if self.weather != "up":
            self._fail(ids, self.weather)
        answers = {self.answers.get(each, "accepts") for each in ids}
        for answer in ("rejects", "fails", "pauses"):
            if answer in answers:
                self._fail(ids, answer)
        again = {*ids} & (self.known | self.buried) - self.excused
        assert not again, f"{self.name} gets {again} again"
        self.accepted.update(ids)
        if "loses" in answers:
            for each in ids:
                self.answers.pop(each, None)
            self._fail(ids, "loses")

    def _fail(self, ids: list[str], answer: str) -> None:
        for each in ids:
            self.failing.setdefault(each, self.clock.monotonic())
        raise ERRORS[answer]

    def close(self) -> None:
        pass


class Encoding(Destination):
    """A destination that is sent the bytes that were made of an event once, whatever makes them by then."""

    release = 1

    def encode(self, event: Event) -> bytes:
        return f"{event.id} {self.release}".encode()

    def send_encoded(self, event_id: str, body: bytes) -> None:
        assert event_id == body.decode().split()[0]
        try:
            self.take([event_id])
        except Paused:
            raise
        except BaseException:
            self._freeze(event_id, body)
            raise
        self._freeze(event_id, body)

    def _freeze(self, event_id: str, body: bytes) -> None:
        first = self.frozen.setdefault(event_id, body)
        assert event_id in self.excused or body == first, f"{event_id} was sent as {first!r} before"


class Killed(BaseException):
    """What ends a process: nothing in it may catch this and go on."""


class Fuse:
    """Kill who makes a number of changes to files, in the middle of the last one."""

    def __init__(self, changes: int, torn: int) -> None:
        self._left, self._torn = changes, torn
        self.burnt = False

    @contextmanager
    def lit(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for module, name in [(os, each) for each in ("rename", "replace", "unlink", "mkdir", "ftruncate")]:
                patch.setattr(module, name, self._wrapped(getattr(module, name)))
            for name in ("create_private", "reserve"):
                patch.setattr(files, name, self._wrapped(getattr(files, name)))
            real = files.pwrite

            def pwrite(descriptor: int, data: bytes, offset: int) -> int:
                self._burn(lambda: real(descriptor, data[: self._torn], offset))
                return real(descriptor, data, offset)

            patch.setattr(files, "pwrite", pwrite)
            yield

    def _wrapped(self, real: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*arguments: object, **named: object) -> object:
            self._burn(lambda: None)
            return real(*arguments, **named)

        return wrapped

    def _burn(self, last: Callable[[], object]) -> None:
        self._left -= 1
        if self._left == 0:
            last()
        if self._left <= 0:
            self.burnt = True
            raise Killed


@dataclass(eq=False)
class Asked:
    """A mark with the events that it waits for, as the model knows."""

    mark: Mark
    waits_for: set[str]
    before: frozenset[str]


@dataclass(eq=False)
class Worker:
    """A process's lane."""

    destination: Destination
    feed: DiskFeed
    dispatcher: Dispatcher
    under_way: list[Batch] = field(default_factory=list)
    marks: list[Asked] = field(default_factory=list)
    buried: set[str] = field(default_factory=set)


@dataclass(eq=False)
class Process:
    """A simulated process.

    Attributes:
        journal: Its journal.
        reporter: What went wrong in it.
        opened: Its descriptors.
        workers: Its lanes.
    """

    journal: DiskJournal
    reporter: Reporter
    opened: set[files.Handle]
    workers: dict[str, Worker] = field(default_factory=dict)


class DeliveryModel(RuleBasedStateMachine):
    """What may happen, and what must hold then.

    The model: where each event was recorded, what each destination has said of it, and what damage has hit.
    """

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        for name, value in LITTLE_ROOM.items():
            self.patch.setattr(name, value)
        self.root = Path(tempfile.mkdtemp(prefix="auditkit-model-")) / "audit"
        self.clock = DrivenClock()
        self.destinations = {
            "one": Encoding("one", 1, self.clock),
            "five": Destination("five", 5, self.clock),
        }
        self.processes: list[Process] = []
        self.recorded: dict[str, Position] = {}
        self.damaged: set[str] = set()
        self.hit: set[str] = set()
        self.unseen: set[str] = set()
        self.deaths = 0
        self.ends_with = ""
        self.named = 0

    # ------------------------------------------------------------------ processes begin and end

    @initialize(
        ending=st.sampled_from(["anew", "anew", "as it is", "as it is", "with bad events"]),
        held=st.sampled_from([2, 3]),
    )
    def begin_two(self, ending: str, held: int) -> None:
        """A process begins with all lanes, and one that only records."""
        self.ends_with = ending
        self.patch.setattr("auditkit.journal.feed.HELD_AT_ONCE", held)
        self.begin(lanes=("one", "five"))
        self.begin(lanes=())

    @rule(lanes=st.sampled_from([("one", "five"), ("one",), ("five",), ()]))
    def begin(self, lanes: tuple[str, ...]) -> None:
        """A process begins: a web worker with all lanes, a script with one, one that only records."""
        if len(self.processes) == PROCESSES:
            return
        opened: set[files.Handle] = set()
        reporter = Reporter(self.clock)
        with owned(opened):
            journal = DiskJournal(
                self.root,
                clock=self.clock,
                ids=IdSource(self.clock),
                reporter=reporter,
                keys=Keys(),
                max_bytes=MAX_BYTES,
                grace=10.0,
            )
            process = Process(journal, reporter, opened)
            self.processes.append(process)
            for lane in lanes:
                self._man(process, lane)

    def _begin_for(self, lane: str) -> None:
        """Begin a process that works a lane which nobody works."""
        if len(self.processes) == PROCESSES:
            crowded = next(process for process in self.processes if len(self._workers(next(iter(process.workers)))) > 1)
            self._let_go(crowded)
        self.begin(lanes=(lane,))

    def _man(self, process: Process, lane: str) -> None:
        feed, destination = process.journal.feed(lane, durable=True), self.destinations[lane]
        dispatcher = Dispatcher(destination, feed, clock=self.clock, reporter=process.reporter)
        process.workers[lane] = Worker(destination, feed, dispatcher)

    @precondition(lambda self: self.processes)
    @rule(pick=PICKS)
    def end(self, pick: int) -> None:
        """A process ends in order."""
        process = self._any(pick)
        self._end(process)
        assert not any(each in files._open for each in process.opened)

    def _end(self, process: Process) -> None:
        with owned(process.opened):
            for worker in process.workers.values():
                self._attempt_all(worker)
            process.journal.rest()
            for worker in process.workers.values():
                worker.dispatcher.close(transport=False)
            process.journal.stop()
        self.processes.remove(process)

    @precondition(lambda self: self.processes)
    @rule(pick=PICKS, torn=st.integers(0, 400), arrives=st.booleans())
    def kill(self, pick: int, torn: int, arrives: bool) -> None:  # noqa: FBT001  (hypothesis names it)
        """A process is killed, perhaps in the middle of writing a line, and while destinations are about to answer."""
        process = self._any(pick)
        for worker in process.workers.values():
            for batch in worker.under_way if arrives else ():
                worker.destination.accepted.update(ids_of(batch))
        segment = process.journal._segment
        if segment is not None and torn:
            os.pwrite(segment._file.fd, b"0" * 64 + b' {"id":"' + b"x" * torn, segment._place[0])
        for cursor in [held._cursor for each in process.workers.values() for held in each.feed._held.values()]:
            if cursor is not None and torn:  # of its two copies the one that does not count was being overwritten
                os.pwrite(cursor._file.fd, b"x" * torn, (cursor.progress.turn + 1) % 2 * _SLOT)
        self._let_go(process)

    def _let_go(self, process: Process) -> None:
        for worker in process.workers.values():
            for batch in worker.under_way:
                self._doubt(worker.destination, ids_of(batch))
        for handle in process.opened:
            files.close(handle)
        self.processes.remove(process)

    def _doubt(self, destination: Destination, ids: list[str]) -> None:
        """Nobody knows what became of these: the destination may have them, or not, and either is kept or not."""
        destination.unsure.update(each for each in ids if each not in destination.known | destination.buried)

    @precondition(lambda self: self.processes)
    @rule(
        pick=PICKS,
        changes=st.integers(1, 12),
        torn=st.integers(0, 300),
        what=st.sampled_from(["record", "rest", "sync", "look", "work", "close"]),
    )
    def be_killed_inside(self, pick: int, changes: int, torn: int, what: str) -> None:
        """A process is killed at one of the changes that it makes to files while it does something."""
        process = self._any(pick)
        fuse = Fuse(changes, torn)
        made: list[str] = []
        tried: dict[str, set[str]] = defaultdict(set)
        try:
            with owned(process.opened), fuse.lit():
                self._do(process, what, made, tried)
        except Killed:
            pass
        if not fuse.burnt:
            if what == "close":
                self.processes.remove(process)
            return
        self.deaths += 1
        for lane, ids in tried.items():
            self._doubt(self.destinations[lane], [*ids])
        for each in made:  # whoever recorded it was not told that it is: it may be there, or not
            self.hit.add(each)
        self._let_go(process)

    def _do(self, process: Process, what: str, made: list[str], tried: dict[str, set[str]]) -> None:
        """Do something, and say meanwhile which event is being recorded, and which ones are being sent."""
        if what == "record":
            for _ in range(3):
                made.append(self._name())
                self._append(process, made[-1], 500)
                made.clear()
        elif what == "rest":
            process.journal.rest()
        elif what == "sync":
            process.journal.sync()
        elif what == "close":
            self._close(process, tried)
        else:
            self._deliver(process, tried, 5 if what == "work" else 0)

    def _deliver(self, process: Process, tried: dict[str, set[str]], attempts: int) -> None:
        for worker in process.workers.values():
            worker.dispatcher.scan(eager=True)
            for _ in range(attempts):
                with worker.dispatcher.state:
                    batch = worker.dispatcher.next()
                if batch is None:
                    break
                worker.under_way.append(batch)
                self._try(worker, batch, tried)

    def _close(self, process: Process, tried: dict[str, set[str]]) -> None:
        for worker in process.workers.values():
            for batch in tuple(worker.under_way):
                self._try(worker, batch, tried)
        process.journal.rest()
        for worker in process.workers.values():
            worker.dispatcher.close(transport=False)
        process.journal.stop()

    def _try(self, worker: Worker, batch: Batch, tried: dict[str, set[str]]) -> None:
        tried[worker.destination.name] = {*ids_of(batch)}
        self._attempt(worker, batch)
        tried[worker.destination.name] = set()

    @precondition(lambda self: self._workers())
    @rule(pick=PICKS)
    def restart_lane(self, pick: int) -> None:
        """A lane is closed, and begun anew in the same process."""
        process, worker = self._any_worker(pick)
        with owned(process.opened):
            self._attempt_all(worker)
            worker.dispatcher.close(transport=False)
            self._man(process, worker.destination.name)

    # ------------------------------------------------------------------ recording

    @precondition(lambda self: self.processes)
    @rule(pick=PICKS, number=st.integers(1, 5), size=st.sampled_from([0, 0, 500, 3000]), rests=st.booleans())
    def record(self, pick: int, number: int, size: int, rests: bool) -> None:  # noqa: FBT001  (hypothesis names it)
        """A process records, and perhaps closes its segment."""
        process = self._any(pick)
        with owned(process.opened):
            for _ in range(number):
                self._append(process, self._name(), size)
            if rests:
                process.journal.rest()

    def _name(self) -> str:
        self.named += 1
        return f"e{self.named}"

    def _append(self, process: Process, name: str, size: int) -> None:
        position = process.journal.append(draft(f"{name} " + "x" * size, event_id=name))
        assert position[0]
        self.recorded[name] = position

    @precondition(lambda self: self.processes)
    @rule(pick=PICKS, prepares=st.booleans())
    def sync(self, pick: int, prepares: bool) -> None:  # noqa: FBT001  (as above)
        """A process's journal is synced, which closes what has ended, or prepares its next segment."""
        process = self._any(pick)
        with owned(process.opened):
            if prepares and process.journal._spare is None:
                process.journal._prepare()
            assert process.journal.sync()

    # ------------------------------------------------------------------ what destinations do

    @precondition(lambda self: self.recorded)
    @rule(
        pick=PICKS,
        number=st.integers(1, 4),
        lane=st.sampled_from(["one", "five"]),
        answer=st.sampled_from(["accepts", "fails", "rejects", "loses", "pauses"]),
    )
    def answer(self, pick: int, number: int, lane: str, answer: str) -> None:
        """A destination changes its mind about a few events."""
        for each in self._some(pick, number):
            self.destinations[lane].answers[each] = answer

    @rule(
        lane=st.sampled_from(["one", "five"]),
        weather=st.sampled_from(["up", "up", "down", "throttling", "misconfigured"]),
    )
    def change_weather(self, lane: str, weather: str) -> None:
        """A destination goes down, is back, wants less, or is configured wrongly."""
        self.destinations[lane].weather = weather

    @rule()
    def release(self) -> None:
        """From now on other bytes are made of an event."""
        Encoding.release += 1

    # ------------------------------------------------------------------ delivering

    @rule(seconds=st.sampled_from([0.3, 2.0, 6.0, 60.0, 400.0, 3000.0, 90_000.0]))
    def pass_time(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    @precondition(lambda self: self._workers())
    @rule(pick=PICKS, rounds=st.integers(1, 4), seconds=st.sampled_from([0.3, 6.0, 160.0, 900.0]))
    def work(self, pick: int, rounds: int, seconds: float) -> None:
        """A lane sends what is due, again and again."""
        process, worker = self._any_worker(pick)
        for _ in range(rounds):
            self._run(process, worker)
            self.clock.advance(seconds)

    @precondition(lambda self: self._workers())
    @rule(pick=PICKS, eager=st.booleans())
    def look(self, pick: int, eager: bool) -> None:  # noqa: FBT001  (as above)
        """A lane looks for segments that nobody delivers."""
        process, worker = self._any_worker(pick)
        with owned(process.opened):
            worker.dispatcher.scan(eager=eager)

    @precondition(lambda self: self._workers())
    @rule(pick=PICKS)
    def begin_to_send(self, pick: int) -> None:
        """A thread of a lane takes what it sends, and is slow."""
        process, worker = self._any_worker(pick)
        if len(worker.under_way) < worker.destination.concurrency:
            self._next(process, worker)

    @precondition(lambda self: any(worker.under_way for _, worker in self._workers()))
    @rule(pick=PICKS)
    def send(self, pick: int) -> None:
        """A slow thread gets its answer."""
        busy = [(process, worker) for process, worker in self._workers() if worker.under_way]
        process, worker = busy[pick % len(busy)]
        batch = worker.under_way[pick // len(busy) % len(worker.under_way)]
        with owned(process.opened):
            self._attempt(worker, batch)

    @rule()
    def catch_up(self) -> None:
        """Destinations are well for a while: all that was recorded comes to them, though its writers live."""
        for destination in self.destinations.values():
            destination.weather = "up"
            destination.answers.clear()
        self._catch_up()
        for _, worker in self._workers():
            self._see_that_it_has_all(worker)

    def _catch_up(self) -> None:
        for _ in range(20):
            self.clock.advance(max(LONGEST_WAIT, LONGEST_ASKED))
            sent = sum(self._run(process, worker) for process, worker in self._workers())
            if not sent and not any(worker.dispatcher.left() for _, worker in self._workers()):
                break

    def _see_that_it_has_all(self, worker: Worker) -> None:
        destination = worker.destination
        done = {*destination.accepted, *self._letters(destination)}
        unread = self._unread(worker)
        for name, (segment, _) in self.recorded.items():
            assert name in done or self._is_lost(name) or segment in unread, f"{destination.name} never gets {name}"

    def _next(self, process: Process, worker: Worker) -> Batch | None:
        with owned(process.opened), worker.dispatcher.state:
            batch = worker.dispatcher.next()
        self.marks_do_not_wait_for_others()  # what it has claimed for this may be let go of before it ends
        if batch is None:
            return None
        lane = worker.destination.name
        for record in batch.records:
            assert record.event.id in self.recorded or record.event.id in self.hit
            assert (
                record.position == self.recorded.get(record.event.id)
                or self._is_damaged(record.position[0])
                or record.event.id in self.hit
            )
            for _, other in self._workers(lane):
                assert all(record.event.id not in ids_of(each) for each in other.under_way), "sent by two at once"
        worker.under_way.append(batch)
        return batch

    def _attempt(self, worker: Worker, batch: Batch) -> None:
        """Send a batch, and hear what was concluded of it."""
        destination, ids = worker.destination, [*ids_of(batch)]
        letters = Counter(self._letters(destination))
        error = worker.dispatcher.attempt(batch)
        worker.under_way.remove(batch)
        if error is None:
            destination.known.update(ids)
            destination.unsure.difference_update(ids)
            return
        if isinstance(error, Killed):
            raise error
        new = Counter(self._letters(destination)) - letters
        assert new.keys() <= {*ids}
        for each in new:
            assert new[each] == 1
            since = destination.failing[each]
            rejected = isinstance(error, Rejected)
            assert rejected or self.clock.monotonic() - since >= GIVE_UP, f"{each} was given up too early"
            destination.buried.add(each)
            worker.buried.add(each)
            destination.unsure.discard(each)

    def _attempt_all(self, worker: Worker) -> None:
        for batch in tuple(worker.under_way):
            self._attempt(worker, batch)

    def _run(self, process: Process, worker: Worker) -> int:
        """Let a lane do what is due; return how many attempts that were."""
        attempts = 0
        with owned(process.opened):
            self._attempt_all(worker)
            while (batch := self._next(process, worker)) is not None:
                self._attempt(worker, batch)
                self._ask_marks(process, worker, looked=False)
                attempts += 1
                assert attempts < 500, "it never rests"
        return attempts

    # ------------------------------------------------------------------ asking

    @precondition(lambda self: self._workers())
    @rule(pick=PICKS, looks=st.booleans())
    def mark(self, pick: int, looks: bool) -> None:  # noqa: FBT001  (as above)
        """Somebody wants to hear when all is delivered that there is now."""
        process, worker = self._any_worker(pick)
        with owned(process.opened), worker.dispatcher.state:
            if looks:
                worker.dispatcher.scan(eager=True)
            mark = worker.dispatcher.mark()
        seen = {each for each, (segment, _) in self.recorded.items() if looks or segment in mark}
        done = worker.destination.known | worker.destination.buried
        worker.marks.append(Asked(mark, {*seen} - done, frozenset(self.recorded)))

    @precondition(lambda self: any(worker.marks for _, worker in self._workers()))
    @rule(pick=PICKS, looks=st.booleans())
    def ask_marks(self, pick: int, looks: bool) -> None:  # noqa: FBT001  (as above)
        """Somebody hears whether all is delivered: where it is, and not before."""
        process, worker = self._any_worker(pick)
        if looks:
            with owned(process.opened):
                worker.dispatcher.scan(eager=True)
        self._ask_marks(process, worker, looked=looks)

    def _ask_marks(self, process: Process, worker: Worker, *, looked: bool) -> None:
        destination = worker.destination
        letters = {*self._letters(destination)}
        for asked in tuple(worker.marks):
            with owned(process.opened), worker.dispatcher.state:
                passed = worker.dispatcher.passed(asked.mark) and not worker.dispatcher.unreadable()
            if passed:
                for each in asked.waits_for:
                    done = each in destination.accepted or each in letters or self._is_lost(each)
                    assert done, f"passed, and {each} is not with {destination.name}"
                worker.marks.remove(asked)
            elif looked and not self.damaged and not worker.dispatcher.unreadable():
                waits = asked.before - destination.known - destination.buried
                busy = len(worker.under_way) == destination.concurrency
                if not waits and not busy and self._next(process, worker) is None:  # it came over the ends of segments
                    assert worker.dispatcher.passed(asked.mark), "all is acknowledged that was there at a mark"

    @precondition(lambda self: self.recorded and self._workers())
    @rule(pick=PICKS)
    def ask_fates(self, pick: int) -> None:
        """Whoever asks is told that an event was concluded where it was, and never where it was not."""
        process, worker = self._any_worker(pick)
        for each in self._some(pick, 8):
            self._ask_fate(process, worker, each)

    def _ask_fate(self, process: Process, worker: Worker, name: str) -> bool | None:
        destination, position = worker.destination, self.recorded[name]
        dead = name in {*self._letters(destination)}
        try:
            with owned(process.opened):
                fate = worker.dispatcher.fate(position)
        except DeliveryRejected:
            assert dead, f"{name} is no dead letter"
            return True
        if fate is True:
            assert name in destination.accepted or dead or name in self.unseen, f"{name} is not with {destination.name}"
            assert name not in worker.buried, f"{name} is a dead letter"
        elif fate is False:
            concluded = name in destination.known | destination.buried
            assert not concluded or position[0] in self.damaged, f"{name} is with {destination.name}"
        else:
            assert position[0] in self.damaged, f"nobody knows {name}"
        return fate

    # ------------------------------------------------------------------ damage

    @precondition(lambda self: self._damageable())
    @rule(pick=PICKS, line=PICKS, at=PICKS, how=st.sampled_from(["flip", "flip", "cut", "remove"]))
    def damage(self, pick: int, line: int, at: int, how: str) -> None:
        """Something befalls a segment that is closed, or whose writer is dead."""
        if len(self.damaged) >= 2:
            return
        paths = self._damageable()
        path = paths[pick % len(paths)]
        whole = path.read_bytes().rstrip(b"\0")
        if not whole:
            return
        lines = whole.splitlines(keepends=True)
        number = line % len(lines)
        begin = sum(map(len, lines[:number]))
        at = begin + at % len(lines[number])
        with path.open("r+b") as file:
            if how == "flip":
                file.seek(at)
                file.write(bytes([whole[at] ^ 0x01]))
                gone = lines[number : number + 1]
            elif how == "cut":
                file.truncate(at)
                gone = lines[number:]
            else:
                file.seek(begin)
                file.write(b"".join(lines[number + 1 :]))
                file.truncate(len(whole) - len(lines[number]))
                gone = lines[number : number + 1]
        self.damaged.add(path.stem)
        self.hit.update(found for line in gone for found in ids_in(line))
        if path.suffix == ".open" and how != "flip":  # as if its writer had died before it wrote those
            self.unseen.update(each for each in self.hit & {*self.recorded} if self.recorded[each][0] == path.stem)
        for destination in self.destinations.values():  # it may be sent anew, once: by other numbers nobody knows it
            destination.excused.update(name for name, (segment, _) in self.recorded.items() if segment == path.stem)

    def _damageable(self) -> list[Path]:
        written = {
            segment.name
            for process in self.processes
            for segment in (process.journal._segment, *process.journal._ended)
            if segment is not None
        }
        found = files.listing(self.root / "journal") if (self.root / "journal").exists() else []
        return [path for path in found if path.suffix in {".open", ".closed"} and path.stem not in written]

    def _is_damaged(self, segment: str) -> bool:
        return segment in self.damaged

    def _is_lost(self, name: str) -> bool:
        """Return whether damage took an event: what it left of it is kept."""
        segment = self.recorded[name][0]
        if segment not in self.damaged:
            return False
        aside = self.root / "journal" / f"{segment}.corrupt"
        return name in self.hit or (aside.exists() and name in ids_in(aside.read_bytes()))

    # ------------------------------------------------------------------ what must hold

    @invariant()
    def nothing_is_wrong(self) -> None:
        """Nothing is told but what has happened."""
        for process in self.processes:
            told = {*process.reporter.counts()} - USUAL
            assert told <= (OF_DAMAGE if self.damaged else set()), told

    @invariant()
    def marks_do_not_wait_for_others(self) -> None:
        """What another process delivers, or leaves to its own lane, is not waited for."""
        for _, worker in self._workers():
            others: set[str] = set()
            for _, each in self._workers(worker.destination.name):
                if each is not worker:
                    others |= each.feed._held.keys()
            others -= worker.feed._own  # what its own process recorded is waited for whoever delivers it
            for asked in worker.marks:
                asked.waits_for = {each for each in asked.waits_for if self.recorded[each][0] not in others}

    @invariant()
    def all_is_accounted_for(self) -> None:
        """What was recorded and is neither delivered nor a dead letter is pending."""
        for lane, destination in self.destinations.items():
            if not (self.root / "lanes" / lane).exists():
                continue
            pending = backlog(self.root, lane)
            sure = {each for each, (segment, _) in self.recorded.items() if segment not in self.damaged}
            sure -= destination.unsure
            settled = destination.known | destination.buried
            loose = len(destination.unsure) + sum(segment in self.damaged for segment, _ in self.recorded.values())
            loose += len(self.hit - self.recorded.keys()) + len(self.damaged) + self.deaths
            assert len(sure - settled) <= pending <= len(sure - settled) + loose, (
                lane,
                pending,
                sure - settled,
            )

    def teardown(self) -> None:
        """In the end each destination has what it takes, and nothing is left."""
        try:
            self._finish()
        finally:
            for process in tuple(self.processes):
                self._let_go(process)
            shutil.rmtree(self.root.parent)
            self.patch.undo()

    def _finish(self) -> None:
        self._let_go_of_all_but_lanes()
        for destination in self.destinations.values():
            destination.weather = "up"
        if self.ends_with == "with bad events":
            self._give_up_bad_events()
        for destination in self.destinations.values():
            destination.answers.clear()
        for process, _ in self._workers():
            with owned(process.opened):
                process.journal.rest()
        self._catch_up()
        self._see_that_all_is_done()

    def _let_go_of_all_but_lanes(self) -> None:
        for process in tuple(self.processes):
            if self.ends_with == "anew" or not process.workers:
                self._let_go(process)
        if self.ends_with == "with bad events":  # whose own lane has nothing accepted does not know what that means
            for lane in self.destinations:
                for process, _ in self._workers(lane)[1:]:
                    self._let_go(process)
        for lane in self.destinations:
            if not self._workers(lane):
                self._begin_for(lane)

    def _give_up_bad_events(self) -> None:
        """What fails by itself for long enough, while others are accepted, is a dead letter in the end."""
        bad = {lane: self._waiting_for(destination)[-4:] for lane, destination in self.destinations.items()}
        for lane, destination in self.destinations.items():
            destination.answers = dict.fromkeys(bad[lane], "fails")
        process, _ = self._workers()[0]
        for number in range(int(3 * GIVE_UP / 200)):
            with owned(process.opened):
                self._append(process, self._name(), 0)
                if number % 3 == 0:
                    process.journal.rest()
            for each, worker in self._workers():
                self._run(each, worker)
            self.clock.advance(200)
        for lane, destination in self.destinations.items():
            assert {*bad[lane]} <= {*self._letters(destination)}, f"{lane} never gives up {bad[lane]}"

    def _waiting_for(self, destination: Destination) -> list[str]:
        done = {*destination.accepted, *self._letters(destination)}
        return [
            name for name, (segment, _) in self.recorded.items() if name not in done and segment not in self.damaged
        ]

    def _see_that_all_is_done(self) -> None:
        for process, worker in self._workers():
            with owned(process.opened):
                worker.dispatcher.scan(eager=True)
            self._run(process, worker)
            assert worker.dispatcher.stats().pending == 0
            self._ask_marks(process, worker, looked=True)
            assert not worker.marks or self.damaged
            self._see_that_it_has_all(worker)
            for each, (segment, _) in self.recorded.items():
                assert self._ask_fate(process, worker, each) is not False or segment in self._unread(worker)
        unread = {name for _, worker in self._workers() for name in self._unread(worker)}
        for process in tuple(self.processes):
            self._end(process)
        left = [*(self.root / "journal").iterdir(), *(self.root / "lanes").glob("*/*")]
        names = [path.name for path in left if path.suffix not in KEPT and path.stem not in unread]
        assert not names, f"{names} are left"

    def _unread(self, worker: Worker) -> set[str]:
        """Return the segments of which damage has left nothing that can be read: they stay as they are."""
        return worker.feed._refused if self.damaged else set()

    # ------------------------------------------------------------------ choosing

    def _some(self, pick: int, number: int) -> list[str]:
        names = [*self.recorded]
        return [names[-1 - (pick + each) % len(names)] for each in range(min(number, len(names)))]

    def _any(self, pick: int) -> Process:
        return self.processes[pick % len(self.processes)]

    def _workers(self, lane: str = "") -> list[tuple[Process, Worker]]:
        return [
            (process, worker)
            for process in self.processes
            for name, worker in process.workers.items()
            if not lane or name == lane
        ]

    def _any_worker(self, pick: int) -> tuple[Process, Worker]:
        workers = self._workers()
        return workers[pick % len(workers)]

    def _letters(self, destination: Destination) -> list[str]:
        return [letter.id for letter in letters_of(self.root, destination.name) if letter.event is not None]


def ids_of(batch: Batch) -> list[str]:
    return [record.event.id for record in batch.records]


def ids_in(data: bytes) -> set[str]:
    return {found.decode() for found in re.findall(rb'"text":"(e\d+) ', data)}


TestDeliveryModel = DeliveryModel.TestCase
TestDeliveryModel.settings = settings(
    max_examples=int(os.environ.get("AUDITKIT_MODEL_EXAMPLES", "100")),
    stateful_step_count=int(os.environ.get("AUDITKIT_MODEL_STEPS", "50")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
