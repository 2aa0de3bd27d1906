"""What annotations tell of a reference's later segments when decorating, for every kind of class that declares."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from functools import wraps
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    NamedTuple,
    NoReturn,
    NotRequired,
    Optional,
    Required,
    TypedDict,
    Union,
)
from uuid import UUID

import attrs
import pydantic
import pytest

from auditkit import AuditDefinitionError, audited, ref

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from decimal import Decimal


@dataclass
class City:
    name: str


@attrs.define
class Attrs:
    city: City


@attrs.frozen(slots=False)
class OpenAttrs:
    city: City


class Model(pydantic.BaseModel):
    city: City

    def describe(self) -> str:
        return self.city.name


class OpenModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    city: City


@pydantic.dataclasses.dataclass
class PydanticDataclass:
    city: City


@dataclass
class Data:
    city: City
    tags: list[str]
    price: Decimal  # known to type checkers alone
    nothing: None = None


@dataclass
class Derived(Data):
    more: int = 0


@dataclass
class Dynamic:
    city: City

    def __getattr__(self, name: str) -> Any:
        return name


class Typed(TypedDict):
    city: Required[City]
    note: NotRequired[str]


class DerivedTyped(Typed, total=False):
    more: City


class Named(NamedTuple):
    city: City
    index: int  # type: ignore[assignment]  # a field named like a method of every tuple


Old = namedtuple("Old", ["city"])  # noqa: PYI024  (the untyped kind is what is tested)


class Plain:
    city: City


def taking(annotation: Any) -> Callable[..., Any]:
    """Return a function whose parameter, and whose result, is annotated with this."""

    def function(value: Any) -> Any:
        return value

    function.__annotations__ = {"value": annotation, "return": annotation}
    return function


def refusal(annotation: Any, path: str) -> str:
    """Return what is refused after the function's name; empty where nothing is."""
    try:
        audited("city.read", "R", metadata={"it": ref(path)})(taking(annotation))
    except AuditDefinitionError as error:
        return str(error).partition("function: ")[2]
    return ""


@pytest.mark.parametrize("first", ["value", "result"])
@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Attrs, "city"),
        (OpenAttrs, "city"),
        (Model, "city"),
        (PydanticDataclass, "city"),
        (Data, "city, nothing, price, tags"),
        (Derived, "city, more, nothing, price, tags"),
        (Typed, "city, note"),
        (DerivedTyped, "city, more, note"),
        (Named, "city, index"),
    ],
)
def test_a_field_that_is_not_declared_is_refused(first: str, kind: type, fields: str) -> None:
    """The message says which class it is and what it has; behind a field, the field's class is asked."""
    assert f"{kind.__name__} has no field 'town'; it has {fields}" == refusal(kind, f"{first}.town")
    assert "City has no field 'nam'; it has name" == refusal(kind, f"{first}.city.nam")
    assert "" == refusal(kind, f"{first}.city.name")


@pytest.mark.parametrize(
    "annotation",
    [
        "City",
        "City | None",
        City | None,
        Optional[City],  # noqa: UP045  (the older spelling is another object)
        Union[City, None],  # noqa: UP007  (as above)
        Annotated[City, "a note"],
        "Annotated[City | None, 'a note']",
    ],
    ids=["name", "union-text", "union", "optional", "old-union", "annotated", "annotated-text"],
)
def test_spellings_of_one_class_are_understood(annotation: Any) -> None:
    """Names, unions with None and Annotated lead to the class they are about."""
    assert "City has no field 'nam'; it has name" == refusal(annotation, "value.nam")
    assert "City has no field 'nam'; it has name" == refusal(annotation, "result.nam")


@pytest.mark.parametrize(
    ("annotation", "path"),
    [
        (City | Attrs, "value.anything"),
        ("Decimal", "value.anything"),
        ("not an annotation", "value.anything"),
        (tuple[City, ...], "value.name"),
        (list[City], "value.0.anything"),
        (str, "value.name"),
        (int, "value.real"),
        (7, "value.anything"),
        (Plain, "value.anything"),
        (OpenModel, "value.anything"),
        (Dynamic, "value.anything"),
        (Old, "value.city.anything"),
        (tuple, "value.anything"),
        (Data, "value.tags.0.anything"),
        (Data, "value.price.anything"),
        (Data, "value.nothing.anything"),
        (Model, "value.describe.anything"),
        (Named, "value.count"),
        (Named, "value.index.real"),
    ],
)
def test_what_cannot_be_told_is_not_refused(annotation: Any, path: str) -> None:
    """Where instances may have more than is declared, or nobody can say what they are, the call will tell."""
    assert "" == refusal(annotation, path)


@pytest.mark.parametrize(
    ("annotation", "path", "told"),
    [
        (str, "value.id", "a value of type str has no 'id'; name the value itself, or give a callable"),
        ("int | None", "value.id", "a value of type int has no 'id'"),
        (UUID, "value.0", "a value of type UUID has no '0'"),
        (list[City], "value.name", "a value of type list has no 'name'; an element is named by its number"),
        (Data, "value.tags.first", "a value of type list has no 'first'"),
        (Annotated[list, "a note"], "value.id", "a value of type list has no 'id'"),
    ],
)
def test_what_no_value_of_a_type_has_is_refused(annotation: Any, path: str, told: str) -> None:
    """A text, a number or a list has what its type has: a reference to more could not be read in any call."""
    assert refusal(annotation, path).startswith(told)


@pytest.mark.parametrize("annotation", [pytest.param(None, id="itself"), "None", NoReturn, "Never", "typing.Never"])
def test_result_of_what_returns_nothing_is_refused(annotation: Any) -> None:
    """Where the annotation says that there is no result, a reference to it is a mistake."""

    def function() -> Any: ...

    function.__annotations__ = {"return": annotation}

    for path in ("result", "result.id"):
        with pytest.raises(AuditDefinitionError, match=rf"{path}'.*function returns nothing, so there is no result"):
            audited("city.read", "R", target=path)(function)


def test_result_of_an_async_generator_is_refused() -> None:
    """An async generator yields, and never has a result."""

    async def cities() -> AsyncIterator[City]:
        yield City("Rome")

    with pytest.raises(AuditDefinitionError, match="returns nothing, so there is no result to refer to"):
        audited("city.read", "R", target="result.name")(cities)


def test_result_that_a_decorator_below_makes_is_not_told_by_the_annotation() -> None:
    """What a decorator gives in the result's place is not what the function it wraps is annotated to return."""

    def enveloped(function: Callable[..., Any]) -> Callable[..., Any]:
        return wraps(function)(lambda: {"data": function()})

    @enveloped
    def find() -> None: ...

    @enveloped
    def found() -> City:
        return City("Rome")

    for function in (find, found):
        audited("city.read", "R", target="result.data")(function)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("rest.name", r"\*rest is a tuple; write 'rest.0' for its first element"),
        ("rest.0.nam", "City has no field 'nam'; it has name"),
        ("more.first", r"'first' is never in \*\*more; write 'first' alone"),
        ("more.home.nam", "City has no field 'nam'; it has name"),
    ],
)
def test_reference_into_further_arguments_is_checked(path: str, told: str) -> None:
    """What can stand in *args and **kwargs is known, and what each of them is annotated with."""

    def visit(first: City, /, second: City, *rest: City, **more: City) -> None: ...

    def named(first: City, **more: City) -> None: ...

    with pytest.raises(AuditDefinitionError, match=told):
        audited("city.read", "R", target=path)(named if path == "more.first" else visit)
    for possible in ("rest", "rest.0", "rest.1.name", "more", "more.home.name", "more.first"):  # may be more's own
        audited("city.read", "R", metadata={"it": ref(possible)})(visit)


@pytest.mark.parametrize("option", ["fields", "exclude"])
def test_name_of_a_field_that_a_state_cannot_have_is_refused(option: str) -> None:
    """A misspelt name would choose nothing, or let through what was to be left out: it is refused as a reference is."""

    def update(data: Data, plain: Plain, cities: list[City]) -> Typed: ...  # type: ignore[empty-body]

    def decorate(name: str, **states: Any) -> None:
        audited("city.update", "U", **states, **{option: [name]})(update)  # type: ignore[arg-type]

    with pytest.raises(
        AuditDefinitionError, match=rf"{option}= of .*update: Data has no field 'prise'; it has city, n"
    ):
        decorate("prise", capture="data")
    with pytest.raises(AuditDefinitionError, match="City has no field 'nam'; it has name"):
        decorate("city.nam", capture="data")
    with pytest.raises(AuditDefinitionError, match="Data has no field 'town'"):
        decorate("town", before="data", after="result")
    decorate("note", before="data", after="result")  # the one has it
    decorate("city.name", capture="data")
    for state in ("plain", "cities"):
        decorate("anything", capture=state)


def test_methods_of_a_mapping_are_no_keys() -> None:
    """A TypedDict's keys are all that a reference may name: its methods are not what it holds."""
    assert "Typed has no field 'items'; it has city, note" == refusal(Typed, "value.items")


def test_coroutines_are_told_by_what_they_give() -> None:
    """The result of a coroutine function is what it is annotated to return."""

    async def find() -> City:
        return City("Rome")

    with pytest.raises(AuditDefinitionError, match="City has no field 'nam'; it has name"):
        audited("city.read", "R", target="result.nam")(find)


def test_error_is_not_checked_against_the_result() -> None:
    """What a call raised has nothing to do with what it is annotated to return."""
    assert "" == refusal(City, "error.args")
