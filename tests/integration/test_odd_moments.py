"""Auditing at moments and in places that nobody plans for: what is recorded there, and what is not promised."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import auditkit
from auditkit import AuditTrail, Event, audited, record
from auditkit.ledger import LedgerReader, ledger_path
from auditkit.testing import DrivenClock
from auditkit.transports import JSONLinesTransport, WorkOSTransport
from tests.integration.children import arrivals, deliver, once
from tests.marks import as_root
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditkit.testing import WorkOSDouble
    from tests.integration.children import Run

SERVICE = 64001  # a user


def transport_to(workos: WorkOSDouble) -> WorkOSTransport:
    return WorkOSTransport(workos.api_key, base_url=workos.base_url)


# ---------------------------------------------------------------------- killed around a call


@pytest.mark.parametrize("moment", ["inside", "between its return and its record"])
def test_killed_around_a_call_leaves_what_was_recorded(
    run: Run, workos: WorkOSDouble, tmp_path: Path, moment: str
) -> None:
    """An action whose process dies before its record is made is not recorded; what was before it is delivered."""
    child = run(
        f"""
from auditkit import audited

def die():
    os.kill(os.getpid(), signal.SIGKILL)

@audited("plan.update", "U", before=lambda: {{}}, after=lambda: die())
def update():
    if {moment == "inside"}:
        die()

auditkit.configure(transport(), directory=directory, deliver=False)
say(*[emit() for _ in range(3)])
hear()
update()
"""
    )
    ids = child.heard()
    child.tell()
    child.gone()
    deliver(workos, tmp_path / "audit")

    assert once(ids) == arrivals(workos)


# ---------------------------------------------------------------------- forks and threads


def test_fork_before_the_first_event_warns_of_nothing(run: Run, workos: WorkOSDouble) -> None:
    """Nothing runs before the first event: with warnings as errors a server that forks after configure() starts."""
    child = run(
        """
auditkit.configure(transport(), directory=directory)
pid = os.fork()
if pid == 0:
    say(emit())
    sys.exit(0)
assert wait_for(pid) == 0
say(emit())
""",
        warnings=["-W", "error"],
    )
    ids = child.end()

    assert 2 == len(ids)
    assert once(ids) == arrivals(workos)


@as_root
def test_user_who_may_start_no_thread_loses_nothing(run: Run, workos: WorkOSDouble) -> None:
    """At the system's limit of threads events are recorded and that is told; once threads can be had they deliver."""
    with tempfile.TemporaryDirectory() as reachable:  # pytest's own directories are closed to others
        os.chown(reachable, SERVICE, SERVICE)
        child = run(
            f"""
import auditkit.trail.examiner, auditkit.trail.works, encodings.idna, resource
from auditkit.testing import DrivenClock

transport().close()  # with the imports above this loads all that is needed: the files may be closed to the user

hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
resource.setrlimit(resource.RLIMIT_NPROC, (1, hard))
os.setgroups([])
os.setgid({SERVICE})
os.setuid({SERVICE})
clock = DrivenClock()
trail = auditkit.AuditTrail(transport(), directory=directory, clock=clock, ledger=False)
ids = [emit(trail) for _ in range(3)]
say(*[problem.code for problem in trail.health().problems], trail.stats().recorded)
resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
clock.advance(1)
ids.append(emit(trail))
while trail.stats().destinations["workos"].delivered < 4:
    pass
say(trail.health().ok)
say(*ids)
os._exit(0)
""",
            directory=Path(reachable) / "audit",
            measured=False,
        )
        told, well, ids = child.heard(), child.heard(), child.heard()
        child.end()

    assert ["sync_stalled", 3] == told
    assert [True] == well
    assert once(ids) == arrivals(workos)


# ---------------------------------------------------------------------- signal handlers and finalisers


def test_handlers_and_finalisers_that_audit_lose_nothing(run: Run, tmp_path: Path) -> None:
    """Signals and garbage collection come wherever they like, into auditkit's own work too, and record there."""
    child = run(
        """
import gc
from auditkit.transports import JSONLinesTransport

trail = auditkit.configure(JSONLinesTransport("lines.jsonl"), directory=directory, delivery_share=1)
ids, handled, finalised = [], [], []

class Finalised:
    def __init__(self):
        self.itself = self  # only the collector finds it, whenever it comes

    def __del__(self):
        event_id = emit()
        if not is_lanes(threading.current_thread().name):  # there it is not recorded, as nothing is
            finalised.append(event_id)

def is_lanes(name):
    return name.startswith("auditkit-") and name != "auditkit-sync"

def handle(*_):
    handled.append(emit())

signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
gc.set_threshold(20)
while len(handled) < 100 or len(finalised) < 100:
    ids.append(emit())
    Finalised()
signal.setitimer(signal.ITIMER_REAL, 0)
gc.set_threshold(700)
gc.collect()
say(auditkit.flush(30), trail.stats().recorded)
say(*ids, *handled, *finalised)
""",
        measured=False,  # coverage's tracer takes a lock that a signal handler must not meet
    )
    (delivered, recorded), ids = child.heard(), child.heard()
    child.end()
    lines = [json.loads(line)["id"] for line in Path("lines.jsonl").read_text("ascii").splitlines()]

    assert (True, len(ids)) == (delivered, recorded)
    assert once(ids) == once(lines)


def test_first_event_that_is_interrupted_while_it_loads_modules_loses_nothing(run: Run, tmp_path: Path) -> None:
    """The first event of a process that configured nothing loads what it needs; a handler may record at each step."""
    child = run(
        """
ids, loaded, told = [], [], []

class Interrupting:  # where a signal handler or a finaliser would come in
    def find_spec(self, name, path=None, target=None):
        if name.startswith("auditkit."):
            loaded.append(name)
            ids.append(auditkit.record("user.login", "C").id)
            told.append(auditkit.flush(0))

sys.meta_path.insert(0, Interrupting())
os.environ["AUDITKIT_DIRECTORY"] = directory
ids.append(auditkit.record("user.login", "C").id)
del sys.meta_path[0]
say({"auditkit.journal", "auditkit.delivery", "auditkit.ledger"} <= set(loaded), set(told) == {False})
say(auditkit.flush(30), auditkit.stats().recorded, auditkit.stats().troubles.get("not_recorded", 0))
say(*ids)
from auditkit.ledger import LedgerReader
say(*[entry.event.id for entry in LedgerReader(directory).events()])
""",
        directory=tmp_path / "audit",
    )

    assert [True, True] == child.heard()
    (delivered, recorded, refused), ids = child.heard(), child.heard()
    assert (True, len(ids), 0) == (delivered, recorded, refused)
    assert once(ids) == once(child.heard())
    child.end()


# ---------------------------------------------------------------------- auditing what audits


class _Recording(logging.Handler):
    """A handler of the application's that makes an event of every line of any logger."""

    def emit(self, line: logging.LogRecord) -> None:
        record("log.write", "C", target=line.name)


class _Audited(JSONLinesTransport):
    """A destination that is written by audited functions."""

    def send(self, events: Sequence[Event]) -> None:
        self._write(events)

    @audited("line.write", "C")
    def _write(self, events: Sequence[Event]) -> None:
        super().send(events)


def test_log_handler_and_transport_that_audit_do_not_feed_themselves(workos: WorkOSDouble, tmp_path: Path) -> None:
    """Every log line an event, WorkOS failing, a destination of audited functions: all ends, and all arrives."""
    workos.fail(500, times=3)
    clock = DrivenClock()
    root, handler, level = logging.getLogger(), _Recording(), logging.getLogger().level
    trail = AuditTrail([transport_to(workos), _Audited(tmp_path / "lines.jsonl")], clock=clock)
    auditkit._current.install(trail)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        ids = [trail.emit(an_event()).id for _ in range(5)]
        logging.getLogger("service").warning("something of the application's own")
        while len(workos.events) < trail.stats().recorded:
            clock.advance(30)
        assert trail.flush(timeout=20)
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        auditkit._current.install(None)
        trail.shutdown()
    lines = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text("ascii").splitlines()]
    sent = [json.loads(request.body)["action"] for request in workos.requests]

    assert {*ids} <= {line["id"] for line in lines} == {*arrivals(workos)}
    assert len(lines) == trail.stats().recorded == len(workos.events)
    assert 1 == len([line for line in lines if line["target_id"] == "service"])
    assert {"auditkit", "service", "asyncio", "tweet_5"} >= {line["target_id"] for line in lines}
    assert "line.write" not in sent
    assert len(lines) < 30


# ---------------------------------------------------------------------- event loops


class _Asynchronous:
    name, max_batch, concurrency, durable = "asynchronous", 10, 2, True

    def __init__(self) -> None:
        self.got: list[str] = []

    async def send(self, events: Sequence[Event]) -> None:
        await asyncio.sleep(0)
        self.got += [event.id for event in events]

    async def close(self) -> None:
        pass


def test_loops_may_end_and_begin_anew(make: Callable[..., AuditTrail]) -> None:
    """Events of one loop, of none, of the next loop and after it are all delivered, by coroutines too."""
    transport = _Asynchronous()
    trail = make(transport, fsync="always")
    ids: list[str] = []

    async def life() -> None:
        receipt = await trail.aemit(an_event())
        ids.append(receipt.id)
        await receipt
        ids.append((await trail.aemit(an_event())).id)  # nobody waits for this one: its loop ends

    for _ in range(3):
        asyncio.run(life())
        ids.append(trail.emit(an_event()).id)

    assert trail.flush(timeout=20)
    assert 9 == len(ids)
    assert once(ids) == once(transport.got)


# ---------------------------------------------------------------------- a ledger that somebody holds


def test_ledger_that_is_locked_holds_no_caller(
    make: Callable[..., AuditTrail], workos: WorkOSDouble, tmp_path: Path
) -> None:
    """Somebody holds the database for writing: every event is recorded and reaches WorkOS, the ledger's lane waits."""
    clock = DrivenClock()
    trail = make(transport_to(workos), clock=clock, delivery_share=1)
    first = trail.emit(an_event()).id
    assert trail.flush(timeout=20)
    with closing(sqlite3.connect(ledger_path(tmp_path / "audit"), isolation_level=None)) as person:
        person.execute("BEGIN IMMEDIATE")
        ids = [trail.emit(an_event()).id for _ in range(100)]
        while trail.stats().destinations["workos"].delivered < 101:
            pass
        held = trail.stats().destinations["ledger"].pending
        person.execute("ROLLBACK")
    clock.advance(600)

    assert trail.flush(timeout=20)
    assert 100 == held
    assert once([first, *ids]) == once([entry.event.id for entry in LedgerReader(tmp_path / "audit").events()])
    assert once([first, *ids]) == arrivals(workos)
