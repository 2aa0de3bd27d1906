"""The catalogue of this process's audited functions, for people and tests who ask.

It stands apart from the registry, which every decorated function writes to: few processes ever ask, and dataclasses
are dear to import.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditkit.capture.registry import descriptions

if TYPE_CHECKING:
    from auditkit.event import ActionType


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredAction:
    """One decorated function, and what ``@audited`` was told about it.

    References are as they were written, a pair of them separated by a comma, callables by their qualified names.
    What was not stated is None.

    Attributes:
        action: What is done, such as ``"invoice.update"``.
        action_type: `ActionType`; equal to ``"C"``, ``"R"``, ``"U"`` or ``"D"``.
        module: The name of the module in which the function was defined; empty where it has none.
        function: The function's qualified name within it, such as ``"Billing.correct"``.
        file: The source file as Python knows it; empty for what was not written in Python.
        line: The line in it where the function begins, its decorators included; 0 where there is no file.
        summary: The first line of the function's docstring; empty where there is none.
        target: What it is done to.
        actor: Who does it, where that is not the context's.
        group: For which group, where that is not the context's.
        capture: The state that is observed.
        before: The state before the call, where it was given separately.
        after: The state after the call, where it was given separately.
        fields: The only fields of the state that are recorded, sorted.
        exclude: The fields of the state that are not, sorted.
        redact: Names whose values are redacted, beside the trail's rules; sorted.
        metadata: The names of what else is recorded, sorted; never its values.
        when: What says whether a call is recorded; ``"changed"`` for an update that must have changed something.
        outcome: What judges a call by its result.
        on_error: What a call that raises is recorded as: ``"skip"``, ``"record"``, or another action.
    """

    action: str
    action_type: ActionType
    module: str
    function: str
    file: str
    line: int
    summary: str
    target: str | None
    actor: str | None
    group: str | None
    capture: str | None
    before: str | None
    after: str | None
    fields: tuple[str, ...] | None
    exclude: tuple[str, ...] | None
    redact: tuple[str, ...]
    metadata: tuple[str, ...]
    when: str | None
    outcome: str | None
    on_error: str | None

    @property
    def name(self) -> str:
        """The function's full name: its module, and its qualified name within it."""
        return f"{self.module}.{self.function}" if self.module else self.function


def registered_actions() -> list[RegisteredAction]:
    """Return every function that is decorated with ``@audited`` in this process.

    A module that has not been imported has decorated nothing yet; a decorated function that was let go is no
    longer there. Facts that are recorded by `record` and `emit` are not functions, and not listed.

    Returns:
        A new list, sorted by action, then by the function's full name.

    Thread-safety: may be called from any thread, also while others import and decorate. It never raises, and
    runs nothing of the functions.
    """
    actions = [RegisteredAction(**described) for described in descriptions()]
    return sorted(actions, key=lambda each: (each.action, each.name, each.file, each.line, each.action_type))
