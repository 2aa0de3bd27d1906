"""What a test needs of the machine. Where that is there and is refused all the same, the test fails: it does not skip."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

_IS_ROOT = sys.platform != "win32" and os.geteuid() == 0

as_root = pytest.mark.skipif(not _IS_ROOT, reason="only root becomes other users")
traced = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
unshared = pytest.mark.skipif(
    not (_IS_ROOT and shutil.which("unshare")), reason="only root mounts, or makes a network of its own, by unshare"
)
