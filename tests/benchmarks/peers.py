"""The peers, each as its own documentation configures it, told the same by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import workos
import wrapt
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from segment import analytics

from tests.benchmarks import comparisons as names
from tests.benchmarks.servers import serving
from tests.benchmarks.structlogs import structlogs
from tests.benchmarks.work import (
    ACTOR,
    GROUP,
    LOCATION,
    Case,
    Tweet,
    rewrite,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

_SLOW_CALLS = 40  # of a round, where one takes milliseconds


class Discarding:
    """Discard log records: their form on a wire costs OpenTelemetry nothing here."""

    def export(self, batch: Sequence[Any]) -> Any:
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 10_000) -> bool:
        return True


def opentelemetry(stack: ExitStack) -> Case:
    """Return a log record with the same fields, exported in batches to nowhere."""
    provider = LoggerProvider(resource=Resource.create({"service.name": "benchmark"}))
    provider.add_log_record_processor(BatchLogRecordProcessor(cast("Any", Discarding())))
    stack.callback(provider.shutdown)
    logger = provider.get_logger("benchmark")

    def update(tweet: Tweet, body: str) -> str:
        before = tweet.body
        result = rewrite(tweet, body)
        logger.emit(
            timestamp=time.time_ns(),
            severity_number=SeverityNumber.INFO,
            event_name="tweet.update",
            attributes={
                "action_type": "U",
                "actor_id": ACTOR[0],
                "actor_name": ACTOR[1],
                "group": GROUP,
                "location": LOCATION,
                "target_id": tweet.id,
                "target_name": "Tweet",
                "body_before": before,
                "body_after": tweet.body,
            },
        )
        return result

    return Case(call=update, drain=provider.force_flush)


def segment(stack: ExitStack) -> Case:
    """Return a track call; batches of 100 go to a server on loopback."""
    analytics.write_key = "benchmark"
    analytics.host = stack.enter_context(serving("loopback_server.py"))
    stack.callback(analytics.shutdown)

    def update(tweet: Tweet, body: str) -> str:
        before = tweet.body
        result = rewrite(tweet, body)
        analytics.track(
            ACTOR[0],
            "tweet.update",
            {
                "action_type": "U",
                "target_id": tweet.id,
                "target_name": "Tweet",
                "body_before": before,
                "body_after": tweet.body,
            },
            context={"actor_name": ACTOR[1], "group": GROUP, "ip": LOCATION},
        )
        return result

    return Case(call=update, drain=analytics.flush)


def workos_client(stack: ExitStack) -> Case:
    """Return WorkOS's own client, which sends before it returns, to a double of WorkOS on loopback."""
    workos.api_key = "sk_test_double"
    workos.project_id = "project_benchmark"
    workos.base_api_url = stack.enter_context(serving("workos_server.py")) + "/"
    audit_trail = workos.client.audit_trail

    def update(tweet: Tweet, body: str) -> str:
        before = tweet.body
        result = rewrite(tweet, body)
        audit_trail.create_event(
            {
                "group": GROUP,
                "action": "tweet.update",
                "action_type": "U",
                "actor_id": ACTOR[0],
                "actor_name": ACTOR[1],
                "target_id": tweet.id,
                "target_name": "Tweet",
                "location": LOCATION,
                "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "metadata": {"body_before": before, "body_after": tweet.body},
            },
            str(uuid4()),
        )
        return result

    return Case(call=update, calls=_SLOW_CALLS)


def passing_through() -> Case:
    """Return a wrapper that does nothing."""

    def passed(function: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return Case(call=wrapt.FunctionWrapper(rewrite, passed))


def all_peers(stack: ExitStack) -> dict[str, Case]:
    """Return every peer by its name; what they hold is let go with the stack."""
    return {
        **structlogs(),
        names.OPENTELEMETRY: opentelemetry(stack),
        names.SEGMENT: segment(stack),
        names.WORKOS: workos_client(stack),
        names.PASS_THROUGH: passing_through(),
        names.PLAIN: Case(call=rewrite),
    }
