"""``auditkit verify`` in a real process: what it can vouch for, and what is not as it was recorded."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from auditkit import AuditTrail, Event
from auditkit.ledger import ledger_path

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "a secret of some length"


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def verify(audit: Path, *words: str, secret: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "auditkit", "verify", str(audit), *words],
        capture_output=True, text=True, timeout=50, check=False, env={**os.environ, "AUDITKIT_SECRET": secret},
    )  # fmt: skip


def recorded(audit: Path, number: int, *, deliver: bool = True, secret: str = "") -> None:
    """Leave so many events in the ledger, or in the journal."""
    trail = AuditTrail(directory=audit, deliver=deliver, secret=secret or None)
    for _ in range(number):
        trail.emit(Event("g", "user.login", "C", "a", "a", "t", "t", "here"))
    assert trail.shutdown()


def test_sound_directory(audit: Path) -> None:
    """Everything as recorded: the counts, the head to keep elsewhere, and what that does not show."""
    recorded(audit, 3)
    recorded(audit, 2, deliver=False)
    done = verify(audit)

    assert (0, "") == (done.returncode, done.stderr)
    assert "ledger: 3 entries as recorded, 0 signed\nledger: head " in done.stdout
    assert "journal: 2 events in 1 segment as written, 0 signed\n" in done.stdout
    assert "somebody who may write the files can make the chain anew" in done.stdout
    assert "shows only against a head that was kept elsewhere" in done.stdout


def test_signed_directory(audit: Path) -> None:
    """With the secret everything is told as signed; without it the journal cannot be judged."""
    recorded(audit, 3, secret=SECRET)
    recorded(audit, 2, deliver=False, secret=SECRET)
    knowing, stranger = verify(audit, secret=SECRET), verify(audit)

    assert 0 == knowing.returncode, knowing.stdout
    assert "ledger: 3 entries as recorded, 3 signed\n" in knowing.stdout
    assert "journal: 2 events in 1 segment as written, 1 signed\n" in knowing.stdout
    assert "unless it was made by somebody who has the secret" in knowing.stdout
    assert 1 == stranger.returncode
    assert "needs another secret: set AUDITKIT_SECRET" in stranger.stdout


def test_changed_entry_is_named(audit: Path) -> None:
    """The first bad record of the ledger is named with its place, its id and what is wrong."""
    recorded(audit, 3)
    with sqlite3.connect(ledger_path(audit)) as connection:
        (event_id,) = connection.execute("SELECT id FROM entries WHERE position = 2").fetchone()
        connection.execute("UPDATE entries SET body = replace(CAST(body AS TEXT), 'here', 'gone') WHERE position = 2")
    connection.close()
    done = verify(audit)

    assert 1 == done.returncode
    assert f"ledger: BAD: entry 2 ({event_id}) " in done.stdout
    assert "ledger: 1 entry as recorded" in done.stdout


def test_changed_segment_is_named(audit: Path) -> None:
    """A changed line of the journal is named with its segment and place, and as JSON."""
    recorded(audit, 2, deliver=False)
    (segment,) = (audit / "journal").iterdir()
    segment.write_bytes(segment.read_bytes().replace(b'"here"', b'"gone"', 1))
    done = verify(audit, "--json")
    found = json.loads(done.stdout)

    assert 1 == done.returncode
    assert None is found["ledger"]
    assert (segment.stem, "was changed: a line does not verify") == (
        found["journal"]["first_bad"]["name"],
        found["journal"]["first_bad"]["reason"],
    )
    assert f"journal: BAD: segment {segment.stem} was changed" in verify(audit).stdout


def test_ledger_that_is_no_database_is_bad(audit: Path) -> None:
    """Of a ledger whose first page is damaged nothing can be vouched for, which is told beside what the journal holds."""
    recorded(audit, 3)
    recorded(audit, 2, deliver=False)
    ledger_path(audit).write_bytes(bytes(range(256)) * 16 + ledger_path(audit).read_bytes()[4096:])
    done = verify(audit)

    assert (1, "") == (done.returncode, done.stderr)
    assert "ledger: 0 entries as recorded, 0 signed\nledger: BAD: entry 1 cannot be read: file is not a " in done.stdout
    assert "journal: 2 events in 1 segment as written, 0 signed\n" in done.stdout


@pytest.mark.parametrize("name", ["journal/a.corrupt", "ledger/ledger.sqlite3.corrupt-20261123T073512.000000Z-wal"])
def test_what_was_put_aside_is_named_until_it_is_moved_away(audit: Path, name: str) -> None:
    """Damage that was found leaves nothing sound: its file is named with what to do, until somebody has taken it."""
    recorded(audit, 3)
    (audit / name).write_bytes(b"damage")
    told, as_json = verify(audit), verify(audit, "--json")
    (audit / name).rename(audit.parent / "taken")
    taken = verify(audit)

    assert (1, 1, 0) == (told.returncode, as_json.returncode, taken.returncode)
    assert (
        f"put aside: {name} holds what damage hit\n  -> look at it, rescue what is needed, then move it" in told.stdout
    )
    assert [name] == json.loads(as_json.stdout)["set_aside"]
    assert "put aside" not in taken.stdout


def test_what_was_put_aside_is_named_where_no_ledger_is_left(audit: Path) -> None:
    """A ledger that was moved aside, and could not be begun anew yet, is named all the same."""
    recorded(audit, 3)
    for path in (audit / "ledger").glob("ledger.sqlite3*"):
        path.rename(path.with_name(path.name.replace("sqlite3", "sqlite3.corrupt-now")))
    done = verify(audit)

    assert 1 == done.returncode
    assert "ledger: there is none\n" in done.stdout
    assert "put aside: ledger/ledger.sqlite3.corrupt-now holds what damage hit\n" in done.stdout


def test_directory_that_is_not_there(audit: Path) -> None:
    """A name that is none is trouble, told in a line."""
    done = verify(audit)

    assert (2, "") == (done.returncode, done.stdout)
    assert f"auditkit: there is no audit directory {audit}; name one\n" == done.stderr
