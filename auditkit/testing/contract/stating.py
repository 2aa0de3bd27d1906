"""What a transport says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditkit.configuration import checked_transports
from auditkit.errors import ConfigurationError
from auditkit.testing.contract.broken import BrokenPromise
from auditkit.testing.contract.promise import Promise

if TYPE_CHECKING:
    from auditkit.testing.contract.subject import Subject


def _states_what_delivery_asks(subject: Subject) -> None:
    with subject.made() as transport:
        try:
            checked_transports(transport)
        except ConfigurationError as error:
            raise BrokenPromise(str(error)) from None


def _keeps_its_name(subject: Subject) -> None:
    with subject.made() as first, subject.made() as second:
        if first.name != second.name:
            raise BrokenPromise(
                f"made twice, it is {first.name!r} and {second.name!r}: "
                "the journal remembers by its name how far it has come"
            )


def _can_be_shown(subject: Subject) -> None:
    with subject.made() as transport:
        try:
            repr(transport)
        except Exception as error:
            raise BrokenPromise(f"its repr() raised {type(error).__name__}: {error}") from error


PROMISES = (
    Promise("it states name, max_batch, concurrency and durable", _states_what_delivery_asks),
    Promise("it has one name", _keeps_its_name),
    Promise("it can be shown", _can_be_shown),
)
