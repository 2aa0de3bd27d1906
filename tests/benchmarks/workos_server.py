"""Be a WorkOS in a process of its own: prints its port, and ends when its standard input does."""

from __future__ import annotations

import sys

from auditkit.testing import WorkOSDouble

if __name__ == "__main__":
    with WorkOSDouble() as workos:
        print(workos.base_url.rpartition(":")[2], flush=True)
        sys.stdin.read()
