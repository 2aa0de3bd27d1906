"""The command ``auditkit``, also ``python -m auditkit``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from auditkit.cli import demo, log
from auditkit.cli.parser import build_parser
from auditkit.errors import AuditError
from auditkit.rendering import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMANDS = {"demo": demo.run, "log": log.run}
_TROUBLE, _INTERRUPTED = 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        argv: What was typed after ``auditkit``; the process's own arguments by default.

    Returns:
        0 when it did what was asked, 1 when not all of it, 2 when it could not begin, 130 when interrupted.
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.version:
        from auditkit import __version__  # noqa: PLC0415  (looked up only when asked for)

        print(__version__)  # noqa: T201  (what was asked for)
        return 0
    if arguments.command is None:
        parser.print_help()
        return 0
    try:
        return _COMMANDS[arguments.command](arguments)
    except AuditError as error:
        print(f"auditkit: {printable(str(error))}", file=sys.stderr)  # noqa: T201  (the command's own answer)
        return _TROUBLE
    except KeyboardInterrupt:
        return 0 if getattr(arguments, "follow", False) else _INTERRUPTED
    except BrokenPipeError:
        # Whoever read has gone, as `head` does. Nothing more may be written, not even when Python flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
