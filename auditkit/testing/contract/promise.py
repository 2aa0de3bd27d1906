"""A promise of the seam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditkit.testing.contract.subject import Subject


@dataclass(frozen=True, slots=True)
class Promise:
    """One thing that delivery relies on.

    Attributes:
        text: What it is, as a test's report shows it.
        check: Returns if a transport keeps it, or has no part in it; else raises a `BrokenPromise`.
    """

    text: str
    check: Callable[[Subject], None]
