"""Where something is in the source, in as few words as a person or an editor needs. Pure but for where we are."""

from __future__ import annotations

from pathlib import Path


def short(file: str) -> str:
    """Return a file's path from the current directory where it lies in it; as it is, where not."""
    path, here = Path(file), Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else file


def place(file: str, line: int) -> str:
    """Return ``file:line``, or nothing where there is no file."""
    return f"{short(file)}:{line}" if file else ""
