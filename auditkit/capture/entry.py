"""``current_entry()``: what the code inside an audited call may add to its event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from auditkit.capture.additions import Additions, Watched
from auditkit.capture.attribute import identified
from auditkit.capture.call import CALL, Call
from auditkit.capture.composition import stated_change
from auditkit.errors import NOT_OURS, InvalidEventError
from auditkit.event import Actor, Target, describe_kind
from auditkit.snapshot import look

if TYPE_CHECKING:
    from collections.abc import Callable


class Entry:
    """The event of the audited call or block that is under way.

    What is said here takes precedence over the decorator and the context. Nothing here raises for what it is
    given: a value that cannot be used is an audit error, counted and logged, and raised as `RecordingFailed`
    by the call itself only where ``on_audit_error="raise"`` asks for that. Once the event is written it is
    too late, which is counted and logged too.

    Thread-safety: threads that the call began may use it at once (see `carry_context`).
    """

    __slots__ = ("_call",)

    def __init__(self, call: Call | None) -> None:
        self._call = call

    def __bool__(self) -> bool:
        """Return whether there is a call under way: False for the inert entry outside of any."""
        return self._call is not None

    def __repr__(self) -> str:
        """Show the action."""
        call = self._call
        return "<Entry of nothing>" if call is None else f"<Entry of {call.declared.action}>"

    @property
    def id(self) -> str:
        """The id that the event has or will have; empty outside of any audited call."""
        return "" if self._call is None else self._call.event_id()

    @property
    def metadata(self) -> dict[str, Any]:
        """More to record, by key. Values are taken when the call ends, in any form that ``capture`` takes."""
        said = self._said("metadata")
        return {} if said is None else said.metadata

    def set_target(self, id: object, name: str | None = None, *, type: str | None = None) -> None:  # noqa: A002
        """Say what is acted on.

        Args:
            id: An id, an ``(id, name)`` pair, or an object with ``pk`` or ``id``.
            name: Its name; by default what ``id`` says, or the id.
            type: Its type; by default the action's category.
        """
        call = self._call
        if call is None or self._said("set_target") is None:
            return
        target = self._read("set_target", lambda: _target(id, name, type))
        if target is not None:
            call.target = (target.id, target.name, target.type or call.declared.category)

    def set_actor(self, actor: object) -> None:
        """Say who acts, in the forms that ``audit_context(actor=...)`` takes: a login, whose user is known now."""
        said = self._said("set_actor")
        if said is not None:
            said.actor = self._read("set_actor", lambda: Actor.of(identified(actor))) or said.actor

    def watch(
        self, state: object, *, fields: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> None:
        """Look at an object now and when the call ends, and record what changed between.

        A field that the captured state, or an object that was watched before, has too is recorded with the class's
        name in front.

        Args:
            state: The object, in any form that ``capture`` takes.
            fields: The only fields that are recorded.
            exclude: The fields that are not.
        """
        said = self._said("watch")
        if said is None:
            return
        choice = self._read("watch", lambda: (_names(fields, "fields"), _names(exclude, "exclude")))
        if choice is not None:  # else none of it: more would be told than was meant
            only, without = choice[0], choice[1] or frozenset()
            said.watched.append(Watched(state, look(state, fields=only, exclude=without), only, without))

    def add_target(
        self,
        id: object,  # noqa: A002  (the design's name)
        name: str | None = None,
        *,
        type: str | None = None,  # noqa: A002  (the design's name)
        before: object = None,
        after: object = None,
    ) -> None:
        """Say one thing more that is acted on: it gets an event of its own, of the same parent and time.

        So a bulk update tells the story of each row.

        Args:
            id: As for `set_target`.
            name: As for `set_target`.
            type: As for `set_target`.
            before: Its state before, read now; in any form that ``capture`` takes.
            after: Its state after, read now. With ``before`` what changed is recorded, without it all of it.
        """
        said = self._said("add_target")
        if said is None:
            return
        target = self._read("add_target", lambda: _target(id, name, type))
        if target is not None:
            said.further.append((target, stated_change(before, after)))

    def discard(self) -> None:
        """Record nothing of this call, whatever comes."""
        said = self._said("discard")
        if said is not None:
            said.discarded = True

    def _said(self, method: str) -> Additions | None:
        call = self._call
        if call is None:
            return None
        if call.ended:
            call.trail.trouble(
                "late_entry",
                f"{method} came after the event of {call.declared.action} was recorded, and is not in it",
                cause=f"{call.declared.name}.{method}",
            )
            return None
        if call.said is None:
            additions = Additions()
            if call.said is None:  # now: meanwhile another thread or a signal handler may have said something
                call.said = additions
        return call.said

    def _read(self, method: str, make: Callable[[], Any]) -> Any:
        """Return what is made of what was given, or None where nothing can be."""
        try:
            return make()
        except NOT_OURS:
            raise
        except BaseException as error:  # noqa: BLE001  (it may be any object of the application's)
            assert self._call is not None  # noqa: S101  (there are additions)
            self._call.tell_said(method, error)
            return None


_INERT: Final = Entry(None)


def current_entry() -> Entry:
    """Return the entry of the innermost audited call or block that is under way here.

    Outside of any it is inert and falsy: what is said to it is forgotten.
    """
    call = CALL.get()
    return Entry(call) if type(call) is Call else _INERT  # a restored parent is a Call of which only the id is known


def _names(given: Iterable[str] | None, option: str) -> frozenset[str] | None:
    """Return a choice of fields; one text alone is a mistake, and would be taken for its letters."""
    if given is None:
        return None
    names = None if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)
    if names is None or not all(isinstance(name, str) for name in names):
        raise InvalidEventError(option, describe_kind(given), "several names, as a list of str")
    return frozenset(names)


def _target(target_id: object, name: str | None, kind: str | None) -> Target:
    if name is not None:
        return Target(target_id, name, kind)  # type: ignore[arg-type]  # it takes ids of all kinds
    found = Target.of(identified(target_id))
    return found if kind is None else Target(found.id, found.name, kind)
