"""``auditkit status``: say how each destination of a directory stands, and what is wrong."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from auditkit.cli import surroundings
from auditkit.cli.output import say
from auditkit.cli.table import table
from auditkit.event import instant_of, wire_text
from auditkit.redaction import Redactor
from auditkit.rendering import printable
from auditkit.trail.outlook import full_in, lasting
from auditkit.trail.status import status_of

if TYPE_CHECKING:
    import argparse

    from auditkit.journal import Worker
    from auditkit.trail.outlook import DestinationStatus
    from auditkit.trail.status import Status
    from auditkit.trail.telling import Problem

_HEAD = ("DESTINATION", "PENDING", "OLDEST", "RATE", "DEAD LETTERS", "PROCESSES", "HEALTH", "LAST ERROR")


def run(arguments: argparse.Namespace) -> int:
    """Print how everything stands; 1 where there is a problem."""
    found = status_of(arguments.directory or surroundings.default_directory())
    if arguments.json:
        say(sys.stdout, json.dumps(_plain(found)))
    else:
        _show(found)
    return 0 if found.health.ok else 1


def _show(found: Status) -> None:
    rows = [_row(name, each, found) for name, each in found.destinations.items()]
    for line in table(_HEAD, rows) if rows else ("it keeps events for no destination",):
        say(sys.stdout, line)
    limit = f" of {found.journal.max_bytes}" if found.journal.max_bytes else ""
    say(sys.stdout, f"journal: {found.journal.bytes}{limit} bytes")
    for problem in found.health.problems:
        since = f"{problem.since:%Y-%m-%d %H:%M:%S}Z"
        say(sys.stdout, printable(f"{problem.code} since {since}: {_redacted(problem.text)}"))
        say(sys.stdout, f"  -> {printable(problem.remedy)}")


def _row(name: str, stands: DestinationStatus, found: Status) -> tuple[str, ...]:
    codes = [problem.code for problem in found.health.problems if problem.destination == name]
    return (
        name,
        str(stands.pending),
        lasting(stands.waits(found.at_ns)) if stands.oldest_ns else "-",
        f"{stands.rate:g}/s",
        str(stands.dead_letters),
        str(len(stands.workers)),
        ", ".join(codes) or "ok",
        _redacted(stands.trouble) or "-",
    )


def _redacted(text: str) -> str:
    return Redactor().text(text)  # another release may have written it


def _plain(found: Status) -> dict[str, object]:
    return {
        "ok": found.health.ok,
        "at": _instant(found.at_ns),
        "journal": _journal(found),
        "destinations": {name: _destination(each, found.at_ns) for name, each in found.destinations.items()},
        "problems": [_problem(each) for each in found.health.problems],
    }


def _journal(found: Status) -> dict[str, object]:
    seconds = full_in(found.destinations, found.journal, found.at_ns)
    return {
        "bytes": found.journal.bytes,
        "max_bytes": found.journal.max_bytes,
        "full_in_seconds": None if seconds is None else round(seconds),
    }


def _destination(stands: DestinationStatus, at_ns: int) -> dict[str, object]:
    return {
        "pending": stands.pending,
        "oldest": _instant(stands.oldest_ns),
        "oldest_seconds": round(stands.waits(at_ns), 3),
        "rate": stands.rate,
        "dead_letters": stands.dead_letters,
        "possible_duplicates": stands.possible_duplicates,
        "code": stands.code,
        "trouble": _redacted(stands.trouble),
        "since": _instant(stands.since_ns),
        "accepted": _instant(stands.accepted_ns),
        "workers": [_worker(each) for each in stands.workers],
    }


def _worker(worker: Worker) -> dict[str, object]:
    return {
        "host": worker.host,
        "pid": worker.pid,
        "since": _instant(worker.since_ns),
        "told": _instant(worker.told_ns),
        "delivered": worker.standing.delivered,
        "failures": worker.standing.failures,
        "rate": worker.standing.rate,
    }


def _problem(problem: Problem) -> dict[str, object]:
    return {
        "code": problem.code,
        "destination": problem.destination,
        "since": wire_text(problem.since),
        "text": _redacted(problem.text),
        "remedy": problem.remedy,
    }


def _instant(time_ns: int) -> str | None:
    return wire_text(instant_of(time_ns)) if time_ns else None
