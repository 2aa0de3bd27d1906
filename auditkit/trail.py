"""The trail: the composition root, where journal, lanes, ledger and transports meet, and what users call."""

from __future__ import annotations

import atexit
import logging
import math
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from auditkit import _current, configuration
from auditkit.clock import Clock, SystemClock, new_id
from auditkit.configuration import DIRECTORY, MAX_BYTES, SHUTDOWN_TIMEOUT, TRANSPORTS, Settings
from auditkit.delivery import Lane, LaneStats, Receipt
from auditkit.draft import Scene
from auditkit.encoding import draft_of
from auditkit.errors import AuditError, ConfigurationError, JournalError, JournalUnavailable, RecordingFailed
from auditkit.event import Event, describe
from auditkit.files import private_directory
from auditkit.journal import DiskJournal, Keys, MemoryJournal
from auditkit.redaction import Redactor
from auditkit.reporting import Reporter, logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from auditkit.draft import Draft
    from auditkit.protocols import Position, Transport

_AGAIN = 60.0  # seconds between attempts to open a directory that could not be opened


@dataclass(slots=True)
class _Works:
    """What runs once the first event is recorded; a forked child builds its own."""

    journal: DiskJournal | MemoryJournal
    lanes: list[Lane]
    ledger: Any = None  # the ledger's writer: its type is the ledger's own, which is imported when it is built
    ledger_lane: Lane | None = None

    def all_lanes(self) -> list[Lane]:
        return self.lanes if self.ledger_lane is None else [*self.lanes, self.ledger_lane]


@dataclass(frozen=True, slots=True)
class Stats:
    """What became of every event in this process.

    Attributes:
        recorded: Events written down.
        troubles: Audit errors by their codes.
        destinations: What became of the events at each destination, the ledger included.
    """

    recorded: int
    troubles: Mapping[str, int]
    destinations: Mapping[str, LaneStats]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that keeps the trail from doing what it promises.

    Attributes:
        code: A stable word, the same as in logs.
        destination: Which destination has it; None for the trail itself.
        text: What is wrong.
        remedy: What to do.
    """

    code: str
    destination: str | None
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the trail does what it promises, and what keeps it from it."""

    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Return whether there is no problem."""
        return not self.problems


class AuditTrail:
    """Where audited calls are recorded and from where they are delivered.

    Takes what `configure` takes; made directly, it is passed as ``trail=``. Safe to use from any thread;
    survives forks (a child begins a journal of its own with its first event).
    """

    def __init__(  # noqa: PLR0913  (the design's names; all but one by keyword)
        self,
        transport: Transport | Sequence[Transport] | None = None,
        *,
        directory: str | os.PathLike[str] | None = DIRECTORY,
        fsync: Literal["interval", "always"] | None = None,
        ledger: bool | None = None,
        deliver: bool = True,
        on_audit_error: Literal["log", "raise"] = "log",
        on_error: str = "skip",
        denied: type[BaseException] | tuple[type[BaseException], ...] = (PermissionError,),
        require: Sequence[str] = (),
        defaults: Mapping[str, Any] | None = None,
        redact: Iterable[str] = (),
        expose: Iterable[str] = (),
        secret: str | bytes | Sequence[str | bytes] | None = None,
        max_bytes: int = MAX_BYTES,
        clock: Clock | None = None,
    ) -> None:
        """Check everything, and make the directory; files and threads come with the first event.

        Raises:
            ConfigurationError: Something cannot work.
            JournalUnavailable: The directory cannot be made or written.
        """
        settings = configuration.settle(
            transport,
            directory=directory,
            fsync=fsync,
            ledger=ledger,
            deliver=deliver,
            on_audit_error=on_audit_error,
            on_error=on_error,
            denied=denied,
            require=require,
            defaults=defaults,
            redact=redact,
            expose=expose,
            secret=secret,
            max_bytes=max_bytes,
        )
        self.settings = settings
        self._clock = clock or SystemClock()
        redaction_key = next(iter(settings.subkeys("redaction")), None)
        # What capture reads on every call: plain attributes, no properties.
        self.enabled = not os.environ.get("AUDITKIT_DISABLED")
        self.raises = settings.raises
        self.on_error = settings.on_error
        self.denied = settings.denied
        self.defaults = settings.defaults
        self.scene = _bare_scene(settings)
        self.redactor = Redactor(redact=settings.redact, expose=settings.expose, key=redaction_key)
        self.syncs_each = settings.syncs_each
        self.time_ns = self._clock.time_ns
        self._inline = tuple(each for each in settings.transports if getattr(each, "inline", False))
        self._reporter = Reporter(self._clock)
        self._works: _Works | None = None
        self._lock = threading.RLock()
        self._recorded = 0
        self._stopped = False
        self._not_durable = ""
        self._again = -math.inf
        if settings.directory is not None and self.enabled:
            private_directory(settings.directory)
            logger.info("the audit trail is kept in %s", settings.directory)

    def __repr__(self) -> str:
        """Show where it is kept and where it goes; nothing of its secrets."""
        names = ", ".join(each.name for each in self.settings.transports) or "no transport"
        return f"<AuditTrail in {self.settings.directory or 'memory'}, {names}>"

    # ------------------------------------------------------------------ recording

    def write(self, draft: Draft) -> Position:
        """Record one event, and hand it to the transports that are called on this thread.

        Raises:
            JournalError: It could not be written down.
        """
        works = self._works or self._begin()
        if self._not_durable:
            works = self._try_again(works)
        position = works.journal.append(draft)
        self._recorded += 1
        if self._inline:
            self._hand_over(draft)
        return position

    def _hand_over(self, draft: Draft) -> None:
        event = draft.event()
        for transport in self._inline:
            try:
                transport.send([event])
            except Exception as error:  # noqa: BLE001  (a transport's own trouble is not the caller's)
                self.trouble("inline_failed", f"{transport.name} did not take an event", cause=transport.name, error=error)

    def emit(self, event: Event) -> Receipt:
        """Record a complete event; delivery goes on in the background.

        Its metadata is redacted by the trail's rules; all else stays as it is.

        Returns:
            A receipt, for those who want to wait until it is delivered.

        Raises:
            RecordingFailed: It could not be recorded, and the trail was made with ``on_audit_error="raise"``.
        """
        position = self._emit(event)
        if self.syncs_each and position[0]:
            self._contained(self.settle)
        return self.receipt(event.id if isinstance(event, Event) else new_id(), position)

    async def aemit(self, event: Event) -> Receipt:
        """Record a complete event as `emit` does; under ``fsync="always"`` the event loop is not held."""
        position = self._emit(event)
        if self.syncs_each and position[0]:
            await self.asettle()
        return self.receipt(event.id if isinstance(event, Event) else new_id(), position)

    def _emit(self, event: Event) -> Position:
        if not self.enabled:
            return _NOWHERE
        try:
            if not isinstance(event, Event):
                raise ConfigurationError(f"emit takes an Event, got {describe(event)}")  # noqa: TRY301
            draft = draft_of(event)
            return self.write(draft._replace(metadata=self.redactor.apply(dict(draft.metadata))))
        except Exception as error:  # noqa: BLE001  (nothing of auditkit's own may reach the application unasked)
            self._not_recorded("emit", error)
            return _NOWHERE

    def _contained(self, act: Any) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001  (as above)
            self._not_recorded("emit", error)

    def _not_recorded(self, where: str, error: Exception) -> None:
        reason = f": {error}" if isinstance(error, AuditError) else ""
        message = f"{where}: an event could not be recorded ({type(error).__name__}{reason})"
        self.trouble("not_recorded", message, cause=where, error=error)
        if self.raises:
            raise RecordingFailed(message) from None

    def settle(self) -> None:
        """Return when what this thread recorded is on the device.

        Raises:
            JournalUnavailable: The device failed.
        """
        (self._works or self._begin()).journal.settle()

    async def asettle(self) -> None:
        """Return as `settle` does, without holding the event loop; a cancellation does not stop the sync."""
        import asyncio  # noqa: PLC0415  (only coroutines come here, and they have it: import auditkit stays light)

        await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, self.settle))

    def ensure_room(self) -> None:
        """Return if one more event can be recorded.

        Raises:
            JournalError: It cannot.
        """
        works = self._works or self._begin()
        if self._not_durable:
            raise JournalUnavailable(self._not_durable)
        works.journal.ensure_room()

    def receipt(self, event_id: str, position: Position) -> Receipt:
        """Return a receipt for a recorded event."""
        works = self._works
        lanes = [] if works is None else works.lanes
        alive = lambda: self._works is works and not self._stopped and position[1] >= 0  # noqa: E731
        return Receipt(event_id, position, lanes if position[1] >= 0 else [_Unknown()], clock=self._clock, alive=alive)  # type: ignore[list-item]  # it tells its fate as a lane does

    # ------------------------------------------------------------------ what capture tells

    def require(self, scene: Scene, action: str) -> str:
        """Count, and log once per action, the fields of a scene that nobody bound.

        Returns:
            What is wrong where the trail requires one of them, else an empty text.
        """
        wrong = ""
        for name in scene.missing:
            if name in self.settings.require:
                wrong = f"no {name} is bound, and require={self.settings.require!r}; bind one with audit_context"
                self.trouble("missing", f"{action}: {wrong}", cause=f"{action}.{name}")
            else:
                self._reporter.report(
                    "default",
                    f"{action} was recorded with the default {name}; bind one with audit_context({name}=...)",
                    cause=f"{action}.{name}",
                    level=logging.WARNING,
                )
        return wrong

    def note_unchanged(self, action: str) -> None:
        """Count an update that changed nothing, and log its hint."""
        self._reporter.report(
            "unchanged",
            f"{action} changed nothing; if it did, the object was changed before the call: capture it before that",
            cause=action,
            level=logging.INFO,
        )

    def trouble(self, code: str, message: str, *, cause: str, error: BaseException | None = None) -> None:
        """Count an audit error, and log it once per cause and window."""
        self._reporter.report(code, message, cause=cause, error=error)

    # ------------------------------------------------------------------ building

    def _begin(self) -> _Works:
        """Open the journal and start the lanes, with the first event or after a fork."""
        with self._lock:
            if self._works is None:
                try:
                    self._works = self._build(self.settings.directory)
                except JournalUnavailable as error:
                    self._works = self._degrade(error)
                _alive.add(self)
            return self._works

    def _degrade(self, error: JournalUnavailable) -> _Works:
        self._not_durable = f"{error}; until then events are kept in memory only"
        self._again = self._clock.monotonic() + _AGAIN
        self.trouble("not_durable", self._not_durable, cause="directory")
        return self._build(None)

    def _try_again(self, works: _Works) -> _Works:
        """Go back to the directory once it can be opened; what waits in memory is delivered from there."""
        with self._lock:
            if not self._not_durable or self._clock.monotonic() < self._again:
                return self._works or works
            self._again = self._clock.monotonic() + _AGAIN
            try:
                durable = self._build(self.settings.directory)
            except JournalUnavailable:
                return works
            waiting = works.journal
            if isinstance(waiting, MemoryJournal):
                for _, draft in waiting.since(0, MAX_BYTES):
                    durable.journal.append(draft)
            self._works, self._not_durable = durable, ""
            self._end(works, self._clock.monotonic())
            return durable

    def _build(self, directory: Path | None) -> _Works:
        keys = Keys(self.settings.subkeys("chain"))
        journal: DiskJournal | MemoryJournal = (
            MemoryJournal()
            if directory is None
            else DiskJournal(
                directory,
                clock=self._clock,
                ids=new_id,
                reporter=self._reporter,
                keys=keys,
                max_bytes=self.settings.max_bytes,
                syncs_each=self.settings.syncs_each,
            )
        )
        works = _Works(journal, [])
        if self._stopped:
            return works  # after shutdown events are still recorded, for the next process to deliver
        if self.settings.deliver:
            works.lanes = [self._lane(each, journal) for each in self.settings.transports if each not in self._inline]
            if directory is not None and self.settings.ledger:
                # Imported here, the one place where that is right: `import auditkit` loads no sqlite3.
                from auditkit.ledger import LedgerWriter  # noqa: PLC0415

                works.ledger = LedgerWriter(directory, clock=self._clock, key=next(iter(self.settings.subkeys("ledger")), None))
                works.ledger_lane = self._lane(works.ledger, journal)
        self._start(works)
        return works

    def _lane(self, transport: Transport, journal: DiskJournal | MemoryJournal) -> Lane:
        feed = journal.feed(transport.name, durable=transport.durable)
        return Lane(transport, feed, journal, clock=self._clock, reporter=self._reporter)

    def _start(self, works: _Works) -> None:
        try:
            works.journal.start()
            for lane in works.all_lanes():
                lane.start()
        except RuntimeError as error:  # the interpreter is ending, or no thread is to be had
            self.trouble(
                "no_thread", "no thread can be started; events are recorded, and delivered by the next process",
                cause="start", error=error,
            )  # fmt: skip

    # ------------------------------------------------------------------ ending

    def flush(self, timeout: float = 10.0) -> bool:
        """Deliver everything recorded so far, and what dead processes left in the directory.

        Args:
            timeout: The longest wait, in seconds.

        Returns:
            Whether every destination, the ledger included, has everything.
        """
        return self._flush(self._clock.monotonic() + timeout)

    def _flush(self, deadline: float) -> bool:
        works = self._works or (self._begin() if self.settings.directory is not None and self.enabled else None)
        if works is None:
            return True
        synced = works.journal.sync()
        drained = [lane.drain(deadline) for lane in works.all_lanes()]
        return synced and all(drained)

    async def aflush(self, timeout: float = 10.0) -> bool:  # noqa: ASYNC109  (the design's name; nothing is cancelled)
        """Deliver everything as `flush` does, without holding the event loop."""
        import asyncio  # noqa: PLC0415  (as in asettle)

        return await asyncio.to_thread(self.flush, timeout)

    def shutdown(self, timeout: float = 10.0) -> bool:
        """Deliver what can be delivered in time, and let go of everything.

        Events recorded later are still written down; the next process on the directory delivers them.

        Args:
            timeout: The longest wait, in seconds.

        Returns:
            Whether every destination has everything.
        """
        deadline = self._clock.monotonic() + timeout
        with self._lock:
            works, already = self._works, self._stopped
        if works is None or already:
            self._stopped = True
            return True
        delivered = self._flush(deadline)
        with self._lock:
            self._stopped, self._works = True, None
        self._end(works, deadline)
        _alive.discard(self)
        return delivered

    def _end(self, works: _Works, deadline: float) -> None:
        works.journal.rest()
        for lane in works.all_lanes():
            lane.drain(deadline)
        for lane in works.all_lanes():
            lane.stop(deadline)
        works.journal.stop()

    # ------------------------------------------------------------------ telling

    def stats(self) -> Stats:
        """Return what became of every event in this process."""
        works = self._works
        lanes = [] if works is None else works.all_lanes()
        return Stats(self._recorded, self._reporter.counts(), {lane.name: lane.stats() for lane in lanes})

    def health(self) -> Health:
        """Return whether the trail does what it promises, and what keeps it from it."""
        problems = []
        if self._not_durable:
            problems.append(
                Problem("not_durable", None, self._not_durable, "make the directory writable; it is tried every minute")
            )
        for name, stats in self.stats().destinations.items():
            if stats.trouble:
                problems.append(
                    Problem("failing", name, f"{name} does not accept events: {stats.trouble}", "see its own status; everything is kept and tried again")
                )
        return Health(tuple(problems))

    # ------------------------------------------------------------------ forks

    def _before_fork(self) -> None:
        self._lock.acquire()
        if self._works is not None and self._works.ledger is not None:
            self._works.ledger.before_fork()  # no SQLite connection crosses a fork

    def _after_fork_in_parent(self) -> None:
        if self._works is not None and self._works.ledger is not None:
            self._works.ledger.after_fork()
        self._lock.release()

    def _after_fork_in_child(self) -> None:
        """Begin anew: the parent's segment, threads and cursors are the parent's."""
        self._lock = threading.RLock()
        self._works = None
        self._recorded = 0
        self._reporter = Reporter(self._clock)


class _Unknown:
    """A lane's stand-in for an event that was not recorded: nobody can know its fate."""

    def fate(self, position: Position) -> bool | None:
        """Return None."""
        del position

    def wait(self, timeout: float) -> None:
        """Return at once."""


_NOWHERE: Position = ("", -1)
_alive: set[AuditTrail] = set()  # trails whose threads run: for forks and for the interpreter's exit


def _bare_scene(settings: Settings) -> Scene:
    """Return what an event takes outside any scope."""
    defaults = settings.defaults
    return Scene(
        group=defaults.group,
        actor_id=defaults.actor.id,
        actor_name=defaults.actor.name,
        actor_type=defaults.actor.type,
        location=defaults.location,
        correlation_id=None,
        metadata={},
        missing=("group", "actor", "location"),
    )


def _before_fork() -> None:
    for trail in tuple(_alive):
        trail._before_fork()  # noqa: SLF001  (of this file)


def _after_fork_in_parent() -> None:
    for trail in tuple(_alive):
        trail._after_fork_in_parent()  # noqa: SLF001  (of this file)


def _after_fork_in_child() -> None:
    for trail in tuple(_alive):
        trail._after_fork_in_child()  # noqa: SLF001  (of this file)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
    )


@atexit.register
def _at_exit() -> None:
    """Deliver what can be in a moment; the rest is in the journal."""
    for trail in tuple(_alive):
        trail.shutdown(_exit_timeout())


def _exit_timeout() -> float:
    try:
        return float(os.environ["AUDITKIT_SHUTDOWN_TIMEOUT"])
    except (KeyError, ValueError):
        return SHUTDOWN_TIMEOUT


# ---------------------------------------------------------------------- the process-wide trail


def configure(  # noqa: PLR0913  (the design's names; all but one by keyword)
    transport: Transport | Sequence[Transport] | None = None,
    *,
    directory: str | os.PathLike[str] | None = DIRECTORY,
    fsync: Literal["interval", "always"] | None = None,
    ledger: bool | None = None,
    deliver: bool = True,
    on_audit_error: Literal["log", "raise"] = "log",
    on_error: str = "skip",
    denied: type[BaseException] | tuple[type[BaseException], ...] = (PermissionError,),
    require: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
    redact: Iterable[str] = (),
    expose: Iterable[str] = (),
    secret: str | bytes | Sequence[str | bytes] | None = None,
    max_bytes: int = MAX_BYTES,
) -> AuditTrail:
    """Set the process-wide trail, which every audited call without a ``trail=`` of its own uses.

    A second call shuts the first trail down, and says so.

    Args:
        transport: A destination, or a list of them, each with its own name.
        directory: Where events are kept; None for memory alone, bounded and lost with the process.
        fsync: ``"interval"``: ``kill -9`` loses nothing, a power cut at most the last 0.5 s. ``"always"``:
            a power cut loses nothing either, and each call waits for the device.
        ledger: Whether the directory has a ledger for people to read; True with a directory.
        deliver: False where another process delivers: this one only records.
        on_audit_error: ``"log"``: trouble inside auditkit never reaches the application. ``"raise"``: an
            action whose record cannot be made fails before it runs, or raises `RecordingFailed` after it.
        on_error: What a call that raises is recorded as: ``"skip"``, ``"record"`` or another action.
        denied: Exceptions that mean a denial, for calls that are recorded when they raise.
        require: Which of ``"actor"``, ``"group"``, ``"location"`` must be bound.
        defaults: What stands where nothing is bound: a mapping with these names.
        redact: Names whose values are redacted, beside those that always are.
        expose: Exact names whose values are not redacted though a rule says so.
        secret: What keys redaction and chain, kept outside the directory, of at least 16 characters; two may
            be given: the first signs, both verify.
        max_bytes: How large the journal may become before events are refused.

    Raises:
        ConfigurationError: Something cannot work.
        JournalUnavailable: The directory cannot be made or written.
    """
    trail = AuditTrail(
        transport,
        directory=directory,
        fsync=fsync,
        ledger=ledger,
        deliver=deliver,
        on_audit_error=on_audit_error,
        on_error=on_error,
        denied=denied,
        require=require,
        defaults=defaults,
        redact=redact,
        expose=expose,
        secret=secret,
        max_bytes=max_bytes,
    )
    old = _current.install(trail)
    if old is not None:
        logger.warning("configure() was called again: the trail %r is shut down", old)
        old.shutdown()
    return trail


def from_environment() -> AuditTrail:
    """Make the trail that the environment describes: for the first event of a process that configured none.

    Reads ``AUDITKIT_DIRECTORY``, ``AUDITKIT_TRANSPORT``, ``AUDITKIT_SECRET`` and ``AUDITKIT_DISABLED``. Never
    raises: the application did not call it. What cannot work is told, and the trail goes on without it.
    """
    directory = os.environ.get("AUDITKIT_DIRECTORY") or DIRECTORY
    wrong: Exception
    try:
        return AuditTrail(
            _transport_of(os.environ.get("AUDITKIT_TRANSPORT")),
            directory=directory,
            secret=os.environ.get("AUDITKIT_SECRET") or None,
        )
    except (AuditError, ImportError) as error:
        wrong = error
    return _without(wrong, directory)


def _without(wrong: Exception, directory: str) -> AuditTrail:
    """Return a trail that records, where the environment's cannot be had."""
    try:
        trail = AuditTrail(directory=directory)
    except AuditError:
        trail = AuditTrail(directory=None)
        trail._not_durable = f"{wrong}; until then events are kept in memory only"  # noqa: SLF001  (of this file)
        trail._again = math.inf  # noqa: SLF001  (of this file)
    trail.trouble("not_durable" if isinstance(wrong, JournalError) else "environment", str(wrong), cause="environment")
    return trail


def _transport_of(name: str | None) -> Transport | None:
    if not name:
        return None
    if name not in TRANSPORTS:
        raise ConfigurationError(f"AUDITKIT_TRANSPORT must be {' or '.join(TRANSPORTS)}, got {name!r}")
    # Imported here, as the ledger is: `import auditkit` loads no httpx.
    from auditkit import transports  # noqa: PLC0415

    return transports.WorkOSTransport() if name == TRANSPORTS[0] else transports.WorkOSAuditLogsTransport()


def _here() -> AuditTrail:
    trail: AuditTrail = _current.trail or _current.resolve()
    return trail


def emit(event: Event) -> Receipt:
    """Record a complete event on the process-wide trail: see `AuditTrail.emit`."""
    return _here().emit(event)


async def aemit(event: Event) -> Receipt:
    """Record a complete event on the process-wide trail: see `AuditTrail.aemit`."""
    return await _here().aemit(event)


def flush(timeout: float = 10.0) -> bool:
    """Deliver everything on the process-wide trail: see `AuditTrail.flush`."""
    return _here().flush(timeout)


async def aflush(timeout: float = 10.0) -> bool:  # noqa: ASYNC109  (the design's name; nothing is cancelled)
    """Deliver everything on the process-wide trail: see `AuditTrail.aflush`."""
    return await _here().aflush(timeout)


def shutdown(timeout: float = 10.0) -> bool:
    """End the process-wide trail: see `AuditTrail.shutdown`."""
    return True if _current.trail is None else _here().shutdown(timeout)


def stats() -> Stats:
    """Return what became of every event on the process-wide trail."""
    return _here().stats()


def health() -> Health:
    """Return whether the process-wide trail does what it promises."""
    return _here().health()


_current.register(from_environment)
