"""``auditkit log``: print a directory's trail."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditkit.cli import surroundings
from auditkit.cli.output import Listing, say
from auditkit.errors import LedgerError
from auditkit.files import home
from auditkit.journal import possible_duplicates
from auditkit.ledger import LedgerReader
from auditkit.rendering import printable
from auditkit.trail.catching_up import catch_up

if TYPE_CHECKING:
    import argparse

_POLL = 0.5  # seconds between looks for new entries
_POLLS = 4  # looks at the ledger for each one at the journal
_CATCH_UP = 10.0  # seconds that reading what a dead process left may take


def run(arguments: argparse.Namespace) -> int:
    """Print what matches; with ``--follow`` go on until interrupted."""
    directory = Path(arguments.directory or arguments.named or surroundings.default_directory())
    if not directory.is_dir():
        raise LedgerError(f"there is no audit directory {directory}; name one, or see one come to be: auditkit demo")
    caught_up = _catch_up(directory)
    reader = LedgerReader(directory)
    filters = {name: getattr(arguments, name) for name in ("actor", "action", "target", "group", "since", "until")}
    listing = Listing(
        sys.stdout,
        color=arguments.color,
        as_json=arguments.json,
        group=arguments.group,
        doubts=possible_duplicates(home(directory)),
    )
    end = reader.last_position()
    last = listing.show(reader.events(**filters, limit=arguments.limit))
    if not last and not arguments.follow:
        say(sys.stderr, f"no event of {printable(str(directory))} matches")
    if arguments.follow:
        _follow(reader, max(end, last), filters, listing, directory if caught_up else None)
    return 0


def _catch_up(directory: Path) -> bool:
    caught_up = catch_up(
        directory, secret=surroundings.secret(), shared_group=surroundings.shared_group(), timeout=_CATCH_UP
    )
    if not caught_up:
        say(sys.stderr, f"auditkit: some events may still wait in the journal of {printable(str(directory))}")
    return caught_up


def _follow(reader: LedgerReader, after: int, filters: dict[str, Any], listing: Listing, journal: Path | None) -> None:
    """Print what comes, until interrupted.

    Args:
        reader: The ledger's.
        after: The position after which what is there was not printed yet.
        filters: What is asked for.
        listing: Where it is printed.
        journal: The directory whose journal is looked at too, until that fails once: what a process that is
            killed meanwhile leaves is shown. Only in passing, so that who is stopped here holds nobody up.
    """
    pause = threading.Event()  # nobody sets it: waiting on it can be interrupted
    polls = 0
    while True:
        end = reader.last_position()
        if end != after:  # before it where a ledger was begun anew
            # More may be recorded while the entries are read: what was printed is not printed again.
            after = max(end, listing.show(reader.after(after, **filters)))
        pause.wait(_POLL)
        polls += 1
        if journal is not None and polls % _POLLS == 0 and not _catch_up(journal):
            journal = None
