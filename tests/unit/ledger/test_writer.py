from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit import files
from auditkit.clock import SystemClock
from auditkit.encoding import encode_event
from auditkit.errors import ConfigurationError, Paused, TemporaryFailure
from auditkit.ledger import LedgerReader, LedgerWriter, ledger_path, schema, verify
from auditkit.ledger.database import quarantine
from auditkit.protocols import Record
from auditkit.reporting import Reporter
from tests.unit.ledger.builders import NOON, EventfulClock, ImpatientClock, ask, edit, event_of, write

if TYPE_CHECKING:
    from auditkit.protocols import Transport


def ids(directory: Path) -> list[str]:
    return [entry.event.id for entry in LedgerReader(directory).events()]


def test_writer_is_a_transport(tmp_path: Path) -> None:
    """The ledger is a destination like any other."""
    writer: Transport = LedgerWriter(tmp_path)

    assert ("ledger", 2000, 1, True) == (writer.name, writer.max_batch, writer.concurrency, writer.durable)
    assert writer.close() is None


def test_event_sent_again_stays_once(tmp_path: Path) -> None:
    """An event is in the ledger once however often it is sent, also twice in one batch."""
    writer = LedgerWriter(tmp_path)
    first, second, third = (event_of(number) for number in (1, 2, 3))
    writer.send([first, second, first])
    writer.send([second, third, first])
    writer.send([])

    assert ["event-1", "event-2", "event-3"] == ids(tmp_path)
    assert (3, None) == (verify(tmp_path).checked, verify(tmp_path).first_bad)


_RUNS = st.builds(lambda start, number: [*range(start, start + number)], st.integers(1, 60), st.integers(1, 20))


@given(
    st.lists(
        st.lists(_RUNS, min_size=1, max_size=3).map(lambda runs: [*chain.from_iterable(runs)]), min_size=1, max_size=4
    )
)
def test_events_are_in_once_and_chained_whatever_is_sent_again(batches: list[list[int]]) -> None:
    """Few or many together, new or there already: each is in the ledger once, where it first came, and chained."""
    with TemporaryDirectory() as directory:
        writer = LedgerWriter(directory)
        for batch in batches:
            writer.send([event_of(number, occurred_at=NOON) for number in batch])
        first = dict.fromkeys(number for batch in batches for number in batch)

        assert [f"event-{number}" for number in first] == ids(Path(directory))
        assert (len(first), None) == (verify(directory).checked, verify(directory).first_bad)


def test_recorded_json_is_kept_as_it_is(tmp_path: Path) -> None:
    """The ledger holds the very bytes that the journal held, and makes them where there was no journal."""
    recorded = encode_event(event_of(1)).replace(b'","', b'", "')
    LedgerWriter(tmp_path).send_records([Record(("s", 0), event_of(1), recorded), Record(("s", 1), event_of(2))])
    bodies = [ask(tmp_path, f"SELECT body FROM entries WHERE position = {position}") for position in (1, 2)]

    assert [recorded, encode_event(event_of(2))] == bodies
    assert verify(tmp_path).first_bad is None


def test_batch_is_split_when_it_takes_long(tmp_path: Path) -> None:
    """A slow batch lets go of the lock between its parts, and is written whole all the same."""
    seconds = iter(range(1000))
    LedgerWriter(tmp_path, clock=EventfulClock(seconds.__next__)).send([event_of(n) for n in range(1, 41)])

    assert 6 == next(seconds)  # each of three parts asked when it began and after its 16 rows, or what was left
    assert [f"event-{number}" for number in range(1, 41)] == ids(tmp_path)
    assert verify(tmp_path).first_bad is None


def test_commit_that_adds_nothing_is_written_all_the_same(tmp_path: Path) -> None:
    """Sending again what is there makes a commit of its own, which syncs what a killed writer left unsynced."""
    write(tmp_path, range(1, 3))
    with closing(sqlite3.connect(ledger_path(tmp_path))) as connection:
        before = connection.execute("PRAGMA data_version").fetchone()
        write(tmp_path, range(1, 3))

        assert before != connection.execute("PRAGMA data_version").fetchone()


def test_lone_surrogate_is_recorded(tmp_path: Path) -> None:
    """A captured text that no UTF-8 can carry does not stop the trail."""
    event = event_of(1).restore(
        {**event_of(1).to_dict(), "occurred_at": event_of(1).occurred_at, "actor_name": "\ud800"}
    )
    LedgerWriter(tmp_path).send([event])

    assert ["event-1"] == ids(tmp_path)
    assert verify(tmp_path).first_bad is None


def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    """Directory 0700, every file in it 0600, the WAL that SQLite makes included."""
    before = os.umask(0)
    try:
        write(tmp_path / "audit", range(1, 3))
        with closing(sqlite3.connect(ledger_path(tmp_path / "audit"))) as connection:
            connection.execute("SELECT * FROM entries").fetchone()
            write(tmp_path / "audit", range(3, 4))
            modes = {each.name: each.stat().st_mode & 0o777 for each in (tmp_path / "audit/ledger").iterdir()}
    finally:
        os.umask(before)

    name = schema.FILE
    assert dict.fromkeys([name, f"{name}-wal", f"{name}-shm", schema.LOCK], 0o600) == modes
    assert {0o700} == {(tmp_path / each).stat().st_mode & 0o777 for each in ("audit", "audit/ledger")}


def test_newer_format_is_left_untouched(tmp_path: Path) -> None:
    """A ledger of a newer auditkit pauses its lane with the remedy, and not a byte of it changes."""
    write(tmp_path, range(1, 3))
    edit(tmp_path, f"PRAGMA user_version = {schema.FORMAT + 1}")
    before = ledger_path(tmp_path).read_bytes()

    with pytest.raises(Paused, match=r"ledger.sqlite3 has format 2, .* upgrade auditkit"):
        write(tmp_path, range(3, 4))
    assert before == ledger_path(tmp_path).read_bytes()


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE theirs (x)", "PRAGMA application_id = 7", "PRAGMA user_version = 1"]
)
def test_database_of_another_program_is_left_untouched(tmp_path: Path, statement: str) -> None:
    """A database that is not ours pauses the lane rather than being filled or moved."""
    ledger_path(tmp_path).parent.mkdir()
    edit(tmp_path, statement)
    before = ledger_path(tmp_path).read_bytes()

    with pytest.raises(Paused, match="a database of another program: move it away"):
        write(tmp_path, range(1, 2))
    assert before == ledger_path(tmp_path).read_bytes()


@pytest.mark.parametrize("content", [b"not a database" * 500, b"SQLite format 3\x00" + bytes(5000)])
def test_damaged_ledger_is_moved_aside_and_begun_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    """A file that is no database keeps its bytes under another name, is counted, and the trail goes on in a new one."""
    write(tmp_path, range(1, 3))
    ledger_path(tmp_path).write_bytes(content)
    reporter = Reporter(SystemClock())
    LedgerWriter(tmp_path, reporter=reporter).send([event_of(3)])

    (kept,) = (each for each in ledger_path(tmp_path).parent.iterdir() if ".corrupt-" in each.name)
    assert content == kept.read_bytes()
    assert {"corrupt": 1} == reporter.counts()
    assert f"corrupt: the ledger was damaged; it is kept as {kept}" in caplog.text
    assert ["event-3"] == ids(tmp_path)
    assert verify(tmp_path).first_bad is None


def test_files_beside_a_damaged_ledger_go_with_it(tmp_path: Path) -> None:
    """The -wal of a damaged ledger is kept with it, where SQLite looks for it, and never read into the new one."""
    ledger_path(tmp_path).parent.mkdir()
    for suffix in ("", "-wal", "-shm"):
        ledger_path(tmp_path).with_name(schema.FILE + suffix).write_bytes(suffix.encode())
    moved = quarantine(ledger_path(tmp_path), "now")

    assert {f"{schema.FILE}.corrupt-now{suffix}" for suffix in ("", "-wal", "-shm")} == {
        each.name for each in moved.parent.iterdir()
    }


def test_second_damaged_ledger_gets_a_name_of_its_own(tmp_path: Path) -> None:
    """Moving a ledger aside never overwrites one that was moved before."""

    class Stopped(ImpatientClock):
        @staticmethod
        def time_ns() -> int:
            return 0

    writer = LedgerWriter(tmp_path, clock=Stopped())
    ledger_path(tmp_path).parent.mkdir(mode=0o700)
    for content in (b"first" * 99, b"second" * 99):
        ledger_path(tmp_path).write_bytes(content)
        writer.send([event_of(1)])
    name = f"{schema.FILE}.corrupt-19700101T000000.000000Z"

    assert b"first" * 99 == ledger_path(tmp_path).with_name(name).read_bytes()
    assert b"second" * 99 == ledger_path(tmp_path).with_name(f"{name}-1").read_bytes()


def test_overwritten_page_is_found_by_the_writer_that_meets_it(tmp_path: Path) -> None:
    """A page of garbage inside a database leads to a new ledger, not to a lane that never gets on."""
    write(tmp_path, range(1, 100))
    root = ask(tmp_path, "SELECT rootpage FROM sqlite_master WHERE name = 'entries'")
    with ledger_path(tmp_path).open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)
    reporter = Reporter(SystemClock())
    LedgerWriter(tmp_path, reporter=reporter).send([event_of(100)])

    assert {"corrupt": 1} == reporter.counts()
    assert ["event-100"] == ids(tmp_path)


def test_edited_chain_goes_on_and_stays_broken(tmp_path: Path) -> None:
    """A writer neither stops at a ledger that was edited nor mends what shows it."""
    write(tmp_path, range(1, 6))
    edit(tmp_path, "DELETE FROM entries WHERE position = 5")
    write(tmp_path, range(6, 8))
    edit(tmp_path, "DELETE FROM head")
    write(tmp_path, range(8, 9))

    found = verify(tmp_path).first_bad
    assert [*range(1, 5), 6, 7, 8] == [int(each.removeprefix("event-")) for each in ids(tmp_path)]
    assert found is not None
    assert 5 == found.position


def test_ledger_held_by_another_process_is_a_temporary_failure(tmp_path: Path) -> None:
    """A writer waits for ledger.lock only so long, and what it could not write it can write later."""
    write(tmp_path, range(1, 2))
    writer = LedgerWriter(tmp_path, clock=ImpatientClock())
    held = files.locked(ledger_path(tmp_path).with_name(schema.LOCK))
    assert held is not None
    try:
        with pytest.raises(TemporaryFailure, match="other processes were writing"):
            writer.send([event_of(2)])
    finally:
        files.close(held)
    writer.send([event_of(2)])

    assert ["event-1", "event-2"] == ids(tmp_path)


def test_database_locked_by_a_person_is_a_temporary_failure(tmp_path: Path) -> None:
    """Somebody who holds the database open for writing is waited for by the lane's retries."""
    write(tmp_path, range(1, 2))
    with closing(sqlite3.connect(ledger_path(tmp_path), isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(TemporaryFailure, match="database is locked"):
            write(tmp_path, range(2, 3))
    write(tmp_path, range(2, 3))

    assert ["event-1", "event-2"] == ids(tmp_path)


def test_path_that_is_a_file_pauses_with_the_remedy(tmp_path: Path) -> None:
    """A directory that is none pauses the lane, and the message names it."""
    (tmp_path / "audit").write_text("")

    with pytest.raises(Paused, match="audit is a file, not a directory"):
        write(tmp_path / "audit", range(1, 2))


def test_ledger_that_is_a_directory_is_a_temporary_failure(tmp_path: Path) -> None:
    """What SQLite cannot open is tried again: it may be descriptors that ran out."""
    ledger_path(tmp_path).mkdir(parents=True, mode=0o700)
    ledger_path(tmp_path).parent.chmod(0o700)

    with pytest.raises(TemporaryFailure, match="unable to open database file"):
        write(tmp_path, range(1, 2))


def test_table_of_another_layout_pauses(tmp_path: Path) -> None:
    """A ledger whose tables somebody changed pauses the lane: nothing is lost, somebody has to look."""
    write(tmp_path, range(1, 2))
    edit(tmp_path, "ALTER TABLE entries RENAME TO elsewhere")

    with pytest.raises(Paused, match=r"cannot be written as it is: no such table"):
        write(tmp_path, range(2, 3))


def test_reader_open_all_along_neither_waits_nor_blocks(tmp_path: Path) -> None:
    """A read transaction sees the trail as it was, while batches go on."""
    write(tmp_path, range(1, 3))
    with closing(sqlite3.connect(f"{ledger_path(tmp_path).as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("BEGIN")
        count = "SELECT count(*) FROM entries"
        assert (2,) == connection.execute(count).fetchone()
        write(tmp_path, range(3, 6))

        assert (2,) == connection.execute(count).fetchone()
    assert 5 == LedgerReader(tmp_path).last_position()


def test_key_that_cannot_sign_is_refused_when_configured(tmp_path: Path) -> None:
    """A wrong key is refused where it is given, not in a lane's thread."""
    with pytest.raises(ConfigurationError, match="16 to 64 bytes, got 3"):
        LedgerWriter(tmp_path, key=b"abc")
