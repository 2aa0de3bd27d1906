"""Events that are recorded when their transaction commits: ``audit_context(on_commit=...)``.

An event is made when its call ends, as any other, and then handed on as a function that records it. Whoever was asked
to call that function when the transaction commits keeps it until then; where it is let go of uncalled, the transaction
did not commit. Nothing else here keeps it, so that nothing is left of a transaction that was rolled back.
"""

from __future__ import annotations

import inspect
import threading
from typing import TYPE_CHECKING

from auditkit.errors import AuditError, ReceiptUnavailable

if TYPE_CHECKING:
    from collections.abc import Generator

    from auditkit.context import OnCommit, Scope
    from auditkit.draft import Draft
    from auditkit.protocols import Receipt, Recorder

_FIRST_POLL, _POLL = 0.001, 0.1  # seconds


def holder(scope: Scope | None, action_type: str, *, succeeded: bool) -> OnCommit | None:
    """Return who is to hold an event back, if anybody is: what was read, denied or failed has no part in a commit."""
    return None if scope is None or not succeeded or action_type == "R" else scope.on_commit


def hold(on_commit: OnCommit, trail: Recorder, draft: Draft) -> HeldReceipt:
    """Hand an event to whoever calls back when the transaction commits; where that cannot be, record it at once."""
    fate = _Fate(draft.id)
    held = Held(trail, draft, fate)
    try:
        answer = on_commit(held)
    except BaseException as error:
        held()  # rather one event too many than one that is lost
        if not isinstance(error, Exception):
            raise
        trail.trouble("on_commit", f"on_commit= raised; {_AT_ONCE}", cause="raised", error=error)
    else:
        if inspect.iscoroutine(answer):
            held()
            answer.close()
            trail.trouble("on_commit", f"on_commit= is async; give a plain function; {_AT_ONCE}", cause="async")
    return HeldReceipt(fate)


_AT_ONCE = "the event was recorded at once, whether or not its transaction commits"


class _Fate:
    """What became of an event that was held.

    Without a lock: the collector may let go of an event on a thread that waits for that very one.

    Attributes:
        event_id: The event's id.
        known: Whether it was recorded, or let go of.
        receipt: Its receipt, if it was recorded.
    """

    __slots__ = ("event_id", "known", "receipt")

    def __init__(self, event_id: str) -> None:
        self.event_id = event_id
        self.known = False
        self.receipt: Receipt | None = None


class Held:
    """What is to be called when the transaction commits. A second call does nothing; none raises; from any thread.

    It cannot be referred to weakly: who would keep it so, as some signals do, would let go of it at once.
    """

    __slots__ = ("_drafts", "_fate", "_trail")

    def __init__(self, trail: Recorder, draft: Draft, fate: _Fate) -> None:
        """Hold one event."""
        self._trail = trail
        self._drafts = [draft]  # of two threads that call, the one that takes it records it
        self._fate = fate

    def __call__(self) -> None:
        """Record the event."""
        try:
            draft = self._drafts.pop()
        except IndexError:
            return
        trail = self._trail
        try:
            position = trail.write(draft)
            self._fate.receipt = trail.receipt(draft.id, position)
            if trail.syncs_each:
                trail.settle()
        except Exception as error:  # noqa: BLE001  (the transaction has committed: nobody could do anything about it)
            reason = f": {error}" if isinstance(error, AuditError) else ""
            message = (
                f"{draft.action}: its event could not be recorded after the commit ({type(error).__name__}{reason})"
            )
            trail.trouble("not_recorded", message, cause=draft.action, error=error)
        self._fate.known = True

    def __del__(self) -> None:
        """Count it where it was never called."""
        if self._drafts:
            self._trail.count_rolled_back()
            self._fate.known = True

    def __repr__(self) -> str:
        """Say what it is for, in a list of callbacks."""
        return f"<record event {self._fate.event_id} of auditkit>"


class HeldReceipt:
    """The receipt of an event that is held: what `Receipt` is, once the transaction has committed."""

    __slots__ = ("_fate", "id")

    def __init__(self, fate: _Fate) -> None:
        """Keep what becomes of it, and not the event: else nobody could let go of that."""
        self.id = fate.event_id
        self._fate = fate

    def __repr__(self) -> str:
        """Show the event's id."""
        return f"<Receipt of event {self.id}, held until its transaction commits>"

    def done(self) -> bool:
        """Return whether every transport has accepted the event; False while its transaction is open.

        Raises:
            DeliveryRejected: A destination refused it for good.
            ReceiptUnavailable: The transaction did not commit, or nobody here can know.
        """
        receipt = self._settled()
        return receipt is not None and receipt.done()

    def _settled(self) -> Receipt | None:
        if not self._fate.known:
            return None
        if self._fate.receipt is None:
            raise ReceiptUnavailable("the event was not recorded: its transaction did not commit, or recording failed")
        return self._fate.receipt

    def result(self, timeout: float | None = None) -> None:
        """Return when every transport has accepted the event.

        Args:
            timeout: The longest wait in seconds; None waits for ever.

        Raises:
            TimeoutError: It took longer.
            DeliveryRejected: A destination refused it for good.
            ReceiptUnavailable: The transaction did not commit, or nobody here can know.
        """
        left, rest = timeout, _FIRST_POLL
        while (receipt := self._settled()) is None:
            if left is not None:
                if left <= 0:
                    raise TimeoutError(f"the transaction of event {self.id} did not end within {timeout} s")
                rest = min(rest, left)
                left -= rest
            threading.Event().wait(rest)
            rest = min(2 * rest, _POLL)
        receipt.result(left)

    def __await__(self) -> Generator[object, None, None]:
        """Wait as `result` does, without holding the event loop."""
        return self._poll().__await__()

    async def _poll(self) -> None:
        import asyncio  # noqa: PLC0415  (who awaits has it: `import auditkit` stays light)

        rest = _FIRST_POLL
        while (receipt := self._settled()) is None:
            await asyncio.sleep(rest)
            rest = min(rest * 2, _POLL)
        await receipt
