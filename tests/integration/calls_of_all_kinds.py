"""Make audited calls of many kinds, always the same ones, and print what came of each: `python calls_of_all_kinds.py 500`.

Run once with auditkit's compiled parts and once without, it must print the same.
"""

from __future__ import annotations

import logging
import random
import sys
from collections import namedtuple
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from auditkit import AuditTrail, audit_context, audited, auditing, bind_context, current_entry
from auditkit.capture.reference import ref
from auditkit.transports import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Plain:
    id: Any = "plain_1"
    name: Any = "A plain one"
    body: Any = "old"
    count: Any = 1


@dataclass(slots=True)
class Slotted:
    id: Any = "slotted_1"
    name: Any = "A slotted one"
    body: Any = "old"
    count: Any = 1


class Private:
    status = "new"

    def __init__(self) -> None:
        self.id, self.name, self.body, self._count = "private_1", "P", "old", 1


class Wayward:
    """Attributes that raise, and one that is never the same."""

    def __init__(self) -> None:
        self.body, self.asked = "old", 0

    @property
    def id(self) -> str:
        self.asked += 1
        return f"asked_{self.asked}"

    @property
    def name(self) -> str:
        raise ValueError("no name today")


@dataclass
class Nested:
    id: Any = 7
    name: Any = None
    body: Any = field(default_factory=lambda: {"text": "old", "tags": ["a", "b"]})
    author: Any = field(default_factory=Plain)


Pair = namedtuple("Pair", "id name body")  # noqa: PYI024  (what a library hands out)

STATES: list[Callable[[], Any]] = [
    Plain,
    Slotted,
    Private,
    Wayward,
    Nested,
    lambda: {"id": "dict_1", "name": "D", "body": "old", "count": 1},
    lambda: {"id": 5, 3: "three", "body": "old"},
    dict,
    lambda: Pair("pair_1", "N", "old"),
    lambda: Plain(id=None),
    lambda: Plain(id=12, body=None),
    lambda: Slotted(id="ü-1", body="alt\u2028"),
    lambda: Slotted(id="a\ud800"),
    lambda: None,
    lambda: "only a text",
]
CONTENTS: list[Any] = [
    "new", "old", "", None, True, 1, 1.5, 2**63, -(2**63), float("nan"), "ünicode \U0001f600 \ud800", 'a "quoted" \\ one',
    "Bearer abcdef0123456789", "see eyJhbGciOiJIUzI1NiJ9.e30.x", "sk_live_abcdefgh12345678", "x" * 9000, "pin=1234",
    ["a", {"password": "hunter2"}], {"deep": {"deeper": 1}}, b"\x00\xff", "\x00\x1f\x7f\n\t",
]  # fmt: skip
TARGETS: list[Any] = [
    None, None, "state", "state.id", "state.id", "state.missing", "state.name", ("state.id", "state.name"),
    lambda state: state, "result", "more", lambda: "fixed", "state.author.id",
]  # fmt: skip
CAPTURES: list[dict[str, Any]] = [
    {}, {"capture": "state"}, {"capture": "state"}, {"capture": "state"}, {"capture": lambda state: state},
    {"before": "state", "after": "result"}, {"before": lambda state: {**state}}, {"after": "state"},
    {"capture": "state", "fields": ["body"]}, {"capture": "state", "exclude": ["body", "id"]},
    {"capture": "state.body"}, {"capture": "state.author"},
]  # fmt: skip
OPTIONS: list[dict[str, Any]] = [
    {}, {}, {}, {"redact": ["body"]}, {"metadata": {"reason": "a constant", "n": 3}},
    {"metadata": {"of": ref("state.body"), "lazy": lambda state: state.count}}, {"when": "changed"},
    {"when": lambda content: content != "old"}, {"outcome": lambda result: "denied" if result is None else "success"},
    {"on_error": "record"}, {"on_error": "thing.failed"}, {"on_audit_error": "raise"}, {"on_audit_error": "log"},
    {"actor": "more"}, {"actor": lambda: ("a1", "An actor")}, {"group": "state.id"}, {"actor": "state.author"},
]  # fmt: skip
SCOPES: list[dict[str, Any] | None] = [
    None, {}, {"group": "org_1", "actor": ("u1", "Ada"), "location": "1.1.1.1"},
    {"group": "org_1", "actor": "u1", "location": "1.1.1.1", "metadata": {"request": "r1", "body": "the context's"}},
    {"actor": lambda: None, "group": lambda: "lazy"}, {"actor": "u1", "on_behalf_of": ("c1", "A customer")},
    {"actor": "u1", "correlation_id": "c-1", "on_commit": lambda commit: commit()},
    {"actor": "u1", "on_commit": lambda _: None},
]  # fmt: skip


class Refused(Exception):  # noqa: N818  (it reads as what happened)
    """Be what a call raises."""


def change(state: Any, content: Any) -> None:
    """Change a state, as far as it can be changed."""
    if isinstance(state, dict):
        state["body"] = content
    elif hasattr(state, "__dict__") or hasattr(type(state), "__slots__"):
        with suppress(AttributeError):
            state.body = content


def say(chance: random.Random) -> None:
    """Say something of the call that is under way."""
    entry = current_entry()
    match chance.randrange(12):
        case 0:
            entry.set_target("said", "A name")
        case 1:
            entry.set_actor(("said", "Somebody"))
        case 2:
            entry.metadata["said"] = "something"
        case 3:
            entry.add_target("further", before={"body": "a"}, after={"body": "b"})
        case 4:
            entry.discard()
        case 5:
            bind_context(actor=("bound", "Late"), metadata={"bound": True})
        case _:
            pass


def made(chance: random.Random, trail: AuditTrail) -> Callable[..., Any]:
    """Make one audited function."""
    action_type = chance.choice("CRUUUUD")
    raises, quiet = chance.random() < 0.1, chance.random() < 0.6

    def act(state: Any, content: Any, more: Any = "more_1", *rest: Any, last: Any = None) -> Any:
        change(state, content)
        if not quiet:
            say(chance)
        if raises:
            raise Refused(content)
        return state if last is None else last

    def act_by_place(state: Any, content: Any, /, **named: Any) -> Any:
        return act(state, content, **{name: value for name, value in named.items() if name in {"more", "last"}})

    while True:
        options = {"target": chance.choice(TARGETS), **chance.choice(CAPTURES), **chance.choice(OPTIONS)}
        try:
            return audited("thing.work", action_type, **options, trail=trail)(  # type: ignore[arg-type]
                act if chance.random() < 0.9 else act_by_place
            )
        except Exception:  # noqa: BLE001  (refused when decorating: another one then)
            continue


def arguments(chance: random.Random, state: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Choose how a call gives its arguments."""
    content = chance.choice(CONTENTS)
    usual: tuple[tuple[Any, ...], dict[str, Any]] = (state, content), {}
    return chance.choice(
        [
            usual,
            usual,
            usual,
            ((), {"state": state, "content": content}),
            ((state,), {"content": content, "more": 17}),
            ((state, content, Plain(id="more_2"), "rest"), {}),
            ((state, content), {"last": Plain(id="result_1", body="of the result")}),
            ((state, content), {"state": Plain(id="another")}),  # given twice, or by place alone
            ((state,), {}),  # one is missing
        ]
    )


def outcome_of(call: Callable[[], Any]) -> str:
    """Return what a call gave or raised."""
    try:
        result = call()
    except Exception as error:  # noqa: BLE001  (that is what is told)
        notes = getattr(error, "__notes__", [])
        return f"raised {type(error).__name__}: {str(error)[:300]} {notes} from {type(error.__cause__).__name__}"
    return f"gave {type(result).__name__}"


class Log(logging.Handler):
    """Keep what auditkit logs."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def call_of(chance: random.Random, trail: AuditTrail) -> Callable[[], Any]:
    """Choose an audited function, and how it is called."""
    function, state = made(chance, trail), chance.choice(STATES)()
    args, kwargs = arguments(chance, state)
    plain = partial(function, *args, **kwargs)
    if chance.random() < 0.8:
        return plain
    inside = made(chance, trail)

    def nested() -> Any:
        with auditing("thing.around", "U", target="around", capture=state, trail=trail):
            inside(state, "between")
            return plain()

    return nested


def told(seed: int, log: Log) -> Iterator[str]:
    """Make one call, and yield what came of it."""
    chance, memory = random.Random(seed), MemoryTransport()
    trail = AuditTrail(
        memory,
        directory=None,
        on_audit_error=chance.choice(["log", "log", "raise"]),
        redact=["address"],
        defaults={"location": "here"},
    )
    call, scope = call_of(chance, trail), chance.choice(SCOPES)
    with nullcontext() if scope is None else audit_context(**scope):
        yield f"{seed}: {outcome_of(call)}"
    trail.shutdown()
    known: dict[str, str] = {}  # ids are new each time: they are told by their order
    for event in memory.events:
        fields = event.to_dict()
        for name in ("id", "parent_id", "correlation_id"):
            if fields[name] not in {None, "c-1"}:
                fields[name] = known.setdefault(fields[name], f"id {len(known)}")
        del fields["occurred_at"]
        yield f"    {fields}"
    yield f"    {trail.stats().troubles} {trail.stats().recorded} {sorted(log.lines)}"
    log.lines.clear()


def main(number: int) -> None:
    """Make so many calls, and print what came of each."""
    log, logger = Log(), logging.getLogger("auditkit")
    logger.addHandler(log)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    for seed in range(number):
        for line in told(seed, log):
            sys.stdout.write(f"{line!a}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
