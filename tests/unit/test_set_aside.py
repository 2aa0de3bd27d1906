"""What was put aside in a directory, and what is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditkit.trail.set_aside import set_aside_in, set_aside_problems

if TYPE_CHECKING:
    from pathlib import Path

LEDGER = "ledger/ledger.sqlite3.corrupt-20261123T073512.000000Z"


def put(root: Path, *names: str) -> None:
    """Make a directory that holds these files."""
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ([], []),
        (["journal/a.open", "journal/b.closed", "ledger/ledger.sqlite3-wal"], []),
        (["journal/a.corrupt", "journal/a.closed"], ["journal/a.corrupt"]),
        ([LEDGER, f"{LEDGER}-wal", "ledger/ledger.sqlite3"], [LEDGER, f"{LEDGER}-wal"]),
        ([LEDGER, "journal/b.corrupt", "journal/a.corrupt"], ["journal/a.corrupt", "journal/b.corrupt", LEDGER]),
        (["a.corrupt", "dead/b.corrupt"], []),
    ],
)
def test_damage_is_found_by_its_name(tmp_path: Path, there: list[str], found: list[str]) -> None:
    """What journal and ledger put aside is found, each file of it, and nothing else."""
    put(tmp_path, *there)

    assert found == [path.relative_to(tmp_path).as_posix() for path in set_aside_in(tmp_path)]
    assert bool(found) == bool(set_aside_problems(tmp_path))


@pytest.mark.parametrize(
    ("number", "named"), [(1, "a"), (3, "a, b, c"), (4, "a, b, c and 1 more"), (9, "a, b, c and 6 more")]
)
def test_problem_names_only_so_many(tmp_path: Path, number: int, named: str) -> None:
    """However much was put aside it is one problem with one line of text."""
    put(tmp_path, *(f"journal/{letter}.corrupt" for letter in "abcdefghi"[:number]))
    (problem,) = set_aside_problems(tmp_path)

    assert f"what it hit was put aside: {named}" == problem.text.partition("and ")[2].replace("journal/", "").replace(
        ".corrupt", ""
    )


def test_problem_is_told_since_the_first_was_put_aside(tmp_path: Path) -> None:
    """It is told since the oldest was put aside, whenever that was written last."""
    put(tmp_path, "journal/a.corrupt", LEDGER)
    since = min((tmp_path / name).stat().st_ctime for name in ("journal/a.corrupt", LEDGER))
    (problem,) = set_aside_problems(tmp_path)

    assert since == pytest.approx(problem.since.timestamp())


def test_directory_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """What may not be looked at is not taken for nothing."""
    (tmp_path / "ledger").write_text("")

    with pytest.raises(NotADirectoryError):
        set_aside_problems(tmp_path)
