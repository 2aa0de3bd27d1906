"""What `verify` says of a journal: everything as written, the first segment that is not, or that nobody can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditkit.journal import Keys, verify_journal
from tests.journals import open_journal, segments, write

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = [[], [b"a secret of some length"]]


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def only_segment(audit: Path) -> Path:
    (name,) = segments(audit)
    return audit / "journal" / name


@pytest.mark.parametrize("secrets", SECRETS, ids=["unkeyed", "keyed"])
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_journal_as_written(audit: Path, secrets: list[bytes], *, closed: bool) -> None:
    """Segments that were closed, and one whose writer is at work, are counted with their events."""
    journal = open_journal(audit, secrets=secrets)
    write(journal, 3)
    journal.rest()
    write(journal, 2)
    if closed:
        journal.rest()
    found = verify_journal(audit, Keys(secrets))

    assert (2, 5, 2 * len(secrets), (), None) == (
        found.segments,
        found.records,
        found.signed,
        found.unknown,
        found.first_bad,
    )


def test_empty_journal(audit: Path) -> None:
    """A directory in which nothing waits holds nothing, and nothing bad."""
    open_journal(audit)

    assert (0, 0, None) == (
        verify_journal(audit, Keys()).segments,
        verify_journal(audit, Keys()).records,
        verify_journal(audit, Keys()).first_bad,
    )


@pytest.mark.parametrize("secrets", SECRETS, ids=["unkeyed", "keyed"])
def test_any_changed_byte_of_a_closed_segment_is_found(audit: Path, secrets: list[bytes]) -> None:
    """Whichever byte is changed, the segment is named, and where what is bad begins."""
    journal = open_journal(audit, secrets=secrets)
    write(journal, 2)
    journal.rest()
    path = only_segment(audit)
    whole = path.read_bytes()
    starts = [0, *(at + 1 for at, byte in enumerate(whole) if byte == ord("\n"))]

    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        bad = verify_journal(audit, Keys(secrets)).first_bad
        assert bad is not None, at
        assert path.stem == bad.name
        assert bad.offset in {0, max(each for each in starts if each <= at)}


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_segment_cut_at_a_line_is_found(audit: Path, lines: int) -> None:
    """A closed segment that lost its last lines does not say where it ends."""
    journal = open_journal(audit)
    write(journal, 3)
    journal.rest()
    path = only_segment(audit)
    kept = path.read_bytes().split(b"\n")[:-1][:-lines]
    path.write_bytes(b"".join(line + b"\n" for line in kept))
    bad = verify_journal(audit, Keys()).first_bad

    assert bad is not None
    assert (path.stat().st_size, "was cut: it does not say where it ends") == (bad.offset, bad.reason)


def test_record_removed_from_the_middle_is_found(audit: Path) -> None:
    """A line taken out breaks the chain."""
    journal = open_journal(audit)
    write(journal, 3)
    journal.rest()
    path = only_segment(audit)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    bad = verify_journal(audit, Keys()).first_bad

    assert bad is not None
    assert "was changed: a line does not verify" == bad.reason


def test_line_that_is_being_written_is_nothing_bad(audit: Path) -> None:
    """Half a line at the end of a segment whose writer lives is that writer's business; in a closed one it is not."""
    journal = open_journal(audit)
    write(journal, 1)
    path = only_segment(audit)
    whole = path.read_bytes().rstrip(b"\0")
    with path.open("r+b") as file:
        file.seek(len(whole))
        file.write(b"0" * 64 + b' {"id"')

    assert verify_journal(audit, Keys()).first_bad is None
    path.rename(path.with_suffix(".closed"))
    assert verify_journal(audit, Keys()).first_bad is not None


def test_segment_of_another_secret_cannot_be_judged(audit: Path) -> None:
    """What was signed with a secret that is not given is neither sound nor bad."""
    journal = open_journal(audit, secrets=[b"a secret of some length"])
    write(journal, 1)
    journal.rest()
    found = verify_journal(audit, Keys([b"another one altogether"]))

    assert ((only_segment(audit).stem,), 0, None) == (found.unknown, found.segments, found.first_bad)


def test_what_is_no_segment_is_bad(audit: Path) -> None:
    """A file under a segment's name that was never one is named; one that was put aside is no segment any more."""
    open_journal(audit)
    (audit / "journal" / "a.closed").write_bytes(b"no segment\n")
    (audit / "journal" / "b.corrupt").write_bytes(b"damage")
    found = verify_journal(audit, Keys())

    assert found.first_bad is not None
    assert ("a", 0) == (found.first_bad.name, found.segments)
    assert found.first_bad.reason.startswith("is none that can be read")


def test_verifying_changes_nothing(audit: Path) -> None:
    """No file is touched, though a segment's writer may be gone."""
    journal = open_journal(audit)
    write(journal, 3)
    before = {path.name: path.read_bytes() for path in (audit / "journal").iterdir()}
    verify_journal(audit, Keys())

    assert before == {path.name: path.read_bytes() for path in (audit / "journal").iterdir()}
