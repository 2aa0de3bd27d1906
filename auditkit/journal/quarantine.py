"""What is damaged in a segment: kept beside it, counted and told, before the segment goes."""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.journal.segment import CORRUPT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from auditkit.reporting import Reporter

_LINE_START = re.compile(rb"(?=[0-9a-f]{64} \{)")  # also where the break before it was hit


def quarantine(path: Path, damaged: Sequence[bytes], reporter: Reporter) -> None:
    """Keep what does not verify beside its segment, durably, and count the records that it may have held.

    Every lane that reads the segment meets the same damage, or what of it lies behind its place: a line that is kept
    already is not counted again.

    Args:
        path: The segment.
        damaged: Its parts that do not verify. One without a line's end is what was being written when the writer
            died: nobody was told that it is recorded.
        reporter: Where it is counted and told.

    Raises:
        OSError: It cannot be kept (now), or another process is about to.
    """
    if not any(map(_lines, damaged)):
        return
    aside = path.with_suffix(CORRUPT)
    file = files.locked(aside, create=True)
    if file is None:  # not waited for: whoever has it may be stopped
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(aside))
    try:
        size = files.size(file)
        kept = set(files.read_at(file.fd, size, 0).splitlines(keepends=True))
        found = b"".join(line for part in damaged for line in part.splitlines(keepends=True) if line not in kept)
        files.write_at(file.fd, found, size)
        files.sync(file.fd)
    finally:
        files.close(file)
    files.sync_directory(path.parent)
    lost = _lines(found)
    if not lost:
        return
    reporter.count("corrupt", lost - 1)  # the report counts one
    reporter.report(
        "corrupt",
        f"{lost} damaged line(s) of {path} cannot be delivered, and are kept as {path.stem}{CORRUPT}",
        cause=path.name,
    )


def _lines(damaged: bytes) -> int:
    """Return how many whole lines damaged bytes held, as far as that can be seen; a torn one is none."""
    whole = damaged[: damaged.rfind(b"\n") + 1]
    return max(len(_LINE_START.findall(whole)), whole.count(b"\n"))
