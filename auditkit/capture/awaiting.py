"""Callables of an asynchronous function's declaration: asked, and awaited, before they are read."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from auditkit.capture.declaration import RAISE
from auditkit.errors import NOT_OURS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditkit.capture.call import Call
    from auditkit.capture.reference import Compiled


async def fetch(call: Call, *, early: bool) -> None:
    """Ask each callable that is read at this moment, and keep what it gave, or raised, for when it is read.

    Args:
        call: The call.
        early: Whether it has not run yet.
    """
    answers = call.awaited = {}
    for compiled in _early(call) if early else _late(call):
        asks = compiled.asks
        if asks is None:
            continue
        try:
            value = asks(call)
        except NOT_OURS:
            raise
        except BaseException as error:  # noqa: BLE001  (raised again where it is read, and told there)
            answers[asks] = None, error
            continue
        try:
            answers[asks] = (await value if inspect.isawaitable(value) else value), None
        except Exception as error:  # noqa: BLE001  (the same; and who is cancelled here is the call itself)
            answers[asks] = None, error


def _early(call: Call) -> Iterator[Compiled]:
    """Yield what is read before the call; where trouble is raised then, all that can be."""
    declared = call.declared
    raises = declared.on_audit_error == RAISE or (declared.on_audit_error is None and call.trail.raises)
    for option, compiled in declared.compiled():
        is_early = (
            option == "before"
            or (declared.early_target and option.startswith("target"))
            or (declared.early_who and option in {"actor", "group"})
        )
        if not compiled.late and (is_early or (raises and declared.action_type != "C")):
            yield compiled


def _late(call: Call) -> Iterator[Compiled]:
    """Yield what is read after the call; of one that failed neither the state nor the result."""
    known = {"before"}
    if call.failed:
        known |= {"after", "outcome"}
    if call.target is not None:
        known |= {"target", "target_name"}
    if call.who is not None:
        known |= {"actor", "group"}
    return (compiled for option, compiled in call.declared.compiled() if option not in known)
