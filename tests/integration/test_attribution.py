"""Whoever does what where, at once: each event carries what is its own call's, and nothing of another's.

A generated program is run by workers (threads, pool threads, tasks) of which one at a time has the turn, so that
every interleaving is the program's own. Beside it runs a model that knows nothing of context variables.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

import auditkit
from auditkit import (
    Context,
    audit_context,
    audited,
    auditing,
    bind_context,
    carry_context,
    current_context,
    current_entry,
    record,
)
from auditkit.transports import MemoryTransport
from tests.unit.capture.builders import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterable

    from auditkit.event import Event

DEFAULTS = {"actor": "nobody", "group": "none", "location": "nowhere"}
PATIENCE = 30.0  # seconds after which a worker that does not answer has failed
MOST_WORKERS = 8
LEAVE, FAIL = object(), object()  # end what was entered last; end it by raising
HARMLESS = {"default", "no_scope", "scope_left_elsewhere", "late_entry", "unchanged"}
TASKS, THREADS = 200, 8


# What is audited.


@dataclass
class Thing:
    """What a call changes: its own."""

    id: str
    value: str


@audited("thing.change", "U", target="thing.id", capture="thing", on_error="record")
def change(thing: Thing, inside: Callable[[], None]) -> None:
    inside()


@audited("thing.change", "U", target="thing.id", capture="thing", on_error="record")
async def achange(thing: Thing, inside: Callable[[], Awaitable[None]]) -> None:
    await inside()


def values(thing: Thing, stream: Stream) -> Generator[int]:
    stream.visit(0)
    yield 0
    if stream.context is None:
        stream.visit(1)
        yield 1
        stream.visit(2)
    else:  # only where its own scope keeps what it enters from its consumer
        with audit_context(location=stream.place):
            stream.visit(1)
            yield 1
            stream.visit(2)
    yield 2
    stream.visit(3)


async def avalues(thing: Thing, stream: Stream) -> AsyncGenerator[int]:
    stream.visit(0)
    yield 0
    if stream.context is None:
        await asyncio.sleep(0)
        stream.visit(1)
        yield 1
        stream.visit(2)
    else:
        async with audit_context(location=stream.place):
            await asyncio.sleep(0)
            stream.visit(1)
            yield 1
            stream.visit(2)
    yield 2
    stream.visit(3)


LAST_VISIT = 3
INSIDE_OF_PLACE = (1, 2)


# The model.


@dataclass(eq=False)
class Scope:
    """What an audit_context said, and what was bound in it."""

    said: dict[str, str]
    outer: Scope | None
    stack: object = field(init=False)

    def __post_init__(self) -> None:
        self.stack = object() if self.outer is None else self.outer.stack

    def find(self, name: str) -> str | None:
        return self.said.get(name) or (self.outer.find(name) if self.outer else None)


@dataclass(eq=False)
class Call:
    """An audited call, as it began."""

    action: str
    thing: Thing
    scope: Scope | None
    parent: Call | None
    was: str = field(init=False)
    actor: str | None = None
    said: dict[str, str] = field(default_factory=dict)
    ended: bool = False

    def __post_init__(self) -> None:
        self.was = self.thing.value


@dataclass
class Fact:
    """What an event must carry."""

    action: str
    actor: str
    group: str
    location: str
    correlation: object  # stated, or that of a stack of scopes
    parent: str | None  # the target of the call around
    metadata: dict[str, str]


def fact(action: str, scope: Scope | None, parent: Call | None) -> Fact:
    """Return what an event of this scope carries, read now."""
    fields = {name: (scope.find(name) if scope else None) or default for name, default in DEFAULTS.items()}
    origin = scope.find("origin") if scope else None
    return Fact(
        action,
        **fields,
        correlation=None if scope is None else scope.find("correlation_id") or scope.stack,
        parent=None if parent is None else parent.thing.id,
        metadata={} if origin is None else {"origin": origin},
    )


Bound = tuple[dict[str, str | None], Fact]  # what a look must find: no defaults stand in it


@dataclass(eq=False)
class Stream:
    """A generator that any worker may resume."""

    later: bool  # asynchronous
    call: Call | None  # where it is audited
    context: dict[str, Any] | None  # where it has a scope of its own
    said: dict[str, str]  # what that says
    place: str  # where it is in the middle
    targets: list[str]  # what its visits are told of
    visited: int = 0
    scope: Scope | None = None
    inner: Scope | None = None
    over: bool = False
    running: Any = None

    def make(self) -> None:
        """Call the generator function."""
        function: Any = avalues if self.later else values
        if self.context is not None:
            function = audit_context(**self.context)(function)
        if self.call is not None:
            function = audited("stream.read", "U", target="thing.id", capture="thing")(function)
        self.running = function(self.call.thing if self.call else Thing("", ""), self)

    def visit(self, number: int) -> None:
        """Do what its body does between two values."""
        record("stream.visit", "R", target=self.targets[number])
        if self.call is not None:
            self.call.thing.value += "+"


class Worker:
    """A thread or task that does what it is told when it has the turn, and what the model knows of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None, scope: Scope | None, call: Call | None) -> None:
        self.loop = loop  # that of a task
        self.scope, self.call = scope, call
        self.frames: list[tuple[Call | None, Scope | None, Call | None]] = []  # what was entered, what was around
        self.groups: list[tuple[int, list[Worker]]] = []  # the depth of each task group's frame, and its tasks
        self.over = False
        self.orders: SimpleQueue[Any] = SimpleQueue()
        self.awaited_orders: asyncio.Queue[Any] = asyncio.Queue()
        self.task_groups: list[asyncio.TaskGroup] = []

    def tell(self, order: object) -> None:
        if self.loop is None:
            self.orders.put(order)
        else:
            self.loop.call_soon_threadsafe(self.awaited_orders.put_nowait, order)

    @property
    def is_in_group(self) -> bool:
        return bool(self.groups) and self.groups[-1][0] == len(self.frames)


# What runs a program.


class Machine:
    """Give the turn to one worker after the other, and write down what each event must carry."""

    def __init__(self, memory: MemoryTransport) -> None:
        self.memory = memory
        self.facts: dict[str, Fact] = {}
        self.looks: list[tuple[Bound | None, str | None, Context, str]] = []
        self.streams: list[Stream] = []
        self.lent: list[tuple[Callable[[str, Thing], None], Scope | None, Call | None]] = []
        self._numbers = itertools.count()
        self._answers: SimpleQueue[BaseException | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._tasks: list[asyncio.Future[Any]] = []
        self._pool = ThreadPoolExecutor(MOST_WORKERS * 4)
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(self._pool)
        self._looping = threading.Thread(target=self._loop.run_forever)
        self._looping.start()
        self.root, self.root_task = Worker(None, None, None), Worker(self._loop, None, None)
        self.workers = [self.root, self.root_task]
        self._start_thread(self.live, self.root)
        self._answer()
        asyncio.run_coroutine_threadsafe(self.alive(self.root_task), self._loop)
        self._answer()

    # Turns: each order is answered once, when it is done; one that enters something, when that is entered.

    def _answer(self) -> None:
        error = self._answers.get(timeout=PATIENCE)
        if error is not None:
            raise error

    def order(self, worker: Worker, order: object, answers: int = 1) -> None:
        worker.tell(order)
        for _ in range(answers):
            self._answer()

    def live(self, worker: Worker) -> None:
        self._answers.put(None)
        try:
            self._obey(worker)
        except BaseException as error:  # noqa: BLE001  (it fails the test)
            self._answers.put(error)
        else:
            self._answers.put(None)

    def _obey(self, worker: Worker) -> None:
        while (order := worker.orders.get(timeout=PATIENCE)) is not LEAVE:
            if order is FAIL:
                raise Refused
            order()
            self._answers.put(None)

    def _entered(self, worker: Worker) -> None:
        self._answers.put(None)
        self._obey(worker)

    async def alive(self, worker: Worker) -> None:
        self._answers.put(None)
        try:
            await self._aobey(worker)
        except BaseException as error:  # noqa: BLE001  (it fails the test)
            self._answers.put(error)
        else:
            self._answers.put(None)

    async def _aobey(self, worker: Worker) -> None:
        while (order := await worker.awaited_orders.get()) is not LEAVE:
            if order is FAIL:
                raise Refused
            waits = order()
            if inspect.isawaitable(waits):
                await waits
            self._answers.put(None)

    async def _aentered(self, worker: Worker) -> None:
        self._answers.put(None)
        await self._aobey(worker)

    def _start_thread(self, target: Callable[..., object], *args: object) -> None:
        thread = threading.Thread(target=target, args=args)
        self._threads.append(thread)
        thread.start()

    def end(self) -> None:
        """End every worker: what a program left open is closed in its order."""
        for stream in self.streams:
            while not stream.over:
                self.resume_stream(stream, self.root_task if stream.later else self.root)
        for worker in self.workers:
            self.unwind(worker)

    def close(self) -> None:
        """Let go of all threads."""
        for worker in self.workers:  # where the program broke off, those who wait are many
            for _ in range(0 if worker.over else len(worker.frames) + 1):
                worker.tell(LEAVE)
        for thread in self._threads:
            thread.join(PATIENCE)
        with suppress(Exception):
            asyncio.run_coroutine_threadsafe(self._all_tasks(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._looping.join(PATIENCE)
        self._pool.shutdown()
        self._loop.close()

    async def _all_tasks(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # What a program is made of.

    def run(self, program: Iterable[tuple[int, str, int]]) -> None:
        for who, step, choice in program:
            there = [worker for worker in self.workers if not worker.over]
            getattr(self, f"do_{step}")(there[who % len(there)], choice)

    def new(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}"

    def _context(self, choice: int) -> tuple[dict[str, Any], dict[str, str]]:
        """Return what is given to audit_context or bind_context, and what the model makes of it."""
        said = {
            name: self.new(name)
            for bit, name in enumerate(("actor", "group", "location", "origin"))
            if choice >> bit & 1
        }
        if choice % 7 == 0:
            said["correlation_id"] = self.new("correlation")
        asked = choice >> 4 & 1
        given: dict[str, Any] = {name: (lambda text=text: text) if asked else text for name, text in said.items()}
        if "origin" in given:
            given["metadata"] = {"origin": said["origin"]}
            del given["origin"]
        return given, said

    def _scope(self, choice: int) -> tuple[dict[str, Any], dict[str, str], bool]:
        given, said = self._context(choice)
        inherit = choice % 5 != 0
        return {**given, "inherit": inherit}, said, inherit

    def do_record(self, worker: Worker, choice: int) -> None:
        """State a fact."""
        target = self.new("fact")
        self.facts[target] = fact("fact.record", worker.scope, worker.call)

        def state() -> None:
            record("fact.record", "R", target=target)

        self.order(worker, state)

    def do_quick(self, worker: Worker, choice: int) -> None:
        """Make a call that has ended when the turn does."""
        thing = Thing(self.new("thing"), self.new("value"))
        call = Call("thing.change", thing, worker.scope, worker.call)
        value = self.new("value")
        self.order(worker, lambda: change(thing, lambda: setattr(thing, "value", value)))
        self._ended(call, {})

    def do_bind(self, worker: Worker, choice: int) -> None:
        """Say something in the innermost scope, of which others may have a part."""
        given, said = self._context(choice)
        if worker.scope is not None:
            worker.scope.said.update(said)
        self.order(worker, lambda: bind_context(**given))

    def do_look(self, worker: Worker, choice: int) -> None:
        """Look at what is bound, and at the entry that is under way."""
        scope = worker.scope
        bound = None if scope is None else ({name: scope.find(name) for name in DEFAULTS}, fact("", scope, None))
        target = worker.call.thing.id if worker.call else None
        self.order(worker, lambda: self.looks.append((bound, target, current_context(), current_entry().id)))

    def do_say(self, worker: Worker, choice: int) -> None:
        """Say something of the call that is under way, or that was when the worker was carried here."""
        call, said = worker.call, self.new("said")
        if call is not None and not call.ended:
            if choice % 2:
                call.actor = said
            else:
                call.said["said"] = said

        def say() -> None:
            if choice % 2:
                current_entry().set_actor(said)
            else:
                current_entry().metadata["said"] = said

        self.order(worker, say)

    def do_alter(self, worker: Worker, choice: int) -> None:
        """Change what the call that is under way observes."""
        call, value = worker.call, self.new("value")
        if call is not None and not call.ended:
            self.order(worker, lambda: setattr(call.thing, "value", value))

    def do_scope(self, worker: Worker, choice: int) -> None:
        """Enter a scope, in one of its forms."""
        given, said, inherit = self._scope(choice)
        form = choice % 3
        worker.frames.append((None, worker.scope, worker.call))

        def enter() -> None:
            with suppress(Refused):
                if form:
                    audit_context(**given)(self._entered)(worker)
                else:
                    with audit_context(**given):
                        self._entered(worker)

        async def aenter() -> None:
            with suppress(Refused):
                if form == 0:
                    async with audit_context(**given):
                        await self._aentered(worker)
                elif form == 1:
                    with audit_context(**given):
                        await self._aentered(worker)
                else:
                    await audit_context(**given)(self._aentered)(worker)

        self.order(worker, enter if worker.loop is None else aenter)
        worker.scope = Scope(said, worker.scope if inherit else None)

    def do_call(self, worker: Worker, choice: int) -> None:
        """Enter an audited call, or a block."""
        thing = Thing(self.new("thing"), self.new("value"))
        block = choice % 3 == 0
        call = Call("thing.edit" if block else "thing.change", thing, worker.scope, worker.call)
        worker.frames.append((call, worker.scope, worker.call))
        edit = auditing("thing.edit", "U", target=thing.id, capture=thing, on_error="record")

        def enter() -> None:
            with suppress(Refused):
                if not block:
                    change(thing, lambda: self._entered(worker))
                else:
                    with edit:
                        self._entered(worker)

        async def aenter() -> None:
            with suppress(Refused):
                if not block:
                    await achange(thing, lambda: self._aentered(worker))
                else:
                    async with edit:
                        await self._aentered(worker)

        self.order(worker, enter if worker.loop is None else aenter)
        worker.call = call

    def do_group(self, worker: Worker, choice: int) -> None:
        """Enter a task group."""
        if worker.loop is None:
            return

        async def aenter() -> None:
            async with asyncio.TaskGroup() as group:
                worker.task_groups.append(group)
                await self._aentered(worker)
            worker.task_groups.pop()

        worker.frames.append((None, worker.scope, worker.call))
        worker.groups.append((len(worker.frames), []))
        self.order(worker, aenter)

    def do_leave(self, worker: Worker, choice: int) -> None:
        """Leave what was entered last, sometimes by an exception; without that, end."""
        if not worker.frames:
            if worker not in (self.root, self.root_task):
                self.unwind(worker)
            return
        fails = choice % 4 == 0 and not worker.is_in_group
        if worker.is_in_group:
            for child in worker.groups.pop()[1]:
                self.unwind(child)
        call, scope, around = worker.frames.pop()
        self.order(worker, FAIL if fails else LEAVE)
        if call is not None:
            self._ended(call, {"outcome": "failure", "error": "Refused"} if fails else {})
        worker.scope, worker.call = scope, around

    def _ended(self, call: Call, told: dict[str, str]) -> None:
        """Write down what the event of a call that has ended now carries: what is bound where it began."""
        must = self.facts[call.thing.id] = fact(call.action, call.scope, call.parent)
        must.actor = call.actor or must.actor
        must.metadata |= {**call.said, **told}
        if call.was != call.thing.value and told.get("outcome") != "failure":
            must.metadata |= {"value_was": call.was, "value": call.thing.value}
        call.ended = True

    def unwind(self, worker: Worker) -> None:
        """Leave everything that a worker entered, and end it."""
        while worker.frames:
            self.do_leave(worker, 1)
        if not worker.over:
            self.order(worker, LEAVE)
            worker.over = True

    def do_spawn(self, worker: Worker, choice: int) -> None:
        """Begin something that goes on beside: a thread, a task, a hop to a pool."""
        if sum(not each.over for each in self.workers) == MOST_WORKERS:
            return
        kinds = ["thread", "carried thread", "copied thread", "pool", "carried pool"]
        if worker.loop is not None:
            kinds += ["task", "task", "carried task", "to_thread", "to_thread", "executor", "carried executor"]
            kinds += ["group task"] * 3 if worker.groups else []
        kind = kinds[choice % len(kinds)]
        bare = kind in {"thread", "pool", "executor"}
        child = Worker(
            self._loop if kind.endswith("task") else None, *(None, None) if bare else (worker.scope, worker.call)
        )
        self.workers.append(child)
        if kind == "group task":
            worker.groups[-1][1].append(child)
        self.order(worker, lambda: self._begin(kind, worker, child), answers=2)

    def _begin(self, kind: str, worker: Worker, child: Worker) -> None:
        live, alive = self.live, self.alive
        if kind.startswith("carried"):
            live, alive = carry_context(live), carry_context(alive)
        ways: dict[str, Callable[[], object]] = {
            "thread": lambda: self._start_thread(live, child),
            "copied thread": lambda: self._start_thread(contextvars.copy_context().run, live, child),
            "pool": lambda: self._pool.submit(live, child),
            "task": lambda: self._start_task(alive(child)),
            "group task": lambda: worker.task_groups[-1].create_task(alive(child)),
            "to_thread": lambda: self._start_task(asyncio.to_thread(live, child)),
            "executor": lambda: self._tasks.append(self._loop.run_in_executor(None, live, child)),
        }
        ways[kind.removeprefix("carried ")]()

    def _start_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(self._loop.create_task(coroutine))

    def do_lend(self, worker: Worker, choice: int) -> None:
        """Carry the context into a function that another worker may call."""

        def told(target: str, thing: Thing) -> None:
            record("fact.record", "R", target=target)
            change(thing, lambda: setattr(thing, "value", f"{thing.value}+"))

        scope, call = worker.scope, worker.call
        self.order(worker, lambda: self.lent.append((carry_context(told), scope, call)))

    def do_borrow(self, worker: Worker, choice: int) -> None:
        """Call what some worker carried its context into."""
        if not self.lent:
            return
        told, scope, parent = self.lent[choice % len(self.lent)]
        target, thing = self.new("fact"), Thing(self.new("thing"), self.new("value"))
        call = Call("thing.change", thing, scope, parent)
        self.facts[target] = fact("fact.record", scope, parent)
        self.order(worker, lambda: told(target, thing))
        self._ended(call, {})

    def do_stream(self, worker: Worker, choice: int) -> None:
        """Call a generator function: audited, in a scope of its own, or both."""
        kind = choice % 3
        call = None
        if kind != 1:
            thing = Thing(self.new("stream"), self.new("value"))
            call = Call("stream.read", thing, worker.scope, worker.call)
        given, said, _ = self._scope(choice)
        stream = Stream(
            later=bool(choice >> 5 & 1),
            call=call,
            context=None if kind == 0 else given,
            said=said,
            place=self.new("location"),
            targets=[self.new("visit") for _ in range(LAST_VISIT + 1)],
        )
        self.streams.append(stream)
        self.order(worker, stream.make)

    def do_resume(self, worker: Worker, choice: int) -> None:
        """Take the next value of a generator that any worker may have made."""
        there = [each for each in self.streams if not each.over and (worker.loop is not None or not each.later)]
        if there:
            self.resume_stream(there[choice % len(there)], worker)

    def resume_stream(self, stream: Stream, worker: Worker) -> None:
        number = stream.visited
        if stream.context is not None and number == 0:  # its scope is entered by whoever resumes it first
            stream.scope = Scope(stream.said, worker.scope if stream.context["inherit"] else None)
            stream.inner = Scope({"location": stream.place}, stream.scope)
        own = stream.inner if number in INSIDE_OF_PLACE else stream.scope
        scope = worker.scope if stream.context is None else own
        self.facts[stream.targets[number]] = fact("stream.visit", scope, stream.call or worker.call)
        stream.visited += 1

        def next_value() -> None:
            next(stream.running, None)

        async def anext_value() -> None:
            await anext(stream.running, None)

        self.order(worker, anext_value if stream.later else next_value)
        if number == LAST_VISIT:
            self._stream_over(stream, {})

    def do_close(self, worker: Worker, choice: int) -> None:
        """Be done with a generator before it has ended."""
        there = [each for each in self.streams if not each.over and (worker.loop is not None or not each.later)]
        if not there or choice % 2:
            return
        stream = there[choice % len(there)]
        self.order(worker, stream.running.aclose if stream.later else stream.running.close)
        self._stream_over(stream, {"outcome": "abandoned", "error": "GeneratorExit"})

    def _stream_over(self, stream: Stream, told: dict[str, str]) -> None:
        stream.over = True
        if stream.call is not None and stream.visited:  # one that never ran is no call
            self._ended(stream.call, told)

    # What came of it.

    def check(self) -> None:
        """Compare every event with the model's."""
        events = {event.target_id: event for event in self.memory.events}
        assert sorted(self.facts) == sorted(event.target_id for event in self.memory.events)
        correlations: dict[object, str | None] = {}
        for target, must in self.facts.items():
            event = events[target]
            correlation = correlations.setdefault(must.correlation, event.correlation_id)
            parent = None if must.parent is None else events[must.parent].id
            assert _told(must, correlation, parent) == _shown(event), target
        for bound, inside, context, entry in self.looks:
            assert ("" if inside is None else events[inside].id) == entry
            self._check_look(bound, context, correlations)
        stacks = {key: told for key, told in correlations.items() if key is not None}
        assert len(stacks) == len({*stacks.values()})
        assert correlations.get(None) is None
        assert all(key == told for key, told in stacks.items() if isinstance(key, str))

    def _check_look(self, bound: Bound | None, context: Context, correlations: dict[object, str | None]) -> None:
        if bound is None:
            assert Context() == context
            return
        named, must = bound
        correlation = correlations.setdefault(must.correlation, context.correlation_id)
        assert (named["group"], named["location"], correlation, must.metadata) == (
            context.group, context.location, context.correlation_id, context.metadata,
        )  # fmt: skip
        assert named["actor"] == (context.actor.id if context.actor else None)


def _told(must: Fact, correlation: str | None, parent: str | None) -> tuple[object, ...]:
    return must.action, must.actor, must.actor, must.group, must.location, must.metadata, correlation, parent


def _shown(event: Event) -> tuple[object, ...]:
    metadata = dict(event.metadata)
    who = event.actor_id, event.actor_name, event.group, event.location
    return event.action, *who, metadata, event.correlation_id, event.parent_id


# Those that come first are tried first when a failure is made small.
STEPS = [
    "record", "quick", "record", "quick", "scope", "scope", "scope", "call", "call", "call", "leave", "leave", "leave", "spawn",
    "spawn", "spawn", "bind", "alter", "say", "look", "group", "lend", "borrow", "stream", "resume", "resume", "resume",
    "close",
]  # fmt: skip
programs = st.lists(
    st.tuples(st.integers(0, MOST_WORKERS - 1), st.sampled_from(STEPS), st.integers(0, 255)), min_size=20, max_size=80
)


@given(program=programs)
@settings(max_examples=150)
def test_no_event_carries_what_is_another_call_s(program: list[tuple[int, str, int]]) -> None:
    """Whatever interleaves, each event has its own call's actor, group, location, parent, correlation and states."""
    memory = MemoryTransport()
    auditkit.configure(memory, directory=None, defaults=DEFAULTS)
    machine = Machine(memory)
    try:
        machine.run(program)
        machine.end()
    finally:
        machine.close()
    machine.check()

    assert {*auditkit.stats().troubles} <= HARMLESS
    auditkit.shutdown(timeout=2)


async def act(who: str, *, hops: bool) -> None:
    """Do two things as somebody, one inside the other."""
    outer, inner = (Thing(f"{who}/{name}", f"{who} before") for name in ("outer", "inner"))

    def store() -> None:
        change(inner, lambda: setattr(inner, "value", f"{who} stored"))

    async def inside() -> None:
        await asyncio.sleep(0)
        outer.value = f"{who} after"
        if hops:
            await asyncio.to_thread(store)
        else:
            store()
        await asyncio.sleep(0)

    async with audit_context(group=f"group of {who}", location=f"place of {who}"):
        bind_context(actor=who)
        await achange(outer, inside)


def test_actors_of_a_busy_service_are_their_own() -> None:
    """Of 200 tasks on each of 8 threads, all at once, every event is of the actor who acted, before-state included."""
    memory = MemoryTransport()
    auditkit.configure(memory, directory=None)
    together = threading.Barrier(THREADS)

    async def all_tasks(thread: int) -> None:
        await asyncio.gather(*(act(f"{thread}-{number}", hops=number % 10 == 0) for number in range(TASKS)))

    def serve(thread: int) -> None:
        together.wait(PATIENCE)
        asyncio.run(all_tasks(thread))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(serve, range(THREADS)))
    events = {event.target_id: event for event in memory.events}

    assert 2 * TASKS * THREADS == len(events) == len(memory.events)
    for who in (f"{thread}-{number}" for thread in range(THREADS) for number in range(TASKS)):
        outer, inner = events[f"{who}/outer"], events[f"{who}/inner"]
        for event, value in (outer, f"{who} after"), (inner, f"{who} stored"):
            assert (who, f"group of {who}", f"place of {who}") == (event.actor_id, event.group, event.location)
            assert {"value": (f"{who} before", value)} == event.changes
        assert (None, outer.id) == (outer.parent_id, inner.parent_id)
        assert outer.correlation_id == inner.correlation_id
    assert TASKS * THREADS == len({event.correlation_id for event in memory.events})
