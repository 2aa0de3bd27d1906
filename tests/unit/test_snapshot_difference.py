"""What changed between two snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.utils.functional import SimpleLazyObject
from hypothesis import given
from hypothesis import strategies as st

from auditkit.snapshot import CAPTURE, DEFERRED, REST, UNKNOWN, created, deleted, difference, snapshot

if TYPE_CHECKING:
    from auditkit.snapshot import Snapshot


@pytest.mark.parametrize(
    "before, after, expected",
    [
        ({"id": 1, "body": "a"}, {"id": 1, "body": "b"}, {"body_was": "a", "body": "b"}),
        ({"id": 1}, {"id": 1}, {}),
        ({}, {}, {}),
        ({}, {"a": 1}, {"a_was": None, "a": 1}),
        ({"a": 1}, {}, {"a_was": 1, "a": None}),
        ({}, {"a": None}, {}),
        ({"a": None}, {}, {}),
        ({"a": 1}, {"b": 2}, {"b_was": None, "b": 2, "a_was": 1, "a": None}),
        ({"a": 1}, {"a": True}, {"a_was": 1, "a": True}),
        ({"a": 1}, {"a": 1.0}, {"a_was": 1, "a": 1.0}),
        ({"a": 1}, {"a": UNKNOWN}, {CAPTURE: "unknown: a"}),
        ({"a": UNKNOWN}, {"a": 1}, {CAPTURE: "unknown: a"}),
        ({"a": UNKNOWN}, {"a": UNKNOWN}, {CAPTURE: "unknown: a"}),
        ({"a": UNKNOWN}, {}, {CAPTURE: "unknown: a"}),
        ({}, {"a": UNKNOWN}, {CAPTURE: "unknown: a"}),
        ({"a": DEFERRED}, {"a": DEFERRED}, {}),
        ({"a": DEFERRED}, {"a": 1}, {CAPTURE: "unknown: a"}),
        ({"a": DEFERRED}, {}, {}),
        ({}, {"a": DEFERRED}, {}),
        ({REST: UNKNOWN}, {"a": 1}, {CAPTURE: "unknown: a, further fields"}),
        ({"a": 1, "b": 2}, {"a": 1}, {"b_was": 2, "b": None}),
        ({"a": 1, "error": 2}, {"a": 1}, {"state.error_was": 2, "state.error": None}),
        ({"a": 1}, {REST: UNKNOWN}, {CAPTURE: "unknown: further fields, a"}),
    ],
)
def test_difference(before: Any, after: Any, expected: Any) -> None:
    """Only what is known to have changed is told, and what is unknown is said to be."""
    assert expected == difference(before, after)


def test_difference_tells_first_what_was() -> None:
    """A reader meets the old value before the new one."""
    assert ["b_was", "b", "a_was", "a"] == [*difference({"a": 1, "b": 1}, {"b": 2, "a": 2})]


@pytest.mark.parametrize(
    "before, after, expected",
    [
        ({"outcome": 1}, {"outcome": 2}, {"state.outcome_was": 1, "state.outcome": 2}),
        ({"error": 1}, {}, {"state.error_was": 1, "state.error": None}),
        ({"auditkit_x": 1}, {"auditkit_x": 2}, {"state.auditkit_x_was": 1, "state.auditkit_x": 2}),
        (
            {"body": 1, "body_was": 1},
            {"body": 2, "body_was": 2},
            {"body_was": 1, "body": 2, "state.body_was_was": 1, "state.body_was": 2},
        ),
        ({"body_was": 1}, {"body_was": 2}, {"body_was_was": 1, "body_was": 2}),
        (
            {"outcome": 1, "state.outcome": 1},
            {"outcome": 2, "state.outcome": 2},
            {
                "state.state.outcome_was": 1,
                "state.state.outcome": 2,
                "state.outcome_was": 1,
                "state.outcome": 2,
            },
        ),
    ],
)
def test_colliding_names_stand_apart(before: Any, after: Any, expected: Any) -> None:
    """A field named like one of auditkit's own keys, or like another's former value, is told under state."""
    assert expected == difference(before, after)


def test_created_and_deleted() -> None:
    """What came is told by its names, what went by its names with _was; both say what was unknown."""
    state: Snapshot = {"id": 1, "note": None, "error": "e", "id_was": 2, "gone": UNKNOWN, "big": DEFERRED}

    assert {
        "id": 1,
        "note": None,
        "state.error": "e",
        "state.id_was": 2,
        CAPTURE: "unknown: gone",
    } == created(state)
    assert {
        "id_was": 1,
        "note_was": None,
        "state.error_was": "e",
        "state.id_was_was": 2,
        CAPTURE: "unknown: gone",
    } == deleted(state)


def test_many_unknown_fields_are_counted() -> None:
    """An event does not fill up with the names of what it does not know."""
    told = created({f"n{number}": UNKNOWN for number in range(50)})

    assert str(told[CAPTURE]).endswith("n19 and 30 more")


_NAMES = st.sampled_from(["a", "a_was", "a_was_was", "state.a", "state.a_was", "outcome", "state.outcome", "error"])
_STATES = st.dictionaries(_NAMES, st.sampled_from([0, 1, "x"]))


@given(_STATES, _STATES)
def test_no_two_fields_share_a_key(before: Any, after: Any) -> None:
    """However fields are named, each one that changed has two keys of its own."""
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}

    assert 2 * len(changed) == len(difference(before, after))


@given(_STATES)
def test_no_field_takes_the_place_of_another(state: Any) -> None:
    """However fields are named, none is lost when they are created or deleted."""
    assert len(state) == len(created(state)) == len(deleted(state))
    assert not {"outcome", "error"} & {*created(state)}


def test_names_without_end_are_forgotten() -> None:
    """A state whose names are data does not fill the memory with keys."""
    for number in range(5000):
        assert {f"k{number}": 1} == created({f"k{number}": 1})


class Money:
    """A value that keeps what it is to itself."""

    def __init__(self, amount: int) -> None:
        self._amount = amount


class Unreadable(Money):
    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise RuntimeError


@pytest.mark.parametrize("kind", [Money, Unreadable, lambda _: lambda: None], ids=["private", "unreadable", "function"])
@pytest.mark.parametrize("inside", [lambda it: it, lambda it: [1, it], lambda it: [{"a": it}]], ids=["", "[]", "[{}]"])
def test_other_object_that_shows_nothing_is_unknown(kind: Any, inside: Any) -> None:
    """Where all that is told of a value is its type, another one is no proof that nothing changed; the same is."""
    first, second = kind(1), kind(2)

    def of(value: object) -> Any:
        return snapshot({"id": 5, "total": inside(value)})

    assert {} == difference(of(first), of(first))
    assert {"auditkit_capture": "unknown: total"} == difference(of(first), of(second))
    assert created(of(first)) == of(first)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"js": {}}, {"js": {"k": 1}}, {"js": ("{}", "{...}"), "js.k": (None, 1)}),
        ({"js": {"k": 1}}, {"js": {}}, {"js": ("{...}", "{}"), "js.k": (1, None)}),
        ({"a": {"x": 1}}, {"a": 5}, {"a": ("{...}", 5), "a.x": (1, None)}),
        ({"a": [1]}, {"a": {"x": 1}}, {"a": ("[1]", "{...}"), "a.x": (None, 1)}),
        ({"a": {"b": {"x": 1}}}, {"a": 5}, {"a": ("{...}", 5), "a.b.x": (1, None)}),
        ({"a": {"b": {}}}, {"a": {}}, {"a": ("{...}", "{}"), "a.b": ("{}", None)}),
        ({"a": None}, {"a": {"x": 1}}, {"a.x": (None, 1)}),
        ({"a": {"x": 1}}, {"a": None}, {"a.x": (1, None)}),
        ({}, {"a": {"x": 1}}, {"a.x": (None, 1)}),
        ({"ab": 1}, {"a": 1, "ab": 1}, {"a": (None, 1)}),
    ],
)
def test_field_that_has_fields_on_the_other_side_is_not_told_as_empty(before: Any, after: Any, expected: Any) -> None:
    """What turns into fields below its name, or was made of them, has not become nothing, nor been nothing."""
    told = difference(snapshot(before), snapshot(after))

    assert expected == {name: (told[f"{name}_was"], told[name]) for name in told if not name.endswith("_was")}


@pytest.mark.parametrize("kind", [lambda: Money(1), lambda: SimpleLazyObject(dict)], ids=["private", "not made"])
def test_fields_in_place_of_what_shows_nothing_are_unknown(kind: Any) -> None:
    """A value that shows nothing may have had the fields that another one shows; and the other way round."""
    hidden, shown = kind(), {"x": 1}

    assert {CAPTURE: "unknown: a.x, a"} == difference(snapshot({"a": hidden}), snapshot({"a": shown}))
    assert {CAPTURE: "unknown: a, a.x"} == difference(snapshot({"a": shown}), snapshot({"a": hidden}))


def test_unknown_change_of_a_chosen_field_alone_is_told() -> None:
    """A field that was not chosen is not told, whatever became of it."""
    before, after = (snapshot({"a": Money(1), "b": 1}, fields=frozenset({"b"})) for _ in range(2))

    assert {} == difference(before, after)
