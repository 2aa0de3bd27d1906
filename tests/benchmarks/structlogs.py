"""structlog, as its own documentation configures it, told by hand what auditkit finds."""

from __future__ import annotations

from typing import TextIO, cast

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars

from tests.benchmarks import comparisons as names
from tests.benchmarks.work import (
    ACTOR,
    GROUP,
    LOCATION,
    PROFILE_FIELDS,
    REQUEST,
    Case,
    Profile,
    Tweet,
    revise,
    rewrite,
)


class Sink:
    """Discard what is written."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None: ...


def structlogs() -> dict[str, Case]:
    """Return a JSON line to a sink that discards it, with the scope in context variables."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", Sink())),
        cache_logger_on_first_use=True,
    )
    bind_contextvars(actor_id=ACTOR[0], actor_name=ACTOR[1], group=GROUP, location=LOCATION)
    info = structlog.get_logger().info

    def update(tweet: Tweet, body: str) -> str:
        before = tweet.body
        result = rewrite(tweet, body)
        info(
            "tweet.update",
            action_type="U",
            target_id=tweet.id,
            target_name="Tweet",
            body_before=before,
            body_after=tweet.body,
        )
        return result

    def read(tweet: Tweet, body: str) -> str:
        result = rewrite(tweet, body)
        info("tweet.read", action_type="R", target_id=tweet.id, target_name="Tweet")
        return result

    def nested(tweet: Tweet, body: str) -> str:
        with bound_contextvars(actor_id=ACTOR[0], actor_name=ACTOR[1]), bound_contextvars(request=REQUEST):
            return update(tweet, body)

    def ten(profile: Profile, body: str) -> str:
        before = {name: getattr(profile, name) for name in PROFILE_FIELDS}
        result = revise(profile, body)
        changes: dict[str, object] = {}
        for name, was in before.items():
            now = getattr(profile, name)
            if now != was:
                changes[f"{name}_before"], changes[f"{name}_after"] = was, now
        info("profile.update", action_type="U", target_id=profile.id, target_name="Profile", **changes)
        return result

    return {
        names.STRUCTLOG: Case(call=update),
        names.STRUCTLOG_READ: Case(call=read),
        names.STRUCTLOG_NESTED: Case(call=nested),
        names.STRUCTLOG_TEN: Case(call=ten, subject=Profile),
    }
