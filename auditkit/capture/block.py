"""``auditing``: what ``@audited`` does for a function, for a block of code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NoReturn

from auditkit import _current
from auditkit.capture.call import CALL
from auditkit.capture.composition import ABANDONED, CANCELLED
from auditkit.capture.declaration import Statement, declare_block
from auditkit.capture.entry import Entry
from auditkit.capture.runners import is_cancellation, leave
from auditkit.capture.site import Site
from auditkit.context import current_scope
from auditkit.errors import AuditDefinitionError, RecordingFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextvars import Token
    from types import TracebackType

    from auditkit.capture.audited import ActionTypeName
    from auditkit.capture.call import Call
    from auditkit.protocols import Recorder


class auditing:  # noqa: N801  (used like a function)
    """Record a block of code as one event, with ``with`` or ``async with``. Everything given is a value.

    What the block is given is read when it is entered, and the states once more when it is left; the entry that
    it yields takes what is known only inside.

    Args:
        action: What is done: a category and a name separated by a period.
        action_type: ``"C"``, ``"R"``, ``"U"`` or ``"D"``.
        target: What it is done to: an id, an ``(id, name)`` pair, or an object with ``pk`` or ``id``.
        actor: Who does it, where that is not the context's actor.
        group: For which group, where that is not the context's.
        capture: The object to be observed: before the block for U and D, after it for C and U, and for R.
        before: The state before the block, where that is another object than the one after it.
        after: The state after the block.
        fields: The only fields of the state that are recorded.
        exclude: The fields of the state that are not; not together with ``fields``.
        redact: Names whose values are redacted, beside the trail's rules.
        metadata: More to record, in any form that ``capture`` takes.
        when: ``"changed"``: an update that changed nothing is not recorded.
        on_error: As for `audited`.
        on_audit_error: ``"log"`` or ``"raise"``; by default what the trail says.
        trail: Where to record; the process-wide trail by default.

    Raises:
        RecordingFailed: On entering or leaving, where ``on_audit_error="raise"`` asks for it. What is wrong with
            the arguments is an audit error too: a block must not fail for its record.
    """

    def __init__(  # noqa: PLR0913  (the design's names; all but two by keyword)
        self,
        action: str,
        action_type: ActionTypeName,
        *,
        target: object = None,
        actor: object = None,
        group: object = None,
        capture: object = None,
        before: object = None,
        after: object = None,
        fields: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        redact: Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
        when: Literal["changed"] | None = None,
        on_error: str | None = None,
        on_audit_error: Literal["log", "raise"] | None = None,
        trail: Recorder | None = None,
    ) -> None:
        self._stated = Statement(
            action=action,
            action_type=action_type,
            target=target,
            actor=actor,
            group=group,
            capture=capture,
            before=before,
            after=after,
            fields=fields,
            exclude=exclude,
            redact=redact,
            metadata=metadata,
            when=when,
            outcome=None,
            on_error=on_error,
            on_audit_error=on_audit_error,
        )
        self._given = trail
        self._site: Site | None = None
        self._call: Call | None = None
        self._token: Token[Call | None] | None = None

    def __call__(self, _: object) -> NoReturn:
        """Refuse to decorate."""
        raise AuditDefinitionError("auditing is for blocks: write `with auditing(...)`, or decorate with @audited(...)")

    def __enter__(self) -> Entry:
        """Begin, and return the entry."""
        trail, scope = self._given or _current.trail or _current.resolve(), current_scope()
        if not trail.enabled or (scope is not None and scope.suppressing):
            return Entry(None)
        site = self._site = self._declared(trail)
        if site is None:
            return Entry(None)
        call = self._call = site.begin(trail, scope, (), {})
        self._token = CALL.set(call)
        return Entry(call)

    def _declared(self, trail: Recorder) -> Site | None:
        stated = self._stated
        try:
            return Site(_unused, declare_block(stated), self._given)
        except AuditDefinitionError as error:
            trail.trouble("not_recorded", str(error), cause="auditing", error=error)
            if trail.raises if stated.on_audit_error is None else stated.on_audit_error == "raise":
                raise RecordingFailed(str(error)) from None
            return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Record what was done; what the block raised goes on."""
        site, call = self._site, self._call
        if self._left(error) and site is not None and call is not None:
            site.settle(call.trail, None, error)

    async def __aenter__(self) -> Entry:
        """Begin as `__enter__` does."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Record as `__exit__` does, without holding the event loop for the disk."""
        site, call = self._site, self._call
        if self._left(error) and site is not None and call is not None and not isinstance(error, GeneratorExit):
            await site.asettle(call.trail, None, error)

    def _left(self, error: BaseException | None) -> bool:
        """Record the block; return whether the device is to be waited for."""
        site, call, token = self._site, self._call, self._token
        if site is None or call is None or token is None:
            return False
        self._call = self._token = None
        if not leave(token) and CALL.get() is call:  # in a generator that was resumed in another context
            CALL.set(call.parent)
        if error is None:
            site.returned(call)
            return call.trail.syncs_each
        unfinished = CANCELLED if is_cancellation(error) else ""
        if isinstance(error, GeneratorExit):
            unfinished = ABANDONED
        return site.raised(call, error, unfinished=unfinished) and call.trail.syncs_each


def _unused() -> None:
    """Stand where a site keeps its function: a block runs itself."""
