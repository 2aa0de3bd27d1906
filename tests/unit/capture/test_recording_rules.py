"""What an audited call records, from where, and when it is read."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from auditkit import (
    AuditDefinitionError,
    AuditTrail,
    audit_context,
    audited,
    auditing,
    bind_context,
    configure,
    current_entry,
    record,
    ref,
    stats,
)
from auditkit.redaction import Redactor
from auditkit.transports import MemoryTransport
from tests.unit.capture.builders import Author, Refused, Tweet, only, troubles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditkit.event import Event

SOME_UUID = UUID("01234567-89ab-7def-8123-456789abcdef")


class Badge(Enum):
    ADMIN = "a1"


# ---------------------------------------------------------------------- what changed


def test_update_records_changed_fields_only(memory: MemoryTransport) -> None:
    """A U tells of each changed field what it was and what it is, and of no other."""

    @audited("tweet.update", "U", capture="tweet")
    def update(tweet: Tweet, body: str) -> None:
        tweet.body = body

    update(Tweet(), "new")

    assert {"body_was": "old", "body": "new"} == only(memory).metadata
    assert {"body": ("old", "new")} == only(memory).changes


def test_rules_of_another_class_are_asked(memory: MemoryTransport) -> None:
    """A redactor that masks more than ours is asked of every event, however innocent that looks."""

    class Strict(Redactor):
        def apply(self, metadata: Any) -> Any:
            return dict.fromkeys(metadata, "masked")

    trail = AuditTrail(memory, directory=None)
    trail.redactor = Strict()

    @audited("tweet.update", "U", capture="tweet", trail=trail)
    def update(tweet: Tweet, body: str) -> None:
        tweet.body = body

    for body in ("new", "newer"):
        update(Tweet(), body)
    trail.flush()

    assert [{"body_was": "masked", "body": "masked"}] * 2 == [each.metadata for each in memory.events]


def test_create_records_the_state_after_it(memory: MemoryTransport) -> None:
    """A C tells the values of what it made, and of nothing before."""

    @audited("tweet.create", "C", target="result.id", capture="result", fields=("id", "body"))
    def create(body: str) -> Tweet:
        return Tweet("tweet_6", body)

    create("hello")

    assert {"id": "tweet_6", "body": "hello"} == only(memory).metadata
    assert "tweet_6" == only(memory).target_id


def test_create_does_not_look_before_the_call(memory: MemoryTransport) -> None:
    """What a C captures is fetched once, when it is there."""
    fetched: list[str] = []

    def fetch(store: dict[str, str]) -> dict[str, str]:
        fetched.append("fetched")
        return store

    @audited("tweet.create", "C", capture=fetch)
    def create(store: dict[str, str]) -> None:
        assert not fetched
        store["body"] = "hello"

    create({})

    assert ["fetched"] == fetched
    assert {"body": "hello"} == only(memory).metadata


def test_delete_records_what_was(memory: MemoryTransport) -> None:
    """A D tells every value as it was before the call."""

    @audited("tweet.delete", "D", target="tweet", capture="tweet", fields=("body", "likes"))
    def delete(tweet: Tweet) -> None:
        tweet.body = "gone"

    delete(Tweet())

    assert {"body_was": "old", "likes_was": 0} == only(memory).metadata


def test_read_without_capture_reads_nothing(memory: MemoryTransport) -> None:
    """An R that names no state observes none: an argument's attributes are not touched."""

    class Untouchable:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

    @audited("tweet.read", "R", target="tweet_id")
    def read(tweet_id: str, tweet: object) -> object:
        return tweet

    read("tweet_5", Untouchable())

    assert {} == only(memory).metadata
    assert {} == troubles()


def test_read_with_capture_records_the_state_after_it(memory: MemoryTransport) -> None:
    """An R that names a state tells it as it was when the call returned."""

    @audited("tweet.read", "R", capture="tweet", fields=("likes",))
    def read(tweet: Tweet) -> None:
        tweet.likes += 1

    read(Tweet())

    assert {"likes": 1} == only(memory).metadata


def test_state_changed_in_place_is_told_as_it_was(memory: MemoryTransport) -> None:
    """The state before a call is kept by value, nested mappings and lists included."""

    @audited("shop.update", "U", capture="shop")
    def update(shop: dict[str, Any]) -> None:
        shop["address"]["city"] = "Paris"
        shop["tags"].append("b")

    update({"address": {"city": "Rome", "zip": "1"}, "tags": ["a"]})

    assert {
        "address.city_was": "Rome",
        "address.city": "Paris",
        "tags_was": '["a"]',
        "tags": '["a", "b"]',
    } == only(memory).metadata


def test_update_that_changed_nothing_is_recorded_and_counted(
    memory: MemoryTransport, caplog: pytest.LogCaptureFixture
) -> None:
    """The action was taken: its event is there, the count rises, and the hint is logged once."""

    @audited("tweet.update", "U", capture="tweet")
    def update(tweet: Tweet) -> None:
        """Change nothing."""

    caplog.set_level("INFO", "auditkit")
    update(Tweet())
    update(Tweet())

    assert [{}, {}] == [event.metadata for event in memory.events]
    assert {"unchanged": 2} == troubles()
    assert [
        (
            "unchanged: tweet.update changed nothing; if it did, the object was changed before the call: "
            "capture it before that; or what changed is another object: give before= and after="
        )
    ] == [each.getMessage() for each in caplog.records if "unchanged" in each.getMessage()]


@pytest.mark.parametrize(
    "choice",
    [{"fields": ("body",)}, {"exclude": ("likes",)}, {"fields": ["body"]}, {"exclude": {"likes", "id"}}],
    ids=str,
)
def test_fields_and_exclude_choose_among_the_states_fields(memory: MemoryTransport, choice: dict[str, Any]) -> None:
    """What was not chosen is not recorded, though it changed."""

    @audited("tweet.update", "U", capture="tweet", **choice)
    def update(tweet: Tweet) -> None:
        tweet.body, tweet.likes = "new", 1

    update(Tweet())

    assert {"body_was": "old", "body": "new"} == only(memory).metadata


def test_before_and_after_may_be_in_different_places(memory: MemoryTransport) -> None:
    """An update that returns a new object is told by the old one and the new one."""

    @audited("tweet.update", "U", before="tweet", after="result", exclude=("likes",))
    def update(tweet: Tweet) -> Tweet:
        return Tweet(tweet.id, "new", 1)

    update(Tweet())

    assert {"body_was": "old", "body": "new"} == only(memory).metadata


def test_after_alone_is_the_state_after(memory: MemoryTransport) -> None:
    """Where there is no state before, the one after is told as it is."""

    @audited("tweet.update", "U", after="result")
    def update() -> dict[str, str]:
        return {"body": "new"}

    update()

    assert {"body": "new"} == only(memory).metadata


def test_before_alone_is_the_state_before(memory: MemoryTransport) -> None:
    """Where there is no state after, the one before is told as what was."""

    @audited("tweet.delete", "D", before="tweet")
    def delete(tweet: dict[str, str]) -> None:
        tweet.clear()

    delete({"body": "old"})

    assert {"body_was": "old"} == only(memory).metadata


def test_capture_by_callable_takes_parameters_by_name(memory: MemoryTransport) -> None:
    """A callable is given what it names, defaults included, before the call and after it."""
    rows = {"main": {"5": {"body": "old"}}}

    @audited("tweet.update", "U", capture=lambda tweet_id, table: rows[table][tweet_id])
    def update(tweet_id: str, body: str, *, table: str = "main") -> None:
        rows[table][tweet_id] = {"body": body}

    update("5", body="new")

    assert {"body_was": "old", "body": "new"} == only(memory).metadata


def test_callable_takes_result_and_error(memory: MemoryTransport) -> None:
    """After the call a callable may ask for what it gave; there is no error when there is a result."""

    @audited("tweet.read", "R", metadata={"n": lambda result, error: f"{len(result)} {error}"})
    def read() -> list[int]:
        return [1, 2]

    read()

    assert {"n": "2 None"} == only(memory).metadata


def test_parameters_named_result_and_error_take_precedence(memory: MemoryTransport) -> None:
    """A function that has a parameter of that name means its parameter."""

    @audited("game.end", "C", target="result", metadata={"by": ref("error")})
    def end(result: str, error: str) -> str:
        return "something else"

    end("2:1", "none")

    assert "2:1" == only(memory).target_id
    assert {"by": "none"} == only(memory).metadata


# ---------------------------------------------------------------------- calls that raise


def raising(**options: Any) -> Callable[[BaseException], None]:
    @audited("tweet.update", "U", capture="tweet", target="tweet.id", **options)
    def update(tweet: Tweet, error: BaseException) -> None:
        tweet.body = "half done"
        raise error

    return lambda error: update(Tweet(), error)


def test_call_that_raised_is_not_recorded(memory: MemoryTransport) -> None:
    """An action that raised did not happen, unless somebody says otherwise."""
    with pytest.raises(Refused):
        raising()(Refused())

    assert [] == memory.events
    assert {} == troubles()


@pytest.mark.parametrize(
    ("error", "metadata"),
    [
        (Refused("body of Ada's tweet"), {"outcome": "failure", "error": "Refused"}),
        (PermissionError("not Ada"), {"outcome": "denied", "error": "PermissionError"}),
        (KeyboardInterrupt(), {"outcome": "failure", "error": "KeyboardInterrupt"}),
    ],
    ids=["failure", "denied", "interrupted"],
)
def test_on_error_record_tells_the_type_and_never_the_message(
    memory: MemoryTransport, error: BaseException, metadata: dict[str, str]
) -> None:
    """A failure is told by its exception's type: the message may hold data, and half-done changes are not changes."""
    with pytest.raises(type(error)):
        raising(on_error="record")(error)

    assert metadata == only(memory).metadata
    assert ("tweet.update", "tweet_5") == (only(memory).action, only(memory).target_id)


def test_on_error_may_be_another_action(memory: MemoryTransport) -> None:
    """A failed login is an action of its own."""

    @audited("user.login", "C", target="result.id", on_error="session.refused")
    def login(name: str) -> Author:
        if name != "Ada":
            raise Refused
        return Author()

    login("Ada")
    with pytest.raises(Refused):
        login("Eve")
    succeeded, failed = memory.events

    assert ("user.login", "user_1") == (succeeded.action, succeeded.target_id)
    assert ("session.refused", "C", "", "session", "session") == (
        failed.action,
        failed.action_type,
        failed.target_id,
        failed.target_name,
        failed.target_type,
    )
    assert {"outcome": "failure", "error": "Refused"} == failed.metadata
    assert {} == troubles()


def test_trails_on_error_holds_where_the_declaration_says_nothing() -> None:
    """configure(on_error=...) speaks for every call that does not speak for itself."""
    memory = MemoryTransport()
    configure(memory, directory=None, on_error="record")
    with pytest.raises(Refused):
        raising()(Refused())
    with pytest.raises(Refused):
        raising(on_error="skip")(Refused())

    assert ["failure"] == [event.metadata["outcome"] for event in memory.events]


def test_denied_exceptions_are_the_trails_choice() -> None:
    """configure(denied=...) says which exceptions mean a denial, subclasses included."""

    class Forbidden(Refused):
        pass

    memory = MemoryTransport()
    configure(memory, directory=None, on_error="record", denied=(Refused,))
    for error in (Forbidden(), PermissionError()):
        with pytest.raises(type(error)):
            raising()(error)

    assert ["denied", "failure"] == [event.metadata["outcome"] for event in memory.events]


@pytest.mark.parametrize("on_error", ["skip", "record", "tweet.update_failed"])
async def test_cancelled_coroutine_is_recorded(memory: MemoryTransport, on_error: str) -> None:
    """A cancelled call's effect may have happened: it is there, with the change that was seen, as its own action."""
    begun = asyncio.Event()

    @audited("tweet.update", "U", target="tweet.id", capture="tweet", on_error=on_error)
    async def update(tweet: Tweet) -> None:
        tweet.body = "new"
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(update(Tweet()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert "tweet.update" == only(memory).action
    assert {
        "outcome": "cancelled",
        "error": "CancelledError",
        "body_was": "old",
        "body": "new",
    } == only(memory).metadata


@pytest.mark.parametrize("on_error", ["skip", "record"])
def test_the_exception_is_the_same_object_with_its_traceback(memory: MemoryTransport, on_error: str) -> None:
    """What a function raises arrives as it is: the object, its cause, its notes, the frame that raised it."""
    given, cause = Refused("no"), ValueError("why")

    @audited("tweet.update", "U", on_error=on_error)
    def fails_here() -> None:
        raise given from cause

    with pytest.raises(Refused) as caught:
        fails_here()

    assert given is caught.value
    assert cause is given.__cause__
    assert not hasattr(given, "__notes__")
    assert "fails_here" == traceback.extract_tb(given.__traceback__)[-1].name


async def test_the_exception_of_a_coroutine_is_the_same_object(memory: MemoryTransport) -> None:
    """A coroutine's exception arrives as it is, too."""
    given = Refused("no")

    @audited("tweet.update", "U", on_error="record")
    async def fails_here() -> None:
        await asyncio.sleep(0)
        raise given

    with pytest.raises(Refused) as caught:
        await fails_here()

    assert given is caught.value
    assert "fails_here" == traceback.extract_tb(given.__traceback__)[-1].name
    assert "failure" == only(memory).metadata["outcome"]


# ---------------------------------------------------------------------- calls inside calls


def test_call_inside_a_call_names_its_parent(memory: MemoryTransport) -> None:
    """A nested call is an event of its own, and carries the id of the one around it."""

    @audited("order.pay", "U")
    def pay() -> None:
        """Be inside."""

    @audited("order.place", "C")
    def place() -> None:
        pay()
        pay()

    place()
    first, second, outer = memory.events

    assert [outer.id, outer.id, None] == [first.parent_id, second.parent_id, outer.parent_id]
    assert 3 == len({first.id, second.id, outer.id})


def test_parent_need_not_be_recorded(memory: MemoryTransport) -> None:
    """What was done inside a call that failed was done: it names a parent that is not there."""

    @audited("order.pay", "U")
    def pay() -> None:
        """Be inside."""

    @audited("order.place", "C")
    def place() -> None:
        pay()
        raise Refused

    with pytest.raises(Refused):
        place()
    pay()
    inside, after = memory.events

    assert inside.parent_id is not None
    assert after.parent_id is None


async def test_tasks_of_a_call_name_it_as_their_parent(memory: MemoryTransport) -> None:
    """What a call fans out belongs to it; what ran beside it does not."""

    @audited("order.pay", "U", target="number")
    async def pay(number: int) -> None:
        await asyncio.sleep(0)

    @audited("order.place", "C")
    async def place() -> None:
        await asyncio.gather(pay(1), pay(2))

    await asyncio.gather(place(), pay(3))
    found = {event.target_id: event for event in memory.events}

    assert [found[""].id, found[""].id, None] == [found[number].parent_id for number in "123"]


def test_events_of_one_scope_share_a_correlation_id(memory: MemoryTransport) -> None:
    """All of a request can be found by one id, which is another for the next request."""

    @audited("order.pay", "U")
    def pay() -> None:
        """Be recorded."""

    for _ in range(2):
        with audit_context(actor="user_1"):
            pay()
            with audit_context(group="inner"):
                pay()
    with audit_context(correlation_id="request-7"):
        pay()
    pay()
    ids = [event.correlation_id for event in memory.events]

    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert ["request-7", None] == ids[4:]
    assert None not in ids[:5]


# ---------------------------------------------------------------------- who, where, on what


def test_login_that_binds_its_user_is_that_users(memory: MemoryTransport) -> None:
    """Scope values are read when the call ends."""

    @audited("user.login", "C")
    def login() -> None:
        bind_context(actor=("user_1", "Ada"), group="org_1")

    with audit_context(location="1.1.1.1"):
        login()

    assert ("user_1", "Ada", "org_1", "1.1.1.1") == (
        only(memory).actor_id,
        only(memory).actor_name,
        only(memory).group,
        only(memory).location,
    )


def test_scope_entered_inside_the_call_does_not_count(memory: MemoryTransport) -> None:
    """Scope values are read from the scope that was innermost when the call began."""

    @audited("job.run", "U")
    def run() -> None:
        inner.__enter__()

    inner = audit_context(actor="intruder")
    with audit_context(actor="user_1"):
        run()
        inner.__exit__(None, None, None)

    assert "user_1" == only(memory).actor_id


def test_scope_left_inside_the_call_still_counts(memory: MemoryTransport) -> None:
    """A call that began in a scope is recorded with it, though it ended after the scope was left."""
    inner = audit_context(actor="user_1")

    @audited("job.run", "U")
    def run() -> None:
        inner.__exit__(None, None, None)

    inner.__enter__()
    run()

    assert "user_1" == only(memory).actor_id


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        ("author", ("user_1", "Ada", "user")),
        ("author.id", ("user_1", "user_1", "user")),
        ("self.owner", ("owner_1", "Grace", "robot")),
        ("result", ("user_2", "Eve", "user")),
        ("result.id", ("user_2", "user_2", "user")),
        (lambda author: (author.id, author.name.upper()), ("user_1", "ADA", "user")),
        (lambda: {"id": 7, "type": "service"}, ("7", "7", "service")),
        (lambda: SimpleNamespace(pk=SOME_UUID), (str(SOME_UUID), str(SOME_UUID), "user")),
        (lambda: Badge.ADMIN, ("a1", "a1", "user")),
    ],
    ids=["object", "id", "mapping", "result", "result-id", "pair", "callable-mapping", "pk", "enum"],
)
def test_actor_of_the_declaration_goes_before_the_contexts(
    memory: MemoryTransport, actor: Any, expected: tuple[str, str, str]
) -> None:
    """The decorator's actor may be named in every form, and is preferred to the scope's."""

    class Service:
        owner = {"id": "owner_1", "name": "Grace", "type": "robot"}  # noqa: RUF012  (what the test reads)

        @audited("tweet.read", "R", actor=actor)
        def read(self, author: Author) -> Author:
            return Author("user_2", "Eve")

    with audit_context(actor="somebody", group="org_1", location="here"):
        Service().read(Author())
    event = only(memory)

    assert expected == (event.actor_id, event.actor_name, event.actor_type)
    assert ("org_1", "here") == (event.group, event.location)
    assert event.correlation_id is not None
    assert {} == dict(stats().troubles)


@pytest.mark.parametrize("group", ["tenant.id", lambda tenant: tenant.id], ids=["reference", "callable"])
def test_group_of_the_declaration_goes_before_the_contexts(memory: MemoryTransport, group: Any) -> None:
    """The decorator's group is preferred to the scope's; numbers become text."""

    @audited("tweet.read", "R", group=group)
    def read(tenant: SimpleNamespace) -> None:
        """Be recorded."""

    with audit_context(actor="user_1", group="another"):
        read(SimpleNamespace(id=7))

    assert ("7", "user_1") == (only(memory).group, only(memory).actor_id)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, ("", "tweet")),
        ("tweet", ("tweet_5", "tweet_5")),
        ("tweet.id", ("tweet_5", "tweet_5")),
        ("tweet.likes", ("0", "0")),
        ("tweet.author", ("user_1", "Ada")),
        (("tweet.id", "tweet.body"), ("tweet_5", "old")),
        (("tweet.id", "result"), ("tweet_5", "renamed")),
        (("result", "tweet.id"), ("renamed", "tweet_5")),
        (ref("tweet.id"), ("tweet_5", "tweet_5")),
        (lambda tweet: (tweet.id, tweet.author.name), ("tweet_5", "Ada")),
        (lambda tweet: SimpleNamespace(pk=9, id=8, name="nine"), ("9", "nine")),
        (lambda: {"id": SOME_UUID, "name": "a name"}, (str(SOME_UUID), "a name")),
        (lambda: Badge.ADMIN, ("a1", "a1")),
        ("key", ("k\u00e9y", "k\u00e9y")),
    ],
    ids=[
        "none", "object", "id", "number", "deep", "pair", "late-name", "late-id", "ref", "callable-pair", "pk", "mapping",
        "enum", "text",
    ],
)  # fmt: skip
def test_target_takes_every_form(memory: MemoryTransport, target: Any, expected: tuple[str, str]) -> None:
    """A target is an id, a pair of references, an object with pk or id, or what a callable gives."""

    @audited("tweet.update", "U", target=target)
    def update(tweet: Tweet, key: str = "k\u00e9y") -> str:
        return "renamed"

    update(Tweet())

    assert expected == (only(memory).target_id, only(memory).target_name)
    assert "tweet" == only(memory).target_type
    assert {} == troubles()


@pytest.mark.parametrize("action_type", ["U", "D", "R"])
def test_target_is_read_before_the_call(memory: MemoryTransport, action_type: Any) -> None:
    """What an update, a delete or a read acts on is what was there when it began."""

    @audited("tweet.touch", action_type, target=("tweet.id", "tweet.body"))
    def touch(tweet: Tweet) -> None:
        tweet.id, tweet.body = "", "changed"

    touch(Tweet())

    assert ("tweet_5", "old") == (only(memory).target_id, only(memory).target_name)


def test_target_of_a_create_is_read_after_the_call(memory: MemoryTransport) -> None:
    """What a create makes may have its id only when it is made."""

    @audited("tweet.create", "C", target="tweet.id")
    def create(tweet: Tweet) -> None:
        tweet.id = "tweet_6"

    create(Tweet(""))

    assert "tweet_6" == only(memory).target_id


def test_target_in_the_result_of_a_call_that_raised_falls_back(memory: MemoryTransport) -> None:
    """Where there is no result, what there is without it stands, and it is no trouble."""

    @audited("tweet.update", "U", target=("tweet_id", "result.body"), on_error="record")
    def update(tweet_id: str) -> Tweet:
        raise Refused

    with pytest.raises(Refused):
        update("tweet_5")

    assert ("tweet_5", "tweet_5") == (only(memory).target_id, only(memory).target_name)
    assert {} == troubles()


# ---------------------------------------------------------------------- references into the call


def read_target(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> str:
    memory = MemoryTransport()
    trail = AuditTrail(memory, directory=None)
    audited("tweet.read", "R", target=lambda value: f"{value!r}", trail=trail)(function)(*args, **kwargs)
    return only(memory).target_id


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "expected"),
    [
        (lambda value: None, ["a"], {}, "'a'"),
        (lambda value: None, [], {"value": "a"}, "'a'"),
        (lambda value="d": None, [], {}, "'d'"),
        (lambda first, value="d": None, [1], {}, "'d'"),
        (lambda first, /, value: None, [1, "a"], {}, "'a'"),
        (lambda *, value: None, [], {"value": "a"}, "'a'"),
        (lambda *, value="d": None, [], {}, "'d'"),
        (lambda *value: None, ["a", "b"], {}, "('a', 'b')"),
        (lambda first, *value: None, ["a"], {}, "()"),
        (lambda first, **value: None, [1], {"b": 2}, "{'b': 2}"),
        (lambda first, **value: None, [], {"first": 1, "b": 2}, "{'b': 2}"),
        (lambda *rest, value="d": None, ["a"], {}, "'d'"),
    ],
)
def test_references_find_every_kind_of_parameter(
    function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], expected: str
) -> None:
    """However an argument is passed or left out, its parameter's name finds it."""
    assert expected == read_target(function, args, kwargs)


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ({"tenant": {"slug": "acme"}}, "acme"),
        (SimpleNamespace(tenant={"slug": "acme"}), "acme"),
        ({"tenant": SimpleNamespace(slug="acme")}, "acme"),
    ],
    ids=["keys", "key-of-attribute", "attribute-of-key"],
)
def test_references_follow_attributes_and_keys(memory: MemoryTransport, owner: Any, expected: str) -> None:
    """Each further segment is an attribute or a key, whichever there is."""

    @audited("tweet.read", "R", target="owner.tenant.slug")
    def read(owner: Any) -> None:
        """Be recorded."""

    read(owner)

    assert expected == only(memory).target_id


# ---------------------------------------------------------------------- metadata


def test_metadata_tells_constants_references_and_callables(memory: MemoryTransport) -> None:
    """A plain text is a constant; ref() refers; a callable is called; what they give is normalised."""

    @dataclass
    class Plan:
        name: str
        price: int

    @audited(
        "plan.buy",
        "C",
        metadata={
            "source": "plan.name",
            "name": ref("plan.name"),
            "plan": ref("plan"),
            "id": ref("result"),
            "twice": lambda plan: plan.price * 2,
        },
    )
    def buy(plan: Plan) -> UUID:
        return SOME_UUID

    buy(Plan("pro", 10))

    assert {
        "source": "plan.name",
        "name": "pro",
        "plan.name": "pro",
        "plan.price": 10,
        "id": str(SOME_UUID),
        "twice": 20,
    } == only(memory).metadata


def test_metadata_has_an_order_of_precedence(memory: MemoryTransport) -> None:
    """auditkit's own goes before captured state, that before the decorator's, that before the context's."""

    @audited(
        "tweet.update",
        "U",
        capture="state",
        metadata={"a": "mine", "b": "mine"},
        on_error="record",
    )
    def update(state: dict[str, str], *, fail: bool) -> None:
        state["a"] = state["outcome"] = "new"
        if fail:
            raise Refused

    with audit_context(metadata={"a": "context", "b": "context", "c": "context"}, on_behalf_of=("user_2", "Eve")):
        update({"a": "old", "outcome": "old"}, fail=False)
        with pytest.raises(Refused):
            update({"a": "old", "outcome": "old"}, fail=True)
    returned, raised = (event.metadata for event in memory.events)

    assert {
        "on_behalf_of_id": "user_2",
        "on_behalf_of_name": "Eve",
        "a_was": "old",
        "a": "new",
        "state.outcome_was": "old",
        "state.outcome": "new",
        "b": "mine",
        "c": "context",
    } == returned
    assert {
        "on_behalf_of_id": "user_2",
        "on_behalf_of_name": "Eve",
        "outcome": "failure",
        "error": "Refused",
        "a": "mine",
        "b": "mine",
        "c": "context",
    } == raised


# ---------------------------------------------------------------------- redaction


def test_secrets_are_redacted_by_name_and_shape(memory: MemoryTransport) -> None:
    """Passwords and their like never reach an event, wherever they come from."""

    @audited("user.update", "U", capture="user", metadata={"api_key": ref("key"), "note": ref("note")})
    def update(user: dict[str, str], key: str, note: str) -> None:
        user["password"] = "new"
        user["city"] = "Rome"

    with audit_context(metadata={"session_token": "abc"}):
        update({"password": "old", "city": "Paris"}, "k", "Bearer abcdefghijklmnopqrstuvwxyz012345")
    metadata = only(memory).metadata

    assert {
        "password_was": "[redacted]",
        "password": "[redacted]",
        "city_was": "Paris",
        "city": "Rome",
        "api_key": "[redacted]",
        "note": "[redacted]",
        "session_token": "[redacted]",
    } == metadata


def test_redact_adds_names_to_the_trails(memory: MemoryTransport) -> None:
    """A declaration's own names are redacted in its events, beside those that always are, and in no others."""

    def update(user: dict[str, str]) -> None:
        user.update(email="b", password="b")

    audited("user.update", "U", capture="user", redact=("email",))(update)({"email": "a", "password": "a"})
    audited("user.update", "U", capture="user")(update)({"email": "a", "password": "a"})
    own, other = (event.metadata for event in memory.events)

    assert {"[redacted]"} == set(own.values())
    assert {"email_was": "a", "email": "b"} == {key: value for key, value in other.items() if "email" in key}


# ---------------------------------------------------------------------- where events go


def test_disabled_records_nothing_and_runs_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """With AUDITKIT_DISABLED a function is what it is without auditkit."""
    monkeypatch.setenv("AUDITKIT_DISABLED", "1")
    memory = MemoryTransport()
    configure(memory, directory=None, on_audit_error="raise")

    def hostile() -> None:
        raise AssertionError

    @audited("tweet.update", "U", capture=hostile, target=hostile)
    def update(body: str) -> str:
        return body

    assert "new" == update("new")
    record("tweet.update", "U")
    assert [] == memory.events
    assert {} == dict(stats().troubles)


async def test_disabled_runs_coroutines(monkeypatch: pytest.MonkeyPatch) -> None:
    """With AUDITKIT_DISABLED a coroutine function is what it is without auditkit."""
    monkeypatch.setenv("AUDITKIT_DISABLED", "1")
    memory = MemoryTransport()
    configure(memory, directory=None)

    @audited("tweet.update", "U")
    async def update(body: str) -> str:
        return body

    assert "new" == await update("new")
    assert [] == memory.events


def test_trail_of_the_declaration_takes_its_events(memory: MemoryTransport, make: Callable[..., AuditTrail]) -> None:
    """trail= sends a function's events there, and nowhere else."""
    own = MemoryTransport()

    @audited("tweet.update", "U", trail=make(own))
    def update() -> None:
        """Be recorded."""

    update()

    assert ["tweet.update"] == [event.action for event in own.events]
    assert [] == memory.events


def test_decorated_before_configured_records_where_configured() -> None:
    """The process-wide trail is looked up at each call, and may change between two."""

    @audited("tweet.update", "U", redact=("body",), metadata={"body": "x", "city": "x"})
    def update() -> None:
        """Be recorded."""

    first, second = MemoryTransport(), MemoryTransport()
    configure(first, directory=None)
    update()
    configure(second, directory=None, redact=("city",))
    update()

    assert [{"body": "[redacted]", "city": "x"}] == [event.metadata for event in first.events]
    assert [{"body": "[redacted]", "city": "[redacted]"}] == [event.metadata for event in second.events]


def test_transport_cannot_feed_itself() -> None:
    """An audited function that a transport calls while it sends records nothing."""

    @audited("transport.call", "R")
    def called() -> str:
        return "result"

    class Auditing(MemoryTransport):
        def send(self, events: Sequence[Event]) -> None:
            assert "result" == called()
            assert record("transport.record", "R").id
            super().send(events)

    memory = Auditing()
    configure(memory, directory=None)
    called()

    assert ["transport.call"] == [event.action for event in memory.events]
    assert 1 == stats().recorded


def test_trails_that_share_a_scope_have_their_own_defaults() -> None:
    """What nobody bound is each trail's own, also where one scope serves calls of several."""
    events: list[Any] = []
    for location in ("here", "there"):
        transport = MemoryTransport()
        trail = AuditTrail(transport, directory=None, defaults={"location": location})
        events.append((transport, audited("tweet.read", "R", trail=trail)(lambda: None)))
    with audit_context(actor="u1"):
        for _, read in [*events, *events]:
            read()

    assert [["here"] * 2, ["there"] * 2] == [[each.location for each in transport.events] for transport, _ in events]


FORM = {"outcome": "denied", "error": Decimal(1), "on_behalf_of_id": "eve", "auditkit_capture": "all", "a": 2}
APART = {
    "metadata.outcome": "denied",
    "metadata.error": "1",
    "metadata.on_behalf_of_id": "eve",
    "metadata.auditkit_capture": "all",
    "a": 2,
}


@audited("form.send", "C")
def send(form: dict[str, Any]) -> None:
    current_entry().metadata.update(form)


def send_in_block(form: dict[str, Any]) -> None:
    with auditing("form.send", "C", metadata=form):
        pass


def send_said_in_block(form: dict[str, Any]) -> None:
    with auditing("form.send", "C") as entry:
        entry.metadata.update(form)


def send_as_fact(form: dict[str, Any]) -> None:
    record("form.send", "C", metadata=form)


@pytest.mark.parametrize("way", [send, send_in_block, send_said_in_block, send_as_fact])
def test_own_keys_cannot_be_stated(memory: MemoryTransport, way: Callable[[dict[str, Any]], None]) -> None:
    """What an application states, a user's form perhaps, is never read as what auditkit says of the event."""
    way(FORM)

    assert APART == only(memory).metadata
    assert {} == troubles()


def test_own_keys_cannot_be_bound(memory: MemoryTransport) -> None:
    """What a scope's metadata states under them stands apart too, and whose behalf it is is what it says by itself."""
    with audit_context(on_behalf_of="ada", metadata={"outcome": "denied", "on_behalf_of_id": "eve"}):
        bind_context(metadata=lambda: {"error": "none"})
        send({})

    assert {
        "on_behalf_of_id": "ada",
        "on_behalf_of_name": "ada",
        "metadata.on_behalf_of_id": "eve",
        "metadata.outcome": "denied",
        "metadata.error": "none",
    } == only(memory).metadata


@pytest.mark.parametrize("value", ["denied", ref("form"), lambda form: form], ids=["constant", "reference", "callable"])
@pytest.mark.parametrize("key", ["outcome", "error", "on_behalf_of_name", "auditkit_capture"])
def test_own_key_of_a_decorator_is_refused(key: str, value: object) -> None:
    """A decorator that names one of auditkit's keys is a mistake, and told when decorating."""
    with pytest.raises(AuditDefinitionError, match=f"auditkit writes '{key}' itself; choose another name"):
        audited("form.send", "C", metadata={key: value})(send)
