"""Servers on loopback, each in a process of its own: what they compute is no peer's cost."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def serving(script: str, *words: str) -> Iterator[str]:
    """Run a script of this folder that prints its port and ends when its input does; give its URL."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            process.wait()
