"""Check a transport against all promises, and tell those that it breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditkit.testing.contract import extras, living, outages, sending, stating
from auditkit.testing.contract.broken import BrokenPromise
from auditkit.testing.contract.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from auditkit.protocols import Transport
    from auditkit.testing.contract.promise import Promise

PROMISES = (*stating.PROMISES, *sending.PROMISES, *outages.PROMISES, *living.PROMISES, *extras.PROMISES)


def transport_contract(
    make: Callable[[], Transport],
    *,
    received: Callable[[], int],
    failing: Callable[[], AbstractContextManager[object]] | None = None,
) -> None:
    """Return if a transport does all that delivery relies on.

    Usage::

        def test_folder_transport(tmp_path):
            transport_contract(lambda: FolderTransport(tmp_path), received=lambda: len(list(tmp_path.iterdir())))

    Each promise is checked with a transport of its own, called as a lane calls it (``async def`` on a loop of its
    own, several sends at once, from other threads), and closed after. Where the system can fork, one check does.

    Args:
        make: Makes a transport; all that it makes in one call of this function have one name, and deliver to one
            place.
        received: Returns how many events have arrived so far. It is asked as soon as ``send`` returned, and compared
            with its own answer before, since the transport was made.
        failing: Makes a context manager inside of which the destination takes nothing, as when it is down, and
            outside of which it does again. Without one, what a transport does about failures is not checked.

    Raises:
        AssertionError: It breaks a promise: names each one, what was seen, and what to do. Its cause is the first
            error that the transport raised.

    Thread-safety: one check of a destination at a time.
    """
    subject = Subject(make=make, received=received, failing=failing)
    broken = list(_broken(subject))
    if broken:
        lines = [f"- {promise.text}: {found}" for promise, found in broken]
        told = f"the transport breaks {len(broken)} of {len(PROMISES)} promises:"
        cause = next((found.__cause__ for _, found in broken if found.__cause__ is not None), None)
        raise AssertionError("\n".join([told, *lines])) from cause


def _broken(subject: Subject) -> Iterator[tuple[Promise, BrokenPromise]]:
    for promise in PROMISES:
        try:
            promise.check(subject)
        except BrokenPromise as found:
            yield promise, found
            if promise is PROMISES[0]:
                return  # what does not say how it is to be called cannot be called
