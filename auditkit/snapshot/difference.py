"""What changed between two snapshots, under the names that an event's metadata gives it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from auditkit.event import is_own
from auditkit.snapshot.unknown import DEFERRED, REST, UNKNOWN, Snapshot, Unknown, Veiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.event import Scalar

CAPTURE: Final = "auditkit_capture"
"""The key under which an event says which fields were not readable."""

_MAX_LISTED: Final = 20  # unknown fields that an event names; further ones are counted
_MAX_KEYS: Final = 4096  # names remembered
_ABSENT: Final[Any] = object()
_FIELDS: Final = "{...}"  # stands for a state whose fields have names of their own


class Keys(NamedTuple):
    """The keys of one field: what it was, and what it is; not plain where somebody else may own them."""

    was: str
    now: str
    plain: bool


class _KeysOfNames(dict[str, Keys]):
    """The keys of each field's name: made once, and read at the cost of a dict."""

    def __missing__(self, name: str) -> Keys:
        if len(self) >= _MAX_KEYS:
            self.clear()
        keys = self[name] = Keys(f"{name}_was", name, plain=not is_own(name) and not name.endswith("_was"))
        return keys


keys_of: Final = _KeysOfNames()


def _apart(*sides: Snapshot) -> dict[str, tuple[str, str]]:
    """Return keys for all fields of these snapshots, no two alike, for when there is one that is not plain."""
    names = list(dict.fromkeys(name for side in sides for name in side))
    keys = {name: (f"{name}_was", name) for name in names if keys_of[name].plain}
    used = {key for pair in keys.values() for key in pair}
    for name in sorted(set(names) - set(keys)):  # the same keys whatever the order
        now = name
        while is_own(now) or now in used or f"{now}_was" in used:
            now = f"state.{now}"
        keys[name] = (f"{now}_was", now)
        used.update(keys[name])
    return keys


def difference(  # noqa: C901  (measured: the hot path of every update)
    before: Snapshot, after: Snapshot
) -> dict[str, Scalar]:
    """Return the changed fields as ``name_was`` and ``name``, in that order.

    A field that only one side has is None on the other: recorded as empty. Where the other side has fields below
    its name instead, it is ``{...}`` there. One that is unknown on either side
    is left out, and named under ``auditkit_capture``: so an empty answer says that nothing changed, and means it.
    So is one that shows nothing but its type's name, where it is another object.
    A field named like another one's ``_was``, or like one of auditkit's own keys, is called ``state.<name>``.
    """
    changes: dict[str, Scalar] = {}
    unknown: list[str] = []
    found = 0
    for name, new in after.items():
        old = before.get(name, _ABSENT)
        if old is new:
            found += 1
            if new is UNKNOWN:
                unknown.append(name)
            continue
        if old is _ABSENT:
            if new is None or new is DEFERRED:
                continue
            old = _in_place_of(name, after, before)
        else:
            found += 1
            if old == new and type(old) is type(new):
                continue
        if type(old) is Unknown or type(new) is Unknown:
            unknown.append(name)
            continue
        was, now, plain = keys_of[name]
        if not plain:
            was, now = _apart(before, after)[name]
        changes[was] = old
        changes[now] = new
    if found != len(before):
        _add_gone(before, after, changes, unknown)
    if type(before) is Veiled and type(after) is Veiled:
        unknown += before.unlike(after)
    if unknown:
        changes[CAPTURE] = _told(unknown)
    return changes


def _add_gone(before: Snapshot, after: Snapshot, changes: dict[str, Scalar], unknown: list[str]) -> None:
    """Add the fields that are only in ``before``."""
    for name, old in before.items():
        if name in after or old is None or old is DEFERRED:
            continue
        new = _in_place_of(name, before, after)
        if type(old) is Unknown or type(new) is Unknown:
            unknown.append(name)
            continue
        was, now, plain = keys_of[name]
        if not plain:
            was, now = _apart(before, after)[name]
        changes[was] = old
        changes[now] = new


def _in_place_of(name: str, side: Snapshot, other: Snapshot) -> Any:
    """Return what the other side has in the place of a field that only one side has.

    Not known where the other side does not hold everything, nor where it shows nothing of what this is inside of, or
    has fields where this shows nothing.
    """
    if REST in other:
        return UNKNOWN
    below = f"{name}."
    if any(each.startswith(below) for each in other):
        return UNKNOWN if _shows_nothing(name, side) else _FIELDS
    ways = [name[:end] for end in range(len(name)) if name[end] == "."]
    return UNKNOWN if any(way in other and _shows_nothing(way, other) for way in ways) else None


def _shows_nothing(name: str, side: Snapshot) -> bool:
    return type(side[name]) is Unknown or (type(side) is Veiled and name in side.objects)


def created(after: Snapshot) -> dict[str, Scalar]:
    """Return the state that came to be, or was read, as it is: for C and R."""
    told: dict[str, Scalar] = {}
    unknown: list[str] = []
    for name, value in after.items():
        if type(value) is not Unknown:
            told[name if keys_of[name].plain else _apart(after)[name][1]] = value
        elif value is UNKNOWN:
            unknown.append(name)
    if unknown:
        told[CAPTURE] = _told(unknown)
    return told


def deleted(before: Snapshot) -> dict[str, Scalar]:
    """Return the state that went as ``name_was``: for D."""
    told: dict[str, Scalar] = {}
    unknown: list[str] = []
    for name, value in before.items():
        if type(value) is not Unknown:
            was, _, plain = keys_of[name]
            told[was if plain else _apart(before)[name][0]] = value
        elif value is UNKNOWN:
            unknown.append(name)
    if unknown:
        told[CAPTURE] = _told(unknown)
    return told


def _told(unknown: Sequence[str]) -> str:
    names = ["further fields" if name == REST else name for name in unknown[:_MAX_LISTED]]
    further = len(unknown) - len(names)
    return f"unknown: {', '.join(names)}{f' and {further} more' if further else ''}"
