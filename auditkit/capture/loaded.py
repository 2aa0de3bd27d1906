"""A framework's class, where the application has loaded the framework."""

from __future__ import annotations

import sys


def loaded_class(module: str, name: str) -> tuple[type, ...]:
    """Return a class if its module is there, in the form that `issubclass` takes. Never imports it."""
    found = getattr(sys.modules.get(module), name, None)
    return (found,) if isinstance(found, type) else ()
