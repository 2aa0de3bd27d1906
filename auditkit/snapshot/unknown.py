"""What stands in a snapshot for a value that could not be read: unknown is never the same as empty."""

from __future__ import annotations

from typing import Final, final

from auditkit.event import Scalar


@final
class Unknown:
    """A value that is there, or was, but cannot be read without asking somebody else for it."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        """Keep the name that its repr shows."""
        self._name = name

    def __repr__(self) -> str:
        """Show it by its name, for tests and debuggers."""
        return self._name

    def __reduce__(self) -> str:
        """Copy and pickle to the same object: it is compared by identity."""
        return self._name


UNKNOWN: Final = Unknown("UNKNOWN")
"""It was readable once and is not any more, or there was no room for it: the event says so."""

DEFERRED: Final = Unknown("DEFERRED")
"""The application chose not to load it. Nobody expects it, so only a change of that is worth a word."""

REST: Final = "..."
"""The name under which a snapshot says that it does not hold everything."""

Snapshot = dict[str, Scalar | Unknown]


class Veiled(Snapshot):
    """A snapshot with values that show nothing but their type's name; it knows which objects these were.

    Two such values look alike, whatever is inside of them: only where it is the same object is it no change.

    Attributes:
        objects: Those that a field's text stands for, or has inside of it, by the field's name.
    """

    __slots__ = ("objects",)

    def __init__(self, fields: Snapshot, objects: dict[str, tuple[object, ...]]) -> None:
        """Keep the fields, and the objects for as long as the snapshot is kept."""
        super().__init__(fields)
        self.objects = objects

    def unlike(self, later: Veiled) -> list[str]:
        """Return the fields that look the same here and later, and are other objects."""
        return [
            name
            for name, objects in self.objects.items()
            if self[name] == later.get(name) and [*map(id, objects)] != [*map(id, later.objects.get(name, ()))]
        ]
