"""What was hit by damage, and put aside in a directory until somebody looks at it. Names alone: nothing is opened."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.event import instant_of
from auditkit.trail.telling import REMEDIES, Problem

if TYPE_CHECKING:
    from pathlib import Path

_MARK = ".corrupt"  # in the name of what is put aside: the journal ends with it, the ledger adds the time
_ROOMS = ("journal", "ledger")
_NAMED = 3  # files that a problem names; `auditkit verify` names all


def set_aside_in(root: Path) -> list[Path]:
    """Return the files of an audit directory that hold damage, by room and name.

    Args:
        root: The audit directory.

    Raises:
        OSError: It cannot be looked at.
    """
    found: list[Path] = []
    for room in _ROOMS:
        with suppress(FileNotFoundError):
            found += (path for path in files.listing(root / room) if _MARK in path.name)
    return found


def set_aside_problems(root: Path) -> list[Problem]:
    """Return the problem that something was put aside, which stays until it is moved away; nothing where none was.

    Args:
        root: The audit directory.

    Raises:
        OSError: It cannot be looked at.
    """
    since_ns: dict[str, int] = {}
    for path in set_aside_in(root):
        with suppress(FileNotFoundError):  # moved away meanwhile
            since_ns[path.relative_to(root).as_posix()] = path.lstat().st_ctime_ns  # a rename leaves its mtime
    if not since_ns:
        return []
    more = f" and {len(since_ns) - _NAMED} more" if len(since_ns) > _NAMED else ""
    return [
        Problem(
            code="corrupt",
            destination=None,
            since=instant_of(min(since_ns.values())),
            text=f"damage was found, and what it hit was put aside: {', '.join([*since_ns][:_NAMED])}{more}",
            remedy=REMEDIES["corrupt"],
        )
    ]
