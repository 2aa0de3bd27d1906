"""One runner for each kind of callable: what happens around a call, and nothing of what is recorded.

A runner never alters the call: the same result, the same exception object, its traceback intact. Trouble of
auditkit's own is counted and logged, and raised only where that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from auditkit import _current
from auditkit.capture.call import CALL, Call
from auditkit.capture.composition import CANCELLED, DENIED, FAILURE, compose, observe
from auditkit.capture.declaration import RAISE, RECORD, SKIP, Declaration
from auditkit.context import current_scope
from auditkit.errors import AuditError, RecordingFailed

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextvars import Token

    from auditkit.protocols import Recorder
    from auditkit.redaction import Redactor

Run = Callable[[tuple[Any, ...], dict[str, Any]], Any]


class Site:
    """One decorated function: its declaration, its trail, and what must happen around each call.

    It holds nothing of a single call, so that calls may overlap in threads and tasks.

    Attributes:
        declared: What the function was declared to be.
        given: The trail that was given when decorating; None for the process-wide one, which is looked up at
            each call, since it may be configured later.
    """

    __slots__ = ("_failing", "_rules", "declared", "given")

    def __init__(self, declared: Declaration, given: Recorder | None) -> None:
        """Keep the declaration and the trail."""
        self.declared = declared
        self.given = given
        self._rules: tuple[Recorder | None, Redactor | None] = (None, None)
        self._failing: Declaration | None = None  # what a raising call is recorded as, where that is another action

    def redactor(self, trail: Recorder) -> Redactor:
        """Return the trail's rules with the declaration's own names."""
        kept, rules = self._rules
        if kept is not trail or rules is None:
            names = self.declared.redact
            rules = trail.redactor.with_names(names) if names else trail.redactor
            self._rules = (trail, rules)
        return rules

    def _raises(self, trail: Recorder) -> bool:
        stated = self.declared.on_audit_error
        return trail.raises if stated is None else stated == RAISE

    def begin(self, trail: Recorder, scope: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Read what must be read before the call.

        Raises:
            RecordingFailed: The record could not be made, and that was asked to be raised.
        """
        declared = self.declared
        call = Call(declared, trail, scope, args, kwargs)
        if declared.looks_first:
            observe(call)
        if (trail.raises or declared.on_audit_error is not None) and self._raises(trail):
            self._insist(call)
        return call

    def _insist(self, call: Call) -> None:
        """Raise before the call where its record could not be made after it."""
        if not call.trouble:
            try:
                call.trail.ensure_room()
            except Exception as error:  # noqa: BLE001  (whatever it is, the record cannot be made)
                call.trouble = str(error)
        if call.trouble:
            raise RecordingFailed(f"{self.declared.action} was not run: {call.trouble}")

    def returned(self, call: Call) -> None:
        """Record a call that returned.

        Raises:
            RecordingFailed: It could not be recorded, and that was asked to be raised.
        """
        trail = call.trail
        try:
            trail.write(compose(call, self.redactor(trail)))
        except Exception as error:  # noqa: BLE001  (nothing of auditkit's own may reach the application)
            self._could_not(call, error)
        if call.trouble and self._raises(trail):
            raise RecordingFailed(f"{self.declared.action} ran, and {call.trouble}", call.result)

    def raised(self, call: Call, error: BaseException, *, cancelled: bool = False) -> bool:
        """Record a call that raised, as it was asked to be; return whether it was. Never raises.

        A cancelled call is always recorded: its effect may have happened.
        """
        trail = call.trail
        call.ended, call.error = True, error
        asked = self.declared.on_error or trail.on_error
        if asked == SKIP and not cancelled:
            return False
        if not cancelled and asked != RECORD:
            call.declared = self._other(asked)
        outcome = CANCELLED if cancelled else DENIED if isinstance(error, trail.denied) else FAILURE
        try:
            trail.write(compose(call, self.redactor(trail), {"outcome": outcome, "error": type(error).__name__}))
        except Exception as trouble:  # noqa: BLE001  (nothing of auditkit's own may reach the application)
            self._could_not(call, trouble)
        if call.trouble and self._raises(trail):
            error.add_note(f"auditkit: {self.declared.action} raised this, and {call.trouble}")
        return True

    def _other(self, action: str) -> Declaration:
        if self._failing is None or self._failing.action != action:
            self._failing = replace(self.declared, action=action, category=action.partition(".")[0])
        return self._failing

    def settle(self, call: Call) -> None:
        """Wait until the device has the event: ``fsync="always"``.

        Raises:
            RecordingFailed: The device failed, and that was asked to be raised.
        """
        try:
            call.trail.settle()
        except Exception as error:  # noqa: BLE001  (nothing of auditkit's own may reach the application)
            self._unsettled(call, error)

    async def asettle(self, call: Call) -> None:
        """Wait as `settle` does, without holding the event loop, and also when the call was cancelled."""
        try:
            await call.trail.asettle()
        except Exception as error:  # noqa: BLE001  (nothing of auditkit's own may reach the application)
            self._unsettled(call, error)

    def _unsettled(self, call: Call, error: Exception) -> None:
        self._could_not(call, error)
        if not self._raises(call.trail):
            return
        if call.error is not None:
            call.error.add_note(f"auditkit: {self.declared.action} raised this, and {call.trouble}")
        else:
            raise RecordingFailed(f"{self.declared.action} ran, and {call.trouble}", call.result) from None

    def _could_not(self, call: Call, error: Exception) -> None:
        reason = f": {error}" if isinstance(error, AuditError) else ""
        call.trouble = f"its event could not be recorded ({type(error).__name__}{reason})"
        action = self.declared.action
        call.trail.trouble("not_recorded", f"{action}: {call.trouble}", cause=action, error=error)


def run_function(site: Site, wrapped: Callable[..., Any]) -> Run:
    """Return what runs a plain function."""
    set_call, reset_call = CALL.set, CALL.reset

    def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        trail, scope = site.given or _current.trail or _current.resolve(), current_scope()
        if not trail.enabled or (scope is not None and scope.suppressing):
            return wrapped(*args, **kwargs)
        call = site.begin(trail, scope, args, kwargs)
        token = set_call(call)
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as error:
            reset_call(token)
            if site.raised(call, error) and trail.syncs_each:
                site.settle(call)
            raise
        reset_call(token)
        call.ended, call.result = True, result
        site.returned(call)
        if trail.syncs_each:
            site.settle(call)
        return result

    return run


def run_coroutine(site: Site, wrapped: Callable[..., Coroutine[Any, Any, Any]]) -> Run:
    """Return what runs a coroutine function: the same, awaited."""

    async def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        trail, scope = site.given or _current.trail or _current.resolve(), current_scope()
        if not trail.enabled or (scope is not None and scope.suppressing):
            return await wrapped(*args, **kwargs)
        call = site.begin(trail, scope, args, kwargs)
        token = CALL.set(call)
        try:
            result = await wrapped(*args, **kwargs)
        except BaseException as error:
            _leave(token)
            if site.raised(call, error, cancelled=_is_cancellation(error)) and trail.syncs_each:
                await site.asettle(call)
            raise
        _leave(token)
        call.ended, call.result = True, result
        site.returned(call)
        if trail.syncs_each:
            await site.asettle(call)
        return result

    return run


def _leave(token: Token[Call | None]) -> None:
    with suppress(ValueError):  # driven by hand from several contexts: the one it began in is left by itself
        CALL.reset(token)


def _is_cancellation(error: BaseException) -> bool:
    """Return whether this is how asyncio, trio and anyio cancel: beside Exception, and not the process's end."""
    return not isinstance(error, Exception | KeyboardInterrupt | SystemExit | GeneratorExit)
