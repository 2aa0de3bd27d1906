"""pytest run inside pytest: the plugin as its users have it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""

SUITE = """
import asyncio
import unittest

import pytest

import auditkit
from auditkit import audited, record
from auditkit.testing import recording


@audited("plan.update", "U", target="plan.id", capture="plan")
def rename(plan, name):
    plan["name"] = name


@pytest.mark.parametrize("number", range(8))
def test_each_test_has_its_own(audit_events, number):
    rename({"id": f"plan_{number}", "name": "Basic"}, "Pro")
    (event,) = audit_events
    assert event.target_id == f"plan_{number}"


async def test_async(audit_events):
    await asyncio.gather(*(asyncio.to_thread(record, "plan.read", "R", target=str(each)) for each in range(3)))
    audit_events.assert_recorded("plan.read", times=3)


def test_application_that_configures_itself(audit_events, tmp_path):
    auditkit.configure(directory=tmp_path / "audit")
    record("plan.read", "R", target="plan_1")
    audit_events.assert_recorded("plan.read", target_id="plan_1")
    assert not (tmp_path / "audit").exists()


class TestInUnittest(unittest.TestCase):
    def test_recording(self):
        with recording() as events:
            rename({"id": "plan_1", "name": "Basic"}, "Pro")
        events.assert_recorded("plan.update", changed={"name": ("Basic", "Pro")})


def test_without_it():
    pass
"""

FAILING = """
from auditkit import record


def test_fails(audit_events):
    record("plan.update", "U", target="plan_1", actor="user_1", before={"name": "Basic"}, after={"name": "Pro"})
    audit_events.assert_recorded("plan.update", actor_id="user_2", changed={"name": ("Basic", "Team")})
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text(SETTINGS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_fixture_records_each_test_by_itself(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """pytest finds the fixture; plain, async and unittest tests record in memory, also in xdist's workers."""
    (tmp_path / "test_suite.py").write_text(SUITE, encoding="utf-8")

    ran = run_pytest(tmp_path, *arguments)

    assert "12 passed" in ran.stdout, ran.stdout + ran.stderr
    assert sorted(each.name for each in tmp_path.iterdir() if each.name != "__pycache__") == [
        "pytest.ini",
        "test_suite.py",
    ]


def test_failure_explains_itself(tmp_path: Path) -> None:
    """pytest's report shows what was recorded beside what was asked."""
    (tmp_path / "test_failing.py").write_text(FAILING, encoding="utf-8")

    ran = run_pytest(tmp_path)

    assert ran.returncode == pytest.ExitCode.TESTS_FAILED
    assert "actor_id: 'user_1', asked: 'user_2'" in ran.stdout
    assert "changed.name: ('Basic', 'Pro'), asked: ('Basic', 'Team')" in ran.stdout


def test_plugin_is_documented_among_the_fixtures(tmp_path: Path) -> None:
    """`pytest --fixtures` tells what it is for."""
    ran = run_pytest(tmp_path, "--fixtures")

    assert "audit_events -- " in ran.stdout
    assert "Record in memory what the test audits" in ran.stdout
