"""``auditkit verify``: say whether a directory's records are as they were recorded."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from auditkit.cli import surroundings
from auditkit.errors import LedgerError
from auditkit.rendering import printable
from auditkit.trail.verifying import verify_directory

if TYPE_CHECKING:
    import argparse

    from auditkit.journal import JournalVerification
    from auditkit.ledger import Verification

_KEYED = "A secret was used: an edit shows unless it was made by somebody who has the secret."
_UNKEYED = (
    "No secret was used: damage and careless edits show; somebody who may write the files can make the chain anew."
)
_ALWAYS = "What was cut off the end, or removed whole, shows only against a head that was kept elsewhere."


def run(arguments: argparse.Namespace) -> int:
    """Print what can be vouched for; 1 where a record is not as it was recorded, or cannot be judged."""
    directory = Path(arguments.directory or surroundings.default_directory())
    if not directory.is_dir():
        raise LedgerError(f"there is no audit directory {directory}; name one")
    ledger, journal = verify_directory(directory, secret=surroundings.secret())
    if arguments.json:
        print(json.dumps({"ledger": _plain(ledger), "journal": _plain(journal)}))
    else:
        for line in (*_of_ledger(ledger), *_of_journal(journal)):
            print(printable(line))
        print(_KEYED if journal.signed or (ledger is not None and ledger.signed) else _UNKEYED)
        print(_ALWAYS)
    is_sound = (ledger is None or ledger.first_bad is None) and journal.first_bad is None
    return 0 if is_sound and not journal.unknown else 1


def _plain(found: Verification | JournalVerification | None) -> dict[str, object] | None:
    return None if found is None else dataclasses.asdict(found)


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
    lines += [f"journal: {name} holds damage that was found and put aside" for name in journal.set_aside]
    return lines


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
