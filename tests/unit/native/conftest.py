"""What tests of the compiled parts share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditkit import native

if TYPE_CHECKING:
    from types import ModuleType


@pytest.fixture(scope="session")
def compiled() -> ModuleType:
    """Return the compiled module."""
    if native.compiled is None:
        pytest.skip("nothing is compiled here")
    return native.compiled
