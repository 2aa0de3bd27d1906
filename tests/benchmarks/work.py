"""The work that is audited, logged, tracked: the same for every peer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

CALLS: Final = 1000  # of a round: no peer's queue overflows, as it comes from its box

FIRST: Final = "Just setting up my audited timeline, this is the first body of the tweet, kept near real length."
SECOND: Final = "An edited version of the same tweet; about one hundred characters long, so JSON is near 500 byte"
ACTOR: Final = ("user_01E4ZCR3C56J083X43JQXF3JK5", "Ada Lovelace")
GROUP: Final = "organization_01EHZNVPK3SFK441A1RGBFSHRT"
LOCATION: Final = "203.0.113.42"
REQUEST: Final = "req_01HCJ5Z8N7Q2"

Update = Callable[[Any, str], object]  # the object, and its new text


@dataclass(slots=True)
class Tweet:
    id: str = "tweet_000001"
    body: str = ""


@dataclass(slots=True)
class Profile:
    id: str = "profile_000001"
    body: str = ""
    revision: int = 0
    email: str = "ada@example.com"
    plan: str = "team"
    seats: int = 12
    active: bool = True
    country: str = "GB"
    language: str = "en"
    balance: float = 119.5


PROFILE_FIELDS: Final = tuple(Profile.__dataclass_fields__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way of doing the work.

    Attributes:
        call: Does it once.
        drain: Returns when everything that was called for is worked off.
        subject: Makes what it is done to.
        calls: How many of them make a round.
        around: Gives what all calls of a round are made in.
    """

    call: Update
    drain: Callable[[], object] = bool
    subject: Callable[[], object] = Tweet
    calls: int = CALLS
    around: Callable[[], AbstractContextManager[object]] = nullcontext


def rewrite(tweet: Tweet, body: str) -> str:
    tweet.body = body
    return body


def revise(profile: Profile, body: str) -> str:
    """Change two fields of ten."""
    profile.body = body
    profile.revision += 1
    return body
