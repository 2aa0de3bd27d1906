"""A terminal of a test's own, at which somebody answers what a command asks."""

from __future__ import annotations

import os
import pty
import subprocess
import sys


def answer(word: str, *words: str) -> tuple[int, str]:
    """Run a command of auditkit's on a terminal, and answer what it asks; return its exit status and what it said."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "auditkit", *words],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        os.close(theirs)
        os.write(ours, f"{word}\n".encode())
        told, _ = process.communicate()
    os.close(ours)
    return process.returncode, told
