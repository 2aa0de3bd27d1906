"""``auditkit uncovered``: print the public functions that are not audited."""

from __future__ import annotations

import json
import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from auditkit.cli.importing import import_modules
from auditkit.cli.output import say
from auditkit.cli.place import place, short
from auditkit.cli.surface import public_functions
from auditkit.cli.table import table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from auditkit.cli.surface import PublicFunction


def run(arguments: argparse.Namespace) -> int:
    """Print what is not audited, and return 1 if there is anything."""
    functions = [
        each
        for each in public_functions(import_modules(arguments.modules))
        if not any(fnmatchcase(each.name, pattern) for pattern in arguments.ignore)
    ]
    missing = [each for each in functions if not each.audited]
    if arguments.json:
        told = [{"function": each.name, "file": short(each.file), "line": each.line} for each in missing]
        say(sys.stdout, json.dumps(told, indent=2))
    elif missing:
        _print(missing)
    say(sys.stderr, _summary(len(missing), len(functions), " ".join(arguments.modules)))
    return 1 if missing else 0


def _print(missing: Sequence[PublicFunction]) -> None:
    for line in table(("function", "location"), [(each.name, place(each.file, each.line)) for each in missing]):
        say(sys.stdout, line)


def _summary(missing: int, functions: int, modules: str) -> str:
    if not functions:
        return f"there is no public function in {modules}"
    if not missing:
        return f"every public function of {modules} is audited: {functions}"
    return f"{missing} of {functions} public functions of {modules} are not audited"
