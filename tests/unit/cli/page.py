"""The command line's page, made from its parser: ``python -m tests.unit.cli.page > docs/reference/cli.md``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from auditkit.cli.parser import build_parser

if TYPE_CHECKING:
    from collections.abc import Iterator


def page() -> str:
    """Return the page's Markdown."""
    parts = [
        "# Command line\n",
        "`auditkit` and `python -m auditkit` are the same. Exit status: 0 when it did what was asked, 1 when not all of",
        "it, 2 when it could not be done, 130 when interrupted.\n",
        "This page is made from the parser: `python -m tests.unit.cli.page > docs/reference/cli.md`.\n",
    ]
    parser = build_parser()
    flags = [action for action in parser._actions if action.dest != "help" and action.option_strings]
    parts += [f"`auditkit {' '.join(action.option_strings)}`: {action.help}.\n" for action in flags]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                parts.extend(_section(name, command))
    return "\n".join(parts)


def _section(name: str, command: argparse.ArgumentParser, level: str = "##") -> Iterator[str]:
    yield f"{level} `auditkit {name}`\n"
    yield f"{(command.description or '').strip()}\n"
    actions = [action for action in command._actions if not isinstance(action, argparse._HelpAction)]
    verbs = [action for action in actions if isinstance(action, argparse._SubParsersAction)]
    if verbs:
        yield from _examples(command)
        for verb, parser in verbs[0].choices.items():
            yield from _section(f"{name} {verb}", parser, f"{level}#")
        return
    yield "| argument | meaning |\n|---|---|"
    for action in actions:
        words = " ".join(action.option_strings) or str(action.metavar)
        takes = "" if action.nargs == 0 or not action.option_strings else f" {_value(action)}"
        yield f"| `{words}{takes}` | {action.help} |"
    yield ""
    yield from _examples(command)


def _examples(command: argparse.ArgumentParser) -> Iterator[str]:
    if command.epilog:
        title, *examples = command.epilog.strip().splitlines()
        yield "\n".join([f"{title.capitalize()}\n", "```text", *map(str.strip, examples), "```\n"])


def _value(action: argparse.Action) -> str:
    return str(action.metavar or "{" + ",".join(map(str, action.choices or ())) + "}")


if __name__ == "__main__":
    sys.stdout.write(page())
