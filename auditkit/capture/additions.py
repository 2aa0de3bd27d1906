"""What the code inside an audited call says of its event while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditkit.draft import Scene
    from auditkit.event import Actor, Target
    from auditkit.snapshot import Seen, Snapshot


@dataclass(slots=True, eq=False)
class Watched:
    """An object, as it was when it was asked for, to be looked at again at the end."""

    state: object
    seen: Seen | Snapshot
    fields: frozenset[str] | None
    exclude: frozenset[str]


@dataclass(slots=True, eq=False)
class Additions:
    """All that was said. Several threads that the call began may say something at once.

    Attributes:
        ended_ns: When the call ended, for all events that come of it.
        scene: Who acted and from where, likewise.
    """

    actor: Actor | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    watched: list[Watched] = field(default_factory=list)
    further: list[tuple[Target, dict[str, Any]]] = field(default_factory=list)
    discarded: bool = False
    ended_ns: int = 0
    scene: Scene | None = None
