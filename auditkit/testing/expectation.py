"""What a test asks of an event, and how an event differs from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from auditkit.event import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

ABSENT = "(nothing)"  # what is shown where an event has no such value
_FIELDS = frozenset(each.name for each in fields(Event)) - {"action", "metadata"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as asked: texts, to be shown."""

    name: str
    asked: str
    is_: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is asked.

    Attributes:
        action: The action.
        parts: Everything else by the name it is shown with: where it is in an event, and its value.
    """

    action: str
    parts: Mapping[str, tuple[str, str, Any]]

    @classmethod
    def of(
        cls,
        action: str,
        *,
        changed: Mapping[str, Any] | None,
        metadata: Mapping[str, Any] | None,
        fields: Mapping[str, Any],
    ) -> Self:
        """Return what a call of `assert_recorded` asks.

        Raises:
            TypeError: `Event` has no such field.
        """
        unknown = sorted(fields.keys() - _FIELDS)
        if unknown:
            raise TypeError(
                f"an event has no field {unknown[0]!r}; there are {', '.join(sorted(_FIELDS))}, "
                "and changed= and metadata= for what is inside of it"
            )
        parts = {name: ("", name, value) for name, value in fields.items()}
        parts |= {f"changed.{name}": ("changes", name, value) for name, value in (changed or {}).items()}
        parts |= {f"metadata.{name}": ("metadata", name, value) for name, value in (metadata or {}).items()}
        return cls(action, parts)

    def differences(self, event: Event) -> list[Difference]:
        """Return everything of an event that is not as asked."""
        found = []
        if event.action != self.action:
            found.append(Difference("action", repr(self.action), repr(event.action)))
        for shown, (holder, name, asked) in self.parts.items():
            values = {name: getattr(event, name)} if not holder else getattr(event, holder)
            if name not in values:
                found.append(Difference(shown, repr(asked), ABSENT))
            elif not _alike(asked, values[name], pair=holder == "changes"):
                found.append(Difference(shown, repr(asked), repr(values[name])))
        return found


def _alike(asked: Any, value: Any, *, pair: bool) -> bool:
    """Return whether a value is as asked; a change may be asked for by a list too, as JSON has it."""
    return bool(asked == value) or (pair and isinstance(asked, list) and tuple(asked) == value)
