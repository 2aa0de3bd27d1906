"""The example's tests: what each command leaves in the trail."""

import getpass
import platform

from click.testing import CliRunner
from plans_by_click import PLANS, main

from auditkit.testing import RecordedEvents


def test_renaming(audit_events: RecordedEvents) -> None:
    """The operator and the host are on the event; arguments and help are click's own."""
    PLANS["plan_1"] = {"id": "plan_1", "name": "Basic"}
    done = CliRunner().invoke(main, ["--group", "acme", "rename", "plan_1", "Pro"])

    assert done.output == "plan_1 is Pro\n"
    audit_events.assert_recorded(
        "plan.update",
        actor_id=getpass.getuser(),
        location=platform.node(),
        group="acme",
        changed={"name": ("Basic", "Pro")},
        times=1,
    )
    assert "Give a plan another name." in CliRunner().invoke(main, ["rename", "--help"]).output


def test_failure(audit_events: RecordedEvents) -> None:
    """What a command refuses is recorded as a failure, and click tells it as ever."""
    done = CliRunner().invoke(main, ["delete", "plan_9"])

    assert done.exit_code == 1
    assert done.output == "Error: there is no plan plan_9\n"
    audit_events.assert_recorded("plan.delete", target_id="plan_9", metadata={"outcome": "failure"}, times=1)


def test_usage(audit_events: RecordedEvents) -> None:
    """What click refuses itself never was an action."""
    assert CliRunner().invoke(main, ["rename", "plan_1"]).exit_code == 2

    audit_events.assert_nothing_recorded()
