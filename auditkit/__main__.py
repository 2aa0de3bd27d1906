"""The command ``auditkit``, also ``python -m auditkit``."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from auditkit.cli.parser import build_parser, with_verb
from auditkit.errors import AuditError, ConfigurationError
from auditkit.rendering import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_TROUBLE, _INTERRUPTED = 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        argv: What was typed after ``auditkit``; the process's own arguments by default.

    Returns:
        0 when it did what was asked, 1 when not all of it, 2 when it could not be done, 130 when interrupted.
    """
    try:
        try:
            return _run(argv)
        finally:
            _flush()
    except BrokenPipeError:  # whoever read has gone, as `head` does
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (AuditError, OSError) as error:
        print(f"auditkit: {printable(str(error))}", file=sys.stderr)  # noqa: T201  (the command's own answer)
        return _TROUBLE


def _flush() -> None:
    """Write what is still buffered; where that cannot be, let it go nowhere, or Python would stumble at its exit.

    Raises:
        OSError: It cannot be written.
    """
    if sys.__stdout__ is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        _write_no_more()
        raise


def _write_no_more() -> None:
    with suppress(OSError):  # a caller may have put something without a descriptor there
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(argv: Sequence[str] | None) -> int:
    if sys.__stdout__ is None:
        raise ConfigurationError("standard output is closed, so there is nowhere to print to")
    parser = build_parser()
    arguments = parser.parse_args(with_verb(sys.argv[1:] if argv is None else argv))
    if arguments.version:
        from auditkit import __version__  # noqa: PLC0415  (looked up only when asked for)

        print(__version__)  # noqa: T201  (what was asked for)
        return 0
    if arguments.command is None:
        parser.print_help()
        return 0
    return _command(arguments)


def _command(arguments: argparse.Namespace) -> int:
    # Each command's module bears its name. Only the one that is asked for is loaded: a third of the time that all of
    # them take to start, with httpx and sqlite3, is saved (0.35 rather than 0.47 s for a log).
    run = import_module(f"auditkit.cli.{arguments.command}").run
    try:
        return int(run(arguments))
    except KeyboardInterrupt:
        _write_no_more()  # a reader that does not read would hold us up
        return 0 if getattr(arguments, "follow", False) else _INTERRUPTED  # it is how following ends


if __name__ == "__main__":
    sys.exit(main())
