"""The marks of events that a destination may have twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditkit.journal.doubts import mark, possible_duplicates

if TYPE_CHECKING:
    from pathlib import Path


def test_marks_are_read_by_event(tmp_path: Path) -> None:
    """Each event has the destinations that may have it twice, each once; damage takes no other mark with it."""
    for lane in ("workos", "logs"):
        (tmp_path / "lanes" / lane).mkdir(parents=True)
        mark(tmp_path / "lanes" / lane, "e1", 1, 2)
    mark(tmp_path / "lanes" / "workos", "e1", 1, 3)
    path = tmp_path / "lanes" / "workos" / "possible_duplicates.jsonl"
    with path.open("ab") as file:
        file.write(b'\xff{"id"\n[]\n{"id": 5}\n{}\n')
    mark(tmp_path / "lanes" / "workos", "e2", 1, 2)

    assert {"e1": ("logs", "workos"), "e2": ("workos",)} == possible_duplicates(tmp_path)
    assert 0o600 == path.stat().st_mode & 0o777


def test_no_marks(tmp_path: Path) -> None:
    """A directory without marks, or none at all, has no possible duplicate."""
    assert {} == possible_duplicates(tmp_path / "nowhere")
