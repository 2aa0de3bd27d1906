"""``auditkit verify``: say whether a directory's records are as they were recorded."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from auditkit.cli import surroundings
from auditkit.errors import LedgerError
from auditkit.rendering import printable
from auditkit.trail.telling import REMEDIES
from auditkit.trail.verifying import verify_directory

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from auditkit.journal import JournalVerification
    from auditkit.ledger import Verification
    from auditkit.trail.verifying import DirectoryVerification

_KEYED = "A secret was used: an edit shows unless it was made by somebody who has the secret."
_UNKEYED = (
    "No secret was used: damage and careless edits show; somebody who may write the files can make the chain anew."
)
_ALWAYS = "What was cut off the end, or removed whole, shows only against a head that was kept elsewhere."


def run(arguments: argparse.Namespace) -> int:
    """Print what can be vouched for; 1 where a record is not as it was recorded, cannot be judged, or was put aside."""
    directory = Path(arguments.directory or surroundings.default_directory())
    if not directory.is_dir():
        raise LedgerError(f"there is no audit directory {directory}; name one")
    found = verify_directory(directory, secret=surroundings.secret())
    if arguments.json:
        print(json.dumps(dataclasses.asdict(found)))
    else:
        _show(found)
    return 0 if found.is_sound else 1


def _show(found: DirectoryVerification) -> None:
    ledger, journal = found.ledger, found.journal
    for line in (*_of_ledger(ledger), *_of_journal(journal), *_of_damage(found.set_aside)):
        print(printable(line))
    print(_KEYED if journal.signed or (ledger is not None and ledger.signed) else _UNKEYED)
    print(_ALWAYS)


def _of_ledger(ledger: Verification | None) -> list[str]:
    if ledger is None:
        return ["ledger: there is none"]
    lines = [f"ledger: {_count(ledger.checked, 'entry', 'entries')} as recorded, {ledger.signed} signed"]
    if ledger.checked:
        lines.append(f"ledger: head {ledger.head}")
    if ledger.first_bad is not None:
        bad = ledger.first_bad
        lines.append(f"ledger: BAD: entry {bad.position}{f' ({bad.id})' if bad.id else ''} {bad.reason}")
    return lines


def _of_journal(journal: JournalVerification) -> list[str]:
    segments = _count(journal.segments, "segment", "segments")
    lines = [f"journal: {_count(journal.records, 'event', 'events')} in {segments} as written, {journal.signed} signed"]
    if journal.first_bad is not None:
        bad = journal.first_bad
        lines.append(f"journal: BAD: segment {bad.name} {bad.reason} (byte {bad.offset})")
    lines += [f"journal: segment {name} needs another secret: set AUDITKIT_SECRET" for name in journal.unknown]
    return lines


def _of_damage(set_aside: Sequence[str]) -> list[str]:
    lines = [f"put aside: {name} holds what damage hit" for name in set_aside]
    return [*lines, f"  -> {REMEDIES['corrupt']}"] if lines else []


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
