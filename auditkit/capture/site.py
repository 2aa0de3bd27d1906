"""One decorated function: what must happen around each call of it, whatever kind of callable it is.

Nothing here alters the call: the same result, the same exception object, its traceback intact. Trouble of
auditkit's own is counted and logged, and raised only where that was asked for.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from auditkit.capture.awaiting import fetch
from auditkit.capture.call import CALL, new_call
from auditkit.capture.composition import (
    DENIED,
    FAILURE,
    SUCCESS,
    compose,
    further,
    is_wanted,
    judge,
    observe,
    rehearse,
)
from auditkit.capture.declaration import RAISE, RECORD, SKIP, Declaration
from auditkit.capture.holding import hold, holder
from auditkit.errors import AuditError, RecordingFailed
from auditkit.native import in_c

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditkit.capture.call import Call
    from auditkit.context import Scope
    from auditkit.event import MetadataValue
    from auditkit.protocols import Recorder
    from auditkit.redaction import Redactor

_get_call = CALL.get  # bound once: it is looked up on every audited call


@in_c("Site")
class _Fields:
    __slots__ = ("declared", "given", "wrapped")

    def __init__(self, wrapped: Callable[..., Any], declared: Declaration, given: Recorder | None) -> None:
        self.wrapped = wrapped
        self.declared = declared
        self.given = given


class Site(_Fields):
    """One decorated function. It holds nothing of a single call: calls may overlap in threads and tasks.

    Attributes:
        wrapped: The function itself.
        declared: What it was declared to be.
        given: The trail that was given when decorating; None for the process-wide one, which is looked up at
            each call, since it may be configured later.
    """

    __slots__ = ("_combined", "_failing")

    def __init__(self, wrapped: Callable[..., Any], declared: Declaration, given: Recorder | None) -> None:
        """Keep the function, the declaration and the trail."""
        super().__init__(wrapped, declared, given)
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

    @in_c("Site.begin")
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
        call.before = call.target = call.who = call.result = call.error = call.said = call.awaited = None
        call.failed = False
        call.trouble = ""
        if not declared.awaits:
            if declared.looks_first:
                observe(call)
            if (trail.raises or declared.on_audit_error is not None) and self._raises(trail):
                self._insist(call)
        return call

    async def look(self, call: Call) -> None:
        """Do what `begin` leaves undone where the declaration has callables that may be asynchronous, if it has.

        Raises:
            RecordingFailed: As `begin` does.
        """
        if not call.declared.awaits:
            return
        await fetch(call, early=True)
        if call.declared.looks_first:
            observe(call)
        if self._raises(call.trail):
            self._insist(call)

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

    @in_c("Site.returned")
    def returned(self, call: Call) -> None:
        """Record a call that returned.

        Raises:
            RecordingFailed: It could not be recorded, and that was asked to be raised.
        """
        trail, scope = call.trail, call.scope
        try:
            if call.said is not None or call.declared.judges or (scope is not None and scope.on_commit is not None):
                self._judge(call)
            else:
                rules = trail.redactor
                draft = compose(call, self._redactor(rules) if call.declared.redact else rules)
                if draft is not None:
                    trail.write(draft)
        except Exception as error:  # noqa: BLE001  (nothing of auditkit's own may reach the application)
            self._could_not(call, error)
        if call.trouble:
            self._complain(call)
        call.release()

    def _complain(self, call: Call) -> None:
        """Raise what went wrong for auditkit in a call that returned, where that was asked for."""
        if self._raises(call.trail):
            trouble, result = call.trouble, call.result
            call.release()
            raise RecordingFailed(f"{self.declared.action} ran, and {trouble}", result)

    def _judge(self, call: Call) -> None:
        """Record a call that returned as its declaration judges it, with all that was said in it."""
        outcome = judge(call)
        if outcome is None:
            return
        call.failed = outcome != SUCCESS
        if call.failed:
            self._rename(call)
        self._write(call, {"outcome": outcome} if call.failed else {})

    def _rename(self, call: Call) -> None:
        """Let a call that failed be recorded as the action that the declaration, or the trail, names for that."""
        asked = self.declared.on_error or call.trail.on_error
        if asked not in {SKIP, RECORD}:
            call.declared = self._other(asked)

    def _write(self, call: Call, told: dict[str, MetadataValue]) -> None:
        trail, said = call.trail, call.said
        if said is not None and said.discarded:
            return
        on_commit = holder(call.scope, call.declared.action_type, succeeded=not told)
        redactor = self._redactor(trail.redactor)
        draft = compose(call, redactor, told)
        drafts = [] if draft is None else [draft]
        for each in drafts if said is None else chain(drafts, further(call, said, redactor, told)):
            try:
                if on_commit is None:
                    trail.write(each)
                else:
                    hold(on_commit, trail, each)
            except Exception as error:  # noqa: BLE001  (each by itself: the next one may find room again)
                self._could_not(call, error)

    def raised(self, call: Call, error: BaseException, *, unfinished: str = "") -> bool:
        """Record a call that raised, as it was asked to be; return whether it was. Never raises.

        Args:
            call: The call.
            error: What it raised.
            unfinished: ``"cancelled"`` or ``"abandoned"`` where it was stopped from outside: that is always
                recorded, for its effect may have happened.
        """
        is_recorded = self.records(call, error, unfinished)
        if is_recorded:
            call.error, call.failed = error, True
            if not unfinished:
                self._rename(call)
            self._record_raised(call, error, unfinished)
        call.release()
        return is_recorded

    def records(self, call: Call, error: BaseException, unfinished: str) -> bool:
        """Return whether a call that raised is recorded: not where the function did not take its arguments."""
        if unfinished or (self.declared.on_error or call.trail.on_error) == SKIP:
            return bool(unfinished)
        return not isinstance(error, TypeError) or self.declared.takes(call.args, call.kwargs or {})

    def _record_raised(self, call: Call, error: BaseException, unfinished: str) -> None:
        trail = call.trail
        try:
            outcome = unfinished or (DENIED if isinstance(error, trail.denied) else FAILURE)
            if unfinished or is_wanted(call):
                self._write(call, {"outcome": outcome, "error": type(error).__name__})
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
        text = f"its event could not be brought to the device{_reason(trouble)}"
        self.lost(trail, text, result, error=error, trouble=trouble)

    def lost(
        self,
        trail: Recorder,
        text: str,
        result: Any = None,
        *,
        error: BaseException | None = None,
        trouble: Exception | None = None,
    ) -> None:
        """Tell that what has run has no record, or none that lasts.

        Args:
            trail: Where it should have been.
            text: What is wrong with its event.
            result: What was returned.
            error: What was raised instead.
            trouble: What went wrong.

        Raises:
            RecordingFailed: It had returned, and that was asked to be raised.
        """
        action = self.declared.action
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
