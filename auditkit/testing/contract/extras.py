"""What a transport may have besides, and must then have whole."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from auditkit.encoding import encode_event
from auditkit.errors import AuditError
from auditkit.event import describe
from auditkit.protocols import Record
from auditkit.testing.contract.broken import BrokenPromise
from auditkit.testing.contract.promise import Promise
from auditkit.testing.contract.samples import sample
from auditkit.transports import Probed

if TYPE_CHECKING:
    from auditkit.testing.contract.subject import Subject

_PAIR = ("encode", "send_encoded")


def _encodes_wholly(subject: Subject) -> None:
    with subject.made() as transport:
        found = [name for name in _PAIR if callable(getattr(transport, name, None))]
        if len(found) == 1:
            raise BrokenPromise(f"it has {found[0]}() alone, which is not called: have {' and '.join(_PAIR)}")
        if found and transport.max_batch != 1:
            raise BrokenPromise(
                f"it has {' and '.join(_PAIR)} and max_batch {transport.max_batch}: they are called where that is 1"
            )


def _sends_what_another_encoded(subject: Subject) -> None:
    if not subject.has(*_PAIR):
        return
    with subject.served() as first, subject.served() as second:
        event = sample()
        before = subject.received()
        body = _encoded(first.transport, event)
        if subject.received() != before:
            raise BrokenPromise("encode() sent the event: it is called before its bytes are kept")
        second.takes_encoded(event.id, body)
        second.takes_encoded(event.id, body, again=True)


def _encoded(transport: Any, event: object) -> bytes:
    try:
        body = transport.encode(event)
    except Exception as error:
        raise BrokenPromise(f"encode() raised {type(error).__name__}: {error}") from error
    if not isinstance(body, bytes | bytearray | memoryview):
        raise BrokenPromise(f"encode() returned {describe(body)}, must be bytes")
    return bytes(body)


def _takes_records_with_and_without_body(subject: Subject) -> None:
    if not subject.has("send_records"):
        return
    with subject.served() as served:
        event = sample()
        served.takes_records([Record(("a", 0), event, encode_event(event))], "a record")
        served.takes_records([Record(("a", 1), sample())], "a record in memory, without body,")


def _is_plain_where_inline(subject: Subject) -> None:
    with subject.made() as transport:
        if not getattr(transport, "inline", False):
            return
        outcome = transport.send([sample()])
        if inspect.iscoroutine(outcome):
            outcome.close()
        if outcome is not None:
            raise BrokenPromise("it is inline, and its send() is not over when it returns: make it a plain function")


def _tells_what_it_probed(subject: Subject) -> None:
    if not subject.has("probe"):
        return
    with subject.made() as transport:
        _look_at_probe(transport)


def _look_at_probe(transport: Any) -> None:
    try:
        probed = transport.probe()
    except (AuditError, OSError):
        return  # nothing answered: the doctor tells that
    except Exception as error:
        raise BrokenPromise(
            f"probe() raised {type(error).__name__}: {error}; raise a TemporaryFailure or an OSError"
        ) from error
    if not isinstance(probed, Probed):
        raise BrokenPromise(f"probe() returned {describe(probed)}, must be a Probed")


PROMISES = (
    Promise("it encodes and sends what it encoded, or neither", _encodes_wholly),
    Promise("it sends what another of its kind encoded, again too", _sends_what_another_encoded),
    Promise("it takes records with their JSON and without", _takes_records_with_and_without_body),
    Promise("where it is inline its send is plain", _is_plain_where_inline),
    Promise("its probe tells what was found", _tells_what_it_probed),
)
