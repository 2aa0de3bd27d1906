"""``when`` and ``outcome``: whether a call is recorded, and as what; and callables that are asynchronous."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import AuditDefinitionError, RecordingFailed, audited
from auditkit.transports import MemoryTransport
from tests.unit.capture.builders import Refused, Tweet, only, troubles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from auditkit import AuditTrail

STATUSES = {200: "success", 500: "failure", 403: "denied"}


def test_unchanged_update_is_left_out(memory: MemoryTransport) -> None:
    """when="changed" leaves out an update that changed nothing; it is counted all the same."""

    @audited("tweet.update", "U", capture="tweet", when="changed")
    def update(tweet: Tweet, body: str) -> None:
        tweet.body = body

    update(Tweet(), "old")
    update(Tweet(), "new")

    assert {"body": ("old", "new")} == only(memory).changes
    assert {"unchanged": 1} == troubles()


def test_update_whose_state_cannot_be_read_is_not_left_out(memory: MemoryTransport) -> None:
    """when="changed" keeps an update of which nobody knows whether it changed anything."""

    @audited("tweet.update", "U", capture=lambda: 1 / 0, when="changed")
    def update() -> None: ...

    update()

    assert 1 == len(memory.events)


@pytest.mark.parametrize("action_type", ["C", "R", "D"])
def test_changed_is_for_updates(action_type: Any) -> None:
    """when="changed" of anything else is a mistake, told when decorating."""
    with pytest.raises(AuditDefinitionError, match=rf"when='changed' of .*{action_type}' is none"):
        audited("tweet.do", action_type, when="changed")(lambda: None)


@pytest.mark.parametrize("option", ["when", "outcome"])
@pytest.mark.parametrize("given", ["tweet.id", 5, True])
def test_what_is_no_callable_is_refused(option: str, given: Any) -> None:
    """when and outcome take callables; anything else is told when decorating."""
    with pytest.raises(AuditDefinitionError, match=f"{option}= of .* must be .*a callable, got"):
        audited("tweet.update", "U", **{option: given})(lambda: None)


def test_when_is_asked_with_what_it_names(memory: MemoryTransport) -> None:
    """A callable takes parameters, result and error by name; what is falsy is not recorded."""

    @audited("tweet.read", "R", target="tweet_id", when=lambda tweet_id, result: tweet_id != "a" and result)
    def read(tweet_id: str) -> bool:
        return tweet_id != "b"

    for each in "abc":
        read(each)

    assert ["c"] == [each.target_id for each in memory.events]


def test_when_is_asked_of_calls_that_raised_and_are_recorded(memory: MemoryTransport) -> None:
    """A failure that is to be recorded may be left out by when; a cancelled call may not."""

    @audited("tweet.read", "R", on_error="record", when=lambda error: not isinstance(error, Refused))
    async def read(error: BaseException) -> None:
        raise error

    for error in (Refused(), KeyError(), asyncio.CancelledError()):
        with pytest.raises(type(error)):
            asyncio.run(read(error))

    assert ["failure", "cancelled"] == [each.metadata["outcome"] for each in memory.events]


def test_when_that_fails_hinders_nothing(memory: MemoryTransport) -> None:
    """Where when cannot be asked the call is recorded, and the trouble told."""

    @audited("tweet.read", "R", when=lambda: 1 / 0)
    def read() -> None: ...

    read()

    assert 1 == len(memory.events)
    assert {"capture": 1} == troubles()


def test_result_is_judged(memory: MemoryTransport) -> None:
    """A result that is itself an error is recorded as failure or denial, without a state; None is not recorded."""

    @audited(
        "tweet.update", "U", target="tweet.id", capture="tweet", metadata={"status": lambda result: result},
        outcome=lambda result: STATUSES.get(result),  # noqa: PLW0108  (the method takes no name)
    )  # fmt: skip
    def update(tweet: Tweet, status: int) -> int:
        tweet.body = f"after {status}"
        return status

    for status in (200, 500, 403, 304):
        assert status == update(Tweet(), status)

    assert [
        {"body_was": "old", "body": "after 200", "status": 200},
        {"outcome": "failure", "status": 500},
        {"outcome": "denied", "status": 403},
    ] == [each.metadata for each in memory.events]


def test_judged_failure_goes_by_the_action_for_failures(memory: MemoryTransport) -> None:
    """on_error naming another action names it for results that are errors, too."""

    def judge(result: Any) -> str:
        return "success" if result else "denied"

    @audited("user.login", "C", target="result.id", on_error="user.login_failed", outcome=judge)
    def login(user: Any) -> Any:
        return user

    login(None)
    login(Tweet("ada"))

    assert [("user.login_failed", "", "denied"), ("user.login", "ada", None)] == [
        (each.action, each.target_id, each.metadata.get("outcome")) for each in memory.events
    ]
    assert {} == troubles()  # a failed login has no id, and that is no trouble


@pytest.mark.parametrize("judgement", ["ok", 5, True, object()], ids=["text", "int", "bool", "object"])
def test_judgement_that_is_none_is_told(memory: MemoryTransport, judgement: object) -> None:
    """A judgement that nobody knows leaves the call a success, and is told."""

    @audited("tweet.update", "U", outcome=lambda: judgement)
    def update() -> None: ...

    update()

    assert {} == only(memory).metadata
    assert {"capture": 1} == troubles()


class Ambiguous(BaseException):
    """Be what `Array` raises: beside Exception, so that nothing less than a full net holds it."""


class Array:
    """Have no truth value and no equality, as an array has none."""

    def __bool__(self) -> bool:
        raise Ambiguous

    def __eq__(self, other: object) -> bool:
        raise Ambiguous

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("option", ["when", "outcome"])
def test_answer_that_cannot_be_read_hinders_nothing(memory: MemoryTransport, option: str) -> None:
    """The event is recorded as a success where an answer's own methods raise, and the trouble told."""
    options: dict[str, Any] = {option: Array}

    @audited("tweet.read", "R", **options)
    def read() -> str:
        return "read"

    assert "read" == read()

    assert {} == only(memory).metadata
    assert {"capture": 1} == troubles()


class Verdict(StrEnum):
    DENIED = "denied"


def test_judgement_that_is_a_kind_of_text_is_recorded_as_text(memory: MemoryTransport) -> None:
    """A member of an enum of texts is its text in the event, not itself."""

    @audited("tweet.read", "R", outcome=lambda: Verdict.DENIED)
    def read() -> None: ...

    read()

    outcome = only(memory).metadata["outcome"]
    assert (str, "denied") == (type(outcome), outcome)


def test_judgement_that_fails_is_told_and_raised_where_asked(make: Callable[..., AuditTrail]) -> None:
    """With on_audit_error="raise" a judgement that raises is RecordingFailed, with the result."""
    trail = make(on_audit_error="raise")

    @audited("tweet.update", "U", outcome=lambda result: 1 / 0, trail=trail)
    def update() -> str:
        return "done"

    with pytest.raises(RecordingFailed, match="outcome=") as caught:
        update()

    assert "done" == caught.value.result
    assert 1 == trail.stats().recorded


# ---------------------------------------------------------------------- asynchronous callables


class Repository:
    """Fetch what is stored, asynchronously."""

    def __init__(self) -> None:
        self.stored = {"t1": {"id": "t1", "body": "old"}}
        self.asked: list[str] = []

    async def get(self, tweet_id: str) -> dict[str, str]:
        await asyncio.sleep(0)
        self.asked.append(tweet_id)
        return dict(self.stored[tweet_id])


def test_asynchronous_callables_are_awaited(memory: MemoryTransport) -> None:
    """On an async function, callables that give an awaitable are awaited: before the call and after it."""
    repository = Repository()

    async def title(result: str) -> tuple[str, str]:
        return "t1", f"Title of {result}"

    async def is_wanted(tweet_id: str) -> bool:
        return tweet_id == "t1"

    @audited(
        "tweet.update", "U", capture=repository.get, target=title, when=is_wanted,
        metadata={"by": lambda: asyncio.sleep(0, "somebody"), "plain": lambda tweet_id: tweet_id.upper()},
    )  # fmt: skip
    async def update(tweet_id: str, body: str) -> str:
        repository.stored[tweet_id]["body"] = body
        return body

    assert asyncio.run(update("t1", "new")) == "new"

    event = only(memory)
    assert ("t1", "Title of new", {"body": ("old", "new")}) == (event.target_id, event.target_name, event.changes)
    assert ("somebody", "T1") == (event.metadata["by"], event.metadata["plain"])
    assert ["t1", "t1"] == repository.asked


def test_asynchronous_callable_that_raises_is_told(memory: MemoryTransport) -> None:
    """What it raises never reaches the application."""

    async def fail() -> None:
        raise Refused

    @audited("tweet.update", "U", target=fail, capture=fail, actor=fail, metadata={"a": fail})
    async def update() -> str:
        return "done"

    assert asyncio.run(update()) == "done"
    assert "unknown: the state could not be read" == only(memory).metadata["auditkit_capture"]
    assert {"capture": 4} == troubles()


def test_asynchronous_callable_is_settled_before_the_call_where_asked(make: Callable[..., AuditTrail]) -> None:
    """With on_audit_error="raise" a callable that fails keeps the function from running."""
    trail = make(on_audit_error="raise")
    ran: list[bool] = []

    async def fail() -> None:
        raise Refused

    @audited("tweet.update", "U", metadata={"a": fail}, trail=trail)
    async def update() -> None:
        ran.append(True)

    with pytest.raises(RecordingFailed, match="tweet.update was not run"):
        asyncio.run(update())

    assert [] == ran


def test_callables_are_not_asked_for_a_failure_that_is_skipped(memory: MemoryTransport) -> None:
    """Of a call that raised and is not recorded nothing is fetched."""
    repository = Repository()

    @audited("tweet.update", "U", target=lambda error: repository.get("t1"))
    async def update() -> None:
        raise Refused

    with pytest.raises(Refused):
        asyncio.run(update())

    assert [] == repository.asked
    assert [] == memory.events


def test_failure_asks_for_what_it_tells(memory: MemoryTransport) -> None:
    """Of a call that raised and is recorded the target and the metadata are fetched, the state after it is not."""
    repository = Repository()

    @audited(
        "tweet.create",
        "C",
        target=lambda: repository.get("t1"),
        capture=lambda: repository.get("t2"),
        on_error="record",
    )
    async def create() -> None:
        raise Refused

    with pytest.raises(Refused):
        asyncio.run(create())

    assert ("t1", {"outcome": "failure", "error": "Refused"}) == (only(memory).target_id, only(memory).metadata)
    assert ["t1"] == repository.asked


def test_call_cancelled_while_its_callables_are_awaited_is_recorded(memory: MemoryTransport) -> None:
    """What was done is recorded, and the cancellation goes on."""
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    @audited("tweet.update", "U", target="tweet_id", metadata={"a": never})
    async def update(tweet_id: str) -> None: ...

    async def main() -> None:
        task = asyncio.create_task(update("t1"))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert ("t1", {}) == (only(memory).target_id, only(memory).metadata)
    assert {"capture": 1} == troubles()


def test_cancellation_goes_before_a_record_that_failed(make: Callable[..., AuditTrail]) -> None:
    """With on_audit_error="raise" too, who is cancelled while its callables are awaited is cancelled."""
    transport = MemoryTransport()
    trail = make(transport, on_audit_error="raise")
    asked = asyncio.Event()

    async def never(result: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    @audited("tweet.create", "C", metadata={"a": never}, trail=trail)
    async def create() -> None: ...

    @audited("tweet.stream", "C", metadata={"a": never}, trail=trail)
    async def stream() -> AsyncIterator[int]:
        yield 1

    async def consume() -> None:
        async for _ in stream():
            pass

    async def main() -> None:
        for work in (create, consume):
            asked.clear()
            task = asyncio.create_task(work())
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())

    assert ["tweet.create", "tweet.stream"] == [each.action for each in transport.events]


def test_asynchronous_callables_of_async_generators(memory: MemoryTransport) -> None:
    """An async generator's callables are awaited, too."""
    repository = Repository()

    @audited("tweet.stream", "U", capture=lambda: repository.get("t1"))
    async def stream() -> AsyncIterator[int]:
        yield 1
        repository.stored["t1"]["body"] = "new"

    async def main() -> None:
        assert [1] == [each async for each in stream()]

    asyncio.run(main())

    assert {"body": ("old", "new")} == only(memory).changes
