"""What a transport does while its destination takes nothing, and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditkit.errors import DeliveryError, Rejected
from auditkit.testing.contract.broken import BrokenPromise
from auditkit.testing.contract.promise import Promise
from auditkit.testing.contract.samples import CANARY, sample

if TYPE_CHECKING:
    from auditkit.event import Event
    from auditkit.testing.contract.subject import Served, Subject


def _says_so(subject: Subject) -> None:
    if subject.failing is not None and _failure(subject) is None:
        raise BrokenPromise(
            "send() returned while the destination took nothing: "
            "raise what went wrong, and leave trying again to delivery"
        )


def _calls_it_no_refusal(subject: Subject) -> None:
    if isinstance(_failure(subject), Rejected):
        raise BrokenPromise(
            "send() raised Rejected while the destination took nothing, and the events would be dead letters: "
            "raise TemporaryFailure"
        )


def _tells_no_data(subject: Subject) -> None:
    error = _failure(subject)
    if isinstance(error, DeliveryError) and CANARY in str(error):
        raise BrokenPromise(
            f"the text of its {type(error).__name__} repeats the event's data, and goes into logs and health(): "
            "say what went wrong without it"
        )


def _goes_on(subject: Subject) -> None:
    if subject.failing is None:
        return
    with subject.served() as served:
        event = sample()
        _send_in_vain(subject, served, event)
        served.takes([event], "an event that could not be sent before")


def _failure(subject: Subject) -> Exception | None:
    """Return what is raised while nothing is taken; None where nothing is, or where failing cannot be had."""
    if subject.failing is None:
        return None
    with subject.served() as served:
        return _send_in_vain(subject, served, sample())


def _send_in_vain(subject: Subject, served: Served, event: Event) -> Exception | None:
    assert subject.failing is not None  # noqa: S101  (whoever calls has looked)
    served.takes([sample()], "one event")  # a connection that was open is what fails, in life
    with subject.failing():
        try:
            served.send([event])
        except BrokenPromise:
            raise
        except Exception as error:  # noqa: BLE001  (what it is, is the question)
            return error
    return None


PROMISES = (
    Promise("it raises where the destination takes nothing", _says_so),
    Promise("it calls no outage a refusal", _calls_it_no_refusal),
    Promise("its errors repeat nothing of an event", _tells_no_data),
    Promise("it goes on when the destination does", _goes_on),
)
