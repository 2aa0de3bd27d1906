"""``restored_context``: the scope that an exported context makes, if it is to be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from auditkit import _current
from auditkit.capture.call import CALL, Call, under_way
from auditkit.context import audit_context
from auditkit.crossing.carrying import within
from auditkit.crossing.sealing import is_signed, opened
from auditkit.errors import ContextRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token
    from types import TracebackType

    from auditkit.protocols import Recorder

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def restored_context(data: object, *, trail: Recorder | None = None) -> Restored:
    """Return the scope of a context that `export_context` made, in another process or later.

    Works as ``with``, ``async with``, and as a decorator on plain and coroutine functions. It is the exported
    context whole: nothing of a scope around shows through, and what was not bound there is the trail's default.
    Events inside have its correlation id and, where it was exported inside an audited call, that call's event as
    their parent.

    With a secret, only what was signed with it (of two, with either) is believed. Without one everything of the
    right form is, so that whoever can write to the queue can say who acted. A signature never expires, and does
    not say what the context was exported for.

    What is refused is an audit error: counted and logged with ``on_audit_error="log"``, and the scope is an empty
    one, so that the work is recorded with the trail's defaults rather than under a name that nobody vouches for.

    Args:
        data: What came.
        trail: Whose secret verifies it; the process-wide trail by default.

    Raises:
        ContextRefused: It is forged, unsigned though there is a secret, of another version, of another form or
            larger than 64 KiB, and the trail was configured with ``on_audit_error="raise"``.

    Thread-safety: what it returns may be entered from many threads and tasks; each entry is a scope of its own.
    """
    trail = _current.chosen(trail)
    try:
        fields = opened(data, trail.context_keys)
    except ContextRefused as refusal:
        trail.trouble("context_refused", f"{refusal}; what is done here has the trail's defaults", cause=refusal.reason)
        if trail.raises:
            raise
        return Restored({})
    if is_signed(data) and not trail.context_keys:
        trail.trouble(
            "context_unverified",
            "an exported context is signed, and was believed without a look at that: no secret is configured here",
            cause="restore",
        )
    return Restored(fields)


class Restored:
    """The scope of an exported context. Made by `restored_context`."""

    __slots__ = ("_parent_id", "_scope")

    def __init__(self, fields: dict[str, Any]) -> None:
        """Keep what was believed; nothing is bound before the scope is entered."""
        bound = dict(fields)
        self._parent_id: str | None = bound.pop("parent_id", None)
        self._scope = audit_context(**bound, inherit=False)

    def __enter__(self) -> None:
        """Enter a new scope."""
        self._scope.__enter__()
        if self._parent_id is not None:
            elsewhere = _Elsewhere(self._parent_id)
            elsewhere.entry = (self, CALL.set(elsewhere))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the scope; the one around is back, whatever happened inside."""
        # Threads and tasks may share this object: what they share holds nothing of an entry, its call does.
        call = CALL.get()
        if isinstance(call, _Elsewhere):
            call.leave(self)
        self._scope.__exit__(kind, error, traceback)

    async def __aenter__(self) -> None:
        """Enter a new scope."""
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the scope."""
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        """Return the function with every call of it inside a scope of its own."""
        return within(function, lambda: self, "restored_context()")


class _Elsewhere(Call):
    """An audited call of another place: nothing is known of it but the id of its event.

    It stands where events look for the call that they happen inside of, so that finding a parent costs those
    that have none, and those whose parent is here, nothing more.

    Attributes:
        entry: Who entered the scope that this one belongs to, and how it is left; None once it was.
    """

    __slots__ = ("entry",)

    def __init__(self, event_id: str) -> None:
        self.ids = [event_id]
        self.release()  # nothing can be added to its event
        self.entry: tuple[Restored, Token[Call | None]] | None = None

    def leave(self, restored: Restored) -> None:
        """Put back the call that was there, if this entry is the one to be left."""
        if self.entry is None or self.entry[0] is not restored:
            return
        token = self.entry[1]
        self.entry = None  # tasks that were begun inside keep this call, and must not keep what was around
        around = token.old_value
        CALL.set(under_way(around) if isinstance(around, Call) else None)
