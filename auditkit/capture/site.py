"""One decorated function: what must happen around each call of it, whatever kind of callable it is.

Nothing here alters the call: the same result, the same exception object, its traceback intact. Trouble of
auditkit's own is counted and logged, and raised only where that was asked for.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from auditkit.capture.call import CALL, new_call
from auditkit.capture.composition import CANCELLED, DENIED, FAILURE, compose, observe, rehearse
from auditkit.capture.declaration import RAISE, RECORD, SKIP, Declaration
from auditkit.errors import AuditError, RecordingFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditkit.capture.call import Call
    from auditkit.context import Scope
    from auditkit.protocols import Recorder
    from auditkit.redaction import Redactor

_get_call = CALL.get  # bound once: it is looked up on every audited call


class Site:
    """One decorated function. It holds nothing of a single call: calls may overlap in threads and tasks.

    Attributes:
        wrapped: The function itself.
        declared: What it was declared to be.
        given: The trail that was given when decorating; None for the process-wide one, which is looked up at
            each call, since it may be configured later.
    """

    __slots__ = ("_combined", "_failing", "declared", "given", "wrapped")

    def __init__(self, wrapped: Callable[..., Any], declared: Declaration, given: Recorder | None) -> None:
        """Keep the function, the declaration and the trail."""
        self.wrapped = wrapped
        self.declared = declared
        self.given = given
        self._combined: tuple[Redactor, Redactor] | None = None  # a trail's rules, and with the declaration's names
        self._failing: Declaration | None = None  # what a raising call is recorded as, where that is another action

    def _redactor(self, rules: Redactor) -> Redactor:
        """Return the trail's rules with the declaration's own names."""
        if self._combined is None or self._combined[0] is not rules:
            self._combined = (rules, rules.with_names(self.declared.redact))
        return self._combined[1]

    def _raises(self, trail: Recorder) -> bool:
        stated = self.declared.on_audit_error
        return trail.raises if stated is None else stated == RAISE

    def begin(self, trail: Recorder, scope: Scope | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Read what must be read before the call.

        Raises:
            RecordingFailed: The record could not be made, and that was asked to be raised.
        """
        declared = self.declared
        call = new_call()
        call.declared = declared
        call.trail = trail
        call.scope = scope
        call.args = args
        call.kwargs = kwargs
        call.parent = _get_call()
        call.ids = []
        call.before = call.target = call.who = call.result = call.error = None
        call.trouble = ""
        if declared.looks_first:
            observe(call)
        if (trail.raises or declared.on_audit_error is not None) and self._raises(trail):
            self._insist(call)
        return call

    def _insist(self, call: Call) -> None:
        """Raise before the call where its record could not be made after it."""
        if not call.trouble:
            rehearse(call)
        if not call.trouble:
            try:
                call.trail.ensure_room()
            except Exception as error:  # noqa: BLE001  (whatever it is, the record cannot be made)
                call.trouble = f"its event could not be recorded{_reason(error)}"
        if call.trouble:
            raise RecordingFailed(f"{self.declared.action} was not run: {call.trouble}")

    def returned(self, call: Call) -> None:
        """Record a call that returned.

        Raises:
            RecordingFailed: It could not be recorded, and that was asked to be raised.
        """
        trail = call.trail
        try:
            rules = trail.redactor
            trail.write(compose(call, self._redactor(rules) if call.declared.redact else rules))
        except Exception as error:  # noqa: BLE001  (nothing of auditkit's own may reach the application)
            self._could_not(call, error)
        if call.trouble and self._raises(trail):
            trouble, result = call.trouble, call.result
            call.release()
            raise RecordingFailed(f"{self.declared.action} ran, and {trouble}", result)
        call.release()

    def raised(self, call: Call, error: BaseException, *, cancelled: bool = False) -> bool:
        """Record a call that raised, as it was asked to be; return whether it was. Never raises.

        A cancelled call is always recorded: its effect may have happened.
        """
        asked = self.declared.on_error or call.trail.on_error
        if cancelled or asked != SKIP:
            call.error = error
            if not cancelled and asked != RECORD:
                call.declared = self._other(asked)
            self._record_raised(call, error, CANCELLED if cancelled else "")
        call.release()
        return cancelled or asked != SKIP

    def _record_raised(self, call: Call, error: BaseException, outcome: str) -> None:
        trail = call.trail
        try:
            outcome = outcome or (DENIED if isinstance(error, trail.denied) else FAILURE)
            told = {"outcome": outcome, "error": type(error).__name__}
            trail.write(compose(call, self._redactor(trail.redactor), told))
        except Exception as trouble:  # noqa: BLE001  (nothing of auditkit's own may reach the application)
            self._could_not(call, trouble)
        if call.trouble and self._raises(trail):
            self._note(error, call.trouble)

    def _note(self, error: BaseException, trouble: str) -> None:
        with suppress(Exception):  # an exception may refuse to be changed
            error.add_note(f"auditkit: {self.declared.action} raised this, and {trouble}")

    def _other(self, action: str) -> Declaration:
        failing = self._failing
        if failing is None or failing.action != action:
            failing = self._failing = self.declared.named(action)
        return failing

    def settle(self, trail: Recorder, result: Any = None, error: BaseException | None = None) -> None:
        """Wait until the device has the event: ``fsync="always"``.

        Raises:
            RecordingFailed: The device failed, the function had returned, and that was asked to be raised.
        """
        try:
            trail.settle()
        except Exception as trouble:  # noqa: BLE001  (nothing of auditkit's own may reach the application)
            self._unsettled(trail, trouble, result, error)

    async def asettle(self, trail: Recorder, result: Any = None, error: BaseException | None = None) -> None:
        """Wait as `settle` does, without holding the event loop, and also when the call was cancelled."""
        try:
            await trail.asettle()
        except Exception as trouble:  # noqa: BLE001  (nothing of auditkit's own may reach the application)
            self._unsettled(trail, trouble, result, error)

    def _unsettled(self, trail: Recorder, trouble: Exception, result: Any, error: BaseException | None) -> None:
        action = self.declared.action
        text = f"its event could not be brought to the device{_reason(trouble)}"
        trail.trouble("not_recorded", f"{action}: {text}", cause=action, error=trouble)
        if not self._raises(trail):
            return
        if error is None:
            raise RecordingFailed(f"{action} ran, and {text}", result) from None
        self._note(error, text)

    def _could_not(self, call: Call, error: Exception) -> None:
        action = self.declared.action
        call.trouble = f"its event could not be recorded{_reason(error)}"
        call.trail.trouble("not_recorded", f"{action}: {call.trouble}", cause=action, error=error)


def _reason(error: Exception) -> str:
    """Return the type of what went wrong; its text only where that is auditkit's own, for others may hold data."""
    return f" ({type(error).__name__}{f': {error}' if isinstance(error, AuditError) else ''})"
