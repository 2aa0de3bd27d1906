"""The context of who sends a task is where the task runs: by real messages to a worker in a thread, and eagerly."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from celery import Celery, chain, signals
from celery.contrib.testing.worker import start_worker

from auditkit import (
    audit_context,
    auditing,
    bind_context,
    configure,
    current_context,
    export_context,
    record,
    stats,
)
from auditkit.queues.celery import HEADER, TASK_ID, carry_context_to_tasks
from auditkit.transports import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "the secret of these tests"
CONNECTED = (
    signals.before_task_publish,
    signals.task_prerun,
    signals.task_postrun,
    signals.worker_process_shutdown,
)


@pytest.fixture(autouse=True)
def connected() -> Iterator[None]:
    carry_context_to_tasks()
    yield
    for signal in CONNECTED:
        signal.disconnect(dispatch_uid=HEADER)


@pytest.fixture
def memory() -> MemoryTransport:
    transport = MemoryTransport()
    configure(transport, directory=None, secret=SECRET)
    return transport


@pytest.fixture(scope="module")
def app() -> Celery:
    app = Celery("tests", broker="memory://", backend="cache+memory://", set_as_current=False)
    app.conf.broker_transport_options = {"polling_interval": 0.01}

    @app.task(name="note", shared=False)  # type: ignore[untyped-decorator]
    def note(about: str = "") -> dict[str, Any]:
        """Record an event and bind somebody, who must be gone when the task is."""
        record("note.make", "C", target=about)
        actor = current_context().actor
        bind_context(actor="somebody_bound", metadata={"left": "behind"})
        return {"actor": actor and actor.id}

    @app.task(name="fail", shared=False, bind=True, max_retries=1, default_retry_delay=0)  # type: ignore[untyped-decorator]
    def fail(self: Any) -> None:
        record("failure.come", "C")
        bind_context(actor="somebody_bound")
        raise self.retry(exc=ValueError())

    @app.task(name="outer", shared=False)  # type: ignore[untyped-decorator]
    def outer() -> None:
        with auditing("outer.run", "C"):
            note.delay("from outer")
        record("outer.end", "C")

    return app


@pytest.fixture(scope="module")
def worker(app: Celery) -> Iterator[None]:
    signals.setup_logging.connect(leave_logging_alone)
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        yield
    signals.setup_logging.disconnect(leave_logging_alone)


def leave_logging_alone(**_: Any) -> None:
    """Be there: Celery then sets up no logging of its own."""


@pytest.fixture
def eager(app: Celery) -> Iterator[None]:
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


def run(app: Celery, name: str, *args: str, **options: Any) -> Any:
    return app.tasks[name].apply_async(args, **options).get(timeout=30, interval=0.01, propagate=False)


@pytest.mark.usefixtures("worker")
def test_task_is_its_senders(app: Celery, memory: MemoryTransport) -> None:
    """A task's events have all that was bound where it was sent, the call there as parent, and the task's id."""
    with audit_context(
        actor=("user_1", "Ada"), group="acme", location="203.0.113.7", metadata={"big": 2**62, "ratio": 1.0}
    ):
        with auditing("order.place", "C") as entry:
            sent = app.tasks["note"].delay("order_1")
            sent.get(timeout=30, interval=0.01)
        correlation_id = current_context().correlation_id

    noted, placed = memory.events
    assert (placed.action, entry.id) == ("order.place", placed.id)
    assert (noted.actor_id, noted.actor_name, noted.group, noted.location) == ("user_1", "Ada", "acme", "203.0.113.7")
    assert (noted.parent_id, noted.correlation_id) == (placed.id, correlation_id)
    assert noted.metadata == {"big": 2**62, "ratio": 1.0, TASK_ID: sent.id}


@pytest.mark.usefixtures("worker")
def test_next_task_has_nothing_of_the_one_before(app: Celery, memory: MemoryTransport) -> None:
    """What a task bound, and who sent it, is gone when it has ended, also where it failed."""
    with audit_context(actor="user_1"):
        run(app, "note")
        run(app, "fail")
    said = run(app, "note")

    assert {"actor": None} == said
    assert ["user_1"] * 3 + ["anonymous"] == [event.actor_id for event in memory.events]
    assert {TASK_ID} == {*memory.events[-1].metadata}


@pytest.mark.usefixtures("worker")
def test_retry_keeps_the_context_that_the_task_came_with(app: Celery, memory: MemoryTransport) -> None:
    """A retry is the same job: it has the sender's context, and nothing of what the first try bound."""
    with audit_context(actor="user_1"), auditing("order.place", "C") as entry:
        run(app, "fail")

    first, second = memory.events[:2]
    assert ("user_1", entry.id) == (first.actor_id, first.parent_id) == (second.actor_id, second.parent_id)
    assert first.correlation_id == second.correlation_id


@pytest.mark.usefixtures("worker")
def test_what_a_task_leads_to_is_its_senders(app: Celery, memory: MemoryTransport) -> None:
    """The next task of a chain, and what is linked to a task, have the context that it had."""
    note = app.tasks["note"]
    with audit_context(actor="user_1", group="acme"):
        first = note.si("first").set(link=note.si("linked"))
        chain(first, note.si("second")).apply_async().get(timeout=30, interval=0.01)
        correlation_id = current_context().correlation_id

    assert {"first", "linked", "second"} == {event.target_id for event in memory.events}
    assert {("acme", correlation_id)} == {(event.group, event.correlation_id) for event in memory.events}


# In a process of its own: Celery's workers of one process share the state that stops them.
THREADS = """
from threading import Barrier
from celery import Celery
from celery.contrib.testing.worker import start_worker
from auditkit import audit_context, configure, record
from auditkit.queues.celery import carry_context_to_tasks
from auditkit.transports import MemoryTransport

memory = MemoryTransport()
configure(memory, directory=None)
carry_context_to_tasks()
app = Celery("tests", broker="memory://", backend="cache+memory://")
app.conf.broker_transport_options = {"polling_interval": 0.01}
meeting = Barrier(4)

@app.task(name="meet")
def meet(number):
    meeting.wait(timeout=30)
    record("meeting.hold", "C", target=str(number))
    meeting.wait(timeout=30)

with start_worker(app, pool="threads", concurrency=4, perform_ping_check=False, shutdown_timeout=30):
    sent = []
    for number in range(8):
        with audit_context(actor=f"user_{number}"):
            sent.append(meet.delay(number))
    for each in sent:
        each.get(timeout=30, interval=0.01)
assert {(str(n), f"user_{n}") for n in range(8)} == {(each.target_id, each.actor_id) for each in memory.events}
assert 8 == len(memory.events)
"""


def test_tasks_of_a_pool_of_threads_are_apart() -> None:
    """Tasks that run at once in threads are each their sender's."""
    subprocess.run([sys.executable, "-c", THREADS], check=True)


@pytest.mark.usefixtures("worker", "memory")
@pytest.mark.parametrize("sent", ["forged", "unsigned", "{", 7, "[" * 100_000], ids=lambda sent: str(sent)[:8])
@pytest.mark.parametrize("trouble", ["log", "raise"])
def test_refused_context_is_nobodys_and_the_task_runs(app: Celery, sent: object, trouble: Any) -> None:
    """A context that nobody vouches for is refused and counted; its task runs, in a scope that says nothing."""
    memory = MemoryTransport()
    configure(memory, directory=None, secret=SECRET, on_audit_error=trouble)
    with audit_context(actor="mallory"):
        export = export_context()
    export["actor"]["id"] = "ada"
    if sent == "unsigned":
        del export["signature"]
    header = json.dumps(export) if sent in {"forged", "unsigned"} else sent

    assert {"actor": None} == run(app, "note", headers={HEADER: header})
    assert "anonymous" == memory.events[0].actor_id
    assert {TASK_ID} == {*memory.events[0].metadata}  # it has a scope of its own
    assert 1 == stats().troubles["context_refused"]


@pytest.mark.usefixtures("worker")
def test_task_without_a_context_says_nothing(app: Celery, memory: MemoryTransport) -> None:
    """What was sent by a process that sends no context runs in a scope of its own, and is no trouble."""
    signals.before_task_publish.disconnect(dispatch_uid=HEADER)
    with audit_context(actor="user_1"):
        run(app, "note")

    assert "anonymous" == memory.events[0].actor_id
    assert {"default"} == {*stats().troubles}


@pytest.mark.usefixtures("eager")
def test_eager_task_is_where_it_is_sent(app: Celery, memory: MemoryTransport) -> None:
    """An eager task has the scope that is there and the call under way as parent; what it binds is not bound there."""
    with audit_context(actor="user_1"):
        run(app, "outer")
        record("after.all", "C")

    noted, outer, end, after = memory.events
    assert ["user_1"] * 4 == [event.actor_id for event in memory.events]
    assert noted.parent_id == outer.id
    assert 1 == len({event.correlation_id for event in memory.events})
    assert outer.metadata[TASK_ID] == end.metadata[TASK_ID] != noted.metadata[TASK_ID]
    assert {} == after.metadata


@pytest.mark.usefixtures("eager")
def test_eager_task_that_retries_leaves_nothing(app: Celery, memory: MemoryTransport) -> None:
    """The retry of an eager task runs inside the first try: both are left."""
    with audit_context(actor="user_1"):
        run(app, "fail")
        record("after.all", "C")

    assert "user_1" == memory.events[-1].actor_id
    assert {} == memory.events[-1].metadata


@pytest.mark.usefixtures("eager")
def test_connecting_twice_is_connecting_once(app: Celery, memory: MemoryTransport) -> None:
    """A second call changes nothing: a module that is imported under two names may make it twice."""
    counts = [len(signal.receivers) for signal in CONNECTED]
    carry_context_to_tasks()

    assert counts == [len(signal.receivers) for signal in CONNECTED]
    run(app, "note")
    assert 1 == len(memory.events)


def test_end_of_a_task_that_began_before_is_passed_by(app: Celery, memory: MemoryTransport) -> None:
    """Connected while a task runs, nothing of that task is left that was not entered."""
    with audit_context(actor="user_1"):
        signals.task_postrun.send(sender=app.tasks["note"], task=app.tasks["note"], task_id="1")
        record("after.all", "C")

    assert "user_1" == memory.events[0].actor_id


def test_process_of_a_pool_ends_its_trail(tmp_path: Path) -> None:
    """What Celery says before it leaves a pool's process delivers what is there, as the interpreter's exit does."""
    configure(directory=tmp_path)
    record("note.make", "C")
    signals.worker_process_shutdown.send(sender="tests", pid=1, exitcode=0)

    assert [] == [*(tmp_path / "journal").iterdir()]
