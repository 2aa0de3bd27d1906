"""What a transport does with events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditkit.errors import Rejected
from auditkit.testing.contract.broken import BrokenPromise
from auditkit.testing.contract.promise import Promise
from auditkit.testing.contract.samples import sample, samples, shapes

if TYPE_CHECKING:
    from auditkit.testing.contract.subject import Subject


def _has_accepted_when_it_returns(subject: Subject) -> None:
    with subject.served() as served:
        served.takes([sample()], "one event")


def _takes_any_shape(subject: Subject) -> None:
    with subject.served() as served:
        for what, event in shapes():
            try:
                served.takes([event], what)
            except BrokenPromise as found:
                if not isinstance(found.__cause__, Rejected):
                    raise


def _takes_its_whole_batch(subject: Subject) -> None:
    with subject.served() as served:
        count = served.transport.max_batch
        served.takes(samples(count), f"as many events as max_batch says ({count})")


def _takes_any_sequence(subject: Subject) -> None:
    with subject.served() as served:
        served.takes((sample(),), "a tuple of events")


def _takes_events_again(subject: Subject) -> None:
    events = [sample()]
    with subject.served() as served:
        served.takes(events, "one event")
        served.takes(events, "the same event again, as after an answer that was lost,", again=True)


def _may_have_had_nothing_to_send(subject: Subject) -> None:
    with subject.served():
        pass


PROMISES = (
    Promise("a destination has the events when send() returns", _has_accepted_when_it_returns),
    Promise("it takes events of any shape, or refuses them by Rejected", _takes_any_shape),
    Promise("it takes as many events at once as it says", _takes_its_whole_batch),
    Promise("it takes any sequence", _takes_any_sequence),
    Promise("it takes the same events again", _takes_events_again),
    Promise("it can be closed without having sent", _may_have_had_nothing_to_send),
)
