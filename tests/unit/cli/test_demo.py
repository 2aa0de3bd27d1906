"""What the demo makes of how its delivery went, and whose events it keeps away from whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditkit import ConfigurationError, Stats
from auditkit.cli import demo
from auditkit.delivery import LaneStats


@pytest.mark.parametrize(
    ("flushed", "lane", "status", "told"),
    [
        (True, LaneStats(delivered=12), 0, ""),
        (True, LaneStats(delivered=9, dead_letters=3), 1, "workos refused 3 events and has yet to take 0\n"),
        (False, LaneStats(pending=12, code="paused", trouble="401"), 1, "and has yet to take 12: 401\n"),
        (False, LaneStats(delivered=12), 1, "not everything was recorded in time\n"),
    ],
)
def test_demo_ends_well_only_when_all_was_delivered(
    flushed: bool,  # noqa: FBT001  (a parameter of the test)
    lane: LaneStats,
    status: int,
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A refused, waiting or unwritten event is a failure, and is told on the error stream."""
    assert status == demo._judge(Stats(12, {}, {"workos": lane}), flushed=flushed)

    assert capsys.readouterr().err.endswith(told)


def test_demo_refuses_the_directory_of_a_service() -> None:
    """A directory that remembers a destination is not the demo's, unless that is the one it delivers to."""
    (Path("audit") / "lanes" / "ledger").mkdir(parents=True)
    (Path("audit") / "lanes" / "workos").mkdir()
    demo._refuse_others(Path("audit"), "workos")

    with pytest.raises(ConfigurationError, match=r"audit delivers to workos, which .* --directory DIR"):
        demo._refuse_others(Path("audit"), "workos_double")
