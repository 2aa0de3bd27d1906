"""Events of an application that uses OpenTelemetry, by its own SDK."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import auditkit
from auditkit import audited, auditing, carry_context, current_entry, record
from auditkit.testing import recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span

    from auditkit.testing import RecordedEvents

TRACER = TracerProvider().get_tracer("tests")


@pytest.fixture
def events() -> Iterator[RecordedEvents]:
    with recording() as recorded:
        yield recorded


@audited("plan.update", "U", target="plan")
def update(plan: str) -> None: ...


def ids_of(span: Span) -> dict[str, str]:
    context = span.get_span_context()
    return {"trace_id": trace.format_trace_id(context.trace_id), "span_id": trace.format_span_id(context.span_id)}


def test_ids_of_the_active_span_are_recorded(events: RecordedEvents) -> None:
    """Calls, blocks and facts carry the trace and span ids as OpenTelemetry writes them."""
    with TRACER.start_as_current_span("request") as span:
        update("plan_1")
        with auditing("plan.delete", "D", target="plan_1"):
            pass
        record("plan.read", "R", target="plan_1")

    assert [ids_of(span)] * 3 == [each.metadata for each in events]


def test_innermost_span_is_the_one(events: RecordedEvents) -> None:
    """The span that is active when a call ends is that of the call, not one inside of it."""

    @audited("plan.read", "R")
    def read() -> None:
        with TRACER.start_as_current_span("query"):
            pass

    with TRACER.start_as_current_span("request"), TRACER.start_as_current_span("view") as span:
        read()

    events.assert_recorded("plan.read", metadata=ids_of(span))


def test_each_further_target_carries_them(events: RecordedEvents) -> None:
    """The events of a bulk update are in the same trace."""

    @audited("plan.update", "U")
    def update_all() -> None:
        current_entry().add_target("plan_1")
        current_entry().add_target("plan_2")

    with TRACER.start_as_current_span("request") as span:
        update_all()

    assert {span_id["span_id"] for span_id in [ids_of(span)]} == {each.metadata["span_id"] for each in events}
    assert len(events) == 3


async def test_tasks_keep_their_own(events: RecordedEvents) -> None:
    """Concurrent tasks record the span of their own."""

    @audited("plan.read", "R", target="plan")
    async def read(plan: str) -> None:
        await asyncio.sleep(0)

    async def request(plan: str) -> dict[str, str]:
        with TRACER.start_as_current_span("request") as span:
            await read(plan)
        return ids_of(span)

    expected = await asyncio.gather(*(request(f"plan_{number}") for number in range(5)))

    assert {f"plan_{number}": ids for number, ids in enumerate(expected)} == {
        each.target_id: each.metadata for each in events
    }


def test_threads_without_a_span_have_none(events: RecordedEvents) -> None:
    """A thread that OpenTelemetry's context was not taken into records no span."""
    with TRACER.start_as_current_span("request"), ThreadPoolExecutor() as pool:
        pool.submit(carry_context(update), "plan_1").result()

    assert events[0].metadata == {}


def test_span_that_is_not_sampled_still_correlates(events: RecordedEvents) -> None:
    """A sampler decides what is exported, not which trace it is."""
    with TracerProvider(sampler=ALWAYS_OFF).get_tracer("tests").start_as_current_span("request") as span:
        update("plan_1")

    assert events[0].metadata == ids_of(span)


def test_no_span_leaves_no_trace(events: RecordedEvents) -> None:
    """Outside any span nothing is added."""
    update("plan_1")

    assert events[0].metadata == {}


def test_stated_ids_stand(events: RecordedEvents) -> None:
    """What the application says under these names wins."""
    with TRACER.start_as_current_span("request") as span:
        record("plan.read", "R", metadata={"trace_id": "mine"})

    assert events[0].metadata == {**ids_of(span), "trace_id": "mine"}


def test_switched_off(events: RecordedEvents) -> None:
    """``trace_ids=False`` leaves them out."""
    auditkit.configure(trace_ids=False)
    with TRACER.start_as_current_span("request"):
        update("plan_1")

    assert events[0].metadata == {}


@pytest.mark.parametrize("span", [None, 7, object(), type("Odd", (), {"get_span_context": lambda _: None})()])
def test_odd_span_is_no_span(events: RecordedEvents, monkeypatch: pytest.MonkeyPatch, span: Any) -> None:
    """Whatever stands where a span should be, the event is recorded without it and without trouble."""
    monkeypatch.setattr(trace, "get_current_span", lambda: span)
    update("plan_1")

    assert events[0].metadata == {}
    assert "capture" not in auditkit.stats().troubles


def test_opentelemetry_is_not_imported_by_us() -> None:
    """An application without OpenTelemetry does not get it from auditkit."""
    code = """
import sys
from auditkit import record
from auditkit.testing import recording

with recording() as events:
    record("plan.read", "R")
print([name for name in sys.modules if name.startswith("opentelemetry")], dict(events[0].metadata))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout == "[] {}\n"
