"""How a hint spells the command."""

from __future__ import annotations

import pytest

from auditkit.cli.spelling import spelling


@pytest.mark.parametrize(
    ("argv", "original", "spelled"),
    [
        (["auditkit", "demo"], ["python3", "/usr/bin/auditkit", "demo"], "auditkit"),
        ([".venv/bin/auditkit"], [".venv/bin/python", ".venv/bin/auditkit"], ".venv/bin/auditkit"),
        (["my envs/bin/auditkit", "demo"], ["python", "my envs/bin/auditkit", "demo"], "'my envs/bin/auditkit'"),
        (["/x/auditkit/__main__.py", "demo"], ["python3", "-m", "auditkit", "demo"], "python3 -m auditkit"),
        (
            ["/x/auditkit/__main__.py", "demo", "--directory", "d"],
            [".venv/bin/python", "-X", "dev", "-m", "auditkit", "demo", "--directory", "d"],
            ".venv/bin/python -X dev -m auditkit",
        ),
        (["/usr/bin/pytest", "-q"], ["python", "/usr/bin/pytest", "-q"], "/opt/python -m auditkit"),
    ],
)
def test_spelling_is_the_callers_own(argv: list[str], original: list[str], spelled: str) -> None:
    """A hint begins as the command was called, ready for a shell."""
    assert spelled == spelling(argv, original, "/opt/python")
