"""The trail: what audited calls write to, and what users ask to emit, flush and tell."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, Self

from auditkit import _current, configuration
from auditkit.clock import SystemClock, new_id
from auditkit.configuration import DELIVERY_SHARE, DIRECTORY, MAX_BYTES
from auditkit.context import current_scope, suppressed
from auditkit.draft import Scene
from auditkit.encoding import draft_of
from auditkit.errors import AuditError, ConfigurationError, RecordingFailed
from auditkit.event import Event, describe_kind
from auditkit.native import in_c
from auditkit.receipt import Nobody, Watch
from auditkit.receipt import Receipt as TrackedReceipt
from auditkit.redaction import Redactor
from auditkit.reporting import logger
from auditkit.trail.engine import Engine

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Mapping, Sequence

    from auditkit.clock import Clock
    from auditkit.configuration import Settings
    from auditkit.draft import Draft
    from auditkit.protocols import Position, Receipt, Transport
    from auditkit.trail.examiner import Examiner
    from auditkit.trail.telling import Health, Stats

_NOWHERE: Position = ("", -1)


@in_c("Trail")
class _Fields:
    """What each call reads of a trail."""


class AuditTrail(_Fields):
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
        delivery_share: float = DELIVERY_SHARE,
        on_audit_error: Literal["log", "raise"] = "log",
        on_error: str = "skip",
        denied: type[BaseException] | tuple[type[BaseException], ...] = (PermissionError,),
        require: Sequence[str] = (),
        defaults: Mapping[str, Any] | None = None,
        redact: Iterable[str] = (),
        expose: Iterable[str] = (),
        secret: str | bytes | Sequence[str | bytes] | None = None,
        trace_ids: bool = True,
        shared_group: bool = False,
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
            delivery_share=delivery_share,
            on_audit_error=on_audit_error,
            on_error=on_error,
            denied=denied,
            require=require,
            defaults=defaults,
            redact=redact,
            expose=expose,
            secret=secret,
            trace_ids=trace_ids,
            shared_group=shared_group,
            max_bytes=max_bytes,
        )
        self._set_up(settings, clock or SystemClock())
        self._open_directory()

    @classmethod
    def of(cls, settings: Settings, *, opened: bool = False) -> Self:
        """Make the trail of settings that were checked; its directory is opened now, or with the first event.

        Raises:
            JournalUnavailable: The directory is to be opened now, and cannot be made or written.
        """
        trail = cls.__new__(cls)
        trail._set_up(settings, SystemClock())  # noqa: SLF001  (of this class)
        if opened:
            trail._open_directory()  # noqa: SLF001  (of this class)
        return trail

    def _open_directory(self) -> None:
        if not self.enabled:
            return
        builder = self._engine.builder()  # loads what the first event needs, at a time when nobody waits for it
        if self.settings.directory is not None:
            logger.info("the audit trail is kept in %s", builder.open(self.settings.directory))

    def _set_up(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self._engine = Engine(settings, clock)
        # What capture reads on every call: plain attributes, no properties.
        self.enabled = not configuration.disabled(os.environ)
        self.raises = settings.raises
        self.on_error = settings.on_error
        self.denied = settings.denied
        self.defaults = settings.defaults
        self.scene = _bare_scene(settings)
        redaction_key = next(iter(settings.subkeys("redaction")), None)
        self.redactor = Redactor(redact=settings.redact, expose=settings.expose, key=redaction_key)
        self.context_keys = settings.subkeys("context")
        self.syncs_each = settings.syncs_each
        self.trace_ids = settings.trace_ids
        self.time_ns = clock.time_ns
        self._inline = tuple(each for each in settings.transports if getattr(each, "inline", False))
        self._nowhere = Watch([Nobody()], clock)
        self._examiner: Examiner | None = None

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
        engine = self._engine
        if self._inline:  # they get it as it is kept
            from auditkit.journal import within_record  # noqa: PLC0415  (as in Engine.builder)

            draft = within_record(draft, engine.reporter)
        works = engine.sound
        position = engine.append(draft) if works is None else works.journal.append(draft)
        engine.recorded += 1  # one step for the interpreter's lock: no count is lost between threads
        if self._inline:
            self._hand_over(draft)
        return position

    def _hand_over(self, draft: Draft) -> None:
        event = draft.event()
        for transport in self._inline:
            try:
                with suppressed():
                    transport.send([event])
            except Exception as error:  # noqa: BLE001  (a transport's own trouble is not the caller's)
                message = f"{transport.name} did not take an event"
                self.trouble("inline_failed", message, cause=transport.name, error=error)

    def emit(self, event: Event) -> Receipt:
        """Record a complete event; delivery goes on in the background.

        Its metadata is redacted by the trail's rules, and so is what looks like a secret in the ids and names of actor
        and target, in the group, the location, the correlation id and the parent id; all else stays as it is.

        Returns:
            A receipt, for those who want to wait until it is delivered.

        Raises:
            RecordingFailed: It could not be recorded, and the trail was made with ``on_audit_error="raise"``.
        """
        position = self._emit(event)
        if self.syncs_each and position is not _NOWHERE:
            try:
                self.settle()
            except Exception as error:  # noqa: BLE001  (nothing of auditkit's own may reach the application unasked)
                self._not_recorded(error)
        return self._receipt_of(event, position)

    async def aemit(self, event: Event) -> Receipt:
        """Record a complete event as `emit` does; under ``fsync="always"`` the event loop is not held."""
        position = self._emit(event)
        if self.syncs_each and position is not _NOWHERE:
            try:
                await self.asettle()
            except Exception as error:  # noqa: BLE001  (as in emit)
                self._not_recorded(error)
        return self._receipt_of(event, position)

    def _emit(self, event: Event) -> Position:
        scope = current_scope()
        if not self.enabled or (scope is not None and scope.suppressing):
            return _NOWHERE
        try:
            if not isinstance(event, Event):
                raise ConfigurationError(f"emit takes an Event, got {describe_kind(event)}")  # noqa: TRY301
            return self.write(self.redactor.draft(draft_of(event)))
        except Exception as error:  # noqa: BLE001  (as in emit)
            self._not_recorded(error)
            return _NOWHERE

    def _not_recorded(self, error: Exception) -> None:
        reason = f": {error}" if isinstance(error, AuditError) else ""
        message = f"emit: an event could not be recorded ({type(error).__name__}{reason})"
        self.trouble("not_recorded", message, cause="emit", error=error)
        if self.raises:
            raise RecordingFailed(message) from None

    def _receipt_of(self, event: object, position: Position) -> Receipt:
        return self.receipt(event.id if isinstance(event, Event) else new_id(), position)

    def receipt(self, event_id: str, position: Position) -> Receipt:
        """Return a receipt for a recorded event."""
        works = self._engine.where()
        return TrackedReceipt(event_id, position, self._nowhere if works is None or not position[0] else works.watch)

    def settle(self) -> None:
        """Return when what this thread recorded is on the device.

        On the thread of an event loop it holds the loop: that is counted, and logged once a window.

        Raises:
            JournalUnavailable: The device failed.
        """
        if _on_a_loop():
            self._engine.reporter.report(
                "loop_held",
                "an event loop waited for the disk: on a loop use aemit, arecord and coroutines rather than emit, "
                "record and plain functions",
                level=logging.WARNING,
            )
        if not self._engine.beginning:  # else what a signal handler interrupted writes it down, and settles
            self._settle(self._engine.ready().journal.latest())

    async def asettle(self) -> None:
        """Return as `settle` does, without holding the event loop; a cancellation does not stop the sync."""
        import asyncio  # noqa: PLC0415  (only coroutines come here, and they have it: import auditkit stays light)

        latest = self._engine.ready().journal.latest()  # this thread's; another one waits
        syncing = asyncio.get_running_loop().run_in_executor(None, self._settle, latest)
        syncing.add_done_callback(_look_at)
        await asyncio.shield(syncing)

    def _settle(self, number: int) -> None:
        self._engine.ready().journal.settle(number)

    def ensure_room(self) -> None:
        """Return if one more event can be recorded.

        Raises:
            JournalError: It cannot.
        """
        self._engine.ensure_room()

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
                self._engine.reporter.report(
                    "default",
                    f"{action} was recorded with the default {name}; bind one with audit_context({name}=...)",
                    cause=f"{action}.{name}",
                    level=logging.WARNING,
                )
        return wrong

    def note_unchanged(self, action: str) -> None:
        """Count an update that changed nothing, and log its hint."""
        self._engine.reporter.report(
            "unchanged",
            f"{action} changed nothing; if it did, the object was changed before the call: capture it before that; "
            "or what changed is another object: give before= and after=",
            cause=action,
            level=logging.INFO,
        )

    def trouble(self, code: str, message: str, *, cause: str, error: BaseException | None = None) -> None:
        """Count an audit error, and log it once per cause and window."""
        self._engine.reporter.report(code, message, cause=cause, error=error)

    def count_rolled_back(self) -> None:
        """Count an event that was dropped, since its transaction did not commit."""
        self._engine.rolled_back += 1

    # ------------------------------------------------------------------ ending

    def flush(self, timeout: float = 10.0) -> bool:
        """Deliver everything recorded so far, and what dead processes left in the directory.

        Args:
            timeout: The longest wait, in seconds.

        Returns:
            Whether every destination, the ledger included, has everything; with ``deliver=False``, whether
            everything is on the device.
        """
        return self._engine.flush(timeout) if self.enabled else True

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
        return self._engine.shutdown(timeout)

    # ------------------------------------------------------------------ telling

    def stats(self) -> Stats:
        """Return what became of every event in this process.

        The process-wide trail's troubles include those of contexts, which belong to no trail.
        """
        from auditkit.trail.telling import Stats  # noqa: PLC0415  (as in Engine.builder)

        engine = self._engine
        troubles = Counter(engine.reporter.counts())
        if _current.trail is self:
            troubles.update(_current.reporter.counts())
        return Stats(engine.recorded, dict(troubles), dict(engine.destinations()), rolled_back=engine.rolled_back)

    def health(self) -> Health:
        """Return whether the trail does what it promises, and what keeps it from it.

        Looks into the directory too: at destinations that other processes work, or nobody, and at how full it is.
        """
        if self._examiner is None:
            from auditkit.trail.examiner import Examiner  # noqa: PLC0415  (as in Engine.builder)

            self._examiner = Examiner(self.settings, self._engine)
        return self._examiner.health()


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
        missing=defaults.missing(),
    )


def _on_a_loop() -> bool:
    """Return whether an event loop runs on this thread; where nobody imported asyncio, none does."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _look_at(done: asyncio.Future[None]) -> None:
    """Look at how a sync ended that nobody may wait for any more, or asyncio logs that nobody did."""
    if not done.cancelled():
        done.exception()
