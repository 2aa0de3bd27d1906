"""What a test asks of the events that it recorded."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from unittest.mock import ANY

import pytest

import auditkit
from auditkit import _current, audit_context, audited, record
from auditkit.testing import RecordedEvents, recording
from auditkit.trail import processes
from auditkit.transports import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def events() -> Iterator[RecordedEvents]:
    with recording() as recorded:
        yield recorded


def update(plan: str, was: str = "Basic", now: str = "Pro", *, actor: str = "user_1") -> None:
    record("plan.update", "U", target=plan, actor=actor, before={"name": was}, after={"name": now}, metadata={"n": 1})


# ---------------------------------------------------------------------- the sequence


def test_events_are_a_sequence(events: RecordedEvents) -> None:
    """Length, indices, slices, iteration and truth are those of a list of what was recorded."""
    assert not events
    update("plan_1")
    update("plan_2")

    assert len(events) == 2
    assert events[0].target_id == "plan_1"
    assert events[-1].target_id == "plan_2"
    assert [each.target_id for each in events] == ["plan_1", "plan_2"]
    assert [each.target_id for each in events[1:]] == ["plan_2"]
    assert repr(events) == "<RecordedEvents: plan.update, plan.update>"


def test_clear_forgets(events: RecordedEvents) -> None:
    """After `clear` only what comes later is there."""
    update("plan_1")
    events.clear()
    update("plan_2")

    assert [each.target_id for each in events] == ["plan_2"]


# ---------------------------------------------------------------------- assertions


def test_recorded_event_is_returned(events: RecordedEvents) -> None:
    """The first event that is as asked is returned, whatever else was recorded."""
    update("plan_1", actor="user_2")
    update("plan_2")

    event = events.assert_recorded(
        "plan.update", actor_id="user_1", changed={"name": ("Basic", "Pro")}, metadata={"n": ANY}, times=1
    )

    assert event is events[1]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"actor_id": "user_2"}, "actor_id: 'user_1', asked: 'user_2'"),
        ({"changed": {"name": ("Basic", "Team")}}, "changed.name: ('Basic', 'Pro'), asked: ('Basic', 'Team')"),
        ({"changed": {"price": (1, 2)}}, "changed.price: (nothing), asked: (1, 2)"),
        ({"metadata": {"n": 2}}, "metadata.n: 1, asked: 2"),
        ({"metadata": {"m": None}}, "metadata.m: (nothing), asked: None"),
        ({"times": 2}, "asked for exactly 2 of plan.update, 1 is as asked among 1 recorded"),
        ({"times": 0}, "asked for exactly 0 of plan.update, 1 is as asked among 1 recorded"),
    ],
)
def test_failure_shows_what_was_recorded_beside_what_was_asked(
    events: RecordedEvents, asked: dict[str, object], told: str
) -> None:
    """Each thing that differs is named with what it is and what it should be."""
    update("plan_1")

    with pytest.raises(AssertionError) as failure:
        events.assert_recorded("plan.update", **asked)  # type: ignore[arg-type]

    assert told in str(failure.value)
    assert "plan_1  name: Basic -> Pro" in str(failure.value)


def test_change_may_be_asked_for_as_json_has_it(events: RecordedEvents) -> None:
    """A list of two is a change as well as a tuple."""
    update("plan_1")

    events.assert_recorded("plan.update", changed={"name": ["Basic", "Pro"]})


def test_nearest_event_is_shown_first(events: RecordedEvents) -> None:
    """Of many events the one that differs least comes first, then those of the action, and ten are shown."""
    for number in range(12):
        record("plan.read", "R", target=f"plan_{number}")
    update("plan_far", "a", "b", actor="user_2")
    update("plan_near", actor="user_2")

    with pytest.raises(AssertionError) as failure:
        events.assert_recorded("plan.update", actor_id="user_1", changed={"name": ("Basic", "Pro")})
    shown = [line for line in str(failure.value).splitlines() if line.startswith("[")]

    assert ["plan_near", "plan_far"] == [line.split()[4] for line in shown[:2]]
    assert len(shown) == 10
    assert "... and 4 more" in str(failure.value)


def test_unknown_field_is_named(events: RecordedEvents) -> None:
    """A field that events do not have is a TypeError that lists those they have, not an assertion that fails."""
    with pytest.raises(TypeError, match=r"no field 'actor'; there are .*actor_id"):
        events.assert_recorded("plan.update", actor="user_1")


def test_failure_tells_of_audit_errors(events: RecordedEvents) -> None:
    """Where auditkit met trouble, the failure says which: the cause is mostly there."""

    @audited("plan.update", "U", target="plan.id")
    def rename(plan: object) -> None: ...

    rename(object())

    with pytest.raises(AssertionError, match=r"audit errors meanwhile, told in the log: capture \(1\)"):
        events.assert_recorded("plan.update", target_id="plan_1")


def test_long_values_are_shown_in_part(events: RecordedEvents) -> None:
    """A value of thousands of characters does not bury the message."""
    update("plan_1", now="x" * 5000)

    with pytest.raises(AssertionError, match=r"x\.\.\. \(5013 characters\), asked: .*y\.\.\. \(5013"):
        events.assert_recorded("plan.update", changed={"name": ("Basic", "y" * 5000)})


def test_what_steers_a_terminal_is_shown_as_its_escape(events: RecordedEvents) -> None:
    """A recorded text cannot move the cursor of who reads the failure."""
    update("plan_1\x1b[2J")

    with pytest.raises(AssertionError) as failure:
        events.assert_nothing_recorded()

    assert "\x1b" not in str(failure.value)


def test_nothing_recorded(events: RecordedEvents) -> None:
    """Nothing, or nothing of an action, passes; else what was recorded is shown, ten events of it."""
    events.assert_nothing_recorded()
    for number in range(11):
        update(f"plan_{number}")
    events.assert_nothing_recorded("user.login")

    with pytest.raises(AssertionError, match=r"no event, recorded: 11(?s:.*)plan_9(?s:.*)and 1 more"):
        events.assert_nothing_recorded()
    with pytest.raises(AssertionError, match=r"no event of plan\.update, recorded: 11"):
        events.assert_nothing_recorded("plan.update")


# ---------------------------------------------------------------------- the trail that stands in


def test_process_wide_trail_is_back_afterwards(tmp_path: Path) -> None:
    """What the application configured gets nothing meanwhile, keeps its rules, and goes on afterwards."""
    memory = MemoryTransport()
    trail = auditkit.configure(memory, directory=tmp_path / "audit", redact=("iban",))
    with recording() as events:
        record("plan.update", "U", target="plan_1", before={"iban": "1"}, after={"iban": "2"})
        events.assert_recorded("plan.update", changed={"iban": ("[redacted]", "[redacted]")})
    record("plan.update", "U", target="plan_2")

    assert _current.trail is trail
    assert [each.target_id for each in memory.events] == ["plan_2"]


def test_configuring_inside_changes_only_the_rules(tmp_path: Path) -> None:
    """An application that is set up by a test makes no directory, and its destinations get nothing."""
    elsewhere = MemoryTransport(name="elsewhere")
    with recording() as events:
        auditkit.configure(elsewhere, directory=tmp_path / "audit", fsync="always", redact=("iban",))
        record("plan.update", "U", target="plan_1", before={"iban": "1"}, after={"iban": "2"})

        events.assert_recorded("plan.update", changed={"iban": ("[redacted]", "[redacted]")})

    assert not (tmp_path / "audit").exists()
    assert elsewhere.events == []
    assert _current.trail is None


def test_nothing_of_a_recording_is_left() -> None:
    """However often the application was configured inside: no trail of it is kept, and an assertion makes none."""
    before = {*processes._running}
    with recording() as events:
        for _ in range(3):
            auditkit.configure(directory=None, require="actor")
            update("plan_1")
            record("plan.read", "R")

    with pytest.raises(AssertionError, match=r"audit errors meanwhile, told in the log: .*missing \(1\)"):
        events.assert_recorded("user.login")
    assert before == processes._running
    assert _current.trail is None


def test_configuring_wrongly_inside_is_an_error() -> None:
    """What could not work in production does not work in a test."""
    with recording(), pytest.raises(auditkit.ConfigurationError):
        auditkit.configure(directory=None, require=("nobody",))


def test_recordings_nest() -> None:
    """The innermost records; the outer one goes on after it, as configured."""
    with recording() as outer:
        with recording() as inner:
            update("plan_1")
        update("plan_2")

    assert [each.target_id for each in inner] == ["plan_1"]
    assert [each.target_id for each in outer] == ["plan_2"]


def test_threads_are_seen(events: RecordedEvents) -> None:
    """What threads of the test record is there, whoever started them."""
    thread = threading.Thread(target=update, args=("plan_1",))
    thread.start()
    thread.join()

    events.assert_recorded("plan.update", target_id="plan_1")


def test_disabled_environment_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite that runs under AUDITKIT_DISABLED=1 can still test its audit trail."""
    monkeypatch.setenv("AUDITKIT_DISABLED", "1")
    with recording() as events:
        auditkit.configure()
        update("plan_1")

    assert len(events) == 1


def test_context_counts(events: RecordedEvents) -> None:
    """Who and from where come from the context, as in production."""
    with audit_context(group="acme", actor=("user_1", "Ada"), location="203.0.113.7"):
        record("plan.read", "R", target="plan_1")

    events.assert_recorded("plan.read", group="acme", actor_name="Ada", location="203.0.113.7")
