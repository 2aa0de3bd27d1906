"""Tests of values that do not change."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import sys
import typing
from typing import Any

import pydantic
import pytest

from auditkit import Actor, Context, Event, InvalidEventError, Target, ref
from auditkit.frozen import frozen_value
from auditkit.snapshot import snapshot


@frozen_value
class Member(Actor):
    """A user's own kind of actor, with a field more."""

    __slots__ = "team"  # noqa: PLC0205  (as Python takes it)

    team: str

    def __init__(self, id: str, name: str = "", type: str = "member", team: str = "") -> None:  # noqa: A002
        """Keep the team too."""
        super().__init__(id, name, type)
        self._settle(team=team)


VALUES = [
    Actor("1", "a", "admin"),
    Member("1", "a", "admin", "blue"),
    Target("1", "a", "tweet"),
    Context(group="org_1", actor=Actor("1")),
    ref("plan.name"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_copies_are_equal(value: Actor | Target | Context | ref) -> None:
    """A copy of any kind is equal, of the same class, and has no room for anything else."""
    names = [each.name for each in dataclasses.fields(value)]
    others = [copy.copy(value), dataclasses.replace(value)]
    if not isinstance(value, Context):  # its read-only metadata cannot be pickled
        others.append(pickle.loads(pickle.dumps(value)))
    if sys.version_info >= (3, 13):
        others.append(copy.replace(value))

    assert [value] * len(others) == others
    assert {type(value)} == {type(other) for other in others}
    assert list(type(value).__match_args__) == names
    assert not hasattr(value, "__dict__")


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_nothing_can_be_set_or_deleted(value: Actor | Target | Context | ref) -> None:
    """No field can be set or deleted and none added; the message says what to do instead."""
    for name in [*type(value).__match_args__, "other"]:
        with pytest.raises(
            dataclasses.FrozenInstanceError, match=f"{type(value).__name__} does not change, so '{name}' cannot be set"
        ):
            setattr(value, name, "x")
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"'{name}' cannot be deleted"):
            delattr(value, name)


def test_equality_asks_for_the_same_class() -> None:
    """Values of two classes differ, even with equal fields, as do those that differ in one field; so do their hashes."""
    assert Actor("1") != Target("1", type="user")
    assert Actor("1", "a", "admin") != Member("1", "a", "admin")
    assert Member("1", team="blue") != Member("1", team="red")
    assert Actor("1") != ("1", "1", "user")
    assert 2 == len({Actor("1"), Actor("2"), Actor("1")})


def test_changed_copy_is_judged() -> None:
    """What is changed in a copy is judged as in a new value, by `dataclasses.replace` and by `copy.replace`."""
    actor = Actor("1", "a")

    assert Actor("1", "b") == dataclasses.replace(actor, name="b")
    assert Actor("1", "b") == actor.__replace__(name="b")
    with pytest.raises(InvalidEventError):
        dataclasses.replace(actor, id="")
    with pytest.raises(InvalidEventError):
        actor.__replace__(id="")
    with pytest.raises(TypeError, match="unexpected keyword"):
        actor.__replace__(colour="b")


def test_fields_are_made_once_for_each_class() -> None:
    """Who asks often what is a dataclass does not pay often; a class derived from another one has fields of its own."""
    assert Actor.__dataclass_fields__ is Actor("1").__dataclass_fields__
    assert ["id", "name", "type"] == list(Actor.__dataclass_fields__)
    assert ["id", "name", "type", "team"] == list(Member.__dataclass_fields__)


def test_captured_value_tells_its_fields() -> None:
    """One that is captured as a state is told field by field, as other values are, and so is a user's kind of it."""

    class Robot(Actor):
        model = "R2"

    assert {"id": "1", "name": "a", "type": "user"} == snapshot(Actor("1", "a"))
    assert {"id": "1", "name": "a", "type": "user", "model": "R2"} == snapshot(Robot("1", "a"))


def test_values_are_shown_and_matched_by_field() -> None:
    """A repr names each field, and a pattern takes them in their order."""
    match Member("1", "a", team="blue"):
        case Member("1", "a", "member", team):
            assert "blue" == team
        case _:
            pytest.fail("no match")

    assert "Member(id='1', name='a', type='member', team='blue')" == repr(Member("1", "a", team="blue"))
    assert {"id": "1", "name": "a", "type": "user"} == dataclasses.asdict(Actor("1", "a"))


@pytest.mark.parametrize("kind", [Actor, Target, Event, ref])
def test_annotations_can_be_read(kind: Any) -> None:
    """Frameworks that look at a class's fields, or at what makes it, find types that can be evaluated."""
    fields = typing.get_type_hints(kind)
    taken = typing.get_type_hints(kind.__init__)

    assert set(kind.__match_args__) <= fields.keys()
    assert {*kind.__match_args__, "return"} == taken.keys()


def test_pydantic_takes_it_for_a_dataclass() -> None:
    """A field of a pydantic model may be one: it is made of a mapping, completed and judged as ever, and dumped."""
    actors, events = pydantic.TypeAdapter(Actor), pydantic.TypeAdapter(Event)
    event = Event("g", "user.login", "C", "n", "a", "t", "t", "here")
    stated = {key: value for key, value in event.to_dict().items() if key not in {"id", "occurred_at", "target_type"}}
    made = events.validate_python(stated)

    assert Actor("1") == actors.validate_python({"id": "1"})
    assert {"id": "1", "name": "1", "type": "user"} == actors.dump_python(Actor("1"))
    assert stated | {"target_type": "user"} == {key: made.to_dict()[key] for key in [*stated, "target_type"]}
    assert made.id != event.id
    with pytest.raises((pydantic.ValidationError, InvalidEventError)):
        actors.validate_python({"id": ""})
