"""``auditkit log``: print a directory's trail."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditkit.cli.catching_up import catch_up
from auditkit.cli.output import paint_for, say
from auditkit.configuration import DIRECTORY
from auditkit.errors import LedgerError
from auditkit.ledger import LedgerReader
from auditkit.rendering import lines_of, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from auditkit.ledger import Entry
    from auditkit.rendering import Paint

_POLL = 0.5  # seconds between looks for new entries
_CATCH_UP = 10.0  # seconds that reading what a dead process left may take


def default_directory() -> str:
    """Return the directory that is read when none is named."""
    return os.environ.get("AUDITKIT_DIRECTORY") or DIRECTORY


def run(arguments: argparse.Namespace) -> int:
    """Print what matches; with ``--follow`` go on until interrupted."""
    directory = Path(arguments.directory or default_directory())
    if not directory.is_dir():
        raise LedgerError(f"there is no audit directory {directory}; name one, or see one come to be: auditkit demo")
    if not catch_up(directory, _CATCH_UP):
        say(sys.stderr, f"auditkit: some events may still wait in the journal of {printable(str(directory))}")
    reader = LedgerReader(directory)
    filters = {name: getattr(arguments, name) for name in ("actor", "action", "target", "group", "since", "until")}
    paint = paint_for(sys.stdout, arguments.color)
    end = reader.last_position()
    last = _print(reader.events(**filters, limit=arguments.limit), arguments, paint)
    if not last and not arguments.follow:
        say(sys.stderr, f"no event of {printable(str(directory))} matches")
    if arguments.follow:
        _follow(reader, max(end, last), filters, arguments, paint)
    return 0


def _print(entries: Iterable[Entry], arguments: argparse.Namespace, paint: Paint) -> int:
    """Print entries, and return the position of the last one; 0 when there was none."""
    last = 0
    for entry in entries:
        if arguments.json:
            say(sys.stdout, json.dumps({"position": entry.position, **entry.event.to_dict()}))
        else:
            say(sys.stdout, lines_of(entry.event, paint))
        last = entry.position
    return last


def _follow(
    reader: LedgerReader, after: int, filters: dict[str, Any], arguments: argparse.Namespace, paint: Paint
) -> None:
    pause = threading.Event()  # nobody sets it: waiting on it can be interrupted
    while True:
        end = reader.last_position()
        if end != after:  # before it where a ledger was begun anew
            # More may be recorded while the entries are read: what was printed is not printed again.
            after = max(end, _print(reader.after(after, **filters), arguments, paint))
        pause.wait(_POLL)
