"""Verify a journal: what waits in its segments is as it was written, as far as that can be told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditkit import files
from auditkit.journal import frames
from auditkit.journal.segment import CLOSED, OPEN, open_segment

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BadSegment:
    """The first segment that is not as it was written.

    Attributes:
        name: The segment's.
        offset: Where in its file what is bad begins, in bytes.
        reason: What is wrong, to be read after "segment <name>".
    """

    name: str
    offset: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalVerification:
    """What can be vouched for of what waits.

    A segment that is gone was passed by every destination, or removed by somebody: the journal cannot tell.

    Attributes:
        segments: How many segments are as they were written.
        records: How many events they hold.
        signed: How many of the segments were signed with one of the secrets given.
        unknown: Segments that were signed with another secret, and cannot be judged.
        first_bad: The first one that is not as it was written, or None.
    """

    segments: int
    records: int
    signed: int
    unknown: tuple[str, ...]
    first_bad: BadSegment | None


def verify(directory: Path, keys: frames.Keys) -> JournalVerification:
    """Read every segment of an audit directory to its end. Changes nothing, and waits for nobody.

    Args:
        directory: The audit directory.
        keys: The chains' keys.

    Raises:
        OSError: The directory or a segment cannot be read.
    """
    listing = files.listing(directory / "journal")
    segments = records = signed = 0
    unknown: list[str] = []
    first_bad: BadSegment | None = None
    for name in sorted({path.stem for path in listing if path.suffix in {OPEN, CLOSED}}):
        try:
            found = _judge(directory / "journal", name, keys)
        except FileNotFoundError:  # every destination has passed it meanwhile
            continue
        if isinstance(found, BadSegment):
            first_bad = first_bad or found
        elif found is None:
            unknown.append(name)
        else:
            segments, records, signed = segments + 1, records + found[0], signed + found[1]
    return JournalVerification(
        segments=segments, records=records, signed=signed, unknown=tuple(unknown), first_bad=first_bad
    )


def _judge(directory: Path, name: str, keys: frames.Keys) -> tuple[int, bool] | BadSegment | None:
    """Return a segment's records and whether it is signed, what is wrong with it, or None where nobody can tell."""
    is_open = (directory / f"{name}{OPEN}").exists()  # before it is read: it may be closed meanwhile, never opened
    file = open_segment(directory, name)
    try:
        data = files.read_at(file.fd, files.size(file), 0).rstrip(b"\0")
    finally:
        files.close(file)
    try:
        chain = keys.of(data)
    except ValueError as error:
        return BadSegment(name=name, offset=0, reason=f"is none that can be read: {error}")
    if chain is None:
        return None
    at = records = 0
    stated: int | None = None
    for frame in frames.read_frames(data, frames.START, chain):
        if stated is not None:
            return BadSegment(name=name, offset=at, reason="goes on after the line that ended it")
        at = frame.end
        if frame.is_end:
            stated = json.loads(frame.body)["end"]
        elif not frame.is_header:
            records += 1
    wrong = _end_of(data[at:], records, stated, is_open=is_open)
    return BadSegment(name=name, offset=at, reason=wrong) if wrong else (records, chain.key_id is not None)


def _end_of(rest: bytes, records: int, stated: int | None, *, is_open: bool) -> str:
    """Return what is wrong with how a segment ends; its writer may be in the middle of a line."""
    if b"\n" in rest or (rest and not is_open):
        return "was changed: a line does not verify"
    if stated is None and not is_open:
        return "was cut: it does not say where it ends"
    if stated is not None and stated != records:
        return f"holds {records} events, and says that it holds {stated}"
    return ""
