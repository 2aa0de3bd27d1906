"""What is decided once for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditkit.by_class import MOST, ByClass
from auditkit.capture.attribute import WAYS
from auditkit.snapshot import snapshot
from auditkit.snapshot.fields import PLANS

if TYPE_CHECKING:
    from collections.abc import Iterator


def equal_to(kind: type) -> Any:
    """Return an instance of a class that says it equals another one."""
    return type("Meta", (type,), {"__hash__": lambda _: hash(kind), "__eq__": lambda *_: True})("Made", (), {})()


@pytest.fixture
def _nothing_known() -> Iterator[None]:
    PLANS.clear()
    WAYS.clear()
    yield
    PLANS.clear()
    WAYS.clear()


def test_class_is_decided_once() -> None:
    """Who asks again is told what was decided."""
    asked: list[type] = []
    ways = ByClass[None](asked.append)
    assert (None, None, None) == (ways[str], ways[int], ways[str])

    assert [str, int] == asked


def test_classes_are_forgotten_beyond_a_number() -> None:
    """A program that makes ever new classes does not fill the memory."""
    ways = ByClass[str](lambda kind: kind.__name__)
    for number in range(MOST + 100):
        assert f"Made{number}" == ways[type(f"Made{number}", (), {})]

    assert len(ways) <= MOST


def test_what_cannot_be_decided_is_asked_again() -> None:
    """What deciding raises is nobody's decision."""
    raised = [ValueError()]

    def decide(kind: type) -> str:
        if raised:
            raise raised.pop()
        return kind.__name__

    ways = ByClass[str](decide)
    with pytest.raises(ValueError, match="^$"):
        ways[str]
    assert "str" == ways[str]


@pytest.mark.parametrize("method", ["__eq__", "__hash__"])
def test_class_that_says_what_it_equals_is_not_remembered(method: str) -> None:
    """A metaclass with a word on equality keeps its classes from being found in the place of others."""
    methods = {"__hash__": type.__hash__, method: getattr(type, method)}
    ways = ByClass[str](lambda kind: kind.__name__)

    assert "Made" == ways[type("Meta", (type,), methods)("Made", (), {})]
    assert {} == ways


@pytest.mark.usefixtures("_nothing_known")
def test_class_that_equals_all_takes_no_place() -> None:
    """After an object whose class says that it is dict, dicts are read as ever."""
    snapshot(equal_to(dict))
    with pytest.raises((AttributeError, TypeError)):
        WAYS[type(equal_to(dict))](equal_to(dict), "a")

    assert {"a": 1} == snapshot({"a": 1})
    assert 1 == WAYS[dict]({"a": 1}, "a")
