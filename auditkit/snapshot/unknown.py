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
