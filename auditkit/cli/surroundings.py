"""What the environment says to every command."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from auditkit.configuration import DIRECTORY, shares_group

if TYPE_CHECKING:
    from collections.abc import Iterator


def default_directory() -> str:
    """Return the directory that is read when none is named."""
    return os.environ.get("AUDITKIT_DIRECTORY") or DIRECTORY


def secret() -> str | None:
    """Return the secret that ``AUDITKIT_SECRET`` holds, if there is one."""
    return os.environ.get("AUDITKIT_SECRET") or None


def shared_group() -> bool:
    """Return whether ``AUDITKIT_SHARED_GROUP`` says that the directory's group may read and write it."""
    return shares_group(os.environ)


@contextmanager
def nothing_recorded() -> Iterator[None]:
    """Keep what is configured inside from recording and delivering: who looks at a service does not run it."""
    before = os.environ.get("AUDITKIT_DISABLED")
    os.environ["AUDITKIT_DISABLED"] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("AUDITKIT_DISABLED", None)
        else:
            os.environ["AUDITKIT_DISABLED"] = before
