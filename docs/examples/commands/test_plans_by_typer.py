"""The example's tests: what each command leaves in the trail."""

import getpass
import platform

from plans_by_typer import PLANS, app
from typer.testing import CliRunner

from auditkit.testing import RecordedEvents


def test_renaming(audit_events: RecordedEvents) -> None:
    """The operator and the host are on the event; typer makes its options of the function's own signature."""
    PLANS["plan_1"] = {"id": "plan_1", "name": "Basic"}
    done = CliRunner().invoke(app, ["--group", "acme", "rename", "plan_1", "Pro", "--shout"])

    assert done.output == "plan_1 is PRO\n"
    audit_events.assert_recorded(
        "plan.update",
        actor_id=getpass.getuser(),
        location=platform.node(),
        group="acme",
        changed={"name": ("Basic", "PRO")},
        times=1,
    )


def test_failure(audit_events: RecordedEvents) -> None:
    """A command that exits in the middle is recorded as a failure."""
    assert CliRunner().invoke(app, ["delete", "plan_9"]).exit_code == 1

    audit_events.assert_recorded("plan.delete", target_id="plan_9", metadata={"outcome": "failure"}, times=1)
