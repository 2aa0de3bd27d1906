"""Devices that fail, hang, are full or cannot be written, for real: by strace's faults and by mounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.children import arrivals, deliver, once
from tests.marks import traced, unshared

if TYPE_CHECKING:
    from pathlib import Path

    from auditkit.testing import WorkOSDouble
    from tests.integration.children import Run


def under(fault: str, *, log: Path) -> list[str]:
    """Return the command that lets every fdatasync of a process meet a fault."""
    faults = ["-e", "trace=fdatasync", "-e", f"inject=fdatasync:{fault}"]
    return ["strace", "--seccomp-bpf", "-f", "-qq", "-o", str(log), *faults]


# ---------------------------------------------------------------------- a device that fails


@traced
def test_record_whose_sync_failed_is_told_and_kept(run: Run, workos: WorkOSDouble, tmp_path: Path) -> None:
    """fdatasync says EIO once: that call is told, the next one goes to a new segment, and every event is delivered."""
    child = run(
        """
trail = auditkit.configure(transport(), directory=directory, fsync="always", ledger=False, deliver=False, on_audit_error="raise")
ids = []
for number in range(4):
    event = Event("g", "user.login", "C", "a", "a", "t", "t", "1.1.1.1")
    ids.append(event.id)
    try:
        trail.emit(event)
    except auditkit.RecordingFailed as error:
        say("failed", number, str(error))
say("done", len(os.listdir(directory + "/journal")), trail.stats().troubles["sync_failed"])
say(*[problem.code for problem in trail.health().problems])
say(*ids)
os.kill(os.getpid(), signal.SIGKILL)  # what the device did not take the kernel still has
""",
        under=under("error=EIO:when=2", log=tmp_path / "trace"),
    )
    failed, done, problems, ids = [child.heard() for _ in range(4)]
    child.gone()
    deliver(workos, tmp_path / "audit")

    assert ["failed", 1] == failed[:2]
    assert "the device failed to sync the audit journal in" in failed[2]
    assert ["done", 2, 1] == done
    assert ["sync_failed"] == problems  # though later syncs succeeded
    assert once(ids) == arrivals(workos)


@traced
@pytest.mark.parametrize("fsync", ["interval", "always"])
def test_loop_runs_on_while_a_sync_hangs(run: Run, tmp_path: Path, fsync: str) -> None:
    """Each fdatasync takes two seconds more: an event loop goes on before it has returned, whatever the mode."""
    child = run(
        f"""
import asyncio
from auditkit import audited, files

begun, ended = threading.Event(), threading.Event()
sync = files.sync

def watched(descriptor):
    begun.set()
    sync(descriptor)
    ended.set()

@audited("user.login", "C")
async def login():
    pass

async def main():
    calls = [login(), auditkit.arecord("user.login", "C"), trail.aemit(an_event())]
    under_way = [asyncio.ensure_future(call) for call in calls]
    while not begun.is_set():
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    say(not ended.is_set(), *[call.done() for call in under_way])
    await asyncio.gather(*under_way)
    say(ended.is_set(), trail.stats().recorded, trail.stats().troubles.get("loop_held", 0))

def an_event():
    return Event("g", "user.login", "C", "a", "a", "t", "t", "1.1.1.1")

trail = auditkit.configure(directory=directory, fsync={fsync!r}, ledger=False)
files.sync = watched
asyncio.run(main())
ended.wait()  # before that the thread may not have come to its system call
os.kill(os.getpid(), signal.SIGKILL)
""",
        under=under("delay_enter=2000000", log=tmp_path / "trace"),
    )

    waits = fsync == "always"
    assert [True, *[not waits] * 3] == child.heard()
    assert [waits, 3, 0] == child.heard()
    child.gone()  # only then is all of the trace there
    assert "fdatasync(" in (tmp_path / "trace").read_text()


# ---------------------------------------------------------------------- a disk that is full, or not to be written


def small_disk(place: Path) -> list[str]:
    """Return the command that runs a process with a disk of 9 MB in a place that nobody else sees."""
    place.mkdir()
    mount = 'mount -t tmpfs -o size=9000k,mode=0700 tmpfs "$0" && exec "$@"'
    return ["unshare", "-m", "bash", "-c", mount, str(place)]


@unshared
def test_full_disk_is_told_delivered_from_and_recovered_from(run: Run, workos: WorkOSDouble, tmp_path: Path) -> None:
    """What a full disk has no room for is refused and told, what is there is delivered, and with room all goes on."""
    child = run(
        """
from auditkit import audited, record
from auditkit.ledger import LedgerReader

disk = os.path.dirname(directory)
with open(disk + "/ballast", "wb") as ballast:
    ballast.write(bytes(8500 * 1024))
trail = auditkit.configure(transport(), directory=directory, delivery_share=1)
ran, ids = [], []

@audited("plan.update", "U", on_audit_error="raise")
def update():
    ran.append(True)

def fill(number):
    for _ in range(number):
        before = trail.stats().recorded
        receipt = record("user.login", "C", metadata={"text": "x" * 8000})
        if trail.stats().recorded > before:
            ids.append(receipt.id)

fill(200)
try:
    update()
except auditkit.RecordingFailed as error:
    say(str(error))
say(ran, [problem.code for problem in trail.health().problems if not problem.destination], trail.stats().troubles["not_recorded"] + len(ids))
say(*ids)
hear()
os.unlink(disk + "/ballast")
before = len(ids)
fill(5)
say(len(ids) - before, auditkit.flush(20), *[problem.text for problem in trail.health().problems])
say(*ids[before:])
say(*[entry.event.id for entry in LedgerReader(directory).events()])
""",
        under=small_disk(tmp_path / "disk"),
        directory=tmp_path / "disk" / "audit",
    )
    with workos.holding():
        assert "plan.update was not run: " in child.heard()[0]
        assert [[], ["journal_full"], 200] == child.heard()
        ids = child.heard()
    workos.wait_for_events(len(ids))  # the disk is still full
    child.tell()
    assert [5, True] == child.heard()
    ids += child.heard()
    assert once(ids) == once(child.heard())
    child.end()
    assert once(ids) == arrivals(workos)


@unshared
def test_read_only_disk_is_told_and_recovered_from(run: Run, workos: WorkOSDouble, tmp_path: Path) -> None:
    """Remounted read-only before the first event, a trail goes on in memory, says so, and comes back by itself."""
    child = run(
        """
import subprocess
from auditkit.testing import DrivenClock

def remount(how):
    subprocess.run(["mount", "-o", "remount," + how, os.path.dirname(directory)], check=True)

clock = DrivenClock()
trail = auditkit.AuditTrail(transport(), directory=directory, clock=clock, ledger=False)
remount("ro")
ids = [emit(trail) for _ in range(3)]
say(*[problem.code for problem in trail.health().problems])
while trail.stats().destinations["workos"].delivered < 3:  # what is in flight when it comes back may be sent twice
    pass
try:
    auditkit.AuditTrail(directory=directory + "-2")
except auditkit.AuditError as error:
    say(str(error))
remount("rw")
clock.advance(60)
ids += [emit(trail) for _ in range(2)]
say(trail.flush(20), trail.health().ok)
say(*ids)
trail.shutdown()
""",
        under=small_disk(tmp_path / "disk"),
        directory=tmp_path / "disk" / "audit",
    )

    assert ["not_durable"] == child.heard()
    assert f"{tmp_path}/disk/audit-2: Read-only file system; give configure() a directory" in child.heard()[0]
    assert [True, True] == child.heard()
    assert once(child.heard()) == arrivals(workos)
