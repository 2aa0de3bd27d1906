"""What a test recorded: a sequence of events, and assertions on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from auditkit.testing.expectation import Expectation
from auditkit.testing.explanation import explain, explain_nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditkit.event import Event
    from auditkit.transports import MemoryTransport


class RecordedEvents(Sequence["Event"]):
    """The events recorded so far, oldest first; `recording` and the fixture ``audit_events`` give one.

    ``len()``, iteration, indexing and slices give events as they are at that moment. Failing assertions raise
    `AssertionError` and show what was recorded beside what was asked. Safe to use from any thread.

    Args:
        memory: What keeps the events.
        troubles: Gives the trail's audit errors by their codes, to be told with a failure.
    """

    def __init__(self, memory: MemoryTransport, troubles: Callable[[], Mapping[str, int]] = dict) -> None:
        self._memory = memory
        self._troubles = troubles

    def __len__(self) -> int:
        return len(self._memory.events)

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...

    def __getitem__(self, index: int | slice) -> Event | list[Event]:
        return self._memory.events[index]

    def __iter__(self) -> Iterator[Event]:
        return iter(self._memory.events)

    def __repr__(self) -> str:
        return f"<RecordedEvents: {', '.join(event.action for event in self) or 'none'}>"

    def clear(self) -> None:
        """Forget all events: what comes from here on is what the next assertion sees."""
        self._memory.clear()

    def assert_recorded(
        self,
        action: str,
        *,
        changed: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        times: int | None = None,
        **fields: Any,
    ) -> Event:
        """Return the first event that is as asked.

        Args:
            action: Its action.
            changed: Of what changed, by name, ``(was, is)``; other things may have changed too.
            metadata: Of its metadata, by name, the value; there may be more.
            times: How many events must be as asked; at least one by default.
            fields: Any other fields of `Event` by name: ``actor_id``, ``target_id``, ``group``, ``location`` and so on.

        Values are compared by ``==``, so that `unittest.mock.ANY` and `pytest.approx` serve as values.

        Raises:
            AssertionError: No event is, or not so many are; shows what was recorded beside what was asked.
            TypeError: `Event` has no such field.
        """
        asked = Expectation.of(action, changed=changed, metadata=metadata, fields=fields)
        events = self._memory.events
        found = [event for event in events if not asked.differences(event)]
        if not found or (times is not None and len(found) != times):
            raise AssertionError(explain(asked, events, found=len(found), times=times, troubles=self._troubles()))
        return found[0]

    def assert_nothing_recorded(self, action: str | None = None) -> None:
        """Return if nothing was recorded, or nothing of this action.

        Raises:
            AssertionError: Something was; shows it.
        """
        events = [event for event in self._memory.events if action is None or event.action == action]
        if events:
            raise AssertionError(explain_nothing(events, action))
