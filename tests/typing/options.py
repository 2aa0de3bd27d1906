"""What type checkers must see of the options, the entry and the rest: checked by mypy and pyright, never run.

A line with `type: ignore` must be refused: mypy complains of an ignore that nothing needs, and so does pyright.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, assert_type

from auditkit import (
    ActionType,
    Entry,
    RegisteredAction,
    arecord,
    audited,
    auditing,
    carry_context,
    current_entry,
    record,
    ref,
    registered_actions,
)

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


def judge(result: str) -> str | None:
    """Judge a result."""
    return "failure" if result else None


def is_wanted(number: int) -> bool:
    """Say whether a call is recorded."""
    return number > 0


def every_option_takes_its_forms() -> None:
    """References, callables, pairs and constants are taken where they mean something."""
    audited("a.b", "C")
    audited("a.b", "R")
    audited("a.b", "U")
    audited("a.b", "D")
    audited("a.b", ActionType.DELETE)
    audited("a.b", "U", target="tweet.id", actor="user", group="self.group", capture="tweet")
    audited("a.b", "U", target=is_wanted, actor=judge, group=judge, before=judge, after=judge)
    audited("a.b", "U", target=("tweet.id", "tweet.title"))
    audited("a.b", "U", target=("tweet.id", judge), fields=["a"], redact={"b"})
    audited("a.b", "U", exclude=(name for name in ("a", "b")), redact=("c",))
    audited("a.b", "U", metadata={"constant": 1, "reference": ref("plan.name"), "callable": judge})
    audited("a.b", "U", when="changed", outcome=judge, on_error="skip")
    audited("a.b", "U", when=is_wanted, on_error="a.failed", on_audit_error="raise")


def action_types_are_letters(letter: str) -> None:
    """One of the four letters, or the enum; nothing that only looks like one."""
    audited("a.b", "c")  # type: ignore[arg-type]
    audited("a.b", "CREATE")  # type: ignore[arg-type]
    audited("a.b", "CU")  # type: ignore[arg-type]
    audited("a.b", "")  # type: ignore[arg-type]
    audited("a.b", None)  # type: ignore[arg-type]
    audited("a.b", 1)  # type: ignore[arg-type]
    audited("a.b", letter)  # type: ignore[arg-type]
    auditing("a.b", "c")  # type: ignore[arg-type]
    auditing("a.b", "UPDATE")  # type: ignore[arg-type]
    record("a.b", "c")  # type: ignore[arg-type]


def options_have_their_types() -> None:
    """An option of another type is refused, and so is one that does not exist."""
    audited(5, "U")  # type: ignore[arg-type]
    audited("a.b", "U", "target")  # type: ignore[call-arg]
    audited("a.b", "U", actor=5)  # type: ignore[arg-type]
    audited("a.b", "U", actor=("id", "name"))  # type: ignore[arg-type]
    audited("a.b", "U", group=b"group")  # type: ignore[arg-type]
    audited("a.b", "U", capture=["tweet"])  # type: ignore[arg-type]
    audited("a.b", "U", before={"a": 1})  # type: ignore[arg-type]
    audited("a.b", "U", after=5)  # type: ignore[arg-type]
    audited("a.b", "U", target=("id",))  # type: ignore[arg-type]
    audited("a.b", "U", fields=5)  # type: ignore[arg-type]
    audited("a.b", "U", exclude=[1])  # type: ignore[list-item]
    audited("a.b", "U", redact=None)  # type: ignore[arg-type]
    audited("a.b", "U", metadata=[("a", 1)])  # type: ignore[arg-type]
    audited("a.b", "U", metadata={1: "a"})  # type: ignore[dict-item]
    audited("a.b", "U", when="chnaged")  # type: ignore[arg-type]
    audited("a.b", "U", when=True)  # type: ignore[arg-type]
    audited("a.b", "U", outcome="success")  # type: ignore[arg-type]
    audited("a.b", "U", on_error=ValueError)  # type: ignore[arg-type]
    audited("a.b", "U", on_audit_error="skip")  # type: ignore[arg-type]
    audited("a.b", "U", trail="main")  # type: ignore[arg-type]
    audited("a.b", "U", location="here")  # type: ignore[call-arg]


async def blocks_give_an_entry(tweet: object) -> None:
    """`auditing` yields an entry, with `with` and `async with`; everything it is given is a value."""
    with auditing("a.b", "U", target=("t1", "T"), capture=tweet, when="changed", metadata={"a": tweet}) as entry:
        assert_type(entry, Entry)
    async with auditing("a.b", ActionType.CREATE, actor=tweet, group=5, fields={"a"}, on_error="skip") as entry:
        assert_type(entry, Entry)
    auditing("a.b")  # type: ignore[call-arg]
    auditing("a.b", "U", when="chnaged")  # type: ignore[arg-type]
    auditing("a.b", "U", when=is_wanted)  # type: ignore[arg-type]
    auditing("a.b", "U", outcome=judge)  # type: ignore[call-arg]
    auditing("a.b", "U", fields=5)  # type: ignore[arg-type]
    auditing("a.b", "U", on_audit_error="skip")  # type: ignore[arg-type]
    auditing("a.b", "U", metadata=5)  # type: ignore[arg-type]


def entries_take_what_is_said(tweet: object) -> None:
    """Each method of an entry takes its forms, and gives nothing; an entry may be asked whether it is one."""
    entry = current_entry()
    assert_type(entry, Entry)
    assert_type(bool(entry), bool)
    assert_type(entry.id, str)
    assert_type(entry.metadata, dict[str, Any])
    entry.metadata["count"] = 1
    entry.set_target("t1")
    entry.set_target(5, "five", type="number")
    entry.set_target(tweet)
    entry.set_actor(("user_1", "Ada"))
    entry.watch(tweet, fields=["a"])
    entry.watch(tweet, exclude={"b"})
    entry.add_target(tweet, "name", type="tweet", before={"a": 1}, after=tweet)
    entry.discard()
    entry.metadata[1] = "a"  # type: ignore[index]
    entry.metadata = {}  # type: ignore[misc]
    entry.id = "a"  # type: ignore[misc]
    entry.set_target()  # type: ignore[call-arg]
    entry.set_target("t1", 5)  # type: ignore[arg-type]
    entry.set_target("t1", "T", "tweet")  # type: ignore[call-arg]
    entry.watch(tweet, ["a"])  # type: ignore[call-arg]
    entry.watch(tweet, fields=5)  # type: ignore[arg-type]
    entry.set_group("acme")  # type: ignore[attr-defined]


async def facts_give_a_receipt() -> None:
    """`record` and `arecord` take one fact by name, and give its receipt."""
    receipt = record(
        "user.login",
        ActionType.CREATE,
        actor=5,
        target=("t", "T"),
        group="acme",
        location="here",
        before={"a": 1},
        after={"a": 2},
        metadata={"a": object()},
        outcome="denied",
        occurred_at=datetime(2019, 5, 1, tzinfo=UTC),
        id="e1",
    )
    assert_type(receipt.id, str)
    assert_type(receipt.done(), bool)
    await receipt
    later = await arecord("user.login", "C", target="t", outcome="failure")
    assert_type(later.id, str)
    assert_type(later.done(), bool)
    await later
    record("user.login", "C", "ada")  # type: ignore[call-arg]
    record("user.login", "C", occurred_at=5)  # type: ignore[arg-type]
    record("user.login", "C", id=5)  # type: ignore[arg-type]
    record("user.login", "C", when="changed")  # type: ignore[call-arg]
    await arecord("user.login", "c")  # type: ignore[arg-type]
    await arecord("user.login", "C", occurred_at=5)  # type: ignore[arg-type]


def work(number: int, *, text: str = "") -> list[str]:
    """Be carried."""
    return [text] * number


async def work_later(number: int) -> bytes:
    """Be carried."""
    return bytes(number)


async def contexts_are_carried_with_the_signature(pool: ThreadPoolExecutor) -> None:
    """A carried function is given to threads, executors and tasks as the function is."""
    assert_type(carry_context(work)(1, text="a"), list[str])
    assert_type(await carry_context(work_later)(1), bytes)
    assert_type(pool.submit(carry_context(work), 1, text="a").result(), list[str])
    assert_type(await asyncio.to_thread(carry_context(work), 1), list[str])
    assert_type(carry_context(audited("a.b", "R")(work))(1), list[str])
    carry_context(work)("1")  # type: ignore[arg-type]
    carry_context(work)(1, word="a")  # type: ignore[call-arg]
    carry_context(5)  # type: ignore[arg-type]


def registered_actions_tell_texts() -> None:
    """What is registered is a list of values, each told in texts."""
    assert_type(registered_actions(), list[RegisteredAction])
    for each in registered_actions():
        assert_type((each.action, each.module, each.function, each.file, each.summary), tuple[str, str, str, str, str])
        assert_type(each.line, int)
        assert_type(each.target, str | None)
        assert_type((each.when, each.outcome, each.on_error), tuple[str | None, str | None, str | None])
        assert_type((each.redact, each.metadata), tuple[tuple[str, ...], tuple[str, ...]])
        each.when = "changed"  # type: ignore[misc]
        each.told  # type: ignore[attr-defined]  # noqa: B018  (the attribute is the point)
    registered_actions("a.b")  # type: ignore[call-arg]
