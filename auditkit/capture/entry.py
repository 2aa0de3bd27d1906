"""One audited call while it runs, and the one that is under way here."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from auditkit.clock import new_id

if TYPE_CHECKING:
    from auditkit.snapshot import Snapshot


class Entry:
    """What is known of an audited call before it ends.

    Attributes:
        id: The id of its event; empty until it is recorded, or an audited call inside asks for it.
        parent: The call it runs inside of, if any.
        before: The state before the call, if that was to be observed.
        target: What is acted on, if that was to be read before the call: its id and its name.
        lost: Why the state could not be observed, if it could not.
        trouble: What went wrong for auditkit in this call, if anything did.
    """

    __slots__ = ("before", "id", "lost", "parent", "target", "trouble")

    def __init__(self, parent: Entry | None) -> None:
        """Begin with nothing known."""
        self.parent = parent
        self.id = ""  # most calls have no audited call inside them, and get theirs when they end
        self.before: Snapshot | None = None
        self.target: tuple[str, str] | None = None
        self.lost = ""
        self.trouble = ""

    def mint(self, now_ns: int | None = None) -> str:
        """Return the id that the event of this call has or will have."""
        if not self.id:
            self.id = new_id() if now_ns is None else new_id.at(now_ns)
        return self.id


ENTRY: ContextVar[Entry | None] = ContextVar("auditkit_entry", default=None)
