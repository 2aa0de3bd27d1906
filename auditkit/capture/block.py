"""``auditing``: what ``@audited`` does for a function, for a block of code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from auditkit import _current
from auditkit.capture.call import CALL, under_way
from auditkit.capture.composition import ABANDONED, CANCELLED
from auditkit.capture.declaration import Statement, declare_block, is_trail, read
from auditkit.capture.entry import Entry
from auditkit.capture.runners import is_cancellation
from auditkit.capture.site import Site
from auditkit.context import current_scope
from auditkit.errors import AuditDefinitionError, RecordingFailed
from auditkit.event import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
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

    Thread-safety: one object may be entered again, and from many threads and tasks; each entry is an event of its own.
    One that is left in another context than it was entered in, as happens with a generator dependency that runs in a
    thread pool, is known only while no other entry of the object is under way: else it is told as ``not_recorded``, and
    no event is made of it. Where that may be, give each block an ``auditing(...)`` of its own.

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
            fields=read(fields),
            exclude=read(exclude),
            redact=read(redact),
            metadata=metadata,
            when=when,
            outcome=None,
            on_error=on_error,
            on_audit_error=on_audit_error,
            trail=trail,
        )
        self._given = trail if is_trail(trail) else None  # what is none is told where there is one
        # Each call that was begun here and has not ended, the latest last; where nothing is recorded, nobody's.
        self._entered: dict[object, tuple[Site, Call] | None] = {}
        self._strays: list[None] = []  # one for each that was left, nobody knows which; no number: threads share it

    def __call__(self, _: object) -> NoReturn:
        """Refuse to decorate."""
        raise AuditDefinitionError("auditing is for blocks: write `with auditing(...)`, or decorate with @audited(...)")

    def __enter__(self) -> Entry:
        """Begin, and return the entry."""
        trail = self._recorder()
        if trail is None or (site := self._declared(trail)) is None:
            self._entered[object()] = None
            return Entry(None)
        call = site.begin(trail, current_scope(), (), {})
        self._entered[call] = site, call
        CALL.set(call)
        return Entry(call)

    def _recorder(self) -> Recorder | None:
        """Return who records what is done here; None where nothing is recorded."""
        trail, scope = _current.chosen(self._given), current_scope()
        return None if not trail.enabled or (scope is not None and scope.suppressing) else trail

    def _declared(self, trail: Recorder) -> Site | None:
        stated = self._stated
        try:
            return Site(_unused, declare_block(stated), self._given)
        except AuditDefinitionError as error:
            trail.trouble("not_recorded", str(error), cause=f"auditing.{describe(stated.action)}", error=error)
            if trail.raises if stated.on_audit_error is None else stated.on_audit_error == "raise":
                raise RecordingFailed(str(error)) from None
            return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Record what was done; what the block raised goes on."""
        left = self._left(error)
        if left is not None:
            site, call = left
            site.settle(call.trail, None, error)

    async def __aenter__(self) -> Entry:
        """Begin as `__enter__` does."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Record as `__exit__` does, without holding the event loop for the disk."""
        left = self._left(error)
        if left is not None and not isinstance(error, GeneratorExit):
            site, call = left
            await site.asettle(call.trail, None, error)

    def _left(self, error: BaseException | None) -> tuple[Site, Call] | None:
        """Record the block; return of what the device is to be waited for, if it is."""
        left = self._latest(error)
        if left is None:
            return None
        site, call = left
        innermost = CALL.get() is call
        around = call.parent if innermost or call in _calls_here() else None
        if innermost:
            CALL.set(under_way(around))
        try:
            recorded = self._recorded(site, call, error)
        finally:
            if not innermost:
                call.parent = around  # one inside of it is left later, and finds the way out through it
        return left if recorded and call.trail.syncs_each else None

    @staticmethod
    def _recorded(site: Site, call: Call, error: BaseException | None) -> bool:
        if error is None:
            site.returned(call)
            return True
        unfinished = CANCELLED if is_cancellation(error) else ""
        return site.raised(call, error, unfinished=ABANDONED if isinstance(error, GeneratorExit) else unfinished)

    def _latest(self, error: BaseException | None) -> tuple[Site, Call] | None:
        """Return what is to be left: of threads and tasks that share this object, each its own."""
        for call in _calls_here():
            if call in self._entered:
                left = self._entered.pop(call)
                self._forget_strays()
                return left
        return self._stray(error)

    def _stray(self, error: BaseException | None) -> tuple[Site, Call] | None:
        """Return what was entered where nothing is recorded, or in another context: never what may be another's."""
        entered = self._entered.copy()
        recorded = [each for each in entered.values() if each is not None]
        unrecorded = [key for key, each in entered.items() if each is None]
        if (unrecorded and (not recorded or self._recorder() is None)) or len(entered) == 1:
            left = self._entered.pop(unrecorded[-1] if unrecorded else next(iter(entered)), None)
            self._forget_strays()
            return left
        if recorded:
            self._strays.append(None)
            self._forget_strays()
            site, call = recorded[-1]
            site.lost(call.trail, _STRAY, error=error)
        return None

    def _forget_strays(self) -> None:
        """Drop what nobody is going to leave any more."""
        if self._strays and len(entered := list(self._entered)) <= len(self._strays):
            for key in entered:
                self._entered.pop(key, None)
            del self._strays[: len(entered)]


_STRAY: Final = (
    "its event could not be recorded: the block was left in another context than it was entered in, and more of the "
    "same object are under way; give each block an auditing(...) of its own"
)


def _calls_here() -> Iterator[Call]:
    """Yield the call that is under way here, and those around it."""
    call = CALL.get()
    while call is not None:
        yield call
        call = call.parent


def _unused() -> None:
    """Stand where a site keeps its function: a block runs itself."""
