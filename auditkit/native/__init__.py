"""The hot path of an audited call in C, where there was a compiler; everything works without it, at a higher cost.

What is here decides nothing. Each function in C does what the Python function of its name does, for plain values
alone (short texts and numbers, arguments that were given, a context that was resolved before), and hands everything
else to that Python function. It is there because an audited call must cost less than the log line that it replaces:
interpreted it takes as long as one, compiled half of that.

``AUDITKIT_PURE=1`` in the environment, when auditkit is imported, leaves it out.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import ModuleType


def _compiled() -> ModuleType | None:
    if os.environ.get("AUDITKIT_PURE", "0") != "0":
        return None
    try:
        return import_module("auditkit.native._compiled")
    except ImportError:  # there was no compiler, or none for this Python
        return None


compiled: Final = _compiled()
"""The compiled module, or None."""
