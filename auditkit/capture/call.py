"""One audited call, from before it runs until its event is written; and the one that is under way here."""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from auditkit.capture.reference import Unavailable, WithoutOutcome
from auditkit.clock import new_id
from auditkit.errors import InvalidEventError
from auditkit.forking import forget_in_worker
from auditkit.native import hand_over, in_c

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditkit.capture.additions import Additions
    from auditkit.capture.declaration import Declaration
    from auditkit.capture.reference import Compiled, Reader
    from auditkit.context import Scope
    from auditkit.event import Actor
    from auditkit.protocols import Recorder
    from auditkit.snapshot import Seen, Snapshot


@in_c("Call")
class _Fields:
    __slots__ = (
        "args", "awaited", "before", "declared", "error", "failed", "ids", "kwargs", "parent", "result", "said",
        "scope", "target", "trail", "trouble", "who",
    )  # fmt: skip


class Call(_Fields):
    """What is known of one audited call. Belongs to the thread or task that makes it.

    Attributes:
        declared: What the call was declared to be.
        trail: Where its event goes.
        scope: The scope that was innermost when it began.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        parent: The audited call it runs inside of, if any.
        ids: The id of its event; empty until that is made, or a call inside asks for it.
        before: The state before it, where that was to be observed and could be.
        target: The id, name and type of what it acts on, where these were read before it.
        who: The actor and the group of the declaration's own, where these were read before it.
        result: What it returned.
        error: What it raised.
        failed: Whether it raised, or its result was judged not to be a success.
        said: What code inside it said of its event, if any did.
        awaited: What its asynchronous callables gave, or raised, by the callable.
        trouble: What went wrong for auditkit in this call, if anything did.
    """

    __slots__ = ()
    declared: Declaration
    trail: Recorder
    scope: Scope | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any] | None
    parent: Call | None
    ids: list[str]
    before: Seen | Snapshot | None
    target: tuple[str, str, str] | None
    who: tuple[Actor | None, str | None] | None
    result: Any
    error: BaseException | None
    failed: bool
    said: Additions | None
    awaited: dict[Reader, tuple[Any, BaseException | None]] | None
    trouble: str

    def event_id(self) -> str:
        """Return the id that the event of this call has or will have.

        Calls inside it may ask from several threads at once, and while the event is made: what `list.append`
        put there first is what all of them read.
        """
        if not self.ids:
            self.ids.append(new_id())
        return self.ids[0]

    @property
    def ended(self) -> bool:
        """Return whether its event is written, so that nothing can be added to it any more."""
        return self.kwargs is None

    def release(self) -> None:
        """Let go of what belongs to the application: a task that was begun in this call keeps it for ever.

        What it raised leads to the frame that holds this call, and the parent to its own parent: a circle, and
        a chain as long as the process has run where each call begins the next one's task.
        """
        self.args = ()
        self.kwargs = self.parent = self.before = self.result = self.error = self.said = self.awaited = None

    def tell(self, option: str, compiled: Compiled, error: BaseException) -> None:
        """Count and log that a reference or callable of the declaration could not be read."""
        if isinstance(error, WithoutOutcome) or (self.failed and compiled.late and isinstance(error, Unavailable)):
            return  # a reference into what a call that ended so does not have
        if not self.declared.takes(self.args, self.kwargs or {}):
            return  # no call: the function itself says what is wrong with it
        detail = f": {error}" if isinstance(error, Unavailable | InvalidEventError) else ""
        self.trouble = f"{option}={compiled.text} of {self.declared.name} could not be read{detail}"
        self.trail.trouble(
            "capture",
            f"{self.trouble}; the event is recorded without it",
            cause=f"{self.declared.name}.{option}",
            error=error,
        )

    def tell_said(self, method: str, error: BaseException) -> None:
        """Count and log that what was said to the call's entry could not be used."""
        detail = f": {error}" if isinstance(error, InvalidEventError) else ""
        self.trouble = f"{method} of the entry of {self.declared.name} could not use what it was given{detail}"
        self.trail.trouble(
            "capture",
            f"{self.trouble}; the event is recorded without it",
            cause=f"{self.declared.name}.{method}",
            error=error,
        )


CALL: ContextVar[Call | None] = ContextVar("auditkit_call", default=None)
forget_in_worker(CALL)
new_call: Callable[[], Call] = partial(object.__new__, Call)
"""Make a call of which nothing is known yet: whoever makes one fills it in, for an ``__init__`` takes 0.2 us."""


def under_way(call: Call | None) -> Call | None:
    """Return a call, or where it has ended the innermost one around it that has not.

    Blocks may be left in any order, so that one that has ended may be around another.
    """
    while type(call) is Call and call.ended:  # one of another place has no end here
        call = call.parent
    return call


hand_over(CALL=CALL, call_class=Call)
