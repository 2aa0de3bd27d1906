"""What the code inside an audited call says of its event while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from auditkit.draft import Scene
    from auditkit.event import Actor, Target
    from auditkit.snapshot import Seen, Snapshot


class Watched(NamedTuple):
    """An object, as it was when it was asked for, to be looked at again at the end."""

    state: object
    seen: Seen | Snapshot
    fields: frozenset[str] | None
    exclude: frozenset[str]


class Additions:
    """All that was said. Several threads that the call began may say something at once.

    Attributes:
        captured: The state that the declaration observed, as it is after the call.
        ended_ns: When the call ended, for all events that come of it.
        scene: Who acted and from where, likewise.
    """

    __slots__ = ("actor", "captured", "discarded", "ended_ns", "further", "metadata", "scene", "watched")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.actor: Actor | None = None
        self.metadata: dict[str, Any] = {}
        self.captured: object = None
        self.watched: list[Watched] = []
        self.further: list[tuple[Target, dict[str, Any]]] = []
        self.discarded = False
        self.ended_ns = 0
        self.scene: Scene | None = None
