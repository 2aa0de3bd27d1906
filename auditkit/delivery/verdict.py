"""What to do after an attempt to deliver. Pure: time and chance are arguments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

from auditkit.errors import Paused, Rejected, TemporaryFailure

FIRST_WAIT = 0.5  # seconds
LONGEST_WAIT = 300.0  # seconds between attempts, however often they failed
LONGEST_ASKED = 900.0  # seconds of a destination's Retry-After that are honoured
PROBE = 60.0  # seconds between attempts at a destination whose configuration is wrong
GIVE_UP = 24 * 3600.0  # seconds after which an event that keeps failing among accepted ones is undeliverable
RECENT = 60.0  # seconds for which an accepted event shows that a destination's configuration is right


class Action(Enum):
    """What an attempt leads to."""

    DONE = auto()
    RETRY = auto()
    PAUSE = auto()
    HALVE = auto()
    BURY = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do, in how many seconds, and why."""

    action: Action
    wait: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What is known when an attempt has ended.

    Attributes:
        error: What ``send`` raised, or None.
        size: How many events it took.
        failures: How often these events failed before.
        failing_for: Seconds since they first failed.
        accepted_ago: Seconds since the destination last accepted anything; infinite if it never did.
        chance: A number in [0, 1) for the jitter.
    """

    error: BaseException | None
    size: int = 1
    failures: int = 0
    failing_for: float = 0.0
    accepted_ago: float = math.inf
    chance: float = 0.5


def judge(attempt: Attempt) -> Verdict:
    """Return what an attempt leads to.

    A rejected batch is halved until the bad event stands alone. A destination that accepted another event
    within the last minute is not misconfigured, whatever it says about this one.
    """
    error = attempt.error
    if error is None:
        return Verdict(Action.DONE)
    reason = reason_of(error)
    if isinstance(error, Rejected):
        return Verdict(Action.HALVE if attempt.size > 1 else Action.BURY, reason=reason)
    neighbours_succeed = attempt.accepted_ago < attempt.failing_for
    if attempt.failing_for >= GIVE_UP and neighbours_succeed:
        return Verdict(Action.HALVE if attempt.size > 1 else Action.BURY, reason=f"undeliverable: {reason}")
    if isinstance(error, Paused) and attempt.accepted_ago >= RECENT:
        return Verdict(Action.PAUSE, wait=PROBE * (0.5 + attempt.chance / 2), reason=reason)
    asked = error.retry_after if isinstance(error, TemporaryFailure) else None
    return Verdict(Action.RETRY, wait=wait_after(attempt.failures, attempt.chance, asked), reason=reason)


def wait_after(failures: int, chance: float, asked: float | None = None) -> float:
    """Return the seconds to wait after so many failures: full jitter under a doubling cap, or what was asked.

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog (full jitter); RFC 9110, 10.2.3.
    """
    jittered = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures, 32)) * chance
    if asked is None or not asked > 0:
        return jittered
    return max(min(asked, LONGEST_ASKED), jittered)


def reason_of(error: BaseException) -> str:
    """Return why an attempt failed: a delivery error's own words, another exception's type alone."""
    if isinstance(error, TemporaryFailure | Paused | Rejected):
        return str(error)
    return type(error).__name__  # its text may hold data
