"""The journal against a model of it: whatever processes do, fail at and die of, no event is lost or handed out twice.

The processes are simulated in this one, on real files: each has a journal and feeds of its own, and one is killed by
closing its descriptors with nothing else done, which is all that a kernel does for it. Locks are those of open files,
so they hold between the simulated processes as they do between real ones. `test_journal_processes` has the real ones.

``AUDITKIT_MODEL_EXAMPLES=5000 pytest tests/integration/test_journal_model.py`` looks for longer.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from auditkit import files
from auditkit.errors import JournalError
from auditkit.journal import Keys, verify_journal
from auditkit.journal.cursor import _SLOT
from auditkit.protocols import Frozen
from auditkit.reporting import Reporter
from tests.journals import CLOCK, draft, open_journal, owned

if TYPE_CHECKING:
    from auditkit.journal import DiskJournal
    from auditkit.journal.feed import DiskFeed
    from auditkit.protocols import Position, Record

LANES = ("ledger", "workos")
PROCESSES = 3
SIZES = (0, 200, 30_000, 200_000)  # characters of an event's text: segments begin with 64 KiB, and grow


@dataclass(eq=False)
class Process:
    """A simulated process.

    Attributes:
        journal: Its journal.
        feeds: Its lanes.
        opened: Its descriptors.
        hands: What each lane has taken and not acknowledged.
        written: The ids of the events that it has recorded.
    """

    journal: DiskJournal
    feeds: dict[str, DiskFeed]
    opened: set[files.Handle]
    hands: dict[str, dict[Position, Record]] = field(default_factory=lambda: defaultdict(dict))
    written: set[str] = field(default_factory=set)


class JournalModel(RuleBasedStateMachine):
    """What may happen, and what must hold then.

    The model: the ids of all recorded events, and for each lane those that it owes, those that it has concluded, and
    the bodies that were kept and neither dropped nor concluded.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="auditkit-model-")) / "audit"
        self.reporter = Reporter(CLOCK)
        self.processes: list[Process] = []
        self.recorded: dict[str, Position] = {}
        self.owed: dict[str, set[str]] = {}
        self.concluded: dict[str, set[str]] = {}
        self.bodies: dict[tuple[str, str], bytes] = {}

    # ------------------------------------------------------------------ processes begin and end

    @initialize()
    def begin_two(self) -> None:
        """Two processes begin, as most services have more than one."""
        self.begin(lanes=LANES)
        self.begin(lanes=LANES)

    @rule(lanes=st.sampled_from([LANES, ("ledger",), ()]))
    def begin(self, lanes: tuple[str, ...]) -> None:
        """A process begins: a web worker with all lanes, a script with the ledger, one that only records."""
        if len(self.processes) == PROCESSES:
            return
        opened: set[files.Handle] = set()
        with owned(opened):
            journal = open_journal(self.root, reporter=self.reporter)
            feeds = {lane: journal.feed(lane, durable=True) for lane in lanes}
        for lane in lanes:
            self.owed.setdefault(lane, set())
            self.concluded.setdefault(lane, set())
        self.processes.append(Process(journal, feeds, opened))

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """A process ends in order."""
        process = self._any(data)
        with owned(process.opened):
            process.journal.rest()
            for feed in process.feeds.values():
                feed.close()
            process.journal.stop()
        assert not any(each in files._open for each in process.opened)
        self.processes.remove(process)

    @precondition(lambda self: self.processes)
    @rule(data=st.data(), torn=st.integers(0, 400))
    def kill(self, data: st.DataObject, torn: int) -> None:
        """A process is killed, perhaps in the middle of writing a line."""
        process = self._any(data)
        segment = process.journal._segment
        if segment is not None and torn:
            line = b"0" * 64 + b' {"id":"' + b"x" * torn
            os.pwrite(segment._file.fd, line, segment._place[0])
        for cursor in [held._cursor for feed in process.feeds.values() for held in feed._held.values()]:
            if cursor is not None and torn:  # of its two copies the one that does not count was being overwritten
                os.pwrite(cursor._file.fd, b"x" * torn, (cursor.progress.turn + 1) % 2 * _SLOT)
        self._let_go(process)

    def _let_go(self, process: Process) -> None:
        for handle in process.opened:
            files.close(handle)
        self.processes.remove(process)

    # ------------------------------------------------------------------ recording

    @precondition(lambda self: self.processes)
    @rule(data=st.data(), number=st.integers(1, 4), size=st.sampled_from(SIZES))
    def record(self, data: st.DataObject, number: int, size: int) -> None:
        """A process records."""
        process = self._any(data)
        for _ in range(number):
            self._append(process, size)

    def _append(self, process: Process, size: int) -> None:
        made = draft("x" * size)
        with owned(process.opened):
            self.recorded[made.id] = process.journal.append(made)
        process.written.add(made.id)
        for owed in self.owed.values():
            owed.add(made.id)

    @precondition(lambda self: self.processes)
    @rule(data=st.data(), written=st.integers(0, 300), code=st.sampled_from([errno.EIO, errno.ENOSPC]))
    def fail_to_record(self, data: st.DataObject, written: int, code: int) -> None:
        """The device fails, or is full, in the middle of a line: the event is refused, and the next one is not."""
        process = self._any(data)
        real = files.pwrite

        def failing(descriptor: int, line: bytes, offset: int) -> int:
            real(descriptor, line[:written], offset)
            raise OSError(code, os.strerror(code))

        with owned(process.opened), pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "pwrite", failing)
            with pytest.raises(JournalError):
                process.journal.append(draft("refused"))
        failed = process.journal._segment
        self._append(process, 0)
        assert code == errno.ENOSPC or failed is None or process.journal._segment is not failed

    @precondition(lambda self: self.processes)
    @rule(data=st.data(), prepares=st.booleans())
    def sync(self, data: st.DataObject, prepares: bool) -> None:  # noqa: FBT001  (as above)
        """A process's journal is synced, which closes what has ended, or prepares its next segment."""
        process = self._any(data)
        with owned(process.opened):
            if prepares and process.journal._spare is None:
                process.journal._prepare()
            assert process.journal.sync()

    # ------------------------------------------------------------------ delivering

    @precondition(lambda self: self._lanes())
    @rule(data=st.data(), look=st.sampled_from(["no", "once", "twice", "eagerly"]), limit=st.integers(1, 5))
    def take(self, data: st.DataObject, look: str, limit: int) -> None:
        """A lane looks for segments that nobody delivers, and takes events.

        None that the destination has, none that another process is delivering, and each as it was recorded.
        """
        process, lane = self._any_lane(data)
        with owned(process.opened):
            for _ in range(("no", "once", "twice").index(look) if look != "eagerly" else 1):
                process.feeds[lane].scan(eager=look == "eagerly")
        self._take(process, lane, limit)

    def _take(self, process: Process, lane: str, limit: int) -> list[Record]:
        with owned(process.opened):
            taken = list(process.feeds[lane].take(limit))
        for record in taken:
            elsewhere = [each for each in self.processes if record.position in each.hands[lane]]
            assert not elsewhere, f"{record.position} is being delivered to {lane} already"
            assert record.event.id not in self.concluded[lane], f"{lane} has {record.event.id} already"
            assert self.recorded[record.event.id] == record.position
            kept = process.feeds[lane].kept_body(record.position)
            assert (None if kept is None else kept.body) == self.bodies.get((lane, record.event.id))
            process.hands[lane][record.position] = record
        if len(taken) < limit:
            self._has_its_own(process, lane)
        return taken

    def _has_its_own(self, process: Process, lane: str) -> None:
        """A lane that finds nothing more has all that its own process recorded, but for what others deliver."""
        others = {
            name
            for each in self.processes
            if each is not process and lane in each.feeds
            for name in each.feeds[lane]._held
        }
        for event_id in process.written & self.owed[lane] - self.concluded[lane]:
            position = self.recorded[event_id]
            assert position in process.hands[lane] or position[0] in others, f"{lane} does not see {event_id}"

    @precondition(lambda self: self._busy())
    @rule(data=st.data(), body=st.binary(min_size=1, max_size=50), refused=st.booleans())
    def send(self, data: st.DataObject, body: bytes, refused: bool) -> None:  # noqa: FBT001  (hypothesis names it)
        """An event is sent and no answer comes: what was sent first is what is kept, unless it was refused."""
        process, lane, record = self._any_in_hand(data)
        key, feed = (lane, record.event.id), process.feeds[lane]
        with owned(process.opened):
            if key not in self.bodies:
                feed.keep_body(record.position, Frozen(body, 1))
                self.bodies[key] = body
            kept = feed.kept_body(record.position)
            if refused:
                feed.drop_body(record.position)
        assert kept is not None
        assert self.bodies[key] == kept.body
        if refused:
            del self.bodies[key]

    @precondition(lambda self: self._busy())
    @rule(data=st.data(), dead=st.booleans())
    def acknowledge(self, data: st.DataObject, dead: bool) -> None:  # noqa: FBT001  (as above)
        """A destination accepts an event, in any order, or it goes to the dead letters."""
        process, lane, record = self._any_in_hand(data)
        with owned(process.opened):
            if dead:
                process.feeds[lane].bury(record.event, "refused")
        self._acknowledge(process, lane, [record])

    @precondition(lambda self: self._busy())
    @rule(data=st.data())
    def acknowledge_all(self, data: st.DataObject) -> None:
        """A destination accepts everything that was taken."""
        process, lane, _ = self._any_in_hand(data)
        self._acknowledge(process, lane, [*process.hands[lane].values()])

    def _acknowledge(self, process: Process, lane: str, records: list[Record]) -> None:
        with owned(process.opened):
            process.feeds[lane].acknowledge([record.position for record in records])
        for record in records:
            del process.hands[lane][record.position]
            self.concluded[lane].add(record.event.id)
            self.bodies.pop((lane, record.event.id), None)

    @precondition(lambda self: any(lane in self.owed for lane in LANES))
    @rule(data=st.data())
    def drop_lane(self, data: st.DataObject) -> None:
        """A destination that no process works is dropped: nobody waits for it any more."""
        lane = data.draw(st.sampled_from(sorted(self.owed)))
        if not any(lane in process.feeds for process in self.processes):
            shutil.rmtree(self.root / "lanes" / lane)
            del self.owed[lane], self.concluded[lane]
            self.bodies = {key: body for key, body in self.bodies.items() if key[0] != lane}

    # ------------------------------------------------------------------ what must hold

    @invariant()
    def nothing_is_wrong(self) -> None:
        """Nothing is told as damaged, missed or unreadable: nothing of that kind has happened."""
        told = {*self.reporter.counts()} - {"rejected"}
        assert told <= {"no_room_ahead", "nearly_full"}, told

    @invariant()
    def chains_hold(self) -> None:
        """Every segment is as it was written."""
        if (self.root / "journal").exists():
            assert verify_journal(self.root, Keys()).first_bad is None

    @invariant()
    def fates_are_known(self) -> None:
        """Whoever asks is told that an event was concluded where it was, and never where it was not."""
        for process, lane in self._lanes():
            for event_id in self.owed[lane]:
                position = self.recorded[event_id]
                if position[0]:
                    fate = process.feeds[lane].passed(position)
                    assert fate is (event_id in self.concluded[lane]), (lane, event_id)

    def teardown(self) -> None:
        """The next process has all that was not concluded, once, and then nothing is left."""
        try:
            for process in tuple(self.processes):
                self._let_go(process)
            self.begin(lanes=LANES)
            (last,) = self.processes
            for lane in LANES:
                with owned(last.opened):
                    last.feeds[lane].scan(eager=True)
                while taken := self._take(last, lane, 100):
                    self._acknowledge(last, lane, taken)
            for lane, owed in self.owed.items():
                assert owed <= self.concluded[lane], f"{lane} lost {owed - self.concluded[lane]}"
            self.end_in_order(last)
            assert [] == [path.name for path in (self.root / "journal").iterdir() if path.suffix != ".corrupt"]
            assert [] == [*(self.root / "lanes").glob("*/*")]
        finally:
            for process in tuple(self.processes):
                self._let_go(process)
            shutil.rmtree(self.root.parent)

    def end_in_order(self, process: Process) -> None:
        with owned(process.opened):
            for feed in process.feeds.values():
                feed.scan(eager=True)
                feed.take(1)
            process.journal.rest()
            for feed in process.feeds.values():
                feed.close()
        self.processes.remove(process)

    # ------------------------------------------------------------------ choosing

    def _any(self, data: st.DataObject) -> Process:
        return self.processes[data.draw(st.integers(0, len(self.processes) - 1))]

    def _lanes(self) -> list[tuple[Process, str]]:
        return [(process, lane) for process in self.processes for lane in process.feeds]

    def _any_lane(self, data: st.DataObject) -> tuple[Process, str]:
        lanes = self._lanes()
        return lanes[data.draw(st.integers(0, len(lanes) - 1))]

    def _busy(self) -> list[tuple[Process, str, Record]]:
        return [(process, lane, record) for process, lane in self._lanes() for record in process.hands[lane].values()]

    def _any_in_hand(self, data: st.DataObject) -> tuple[Process, str, Record]:
        busy = self._busy()
        return busy[data.draw(st.integers(0, len(busy) - 1))]


TestJournalModel = JournalModel.TestCase
TestJournalModel.settings = settings(
    max_examples=int(os.environ.get("AUDITKIT_MODEL_EXAMPLES", "60")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
