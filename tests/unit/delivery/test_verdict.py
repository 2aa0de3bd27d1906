"""What an attempt to deliver leads to."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.delivery.verdict import (
    GIVE_UP,
    LONGEST_ASKED,
    LONGEST_WAIT,
    PROBE,
    RECENT,
    Action,
    Attempt,
    asked_of,
    judge,
    reason_of,
    wait_after,
)
from auditkit.errors import DeliveryError, Paused, Rejected, TemporaryFailure

CHANCES = st.floats(min_value=0, max_value=1, exclude_max=True)


@pytest.mark.parametrize("error", [Rejected("no"), Rejected()])
@pytest.mark.parametrize("size, action", [(1, Action.BURY), (2, Action.HALVE), (500, Action.HALVE)])
def test_verdict_of_refusal(error: Rejected, size: int, action: Action) -> None:
    """A refused batch is halved until the bad event stands alone, which is buried with the reason."""
    verdict = judge(Attempt(error=error, size=size))

    assert (action, str(error) or "Rejected") == (verdict.action, verdict.reason)


@pytest.mark.parametrize(
    "error",
    [TemporaryFailure("busy"), ConnectionResetError("x"), ValueError("x"), KeyboardInterrupt(), DeliveryError("x")],
    ids=repr,
)
def test_verdict_of_any_other_trouble(error: BaseException) -> None:
    """Whatever is no refusal and no pause is temporary: the events and the destination wait."""
    verdict = judge(Attempt(error=error, failures=3, blocks=1, chance=0.5))

    assert (Action.RETRY, 2.0, 0.5) == (verdict.action, verdict.wait, verdict.hold)


@pytest.mark.parametrize("chance, wait", [(0.0, PROBE / 2), (0.999, PROBE * 0.9995)])
def test_verdict_of_pause(chance: float, wait: float) -> None:
    """A destination that is configured wrongly is probed slowly, however often it failed."""
    verdict = judge(Attempt(error=Paused("key"), failures=9, chance=chance))

    assert (Action.PAUSE, wait, wait, "key") == (verdict.action, verdict.wait, verdict.hold, verdict.reason)


@pytest.mark.parametrize(
    "ago, action", [(RECENT - 0.1, Action.RETRY), (RECENT, Action.PAUSE), (math.inf, Action.PAUSE)]
)
def test_verdict_of_pause_among_accepted_events(ago: float, action: Action) -> None:
    """A destination that accepted another event within the last minute is not misconfigured."""
    assert action is judge(Attempt(error=Paused("key"), accepted_ago=ago)).action


@pytest.mark.parametrize(
    "failing_for, size, action",
    [(GIVE_UP - 1, 1, Action.RETRY), (GIVE_UP, 1, Action.BURY), (GIVE_UP, 2, Action.HALVE)],
)
def test_verdict_after_a_day(failing_for: float, size: int, action: Action) -> None:
    """Events that failed for a day while others were accepted are given up, each for itself."""
    attempt = Attempt(
        error=TemporaryFailure("busy"), size=size, failing_for=failing_for, failures=400, failed_ago=2, accepted_ago=1
    )

    assert action is judge(attempt).action
    assert Action.RETRY is judge(replace(attempt, accepted_ago=2)).action  # it may be down now
    assert ("undeliverable: busy" if action in {Action.BURY, Action.HALVE} else "busy") == judge(attempt).reason


@pytest.mark.parametrize(
    "failed_ago, accepted_ago, hold",
    [(0.0, 0.0, 0.5), (0.0, math.inf, 0.5), (30.0, 31.0, 0.5), (30.0, 29.0, 0.0)],
)
def test_verdict_on_events_that_fail_alone(failed_ago: float, accepted_ago: float, hold: float) -> None:
    """Events that failed again while others were accepted hold nobody back but themselves."""
    attempt = Attempt(
        error=TemporaryFailure("busy"), failures=6, blocks=1, failed_ago=failed_ago, accepted_ago=accepted_ago
    )

    assert (16.0, hold) == (judge(attempt).wait, judge(attempt).hold)


@pytest.mark.parametrize(
    "stated, asked",
    [
        (7, 7.0),
        (0.25, 0.25),
        (LONGEST_ASKED + 1, LONGEST_ASKED),
        (1e308, LONGEST_ASKED),
        (math.inf, LONGEST_ASKED),
        (10 * 365 * 86400, LONGEST_ASKED),
        (None, None),
        (0, None),
        (-5, None),
        (-math.inf, None),
        (math.nan, None),
        ("30", None),
        (b"", None),
        ([], None),
    ],
)
def test_verdict_of_retry_after(stated: object, asked: float | None) -> None:
    """A wait that was asked for is honoured up to a quarter of an hour; nonsense is not asked for."""
    error = TemporaryFailure("busy", retry_after=stated)  # type: ignore[arg-type]  # a transport may state anything

    assert asked == asked_of(error)
    verdict = judge(Attempt(error=error, chance=0.0))
    assert (asked or 0.0, asked or 0.0, asked is not None) == (verdict.wait, verdict.hold, verdict.asked)


def test_verdict_never_shortens_what_was_asked() -> None:
    """Where the own wait is longer than the one asked for, the longer one counts for the events."""
    verdict = judge(Attempt(error=TemporaryFailure("busy", retry_after=1.0), failures=8, chance=0.5))

    assert (64.0, 1.0) == (verdict.wait, verdict.hold)


@given(failures=st.integers(min_value=0, max_value=10**9), chance=CHANCES)
def test_wait_is_bounded(failures: int, chance: float) -> None:
    """However often something failed, the wait is jittered under a cap that doubles to five minutes."""
    cap = min(LONGEST_WAIT, 0.5 * 2.0 ** min(failures, 40))

    assert 0 <= wait_after(failures, chance) <= cap
    assert math.isclose(cap * chance, wait_after(failures, chance))


@given(
    failures=st.integers(min_value=0, max_value=10**6),
    chance=CHANCES,
    asked=st.floats(allow_nan=True, allow_infinity=True),
)
def test_wait_is_never_longer_than_a_quarter_of_an_hour(failures: int, chance: float, asked: float) -> None:
    """Whatever a destination asks, a lane never sleeps for ever, nor for a negative time."""
    verdict = judge(Attempt(error=TemporaryFailure(retry_after=asked), failures=failures, chance=chance))

    assert 0 <= verdict.wait <= LONGEST_ASKED
    assert 0 <= verdict.hold <= LONGEST_ASKED


@pytest.mark.parametrize(
    "error, reason",
    [
        (Rejected("no such schema"), "no such schema"),
        (TemporaryFailure(), "temporary failure"),
        (Paused(), "Paused"),
        (ValueError("sk_secret"), "ValueError"),
        (SystemExit("sk_secret"), "SystemExit"),
    ],
)
def test_reason_holds_no_data(error: BaseException, reason: str) -> None:
    """A delivery error speaks for itself; of any other only the type is told, for its text may hold data."""
    assert reason == reason_of(error)


def test_reason_tells_where_a_transport_is_wrong() -> None:
    """Of what a transport raised by mistake its line is told, the last one: not all of its own code, nor its data."""
    with pytest.raises(ZeroDivisionError) as caught:
        judge(Attempt(error=1 / 0))  # type: ignore[arg-type]
    line = caught.traceback[-1].lineno + 1

    assert f"ZeroDivisionError at test_verdict.py:{line}" == reason_of(caught.value)
