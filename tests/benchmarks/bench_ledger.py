"""Measure what the ledger's writer costs beside a bare batched SQLite loop; run it by hand.

Both write the same events into files of their own, in turns: the writer encodes, hashes, locks, opens, inserts,
commits (WAL, synchronous=FULL) and closes; the bare loop has its rows ready, keeps its connection open, and
only inserts and commits. A third one does as the bare loop but opens and closes for each batch.

    python -m tests.benchmarks.bench_ledger [events in a batch] [batches]

Then a whole lane drains a journal of as many events into a ledger.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

from auditkit import AuditTrail
from auditkit.encoding import encode_event
from auditkit.event import Event
from auditkit.ledger import LedgerWriter
from auditkit.ledger.chain import Hasher
from auditkit.ledger.rows import prepare
from auditkit.protocols import Record
from tests.benchmarks.page import table

if TYPE_CHECKING:
    from collections.abc import Callable

CREATE = """
CREATE TABLE entries (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, occurred_at TEXT, group_id TEXT, actor_id TEXT,
    actor_name TEXT, action TEXT, target_id TEXT, target_name TEXT, key_id BLOB, salt BLOB, digest BLOB, body BLOB
)
"""
INSERT = """
INSERT INTO entries (
    id, occurred_at, group_id, actor_id, actor_name, action, target_id, target_name, key_id, salt, digest, body
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def event_of(number: int) -> Event:
    """Return an event with two before/after values."""
    return Event(
        group=f"org_{number % 50}",
        action="tweet.update",
        action_type="U",
        actor_name=f"user{number % 2000}@email.com",
        actor_id=f"user_{number % 2000}",
        target_name=f"tweet_{number % 5000}",
        target_id=f"tweet_{number % 5000}",
        location="1.1.1.1",
        metadata={"body_was": "What time is the event", "body": "What time is the event?"},
    )


def connect(path: Path) -> sqlite3.Connection:
    """Open a database as the ledger does."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_mode = WAL")
    return connection


def insert(connection: sqlite3.Connection, rows: list[tuple[str | bytes, ...]]) -> None:
    """Insert rows in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(INSERT, rows)
    connection.execute("COMMIT")


def timed(act: Callable[[], object]) -> float:
    """Return how many seconds something takes."""
    begun = perf_counter()
    act()
    return perf_counter() - begun


WRITES, KEPT_OPEN, OPENED, LANE = "the ledger's writer", "bare, kept open", "bare, opened for each batch", "the lane"


def measured(size: int, batches: int) -> dict[str, list[float]]:
    """Return what each took for an event in each batch, in seconds; the lane's for all of them."""
    taken: dict[str, list[float]] = {WRITES: [], KEPT_OPEN: [], OPENED: []}
    with TemporaryDirectory(dir=".") as place, closing(connect(Path(place) / "open.sqlite3")) as kept:
        again = Path(place) / "again.sqlite3"
        kept.execute(CREATE)
        with closing(connect(again)) as connection:
            connection.execute(CREATE)

        def reopened(rows: list[tuple[str | bytes, ...]]) -> None:
            with closing(connect(again)) as connection:
                insert(connection, rows)

        writer = LedgerWriter(Path(place) / "audit")
        for turn in range(batches):
            events = [event_of(turn * size + number) for number in range(size)]
            recorded = [Record(("", -1), event, encode_event(event)) for event in events]
            rows = [values for _, _, values in prepare(recorded, bytes(16 * size), Hasher())]
            taken[WRITES].append(timed(partial(writer.send_records, recorded)) / size)
            taken[KEPT_OPEN].append(timed(partial(insert, kept, rows)) / size)
            taken[OPENED].append(timed(partial(reopened, rows)) / size)
    return {**taken, LANE: [lane(size * batches) for _ in range(3)]}


def lane(number: int) -> float:
    """Return what an event takes a lane that drains a journal into the ledger: read, verified, written, kept."""
    with TemporaryDirectory(dir=".") as place:
        recorder = AuditTrail(directory=f"{place}/audit", ledger=False, deliver=False)
        for each in range(number):
            recorder.emit(event_of(each))
        recorder.shutdown()
        trail = AuditTrail(directory=f"{place}/audit")
        taken = timed(lambda: trail.flush(timeout=600))
        assert number == trail.stats().destinations["ledger"].delivered
        trail.shutdown()
    return taken / number


def report(taken: dict[str, list[float]]) -> str:
    """Return the figures as a table."""
    bare = median(taken[KEPT_OPEN])
    head = ["what", "us an event", "events/s", "times the bare loop's"]
    return table(head, [row(name, median(seconds), bare) for name, seconds in taken.items()])


def row(name: str, seconds: float, bare: float) -> list[str]:
    return [name, f"{seconds * 1e6:.1f}", f"{1 / seconds:,.0f}", f"{seconds / bare:.2f}"]


def main(size: int = 500, batches: int = 100) -> None:
    """Print events a second of each, and the ratios of the medians."""
    print(report(measured(size, batches)))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
