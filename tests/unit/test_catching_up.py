"""What is done to a directory before it is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditkit import AuditTrail, Event, files
from auditkit.ledger import LedgerReader
from auditkit.trail.catching_up import catch_up, remembered

if TYPE_CHECKING:
    import pytest


def record(target: str, *, deliver: bool = True, ledger: bool = True, secret: str | None = None) -> None:
    """Record one event in ./audit, and leave it in the journal unless it is to be delivered."""
    trail = AuditTrail(directory="audit", deliver=deliver, ledger=ledger, secret=secret)
    trail.emit(
        Event(
            group="acme", action="a.b", action_type="C", actor_name="ada", actor_id="ada",
            target_name=target, target_id=target, location="here",
        )
    )  # fmt: skip
    trail.shutdown(10)


def contents() -> list[Path]:
    """Return every file of ./audit that is not the ledger's."""
    return sorted(each for each in Path("audit").rglob("*") if each.is_file() and "ledger" not in each.parts[1:2])


def test_catch_up_makes_no_directory() -> None:
    """A directory that is not there stays away."""
    assert catch_up("audit")

    assert not Path("audit").exists()


def test_catch_up_reads_what_waits() -> None:
    """Events that nobody put into the ledger yet are there afterwards."""
    record("one")
    record("two", deliver=False)
    assert 1 == LedgerReader("audit").last_position()

    assert catch_up("audit")
    assert ["one", "two"] == [each.event.target_id for each in LedgerReader("audit").events()]


def test_catch_up_writes_no_segment() -> None:
    """Where nothing waits, nothing is written into the journal."""
    record("one")
    before = contents()
    catch_up("audit")

    assert before == contents()


def test_catch_up_begins_no_ledger() -> None:
    """A directory without a ledger gets none: the journal would keep every segment for it from then on."""
    record("one", ledger=False)
    before = contents()

    assert catch_up("audit")
    assert before == contents()
    assert "ledger" not in remembered("audit")


def test_catch_up_leaves_alone_what_it_may_not_write() -> None:
    """A directory that auditkit would not write to is left as it is, and the caller is told."""
    record("one")
    record("two", deliver=False)
    Path("audit").chmod(0o770)
    before = contents()

    assert not catch_up("audit")
    assert before == contents()


SECRET = "a secret of some length"


def test_catch_up_takes_the_secret_of_the_segments() -> None:
    """Segments signed with a secret are read with it."""
    record("one", secret=SECRET)
    record("two", deliver=False, secret=SECRET)

    assert catch_up("audit", secret=SECRET)
    assert 2 == LedgerReader("audit").last_position()


def test_catch_up_tells_that_it_lacks_the_secret() -> None:
    """Segments signed with a secret that is not given wait on, and the caller is told."""
    record("one", secret=SECRET)
    record("two", deliver=False, secret=SECRET)

    assert not catch_up("audit")
    assert 1 == LedgerReader("audit").last_position()
    assert catch_up("audit", secret=SECRET)


def test_catch_up_tells_that_auditing_is_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where AUDITKIT_DISABLED keeps it from its work, what waits may still wait."""
    record("one")
    record("two", deliver=False)
    monkeypatch.setenv("AUDITKIT_DISABLED", "1")

    assert not catch_up("audit")
    assert 1 == LedgerReader("audit").last_position()


def test_catch_up_gives_up_in_time() -> None:
    """Where another process keeps the ledger for itself, the wait ends, and the caller is told."""
    record("one")
    record("two", deliver=False)
    lock = files.locked(Path("audit") / "ledger" / "ledger.lock")
    assert lock is not None
    try:
        assert not catch_up("audit", timeout=0.2)
        assert 1 == LedgerReader("audit").last_position()
    finally:
        files.close(lock)
