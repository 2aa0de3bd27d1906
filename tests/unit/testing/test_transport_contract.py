"""The contract that users check their own transports against: a transport that breaks it is found out."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from auditkit.errors import Rejected, TemporaryFailure
from auditkit.testing import transport_contract
from auditkit.testing.contract import living
from auditkit.testing.contract.checking import PROMISES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from auditkit.event import Event
    from auditkit.protocols import Record


class Shelf:
    """A destination in memory, which can be told to take nothing."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.is_shut = False

    def put(self, event_id: str) -> None:
        if self.is_shut:
            raise ConnectionError("the shelf is shut")
        self.ids.append(event_id)

    @contextmanager
    def shut(self) -> Iterator[None]:
        self.is_shut = True
        try:
            yield
        finally:
            self.is_shut = False


class Sound:
    """A transport that keeps every promise."""

    name = "sound"
    max_batch = 3
    concurrency = 2
    durable = True

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def send(self, events: Sequence[Event]) -> Any:
        for event in events:
            self.shelf.put(event.id)

    def close(self) -> Any: ...


class Asynchronous(Sound):
    async def send(self, events: Sequence[Event]) -> None:
        await asyncio.sleep(0)
        super().send(events)

    async def close(self) -> None:
        await asyncio.sleep(0)


class Encoding(Sound):
    max_batch = 1

    def encode(self, event: Event) -> Any:
        return json.dumps(event.to_dict()).encode()

    def send_encoded(self, event_id: str, body: bytes) -> Any:
        json.loads(body)
        self.shelf.put(event_id)


class Choosy(Sound):
    """Takes no reads, and says so as it should."""

    def send(self, events: Sequence[Event]) -> None:
        if any(event.action_type == "R" for event in events):
            raise Rejected("no reads here")
        super().send(events)


class TakingRecords(Sound):
    def send_records(self, records: Sequence[Record]) -> Any:
        for record in records:
            json.loads(record.body or b"{}")
            self.shelf.put(record.event.id)


class NamedBadly(Sound):
    name = "My Transport"


class NamedAnew(Sound):
    _numbers: ClassVar[Iterator[int]] = itertools.count()

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf)
        self.name = f"sound-{next(self._numbers)}"


class Unspeakable(Sound):
    def __repr__(self) -> str:
        return self.url  # type: ignore[attr-defined,no-any-return]  # on purpose


class SendingLater(Sound):
    """Keeps events until it is closed."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf)
        self.kept: list[Event] = []

    def send(self, events: Sequence[Event]) -> None:
        self.kept.extend(events)

    def close(self) -> None:
        super().send(self.kept)


class SayingNo(Sound):
    """Says by what it returns that it took nothing, which nobody reads."""

    def send(self, events: Sequence[Event]) -> bool:
        return False


class SayingNoLater(Sound):
    async def send(self, events: Sequence[Event]) -> bool:
        return False


class NamingFilesByIds(Sound):
    def send(self, events: Sequence[Event]) -> None:
        for event in events:
            if "/" in event.id:
                raise FileNotFoundError(event.id)
        super().send(events)


class ForgettingTheRest(Sound):
    def send(self, events: Sequence[Event]) -> None:
        super().send(events[:1])


class WantingLists(Sound):
    def send(self, events: Any) -> None:
        super().send(events.copy())


class WithAUniqueKey(Sound):
    def send(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.id in self.shelf.ids:
                raise sqlite3.IntegrityError("UNIQUE constraint failed: events.id")
            self.shelf.put(event.id)


class ConnectingLate(Sound):
    connection: Any = None

    def send(self, events: Sequence[Event]) -> None:
        self.connection = sqlite3.connect(":memory:", check_same_thread=False)
        self.connection.close()
        super().send(events)

    def close(self) -> None:
        self.connection.close()


class SwallowingErrors(Sound):
    def send(self, events: Sequence[Event]) -> None:
        for event in events:
            try:
                self.shelf.put(event.id)
            except OSError:
                return


class Refusing(Sound):
    def send(self, events: Sequence[Event]) -> None:
        try:
            super().send(events)
        except OSError:
            raise Rejected("the shelf is shut") from None


class Telling(Sound):
    def send(self, events: Sequence[Event]) -> None:
        try:
            super().send(events)
        except OSError:
            raise TemporaryFailure(f"could not send {events[0].to_dict()}") from None


class GivingUp(Sound):
    """Keeps a connection that is dead."""

    is_dead = False

    def send(self, events: Sequence[Event]) -> None:
        if self.is_dead:
            raise ConnectionError("the connection is dead")
        try:
            super().send(events)
        except OSError:
            self.is_dead = True
            raise


class OnOneThread(Sound):
    """Keeps what belongs to a thread: SQLite says so itself."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf)
        self.connection = sqlite3.connect(":memory:")

    def send(self, events: Sequence[Event]) -> None:
        self.connection.execute("SELECT 1")
        super().send(events)

    def close(self) -> None:
        self.connection.close()


class OneAtATime(Sound):
    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf)
        self.inside = 0
        self.met = threading.Event()

    def send(self, events: Sequence[Event]) -> None:
        self.inside += 1
        if self.inside > 1:
            self.met.set()
            raise RuntimeError("busy")
        if threading.current_thread() is not threading.main_thread():
            self.met.wait(2)
        self.inside -= 1
        super().send(events)


class OfOneProcess(Sound):
    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf)
        self.process = os.getpid()

    def send(self, events: Sequence[Event]) -> None:
        if os.getpid() != self.process:
            raise RuntimeError("the connection is another process's")
        super().send(events)


class DyingInChildren(OfOneProcess):
    def send(self, events: Sequence[Event]) -> None:
        if os.getpid() != self.process:
            os.kill(os.getpid(), signal.SIGKILL)
        super().send(events)


class HangingInChildren(OfOneProcess):
    """Waits for a thread that its parent had."""

    def send(self, events: Sequence[Event]) -> None:
        if os.getpid() != self.process:
            threading.Event().wait()
        super().send(events)


class LosingWhatComesTogether(OneAtATime):
    def send(self, events: Sequence[Event]) -> None:
        with suppress(RuntimeError):
            super().send(events)


class LeavingAThread(Sound):
    ended: threading.Event

    def send(self, events: Sequence[Event]) -> None:
        threading.Thread(target=self.ended.wait, args=(60,), name="left-behind").start()
        super().send(events)


class HalfEncoding(Sound):
    max_batch = 1

    def encode(self, event: Event) -> bytes:
        return b"{}"


class EncodingBatches(Encoding):
    max_batch = 3


class EncodingText(Encoding):
    def encode(self, event: Event) -> str:
        return event.id


class RememberingWhatItEncoded(Encoding):
    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf)
        self.mine: set[str] = set()

    def encode(self, event: Event) -> bytes:
        self.mine.add(event.id)
        return b"{}"

    def send_encoded(self, event_id: str, body: bytes) -> None:
        self.mine.remove(event_id)
        self.shelf.put(event_id)


class SendingToEncode(Encoding):
    def encode(self, event: Event) -> bytes:
        self.shelf.put(event.id)
        return b"{}"


class NeedingTheBody(TakingRecords):
    def send_records(self, records: Sequence[Record]) -> None:
        for record in records:
            json.loads(record.body)
            self.shelf.put(record.event.id)


class InlineAndAsynchronous(Asynchronous):
    inline = True


class ProbingByNumber(Sound):
    def probe(self) -> int:
        return 200


class ProbingInVain(Sound):
    """Finds nobody there, and says so as it may."""

    def probe(self) -> int:
        raise ConnectionRefusedError


class ProbingWildly(Sound):
    def probe(self) -> int:
        raise ZeroDivisionError


class EncodingNothing(Encoding):
    def encode(self, event: Event) -> bytes:
        raise LookupError("no schema")


# The promise that each breaks, and no other.
BROKEN: list[tuple[type[Sound], str, str]] = [
    (NamedBadly, "it states name, max_batch, concurrency and durable", "must be up to 64 of a-z"),
    (NamedAnew, "it has one name", "remembers by its name"),
    (Unspeakable, "it can be shown", "its repr() raised AttributeError"),
    (
        NamingFilesByIds,
        "it takes events of any shape, or refuses them by Rejected",
        "an event whose id is no file's name raised FileNotFoundError",
    ),
    (ForgettingTheRest, "it takes as many events at once as it says", "has 1 of 3 events more"),
    (WantingLists, "it takes any sequence", "a tuple of events raised AttributeError"),
    (WithAUniqueKey, "it takes the same events again", "raised IntegrityError"),
    (ConnectingLate, "it can be closed without having sent", "close() raised AttributeError"),
    (SwallowingErrors, "it raises where the destination takes nothing", "send() returned while"),
    (Refusing, "it calls no outage a refusal", "raise TemporaryFailure"),
    (Telling, "its errors repeat nothing of an event", "repeats the event's data"),
    (GivingUp, "it goes on when the destination does", "raised ConnectionError: the connection is dead"),
    (OneAtATime, "it takes as many sends at once as concurrency says", "2 threads raised RuntimeError: busy"),
    (OfOneProcess, "it serves a forked child, and its parent after", "another process's: give it new locks"),
    (LosingWhatComesTogether, "it takes as many sends at once as concurrency says", "threads sent 10 events, and"),
    (DyingInChildren, "it serves a forked child, and its parent after", "a forked child ended it: give it"),
    (HangingInChildren, "it serves a forked child, and its parent after", "child did not return within"),
    (LeavingAThread, "it leaves no thread behind", "'left-behind' runs on"),
    (HalfEncoding, "it encodes and sends what it encoded, or neither", "it has encode() alone"),
    (EncodingBatches, "it encodes and sends what it encoded, or neither", "and max_batch 3"),
    (EncodingText, "it sends what another of its kind encoded, again too", "encode() returned"),
    (RememberingWhatItEncoded, "it sends what another of its kind encoded, again too", "raised KeyError"),
    (SendingToEncode, "it sends what another of its kind encoded, again too", "encode() sent the event"),
    (NeedingTheBody, "it takes records with their JSON and without", "without body, raised JSONDecodeError"),
    (InlineAndAsynchronous, "where it is inline its send is plain", "make it a plain function"),
    (EncodingNothing, "it sends what another of its kind encoded, again too", "encode() raised LookupError"),
    (ProbingWildly, "its probe tells what was found", "probe() raised ZeroDivisionError"),
    (ProbingByNumber, "its probe tells what was found", "probe() returned 200, must be a Probed"),
]
# These break several, being of no use at all.
USELESS: list[tuple[type[Sound], str, str]] = [
    (SendingLater, "a destination has the events when send() returns", "one event returned, and the destination has 0"),
    (SayingNo, "a destination has the events when send() returns", "send() returned False, which nobody looks at"),
    (SayingNoLater, "a destination has the events when send() returns", "send() returned False, which nobody looks"),
    (OnOneThread, "it can be called from any thread", "one event from another thread raised ProgrammingError"),
]


def check(make: Callable[[Shelf], Sound]) -> None:
    shelf = Shelf()
    failing: Callable[[], AbstractContextManager[object]] = shelf.shut
    transport_contract(lambda: make(shelf), received=lambda: len(shelf.ids), failing=failing)


@pytest.mark.parametrize("kind", [Sound, Asynchronous, Encoding, TakingRecords, Choosy, ProbingInVain])
def test_sound_transport_passes(kind: type[Sound]) -> None:
    """A transport that does what the protocol says is not accused, whichever of its forms it takes."""
    check(kind)


@pytest.mark.parametrize("kind, promise, told", BROKEN, ids=lambda each: getattr(each, "__name__", ""))
def test_broken_promise_is_told(kind: type[Sound], promise: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transport that breaks one promise is told that one, what was seen, and nothing else."""
    ended = threading.Event()
    monkeypatch.setattr(LeavingAThread, "ended", ended, raising=False)
    if kind is HangingInChildren:
        monkeypatch.setattr(
            living, "_LONGEST", 1.0
        )  # seconds: nothing is gained by waiting longer for what never comes
    try:
        with pytest.raises(AssertionError) as caught:
            check(kind)
    finally:
        ended.set()

    head, *lines = str(caught.value).splitlines()
    assert head == f"the transport breaks 1 of {len(PROMISES)} promises:"
    assert len(lines) == 1
    assert lines[0].startswith(f"- {promise}: ")
    assert told in lines[0]


@pytest.mark.parametrize("kind, promise, told", USELESS, ids=lambda each: getattr(each, "__name__", ""))
def test_useless_transport_is_told_every_promise_it_breaks(kind: type[Sound], promise: str, told: str) -> None:
    """All that is wrong is told at once, and the transport's own first error is the cause."""
    with pytest.raises(AssertionError) as caught:
        check(kind)

    lines = [line for line in str(caught.value).splitlines() if line.startswith(f"- {promise}: ")]
    assert len(lines) == 1
    assert told in lines[0]


def test_every_promise_is_broken_by_a_test() -> None:
    """No promise is in the contract that nothing could break."""
    assert {promise.text for promise in PROMISES} == {promise for _, promise, _ in [*BROKEN, *USELESS]}


def test_cause_is_the_transports_own_error() -> None:
    """Whoever debugs sees the line of the transport that failed."""
    with pytest.raises(AssertionError) as caught:
        check(WithAUniqueKey)

    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)


def test_a_failing_destination_is_not_needed() -> None:
    """Where a destination cannot be made to fail, what a transport does then is not judged."""
    shelf = Shelf()

    transport_contract(lambda: SwallowingErrors(shelf), received=lambda: len(shelf.ids))


def test_contract_needs_no_pytest() -> None:
    """Users of unittest, and of nothing, can check theirs."""
    code = "import sys, auditkit.testing; auditkit.testing.transport_contract; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
