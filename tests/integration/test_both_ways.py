"""What is compiled changes nothing but the time that a call takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from auditkit import native

SCRIPT = Path(__file__).with_name("calls_of_all_kinds.py")
CALLS = 4000

compiled_only = pytest.mark.skipif(native.compiled is None, reason="nothing is compiled here")


def printed(pure: str) -> list[str]:
    """Return what the script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(CALLS)],
        env={**os.environ, "AUDITKIT_PURE": pure, "PYTHONHASHSEED": "0"},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()


@compiled_only
def test_calls_of_all_kinds_are_recorded_alike() -> None:
    """Thousands of calls, of declarations, states, contents and contexts drawn by chance, come to the same with C and without."""
    assert printed("1") == printed("0")


@compiled_only
@pytest.mark.parametrize(("setting", "answer"), [("1", "True"), ("0", "False"), ("", "False")])
def test_pure_python_can_be_chosen(setting: str, answer: str) -> None:
    """`AUDITKIT_PURE=1` leaves out what is compiled."""
    done = subprocess.run(
        [sys.executable, "-c", "from auditkit import native; print(native.compiled is None)"],
        env={**os.environ, "AUDITKIT_PURE": setting},
        check=True,
        capture_output=True,
        text=True,
    )

    assert answer == done.stdout.strip()
