"""Nothing of auditkit's own reaches the application, unless that was asked for."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import AuditTrail, RecordingFailed, audit_context, audited, configure, ref, stats
from auditkit.errors import JournalFull
from auditkit.transports import MemoryTransport
from tests.unit.capture.builders import Refused, Tweet, only, troubles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditkit.draft import Draft
    from auditkit.event import Event
    from auditkit.protocols import Position


class Hostile:
    """Raise whatever is asked of it."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    @property
    def id(self) -> str:
        raise self._error

    def __str__(self) -> str:
        raise self._error

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        raise self._error

    __hash__ = None  # type: ignore[assignment]


class Nasty(BaseException):
    """Be beside Exception, as what frameworks stop their workers with is."""


class FullTrail(AuditTrail):
    """Be a trail whose disk is full."""

    def write(self, draft: Draft) -> Position:
        raise JournalFull("there is no room")

    def ensure_room(self) -> None:
        """Say that there is room: it is taken before the event is written."""


def fail() -> Any:
    raise ValueError("holds data: secret-of-ada")


HOSTILE_OPTIONS: list[dict[str, Any]] = [
    {"target": fail},
    {"actor": fail},
    {"group": fail},
    {"capture": fail},
    {"before": fail},
    {"after": fail},
    {"metadata": {"a": fail}},
    {"target": object},
    {"actor": object},
    {"group": object},
    {"target": "tweet.nothing"},
    {"capture": "tweet.nothing"},
    {"actor": "tweet.nothing"},
    {"metadata": {"a": ref("tweet.nothing")}},
    {"target": ("tweet.nothing", "tweet.body")},
]


@pytest.mark.parametrize("options", HOSTILE_OPTIONS, ids=str)
def test_what_cannot_be_read_never_reaches_the_application(
    memory: MemoryTransport, caplog: pytest.LogCaptureFixture, options: dict[str, Any]
) -> None:
    """The call returns as if nothing were wrong; its event is there; the trouble is counted, and logged once."""

    @audited("tweet.update", "U", **options)
    def update(tweet: Any) -> str:
        return "done"

    tweet = {"body": "old"}

    with audit_context(actor="user_1", group="org_1", location="here"):
        assert ["done", "done"] == [update(tweet), update(tweet)]
    assert [("tweet.update", "user_1", "org_1")] * 2 == [
        (event.action, event.actor_id, event.group) for event in memory.events
    ]
    assert 2 == troubles()["capture"]
    (message,) = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    option = next(iter(options)).replace("capture", "before")  # which of the two moments it is

    assert message.startswith(f"capture: {option}")
    assert "update could not be read" in message
    assert "secret-of-ada" not in caplog.text


@pytest.mark.parametrize("error", [ValueError("x"), Nasty(), RecursionError(), StopIteration()], ids=repr)
@pytest.mark.parametrize(
    "options",
    [
        {"target": "value"},
        {"target": "value.id"},
        {"actor": "value"},
        {"capture": "value"},
        {"metadata": {"a": ref("value")}},
        {"metadata": {"a": ref("value.id")}},
        {"capture": lambda value: {"a": value, "b": [value]}},
    ],
    ids=str,
)
def test_hostile_objects_are_contained(memory: MemoryTransport, error: BaseException, options: dict[str, Any]) -> None:
    """An object whose every method raises is recorded as what can be told of it."""

    @audited("tweet.update", "U", **options)
    def update(value: object) -> str:
        return "done"

    assert "done" == update(Hostile(error))
    assert "tweet.update" == only(memory).action


async def test_hostile_callables_of_a_coroutine_are_contained(memory: MemoryTransport) -> None:
    """A coroutine is no different."""

    @audited("tweet.update", "U", target=fail, capture=fail)
    async def update() -> str:
        return "done"

    assert "done" == await update()
    assert {"auditkit_capture": "unknown: the state could not be read"} == only(memory).metadata
    assert {"capture": 2} == troubles()


def test_state_that_cannot_be_read_is_unknown_never_empty(memory: MemoryTransport) -> None:
    """The event says that the state was not seen, before or after."""
    states: list[Any] = [{"body": "old"}]

    @audited("tweet.update", "U", capture=lambda: states[0])
    def update() -> None:
        states.clear()

    update()

    assert {"auditkit_capture": "unknown: the state could not be read"} == only(memory).metadata
    assert {"capture": 1} == troubles()


def test_interrupts_pass() -> None:
    """Ctrl-C while a callable runs is the user's, and not auditkit's to swallow."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    configure(directory=None)

    @audited("tweet.update", "U", capture=interrupted)
    def update() -> None:
        """Be interrupted before it runs."""

    with pytest.raises(KeyboardInterrupt):
        update()


def test_event_that_cannot_be_written_never_reaches_the_application(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A full journal costs the event, not the call; it is counted, and logged once."""
    trail = FullTrail(directory=None)

    @audited("tweet.update", "U", trail=trail)
    def update() -> str:
        return "done"

    @audited("tweet.update", "U", trail=trail, on_error="record")
    def fails() -> None:
        raise Refused

    assert "done" == update()
    assert "done" == update()
    with pytest.raises(Refused) as caught:
        fails()
    assert not hasattr(caught.value, "__notes__")
    assert 3 == trail.stats().troubles["not_recorded"]
    assert [
        "not_recorded: tweet.update: its event could not be recorded (JournalFull: there is no room) (JournalFull)"
    ] == [each.getMessage() for each in caplog.records if "not_recorded" in each.getMessage()]


def test_full_journal_in_memory_refuses_and_says_so(make: Callable[..., AuditTrail]) -> None:
    """The journal in memory is bounded: what a stuck destination leaves no room for is counted, and not raised."""

    class Stuck:
        name, max_batch, concurrency, durable = "stuck", 1, 1, False

        def send(self, events: Sequence[Event]) -> None:
            raise ConnectionError

        def close(self) -> None: ...

    trail = make(Stuck())
    journal: Any = trail._engine.ready().journal
    journal._max_records = 3  # rather than fill it with 65,536

    @audited("tweet.update", "U", trail=trail)
    def update(number: int) -> int:
        return number

    assert list(range(5)) == [update(number) for number in range(5)]
    assert 2 == trail.stats().troubles["not_recorded"]
    assert 3 == trail.stats().recorded


def test_failing_transport_never_reaches_the_application() -> None:
    """A transport that is called on the recording thread and raises is told of, and the call is recorded."""

    class Broken(MemoryTransport):
        def send(self, events: Sequence[Event]) -> None:
            raise ValueError

    configure(Broken(), directory=None)

    @audited("tweet.update", "U")
    def update() -> str:
        return "done"

    assert "done" == update()
    assert 1 == stats().recorded
    assert 1 == sum(troubles().values())


# ---------------------------------------------------------------------- on_audit_error="raise"


def raising_trail(memory: MemoryTransport, **settings: Any) -> None:
    configure(memory, directory=None, on_audit_error="raise", **settings)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"target": "tweet.nothing"},
            "target=tweet.nothing of {name} could not be read: 'tweet.nothing': a value of type dict has no 'nothing'",
        ),
        (
            {"capture": "tweet.nothing"},
            "before=tweet.nothing of {name} could not be read: 'tweet.nothing': a value of type dict has no 'nothing'",
        ),
        (
            {"actor": "tweet.nothing"},
            "actor=tweet.nothing of {name} could not be read: 'tweet.nothing': a value of type dict has no 'nothing'",
        ),
        (
            {"group": "tweet.nothing"},
            "group=tweet.nothing of {name} could not be read: 'tweet.nothing': a value of type dict has no 'nothing'",
        ),
        (
            {"metadata": {"a": ref("tweet.nothing")}},
            (
                "metadata['a']=tweet.nothing of {name} could not be read: "
                "'tweet.nothing': a value of type dict has no 'nothing'"
            ),
        ),
        (
            {"target": object},
            (
                "target={text} of {name} could not be read: target must be an id, an (id, name) pair, a mapping with 'id', "
                "or an object with pk or id, got a value of type object"
            ),
        ),
        ({"before": fail}, "before={text} of {name} could not be read"),
    ],
    ids=["target", "capture", "actor", "group", "metadata", "target-form", "before"],
)
@pytest.mark.parametrize("where", ["trail", "decorator"])
def test_raise_fails_before_the_action_runs(where: str, options: dict[str, Any], told: str) -> None:
    """An action whose record cannot be made does not run, whether the trail or the decorator asked for that."""
    memory, ran = MemoryTransport(), list[str]()
    if where == "trail":
        raising_trail(memory)
    else:
        configure(memory, directory=None)
        options = {**options, "on_audit_error": "raise"}

    @audited("tweet.update", "U", **options)
    def update(tweet: dict[str, str]) -> None:
        ran.append("ran")

    with pytest.raises(RecordingFailed) as caught:
        update({"body": "old"})
    given = next(iter(options.values()))
    text = getattr(given, "__qualname__", "")

    assert f"tweet.update was not run: {told.format(name=update.__qualname__, text=text)}" == str(caught.value)
    assert ([], []) == (ran, memory.events)
    assert {"capture": 1} == troubles()


async def test_raise_fails_before_a_coroutine_runs() -> None:
    """A coroutine does not run, either."""
    memory, ran = MemoryTransport(), list[str]()
    raising_trail(memory)

    @audited("tweet.update", "U", target="tweet.nothing")
    async def update(tweet: dict[str, str]) -> None:
        ran.append("ran")

    with pytest.raises(RecordingFailed, match="was not run"):
        await update({})

    assert ([], []) == (ran, memory.events)


def test_decorators_log_goes_before_the_trails_raise() -> None:
    """A function may be declared too important to be stopped."""
    memory = MemoryTransport()
    raising_trail(memory)

    @audited("tweet.update", "U", target="tweet.nothing", on_audit_error="log")
    def update(tweet: dict[str, str]) -> str:
        return "done"

    assert "done" == update({})
    assert "" == only(memory).target_id


def test_raise_does_not_ask_before_what_exists_only_after() -> None:
    """What a C makes, and what refers to the result, is read after the call: its absence before is no trouble."""
    memory = MemoryTransport()
    raising_trail(memory)

    @audited(
        "tweet.create", "C", target="tweet.id", capture="tweet", metadata={"a": ref("tweet.id"), "r": ref("result")}
    )
    def create(tweet: dict[str, str]) -> str:
        tweet["id"] = "tweet_6"
        return "done"

    assert "done" == create({})
    assert {"id": "tweet_6", "a": "tweet_6", "r": "done"} == only(memory).metadata
    assert {} == troubles()


def test_raise_after_the_call_carries_its_result() -> None:
    """What ran cannot be undone: its result comes with the error."""
    memory = MemoryTransport()
    raising_trail(memory)
    result = object()

    @audited("tweet.update", "U", metadata={"a": ref("result.nothing")})
    def update() -> object:
        return result

    with pytest.raises(RecordingFailed) as caught:
        update()

    assert (
        f"tweet.update ran, and metadata['a']=result.nothing of {update.__qualname__} could not be read: "
        "'result.nothing': a value of type object has no 'nothing'"
    ) == str(caught.value)
    assert result is caught.value.result
    assert "tweet.update" == only(memory).action


async def test_raise_after_a_coroutine_carries_its_result() -> None:
    """A coroutine's result comes with the error, too."""
    memory = MemoryTransport()
    raising_trail(memory)

    @audited("tweet.update", "U", metadata={"a": ref("result.nothing")})
    async def update() -> Any:
        await asyncio.sleep(0)
        return "done"

    with pytest.raises(RecordingFailed) as caught:
        await update()

    assert "done" == caught.value.result


def test_raise_where_the_event_cannot_be_written_carries_the_result() -> None:
    """A journal that fails after the call is told with the result."""
    trail = FullTrail(directory=None, on_audit_error="raise")

    @audited("tweet.update", "U", trail=trail)
    def update() -> str:
        return "done"

    with pytest.raises(RecordingFailed) as caught:
        update()

    assert "tweet.update ran, and its event could not be recorded (JournalFull: there is no room)" == str(caught.value)
    assert "done" == caught.value.result


def test_raise_where_there_is_no_room_does_not_run() -> None:
    """Room for the record is settled before the call."""

    class Full(FullTrail):
        def ensure_room(self) -> None:
            raise JournalFull("there is no room")

    ran = list[str]()

    @audited("tweet.update", "U", trail=Full(directory=None), on_audit_error="raise")
    def update() -> None:
        ran.append("ran")

    with pytest.raises(RecordingFailed) as caught:
        update()

    assert ("tweet.update was not run: its event could not be recorded (JournalFull: there is no room)") == str(
        caught.value
    )
    assert [] == ran


def test_raise_leaves_the_functions_own_exception_with_a_note() -> None:
    """The function's exception goes before auditkit's: it propagates, and a note says what could not be recorded."""
    trail = FullTrail(directory=None, on_audit_error="raise", on_error="record")
    given = Refused("no")

    @audited("tweet.update", "U", trail=trail)
    def update() -> None:
        raise given

    with pytest.raises(Refused) as caught:
        update()

    assert given is caught.value
    assert [
        "auditkit: tweet.update raised this, and its event could not be recorded (JournalFull: there is no room)"
    ] == given.__notes__


def test_raise_adds_no_note_where_nothing_was_to_be_recorded() -> None:
    """A call that raised and is skipped has no record that could fail."""
    trail = FullTrail(directory=None, on_audit_error="raise")
    given = Refused("no")

    @audited("tweet.update", "U", trail=trail)
    def update() -> None:
        raise given

    with pytest.raises(Refused):
        update()

    assert not hasattr(given, "__notes__")
    assert {} == dict(trail.stats().troubles)


def test_missing_requirement_is_told_after_the_call() -> None:
    """Whether somebody is bound is known when the call ends: a login may bind its user."""
    memory = MemoryTransport()
    raising_trail(memory, require=("actor",))

    @audited("tweet.update", "U", capture="tweet")
    def update(tweet: Tweet) -> str:
        return "done"

    with pytest.raises(RecordingFailed) as caught:
        update(Tweet())

    assert "tweet.update ran, and no actor is bound, and require=('actor',); bind one with audit_context" == str(
        caught.value
    )
    assert "done" == caught.value.result
    with audit_context(actor="user_1"):
        assert "done" == update(Tweet())


def test_stated_default_is_told_of_no_more() -> None:
    """Who says what stands where nothing is bound meant it; only what is required is missed all the same."""
    memory = MemoryTransport()
    configure(
        memory, directory=None, defaults={"group": "acme", "actor": "cron", "location": "here"}, require=["actor"]
    )

    @audited("tweet.update", "U")
    def update() -> None: ...

    update()
    with audit_context(group=lambda: None):
        update()

    assert [("acme", "cron", "here")] * 2 == [(each.group, each.actor_id, each.location) for each in memory.events]
    assert {"missing": 2} == stats().troubles


async def test_cancelled_future_of_the_actor_breaks_no_call(memory: MemoryTransport) -> None:
    """A future's cancellation, met where the actor is asked for, is none of the task: it goes on, and is recorded."""
    actor = asyncio.get_running_loop().create_future()
    actor.cancel()

    @audited("tweet.read", "R")
    async def read() -> str:
        return "read"

    with audit_context(actor=actor.result):
        assert "read" == await read()

    assert "anonymous" == only(memory).actor_id
    assert {"context": 1} == troubles()
