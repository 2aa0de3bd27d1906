"""The environment of processes that coverage must not measure."""

from __future__ import annotations

import os


def unmeasured() -> dict[str, str]:
    """Return this process's environment without what makes a child measure itself.

    An interrupt, and a fork beside another thread, can leave coverage waiting for its own lock for ever: the thread
    that held it has been stopped, or does not exist in the child.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
