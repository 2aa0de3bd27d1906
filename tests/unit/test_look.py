"""A look at a state tells what two snapshots tell."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.snapshot import CAPTURE, as_snapshot, changes_since, difference, look, snapshot
from auditkit.snapshot.unknown import REST, UNKNOWN

names = st.sampled_from(
    ["body", "title", "body_was", "outcome", "auditkit_x", "_hidden", "a.b", "ü", "x" * 70, "...", "", "error_was"]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**62, max_value=2**65),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["a", "b", "ä", "\ud800", "x" * 9000, "y" * 40_000, "\x00"]),
)
values = st.one_of(scalars, st.lists(scalars, max_size=2), st.dictionaries(st.sampled_from(["k", "l"]), scalars))
states = st.dictionaries(st.one_of(names, names, st.integers(0, 2)), values, max_size=5)
fields = st.dictionaries(names.filter(bool), values, max_size=5)


@dataclass(slots=True)
class Slotted:
    body: Any
    title: Any


class Private:
    """Slots of which one is not public."""

    __slots__ = ("_hidden", "body", "title")


class Plain:
    pass


class Defaulted:
    """What stands for fields until an instance has its own."""

    status = "new"
    title = "untitled"


def told(before: Any, after: Any) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return what a look tells of a state that changes in place, and what two snapshots tell, in no order."""
    seen, was = look(before), snapshot(before)
    state = after(before)
    quick, thorough = changes_since(seen, state), difference(was, snapshot(state))
    return sorted((name, repr(each)) for name, each in quick.items()), sorted(
        (name, repr(each)) for name, each in thorough.items()
    )


@given(states, states)
def test_changed_mapping_is_told_as_by_snapshots(before: dict[Any, Any], after: dict[Any, Any]) -> None:
    """Whatever a mapping held and holds, the difference is that of its snapshots.

    Only what has no name to be told by, and did not change, is known by a look and missed by a snapshot.
    """

    def change(state: dict[Any, Any]) -> dict[Any, Any]:
        state.clear()
        state.update(after)
        return state

    quick, thorough = told(dict(before), change)

    if "" in before:
        thorough = [each for each in thorough if each[0] != CAPTURE]
        quick = [each for each in quick if each[0] != CAPTURE]
    assert thorough == quick


@given(st.sampled_from([Plain, SimpleNamespace, Defaulted]), fields, fields)
def test_changed_object_is_told_as_by_snapshots(kind: type, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Whatever attributes an object had and has, the difference is that of its snapshots."""
    state: Any = kind()
    vars(state).update(before)

    def change(state: Any) -> Any:
        vars(state).update(after)
        return state

    quick, thorough = told(state, change)

    assert thorough == quick


@given(st.sampled_from([Slotted, Private]), st.lists(values, min_size=4, max_size=4), st.integers(0, 2))
def test_changed_slots_are_told_as_by_snapshots(kind: type, given_: list[Any], emptied: int) -> None:
    """Slots, filled or never filled, tell by a look what they tell by snapshots."""
    state: Any = object.__new__(kind)
    state.title = given_[0]
    if emptied != 1:
        state.body = given_[1]

    def change(state: Any) -> Any:
        state.title, state.body = given_[2:]
        if emptied == 2:
            del state.body
        return state

    quick, thorough = told(state, change)

    assert thorough == quick


@given(states)
def test_look_keeps_the_whole_state(state: dict[Any, Any]) -> None:
    """The snapshot of what was seen is the state's own, also when that has changed meanwhile."""
    expected = snapshot(state)
    seen = look(state)
    state.clear()

    assert repr(expected) == repr(as_snapshot(seen))


@given(fields)
def test_look_at_an_object_keeps_what_is_public(attributes: dict[str, Any]) -> None:
    """An object's private attributes are no data, at first sight and later."""
    state = SimpleNamespace(**attributes)

    assert repr(snapshot(state)) == repr(as_snapshot(look(state)))


def test_another_object_is_compared_by_its_fields() -> None:
    """Where the state after the call is of another class, its fields are compared with those that were seen."""
    assert {"body_was": "a", "body": "b"} == changes_since(look(Slotted("a", "t")), {"body": "b", "title": "t"})


class Loading:
    """Run a query when it is looked at, as a mapper's instance would."""

    def __init__(self, queries: list[str]) -> None:
        self._queries = queries

    @property
    def body(self) -> str:
        self._queries.append("body")
        return "b"

    title = body


def test_another_object_s_own_code_is_not_run() -> None:
    """An object of another class is not read by the names of the first, which may be properties there."""
    queries: list[str] = []
    changes_since(look(Slotted("a", "t")), Loading(queries))

    assert [] == queries


class Stateful:
    """Be a key that can be hashed at first, and then no more."""

    spoilt = False

    def __hash__(self) -> int:
        if self.spoilt:
            raise Spoilt
        return 1

    def __eq__(self, other: object) -> bool:
        return self is other


class Spoilt(BaseException):
    """Be beside Exception, so that nothing less than a full net holds it."""


def test_key_that_cannot_be_hashed_any_more_is_contained() -> None:
    """What was seen under such a key is unknown, all else is told, and nothing of it is raised."""
    key = Stateful()
    seen = look({key: 1, "body": "a"})
    key.spoilt = True

    assert {"body": "a", REST: UNKNOWN} == as_snapshot(seen)


@pytest.mark.parametrize("size", [99, 100, 101, 5000])
def test_large_mapping_is_bounded_as_a_snapshot_is(size: int) -> None:
    """A mapping of many names says that not all of it is known, as its snapshots do."""
    state = {f"name_{number}": "a" for number in range(size)}

    def change(state: dict[str, str]) -> dict[str, str]:
        state["name_0"] = state[f"name_{size - 1}"] = "b"
        return state

    quick, thorough = told(state, change)

    assert thorough == quick


def test_names_keep_their_values_while_another_thread_changes_the_mapping() -> None:
    """A name never comes with another name's value, however a thread adds and removes names meanwhile."""
    state = {f"n{number}": f"n{number}" for number in range(20)}
    interval = sys.getswitchinterval()
    done = threading.Event()

    def churn() -> None:
        while not done.is_set():
            state["n3"] = state.pop("n3")
            state["extra"] = "extra"
            del state["extra"]

    thread = threading.Thread(target=churn)
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        for _ in range(2000):
            for name, value in as_snapshot(look(state)).items():
                assert name in {value, "..."}
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(interval)
