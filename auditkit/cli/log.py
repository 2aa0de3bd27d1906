"""``auditkit log``: print a directory's trail."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditkit.cli.output import paint_for, say
from auditkit.configuration import DIRECTORY
from auditkit.errors import JournalUnavailable, LedgerError
from auditkit.ledger import LedgerReader
from auditkit.rendering import lines_of
from auditkit.trail import AuditTrail

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from auditkit.ledger import Entry
    from auditkit.rendering import Paint

_POLL = 0.5  # seconds between looks for new entries
_CATCH_UP = 10.0  # seconds that reading what a dead process left may take


def run(arguments: argparse.Namespace) -> int:
    """Print what matches; with ``--follow`` go on until interrupted."""
    directory = Path(arguments.directory or os.environ.get("AUDITKIT_DIRECTORY") or DIRECTORY)
    if not directory.is_dir():
        raise LedgerError(f"there is no audit directory {directory}; name one, or see one come to be: auditkit demo")
    catch_up(directory)
    reader = LedgerReader(directory)
    filters = {name: getattr(arguments, name) for name in ("actor", "action", "target", "group", "since", "until")}
    paint = paint_for(sys.stdout, arguments.color)
    end = reader.last_position()
    shown = _print(reader.events(**filters, limit=arguments.limit), arguments, paint)
    if not shown and not arguments.follow:
        say(sys.stderr, f"no event of {directory} matches")
    if arguments.follow:
        _follow(reader, end, filters, arguments, paint)
    return 0


def catch_up(directory: Path) -> None:
    """Put into the ledger what waits for it in the journal, as after a process was killed.

    Only where the directory remembers a ledger: one that nobody keeps must not begin to be waited for.
    """
    if not (directory / "lanes" / "ledger").is_dir():
        return
    try:
        trail = AuditTrail(directory=directory, secret=os.environ.get("AUDITKIT_SECRET") or None)
    except JournalUnavailable:
        return  # it may be read all the same
    trail.flush(_CATCH_UP)
    trail.shutdown(_CATCH_UP)


def _print(entries: Iterable[Entry], arguments: argparse.Namespace, paint: Paint) -> int:
    shown = 0
    for entry in entries:
        if arguments.json:
            say(sys.stdout, json.dumps({"position": entry.position, **entry.event.to_dict()}))
        else:
            say(sys.stdout, lines_of(entry.event, paint))
        shown += 1
    return shown


def _follow(
    reader: LedgerReader, after: int, filters: dict[str, Any], arguments: argparse.Namespace, paint: Paint
) -> None:
    pause = threading.Event()  # nobody sets it: waiting on it can be interrupted
    while True:
        end = reader.last_position()
        if end != after:
            _print(reader.after(after, **filters), arguments, paint)
            after = end
        pause.wait(_POLL)
