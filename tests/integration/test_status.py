"""``auditkit status``: how a directory stands, told from outside while real processes work it, hang, fail and die."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import auditkit
from auditkit import AuditTrail
from auditkit.__main__ import main
from auditkit.clock import SystemClock
from auditkit.errors import Paused, Rejected
from auditkit.event import instant_of
from auditkit.testing import DrivenClock, ScriptedTransport
from auditkit.trail.status import Status, status_of
from tests.journals import open_journal, write
from tests.marks import as_root
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditkit.testing import WorkOSDouble
    from auditkit.trail.telling import Problem

SIDECAR = """
import os
from auditkit.transports import WorkOSTransport
workos = WorkOSTransport(os.environ["KEY"], base_url=os.environ["URL"])
"""
pytestmark = pytest.mark.usefixtures("sidecar")


def recorded(number: int = 1) -> list[str]:
    """Leave events for WorkOS and the ledger, in a directory that its application only records in; return their ids."""
    workos = ScriptedTransport(name="workos")
    trail = AuditTrail(workos, directory="audit", deliver=False)
    events = [an_event() for _ in range(number)]
    for event in events:
        trail.emit(event)
    trail.shutdown(10)
    return [event.id for event in events]


@contextmanager
def following(double: WorkOSDouble) -> Iterator[subprocess.Popen[str]]:
    """Deliver beside the test; whatever happens, that does not outlive it."""
    command = [sys.executable, "-m", "auditkit", "deliver", "--follow", "--transport", "sidecar:workos"]
    environment = {**os.environ, "KEY": double.api_key, "URL": double.base_url}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(judge: Callable[[Status], object]) -> Status:
    """Look again and again until the directory stands as a test says."""
    while True:
        found = status_of("audit")
        if judge(found):
            return found


def as_json(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Return the exit status, and what the command tells as JSON."""
    capsys.readouterr()
    status = main(["status", "--json"])
    return status, json.loads(capsys.readouterr().out)


def hours_later(hours: float = 1) -> DrivenClock:
    return DrivenClock(start_ns=SystemClock.time_ns() + round(hours * 3600 * 10**9))


# ---------------------------------------------------------------------- beside living and dead processes


def test_destination_is_told_of_while_it_is_worked_and_killed(
    workos: WorkOSDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """What waits for nobody waits; a process that works it shows until it is killed, and its last word after it."""
    recorded(3)
    before = status_of("audit")
    with following(workos) as process:
        worked = until(lambda found: found.destinations["workos"].accepted_ns and not pending(found))
        until(lambda found: found.destinations["workos"].workers[0].standing.delivered == 3)
        workers = {name: [each.pid for each in stands.workers] for name, stands in worked.destinations.items()}
        status, told = as_json(capsys)
        process.kill()
        process.wait()
    after = status_of("audit")

    assert [("ledger", 3, 0), ("workos", 3, 0)] == standing(before)
    assert {"ledger": [process.pid], "workos": [process.pid]} == workers
    assert (0, True, 3) == (status, told["ok"], told["destinations"]["workos"]["workers"][0]["delivered"])
    assert [("ledger", 0, 0), ("workos", 0, 0)] == standing(after)
    assert after.destinations["workos"].accepted_ns > 0
    assert after.health.ok


def pending(found: Status) -> int:
    return sum(each.pending for each in found.destinations.values())


def standing(found: Status) -> list[tuple[str, int, int]]:
    return [(name, each.pending, len(each.workers)) for name, each in found.destinations.items()]


def test_trouble_is_told_while_it_lasts(workos: WorkOSDouble, capsys: pytest.CaptureFixture[str]) -> None:
    """What a destination says while it refuses the key is told with since when, and is a problem until it is mended."""
    workos.fail(401, times=1)
    recorded()
    with following(workos) as process:
        failing = until(lambda found: found.destinations["workos"].code)
        status, told = as_json(capsys)
        process.kill()
        process.wait()
    gone = status_of("audit")

    stands = failing.destinations["workos"]
    (problem,) = failing.health.problems
    assert ("paused", "workos", "paused") == (problem.code, problem.destination, stands.code)
    assert "401" in stands.trouble
    assert (1, False) == (status, told["ok"])
    assert told["destinations"]["workos"]["trouble"] in told["problems"][0]["text"]
    # Nobody is refused any more; why it was last time is still worth knowing.
    assert (True, "", stands.trouble) == (
        gone.health.ok,
        gone.destinations["workos"].code,
        gone.destinations["workos"].trouble,
    )


def test_several_processes_work_one_destination(workos: WorkOSDouble) -> None:
    """Each process that works a destination is told of; one that is killed leaves the others."""
    recorded()
    with following(workos) as first, following(workos) as second:
        both = until(lambda found: sum(each.pid > 0 for each in found.destinations["workos"].workers) == 2)
        first.kill()
        one = until(lambda found: len(found.destinations["workos"].workers) == 1)

    pids = [sorted(each.pid for each in found.destinations["workos"].workers) for found in (both, one)]
    assert [sorted([first.pid, second.pid]), [second.pid]] == pids


def test_look_disturbs_nobody(workos: WorkOSDouble) -> None:
    """However often somebody looks, each event is delivered once, and nothing in the directory changes by it."""
    before = recorded(20)
    files = {path: path.read_bytes() for path in Path("audit").rglob("*") if path.is_file()}
    for _ in range(3):
        status_of("audit")
    assert files == {path: path.read_bytes() for path in Path("audit").rglob("*") if path.is_file()}
    with following(workos):
        until(lambda found: not pending(found))

    arrived = sorted(request.headers["idempotency-key"] for request in workos.requests)
    assert sorted(before) == arrived


# ---------------------------------------------------------------------- what is told


def test_table_tells_what_waits_and_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each destination, how full the journal is, and below it each problem with its remedy."""
    words = "no \x1b[2Jschema for sk_live_51HqJ2eZvKYlo2C0abcdefgh"
    siem = ScriptedTransport(Rejected("no"), otherwise=Paused(words), name="siem")
    trail = auditkit.configure(siem, directory="audit", max_bytes=2**26)
    auditkit.emit(an_event())
    auditkit.emit(an_event())
    trail.flush(10)
    until(lambda found: found.destinations["siem"].code)
    status = main(["status", "audit"])
    head, ledger, lane, journal, problem, remedy = capsys.readouterr().out.splitlines()
    trail.shutdown(0)

    assert 1 == status
    columns = "DESTINATION PENDING OLDEST RATE DEAD LETTERS PROCESSES HEALTH LAST ERROR"
    assert columns.split() == head.split()
    assert ["ledger", "0", "-"] == ledger.split()[:3]
    assert ["0", "1", "ok", "-"] == ledger.split()[4:]
    told = r"no \x1b[2Jschema for [redacted]"
    assert ["siem", "1", "0/s", "1", "1", "paused", *told.split()] == [
        each for number, each in enumerate(lane.split()) if number not in {2, 3}
    ]
    assert re.fullmatch("journal: [1-9][0-9]* of 67108864 bytes", journal)
    assert problem.startswith("paused since 2")
    assert problem.endswith(f"Z: siem does not accept events: {told}")
    assert "  -> correct the destination's configuration; everything is kept, and tried again every minute" == remedy


def test_json_tells_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """All of it in one object, with times as events have them."""
    recorded(2)
    Path("audit/dead").mkdir()
    Path("audit/dead/workos.jsonl").write_text('{"reason": "no"}\n\n{"torn')
    Path("audit/lanes/workos/possible_duplicates.jsonl").write_text('{"id": "1"}\n')
    status, told = as_json(capsys)

    lane = told["destinations"]["workos"]
    assert (0, True, []) == (status, told["ok"], told["problems"])
    assert lane["oldest"] <= told["at"]
    assert 0 <= lane["oldest_seconds"] < 60
    del lane["oldest"], lane["oldest_seconds"]
    assert {
        "pending": 2,
        "rate": 0,
        "dead_letters": 1,
        "possible_duplicates": 1,
        "code": "",
        "trouble": "",
        "since": None,
        "accepted": None,
        "workers": [],
    } == lane
    journal = told["journal"]
    assert (2**30, sum(path.stat().st_size for path in Path("audit/journal").iterdir())) == (
        journal["max_bytes"],
        journal["bytes"],
    )
    assert journal["full_in_seconds"] >= 0


def test_directory_that_keeps_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody has recorded yet there is nothing to tell, and nothing wrong."""
    Path("audit").mkdir(mode=0o700)

    assert 0 == main(["status"])
    assert "it keeps events for no destination\njournal: 0 bytes\n" == capsys.readouterr().out


def test_directory_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """A name of nothing is said, and what to do."""
    assert 2 == main(["status", "elsewhere"])
    assert "auditkit: there is no audit directory elsewhere; name one\n" == capsys.readouterr().err


@as_root
@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_directory_of_another_user(mode: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Who may not look, at the directory or at what waits in it, is told so rather than that nothing waits."""
    recorded()
    main(["status"])  # imports all that it needs: its files may be closed to the user
    capsys.readouterr()
    for path in (Path.cwd(), *Path("audit").rglob("*/"), Path("audit")):
        path.chmod(0o755 if path == Path.cwd() else mode)
    os.seteuid(65534)
    try:
        status = main(["status"])
    finally:
        os.seteuid(0)

    told = "auditkit: cannot look into audit: Permission denied; run this as the user that runs the application\n"
    assert (2, told) == (status, capsys.readouterr().err)


# ---------------------------------------------------------------------- health, in its words


def test_unattended_destination_is_a_problem_here_and_there() -> None:
    """Events that nobody works for ten minutes are a problem: in an application that only records, and from outside."""
    clock = DrivenClock(start_ns=SystemClock.time_ns())
    trail = AuditTrail(ScriptedTransport(name="workos"), directory="audit", deliver=False, ledger=False, clock=clock)
    trail.emit(an_event())
    since = instant_of(clock.time_ns())
    before = trail.health()
    clock.advance(601)

    text = f"no process works workos, for which 1 event waits, the oldest since {since:%Y-%m-%dT%H:%M:%S.%fZ}"
    remedy = "start what has it, or auditkit deliver with it; or retire it: auditkit destinations drop"
    (here,) = trail.health().problems
    (there,) = status_of("audit", clock=clock).health.problems
    assert before.ok
    assert here == there
    assert ("unattended", "workos", remedy) == (here.code, here.destination, here.remedy)
    assert abs(here.since - since).total_seconds() < 60
    assert here.text.startswith(text[:70])
    trail.shutdown(1)


def test_sidecars_trouble_is_its_applications(workos: WorkOSDouble) -> None:
    """An application that only records tells in its health what keeps its sidecar from delivering."""
    workos.fail(401, times=1)
    trail = AuditTrail(ScriptedTransport(name="workos"), directory="audit", deliver=False, ledger=False)
    trail.emit(an_event())
    problems: tuple[Problem, ...] = ()
    with following(workos):
        while not problems:
            problems = trail.health().problems
    trail.shutdown(1)

    assert [("paused", "workos")] == [(each.code, each.destination) for each in problems]


def test_destination_that_falls_behind_is_a_problem() -> None:
    """A destination that is worked, and whose oldest event has waited for ten minutes, is one with its backlog."""
    clock = hours_later(0)
    slow = ScriptedTransport(otherwise=Paused("401"), name="slow")
    trail = AuditTrail(slow, directory="audit", ledger=False, clock=clock)
    trail.emit(an_event())
    trail.emit(an_event())
    until(lambda found: found.destinations["slow"].code)
    before = [each.code for each in trail.health().problems]
    clock.advance(700)
    after = {each.code: each for each in trail.health().problems}
    trail.shutdown(0)

    assert ["paused"] == before
    assert {"paused", "behind"} == set(after)
    assert "slow accepts less than is recorded: 2 events wait, the oldest since 2" in after["behind"].text


def test_journal_that_is_nearly_full_is_a_problem() -> None:
    """A journal of which three quarters wait is a problem of the trail's own, with the time until there is no room."""
    journal = open_journal(Path("audit"), max_bytes=2**20)
    journal.remember("workos")
    write(journal, 50, "x" * 16_000)
    journal.rest()
    problems = {each.code: each for each in status_of("audit", clock=hours_later()).health.problems}

    assert {"unattended", "nearly_full"} == set(problems)
    full = problems["nearly_full"]
    assert None is full.destination
    assert (
        "bytes of max_bytes=1048576; past that events are refused; as it goes, there is no more room in " in full.text
    )


def no_segment() -> None:
    Path("audit/journal/s.open").write_bytes(b"one\ntwo\n")


def no_database() -> None:
    Path("audit/ledger/ledger.sqlite3").write_bytes(bytes(range(256)) * 16)


@pytest.mark.parametrize(
    ("room", "damage"), [("journal", no_segment), ("ledger", no_database)], ids=["journal", "ledger"]
)
def test_damage_is_a_problem_until_it_is_moved_away(
    room: str, damage: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """What damage hit is counted, and told in health and status, by processes that come later too; moving it ends it."""
    before = AuditTrail(directory="audit")
    before.emit(an_event())
    assert before.shutdown(10)
    damage()
    trail = AuditTrail(directory="audit")
    trail.emit(an_event())
    assert trail.flush(10)
    counted, here = trail.stats().troubles, trail.health()
    trail.shutdown(10)
    later = AuditTrail(directory="audit", deliver=False)
    there = later.health(), status_of("audit").health
    status, told = as_json(capsys)
    (kept,) = Path("audit").glob("*/*.corrupt*")
    kept.rename("taken")

    (problem,) = here.problems
    assert "corrupt" in counted
    assert (here, here) == there
    assert ("corrupt", None) == (problem.code, problem.destination)
    assert f"damage was found, and what it hit was put aside: {room}/{kept.name}" == problem.text
    assert "then move it out of the directory" in problem.remedy
    assert (1, ["corrupt"]) == (status, [each["code"] for each in told["problems"]])
    assert later.health().ok
    assert 0 == main(["status"])
    later.shutdown(1)


def test_ledger_that_may_not_be_looked_at_hides_no_other_problem() -> None:
    """Where the ledger's part of the directory cannot be read, health still tells what is wrong with the journal."""
    clock = hours_later()
    trail = AuditTrail(ScriptedTransport(name="workos"), directory="audit", deliver=False, ledger=False, clock=clock)
    trail.emit(an_event())
    clock.advance(601)
    Path("audit/ledger").write_text("")

    assert ["unattended"] == [each.code for each in trail.health().problems]
    trail.shutdown(1)


def test_health_of_a_directory_that_may_not_be_looked_at() -> None:
    """Where the directory goes, health tells what the trail itself knows, and raises nothing."""
    trail = AuditTrail(directory="audit", ledger=False)
    Path("audit").rename("elsewhere")
    Path("audit").write_text("")

    assert "not_durable" not in {each.code for each in trail.health().problems}
    trail.shutdown(0)
