"""Modules as they are where nothing is compiled, beside the compiled ones."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

from auditkit import native

if TYPE_CHECKING:
    from types import ModuleType


def pure(name: str) -> ModuleType:
    """Return one more copy of a module, of which nothing is compiled; what it imports stays as it is."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "compiled", None)
        spec.loader.exec_module(module)
    return module
