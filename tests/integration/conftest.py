"""What several of the tests with real processes and servers need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditkit.testing import WorkOSDouble
from tests.integration.children import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.children import Run


@pytest.fixture
def workos() -> Iterator[WorkOSDouble]:
    with WorkOSDouble() as double:
        yield double


@pytest.fixture
def run(workos: WorkOSDouble, tmp_path: Path) -> Iterator[Run]:
    """Start processes on the test's directory, which deliver to its double."""
    with running(tmp_path / "audit", workos) as run:
        yield run


@pytest.fixture
def sidecar(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Lay the module ``SIDECAR``, as a user writes it, where commands are run.

    It can be imported there also where the suite itself runs under PYTHONSAFEPATH.
    """
    Path("sidecar.py").write_text(request.module.SIDECAR, "utf-8")
    monkeypatch.setenv("PYTHONSAFEPATH", "")
    monkeypatch.syspath_prepend(tmp_path)
