"""``auditkit destinations``: for whom a directory keeps events, and forgetting one that nobody needs any more."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from auditkit.cli import surroundings
from auditkit.cli.consent import ask
from auditkit.cli.output import say
from auditkit.cli.table import table
from auditkit.rendering import printable
from auditkit.trail.forgetting import forget
from auditkit.trail.status import status_of

if TYPE_CHECKING:
    import argparse

    from auditkit.trail.outlook import DestinationStatus

_HEAD = ("DESTINATION", "PENDING", "DEAD LETTERS", "WORKED BY")


def run(arguments: argparse.Namespace) -> int:
    """List, or drop."""
    directory = arguments.directory or getattr(arguments, "named", None) or surroundings.default_directory()
    if arguments.verb == "drop":
        _drop(directory, arguments.name, sure=arguments.yes)
    else:
        _list(directory, as_json=arguments.json)
    return 0


def _list(directory: str, *, as_json: bool) -> None:
    found = status_of(directory).destinations
    if as_json:
        for name, each in found.items():
            say(sys.stdout, json.dumps(_plain(name, each)))
        return
    rows = [_row(name, each) for name, each in found.items()]
    for line in table(_HEAD, rows) if rows else ():
        say(sys.stdout, line)
    if not rows:
        say(sys.stderr, "it keeps events for no destination")


def _drop(directory: str, name: str, *, sure: bool) -> None:
    found = status_of(directory).destinations.get(name)
    if found is not None and not found.workers and not sure:  # else it is refused below, and nobody need be asked
        question = f"Drop {printable(name)} for good? It never gets the events that wait for it."
        ask("drop a destination for good", table(_HEAD, [_row(name, found)]), question)
    lost = forget(directory, name)
    letters = f"; kept: {_count(found.dead_letters, 'dead letter')}" if found and found.dead_letters else ""
    say(sys.stdout, printable(f"{name}: dropped, with {_count(lost, 'event')} that it had still to take{letters}"))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def _row(name: str, stands: DestinationStatus) -> tuple[str, ...]:
    workers = ", ".join(f"process {each.pid} on {each.host}" for each in stands.workers)
    return name, str(stands.pending), str(stands.dead_letters), workers or "nobody"


def _plain(name: str, stands: DestinationStatus) -> dict[str, object]:
    return {
        "destination": name,
        "pending": stands.pending,
        "dead_letters": stands.dead_letters,
        "workers": [{"host": each.host, "pid": each.pid} for each in stands.workers],
    }
