"""One thing that was looked at, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How good it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found.

    Attributes:
        check: What was looked at, in a word that stays.
        grade: How good it is.
        text: What it is.
        remedy: What to do; empty where nothing is to be done.
    """

    check: str
    grade: Grade
    text: str
    remedy: str = ""


def ok(check: str, text: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(check, Grade.OK, text)


def warning(check: str, text: str, remedy: str) -> Finding:
    """Return that something may become a problem, or be one to some."""
    return Finding(check, Grade.WARNING, text, remedy)


def problem(check: str, text: str, remedy: str) -> Finding:
    """Return that the trail cannot keep a promise."""
    return Finding(check, Grade.PROBLEM, text, remedy)
