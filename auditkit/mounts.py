"""What the kernel says is mounted where. Pure: text in, values out.

Source: proc_pid_mountinfo(5).
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_ESCAPE = re.compile(r"\\([0-7]{3})")
_POINT, _OPTIONS = 4, 5  # fields of a line, before the dash


class Mount(NamedTuple):
    """One mount.

    Attributes:
        point: Where it is.
        kind: The file system's name, such as ``ext4``, ``nfs4`` or ``fuse.sshfs``.
        source: What is mounted, as the file system names it.
        options: How it is mounted here, such as ``rw`` and ``noatime``.
    """

    point: PurePosixPath
    kind: str
    source: str
    options: frozenset[str]


def parse(text: str) -> tuple[Mount, ...]:
    """Return the mounts that ``/proc/self/mountinfo`` lists, in its order; lines that are none are left out."""
    return tuple(mount for mount in map(_mount, text.splitlines()) if mount is not None)


def _mount(line: str) -> Mount | None:
    # Optional fields of any number stand before the dash, so each side is counted from its own begin.
    before, dash, after = line.partition(" - ")
    fields, more = before.split(" "), after.split(" ")
    if not dash or len(fields) <= _OPTIONS or len(more) < 2:  # noqa: PLR2004  (kind and source)
        return None
    return Mount(
        point=PurePosixPath(_unescaped(fields[_POINT])),
        kind=more[0],
        source=_unescaped(more[1]),
        options=frozenset(fields[_OPTIONS].split(",")),
    )


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), text)


def holding(path: PurePosixPath, mounts: Iterable[Mount]) -> Mount | None:
    """Return the mount that a path lies on; None where none is listed.

    Args:
        path: An absolute path without symbolic links.
        mounts: In the kernel's order: of two on one point, the later one hides the other.
    """
    found = None
    for mount in mounts:
        above = path == mount.point or mount.point in path.parents
        if above and (found is None or len(mount.point.parts) >= len(found.point.parts)):
            found = mount
    return found
