"""Classes of modules that the application may have loaded, and that we do not."""

from __future__ import annotations

import sys


def loaded_class(module: str, name: str) -> tuple[type, ...]:
    """Return a class if its module is there, in the form that `isinstance` takes. Never imports it."""
    found = getattr(sys.modules.get(module), name, None)
    return (found,) if isinstance(found, type) else ()
