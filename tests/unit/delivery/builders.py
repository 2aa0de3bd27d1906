"""Lanes over a journal in memory, and what several tests of delivery do with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditkit.delivery.dispatcher import Dispatcher
from auditkit.delivery.lane import Lane
from auditkit.encoding import draft_of
from auditkit.journal import MemoryJournal
from auditkit.protocols import Mark, Record
from auditkit.reporting import Reporter
from auditkit.testing import DrivenClock, ScriptedTransport
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from auditkit.event import Event
    from auditkit.journal.memory import MemoryFeed
    from auditkit.protocols import Frozen, Position, Standing


class BrokenFeed:
    """A feed that fails where a test says, and else is the one it stands before."""

    def __init__(self, feed: MemoryFeed) -> None:
        self._feed = feed
        self.failing: dict[str, BaseException] = {}
        self.acknowledged: list[Position] = []
        self.closed = False
        self.told: list[Standing] = []
        self.returned = False  # whether its events were dead letters before

    def take(self, limit: int) -> Sequence[Record]:
        self._check("take")
        return self._returned(self._feed.take(limit))

    def again(self, positions: Sequence[Position]) -> Sequence[Record]:
        self._check("again")
        return self._returned(self._feed.again(positions))

    def begin_anew(self, segment: str) -> None:
        self._feed.begin_anew(segment)

    def _returned(self, records: Sequence[Record]) -> Sequence[Record]:
        return [Record(record.position, record.event, record.body, returned=self.returned) for record in records]

    def acknowledge(self, positions: Sequence[Position]) -> None:
        self._check("acknowledge")
        self.acknowledged.extend(positions)
        self._feed.acknowledge(positions)

    def passed(self, position: Position) -> bool | None:
        self._check("passed")
        return self._feed.passed(position)

    def scan(self, *, eager: bool = False) -> None:
        self._check("scan")
        self._feed.scan(eager=eager)

    def unreadable(self) -> bool:
        return False

    def pending(self) -> int:
        self._check("pending")
        return self._feed.pending()

    def bury(self, event: Event, reason: str) -> None:
        self._check("bury")
        self._feed.bury(event, reason)

    def refusal(self, event_id: str) -> str | None:
        return self._feed.refusal(event_id)

    def keep_body(self, position: Position, frozen: Frozen) -> None:
        self._feed.keep_body(position, frozen)

    def drop_body(self, position: Position) -> None:
        self._feed.drop_body(position)

    def kept_body(self, position: Position) -> Frozen | None:
        return self._feed.kept_body(position)

    def mark(self) -> Mark:
        return self._feed.mark()

    def reached(self, mark: Mark) -> bool:
        return self._feed.reached(mark)

    def is_renumbered(self, position: Position) -> bool:
        return self._feed.is_renumbered(position)

    def give_way(self, needed: Collection[str]) -> str | None:
        return self._feed.give_way(needed)

    def tell(self, standing: Standing) -> None:
        self.told.append(standing)

    def doubt(self, event: Event, first_ns: int) -> None:
        self._feed.doubt(event, first_ns)

    @property
    def doubtful(self) -> list[tuple[Event, int]]:
        return self._feed.doubtful

    def close(self) -> None:
        self.closed = True
        self._feed.close()

    @property
    def dead(self) -> list[tuple[Event, str]]:
        return self._feed.dead

    def _check(self, what: str) -> None:
        if what in self.failing:
            raise self.failing[what]


@dataclass
class Bench:
    """A transport with its feed, and what is around them."""

    transport: Any = field(default_factory=ScriptedTransport)
    clock: DrivenClock = field(default_factory=DrivenClock)

    def __post_init__(self) -> None:
        self.reporter = Reporter(self.clock)
        self.journal = MemoryJournal(reporter=self.reporter)
        self.feed = BrokenFeed(self.journal.feed("scripted", durable=True))

    def record(self, number: int = 1) -> list[Event]:
        """Write events down; return them."""
        events = [an_event() for _ in range(number)]
        self.positions = [self.journal.append(draft_of(event)) for event in events]
        return events

    def dispatcher(self, **changes: Any) -> Dispatcher:
        return Dispatcher(self.transport, self.feed, clock=self.clock, reporter=self.reporter, **changes)

    def lane(self, **changes: Any) -> Lane:
        return Lane(self.transport, self.feed, self.journal, clock=self.clock, reporter=self.reporter, **changes)


def run(dispatcher: Dispatcher) -> int:
    """Attempt whatever is due, on this thread; return how many attempts that were."""
    attempts = 0
    while True:
        with dispatcher.state:
            batch = dispatcher.next()
        if batch is None:
            return attempts
        dispatcher.attempt(batch)
        attempts += 1


def ids(events: Sequence[Event]) -> list[str]:
    return [event.id for event in events]


def called_ids(transport: ScriptedTransport) -> list[list[str]]:
    return [ids(call) for call in transport.calls]
