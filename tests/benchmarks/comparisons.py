"""What is measured, and what is set beside what. Names alone: no peer is imported here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# What is measured: auditkit's calls
DURABLE: Final = "auditkit: update, durable"
WITH_LEDGER: Final = "auditkit: update, durable, ledger in this process"
IN_MEMORY: Final = "auditkit: update, in memory"
HANDED_ON: Final = "auditkit: update, in memory, handed to a transport by this process"
READ: Final = "auditkit: read without capture, durable"
READ_IN_MEMORY: Final = "auditkit: read without capture, in memory"
DISABLED: Final = "auditkit: update, disabled"
NESTED: Final = "auditkit: update in nested scopes, durable"
NESTED_IN_MEMORY: Final = "auditkit: update in nested scopes, in memory"
DEEP: Final = "auditkit: update, durable, twenty scopes deep"
TEN: Final = "auditkit: update of a 10-field dataclass, durable"
TEN_IN_MEMORY: Final = "auditkit: update of a 10-field dataclass, in memory"

OURS: Final = frozenset(
    {
        DURABLE,
        WITH_LEDGER,
        IN_MEMORY,
        HANDED_ON,
        READ,
        READ_IN_MEMORY,
        DISABLED,
        NESTED,
        NESTED_IN_MEMORY,
        DEEP,
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
    """One of auditkit's calls beside one of a peer's, or beside another one of auditkit's.

    Attributes:
        ours: auditkit's call.
        theirs: The other.
        bar: What their ratio should not exceed.
    """

    ours: str
    theirs: str
    bar: float = 1.0


COMPARISONS: Final = (
    Comparison(DURABLE, STRUCTLOG, 0.65),
    Comparison(WITH_LEDGER, STRUCTLOG),
    Comparison(IN_MEMORY, STRUCTLOG, 0.30),
    Comparison(HANDED_ON, STRUCTLOG, 0.30),
    Comparison(DURABLE, OPENTELEMETRY, 0.45),
    Comparison(DURABLE, SEGMENT, 0.20),
    Comparison(DURABLE, WORKOS, 0.01),
    Comparison(READ, STRUCTLOG_READ, 0.45),
    Comparison(READ_IN_MEMORY, STRUCTLOG_READ, 0.15),
    Comparison(DISABLED, PASS_THROUGH, 2.0),
    Comparison(NESTED, STRUCTLOG_NESTED),
    Comparison(NESTED_IN_MEMORY, STRUCTLOG_NESTED),
    Comparison(TEN, STRUCTLOG_TEN),
    Comparison(TEN_IN_MEMORY, STRUCTLOG_TEN),
    Comparison(DEEP, DURABLE),
    Comparison(TEN, DURABLE, 1.5),
)

# Single calls beside lanes, each with structlog's call beside the same lanes. The call in memory writes nothing: it
# tells apart what a lane costs by computing and what by being written to.
TAILS: Final = (
    (DURABLE, STRUCTLOG),
    (IN_MEMORY, STRUCTLOG),
    (NESTED, STRUCTLOG_NESTED),
    (TEN, STRUCTLOG_TEN),
)
