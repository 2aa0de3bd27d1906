"""What becomes of a segment whose writer died: judged, synced, ended and closed by whoever takes its lock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.journal import frames
from auditkit.journal.segment import CLOSED, CORRUPT, NEW

if TYPE_CHECKING:
    from pathlib import Path

    from auditkit.reporting import Reporter


def adopt(path: Path, keys: frames.Keys, reporter: Reporter) -> bool:
    """Close an open segment if its writer is gone.

    Only who holds the write lock may judge a line that does not verify: while the writer lives it may be
    half written. What was being written when the writer died was never acknowledged, and is cut off.

    Returns:
        Whether it was adopted; False where its writer lives, somebody else was faster, or it is not ours.
    """
    held = files.locked(path)
    if held is None:
        return False
    try:
        descriptor = files.open_existing(path)
        try:
            return _close(path, descriptor, keys, reporter)
        finally:
            files.close(descriptor)
    except OSError as error:
        reporter.report("adoption_failed", f"cannot take over {path}: {error.strerror}", cause=path.name, error=error)
        return False
    finally:
        files.close(held)


def _close(path: Path, descriptor: int, keys: frames.Keys, reporter: Reporter) -> bool:
    data = files.read_at(descriptor, os.fstat(descriptor).st_size, 0)
    try:
        chain = keys.of(data)
    except ValueError as error:
        return _without_header(path, data, reporter, str(error))
    if chain is None:
        reporter.report(
            "secret_unknown",
            f"{path} was written with a secret that this process does not have; set AUDITKIT_SECRET",
            cause=path.name,
        )
        return False
    last, records, lost = frames.Frame(b"", frames.START, 0), -1, 0
    for found in frames.resynchronise(data, frames.START, chain):
        if isinstance(found, frames.Damage):
            lost += _quarantine(path, data, found)
        else:
            last, records = found, records + 1
    if lost:
        reporter.report("corrupt", f"{lost} damaged line(s) of {path} were put into {path.stem}{CORRUPT}", cause=path.name)
    if not last.is_end:
        body = frames.end(records)
        files.write_at(descriptor, frames.frame(chain.link(last.head, body), body), last.end)
        os.ftruncate(descriptor, last.end + frames.OVERHEAD + len(body))
    else:
        os.ftruncate(descriptor, last.end)
    files.sync(descriptor)
    path.rename(path.with_suffix(CLOSED))
    files.sync_directory(path.parent)
    return True


def _without_header(path: Path, data: bytes, reporter: Reporter, reason: str) -> bool:
    """Put aside a file that does not begin as a segment; leave one of a newer format alone."""
    if not reason.startswith("format"):
        path.rename(path.with_suffix(CORRUPT))
        reporter.count("corrupt", data.count(b"\n"))
    reporter.report("unreadable_segment", f"{path} is not a segment that can be read: {reason}", cause=path.name)
    return False


def _quarantine(path: Path, data: bytes, damage: frames.Damage) -> int:
    """Keep damaged bytes beside the segment; return how many whole lines they were."""
    with path.with_suffix(CORRUPT).open("ab") as file:
        os.chmod(file.fileno(), 0o600)
        file.write(data[damage.start : damage.end])
    return data.count(b"\n", damage.start, damage.end)


def sweep(directory: Path) -> None:
    """Remove segments that were prepared by processes that are gone."""
    for path in directory.glob(f".*{NEW}"):
        held = files.locked(path)
        if held is not None:
            path.unlink(missing_ok=True)
            files.close(held)
