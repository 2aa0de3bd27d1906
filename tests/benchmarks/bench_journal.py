"""What recording an event costs beside the system calls it cannot do without, and how fast an orphan is read.

    python tests/benchmarks/bench_journal.py [rounds]

All cases are interleaved in rounds of one run, for the machine's speed changes under us; medians are printed,
each as a multiple of an `os.write` of the same bytes. Processor time is measured, so that a busy neighbour
counts less. Every round begins new files: the first write of a page costs more than the next.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from time import perf_counter, thread_time
from typing import TYPE_CHECKING

from auditkit.clock import SystemClock, new_id
from auditkit.draft import Draft, Scene
from auditkit.encoding import encode
from auditkit.journal import DiskJournal, Keys
from auditkit.journal.frames import START, Chain, line
from auditkit.reporting import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 60
CALLS = 2000
CLOCK = SystemClock()
SCENE = Scene(
    group="user_1",
    actor_id="user_1",
    actor_name="user@email.com",
    actor_type="user",
    location="1.1.1.1",
    correlation_id=new_id(),
    metadata={},
)
DRAFT = Draft(
    new_id(),
    CLOCK.time_ns(),
    SCENE,
    "tweet.update",
    "U",
    "tweet_5",
    "tweet_5",
    "tweet",
    None,
    {"body_was": "What time is the event", "body": "What time is the event?"},
)
BODY = encode(DRAFT)
CHAIN = Chain()
LINE = line(CHAIN.link(START, BODY), BODY)


def journal_in(directory: Path, secrets: tuple[bytes, ...] = ()) -> DiskJournal:
    """Return a journal on disk."""
    return DiskJournal(
        directory, clock=CLOCK, ids=new_id, reporter=Reporter(CLOCK), keys=Keys(secrets), max_bytes=2**34
    )


def writing(directory: Path) -> Callable[[], object]:
    """Write the line at the end of a file."""
    file = os.open(directory / "written", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    return lambda: os.write(file, LINE)


def writing_reserved(directory: Path) -> Callable[[], object]:
    """Write the line at the next place of a file whose space is reserved."""
    file = os.open(directory / "reserved", os.O_WRONLY | os.O_CREAT)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, len(LINE) * CALLS)
    at = 0

    def write() -> None:
        nonlocal at
        at += os.pwrite(file, LINE, at)

    return write


def appending(directory: Path, *secrets: bytes) -> Callable[[], object]:
    """Append the event; its segments are rolled, prepared and synced as they are in an application."""
    journal = journal_in(directory / f"audit{len(secrets)}", secrets)
    journal.start()
    for _ in range(2 * CALLS):  # to segments that are not rolled every hundred events any more
        journal.append(DRAFT)
    opened.append(journal)
    return lambda: journal.append(DRAFT)


CASES: dict[str, Callable[[Path], Callable[[], object]]] = {
    "os.write": writing,
    "os.pwrite, reserved": writing_reserved,
    "encode": lambda _: lambda: encode(DRAFT),
    "chain and frame": lambda _: lambda: line(CHAIN.link(START, BODY), BODY),
    "append": appending,
    "append, keyed": lambda directory: appending(directory, b"secret" * 5),
}
opened: list[DiskJournal] = []


def per_call(act: Callable[[], object]) -> float:
    """Return the microseconds of one call."""
    start = thread_time()
    for _ in range(CALLS):
        act()
    return (thread_time() - start) / CALLS * 1e6


def record(rounds: int) -> None:
    """Print what recording costs."""
    costs: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(rounds):
        directory = Path(mkdtemp(prefix="bench-journal-"))
        for name, prepare in CASES.items():
            costs[name].append(per_call(prepare(directory)))
        while opened:
            journal = opened.pop()
            journal.rest()
            journal.stop()
        shutil.rmtree(directory)
    unit = median(costs["os.write"])
    print(f"one event of {len(BODY)} bytes of JSON, median of {rounds} rounds of {CALLS}")
    for name, each in costs.items():
        print(f"  {name:<24}{median(each):8.2f} us {median(each) / unit:8.2f}")
    over = median(append - encode_ for append, encode_ in zip(costs["append"], costs["encode"], strict=True))
    bare = median(
        write + chain for write, chain in zip(costs["os.pwrite, reserved"], costs["chain and frame"], strict=True)
    )
    print(f"  append over encode      {over:8.2f} us; the bare pwrite, chain and frame in it {bare:.2f} us")


def recover(rounds: int) -> None:
    """Print how fast a dead process's segments are judged and read, beside `json.loads` of the same lines."""
    events = 8000
    took: dict[str, list[float]] = {"json.loads": [], "adopt, sync": [], "take, acknowledge": []}
    for _ in range(rounds):
        directory = Path(mkdtemp(prefix="bench-journal-"))
        writer = journal_in(directory)
        for _ in range(events):
            writer.append(DRAFT)
        for segment in (writer._segment, *writer._ended):  # let go of, as by the process's death
            if segment is not None:
                segment.release()
        start = perf_counter()
        for _ in range(events):
            json.loads(BODY)
        took["json.loads"].append(perf_counter() - start)
        feed = journal_in(directory).feed("lane", durable=True)
        start = perf_counter()
        feed.scan()
        took["adopt, sync"].append(perf_counter() - start)
        start = perf_counter()
        while records := feed.take(500):
            feed.acknowledge([each.position for each in records])
        took["take, acknowledge"].append(perf_counter() - start)
        feed.close()
        shutil.rmtree(directory)
    print(f"recovery of {events} events, median of {rounds} rounds")
    for name, each in took.items():
        seconds = median(each)
        print(f"  {name:<24}{events / seconds:12,.0f} a second {len(LINE) * events / seconds / 1e6:8.0f} MB/s")


if __name__ == "__main__":
    gc.disable()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    record(count)
    recover(max(count // 6, 3))
