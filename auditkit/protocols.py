"""The seams. Everything meets in `trail.py`; nothing else knows more of the others than this file says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Generator, Sequence

    from auditkit.draft import Defaults, Draft, Scene
    from auditkit.event import Event
    from auditkit.redaction import Redactor


# Where a record lies: the segment's name, and how many of its records come before. A plain tuple, since every
# audited call makes one.
Position = tuple[str, int]
Mark = dict[str, int]  # how many records segments held, of those that are not known to be acknowledged yet

# What an event's recorded JSON states of it: its id, when it occurred, its group, the id and the name of its actor, its
# action, the id and the name of its target. A plain tuple, since the ledger makes one of every event.
Stated = tuple[str, str, str, str, str, str, str, str]


class Record:
    """An event with its place in the journal.

    Args:
        position: Its place.
        event: The event, or what makes it of the body when somebody first asks for it.
        body: The JSON that was recorded for it; empty where it was never written down, in memory.
        returned: Whether it is a dead letter that was put back: the destination refused it before.
        stated: What the body states, where it was read already.

    Attributes:
        position: As given.
        body: As given.
        returned: As given.
        stated: As given.
    """

    __slots__ = ("_event", "body", "position", "returned", "stated")

    def __init__(
        self,
        position: Position,
        event: Event | Callable[[bytes], Event],
        body: bytes = b"",
        *,
        returned: bool = False,
        stated: Stated | None = None,
    ) -> None:
        """Keep what is known."""
        self._event = event
        self.position = position
        self.body = body
        self.returned = returned
        self.stated = stated

    @property
    def event(self) -> Event:
        """The event. Of two threads that ask at once, each may make it: they are equal."""
        if callable(self._event):
            self._event = self._event(self.body)
        return self._event

    def __repr__(self) -> str:
        return f"Record({self.position!r})"


class Frozen(NamedTuple):
    """A body that was sent before, or was about to be.

    Attributes:
        body: Its bytes.
        first_ns: When it was first sent, in nanoseconds since the epoch.
    """

    body: bytes
    first_ns: int


class Standing(NamedTuple):
    """How a lane stands, as the process that works it knows.

    Attributes:
        delivered: Events that the destination accepted from this process.
        failures: Attempts that failed.
        rate: Events a second that it accepted lately.
        accepted_ns: When it last accepted anything, in nanoseconds since the epoch; 0 for never.
        code: ``"failing"`` or ``"paused"`` where the last attempt failed, else empty.
        trouble: Why the last attempt failed, in the destination's own words; empty when it did not.
        since_ns: Since when attempts fail; 0 when they do not.
    """

    delivered: int = 0
    failures: int = 0
    rate: float = 0.0
    accepted_ns: int = 0
    code: str = ""
    trouble: str = ""
    since_ns: int = 0


class Journal(Protocol):
    """Where events are written down first. Safe to call from any thread."""

    def append(self, draft: Draft) -> Position:
        """Write one event down.

        When it returns, the event is recorded as durably as the journal promises. Never waits for the
        network nor for another process.

        Raises:
            JournalError: It could not be written down.
        """
        ...

    def ensure_room(self) -> None:
        """Return if one more record of the largest size will fit.

        Raises:
            JournalError: It will not.
        """
        ...

    def feed(self, lane: str, *, durable: bool) -> Feed:
        """Return what the lane of this name has still to deliver; a durable lane is remembered by its name."""
        ...

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until something happened since the moment ``seen``, at most ``timeout`` seconds.

        Returns:
            The present moment: a number that rises with every record and every `wake`. Who keeps the last one
            it saw, looks for work, and waits with it misses nothing.
        """
        ...

    def recorded(self) -> int:
        """Return how many records this process has appended."""
        ...

    def wake(self) -> None:
        """Wake all who wait, and let who is about to wait not wait."""
        ...

    def sync(self) -> bool:
        """Put everything recorded so far on the device; return whether it took it."""
        ...

    @property
    def distrusted_ns(self) -> int:
        """Return since when its device has failed, in nanoseconds; 0 where it never has in this process."""
        ...

    def latest(self) -> int:
        """Return the number of this thread's latest record, for `settle`."""
        ...

    def settle(self, number: int) -> None:
        """Return when the record of this number is on the device; any thread may wait for it.

        Raises:
            JournalError: The device failed.
        """
        ...

    def start(self) -> None:
        """Begin to work in the background (to sync); a second call does nothing.

        Raises:
            RuntimeError: No thread can be started (any more); it may be tried again.
        """
        ...

    def rest(self) -> None:
        """Put everything away as a process that ends cleanly does; a later record begins anew."""
        ...

    def stop(self) -> None:
        """End what `start` began."""
        ...


class Feed(Protocol):
    """One lane's way through the journal: each record is handed out once, and acknowledged when accepted.

    Used by one thread at a time (the lane's coordinator).
    """

    def take(self, limit: int) -> Sequence[Record]:
        """Return up to ``limit`` records not handed out yet, oldest first; empty when there are none."""
        ...

    def again(self, positions: Sequence[Position]) -> Sequence[Record]:
        """Return records once more that are not acknowledged, up to one that does not verify any more.

        Raises:
            OSError: They cannot be read (now).
        """
        ...

    def begin_anew(self, segment: str) -> None:
        """Hand out again what is not acknowledged of a segment, of which nothing is being sent."""
        ...

    def acknowledge(self, positions: Sequence[Position]) -> None:
        """Say that the destination has these records for good (or that they are dead letters)."""
        ...

    def keep_body(self, position: Position, frozen: Frozen) -> None:
        """Keep what is about to be sent of a record, until it is acknowledged. Raises nothing."""
        ...

    def drop_body(self, position: Position) -> None:
        """Keep it no longer: the destination did not take it, so that another one may be made. Raises nothing."""
        ...

    def kept_body(self, position: Position) -> Frozen | None:
        """Return what was sent of a record before, by whichever process; None where that is not known."""
        ...

    def mark(self) -> Mark:
        """Return what `reached` must be asked to hear of all that is pending now. Raises nothing."""
        ...

    def reached(self, mark: Mark) -> bool:
        """Return whether all is acknowledged that was pending at a mark; what is, is not asked about again."""
        ...

    def is_renumbered(self, position: Position) -> bool:
        """Return whether damage may have given a place to another record than the one that was written there."""
        ...

    def give_way(self, needed: Collection[str]) -> str | None:
        """Let go of a segment, none of the needed, of which others wait for the place; return its name."""
        ...

    def passed(self, position: Position) -> bool | None:
        """Return whether the record was acknowledged, wherever its lane runs; None when nobody here can know."""
        ...

    def scan(self, *, eager: bool = False) -> None:
        """Look for segments that nobody delivers, and take them over; ``eager`` takes live ones at once."""
        ...

    def tell(self, standing: Standing) -> None:
        """Leave how the lane stands where other processes can look at it. Raises nothing."""
        ...

    def pending(self) -> int:
        """Return how many records that this feed holds are not acknowledged."""
        ...

    def unreadable(self) -> bool:
        """Return whether there are segments that this process cannot read, so that what they hold waits."""
        ...

    def bury(self, event: Event, reason: str) -> None:
        """Write a dead letter, durably, before its record is acknowledged."""
        ...

    def refusal(self, event_id: str) -> str | None:
        """Return why an event of this process is a dead letter, whoever buried it; None where it is none."""
        ...

    def doubt(self, event: Event, first_ns: int) -> None:
        """Keep durably that the destination may have an event twice, having been sent it long ago. Raises nothing."""
        ...

    def close(self) -> None:
        """Let go of everything held, so that another process may go on."""
        ...


class Transport(Protocol):
    """A destination.

    Beside what every one has, a transport may have, and delivery looks for:

    - ``encode(event) -> bytes`` and ``send_encoded(event_id, body)``, both, where ``max_batch`` is 1: the bytes are
      kept before they are sent, and sent again as they were; ``send`` is not called then.
    - ``send_records(records)``, called in the place of ``send``: each `Record` has the recorded JSON too.
    - ``inline = True``: ``send`` is called on the recording thread, before the audited call returns.
    - ``probe() -> Probed``: says for ``auditkit doctor`` whether the destination is there, without an event.

    Attributes:
        name: What people call it; its lane is remembered by it.
        max_batch: How many events one ``send`` may take; 1 where the API takes one event a request.
        concurrency: How many ``send`` calls may be under way at once, each from a thread of its own.
        durable: False where it is served only while its process lives (memory, console).
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def max_batch(self) -> int: ...  # noqa: D102
    @property
    def concurrency(self) -> int: ...  # noqa: D102
    @property
    def durable(self) -> bool: ...  # noqa: D102

    def send(self, events: Sequence[Event]) -> Awaitable[None] | None:
        """Return when the destination has accepted all events; may be ``async def``.

        Raises:
            TemporaryFailure: Call again with the same events.
            Paused: The destination's configuration is wrong; keep everything and probe slowly.
            Rejected: These events will never be accepted.
        """
        ...

    def close(self) -> Awaitable[None] | None:
        """Let go of connections; called once, after the last ``send``."""
        ...


class Recorder(Protocol):
    """What capture asks of a trail: where events go, and how the trail wants them made.

    Attributes:
        enabled: False where nothing is recorded (``AUDITKIT_DISABLED``).
        raises: Whether an audit error is raised (``on_audit_error="raise"``) or logged.
        on_error: What a call that raised is recorded as, where its declaration does not say.
        denied: The exceptions that mean a denial.
        defaults: What stands where no scope says otherwise.
        scene: What an event takes outside any scope.
        redactor: The trail's rules.
        context_keys: What signs exported contexts: the first signs, all verify; empty without a secret.
        syncs_each: Whether each event must be on the device before its call returns.
        trace_ids: Whether the ids of an active OpenTelemetry span are recorded.
        time_ns: Returns nanoseconds since the epoch.
    """

    enabled: bool
    raises: bool
    on_error: str
    denied: tuple[type[BaseException], ...]
    defaults: Defaults
    scene: Scene
    redactor: Redactor
    context_keys: tuple[bytes, ...]
    syncs_each: bool
    trace_ids: bool
    time_ns: Callable[[], int]

    def write(self, draft: Draft) -> Position:
        """Record one event.

        Raises:
            JournalError: It could not be written down.
        """
        ...

    def settle(self) -> None:
        """Return when what this thread recorded is on the device; may wait for it.

        Raises:
            JournalError: The device failed.
        """
        ...

    def ensure_room(self) -> None:
        """Return if one more event can be recorded.

        Raises:
            JournalError: It cannot.
        """
        ...

    async def asettle(self) -> None:
        """Return as `settle` does, without holding the event loop; shielded from cancellation."""
        ...

    def require(self, scene: Scene, action: str) -> str:
        """Count, and log once per action, the fields of a scene that nobody bound.

        Returns:
            What is wrong where the trail requires one of them, else an empty text.
        """
        ...

    def note_unchanged(self, action: str) -> None:
        """Count an update that changed nothing, and log its hint once per action."""
        ...

    def trouble(self, code: str, message: str, *, cause: str, error: BaseException | None = None) -> None:
        """Count an audit error, and log it once per cause and window."""
        ...

    def count_rolled_back(self) -> None:
        """Count an event that was dropped, since its transaction did not commit."""
        ...

    def receipt(self, event_id: str, position: Position) -> Receipt:
        """Return a receipt for a recorded event."""
        ...


class Receipt(Protocol):
    """Proof that an event is recorded, and a way to wait until it is delivered.

    An ignored receipt costs nothing. Thread-safety: any thread may use it.

    Attributes:
        id: The event's id.
    """

    id: str

    def done(self) -> bool:
        """Return whether every transport has accepted the event; without a transport, that it is recorded.

        Raises:
            DeliveryRejected: A destination refused it for good.
            ReceiptUnavailable: Nobody here can know.
        """
        ...

    def result(self, timeout: float | None = None) -> None:
        """Return when every transport has accepted the event.

        Args:
            timeout: The longest wait, in seconds; None waits as long as it takes.

        Raises:
            DeliveryRejected: A destination refused it for good.
            ReceiptUnavailable: Nobody here can know.
            TimeoutError: It took longer.
        """
        ...

    def __await__(self) -> Generator[object, None, None]:
        """Wait as `result` does, without holding the event loop."""
        ...
