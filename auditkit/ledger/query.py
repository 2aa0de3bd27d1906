"""What a reader asks for, as SQL with bound parameters. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditkit.errors import LedgerError
from auditkit.event import whole_text, wire_text
from auditkit.ledger.rows import fold

if TYPE_CHECKING:
    from datetime import datetime

Parameter = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The filters of a reader; None asks for everything.

    Args:
        actor: The actor's id, or name without case.
        action: An action, or a pattern in which ``*`` stands for any text: ``"tweet.*"``.
        target: The target's id, or name without case.
        group: The group.
        since: The earliest time, itself included.
        until: The latest time, itself left out, so that two adjacent spans never share an event.
        after_position: Only entries recorded after this one.
        before_position: Only entries recorded before this one.

    Raises:
        LedgerError: A time is naive.
    """

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    group: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after_position: int = 0
    before_position: int | None = None

    def __post_init__(self) -> None:
        """Refuse times that do not say where."""
        for name, value in (("since", self.since), ("until", self.until)):
            if value is not None and value.utcoffset() is None:
                raise LedgerError(f"{name} must be a datetime with an offset, got the naive {value.isoformat()}")

    def condition(self) -> tuple[str, list[Parameter]]:
        """Return the WHERE condition and its parameters; nothing that was given is part of the text."""
        clauses: list[str] = ["body IS NOT NULL", "position > ?"]
        parameters: list[Parameter] = [self.after_position]
        for clause, values in self._clauses():
            clauses.append(clause)
            parameters += values
        return " AND ".join(clauses), parameters

    def _clauses(self) -> list[tuple[str, tuple[Parameter, ...]]]:
        found: list[tuple[str, tuple[Parameter, ...]]] = []
        if self.before_position is not None:
            found.append(("position < ?", (self.before_position,)))
        if self.actor is not None:
            found.append(("(actor_id = ? OR actor_name = ?)", (whole_text(self.actor), fold(self.actor))))
        if self.action is not None:
            found.append(_action(whole_text(self.action)))
        if self.target is not None:
            found.append(("(target_id = ? OR target_name = ?)", (whole_text(self.target), fold(self.target))))
        if self.group is not None:
            found.append(("group_id = ?", (whole_text(self.group),)))
        # The plus keeps SQLite from the index here: it would sort all that matches again for each page.
        found += [(f"+{clause}", values) for clause, values in self._times()]
        return found

    def span(self) -> tuple[str, list[Parameter]]:
        """Return the condition of the times alone, for the index over them, and its parameters."""
        times = self._times()
        return " AND ".join(clause for clause, _ in times), [value for _, values in times for value in values]

    def _times(self) -> list[tuple[str, tuple[Parameter, ...]]]:
        found: list[tuple[str, tuple[Parameter, ...]]] = []
        if self.since is not None:
            found.append(("occurred_at >= ?", (wire_text(self.since),)))
        if self.until is not None:
            found.append(("occurred_at < ?", (wire_text(self.until),)))
        return found

    def within(self, first: int | None, last: int | None) -> Query:
        """Return the query that looks only from a first to a last position; None for an empty span."""
        if first is None or last is None:
            return replace(self, before_position=0)
        return replace(
            self,
            after_position=max(self.after_position, first - 1),
            before_position=last + 1 if self.before_position is None else min(self.before_position, last + 1),
        )


def _action(pattern: str) -> tuple[str, tuple[Parameter, ...]]:
    if "*" not in pattern:
        return "action = ?", (pattern,)
    # Of GLOB's signs only the star is meant: the others stand for themselves.
    return "action GLOB ?", (pattern.replace("[", "[[]").replace("?", "[?]"),)
