"""Asking whether something may go for good."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from auditkit.cli.output import say
from auditkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable


def ask(what: str, lines: Iterable[str], question: str) -> None:
    """Return when whoever sits at the terminal says yes.

    Args:
        what: What is to be done: ``drop it``.
        lines: What it is about, printed before the question.
        question: The question.

    Raises:
        ConfigurationError: There is nobody to ask, or the answer is no.
    """
    if not sys.stdin.isatty():
        raise ConfigurationError(f"to {what} without being asked, give --yes")
    for line in (*lines, f"{question} [y/N]"):
        say(sys.stderr, line)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise ConfigurationError("nothing was dropped")
