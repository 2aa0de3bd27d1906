"""``auditkit dead``: what destinations refused for good, to be looked at, put back or dropped."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from auditkit.cli import surroundings
from auditkit.cli.consent import ask
from auditkit.cli.output import paint_for, say
from auditkit.cli.table import table
from auditkit.errors import AuditError, ConfigurationError
from auditkit.redaction import Redactor
from auditkit.rendering import lines_of, printable
from auditkit.trail.dead_letters import DeadLetters

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from auditkit.journal import Letter

_HEAD = ("DESTINATION", "REFUSED AT", "ACTION", "ID", "REASON")
_SHOWN = 20  # letters that are shown before they are dropped
_NOTHING = 2  # the exit status where nothing could be done


def run(arguments: argparse.Namespace) -> int:
    """List, show, requeue or drop; 1 where not all that was asked for could be, 2 where nothing."""
    directory = arguments.directory or getattr(arguments, "named", None) or surroundings.default_directory()
    letters = DeadLetters(directory, secret=surroundings.secret(), destination=arguments.destination)
    for name in letters.interrupted():
        say(
            sys.stderr,
            f"auditkit: events are being put back for {name}; where a requeue was killed, the next delivery to it, or "
            "the next requeue, goes on",
        )
    return int(_VERBS[arguments.verb](letters, arguments))


def _list(letters: DeadLetters, arguments: argparse.Namespace) -> bool:
    if arguments.json:
        for letter in letters:
            say(sys.stdout, json.dumps(_plain(letter)))
        return False
    rows = [_row(letter) for letter in letters]
    for line in table(_HEAD, rows) if rows else ():
        say(sys.stdout, line)
    if not rows:
        say(sys.stderr, "there are no dead letters")
    return False


def _show(letters: DeadLetters, arguments: argparse.Namespace) -> bool:
    found = [letter for letter in letters if letter.id == arguments.id]
    paint = paint_for(sys.stdout, arguments.color)
    for letter in found:
        if arguments.json:
            say(sys.stdout, json.dumps(_plain(letter)))
            continue
        for name, told in (("destination", letter.destination), ("refused at", letter.at), ("reason", _reason(letter))):
            say(sys.stdout, f"{paint('dim', name + ':')} {printable(told)}")
        text = letter.line.decode("utf-8", "replace").rstrip("\n")
        say(sys.stdout, lines_of(letter.event, paint, group=True) if letter.event else printable(text))
    return _missing([arguments.id], {letter.id for letter in found})


def _requeue(letters: DeadLetters, arguments: argparse.Namespace) -> int:
    """Put back what can be, for each destination apart; 2 where nothing of what was asked for can be."""
    ids = _asked(arguments)
    done: set[str] = set()
    stays: set[str] = set()
    for name in letters.destinations:
        concerned = _concerned(letters, name, ids)
        if not concerned:
            continue
        try:
            requeued = letters.requeue(name, ids)
        except AuditError as error:
            stays |= concerned
            say(sys.stderr, f"auditkit: {printable(str(error))}")
            continue
        done.update(requeued.ids)
        say(sys.stdout, f"{name}: {len(requeued.ids)} requeued")
        for letter in requeued.unreadable:
            stays.add(letter.id)
            done.add(letter.id)
            say(sys.stderr, f"auditkit: {letter.id} holds no event that can be delivered: look at it, and drop it")
    if not done and not stays and ids is None:
        say(sys.stderr, "there are no dead letters")
    missing = _missing(ids or (), done | stays)
    return _NOTHING if stays and not done else int(missing or bool(stays))


def _drop(letters: DeadLetters, arguments: argparse.Namespace) -> bool:
    ids = _asked(arguments)
    found: dict[str, dict[str, Letter]] = {}
    for letter in letters:
        if ids is None or letter.id in ids:
            found.setdefault(letter.destination, {})[letter.id] = letter
    number = sum(map(len, found.values()))
    if number and not arguments.yes:
        _confirm([letter for each in found.values() for letter in each.values()])
    for name, chosen in found.items():
        say(sys.stdout, f"{name}: {len(letters.drop(name, chosen))} dropped")
    if not number and ids is None:
        say(sys.stderr, "there are no dead letters")
    return _missing(ids or (), {each for chosen in found.values() for each in chosen})


_VERBS = {"list": _list, "show": _show, "requeue": _requeue, "drop": _drop}


def _asked(arguments: argparse.Namespace) -> frozenset[str] | None:
    """Return the ids that were named; None for all."""
    if bool(arguments.ids) == arguments.all:
        raise ConfigurationError(f"auditkit dead {arguments.verb} takes ids, or --all, and not both")
    return None if arguments.all else frozenset(arguments.ids)


def _concerned(letters: DeadLetters, destination: str, ids: frozenset[str] | None) -> set[str]:
    return {each.id for each in letters if each.destination == destination and (ids is None or each.id in ids)}


def _missing(ids: Iterable[str], found: set[str]) -> bool:
    """Say which ids are not among the dead letters; return whether any is not."""
    missing = sorted(set(ids) - found)
    for each in missing:
        say(sys.stderr, f"auditkit: there is no dead letter {printable(each)}")
    return bool(missing)


def _confirm(letters: list[Letter]) -> None:
    lines = [*table(_HEAD, [_row(letter) for letter in letters[:_SHOWN]])]
    if len(letters) > _SHOWN:
        lines.append(f"and {len(letters) - _SHOWN} more")
    question = f"Drop {len(letters)} for good? The destination never gets them; the ledger keeps its own."
    ask("drop dead letters for good", lines, question)


def _row(letter: Letter) -> tuple[str, ...]:
    action = letter.event.action if letter.event else "(no event)"
    return letter.destination, letter.at, action, letter.id, _reason(letter)


def _reason(letter: Letter) -> str:
    return Redactor().text(letter.reason)  # a transport's own words: whoever wrote it may have forgotten to


def _plain(letter: Letter) -> dict[str, object]:
    return {
        "destination": letter.destination,
        "id": letter.id,
        "at": letter.at,
        "reason": _reason(letter),
        "event": letter.event.to_dict() if letter.event else None,
    }
