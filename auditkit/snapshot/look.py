"""A first look at a state, for when only what changes will be told: a snapshot's promise at a part of its cost.

Most states are a few texts and numbers, and most calls change one or two of them. Such values never change in
themselves, so keeping them keeps the state; and what is the same object afterwards needs no second look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from auditkit.errors import NOT_OURS
from auditkit.native import hand_over
from auditkit.snapshot.difference import difference, keys_of
from auditkit.snapshot.fields import MAX_NAMES, PLANS, HeldColumns, SlotColumns
from auditkit.snapshot.flattening import SMALL, public_names, snapshot
from auditkit.snapshot.scalars import INT_LIMIT
from auditkit.snapshot.unknown import REST, UNKNOWN

if TYPE_CHECKING:
    from auditkit.event import Scalar
    from auditkit.snapshot.fields import Plan
    from auditkit.snapshot.unknown import Snapshot

# What was seen: all names and all values as they are, and how they were read; or, where that would not keep the
# state, its snapshot.
Seen = tuple[tuple[Any, ...], tuple[Any, ...], "Plan"]

_UNCHANGING: Final = frozenset({str, bool, int, float, type(None)})
_NOTHING: Final[frozenset[str]] = frozenset()
_MAX_NAMES: Final = 4096  # names remembered
_WORD, _NUMBER = 5, 24  # characters of false, and of the longest number


class _Names(dict[Any, tuple[str, str, bool]]):
    """The keys of each name that can be told at sight, and whether it is private: read at the cost of a dict."""

    def __missing__(self, name: object) -> tuple[str, str, bool]:
        is_public = public_names[name]
        was, now, plain = keys_of[name]  # type: ignore[index]  # the line before raises for what is no str
        if not plain:
            raise LookupError
        if len(self) >= _MAX_NAMES:
            self.clear()
        known = self[name] = (was, now, not is_public)
        return known


_names: Final = _Names()


def look(state: object, *, fields: frozenset[str] | None = None, exclude: frozenset[str] = _NOTHING) -> Seen | Snapshot:
    """Return what `changes_since` and `as_snapshot` need of a state at this moment.

    Takes, raises and runs what `snapshot` does. Thread-safe.
    """
    if fields is None and not exclude:
        try:
            plan = PLANS[type(state)]
            if plan.columns is not None:
                names, values = plan.columns(state)
                for value in values:
                    if type(value) not in _UNCHANGING:
                        break
                else:
                    # An object that shows nothing is no empty one. Nearly always the first field is public.
                    if plan.private or public_names[names[0]] or any(public_names[name] for name in names):
                        return names, values, plan
        except NOT_OURS:
            raise
        except BaseException:  # noqa: BLE001, S110  (the snapshot says what it is that cannot be read)
            pass
    return snapshot(state, fields=fields, exclude=exclude)


def _size(value: object) -> int:
    """Return how many characters a value takes at most, or raise LookupError where a snapshot may change it."""
    kind = type(value)
    if kind is str and value.isascii():  # type: ignore[attr-defined]  # it is one
        return len(value)  # type: ignore[arg-type]  # as before
    if value is None or kind is bool:
        return _WORD
    if kind is int and -INT_LIMIT <= value < INT_LIMIT:  # type: ignore[operator]  # as before
        return _NUMBER
    if kind is float and value - value == 0.0:  # type: ignore[operator]  # untrue of NaN and the infinities
        return _NUMBER
    raise LookupError


def as_snapshot(seen: Seen | Snapshot) -> Snapshot:
    """Return the snapshot of a state that was looked at, as it would have been made then."""
    if isinstance(seen, dict):
        return seen
    names, values, plan = seen
    lost: Snapshot = {}
    try:
        fields = dict(zip(names, values, strict=False))
    except NOT_OURS:
        raise
    except BaseException:  # noqa: BLE001  (a key that can be hashed no more)
        fields = {name: value for name, value in zip(names, values, strict=False) if type(name) is str}
        lost[REST] = UNKNOWN
    if not plan.private:
        fields = {name: value for name, value in fields.items() if type(name) is not str or not name.startswith("_")}
    return snapshot(fields) | lost


def changes_since(  # noqa: C901, PLR0912  (measured: the hot path of every update; a call less is 3 %)
    seen: Seen | Snapshot, state: object, *, fields: frozenset[str] | None = None, exclude: frozenset[str] = _NOTHING
) -> dict[str, Scalar]:
    """Return the difference between what was seen and what the state is now.

    The same as the `difference` of two snapshots, which are made only where one of the changed values is not
    a short text, a number or a truth value. What has no name to be told by is known to be the same where it is.
    """
    if type(seen) is tuple:
        try:
            names, values, plan = seen
            if PLANS[type(state)] is not plan:  # first: to read another class so might run its code
                raise LookupError  # noqa: TRY301  (not plain at sight)
            names_now, values_now = plan.columns(state)  # type: ignore[misc]  # it was read so before
            if names_now is not names and names_now != names:
                raise LookupError  # noqa: TRY301  (as before)
            changes: dict[str, Scalar] = {}
            size = 0
            for name, old, new in zip(names, values, values_now):  # noqa: B905  (as many by construction)
                if old is new:
                    continue
                if type(new) is str and type(old) is str:  # here: a call less for nearly all
                    if not (old.isascii() and new.isascii()):
                        break
                    size += len(old) + len(new)
                else:
                    size += _size(old) + _size(new)
                if size > SMALL:
                    break
                if old == new and type(old) is type(new):
                    continue
                was, now, private = _names[name]
                if private and not plan.private:
                    break
                changes[was] = old
                changes[now] = new
            else:
                return changes
        except NOT_OURS:
            raise
        except BaseException:  # noqa: BLE001, S110  (the snapshot says what it is that cannot be read)
            pass
    return difference(as_snapshot(seen), snapshot(state, fields=fields, exclude=exclude))


hand_over(PLANS=PLANS, names=_names, small=SMALL, most=MAX_NAMES, HeldColumns=HeldColumns, SlotColumns=SlotColumns)
