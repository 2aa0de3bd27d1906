"""``auditing``: a block of code as one event."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import AuditDefinitionError, RecordingFailed, audit_context, audited, auditing, current_entry, record, ref
from auditkit.context import suppressed
from tests.unit.capture.builders import Refused, Tweet, only, troubles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditkit import AuditTrail
    from auditkit.transports import MemoryTransport


def test_block_records_what_changed(memory: MemoryTransport) -> None:
    """The object that is captured is looked at when the block is entered and when it is left."""
    tweet = Tweet()
    with (
        audit_context(group="acme", actor="ada", location="here"),
        auditing("tweet.update", "U", target=("t1", "T"), capture=tweet, metadata={"why": "asked"}),
    ):
        tweet.body = "new"

    event = only(memory)
    assert ("acme", "ada", "here", "tweet.update", "U") == (
        event.group,
        event.actor_id,
        event.location,
        event.action,
        event.action_type,
    )
    assert ("t1", "T", {"body": ("old", "new")}, "asked") == (
        event.target_id,
        event.target_name,
        event.changes,
        event.metadata["why"],
    )


@pytest.mark.parametrize("target", [Tweet(), "tweet_5", {"id": "tweet_5"}, ("tweet_5", None)])
def test_target_is_a_value(memory: MemoryTransport, target: object) -> None:
    """A target is an id, a pair, or an object that has one."""
    with auditing("tweet.read", "R", target=target):
        pass

    assert "tweet_5" == only(memory).target_id


@pytest.mark.parametrize(
    ("action_type", "metadata"),
    [
        ("C", {"body": "new", "likes": 0}),
        ("R", {"body": "new", "likes": 0}),
        ("U", {"body_was": "old", "body": "new"}),
        ("D", {"body_was": "old", "likes_was": 0}),
    ],
)
def test_state_by_action_type(memory: MemoryTransport, action_type: Any, metadata: dict[str, Any]) -> None:
    """The states are told as an audited function's are."""
    tweet = Tweet()
    with auditing("tweet.do", action_type, capture=tweet, fields=["body", "likes"]):
        tweet.body = "new"

    assert metadata == only(memory).metadata


def test_states_apart(memory: MemoryTransport) -> None:
    """before and after may be two objects; the actor and the group may be the block's own."""
    with auditing(
        "tweet.update", "U", before={"a": 1, "pin": 2}, after={"a": 2, "pin": 3}, actor=("bob", "Bob"), group="g2"
    ):
        pass

    event = only(memory)
    assert ({"a": (1, 2), "pin": ("[redacted]", "[redacted]")}, "Bob", "g2") == (
        event.changes,
        event.actor_name,
        event.group,
    )


@pytest.mark.parametrize(
    ("on_error", "recorded"),
    [
        (None, []),
        ("record", [("tweet.update", {"outcome": "failure", "error": "Refused"})]),
        ("tweet.failed", [("tweet.failed", {"outcome": "failure", "error": "Refused"})]),
    ],
)
def test_block_that_raises(memory: MemoryTransport, on_error: str | None, recorded: list[Any]) -> None:
    """What the block raises goes on, the same object, and is recorded as was asked."""
    error = Refused()
    with pytest.raises(Refused) as caught, auditing("tweet.update", "U", on_error=on_error):
        raise error

    assert error is caught.value
    assert recorded == [(each.action, each.metadata) for each in memory.events]


def test_block_in_a_coroutine(memory: MemoryTransport) -> None:
    """As ``async with`` it is the same; a cancelled one is recorded as that."""
    entered = asyncio.Event()

    async def work() -> None:
        async with auditing("tweet.update", "U", target="t1"):
            entered.set()
            await asyncio.Event().wait()

    async def main() -> None:
        async with auditing("tweet.read", "R"):
            pass
        task = asyncio.create_task(work())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert [{}, {"outcome": "cancelled", "error": "CancelledError"}] == [each.metadata for each in memory.events]


def test_block_in_a_generator_that_is_closed_is_abandoned(memory: MemoryTransport) -> None:
    """Where the block is left because nobody wants the rest, what was done is recorded as abandoned."""

    def rows() -> Iterator[int]:
        with auditing("report.export", "R"):
            yield 1
            yield 2

    for _ in rows():
        break

    assert {"outcome": "abandoned", "error": "GeneratorExit"} == only(memory).metadata


def test_calls_inside_are_its_children(memory: MemoryTransport) -> None:
    """An audited call, another block and a fact recorded inside name the block as their parent."""

    @audited("tweet.read", "R")
    def read() -> None: ...

    with auditing("tweet.update", "U") as entry:
        read()
        record("tweet.seen", "R")
        with auditing("tweet.touch", "U"):
            pass

    assert [entry.id] * 3 + [None] == [each.parent_id for each in memory.events]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"action": "update"}, "action must be a category and a name"),
        ({"action": 5}, "action must be a str"),
        ({"action_type": "X"}, "action_type must be 'C', 'R', 'U' or 'D'"),
        ({"target": ("a", "b", "c")}, "must be one reference or an (id, name) pair"),
        ({"fields": ["a"], "exclude": ["b"], "capture": {}}, "cannot both be given"),
        ({"capture": {}, "before": {}}, "names the state for both moments"),
        ({"metadata": ["a"]}, "must be a mapping"),
        ({"metadata": {"a": ref("tweet.id")}}, "takes values, and ref('tweet.id') refers to a parameter"),
        ({"on_error": "nonsense"}, "must be 'skip', 'record'"),
        ({"trail": "audit"}, "trail= of auditing('tweet.update') must be an AuditTrail, got 'audit'"),
    ],
)
def test_wrong_arguments_never_break_the_block(
    memory: MemoryTransport, caplog: pytest.LogCaptureFixture, given: dict[str, Any], told: str
) -> None:
    """A block whose definition cannot work runs all the same: the mistake is counted and logged."""
    arguments: dict[str, Any] = {"action": "tweet.update", "action_type": "U", **given}
    with auditing(**arguments) as entry:
        entry.set_target("t1")

    assert not entry
    assert told in caplog.text
    assert [] == memory.events
    assert {"not_recorded": 1} == troubles()


def test_each_wrong_block_is_logged(memory: MemoryTransport, caplog: pytest.LogCaptureFixture) -> None:
    """Of several blocks that are wrong each is logged, and each once a minute."""
    for action in ("tweet.update", "tweet.delete", "tweet.update", "tweet"):
        with auditing(action, "U", on_error="nonsense"):
            pass

    told = [each.message for each in caplog.records if each.message.startswith("not_recorded")]
    assert {"not_recorded": 4} == troubles()
    assert ["'tweet.update'", "'tweet.delete'", "'tweet'"] == [
        each.split("auditing(")[1].split(")")[0] for each in told
    ]


def test_wrong_arguments_are_raised_where_asked(make: Callable[..., AuditTrail]) -> None:
    """With on_audit_error="raise" a block that cannot be recorded does not begin."""
    trail = make(on_audit_error="raise")
    ran = False

    with pytest.raises(RecordingFailed, match="action must be a category"), auditing("update", "U", trail=trail):
        ran = True

    assert not ran


def test_state_that_cannot_be_read_is_told_before_the_block_where_asked(make: Callable[..., AuditTrail]) -> None:
    """What a block is given is tried before it runs where trouble is raised."""
    trail = make(on_audit_error="raise")
    ran = False

    with (
        pytest.raises(RecordingFailed, match="tweet.update was not run"),
        auditing("tweet.update", "U", target=object(), trail=trail),
    ):
        ran = True

    assert not ran


def test_block_inside_of_itself_is_two_events(memory: MemoryTransport) -> None:
    """An object that is entered again before it is left is another event each time, each with its own entry."""
    block = auditing("tweet.update", "U")
    with block as outer:
        with block as inner:
            inner.metadata["which"] = "inner"
        outer.metadata["which"] = "outer"

    inside, around = memory.events
    assert ("inner", "outer") == (inside.metadata["which"], around.metadata["which"])
    assert (around.id, None) == (inside.parent_id, around.parent_id)
    assert not current_entry()


def test_tasks_that_share_a_block_are_each_an_event(memory: MemoryTransport) -> None:
    """Whoever leaves a shared object first leaves its own entry, and is recorded with its own actor."""
    block = auditing("tweet.update", "U")
    turns = {"ada": asyncio.Event(), "bob": asyncio.Event()}

    async def work(actor: str, awaited: str, done: str) -> None:
        with audit_context(actor=actor):
            async with block as entry:
                entry.metadata["who"] = actor
                turns[done].set()
                await turns[awaited].wait()

    async def main() -> None:
        await asyncio.gather(work("ada", "bob", "ada"), work("bob", "ada", "bob"))

    asyncio.run(main())

    assert [("ada", "ada"), ("bob", "bob")] == sorted((each.actor_id, each.metadata["who"]) for each in memory.events)


def test_block_left_in_another_context_is_recorded(memory: MemoryTransport) -> None:
    """A generator that enters a block in one context and leaves it in another loses no event."""

    def working() -> Iterator[None]:
        with auditing("tweet.update", "U") as entry:
            yield
            entry.metadata["said"] = True

    generator = working()
    contextvars.copy_context().run(next, generator)
    contextvars.copy_context().run(next, generator, None)

    assert {"said": True} == only(memory).metadata


def entered_by(actor: str, block: auditing) -> contextvars.Context:
    """Return the context in which somebody has entered a block."""
    here = contextvars.copy_context()

    def enter() -> None:
        audit_context(actor=actor).__enter__()
        block.__enter__()

    here.run(enter)
    return here


def test_shared_block_left_in_another_context_ends_no_other_s(
    memory: MemoryTransport, caplog: pytest.LogCaptureFixture
) -> None:
    """Of several entries of one object none is taken for the one that is left elsewhere: that is told, with a remedy."""
    block = auditing("pay.out", "C", on_error="pay.failed")
    entered_by("ada", block)
    bob = entered_by("bob", block)
    block.__exit__(None, None, None)

    assert [] == memory.events
    assert {"not_recorded": 1} == troubles()
    assert "pay.out: its event could not be recorded" in caplog.text
    assert "give each block an auditing(...) of its own" in caplog.text

    error = ValueError()
    bob.run(block.__exit__, ValueError, error, None)
    assert ("bob", "pay.failed") == (only(memory).actor_id, only(memory).action)


@pytest.mark.parametrize("elsewhere", [1, 2], ids=["one elsewhere", "all elsewhere"])
def test_shared_block_is_whole_again_when_all_have_left(memory: MemoryTransport, elsewhere: int) -> None:
    """What nobody leaves any more stands in nobody's way: the next one that is left elsewhere is alone, and recorded."""
    block = auditing("pay.out", "C")
    contexts = [entered_by(actor, block) for actor in ("ada", "bob")]
    for _ in range(elsewhere):
        block.__exit__(None, None, None)
    for context in contexts[elsewhere:]:
        context.run(block.__exit__, None, None, None)
    entered_by("eve", block)
    block.__exit__(None, None, None)

    assert [*["ada", "bob"][elsewhere:], "eve"] == [event.actor_id for event in memory.events]
    assert {"not_recorded": elsewhere} == troubles()


def test_shared_block_left_where_nothing_is_recorded_ends_no_other_s(memory: MemoryTransport) -> None:
    """Who enters and leaves an object where nothing is audited leaves an entry of another's alone."""
    block = auditing("pay.out", "C")
    ada = entered_by("ada", block)
    with suppressed(), block:
        pass
    ada.run(block.__exit__, None, None, None)

    assert "ada" == only(memory).actor_id
    assert {} == troubles()


def test_shared_block_is_whole_again_behind_one_that_records_nothing(memory: MemoryTransport) -> None:
    """Who left an object where nothing is audited, the last of all, stands in nobody's way either."""
    block = auditing("pay.out", "C")
    silent = contextvars.copy_context()
    silence = suppressed()
    silent.run(silence.__enter__)
    silent.run(block.__enter__)
    entered_by("ada", block)
    block.__exit__(None, None, None)
    silent.run(block.__exit__, None, None, None)
    silent.run(silence.__exit__, None, None, None)
    entered_by("eve", block)
    block.__exit__(None, None, None)

    assert "eve" == only(memory).actor_id
    assert {"not_recorded": 1} == troubles()


def test_shared_block_left_in_another_context_raises_where_that_is_asked(memory: MemoryTransport) -> None:
    """With ``on_audit_error="raise"`` the block whose entry is not known raises, or notes it on what it raised."""
    block = auditing("pay.out", "C", on_audit_error="raise")
    for actor in ("ada", "bob", "eve"):
        entered_by(actor, block)
    error = ValueError()
    block.__exit__(ValueError, error, None)

    with pytest.raises(RecordingFailed, match=r"of its own"):
        block.__exit__(None, None, None)

    assert "of its own" in error.__notes__[0]


def test_blocks_may_be_left_in_any_order(memory: MemoryTransport) -> None:
    """Whoever is left first, what is recorded afterwards happens inside the innermost one that has not ended."""
    outer, first, second = (auditing(f"tweet.{name}", "U") for name in ("outer", "first", "second"))
    with outer as around:
        entered = first.__enter__().id, second.__enter__().id
        first.__exit__(None, None, None)
        record("tweet.inside_second", "R")
        second.__exit__(None, None, None)
        record("tweet.inside_outer", "R")
        assert current_entry().id == around.id

    parents = {each.action.removeprefix("tweet."): each.parent_id for each in memory.events}
    assert {
        "first": around.id,
        "inside_second": entered[1],
        "second": entered[0],
        "inside_outer": around.id,
        "outer": None,
    } == parents
    assert not current_entry()


def test_block_that_outlives_its_call_puts_nothing_back(memory: MemoryTransport) -> None:
    """A block that a function enters and another one leaves does not make the first one's ended call the current."""
    block = auditing("session.hold", "U")

    @audited("session.open", "C")
    def start() -> None:
        block.__enter__()

    @audited("session.close", "D")
    def stop() -> None:
        block.__exit__(None, None, None)
        assert current_entry().metadata == {}
        record("session.seen", "R")

    start()
    stop()
    assert not current_entry()

    opened, held, seen, closed = memory.events
    assert [None, opened.id, closed.id, None] == [each.parent_id for each in (opened, held, seen, closed)]
    assert {} == troubles()


def test_decorating_with_a_block_names_the_decorator() -> None:
    """@auditing says that functions are decorated with @audited, and the other way round."""
    block: Any = auditing("tweet.update", "U")
    decorator: Any = audited("tweet.update", "U")

    with pytest.raises(AuditDefinitionError, match="decorate with @audited"):
        block(test_state_by_action_type)
    with pytest.raises(AuditDefinitionError, match=r"write `with auditing\(\.\.\.\)`"), decorator:
        pass

    async def main() -> None:
        async with decorator:
            pass

    with pytest.raises(AuditDefinitionError, match=r"write `with auditing\(\.\.\.\)`"):
        asyncio.run(main())


def test_unchanged_block_is_left_out_where_asked(memory: MemoryTransport) -> None:
    """when="changed" leaves out an update that changed nothing, and keeps one that did."""
    tweet = Tweet()
    for body in ("old", "new"):
        with auditing("tweet.update", "U", capture=tweet, when="changed"):
            tweet.body = body

    assert [{"body": ("old", "new")}] == [each.changes for each in memory.events]


def test_disabled_trail_gives_an_inert_entry(make: Callable[..., AuditTrail]) -> None:
    """Where nothing is recorded the block runs, and its entry takes everything."""
    trail = make()
    trail.enabled = False
    with auditing("tweet.update", "U", trail=trail) as entry:
        entry.metadata["a"] = 1

    assert not entry
    assert 0 == trail.stats().recorded


def test_block_under_fsync_always_waits_for_the_device(make: Callable[..., AuditTrail], tmp_path: Any) -> None:
    """Under fsync="always" the block ends when its event is on the device, in a coroutine too."""
    trail = make(directory=str(tmp_path / "audit"), fsync="always")
    with auditing("tweet.update", "U", trail=trail):
        pass

    async def main() -> None:
        async with auditing("tweet.update", "U", trail=trail):
            pass

    asyncio.run(main())

    assert (2, {}) == (
        trail.stats().recorded,
        {code: number for code, number in trail.stats().troubles.items() if code != "default"},
    )
