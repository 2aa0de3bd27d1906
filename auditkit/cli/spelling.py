"""How this command was called, so that a hint can be typed as it stands. Pure."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def spelling(argv: Sequence[str], original: Sequence[str], executable: str) -> str:
    """Return the words before the command's name, quoted for a shell.

    Args:
        argv: `sys.argv`.
        original: `sys.orig_argv`.
        executable: `sys.executable`, for a caller that is neither the console script nor ``python -m``.
    """
    called = Path(argv[0])
    if called.stem == "auditkit":
        return shlex.quote(argv[0])
    if called.name == "__main__.py" and "-m" in original:
        # ``python`` may not be a name that the shell knows: the interpreter is spelled as it was.
        return shlex.join(original[: len(original) - len(argv) + 1])
    return shlex.join([executable, "-m", "auditkit"])
