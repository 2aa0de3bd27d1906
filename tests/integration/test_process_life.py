"""Processes that fork, end, and are killed: what they recorded is delivered, once."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from auditkit import AuditTrail
from auditkit.transports import WorkOSAuditLogsTransport
from tests.integration.children import arrivals, deliver, once

if TYPE_CHECKING:
    from pathlib import Path

    from auditkit.testing import WorkOSDouble
    from tests.integration.children import Run

# ---------------------------------------------------------------------- killed


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_process_s_events_are_delivered_by_the_next(
    run: Run, workos: WorkOSDouble, tmp_path: Path, number: int
) -> None:
    """What a process recorded before it was killed is delivered by the next one on the directory."""
    child = run("""
auditkit.configure(transport(), directory=directory, deliver=False)
say(*[emit() for _ in range(50)])
hear()
""")
    ids = child.heard()
    child.kill(number)
    deliver(workos, tmp_path / "audit")

    assert once(ids) == arrivals(workos)


def test_event_whose_answer_never_came_is_sent_again_with_its_key(
    run: Run, workos: WorkOSDouble, tmp_path: Path
) -> None:
    """A process killed while its request is under way: the same event comes again, and counts once."""
    child = run("""
auditkit.configure(transport(concurrency=1), directory=directory)
say(*[emit() for _ in range(3)])
hear()
""")
    with workos.holding():
        ids = child.heard()
        workos.wait_for_requests(1)
        child.kill()
    deliver(workos, tmp_path / "audit")

    assert {*ids} == {*arrivals(workos)}
    assert 3 == len(workos.events)
    assert 4 == len(workos.requests)
    assert workos.requests[0].body == next(
        request.body for request in workos.requests[1:] if request.headers == workos.requests[0].headers
    )


def test_body_is_sent_again_as_it_was_though_the_configuration_changed(
    run: Run, workos: WorkOSDouble, tmp_path: Path
) -> None:
    """A process killed before the answer came: the next one, which would make another body, sends the same bytes."""
    child = run("""
from auditkit.transports import WorkOSAuditLogsTransport
logs = WorkOSAuditLogsTransport(key, base_url=base_url, organization={"g": "org_before"}, name="logs")
auditkit.configure(logs, directory=directory)
say(emit())
hear()
""")
    with workos.holding():
        child.heard()
        workos.wait_for_requests(1)
        child.kill()
    workos.wait_for_events(1)
    logs = WorkOSAuditLogsTransport(
        workos.api_key, base_url=workos.base_url, organization={"g": "org_after"}, name="logs"
    )
    trail = AuditTrail(logs, directory=tmp_path / "audit")
    try:
        assert trail.flush(timeout=20)
    finally:
        trail.shutdown(timeout=20)
    before, after = [request.body for request in workos.requests]

    assert before == after
    assert b"org_before" in before
    assert ["last.worker"] == [path.name for path in (tmp_path / "audit" / "lanes" / "logs").iterdir()]


def test_process_killed_in_mid_load_loses_nothing(run: Run, workos: WorkOSDouble, tmp_path: Path) -> None:
    """A process killed while it records and delivers flat out: every event arrives, and only what was in flight twice."""
    child = run("""
auditkit.configure(transport(), directory=directory)
while True:
    say(emit())
""")
    ids = [child.heard()[0] for _ in range(300)]
    child.kill()
    deliver(workos, tmp_path / "audit")

    assert set() == {*ids} - {*arrivals(workos)}
    assert len(workos.requests) - len(workos.events) in range(5)  # a lane to WorkOS has four requests in flight at most


# ---------------------------------------------------------------------- forks

WHERE = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from auditkit import audit_context, audited, record

multiprocessing.set_start_method("fork")
memory = MemoryTransport()
auditkit.configure(memory, directory=None)

def seen(_=None):
    record("job.run", "C")
    event = memory.events[-1]
    return event.actor_id, event.group, event.parent_id, event.correlation_id

def executed():
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(seen).result()

def pooled():
    with multiprocessing.Pool(1) as pool:
        return pool.apply(seen)

def told(end):
    end.send(seen())

def begun():
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=told, args=(there,))
    process.start()
    heard = here.recv()
    process.join()
    return heard

def forked():
    import multiprocessing.util
    here, there = multiprocessing.Pipe()
    pid = os.fork()
    if pid == 0:
        told(there)
        os._exit(0)
    heard = here.recv()
    assert wait_for(pid) == 0
    return heard

@audited("request.handle", "R")
def handle(work):
    return work()

with audit_context(actor="ada", group="acme", correlation_id="one"):
    say(*handle(globals()[sys.argv[4]]))
"""


@pytest.mark.parametrize("work", ["executed", "pooled", "begun"])
def test_worker_forgets_where_it_was_forked(run: Run, work: str) -> None:
    """A worker that multiprocessing forks inside a scope and an audited call is nobody's, and in no call."""
    child = run(WHERE, work, measured=False)

    assert ["anonymous", "default", None, None] == child.heard()
    child.end()


def test_child_of_a_plain_fork_goes_on_in_its_scope(run: Run) -> None:
    """What is forked by hand goes on with the same code, in the scope that this is in."""
    child = run(WHERE, "forked", measured=False)

    assert ["ada", "acme"] == child.heard()[:2]
    child.end()


def test_forked_child_delivers_its_own(run: Run, workos: WorkOSDouble) -> None:
    """A child forked from a process whose lanes run begins a journal of its own; both deliver, each its own."""
    child = run("""
auditkit.configure(transport(), directory=directory)
ids = [emit() for _ in range(5)]
pid = os.fork()
if pid == 0:
    say(*[emit() for _ in range(5)])
    assert auditkit.stats().recorded == 5
    assert auditkit.flush(20)
    os._exit(0)
assert wait_for(pid) == 0
ids += [emit() for _ in range(5)]
assert auditkit.flush(20)
assert auditkit.stats().recorded == 10
say(*ids)
""")
    ids = child.end()

    assert 15 == len(ids)
    assert once(ids) == arrivals(workos)


def test_preloaded_application_forks_workers(run: Run, workos: WorkOSDouble) -> None:
    """Configured before the fork, as with gunicorn --preload, each worker works with no hook of its own."""
    child = run("""
auditkit.configure(transport(), directory=directory)
pids = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        say(*[emit() for _ in range(4)])
        sys.exit(0)  # the interpreter's exit, and what it delivers
    pids.append(pid)
assert [wait_for(pid) for pid in pids] == [0, 0, 0]
""")
    ids = child.end()

    assert 12 == len(ids)
    assert once(ids) == arrivals(workos)


def test_fork_beside_threads_that_record(run: Run, workos: WorkOSDouble, tmp_path: Path) -> None:
    """Forked at any moment of threads that record and lanes that send, a child records and ends in time."""
    child = run("""
memory = MemoryTransport()
trail = auditkit.configure([transport(), memory], directory=directory)
permits = threading.Semaphore(0)
ids = []

def work():
    for _ in range(400):
        permits.acquire()
        ids.append(emit())
        memory.clear()

threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(60):
    permits.release(20)
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)  # a child that waits for a lock nobody holds is killed, and seen
        say(emit())
        os._exit(0)
    assert wait_for(pid) == 0
for thread in threads:
    thread.join()
trail.shutdown(0)
say(*ids)
""")
    ids = child.end()
    deliver(workos, tmp_path / "audit")

    assert {*ids} == {*arrivals(workos)}
    assert len(ids) == len(workos.events)


def test_fork_while_a_lane_sends(run: Run, workos: WorkOSDouble, tmp_path: Path) -> None:
    """A fork in the middle of a request: the parent's goes on, and the child sends nothing of the parent's."""
    child = run("""
auditkit.configure(transport(concurrency=1), directory=directory)
say(emit())
hear()
pid = os.fork()
if pid == 0:
    say(emit())
    os._exit(0)
say(str(wait_for(pid)))
hear()
assert auditkit.flush(20)
""")
    with workos.holding():
        ids = child.heard()
        workos.wait_for_requests(1)
        child.tell()
        ids += child.heard()
        assert ["0"] == child.heard()
    child.tell()
    child.end()
    deliver(workos, tmp_path / "audit")

    sent = arrivals(workos)
    assert {*ids} == {*sent}
    assert 1 == sent[ids[0]]  # the child's own may have been on its way when the child ended, and come again
    assert 2 == len(workos.events)


def test_fork_while_locks_are_held(run: Run) -> None:
    """Locks that other threads hold at the fork are not held in the child: it records and flushes."""
    child = run("""
from auditkit import _current
memory = MemoryTransport()
trail = auditkit.configure(memory, directory=None)
emit()
held, release = threading.Barrier(2), threading.Event()
reporter = trail._engine.reporter

def hold():
    with memory._lock, _current._lock, _current.reporter._lock, reporter._lock, trail._engine._ending:
        held.wait()
        release.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
pid = os.fork()
if pid == 0:
    signal.alarm(20)
    emit()
    trail.emit(None)
    _current.install(None)
    _current.resolve().shutdown()
    os._exit(0 if trail.shutdown() and len(memory.events) == 2 else 1)
say(str(wait_for(pid)))
release.set()
thread.join()
""")

    assert ["0"] == child.end()


def test_receipt_in_a_forked_child(run: Run, workos: WorkOSDouble) -> None:
    """A child cannot know what becomes of its parent's event, and says so at once."""
    child = run("""
auditkit.configure(transport(), directory=directory)
receipt = auditkit.emit(Event("g", "user.login", "C", "a", "a", "t", "t", "1.1.1.1"))
say()
hear()
pid = os.fork()
if pid == 0:
    try:
        receipt.result(timeout=20)
    except auditkit.ReceiptUnavailable as error:
        say(str(error))
    os._exit(0)
assert wait_for(pid) == 0
say("forked")
receipt.result(timeout=20)
""")
    with workos.holding():
        child.heard()
        workos.wait_for_requests(1)
        child.tell()
        assert ["this is a forked child; the event is its parent's to deliver"] == child.heard()
        assert ["forked"] == child.heard()
    child.end()


# ---------------------------------------------------------------------- the interpreter's exit


def test_exit_delivers(run: Run, workos: WorkOSDouble) -> None:
    """A script that just ends has delivered what it recorded."""
    child = run("""
auditkit.configure(transport(), directory=directory)
say(*[emit() for _ in range(20)])
""")

    assert once(child.end()) == arrivals(workos)


def test_exit_cuts_no_request_under_way(run: Run, workos: WorkOSDouble) -> None:
    """A request that is under way when the interpreter ends gets its answer: the event is sent once."""
    child = run("""
auditkit.configure(transport(), directory=directory)
atexit.register(lambda: say("ending"))  # before there is a connection: called after whatever came with that
say(emit())
hear()
""")
    with workos.holding():
        ids = child.heard()
        workos.wait_for_requests(1)
        child.tell()
        assert ["ending"] == child.heard()
    child.end()

    assert once(ids) == arrivals(workos)


def test_exit_delivers_what_only_an_exit_handler_recorded(run: Run, workos: WorkOSDouble, tmp_path: Path) -> None:
    """The first event comes when no thread can be started any more (3.12): it is delivered all the same."""
    child = run("""
auditkit.configure(transport(), directory=directory)
atexit.register(lambda: say(*[emit() for _ in range(5)]))
""")
    ids = child.end()

    assert 5 == len(ids)
    assert once(ids) == arrivals(workos)
    assert [] == list((tmp_path / "audit" / "journal").iterdir())


def test_exit_delivers_through_an_asynchronous_transport(run: Run, workos: WorkOSDouble) -> None:
    """Where no thread can be started for its loop an asynchronous transport is served too."""
    child = run("""
auditkit.configure(Asynchronous(), directory=directory)
atexit.register(lambda: say(*[emit() for _ in range(5)]))
""")

    assert once(child.end()) == arrivals(workos)


@pytest.mark.parametrize("when", ["emit()", "atexit.register(emit)", "[emit(second), emit()]"])
def test_exit_is_bounded(run: Run, workos: WorkOSDouble, tmp_path: Path, when: str) -> None:
    """A destination that never answers holds the exit for the stated time at most, whichever thread waits."""
    with workos.holding():
        child = run(f"""
import time
os.environ["AUDITKIT_SHUTDOWN_TIMEOUT"] = "1"
second = auditkit.AuditTrail(transport(), directory=directory + "-2")
auditkit.configure(transport(), directory=directory)
{when}
say("ends")
""")
        assert ["ends"] == child.heard()
        began = time.monotonic()
        child.end()
        took = time.monotonic() - began

    assert took < 8  # the transport's own timeout is 30 s
    deliver(workos, tmp_path / "audit")
    assert 1 <= len(workos.events) <= 2


def test_events_after_auditkit_s_own_exit_handler(run: Run, workos: WorkOSDouble, tmp_path: Path) -> None:
    """What is recorded after auditkit has closed is written down, and the next process delivers it."""
    child = run(
        """
auditkit.configure(transport(), directory=directory)
say(emit())

def at_exit_after_auditkit():
    say(emit(), emit())
""",
        "late",
    )
    ids = child.end()
    before = arrivals(workos)
    deliver(workos, tmp_path / "audit")

    assert 3 == len(ids)
    assert once(ids[:1]) == before
    assert once(ids) == arrivals(workos)


def test_exit_of_a_process_that_never_configured(run: Run, tmp_path: Path) -> None:
    """Events recorded only at exit, with a trail that the environment describes, are in the ledger."""
    child = run("""
os.environ["AUDITKIT_DIRECTORY"] = directory
atexit.register(emit)
""")
    child.end()
    reader = run("""
from auditkit.ledger import LedgerReader
say(*[entry.event.action for entry in LedgerReader(directory).events()])
""")

    assert ["user.login"] == reader.end()


# ---------------------------------------------------------------------- modules


@pytest.mark.parametrize("kind", ["transport", "Asynchronous"])
def test_lanes_import_nothing(run: Run, workos: WorkOSDouble, kind: str) -> None:
    """A lane's thread finds everything imported: a fork during an import would lock it in the child for ever."""
    workos.fail(429, retry_after="Thu, 01 Jan 1970 00:00:00 GMT")
    workos.reset_connection()
    workos.fail(422, body={"message": "Validation failed", "errors": [{"field": "action", "code": "unknown"}]})
    child = run(f"""
auditkit.configure({kind}(), directory=directory)
auditkit._current.trail._engine.ready()  # what the first event does before it is written
auditkit.stats()
before = {{*sys.modules}}
for _ in range(3):
    emit()
assert auditkit.flush(20)
assert auditkit.stats().destinations[auditkit._current.trail.settings.transports[0].name].dead_letters == 1
say(*sorted({{*sys.modules}} - before))
""")

    assert [] == child.end()
