"""What to do after an attempt to deliver. Pure: time and chance are arguments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from auditkit.errors import DeliveryError, Paused, Rejected, TemporaryFailure

FIRST_WAIT = 0.5  # seconds
LONGEST_WAIT = 300.0  # seconds between attempts, however often they failed
LONGEST_ASKED = 900.0  # seconds of a destination's Retry-After that are honoured
PROBE = 60.0  # seconds at most between attempts at a destination whose configuration is wrong
GIVE_UP = 24 * 3600.0  # seconds after which an event that keeps failing among accepted ones is undeliverable
LONGEST_COUNTED = 3600.0  # seconds between two failures that count for that: an outage is no event's own failing
TOGETHER = 3  # failures after which a batch is tried again in halves: one of its events may fail them all
RECENT = 60.0  # seconds for which an accepted event shows that a destination's configuration is right


class Action(Enum):
    """What an attempt leads to."""

    DONE = auto()
    RETRY = auto()
    PAUSE = auto()
    HALVE = auto()
    BURY = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to do, and why.

    Attributes:
        action: What an attempt leads to.
        wait: Seconds after which these events are tried again.
        hold: Seconds for which the destination gets nothing at all.
        asked: Whether the destination itself named the time: then nobody may hurry it.
        apart: Whether a batch is tried again in halves.
        reason: Why the attempt failed.
    """

    action: Action
    wait: float = 0.0
    hold: float = 0.0
    asked: bool = False
    apart: bool = False
    reason: str = ""


DONE = Verdict(action=Action.DONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What is known when an attempt has ended.

    Attributes:
        error: What ``send`` raised; an attempt that raised nothing needs no judgement, it is `DONE`.
        size: How many events it took.
        failures: How often these events failed before.
        blocks: How many attempts of any events failed before, with none accepted since.
        failing_for: Seconds for which these events failed while others were accepted.
        failed_ago: Seconds since these events last failed; 0 if they never did.
        accepted_ago: Seconds since the destination last accepted anything; infinite if it never did.
        chance: A number in [0, 1) for the jitter.
    """

    error: BaseException
    size: int = 1
    failures: int = 0
    blocks: int = 0
    failing_for: float = 0.0
    failed_ago: float = 0.0
    accepted_ago: float = math.inf
    chance: float = 0.5


def judge(attempt: Attempt) -> Verdict:
    """Return what an attempt leads to.

    A rejected batch is halved until the bad event stands alone, and so is one that fails though others are accepted,
    or again and again. A destination that accepted another event
    within the last minute is not misconfigured, whatever it says about this one; and events that fail while
    others are accepted wait alone, so that they hold nobody back.
    """
    error = attempt.error
    reason = reason_of(error)
    if isinstance(error, Rejected):
        return Verdict(action=_apart(attempt), reason=reason)
    alone = attempt.accepted_ago < attempt.failed_ago
    if alone and attempt.failing_for >= GIVE_UP:
        return Verdict(action=_apart(attempt), reason=f"undeliverable: {reason}")
    if isinstance(error, Paused) and attempt.accepted_ago >= RECENT:
        probe = PROBE * (0.5 + attempt.chance / 2)
        return Verdict(action=Action.PAUSE, wait=probe, hold=probe, reason=reason)
    asked = asked_of(error)
    wait = wait_after(attempt.failures, attempt.chance, asked)
    if asked is not None:
        return Verdict(action=Action.RETRY, wait=wait, hold=asked, asked=True, reason=reason)
    hold = 0.0 if alone else wait_after(attempt.blocks, attempt.chance)
    apart = attempt.size > 1 and (alone or attempt.failures >= TOGETHER)
    return Verdict(action=Action.RETRY, wait=wait, hold=hold, apart=apart, reason=reason)


def _apart(attempt: Attempt) -> Action:
    return Action.HALVE if attempt.size > 1 else Action.BURY


def wait_after(failures: int, chance: float, asked: float | None = None) -> float:
    """Return the seconds to wait after so many failures: full jitter under a doubling cap, or what was asked.

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog (full jitter); RFC 9110, 10.2.3.
    """
    jittered = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures, 32)) * chance
    return jittered if asked is None else max(asked, jittered)


def asked_of(error: BaseException) -> float | None:
    """Return the seconds that a destination asked for, bounded; None where it asked for nothing sensible."""
    asked: object = error.retry_after if isinstance(error, TemporaryFailure) else None
    if not isinstance(asked, int | float) or not asked > 0:  # not above 0: also NaN
        return None
    return float(min(asked, LONGEST_ASKED))


def reason_of(error: BaseException) -> str:
    """Return why an attempt failed: a delivery error's own words, another exception's type and place alone."""
    kind = type(error).__name__
    if isinstance(error, DeliveryError):
        return str(error) or kind
    return f"{kind}{_place_of(error)}"  # its text may hold data


def _place_of(error: BaseException) -> str:
    """Return where an exception was raised: who wrote the transport looks there."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f" at {Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at is not None else ""
