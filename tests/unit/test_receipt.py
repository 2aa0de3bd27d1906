"""A receipt tells what became of one event, and never what nobody knows."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Final

import pytest

from auditkit.errors import DeliveryRejected, ReceiptUnavailable, Rejected
from auditkit.receipt import Followed, Nobody, Receipt, Watch
from auditkit.testing import DrivenClock, ScriptedTransport
from tests.unit.delivery.builders import Bench, run

if TYPE_CHECKING:
    from auditkit.protocols import Position

PLACE: Final[Position] = ("segment", 3)


class Told:
    """A destination whose answers a test gives."""

    name = "told"

    def __init__(self, *fates: bool | None, refused: str | None = None) -> None:
        self.fates = list(fates)
        self.refused = refused
        self.waited: list[float] = []

    def refusal(self, event_id: str) -> str | None:
        return self.refused if event_id == "e1" else None

    def fate(self, position: Position) -> bool | None:
        assert position == PLACE
        return self.fates[0] if len(self.fates) == 1 else self.fates.pop(0)

    def wait(self, position: Position, timeout: float) -> None:
        self.waited.append(timeout)


def receipt(*destinations: Told | Nobody, gone: str = "", place: Position = PLACE) -> Receipt:
    return Receipt("e1", place, Watch(destinations, DrivenClock(), gone=gone))


def test_receipt_shows_its_event() -> None:
    """A receipt is known by its event."""
    assert ("<Receipt of event e1>", "e1") == (repr(receipt()), receipt().id)


@pytest.mark.parametrize(
    "fates, done", [((), True), ((True,), True), ((True, True), True), ((True, False), False), ((False,), False)]
)
def test_receipt_is_done_when_all_have_it(fates: tuple[bool, ...], *, done: bool) -> None:
    """An event is done when every transport has it; without a transport, once it is recorded."""
    assert done is receipt(*map(Told, fates)).done()


@pytest.mark.parametrize("destinations", [[Told(None)], [Told(False), Told(None)], [Nobody()]])
def test_receipt_is_unavailable_where_nobody_knows(destinations: list[Told | Nobody]) -> None:
    """Where nobody here can know, that is said at once."""
    with pytest.raises(ReceiptUnavailable, match="^nobody here can tell"):
        receipt(*destinations).result()


def test_receipt_of_works_that_are_gone() -> None:
    """After a shutdown what was delivered is done, and what was not is unavailable, with the reason."""
    assert receipt(Told(True), gone="shut down").done()
    with pytest.raises(ReceiptUnavailable, match="^shut down$"):
        receipt(Told(False), gone="shut down").result(timeout=60)


def test_receipt_of_what_was_not_recorded() -> None:
    """An event that is nowhere cannot be followed."""
    with pytest.raises(ReceiptUnavailable, match="^the event was not recorded"):
        receipt(place=("", -1)).done()


def test_receipt_waits_for_the_one_that_is_late() -> None:
    """The wait is at the destination that has not accepted yet, a moment at a time."""
    quick, slow = Told(True), Told(False, False, False, True)
    receipt(quick, slow).result()

    assert ([], [0.1]) == (quick.waited, slow.waited)


def test_receipt_gives_up_at_its_timeout() -> None:
    """A timeout is a TimeoutError that says how it stands."""
    with pytest.raises(
        TimeoutError, match="^event e1 was not delivered within 0 s; it is recorded, and delivery goes on$"
    ):
        receipt(Told(False)).result(timeout=0)


def test_receipt_counts_its_timeout_on_the_clock() -> None:
    """The deadline is on the trail's clock."""
    clock = DrivenClock()

    class Late(Told):
        def wait(self, position: Position, timeout: float) -> None:
            super().wait(position, timeout)
            clock.advance(timeout)

    late = Late(False)
    with pytest.raises(TimeoutError):
        Receipt("e1", PLACE, Watch([late], clock)).result(timeout=0.25)

    assert [0.1, 0.1, 0.05] == [round(each, 6) for each in late.waited]


async def test_receipt_can_be_awaited() -> None:
    """A coroutine waits without holding its loop, and hears of a refusal as a caller does."""
    await receipt(Told(False, False, True))
    with pytest.raises(ReceiptUnavailable):
        await receipt(Told(False, None))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(_wait(receipt(Told(False))), 0.01)


async def _wait(waiting: Receipt) -> None:
    await waiting


def test_receipt_raises_the_refusal() -> None:
    """A dead letter is an error that names destination and reason."""
    bench = Bench(ScriptedTransport(Rejected("no such schema")))
    bench.record()
    dispatcher = bench.dispatcher()
    run(dispatcher)

    class Asked(Told):
        def fate(self, position: Position) -> bool | None:
            return dispatcher.fate(bench.positions[0])

    with pytest.raises(DeliveryRejected, match="^scripted rejected the event: no such schema$") as caught:
        receipt(Asked()).result()
    assert ("scripted", "no such schema") == (caught.value.destination, caught.value.reason)


def test_receipt_of_what_another_process_buried_is_refused() -> None:
    """Who only follows a destination hears that it passed the event: that it is a dead letter its letters tell."""
    assert not receipt(Told(False, refused="no such schema")).done()
    with pytest.raises(DeliveryRejected, match="^told rejected the event: no such schema$"):
        receipt(Told(True), Told(True, refused="no such schema")).result()


def test_receipt_follows_an_event_that_moved() -> None:
    """An event that went to another journal is asked for there."""
    there = Told(True)
    old, new = Watch([Told(False)], DrivenClock(), gone="left"), Watch([there], DrivenClock())
    old.moved = ({("memory", 0): PLACE}, new)

    assert Receipt("e1", ("memory", 0), old).done()


def test_receipt_follows_a_cursor_that_another_process_moves() -> None:
    """Where others deliver, their progress is all there is to ask, and to wait for a moment."""
    bench = Bench()
    bench.record()
    (place,) = bench.positions
    waiting = Receipt("e1", place, Watch([Followed("scripted", bench.feed)], bench.clock))
    assert not waiting.done()

    other = threading.Thread(target=run, args=(bench.dispatcher(),))
    other.start()
    waiting.result(timeout=10)
    other.join()
