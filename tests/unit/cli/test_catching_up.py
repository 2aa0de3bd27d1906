"""What a command does to a directory before it reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditkit import AuditTrail, Event
from auditkit.cli.catching_up import catch_up, remembered
from auditkit.ledger import LedgerReader


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
    assert catch_up(Path("audit"), 10)

    assert not Path("audit").exists()


def test_catch_up_reads_what_waits() -> None:
    """Events that nobody put into the ledger yet are there afterwards."""
    record("one")
    record("two", deliver=False)
    assert 1 == LedgerReader("audit").last_position()

    assert catch_up(Path("audit"), 10)
    assert ["one", "two"] == [each.event.target_id for each in LedgerReader("audit").events()]


def test_catch_up_writes_no_segment() -> None:
    """Where nothing waits, nothing is written into the journal."""
    record("one")
    before = contents()
    catch_up(Path("audit"), 10)

    assert before == contents()


def test_catch_up_begins_no_ledger() -> None:
    """A directory without a ledger gets none: the journal would keep every segment for it from then on."""
    record("one", ledger=False)
    before = contents()

    assert catch_up(Path("audit"), 10)
    assert before == contents()
    assert "ledger" not in remembered(Path("audit"))


def test_catch_up_leaves_alone_what_it_may_not_write() -> None:
    """A directory that auditkit would not write to is left as it is, and the caller is told."""
    record("one")
    record("two", deliver=False)
    Path("audit").chmod(0o770)
    before = contents()

    assert not catch_up(Path("audit"), 10)
    assert before == contents()


@pytest.mark.parametrize("secret", ["", "a secret of some length"])
def test_catch_up_uses_the_environments_secret(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments written with the secret of the environment are read with it; an empty one is none."""
    record("one")
    monkeypatch.setenv("AUDITKIT_SECRET", secret)

    record("two", deliver=False, secret=secret or None)

    assert catch_up(Path("audit"), 10)
    assert 2 == LedgerReader("audit").last_position()
