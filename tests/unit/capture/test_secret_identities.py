"""What looks like a secret is in no id, name, group or location of an event, however it came there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import auditkit
from auditkit import Event, audit_context, audited, auditing, bind_context, current_entry, record
from auditkit.redaction import Redactor
from auditkit.transports import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditkit.draft import Scene

SECRET = "https://user:hunter2@example.com/x"
SHOWN = "[redacted]example.com/x"


@pytest.fixture
def memory() -> MemoryTransport:
    memory = MemoryTransport()
    auditkit.configure(memory, directory=None)
    return memory


@audited("hook.delete", "D", target="url")
def delete(url: str) -> None:
    pass


@audited("hook.read", "R", target=("name", "url"))
def read(name: str, url: str) -> None:
    pass


@audited("hook.update", "U", target="url", actor="url", group="url")
def update(url: str) -> None:
    pass


@audited("hook.create", "C", target="url", on_error="record")
def fail(url: str) -> None:
    raise LookupError


@audited("hook.create", "C", target="url")
async def create(url: str) -> None:
    pass


@audited("hook.update", "U")
def add(url: str) -> None:
    current_entry().add_target(url, url)
    current_entry().set_target(url, url)
    current_entry().set_actor(url)


def block(url: str) -> None:
    with auditing("hook.update", "U", target=url, actor=url, group=url):
        pass


def state(url: str) -> None:
    record("hook.update", "U", target=url, actor=url, group=url, location=url)


def emit(url: str) -> None:
    auditkit.emit(Event(url, "hook.update", "U", url, url, url, url, url))


def raised(url: str) -> None:
    with pytest.raises(LookupError):
        fail(url)


def awaited(url: str) -> None:
    with pytest.raises(StopIteration):
        create(url).send(None)


def texts_of(event: Event) -> list[str]:
    return [event.group, event.actor_id, event.actor_name, event.target_id, event.target_name, event.location]


@pytest.mark.parametrize("act", [delete, lambda url: read("a", url), update, raised, awaited, add, block, state, emit])
def test_no_secret_is_in_an_identity(act: Callable[[str], Any], memory: MemoryTransport) -> None:
    """Whichever way an event is made, and whoever says who acts and on what, the secret in it is replaced."""
    with audit_context(group=SECRET, actor=(SECRET, SECRET), location=SECRET):
        act(SECRET)

    assert memory.events
    for event in memory.events:
        assert {*texts_of(event)} <= {SHOWN, "a"}
        assert SHOWN in texts_of(event)[3:5]


@pytest.mark.parametrize("act", [delete, raised, awaited, add, block, state, emit])
def test_no_secret_is_in_a_correlation_id(act: Callable[[str], Any], memory: MemoryTransport) -> None:
    """A request's id, which anybody may send in a header, is text like any other."""
    with audit_context(correlation_id=SECRET):
        act("a")

    assert memory.events
    assert {SHOWN} >= {event.correlation_id for event in memory.events} - {None}


def test_no_secret_is_in_what_an_event_states_of_others(memory: MemoryTransport) -> None:
    """An event's correlation id and its parent's id are judged, where it has them."""
    stated = Event("acme", "hook.update", "U", "n", "a", "n", "t", "here")
    auditkit.emit(replace(stated, id="one", parent_id=SECRET, correlation_id=SECRET))
    auditkit.emit(replace(stated, id="two"))

    one, two = memory.events
    assert (SHOWN, SHOWN) == (one.parent_id, one.correlation_id)
    assert (None, None) == (two.parent_id, two.correlation_id)


@pytest.mark.parametrize("act", [delete, state, block])
def test_defaults_are_judged_too(act: Callable[[str], Any]) -> None:
    """What stands where nobody said otherwise is text like any other."""
    memory = MemoryTransport()
    auditkit.configure(memory, directory=None, defaults={"group": SECRET, "actor": SECRET, "location": SECRET})
    act(SECRET)

    assert {*texts_of(memory.events[0])} == {SHOWN}


def test_what_is_bound_later_is_judged_then(memory: MemoryTransport) -> None:
    """What a scope is filled with after its first event is judged by the next."""
    with audit_context(group="acme", actor="ada", location="here"):
        delete("a")
        bind_context(actor=SECRET)
        delete("b")

    assert [event.actor_id for event in memory.events] == ["ada", SHOWN]


def test_scope_is_judged_once(memory: MemoryTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who acts and from where costs the calls of a scope nothing but the first."""
    judged: list[Scene] = []

    def judge(redactor: Redactor, scene: Scene) -> None:
        judged.append(scene)
        honest(redactor, scene)

    honest = Redactor.judge
    monkeypatch.setattr(Redactor, "judge", judge)
    with audit_context(group=SECRET, actor="ada", location="here"):
        for _ in range(3):
            delete("a")

    assert len(judged) == 1
    assert [event.group for event in memory.events] == [SHOWN] * 3
