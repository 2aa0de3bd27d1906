"""The audit directory itself: whether it is there, whose it is, and who else may look."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.doctor.finding import Finding, ok, problem, warning
from auditkit.errors import JournalUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OTHERS, _GROUP = 0o007, 0o070


def nearest(path: Path) -> Path:
    """Return a path, or the nearest directory above it that exists."""
    # os.path.exists: Path.exists raises where a parent may not be entered.
    return next(each for each in (path, *path.parents) if os.path.exists(each))  # noqa: PTH110


def look_at_place(named: Path, *, shared: bool) -> Iterator[Finding]:
    """Yield what is found of a directory; changes nothing.

    Args:
        named: The directory as it was named, absolute.
        shared: Whether its group is declared.
    """
    place = files.home(named)
    inside = f"{named} is a volume that others may write; the trail is in {place}"
    if not os.path.lexists(place):
        above = nearest(place.parent)
        if os.access(above, os.W_OK | os.X_OK):
            yield ok("directory", f"{place} is not there yet; the application makes it")
        else:
            yield problem(
                "directory",
                f"{place} is not there, and this user may not make it in {above}",
                "make it, and give it to the user that runs the application; or configure another directory",
            )
        return
    try:
        files.judge_home(named, shared=shared)
    except JournalUnavailable as error:
        text, _, remedy = str(error).partition("; ")
        yield problem("directory", text, remedy)
        return
    yield ok("directory", str(place) if place == named else inside)
    yield from _look_inside(place, shared=shared)


def _look_inside(place: Path, *, shared: bool) -> Iterator[Finding]:
    found = place.stat()
    if os.name != "posix":
        return
    if found.st_uid != os.geteuid():
        yield warning(
            "user",
            f"the directory belongs to user {found.st_uid}, and this is user {os.geteuid()}",
            "run the doctor as the user that runs the application: it may see something else",
        )
    entries = _entries(place)
    foreign = [path for path, entry in entries.items() if entry.st_uid != found.st_uid]
    refused = _OTHERS if shared else _OTHERS | _GROUP
    is_open = [path for path, entry in entries.items() if stat.S_IMODE(entry.st_mode) & refused]
    if is_open:
        remedy = f"chmod -R {'o' if shared else 'go'}-rwx {place}"
        yield warning("permissions", f"others may look at {_first(is_open)}", remedy)
    if foreign and not shared:
        remedy = f"chown -R {found.st_uid} {place}"
        yield problem("permissions", f"{_first(foreign)} belongs to another user than the directory", remedy)
    if not is_open and (shared or not foreign):
        yield ok(
            "permissions",
            f"{'its group' if shared else 'its owner'} alone may enter (mode {found.st_mode & 0o7777:04o})",
        )


def _entries(place: Path) -> dict[Path, os.stat_result]:
    found = {}
    for path in (place, *place.rglob("*")):
        with suppress(FileNotFoundError):  # segments and cursors come and go while a service runs
            found[path] = path.lstat()
    return found


def _first(paths: list[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
