"""One audited call, from before it runs until its event is written; and the one that is under way here."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from auditkit.capture.reference import Unavailable
from auditkit.clock import new_id
from auditkit.errors import InvalidEventError

if TYPE_CHECKING:
    from auditkit.capture.declaration import Declaration
    from auditkit.capture.reference import Compiled
    from auditkit.context import Scope
    from auditkit.protocols import Recorder
    from auditkit.snapshot import Snapshot


class Call:
    """What is known of one audited call. Belongs to the thread or task that makes it.

    Attributes:
        declared: What the call was declared to be.
        trail: Where its event goes.
        scope: The scope that was innermost when it began.
        parent: The audited call it runs inside of, if any.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        ended: Whether the function has returned or raised.
        result: What it returned.
        error: What it raised.
        id: The id of its event; empty until that is made, or a call inside asks for it.
        before: The state before it, where that was to be observed and could be.
        target: The id and the name of what it acts on, where these were to be read before it.
        lost: Why the state could not be observed, if it could not.
        trouble: What went wrong for auditkit in this call, if anything did.
    """

    __slots__ = (
        "args", "before", "declared", "ended", "error", "id", "kwargs", "lost", "parent", "result", "scope", "target",
        "trail", "trouble",
    )  # fmt: skip

    def __init__(
        self,
        declared: Declaration,
        trail: Recorder,
        scope: Scope | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        """Begin with what the caller gave."""
        self.declared = declared
        self.trail = trail
        self.scope = scope
        self.args = args
        self.kwargs = kwargs
        self.parent = _get_call()
        self.ended = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.id = ""
        self.before: Snapshot | None = None
        self.target: tuple[str, str] | None = None
        self.lost = self.trouble = ""

    def mint(self) -> str:
        """Return the id that the event of this call has or will have."""
        if not self.id:
            self.id = new_id()
        return self.id

    def tell(self, option: str, compiled: Compiled, error: Exception) -> None:
        """Count and log that a reference or callable of the declaration could not be read."""
        if self.error is not None and compiled.late and isinstance(error, Unavailable):
            return  # a reference into the result of a call that raised: there is none
        detail = f": {error}" if isinstance(error, Unavailable | InvalidEventError) else ""
        self.trouble = f"{option}={compiled.text} of {self.declared.name} could not be read{detail}"
        self.trail.trouble(
            "capture",
            f"{self.trouble}; the event is recorded without it",
            cause=f"{self.declared.name}.{option}",
            error=error,
        )


CALL: ContextVar[Call | None] = ContextVar("auditkit_call", default=None)
_get_call = CALL.get  # bound once: it is looked up on every audited call
