"""What the hot path carries: the facts of a call, before anybody needs an `Event` of them.

Making a frozen event costs several times what recording one does. A draft is a tuple; the encoder writes
it as JSON, and a lane or a test turns it into an `Event` off the caller's path.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from auditkit.event import ActionType, Actor, Event, instant_of
from auditkit.native import in_c

if TYPE_CHECKING:
    from collections.abc import Container

    from auditkit.event import MetadataValue


class Defaults(NamedTuple):
    """What stands in an event where no scope and no call said otherwise.

    Attributes:
        settled: The names of those that were chosen, so that nobody misses a bound one.
    """

    group: str = "default"
    actor: Actor = Actor("anonymous")
    location: str = "localhost"
    settled: frozenset[str] = frozenset()

    def missing(self, bound: Container[str] = ()) -> tuple[str, ...]:
        """Return the fields for which a default stands that nobody chose.

        Args:
            bound: The fields that somebody bound.
        """
        return tuple(name for name in _FIELDS if name not in bound and name not in self.settled)


_FIELDS = ("group", "actor", "location")


@in_c("Scene")
class _SceneFields:
    __slots__ = ("encoded", "judged", "metadata", "missing")


class Scene(_SceneFields):
    """Who acts and from where, resolved and complete: one object for all events of an unchanged scope.

    Attributes:
        metadata: What the context adds to each event, lowest in precedence.
        missing: The fields that nobody bound, so that a default stands in them which nobody chose either.
        judged: Whether a redactor has replaced what looks like a secret in the texts: once, by the first event.
        encoded: The JSON of the scene's fields, made once by the encoder, after that, and kept here.
    """

    __slots__ = ("actor_id", "actor_name", "actor_type", "correlation_id", "group", "location")

    def __init__(  # noqa: PLR0913  (the fields of a scene)
        self,
        *,
        group: str,
        actor_id: str,
        actor_name: str,
        actor_type: str,
        location: str,
        correlation_id: str | None,
        metadata: Mapping[str, MetadataValue],
        missing: tuple[str, ...] = (),
    ) -> None:
        """Keep the fields; a redactor and the encoder fill in ``judged`` and ``encoded``."""
        self.group = group
        self.actor_id = actor_id
        self.actor_name = actor_name
        self.actor_type = actor_type
        self.location = location
        self.correlation_id = correlation_id
        self.metadata = metadata
        self.missing = missing
        self.judged = False
        self.encoded = ""


class Draft(NamedTuple):
    """The facts of one event, normalised and redacted, in the cheapest form."""

    id: str
    occurred_ns: int
    scene: Scene
    action: str
    action_type: str
    target_id: str
    target_name: str
    target_type: str
    parent_id: str | None
    metadata: Mapping[str, MetadataValue]

    def event(self) -> Event:
        """Return the event of these facts."""
        scene = self.scene
        return Event.restore(
            {
                "group": scene.group,
                "action": self.action,
                "action_type": ActionType(self.action_type),
                "actor_name": scene.actor_name,
                "actor_id": scene.actor_id,
                "target_name": self.target_name,
                "target_id": self.target_id,
                "location": scene.location,
                "occurred_at": instant_of(self.occurred_ns),
                "metadata": MappingProxyType(
                    {
                        key: MappingProxyType(dict(each)) if isinstance(each, Mapping) else each
                        for key, each in self.metadata.items()
                    }
                ),
                "id": self.id,
                "actor_type": scene.actor_type,
                "target_type": self.target_type,
                "parent_id": self.parent_id,
                "correlation_id": scene.correlation_id,
            }
        )
