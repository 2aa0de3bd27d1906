"""How far a lane has come: two copies, one of which is always whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.journal import cursor as cursors
from auditkit.journal.cursor import _SLOT, WINDOW, Cursor, Progress

if TYPE_CHECKING:
    from pathlib import Path

progresses = st.builds(
    Progress,
    turn=st.integers(0, 2**63),
    offset=st.integers(0, 2**40),
    index=st.integers(0, 2**40),
    head=st.binary(min_size=32, max_size=32).map(lambda data: data.hex().encode()),
    ahead=st.integers(0, 2**WINDOW - 1),
    damage=st.integers(0, 2**32 - 1),
    done=st.booleans(),
)


def claimed(path: Path) -> Cursor:
    """Return the cursor, which must be free."""
    cursor = Cursor.claim(path)
    assert cursor is not None
    return cursor


@given(progresses)
def test_progress_comes_back(progress: Progress) -> None:
    """Every progress, the fullest window included, fits into its copy and comes back."""
    data = progress.encode()

    assert len(data) <= _SLOT
    assert progress == Progress.decode(data) == Progress.decode(data + b"the rest of a longer one\n")


@given(progresses, st.integers(0, _SLOT - 1), st.integers(1, 255))
def test_damaged_copy_is_none(progress: Progress, at: int, change: int) -> None:
    """A copy with any byte changed is known to be damaged, or says the same."""
    data = bytearray(progress.encode())
    data[at % len(data)] ^= change

    assert Progress.decode(bytes(data)) in (None, progress)


@pytest.mark.parametrize("index,has", [(4, True), (5, False), (6, True), (7, False), (5000, False)])
def test_progress_knows_what_is_acknowledged(index: int, has: bool) -> None:  # noqa: FBT001  (a table's column)
    """Before its place everything is acknowledged, beyond it what the window says."""
    assert has == Progress(index=5, ahead=0b10).has(index)
    assert Progress(index=5, done=True).has(index)


def test_new_cursor_begins_at_the_start(tmp_path: Path) -> None:
    """A cursor that was never written stands at the start, and its space is taken already."""
    cursor = claimed(tmp_path / "s.cursor")

    assert (Progress(), 2 * _SLOT) == (cursor.progress, (tmp_path / "s.cursor").stat().st_size)
    cursor.close()


def test_cursor_is_written_in_turn(tmp_path: Path) -> None:
    """Each write goes to the older copy, so that a torn one leaves the one before it."""
    path = tmp_path / "s.cursor"
    cursor = claimed(path)
    for index in range(1, 4):
        cursor.write(Progress(index=index))
    cursor.close()
    data = path.read_bytes()
    places = [data[:_SLOT], data[_SLOT:]]

    assert [2, 3] == [each.index for each in map(Progress.decode, places) if each is not None]
    assert 3 == cursors.latest(data).index
    for hit, expected in ((0, 3), (1, 2)):
        torn = [*places]
        torn[hit] = torn[hit][:100] + bytes(_SLOT - 100)
        path.write_bytes(b"".join(torn))
        cursor = claimed(path)

        assert expected == cursor.progress.index
        cursor.write(Progress(index=9))  # over the torn one
        assert 9 == cursors.latest(path.read_bytes()).index
        cursor.close()


def test_cursor_is_held_by_one(tmp_path: Path) -> None:
    """Who holds a cursor keeps others from it until it is closed; its place can be read meanwhile."""
    path = tmp_path / "s.cursor"
    cursor = claimed(path)
    cursor.write(Progress(index=7))
    seen = cursors.read(path)

    assert seen is not None
    assert (7, None) == (seen.index, Cursor.claim(path))
    cursor.close()
    claimed(path).close()


def test_removed_cursor_is_not_taken(tmp_path: Path) -> None:
    """A cursor that is removed under its lock is nobody's: the next claim makes a new one."""
    path = tmp_path / "s.cursor"
    cursor = claimed(path)
    cursor.write(Progress(index=7))
    cursor.remove()

    assert cursors.read(path) is None
    cursor = claimed(path)
    assert Progress() == cursor.progress
    cursor.close()
