"""How a delivery is told, and how long it is waited for."""

from __future__ import annotations

import io

import pytest

from auditkit.cli.progress import Patience, Progress, standing
from auditkit.delivery import LaneStats
from auditkit.testing import DrivenClock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def stats(delivered: int, dead_letters: int = 0) -> dict[str, LaneStats]:
    return {"workos": LaneStats(delivered=delivered, dead_letters=dead_letters)}


@pytest.mark.parametrize(
    "found, told",
    [
        (LaneStats(delivered=3, pending=2), "workos: 3 delivered, 2 left"),
        (LaneStats(dead_letters=1), "workos: 0 delivered, 0 left, 1 refused (in the dead letters)"),
        (LaneStats(code="paused", trouble="no\x1b[2J"), "workos: 0 delivered, 0 left (paused: no\\x1b[2J)"),
    ],
)
def test_standing_tells_what_became_of_the_events(found: LaneStats, told: str) -> None:
    """A destination's line has its counts and its trouble, and nothing that steers a terminal."""
    assert told == standing("workos", found)


def test_terminal_shows_progress_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal each look overwrites the line, which never wraps; at the end it is gone."""
    monkeypatch.setenv("COLUMNS", "20")
    progress = Progress(stream := Terminal(), DrivenClock())
    for number in (1, 2):
        progress.show(stats(number))
    progress.clear()

    assert "\r\x1b[Kworkos: 1 delivered\r\x1b[Kworkos: 2 delivered\r\x1b[K" == stream.getvalue().replace(", ", "")


def test_log_is_told_once_a_minute_and_only_of_change() -> None:
    """Elsewhere a line comes at most once a minute, and none where nothing has changed."""
    clock = DrivenClock()
    progress = Progress(stream := io.StringIO(), clock)
    for delivered in (1, 2, 2, 3):
        progress.show(stats(delivered))
        clock.advance(59)
        progress.show(stats(delivered))
        clock.advance(1)
    progress.clear()

    assert [
        "auditkit: workos: 2 delivered, 0 left",
        "auditkit: workos: 3 delivered, 0 left",
    ] == stream.getvalue().splitlines()


def test_patience_lasts_while_events_are_accepted_or_refused() -> None:
    """Without a timeout it ends when for a minute no destination took or refused anything."""
    clock = DrivenClock()
    patience = Patience(clock, None)
    ends = []
    for found in (stats(0), stats(1), stats(1, dead_letters=1), stats(1, dead_letters=1)):
        clock.advance(59)
        ends.append(patience.ends(found))
    clock.advance(1)

    assert [False, False, False, False] == ends
    assert patience.ends(stats(1, dead_letters=1))
    assert 0.5 == patience.share(0.5)


def test_patience_has_an_end_where_one_is_given() -> None:
    """A timeout is one in all, whatever is accepted."""
    clock = DrivenClock()
    patience = Patience(clock, 2.0)
    clock.advance(1.75)

    assert (False, 0.25) == (patience.ends(stats(1)), patience.share(0.5))
    clock.advance(1)
    assert (True, 0.0) == (patience.ends(stats(2)), patience.share(0.5))
