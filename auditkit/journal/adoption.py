"""What becomes of a segment whose writer died: judged, synced, ended and closed by whoever takes its lock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.journal import frames
from auditkit.journal.quarantine import quarantine
from auditkit.journal.segment import CLOSED, CORRUPT, NEW

if TYPE_CHECKING:
    from pathlib import Path

    from auditkit.reporting import Reporter


def adopt(path: Path, keys: frames.Keys, reporter: Reporter) -> bool | None:
    """Close an open segment if its writer is gone.

    Only who holds the write lock may judge a line that does not verify: while the writer lives it may be
    half written. What was being written when the writer died was never acknowledged, and is cut off.

    Returns:
        Whether it was adopted; False where its writer lives, somebody else was faster, or it is not ours; None
        where its writer is gone and this process cannot read it.
    """
    try:
        lock = files.locked(path)
        if lock is None:
            return False
        try:
            file = files.open_existing(path)
            try:
                return _close(path, file, keys, reporter)
            finally:
                files.close(file)
        finally:
            files.close(lock)
    except OSError as error:
        reporter.report("adoption_failed", f"cannot take over {path}: {error.strerror}", cause=path.name, error=error)
        return False


def _close(path: Path, file: files.Handle, keys: frames.Keys, reporter: Reporter) -> bool | None:
    data = files.read_at(file.fd, files.size(file), 0)
    try:
        chain = keys.of(data)
    except ValueError as error:
        _put_aside(path, data, reporter, error)
        return False
    if chain is None:
        reporter.report(
            "secret_unknown",
            f"{path} was written with a secret that this process does not have; set AUDITKIT_SECRET",
            cause=path.name,
        )
        return None
    head, end, records, ended = frames.START, 0, 0, False
    damaged: list[bytes] = []
    for found in frames.resynchronise(data, frames.START, chain):
        if isinstance(found, frames.Damage):
            damaged.append(found.of(data))
            continue
        head, end, ended = found.head, found.end, found.is_end
        records += not (found.is_end or found.is_header)
    quarantine(path, damaged, reporter)
    if not ended:
        body = frames.end(records)
        line = frames.line(chain.link(head, body), body)
        files.write_at(file.fd, line, end)
        end += len(line)
    os.ftruncate(file.fd, end)
    files.sync(file.fd)
    path.rename(path.with_suffix(CLOSED))
    files.sync_directory(path.parent)
    return True


def _put_aside(path: Path, data: bytes, reporter: Reporter, error: ValueError) -> None:
    """Rename a file that is no segment, so that nobody looks at it again; leave one of a newer format alone."""
    if not data.strip(b"\0"):  # a power cut came before its first sync: nothing of it ever reached the device
        path.unlink(missing_ok=True)
        return
    if not isinstance(error, frames.NewerFormat):
        path.rename(path.with_suffix(CORRUPT))
        reporter.count("corrupt", data.count(b"\n"))
    reporter.report("unreadable_segment", f"{path} is not a segment that can be read: {error}", cause=path.name)


def sweep(directory: Path) -> None:
    """Remove segments that were prepared by processes that are gone."""
    for path in files.listing(directory):
        lock = files.locked(path) if path.suffix == NEW else None
        if lock is not None:
            try:
                path.unlink(missing_ok=True)
            finally:
                files.close(lock)
