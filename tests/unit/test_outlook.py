"""What is a problem of a directory, and what is not yet."""

from __future__ import annotations

import pytest

from auditkit.event import instant_of
from auditkit.journal import Fill, Worker
from auditkit.protocols import Standing
from auditkit.trail.outlook import DestinationStatus, lasting, status_of_destination, waiting_problems
from auditkit.trail.telling import REMEDIES

SECOND = 10**9
NOW = 1_800_000_000 * SECOND
FILL = Fill()


def ago(seconds: float) -> int:
    return NOW - round(seconds * SECOND)


def worker(standing: Standing | None = None, *, alive: bool = True, told: float = 1.0) -> Worker:
    """Return a process that told so many seconds ago how it stands."""
    return Worker(alive=alive, host="h", pid=1, told_ns=ago(told), standing=standing or Standing())


def codes(stands: DestinationStatus, fill: Fill = FILL) -> list[str]:
    return [each.code for each in waiting_problems({"siem": stands}, fill, NOW)]


# ---------------------------------------------------------------------- put together


def test_status_of_nobody() -> None:
    """A destination that nobody works, or ever did, has what waits and nothing else."""
    assert DestinationStatus(pending=3, oldest_ns=5) == status_of_destination([], now_ns=NOW, pending=3, oldest_ns=5)


def test_status_of_several() -> None:
    """Rates of all add up, the first trouble is told, and those that are gone count for nothing but the latest time."""
    first = worker(Standing(rate=2.0, accepted_ns=3, code="failing", trouble="503", since_ns=20))
    second = worker(Standing(rate=3.0, accepted_ns=4, code="paused", trouble="401", since_ns=10))
    third = worker(Standing(rate=4.25, accepted_ns=5))
    gone = worker(Standing(rate=8.0, accepted_ns=6, code="failing", trouble="gone", since_ns=1), alive=False, told=0)
    found = status_of_destination([first, second, third, gone], now_ns=NOW)

    expected = DestinationStatus(
        rate=9.25, code="paused", trouble="401", since_ns=10, accepted_ns=6, told_ns=NOW, workers=(first, second, third)
    )
    assert expected == found


def test_status_keeps_the_last_word_of_the_dead() -> None:
    """Where nobody works a destination the last one's trouble is still told, and is nobody's present one."""
    old = worker(Standing(trouble="old", code="failing", since_ns=1), alive=False, told=9)
    last = worker(Standing(trouble="401", code="paused", since_ns=2), alive=False, told=3)
    found = status_of_destination([last, old], now_ns=NOW)

    assert ("", "401", 2, ago(3), ()) == (found.code, found.trouble, found.since_ns, found.told_ns, found.workers)


def test_rate_that_was_told_long_ago_holds_no_more() -> None:
    """A process that hangs in a send tells nothing, and accepts nothing."""
    fresh, stale = worker(Standing(rate=2.0), told=14.9), worker(Standing(rate=5.0), told=15)

    assert 2.0 == status_of_destination([fresh, stale], now_ns=NOW).rate


# ---------------------------------------------------------------------- problems


@pytest.mark.parametrize(
    "waited, told, expected",
    [
        (None, None, []),
        (599.9, None, []),
        (600, None, ["unattended"]),
        (86400, 599.9, []),
        (86400, 600, ["unattended"]),
    ],
)
def test_unattended(waited: float | None, told: float | None, expected: list[str]) -> None:
    """Events that wait for ten minutes, with nobody to deliver them for as long, are a problem."""
    stands = DestinationStatus(
        pending=1, oldest_ns=ago(waited) if waited else 0, told_ns=ago(told) if told is not None else 0
    )

    assert expected == codes(stands)


@pytest.mark.parametrize(
    "waited, pending, rate, expected",
    [
        (599.9, 6000, 0.0, []),
        (600, 6000, 0.0, ["behind"]),
        (600, 6000, 10.0, ["behind"]),
        (600, 6000, 10.1, []),
        (6000, 6000, 1.1, []),
    ],
)
def test_behind(waited: float, pending: int, rate: float, expected: list[str]) -> None:
    """Events that wait for ten minutes are a problem unless they go faster than they came: then it catches up."""
    stands = DestinationStatus(pending=pending, oldest_ns=ago(waited), rate=rate, workers=(worker(),))

    assert expected == codes(stands)


@pytest.mark.parametrize("waiting, expected", [(749, []), (750, ["nearly_full"]), (1000, ["nearly_full"])])
def test_nearly_full(waiting: int, expected: list[str]) -> None:
    """A journal of which three quarters wait for destinations is a problem."""
    assert expected == codes(DestinationStatus(), Fill(bytes=waiting, waiting=waiting, max_bytes=1000))


def test_problems_tell_all() -> None:
    """Each says what waits since when and until there is no more room, from when on it is one, and what to do."""
    destinations = {
        "siem": DestinationStatus(pending=1, oldest_ns=ago(3600), told_ns=ago(1800)),
        "lake": DestinationStatus(pending=5, oldest_ns=ago(1200), workers=(worker(),)),
    }
    found = [*waiting_problems(destinations, Fill(bytes=800, waiting=800, max_bytes=1000), NOW)]

    room = "; as it goes, there is no more room in 15 min"
    assert [
        ("siem", f"no process works siem, for which 1 event waits, the oldest since 2027-01-15T07:00:00.000000Z{room}"),
        (
            "lake",
            "lake accepts less than is recorded: 5 events wait, the oldest since 2027-01-15T07:40:00.000000Z" + room,
        ),
        (None, f"the journal holds 800 bytes of max_bytes=1000; past that events are refused{room}"),
    ] == [(each.destination, each.text) for each in found]
    assert [ago(1800), ago(1200), NOW] == [round(each.since.timestamp()) * SECOND for each in found]
    assert [REMEDIES[each.code] for each in found] == [each.remedy for each in found]


def test_what_is_far_ahead_is_not_told() -> None:
    """In how many months there will be no room is no news."""
    stands = DestinationStatus(pending=1, oldest_ns=ago(86400))
    (problem,) = waiting_problems({"siem": stands}, Fill(bytes=2**20, waiting=2**20, max_bytes=2**30), NOW)

    assert problem.text.endswith(instant_of(ago(86400)).strftime("%Y-%m-%dT%H:%M:%S.000000Z"))


@pytest.mark.parametrize(
    "seconds, text",
    [(0, "0 s"), (0.9, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_lasting(seconds: float, text: str) -> None:
    """A time is told in its largest unit, rounded down."""
    assert text == lasting(seconds)
