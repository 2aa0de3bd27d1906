"""When references are read, and what is told where there is nothing to read."""

from __future__ import annotations

import functools
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import flask
import pytest
from django.utils.functional import SimpleLazyObject
from werkzeug.local import LocalProxy

from auditkit import AuditDefinitionError, RecordingFailed, audited, ref
from tests.unit.capture.builders import Refused, Tweet, only, troubles

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditkit.transports import MemoryTransport


def test_error_may_be_referred_to(memory: MemoryTransport) -> None:
    """What a call raised is there for those who name it; a call that returned has none, which is no trouble."""

    @audited("job.run", "U", metadata={"code": ref("error.code")}, on_error="record")
    def run(*, fail: bool) -> None:
        if fail:
            error = Refused()
            error.code = 7  # type: ignore[attr-defined]
            raise error

    with pytest.raises(Refused):
        run(fail=True)
    run(fail=False)
    raised, returned = memory.events

    assert {"outcome": "failure", "error": "Refused", "code": 7} == raised.metadata
    assert {} == returned.metadata
    assert {} == troubles()


def test_deep_reference_says_where_it_ends(memory: MemoryTransport, caplog: pytest.LogCaptureFixture) -> None:
    """The message names the whole reference, the segment that is not there and the type that lacks it."""

    @audited("tweet.read", "R", target="tweet.author.name.first")
    def read(tweet: Any) -> None:
        """Be recorded."""

    read(SimpleNamespace(author={"name": "Ada"}))

    assert "'tweet.author.name.first': a value of type str has no 'first'" in caplog.text


class Page(list[Any]):
    """A list with something of its own."""

    total = 7


def test_elements_are_named_by_their_numbers(memory: MemoryTransport, caplog: pytest.LogCaptureFixture) -> None:
    """A reference leads through lists, tuples and further arguments; an element that is not there is told."""

    @audited(
        "tweet.read",
        "R",
        target="rest.0.id",
        metadata={
            "second": ref("page.1"),
            "total": ref("page.total"),
            "none": ref("page.9"),
            "all": ref("more.tags.0"),
        },
    )
    def read(page: Page, *rest: Any, **more: Any) -> None:
        """Be recorded."""

    read(Page("ab"), {"id": "t1"}, tags=("x", "y"))
    event = only(memory)

    assert ("t1", {"second": "b", "total": 7, "all": "x"}) == (event.target_id, event.metadata)
    assert "'page.9': a value of type Page has no '9'" in caplog.text


class Desk:
    def read(self, tweet: Tweet, body: str = "") -> None:
        """Be called wrongly."""


async def read_later(tweet: Tweet, body: str = "") -> None:
    """Be called wrongly."""


@pytest.mark.parametrize(
    "function",
    [Desk.read, Desk().read, partial(Desk.read, Desk()), read_later],
    ids=["plain", "bound", "partial", "async"],
)
@pytest.mark.parametrize("arguments", [(), (1, 2, 3, 4)], ids=["too few", "too many"])
@pytest.mark.parametrize("on_audit_error", ["log", "raise"])
@pytest.mark.parametrize("on_error", ["skip", "record"])
async def test_arguments_that_are_not_taken_are_no_call(
    memory: MemoryTransport, function: Any, arguments: tuple[int, ...], on_audit_error: Any, on_error: str
) -> None:
    """What a function does not take it refuses by itself: its error comes out, and nothing is recorded or told."""
    wrong = audited(
        "tweet.read",
        "U",
        target="tweet.id",
        actor=lambda tweet: tweet.id,
        capture="tweet",
        metadata={"body": ref("tweet.body")},
        on_error=on_error,
        on_audit_error=on_audit_error,
    )(function)

    with pytest.raises(TypeError, match="argument") as caught:
        await wrong(*arguments)

    assert TypeError is type(caught.value)
    assert [] == memory.events
    assert {} == troubles()


def test_argument_that_a_decorator_below_gives_is_told(
    memory: MemoryTransport, caplog: pytest.LogCaptureFixture
) -> None:
    """A call that a decorator completes is one: what is not in it is told, and the event recorded without."""

    def given(function: Callable[[str], None]) -> Callable[[], None]:
        return functools.wraps(function)(lambda: function("tweet_5"))

    @audited("tweet.read", "R", target="tweet")
    @given
    def read(tweet: str) -> None:
        """Be given its argument."""

    read()

    assert "" == only(memory).target_id
    assert "the call gives no argument 'tweet'" in caplog.text


def test_type_error_of_a_call_is_recorded(memory: MemoryTransport) -> None:
    """A TypeError that a function raises for what it took is its failure."""

    @audited("tweet.read", "R", on_error="record")
    def read(tweet: str) -> None:
        raise TypeError

    with pytest.raises(TypeError):
        read("tweet_5")

    assert {"outcome": "failure", "error": "TypeError"} == only(memory).metadata


def test_callable_that_gives_a_coroutine_is_told(memory: MemoryTransport, caplog: pytest.LogCaptureFixture) -> None:
    """A lambda around an async function gives nothing that can be recorded, and leaves nothing unawaited."""

    async def find() -> str:
        return "tweet_5"

    @audited("tweet.read", "R", target=lambda: find())  # noqa: PLW0108  (the async function itself is refused)
    def read() -> None:
        """Be recorded."""

    read()

    assert "" == only(memory).target_id
    assert "gives a coroutine; give a plain callable" in caplog.text


@pytest.mark.parametrize("option", ["actor", "group"])
@pytest.mark.parametrize(
    ("action_type", "expected"), [("U", "before"), ("D", "before"), ("R", "before"), ("C", "after")]
)
def test_actor_and_group_are_read_when_the_target_is(
    memory: MemoryTransport, option: str, action_type: Any, expected: str
) -> None:
    """A logout is its user's, though it takes the user away; what a C makes is complete after it."""
    options: dict[str, Any] = {option: "session.user"}

    @audited("session.end", action_type, **options)
    def end(session: SimpleNamespace) -> None:
        session.user = "after"

    end(SimpleNamespace(user="before"))

    assert expected == {"actor": only(memory).actor_id, "group": only(memory).group}[option]


@pytest.mark.parametrize("on_audit_error", ["log", "raise"])
@pytest.mark.parametrize("target", ["draft", "draft.id", ("draft.id", "draft.name"), lambda draft: {"id": draft.id}])
def test_what_is_saved_for_the_first_time_has_its_id_afterwards(
    memory: MemoryTransport, target: Any, on_audit_error: Any
) -> None:
    """A save that may be the first one is no trouble: an id that is None before the call is read after it."""

    @audited("draft.save", "U", target=target, capture="draft", on_audit_error=on_audit_error)
    def save(draft: SimpleNamespace) -> None:
        draft.id = draft.id or 5

    draft = SimpleNamespace(id=None, name="five")
    save(draft)
    save(draft)

    assert ["5", "5"] == [each.target_id for each in memory.events]
    assert {"unchanged": 1} == troubles()


def test_what_never_has_an_id_is_told(memory: MemoryTransport, caplog: pytest.LogCaptureFixture) -> None:
    """What has none after the call either is told, once."""

    @audited("draft.save", "U", target="draft")
    def save(draft: SimpleNamespace) -> None:
        """Save nothing."""

    save(SimpleNamespace(pk=None, id=None))

    assert "" == only(memory).target_id
    assert {"capture": 1} == troubles()


def test_target_type_is_the_targets_own(memory: MemoryTransport) -> None:
    """A target that says what it is is recorded as that."""

    @audited("tweet.read", "R", target=lambda: {"id": "5", "name": "five", "type": "draft"})
    def read() -> None:
        """Be recorded."""

    read()

    assert ("5", "five", "draft") == (only(memory).target_id, only(memory).target_name, only(memory).target_type)


@pytest.mark.parametrize(
    ("action_type", "options"),
    [
        ("R", {"capture": "tweet.nothing"}),
        ("U", {"target": ("result", "tweet.nothing")}),
        ("U", {"target": ("tweet.nothing", "result")}),
        ("U", {"metadata": {"a": ref("tweet.nothing")}}),
    ],
    ids=["state", "name", "id", "metadata"],
)
def test_what_is_read_afterwards_is_tried_before(
    memory: MemoryTransport, action_type: Any, options: dict[str, Any]
) -> None:
    """Where errors are asked for, what the arguments lack stops the call, though it is recorded only after it."""
    ran: list[str] = []

    @audited("tweet.work", action_type, on_audit_error="raise", **options)
    def work(tweet: dict[str, str]) -> str:
        ran.append("ran")
        return "done"

    with pytest.raises(RecordingFailed, match="a value of type dict has no 'nothing'"):
        work({})

    assert ([], []) == (ran, memory.events)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"fields": ("a",)}, "fields= of work chooses among the fields of a state; say which with capture="),
        ({"exclude": ("a",)}, "exclude= of work chooses among the fields of a state; say which with capture="),
        ({"redact": ("-",)}, "redact= of work: redact must be made of non-empty str names, got '-'"),
        (
            {"metadata": {"a": ref(None)}},  # type: ignore[arg-type]
            (
                "metadata['a']=None of work is not a reference: write a parameter's name, then attributes or keys, such as "
                "'tweet.id'"
            ),
        ),
    ],
    ids=["fields", "exclude", "redact", "ref"],
)
def test_options_that_could_not_work_are_refused(options: dict[str, Any], expected: str) -> None:
    """What each call would stumble over, or never heed, is refused when decorating."""
    with pytest.raises(AuditDefinitionError) as caught:
        audited("tweet.work", "U", **options)(work)

    assert expected == str(caught.value)


def work(tweet: object) -> None:
    """Be decorated."""


def test_exception_that_refuses_notes_arrives_all_the_same(memory: MemoryTransport) -> None:
    """An exception that cannot be told anything is still the one that is raised."""

    class FrozenError(Exception):
        def add_note(self, note: str, /) -> None:
            raise TypeError(note)

    error = FrozenError()

    @audited("tweet.work", "C", target="tweet.nothing", on_error="record", on_audit_error="raise")
    def fail(tweet: dict[str, str]) -> None:
        raise error

    with pytest.raises(FrozenError) as caught:
        fail({})

    assert error is caught.value
    assert "failure" == only(memory).metadata["outcome"]


@pytest.mark.parametrize("target", ["user", "user.id", None])
def test_lazy_target_is_made_before_its_state_is_read(target: str | None, memory: MemoryTransport) -> None:
    """The target is read first: it makes what ``request.user`` stands for. A state alone makes nothing: it is unknown."""
    made = SimpleNamespace(id="ada", name="Ada")

    @audited("user.rename", "U", target=target, capture="user", when="changed")
    def rename(user: Any, name: str) -> None:
        user.name = name

    rename(SimpleLazyObject(lambda: made), "Lady")

    known, unknown = {"name_was": "Ada", "name": "Lady"}, {"auditkit_capture": "unknown: id, name, further fields"}
    assert (known if target else unknown) == only(memory).metadata


def test_flask_proxy_is_read_as_what_it_stands_for(memory: MemoryTransport) -> None:
    """A proxy of the current user, as Flask-Login's, gives its state, and the next call another user's."""
    app = flask.Flask(__name__)
    current_user = LocalProxy(lambda: flask.g.user)

    @audited("user.delete", "D", target="user", capture="user")
    def delete(user: Any) -> None:
        """Be recorded."""

    for name in ("ada", "bob"):
        with app.app_context():
            flask.g.user = SimpleNamespace(id=name)
            delete(current_user)
    delete(current_user)

    told = [(event.target_id, dict(event.metadata)) for event in memory.events]
    nobody = ("", {"auditkit_capture": "unknown: further fields"})
    assert [("ada", {"id_was": "ada"}), ("bob", {"id_was": "bob"}), nobody] == told


class Purse:
    """What keeps its value to itself."""

    def __init__(self) -> None:
        self._amount = 1


class SlottedPurse:
    __slots__ = ("_amount",)

    __init__ = Purse.__init__


def _amount_of(purse: Any) -> dict[str, int]:
    return {"amount": purse._amount}


@pytest.mark.parametrize("kind", [Purse, SlottedPurse])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"capture": "purse"}, {"auditkit_capture": "unknown: further fields"}),
        ({"capture": "purse", "fields": ("_amount",)}, {"_amount_was": 1, "_amount": 2}),
        ({"before": _amount_of, "after": _amount_of}, {"amount_was": 1, "amount": 2}),
    ],
)
def test_change_of_a_state_that_shows_nothing_is_not_missed(
    kind: Any, options: dict[str, Any], expected: dict[str, Any], memory: MemoryTransport
) -> None:
    """Where nothing of a state can be read it may have changed, and the call is recorded; asked for, it is told."""

    @audited("purse.fill", "U", when="changed", **options)
    def fill(purse: Any) -> None:
        purse._amount = 2

    fill(kind())

    assert expected == only(memory).metadata
