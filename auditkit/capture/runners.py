"""One runner for each kind of callable: what happens around a call, and nothing of what is recorded.

A runner never alters the call: the same result, the same exception object, its traceback intact. Trouble of
auditkit's own is counted and logged, and raised only where that was asked for.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from auditkit import _current
from auditkit.capture.composition import CANCELLED, DENIED, FAILURE, compose, observe
from auditkit.capture.declaration import RAISE, RECORD, SKIP, Declaration
from auditkit.capture.entry import ENTRY, Entry
from auditkit.capture.reference import Outcome
from auditkit.context import current_scope
from auditkit.errors import AuditError, RecordingFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Token
    from auditkit.capture.reference import Args, Kwargs
    from auditkit.context import Scope
    from auditkit.protocols import Recorder
    from auditkit.redaction import Redactor

    Call = Callable[[Args, Kwargs], Any]


class Site:
    """One decorated function: its declaration, its trail, and what must happen around each call.

    It holds nothing of a single call, so that calls may overlap in threads and tasks.
    """

    __slots__ = ("_failing", "_redactor", "_trail", "declared")

    def __init__(self, declared: Declaration, trail: Recorder | None) -> None:
        """Keep the declaration; the process-wide trail is looked up at each call, since it may be configured later."""
        self.declared = declared
        self._trail = trail
        self._redactor: tuple[Recorder, Redactor] | None = None
        self._failing: Declaration | None = None  # what a raising call is recorded as, where that is another action

    def trail(self) -> Recorder:
        """Return the trail that this call goes to."""
        return self._trail or _current.trail or _current.resolve()  # type: ignore[no-any-return]  # see _current

    def redactor(self, trail: Recorder) -> Redactor:
        """Return the trail's rules with the declaration's own names."""
        kept = self._redactor
        if kept is None or kept[0] is not trail:
            names = self.declared.redact
            kept = self._redactor = (trail, trail.redactor.with_names(names) if names else trail.redactor)
        return kept[1]

    def raises(self, trail: Recorder) -> bool:
        """Return whether an audit error of this call is raised."""
        stated = self.declared.on_audit_error
        return trail.raises if stated is None else stated == RAISE

    def begin(self, trail: Recorder, args: Args, kwargs: Kwargs) -> Entry:
        """Read what must be read before the call.

        Raises:
            RecordingFailed: The record cannot be made, and that was asked to be raised.
        """
        entry = Entry(ENTRY.get())
        declared = self.declared
        if declared.before is not None or declared.target is not None:
            observe(declared, trail, entry, args, kwargs)
        if self.raises(trail):
            self._insist(trail, entry)
        return entry

    def _insist(self, trail: Recorder, entry: Entry) -> None:
        """Raise before the call where its record could not be made after it."""
        if not entry.trouble:
            try:
                trail.ensure_room()
            except Exception as error:  # noqa: BLE001  (whatever it is, the record cannot be made)
                entry.trouble = str(error)
        if entry.trouble:
            raise RecordingFailed(f"{self.declared.action} was not run: {entry.trouble}")

    def ended(  # noqa: PLR0913  (the call)
        self, trail: Recorder, scope: Scope | None, entry: Entry, args: Args, kwargs: Kwargs, result: Any
    ) -> None:
        """Record a call that returned.

        Raises:
            RecordingFailed: It could not be recorded, and that was asked to be raised.
        """
        try:
            trail.write(
                compose(
                    self.declared, trail, self.redactor(trail), scope, entry, args, kwargs, Outcome(result)
                )
            )
        except Exception as error:  # noqa: BLE001  (nothing of auditkit's own may reach the application)
            self._could_not(trail, entry, error)
        if entry.trouble and self.raises(trail):
            raise RecordingFailed(f"{self.declared.action} ran, and {entry.trouble}", result)

    def failed(  # noqa: PLR0913  (the call)
        self,
        trail: Recorder,
        scope: Scope | None,
        entry: Entry,
        args: Args,
        kwargs: Kwargs,
        error: BaseException,
        *,
        cancelled: bool = False,
    ) -> bool:
        """Record a call that raised, as it was asked to be; return whether it was. Never raises.

        A cancelled call is always recorded: its effect may have happened.
        """
        asked = self.declared.on_error or trail.on_error
        if asked == SKIP and not cancelled:
            return False
        declared = self.declared if cancelled or asked == RECORD else self._other(asked)
        outcome = CANCELLED if cancelled else DENIED if isinstance(error, trail.denied) else FAILURE
        told = {"outcome": outcome, "error": type(error).__name__}
        try:
            trail.write(
                compose(
                    declared, trail, self.redactor(trail), scope, entry, args, kwargs, Outcome(error=error), told
                )
            )
        except Exception as trouble:  # noqa: BLE001  (nothing of auditkit's own may reach the application)
            self._could_not(trail, entry, trouble)
        if entry.trouble and self.raises(trail):
            error.add_note(f"auditkit: {self.declared.action} raised this, and {entry.trouble}")
        return True

    def settle(self, trail: Recorder, entry: Entry, result: Any = None) -> None:
        """Wait until the device has the event: ``fsync="always"``.

        Raises:
            RecordingFailed: The device failed, and that was asked to be raised.
        """
        try:
            trail.settle()
        except Exception as error:  # noqa: BLE001  (nothing of auditkit's own may reach the application)
            self._unsettled(trail, entry, error, result)

    async def asettle(self, trail: Recorder, entry: Entry, result: Any = None) -> None:
        """Wait as `settle` does, without holding the event loop, and also when the call was cancelled."""
        try:
            await trail.asettle()
        except Exception as error:  # noqa: BLE001  (nothing of auditkit's own may reach the application)
            self._unsettled(trail, entry, error, result)

    def _unsettled(self, trail: Recorder, entry: Entry, error: Exception, result: Any) -> None:
        self._could_not(trail, entry, error)
        if self.raises(trail):
            raise RecordingFailed(f"{self.declared.action} ran, and {entry.trouble}", result) from None

    def _other(self, action: str) -> Declaration:
        if self._failing is None or self._failing.action != action:
            self._failing = replace(self.declared, action=action, category=action.partition(".")[0])
        return self._failing

    def _could_not(self, trail: Recorder, entry: Entry, error: Exception) -> None:
        reason = f": {error}" if isinstance(error, AuditError) else ""
        entry.trouble = f"its event could not be recorded ({type(error).__name__}{reason})"
        trail.trouble(
            "not_recorded", f"{self.declared.action}: {entry.trouble}", cause=self.declared.action, error=error
        )


def run_function(site: Site, wrapped: Callable[..., Any]) -> Call:
    """Return what runs a plain function."""
    set_entry, reset_entry = ENTRY.set, ENTRY.reset

    def run(args: Args, kwargs: Kwargs) -> Any:
        trail, scope = site.trail(), current_scope()
        if not trail.enabled or (scope is not None and scope.suppressing):
            return wrapped(*args, **kwargs)
        entry = site.begin(trail, args, kwargs)
        token = set_entry(entry)
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as error:
            reset_entry(token)
            if site.failed(trail, scope, entry, args, kwargs, error) and trail.syncs_each:
                site.settle(trail, entry)
            raise
        reset_entry(token)
        site.ended(trail, scope, entry, args, kwargs, result)
        if trail.syncs_each:
            site.settle(trail, entry, result)
        return result

    return run


def run_coroutine(site: Site, wrapped: Callable[..., Coroutine[Any, Any, Any]]) -> Call:
    """Return what runs a coroutine function: the same, awaited."""

    async def run(args: Args, kwargs: Kwargs) -> Any:
        trail, scope = site.trail(), current_scope()
        if not trail.enabled or (scope is not None and scope.suppressing):
            return await wrapped(*args, **kwargs)
        entry = site.begin(trail, args, kwargs)
        token = ENTRY.set(entry)
        try:
            result = await wrapped(*args, **kwargs)
        except BaseException as error:
            _leave(token)
            cancelled = _is_cancellation(error)
            if site.failed(trail, scope, entry, args, kwargs, error, cancelled=cancelled) and trail.syncs_each:
                await site.asettle(trail, entry)
            raise
        _leave(token)
        site.ended(trail, scope, entry, args, kwargs, result)
        if trail.syncs_each:
            await site.asettle(trail, entry, result)
        return result

    return run


def _leave(token: Token[Entry | None]) -> None:
    with suppress(ValueError):  # driven by hand from several contexts: the one it began in is left by itself
        ENTRY.reset(token)


def _is_cancellation(error: BaseException) -> bool:
    """Return whether this is how asyncio, trio and anyio cancel: beside Exception, and not the process's end."""
    return not isinstance(error, Exception | KeyboardInterrupt | SystemExit | GeneratorExit)
