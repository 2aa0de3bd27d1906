"""The hot path of an audited call in C, where there was a compiler; everything works without it, at a higher cost.

What is compiled decides nothing. Each function in C does what the Python function in whose place it stands does, for
plain values alone (short texts and numbers, arguments that were given, a context that was resolved before), and hands
everything else to Python. It is there because an audited call must cost less than the log line beside it: interpreted
it takes as long as one, compiled half of that.

``AUDITKIT_PURE=1`` in the environment, when auditkit is imported, leaves it out.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from auditkit.switches import is_on

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

Thing = TypeVar("Thing")


def _load() -> ModuleType | None:
    if is_on(os.environ, "AUDITKIT_PURE"):
        return None
    try:
        return import_module("auditkit.native._compiled")
    except ImportError:  # there was no compiler, or none for this Python
        return None


compiled = _load()
"""The compiled module, or None."""


def in_c(name: str, *, otherwise: str = "") -> Callable[[Thing], Thing]:
    """Decorate a class, function or method in whose place a compiled one stands, where there is one.

    Args:
        name: The compiled one's dotted name.
        otherwise: The name under which the Python one is handed over, for what the compiled one leaves to it.
    """

    def replace(python: Thing) -> Thing:
        if compiled is None:
            return python
        if otherwise:
            hand_over(**{otherwise: python})
        found: Any = compiled
        for part in name.split("."):
            found = getattr(found, part)
        return found  # type: ignore[no-any-return]  # it is used as the Python one is

    return replace


def hand_over(**named: Any) -> None:
    """Give the compiled functions what they need of a module, under the names that they know it by."""
    if compiled is not None:
        compiled.use(**named)
