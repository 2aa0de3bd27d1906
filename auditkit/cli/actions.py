"""``auditkit actions``: print what a service audits, or compare it with what was kept."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditkit.capture.registered import registered_actions
from auditkit.cli.catalogue import conflicts, difference, document, names_of, text_of
from auditkit.cli.importing import import_modules, is_within
from auditkit.cli.output import say
from auditkit.cli.place import place
from auditkit.cli.spelling import spelling
from auditkit.cli.table import table
from auditkit.errors import ConfigurationError
from auditkit.rendering import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from auditkit.capture.registered import RegisteredAction

_HEAD = ("action", "type", "function", "location")


def run(arguments: argparse.Namespace) -> int:
    """Print the catalogue; with ``--check`` return 1 when it is not the one that was kept."""
    modules = arguments.modules
    import_modules(modules)
    actions = [each for each in registered_actions() if is_within(each.module, modules)]
    for conflict in conflicts(actions):
        say(sys.stderr, f"auditkit: warning: {printable(conflict)}")
    if arguments.check is not None:
        return _check(document(actions), Path(arguments.check), modules)
    if arguments.json:
        say(sys.stdout, text_of(document(actions)))
    elif actions:
        _print(actions)
    else:
        say(sys.stderr, f"no function of {' '.join(modules)} is audited")
    return 0


def _print(actions: Sequence[RegisteredAction]) -> None:
    rows = [
        (name, str(each.action_type), each.name, place(each.file, each.line))
        for each in actions
        for name in names_of(each)
    ]
    for line in table(_HEAD, sorted(rows)):
        say(sys.stdout, line)


def _check(now: list[dict[str, Any]], path: Path, modules: Sequence[str]) -> int:
    kept = _read(path)
    if kept == now:
        say(sys.stdout, f"{printable(str(path))} is up to date")
        return 0
    for line in difference(kept, now, (str(path), " ".join(modules))):
        say(sys.stdout, printable(line))
    say(sys.stderr, f"auditkit: {_remedy(path, modules)}")
    return 1


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not a catalogue in JSON: {error}") from None


def _remedy(path: Path, modules: Sequence[str]) -> str:
    command = spelling(sys.argv, sys.orig_argv, sys.executable)
    kept = printable(shlex.quote(str(path)))
    return f"if this is what it should be: {command} actions {' '.join(modules)} --json > {kept}"
