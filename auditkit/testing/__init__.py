"""What an application's own tests need: a stand-in for WorkOS."""

from __future__ import annotations

from auditkit.testing.workos_double import WorkOSDouble

__all__ = ["WorkOSDouble"]
