"""What is measured, and what is set beside what. Names alone: no peer is imported here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# What is measured: auditkit's calls
DURABLE: Final = "auditkit: update, durable"
WITH_LEDGER: Final = "auditkit: update, durable, ledger in this process"
IN_MEMORY: Final = "auditkit: update, in memory"
READ: Final = "auditkit: read without capture, durable"
READ_IN_MEMORY: Final = "auditkit: read without capture, in memory"
DISABLED: Final = "auditkit: update, disabled"
NESTED: Final = "auditkit: update in nested scopes, durable"
NESTED_IN_MEMORY: Final = "auditkit: update in nested scopes, in memory"
TEN: Final = "auditkit: update of a 10-field dataclass, durable"
TEN_IN_MEMORY: Final = "auditkit: update of a 10-field dataclass, in memory"

OURS: Final = frozenset(
    {
        DURABLE,
        WITH_LEDGER,
        IN_MEMORY,
        READ,
        READ_IN_MEMORY,
        DISABLED,
        NESTED,
        NESTED_IN_MEMORY,
        TEN,
        TEN_IN_MEMORY,
    }
)

# ... and what they are set beside
STRUCTLOG: Final = "structlog: update"
STRUCTLOG_READ: Final = "structlog: read"
STRUCTLOG_NESTED: Final = "structlog: update in nested contexts"
STRUCTLOG_TEN: Final = "structlog: update of a 10-field dataclass"
OPENTELEMETRY: Final = "OpenTelemetry: log record, batch processor"
SEGMENT: Final = "Segment: track"
WORKOS: Final = "workos 0.7.0: create_event"
PASS_THROUGH: Final = "wrapt: pass-through"
PLAIN: Final = "the bare function"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One of auditkit's calls beside one of a peer's.

    Attributes:
        ours: auditkit's call.
        theirs: The peer's.
        bar: What their ratio should not exceed.
        bars: What it should not exceed on some Pythons, by ``"3.13"``.
    """

    ours: str
    theirs: str
    bar: float = 1.0
    bars: Mapping[str, float] = field(default_factory=dict)

    def bar_on(self, minor: str) -> float:
        """Return the bar on a Python."""
        return self.bars.get(minor, self.bar)


COMPARISONS: Final = (
    Comparison(DURABLE, STRUCTLOG, 0.58, {"3.13": 0.64}),
    Comparison(WITH_LEDGER, STRUCTLOG),
    Comparison(IN_MEMORY, STRUCTLOG, 0.20),
    Comparison(DURABLE, OPENTELEMETRY),
    Comparison(DURABLE, SEGMENT),
    Comparison(DURABLE, WORKOS),
    Comparison(READ, STRUCTLOG_READ),
    Comparison(READ_IN_MEMORY, STRUCTLOG_READ),
    Comparison(DISABLED, PASS_THROUGH),
    Comparison(NESTED, STRUCTLOG_NESTED),
    Comparison(NESTED_IN_MEMORY, STRUCTLOG_NESTED),
    Comparison(TEN, STRUCTLOG_TEN),
    Comparison(TEN_IN_MEMORY, STRUCTLOG_TEN),
)

# Single calls beside lanes, each with structlog's call beside the same lanes. The call in memory writes nothing: it
# tells apart what a lane costs by computing and what by being written to.
TAILS: Final = (
    (DURABLE, STRUCTLOG),
    (IN_MEMORY, STRUCTLOG),
    (NESTED, STRUCTLOG_NESTED),
    (TEN, STRUCTLOG_TEN),
)
