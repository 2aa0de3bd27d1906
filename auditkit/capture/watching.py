"""What was watched in a call, told beside the state that was captured: no two fields under one name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditkit.snapshot import CAPTURE, Snapshot, as_snapshot, changes_since

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditkit.capture.additions import Additions


def beside(said: Additions, told: Mapping[str, Any], before: Snapshot) -> dict[str, Any]:
    """Return what a captured state tells, and beside it how what was watched changed.

    A field that something looked at earlier has too is told with its class's name in front (``Account.balance``), and
    with a number where that is taken as well (``Account.2.balance``): by what there is, whatever of it changed. What
    is looked at twice keeps its names, and is told since the first time.

    Args:
        said: What was said in the call.
        told: What the captured state tells.
        before: That state before the call.
    """
    changes: dict[str, Any] = dict(told)
    keys = _Keys([*told, *before])
    if said.captured is not None:
        keys.of_object[id(said.captured)] = {name: name for name in [*told, *before]}
    for each in said.watched:
        found = changes_since(each.seen, each.state, fields=each.fields, exclude=each.exclude)
        is_known = id(each.state) in keys.of_object
        changed = [name for name in found if f"{name}_was" in found]
        own = keys.own(each.state, [*as_snapshot(each.seen), *changed])
        for name in changed:
            changes.setdefault(f"{own[name]}_was", found[f"{name}_was"])
            changes.setdefault(own[name], found[name])
        if CAPTURE in found and not (is_known and found[CAPTURE] in changes.get(CAPTURE, "")):
            is_first = CAPTURE not in changes and all(name == key for name, key in own.items())
            note = found[CAPTURE] if is_first else f"{type(each.state).__name__}: {found[CAPTURE]}"
            changes[CAPTURE] = f"{changes[CAPTURE]}; {note}" if CAPTURE in changes else note
    return changes


class _Keys:
    """Under which names the fields of several objects are told.

    Attributes:
        of_object: Each object's, by its id: field by field.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self.of_object: dict[int, dict[str, str]] = {}
        self._taken = {key for name in taken for key in (name, f"{name}_was")}

    def own(self, state: object, names: Iterable[str]) -> dict[str, str]:
        """Return an object's names, with new ones for those fields of it that have none yet."""
        own = self.of_object.setdefault(id(state), {})
        fresh = {name: self._free(name, type(state).__name__) for name in names if name not in own}
        self._taken.update(key for name in fresh.values() for key in (name, f"{name}_was"))
        own.update(fresh)
        return own

    def _free(self, name: str, kind: str) -> str:
        key, number = name, 1
        while key in self._taken or f"{key}_was" in self._taken:
            key = f"{kind}.{name}" if number == 1 else f"{kind}.{number}.{name}"
            number += 1
        return key
