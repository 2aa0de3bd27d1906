"""What the environment says to every command."""

from __future__ import annotations

import os

from auditkit.configuration import DIRECTORY


def default_directory() -> str:
    """Return the directory that is read when none is named."""
    return os.environ.get("AUDITKIT_DIRECTORY") or DIRECTORY


def secret() -> str | None:
    """Return the secret that ``AUDITKIT_SECRET`` holds, if there is one."""
    return os.environ.get("AUDITKIT_SECRET") or None
