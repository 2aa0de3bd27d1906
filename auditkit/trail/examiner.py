"""Whether a trail does what it promises, asked of its engine and of its directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditkit.event import instant_of
from auditkit.trail.status import Lookout
from auditkit.trail.telling import REMEDIES, Health, Problem, destination_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditkit.configuration import Settings
    from auditkit.trail.engine import Engine


class Examiner:
    """Tell what keeps a trail from what it promises. Safe to use from any thread.

    Args:
        settings: What the trail was told.
        engine: What keeps it going.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        """Keep whom to ask."""
        self._engine = engine
        self._lookout = None if settings.directory is None else Lookout(settings.directory)

    def health(self) -> Health:
        """Return what is wrong with the trail, its destinations and its directory."""
        own = dict(self._engine.destinations())
        problems = [*self._own_problems(), *destination_problems(own, instant_of)]
        if self._lookout is not None:
            is_full = any(each.code == "journal_full" for each in problems)
            found = self._lookout.problems(self._engine.clock.time_ns(), own)
            problems += [each for each in found if not (is_full and each.code == "nearly_full")]
        return Health(tuple(problems))

    def _own_problems(self) -> Iterator[Problem]:
        code, text, since_ns = self._engine.ailment()
        if code:
            since = instant_of(since_ns)
            yield Problem(code=code, destination=None, since=since, text=text, remedy=REMEDIES[code])
