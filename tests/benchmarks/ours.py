"""auditkit's own calls, as its documentation writes them."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from auditkit import AuditTrail, audit_context, audited
from auditkit.transports import WorkOSTransport
from tests.benchmarks import comparisons as names
from tests.benchmarks.servers import serving
from tests.benchmarks.work import ACTOR, REQUEST, Case, Profile, Tweet, Update, revise, rewrite

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditkit.event import Event

_ROOM = 2**34  # bytes: a run must not end for lack of it
_DEPTH = 20  # scopes
_LONGEST = 120.0  # seconds


class Discarding:
    """Take events, and do nothing with them."""

    name, max_batch, concurrency, durable = "discarding", 100, 1, False

    def send(self, events: Sequence[Event]) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trails:
    """Where the calls are recorded.

    Attributes:
        durable: On disk, and delivered by another process.
        with_ledger: On disk, and into the ledger by this process: what `configure()` makes.
        in_memory: Without a directory.
        handing_on: Without a directory, to a transport that discards what it is sent.
        delivering: On disk, into the ledger, and by a lane to a WorkOS on loopback.
    """

    durable: AuditTrail
    with_ledger: AuditTrail
    in_memory: AuditTrail
    handing_on: AuditTrail
    delivering: AuditTrail

    def check(self) -> None:
        """Raise RuntimeError if any event met trouble: it would not have cost what it costs."""
        for trail in (self.durable, self.with_ledger, self.in_memory, self.handing_on, self.delivering):
            if trail.stats().troubles:
                raise RuntimeError(f"{trail!r} met trouble: {trail.stats().troubles}")


def trails(stack: ExitStack, directory: str) -> Trails:
    """Make the trails; they are shut down with the stack.

    They look for no span: OpenTelemetry is in the process for its own case, and no other peer tells of its traces.
    """

    def made(transport: WorkOSTransport | None = None, **given: Any) -> AuditTrail:
        where: dict[str, Any] = {"directory": mkdtemp(dir=directory), "max_bytes": _ROOM, "trace_ids": False}
        trail = AuditTrail(transport, **where, **given)
        stack.callback(trail.shutdown, _LONGEST)
        return trail

    workos = WorkOSTransport("sk_benchmark", base_url=stack.enter_context(serving("loopback_server.py")))
    in_memory = AuditTrail(directory=None, trace_ids=False)
    handing_on = AuditTrail(Discarding(), directory=None, trace_ids=False)
    stack.callback(in_memory.shutdown)
    stack.callback(handing_on.shutdown, _LONGEST)
    return Trails(
        durable=made(deliver=False),
        with_ledger=made(),
        in_memory=in_memory,
        handing_on=handing_on,
        delivering=made(workos, delivery_share=1),
    )


def all_ours(where: Trails) -> dict[str, Case]:
    """Return every call of auditkit's by its name."""
    return {
        names.DURABLE: _case(update_on(where.durable), where.durable),
        names.WITH_LEDGER: _case(update_on(where.with_ledger), where.with_ledger),
        names.IN_MEMORY: _case(update_on(where.in_memory), where.in_memory),
        names.HANDED_ON: _case(update_on(where.handing_on), where.handing_on),
        names.READ: _case(read_on(where.durable), where.durable),
        names.READ_IN_MEMORY: _case(read_on(where.in_memory), where.in_memory),
        names.DISABLED: Case(call=update_on(_disabled())),
        names.NESTED: _case(nested_on(where.durable), where.durable),
        names.NESTED_IN_MEMORY: _case(nested_on(where.in_memory), where.in_memory),
        names.DEEP: replace(_case(update_on(where.durable), where.durable), around=_deep),
        names.TEN: _case(ten_on(where.durable), where.durable, Profile),
        names.TEN_IN_MEMORY: _case(ten_on(where.in_memory), where.in_memory, Profile),
    }


def beside_lanes(trail: AuditTrail) -> dict[str, Case]:
    """Return the calls whose single times are measured beside the trail's lanes."""
    return {
        names.DURABLE: _case(update_on(trail), trail),
        names.NESTED: _case(nested_on(trail), trail),
        names.TEN: _case(ten_on(trail), trail, Profile),
    }


def _case(call: Update, trail: AuditTrail, subject: type[Tweet | Profile] = Tweet) -> Case:
    return Case(call=call, drain=lambda: _drained(trail), subject=subject)


def _drained(trail: AuditTrail) -> None:
    if not trail.flush(_LONGEST):
        raise RuntimeError(f"{trail!r} was not worked off within {_LONGEST} s: {trail.health()}")


def _disabled() -> AuditTrail:
    os.environ["AUDITKIT_DISABLED"] = "1"
    try:
        return AuditTrail(directory=None)
    finally:
        del os.environ["AUDITKIT_DISABLED"]


def update_on(trail: AuditTrail) -> Update:
    return audited("tweet.update", "U", target="tweet.id", capture="tweet", trail=trail)(rewrite)


def read_on(trail: AuditTrail) -> Update:
    return audited("tweet.read", "R", target="tweet.id", trail=trail)(rewrite)


def nested_on(trail: AuditTrail) -> Update:
    update = update_on(trail)

    def nested(tweet: Tweet, body: str) -> object:
        with audit_context(actor=ACTOR), audit_context(metadata={"request": REQUEST}):
            return update(tweet, body)

    return nested


@contextmanager
def _deep() -> Iterator[None]:
    with ExitStack() as scopes:
        for _ in range(_DEPTH):
            scopes.enter_context(audit_context(actor=ACTOR))
        yield


def ten_on(trail: AuditTrail) -> Update:
    return audited("profile.update", "U", target="profile.id", capture="profile", trail=trail)(revise)
