"""What cannot work is refused when decorating, with a message that says what exists."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import pytest

from auditkit import ActionType, AuditDefinitionError, AuditError, AuditTrail, audited, ref
from tests.unit.capture.builders import Author, Tweet, only

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from auditkit.transports import MemoryTransport


class Point(NamedTuple):
    x: int
    y: int


class Address(TypedDict):
    city: str


@dataclass
class House:
    address: Address
    point: Point

    @property
    def label(self) -> str:
        return self.address["city"]


class Loose:
    declared: int


def update(tweet: Tweet, body: str, *, draft: bool = False) -> Tweet:
    return tweet


def annotated(house: House, address: Address, point: Point, quoted: House, loose: Loose, price: Decimal) -> Any:
    """Be decorated; all annotations are strings here."""


async def later() -> str:
    return "later"


def refusal(decorate: Callable[[], object]) -> str:
    with pytest.raises(AuditDefinitionError) as caught:
        decorate()
    return str(caught.value)


@pytest.mark.parametrize(
    ("action", "action_type", "message"),
    [
        (
            "update",
            "U",
            (
                "audited() of update: action must be a category and a name separated by a period, such as 'user.login', "
                "got 'update'"
            ),
        ),
        (
            "tweet update.now",
            "U",
            (
                "audited() of update: action must be a category and a name separated by a period, such as 'user.login', "
                "got 'tweet update.now'"
            ),
        ),
        (5, "U", "audited() of update: action must be a str, got 5"),
        ("tweet.update", "X", "audited() of update: action_type must be 'C', 'R', 'U' or 'D', got 'X'"),
        ("tweet.update", "u", "audited() of update: action_type must be 'C', 'R', 'U' or 'D', got 'u'"),
        ("tweet.update", None, "audited() of update: action_type must be 'C', 'R', 'U' or 'D', got None"),
    ],
)
def test_action_and_type_are_checked(action: Any, action_type: Any, message: str) -> None:
    """What is done must be named as an event names it."""
    assert message == refusal(lambda: audited(action, action_type)(update))


@pytest.mark.parametrize("option", ["target", "actor", "group", "capture", "before", "after"])
def test_unknown_parameter_is_refused_by_naming_those_that_exist(option: str) -> None:
    """A typo in a reference is an error at import."""
    options: dict[str, Any] = {option: "tweeet.id"}

    assert (
        f"{option}='tweeet.id' of update: there is no parameter 'tweeet'; there are tweet, body, draft, result"
    ) == refusal(lambda: audited("tweet.update", "U", **options)(update))


def test_unknown_parameter_in_metadata_is_refused_by_its_key() -> None:
    """A typo in a ref() is an error at import, too."""
    assert (
        "metadata['plan']='plan.name' of update: there is no parameter 'plan'; there are tweet, body, draft, result"
    ) == refusal(lambda: audited("tweet.update", "U", metadata={"plan": ref("plan.name")})(update))


@pytest.mark.parametrize("path", ["", "tweet.", ".id", "tweet..id", "tweet id", "tweet[0]", "5.id", "tweet.id()"])
def test_what_is_no_path_is_refused(path: str) -> None:
    """A reference is names and periods."""
    assert (
        f"target={path!r} of update is not a reference: write a parameter's name, then attributes or keys, "
        "such as 'tweet.id'"
    ) == refusal(lambda: audited("tweet.update", "U", target=path)(update))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("house.adress", "House has no field 'adress'; it has address, point"),
        ("address.town", "Address has no field 'town'; it has city"),
        ("address.keys", "Address has no field 'keys'; it has city"),
        ("point.z", "Point has no field 'z'; it has x, y"),
        ("quoted.owner", "House has no field 'owner'; it has address, point"),
        ("house.address.town", "Address has no field 'town'; it has city"),
        ("house.point.z", "Point has no field 'z'; it has x, y"),
    ],
)
def test_segment_that_its_class_does_not_declare_is_refused(path: str, message: str) -> None:
    """Where an annotation is a class with declared fields, a typo behind it is an error at import."""
    assert f"target={path!r} of annotated: {message}" == refusal(
        lambda: audited("house.update", "U", target=path)(annotated)
    )


def test_segment_is_checked_where_annotations_are_not_strings() -> None:
    """Annotations that are classes are understood as those that are their names."""

    def move(point: object) -> None:
        """Be decorated."""

    move.__annotations__["point"] = Point

    assert "target='point.z' of " in (found := refusal(lambda: audited("point.move", "U", target="point.z")(move)))
    assert found.endswith("move: Point has no field 'z'; it has x, y")


@pytest.mark.parametrize(
    "path",
    ["house.label", "house.label.anything", "house.address.city", "point.x", "point.count", "loose.anything", "price.real",
     "result.anything"],
)  # fmt: skip
def test_segment_that_may_exist_is_taken(path: str) -> None:
    """Properties, inherited names and what annotations cannot tell are not refused."""
    assert callable(audited("house.update", "U", target=path)(annotated))


def test_target_that_gives_several_is_refused() -> None:
    """Of several ids, two would pass for one and its name: they are refused, and what tells of each is named."""

    def drop(ids: list[int], *more: int, **named: int) -> None:
        """Be decorated."""

    for name in ("ids", "more", "named"):
        found = refusal(partial(audited("row.drop", "D", target=name), drop))
        assert f"target='{name}' of " in found
        assert "gives several; leave target out and say each with current_entry().add_target()" in found
        assert callable(audited("row.drop", "D", metadata={"all": ref(name)})(drop))


@pytest.mark.parametrize("action_type", ["U", "D"])
def test_result_cannot_be_captured_before_the_call(action_type: Any) -> None:
    """A U or D needs the state before, where there is no result yet."""
    assert (
        f"capture='result' of update is not there before the call, and '{action_type}' needs the state before it; "
        "give before= and after= separately"
    ) == refusal(lambda: audited("tweet.update", action_type, capture="result")(update))


def test_before_cannot_be_the_result() -> None:
    """There is no result before the call."""
    assert "before='result.id' of update is not there before the call" == refusal(
        lambda: audited("tweet.update", "U", before="result.id")(update)
    )


@pytest.mark.parametrize("other", ["before", "after"])
def test_capture_goes_without_before_and_after(other: str) -> None:
    """A state is named once."""
    options: dict[str, Any] = {other: "tweet"}

    assert "capture= of update names the state for both moments; give it, or before= and after=" == refusal(
        lambda: audited("tweet.update", "U", capture="tweet", **options)(update)
    )


def test_fields_go_without_exclude() -> None:
    """Fields are chosen in one way."""
    assert "fields= and exclude= of update cannot both be given" == refusal(
        lambda: audited("tweet.update", "U", capture="tweet", fields=("body",), exclude=("id",))(update)
    )


@pytest.mark.parametrize("option", ["fields", "exclude", "redact"])
def test_single_text_is_no_collection_of_names(option: str) -> None:
    """A text would be taken for its letters."""
    options: dict[str, Any] = {option: "body"}

    assert f"{option}= of update takes several names: write {option}=('body',)" == refusal(
        lambda: audited("tweet.update", "U", capture="tweet", **options)(update)
    )


@pytest.mark.parametrize("option", ["fields", "exclude", "redact"])
@pytest.mark.parametrize(("given", "told"), [((5,), "5"), (("",), "''"), (7, "7"), ((b"a",), "a value of type bytes")])
def test_names_are_texts(option: str, given: Any, told: str) -> None:
    """What is no name would never be found."""
    options: dict[str, Any] = {option: given}

    assert f"{option}= of update takes non-empty names, got {told}" == refusal(
        lambda: audited("tweet.update", "U", capture="tweet", **options)(update)
    )


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (
            {"a": [1]},
            (
                "metadata['a'] must be a str, bool, int, finite float, aware datetime, None, or one mapping of "
                "these, got a value of type list"
            ),
        ),
        ({5: "a"}, None),
        ({"a": {"b": {"c": 1}}}, None),
        ([("a", 1)], None),
    ],
    ids=["list", "key", "deep", "no-mapping"],
)
def test_metadata_is_checked_as_an_events_is(metadata: Any, message: str | None) -> None:
    """A constant that no event could carry is refused with the path of its key."""
    found = refusal(lambda: audited("tweet.update", "U", metadata=metadata)(update))

    assert found.startswith("metadata= of update: metadata")
    assert message is None or f"metadata= of update: {message}" == found


def test_metadata_path_is_named() -> None:
    """The offending key is found at its depth."""
    found = refusal(lambda: audited("tweet.update", "U", metadata={"a": {"b": {"c": 1}}})(update))

    assert "metadata['a']['b']" in found


def test_class_is_refused() -> None:
    """A class is no action."""
    assert "audited() takes a function, and Tweet is a class; decorate its methods" == refusal(
        lambda: audited("tweet.create", "C")(Tweet)
    )


@pytest.mark.parametrize("given", [5, property(lambda self: 1)], ids=["number", "property"])
def test_what_cannot_be_called_is_refused(given: Any) -> None:
    """Only what is called can be audited."""
    assert refusal(lambda: audited("tweet.create", "C")(given)).startswith(
        f"audited() takes a function, got a value of type {type(given).__name__}"
    )


def test_missing_parentheses_are_named() -> None:
    """@audited without an action says how it is written."""
    bare: Any = audited
    expected = "write @audited('category.name', 'U') with its parentheses, action and action type"

    assert expected == refusal(lambda: bare(update))
    assert expected == refusal(lambda: bare(update, "U"))


@pytest.mark.parametrize("option", ["target", "actor", "group", "capture", "before", "after", "when", "outcome"])
def test_async_callable_is_refused(option: str) -> None:
    """Nobody would await it on a plain function."""
    options: dict[str, Any] = {option: later}

    assert f"{option}= of update is the async function later, and update is none; give a plain one" == refusal(
        lambda: audited("tweet.update", "U", **options)(update)
    )


def test_async_callable_in_metadata_is_refused() -> None:
    """Nobody would await it there, either."""
    assert "metadata['a']= of update is the async function later, and update is none; give a plain one" == refusal(
        lambda: audited("tweet.update", "U", metadata={"a": later})(update)
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda twet: twet, "twet"),
        (lambda tweet, other: tweet, "other"),
        (lambda tweet, /: tweet, "tweet"),
        (lambda *tweet: tweet, "*tweet"),
        (lambda **tweet: tweet, "**tweet"),
    ],
    ids=["typo", "second", "positional", "several", "by-name"],
)
def test_callable_that_takes_what_there_is_not_is_refused(given: Callable[..., Any], told: str) -> None:
    """A callable is given what it names, so that must exist."""
    assert (
        f"target= of update: {given.__qualname__} takes {told!r}, and what can be given by name is "
        "tweet, body, draft, result, error"
    ) == refusal(lambda: audited("tweet.update", "U", target=given)(update))


def test_callable_keeps_defaults_of_its_own(memory: MemoryTransport) -> None:
    """A parameter that has a default need not be the function's."""
    audited("tweet.update", "U", target=lambda tweet, suffix="!": tweet.id + suffix)(update)(Tweet(), "")

    assert "tweet_5!" == only(memory).target_id


def test_callable_without_signature_is_refused() -> None:
    """What it takes must be told by its signature."""
    assert "target= of update: dict has no signature; wrap it in a lambda that names what it takes" == refusal(
        lambda: audited("tweet.update", "U", target=dict)(update)
    )


def test_function_without_signature_is_refused() -> None:
    """A function whose parameters nobody can name cannot be referred into."""
    assert "getattr has no signature that audited can read" == refusal(lambda: audited("tweet.read", "R")(getattr))


@pytest.mark.parametrize("option", ["target", "actor", "group", "capture", "before", "after"])
def test_what_is_neither_reference_nor_callable_is_refused(option: str) -> None:
    """A constant is not what these options take."""
    options: dict[str, Any] = {option: 5}

    assert f"{option}= of update must be a reference such as 'tweet.id' or a callable, got a value of type int" == (
        refusal(lambda: audited("tweet.update", "U", **options)(update))
    )


@pytest.mark.parametrize("given", ["sometimes", "", 5, ["skip"]])
def test_on_error_is_checked(given: Any) -> None:
    """It is "skip", "record" or an action's name."""
    told = "a value of type list" if isinstance(given, list) else repr(given)

    assert f"on_error= of update must be 'skip', 'record' or another action's name, got {told}" == refusal(
        lambda: audited("tweet.update", "U", on_error=given)(update)
    )


@pytest.mark.parametrize("given", ["ignore", 5, ["log"]])
def test_on_audit_error_is_checked(given: Any) -> None:
    """It is "log" or "raise"."""
    told = "a value of type list" if isinstance(given, list) else repr(given)

    assert f"on_audit_error= of update must be 'log' or 'raise', got {told}" == refusal(
        lambda: audited("tweet.update", "U", on_audit_error=given)(update)
    )


@pytest.mark.parametrize("given", [("tweet.id",), ("tweet.id", "tweet.body", "body")])
def test_target_is_one_reference_or_two(given: Any) -> None:
    """A target has an id and a name."""
    assert f"target= of update must be one reference or an (id, name) pair of them, got {len(given)}" == refusal(
        lambda: audited("tweet.update", "U", target=given)(update)
    )


def test_refusals_name_methods_by_their_class() -> None:
    """The message says which function it is."""

    def declare() -> None:
        class Service:
            @audited("tweet.update", "U", target="tweeet")
            def update(self, tweet: Tweet) -> None: ...

    assert refusal(declare).endswith("Service.update: there is no parameter 'tweeet'; there are self, tweet, result")


def test_refusal_is_an_audit_error_and_a_type_error() -> None:
    """Who catches either meets it."""
    assert issubclass(AuditDefinitionError, AuditError)
    assert issubclass(AuditDefinitionError, TypeError)


def test_action_type_may_be_the_enum(memory: MemoryTransport) -> None:
    """ActionType's members are their letters."""
    audited("tweet.update", ActionType.UPDATE, capture="tweet")(update)(Tweet(), "")

    assert ActionType.UPDATE is only(memory).action_type


def test_declaration_is_not_shared_with_what_was_given(memory: MemoryTransport) -> None:
    """What was given may change later: the declaration does not."""
    metadata: dict[str, Any] = {"source": "web"}
    fields = ["body"]

    @audited("tweet.update", "U", capture="tweet", fields=fields, metadata=metadata)
    def change(tweet: Tweet) -> None:
        tweet.body, tweet.likes = "new", 1

    metadata["source"] = "other"
    fields.append("likes")
    change(Tweet())

    assert {"source": "web", "body_was": "old", "body": "new"} == only(memory).metadata


def test_one_decorator_decorates_many(memory: MemoryTransport) -> None:
    """A decorator holds nothing of a function, so that it may be used again, also on coroutines."""
    reads = audited("author.read", "R", target="author")

    def read(author: Author) -> str:
        return author.name

    async def aread(author: Author) -> str:
        return author.name

    assert ("Ada", "Ada") == (reads(read)(Author()), asyncio.run(reads(aread)(Author("user_2"))))
    assert ["user_1", "user_2"] == [event.target_id for event in memory.events]


@pytest.mark.parametrize(
    ("given", "shown"),
    [("audit", "'audit'"), (7, "7"), (AuditTrail, "the class AuditTrail")],
    ids=["text", "number", "class"],
)
def test_trail_that_is_none_is_refused(given: Any, shown: str) -> None:
    """What cannot record is refused when decorating: no call would be made any more."""
    assert f"trail= of update must be an AuditTrail, got {shown}" == refusal(
        lambda: audited("tweet.update", "U", trail=given)(update)
    )


def test_parameter_that_a_partial_binds_is_refused() -> None:
    """The message names the partial's function, and says why it has no such parameter any more."""
    assert (
        "target='tweet.id' of a partial of update: 'tweet' is already bound by the partial; there are body, draft, result"
    ) == refusal(lambda: audited("tweet.update", "U", target="tweet.id")(partial(update, Tweet())))
