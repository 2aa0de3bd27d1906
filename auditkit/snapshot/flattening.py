"""An object's state as a flat dict of scalars, taken by value at this moment.

There are two ways through. The short one takes what most states are, a few short texts and numbers; whatever
it does not know at sight it leaves to the long one, which takes everything.
"""

from __future__ import annotations

from itertools import islice
from json import JSONEncoder
from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING, Any, Final

from auditkit.errors import NOT_OURS
from auditkit.event import whole_text
from auditkit.snapshot.fields import MAX_NAMES, OPAQUE, PLANS, Plan
from auditkit.snapshot.scalars import INT_LIMIT, bounded_text, marker, type_name
from auditkit.snapshot.unknown import REST, UNKNOWN, Snapshot, Unknown, Veiled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from auditkit.event import Scalar

MAX_DEPTH: Final = 6  # mappings and objects inside each other
MAX_ITEMS: Final = 1000  # elements of one list; its text is bounded besides
MAX_NODES: Final = 5000  # values looked at for one snapshot: bounds its time
MAX_ROOM: Final = 96 * 1024  # bytes of a snapshot as JSON: two of them leave room for the rest of a 256 KiB event
MAX_NAME: Final = 200  # characters of a name

# One for all: `json.dumps` makes a new one at every call with an option, for 3 us.
_as_json: Final = JSONEncoder(allow_nan=False, check_circular=False).encode
_NOTHING: Final[frozenset[str]] = frozenset()
SMALL: Final = 8 * 1024  # characters that fit into the room however they are escaped
_SHORT_NAME: Final = 64
_KNOWN_NAMES: Final = 4096


class _Names(dict[Any, bool]):
    """Whether each name is data, for names that the short way takes: judged once, read at the cost of a dict.

    Looking up one that it does not take raises LookupError.
    """

    def __init__(self, *, private: bool) -> None:
        super().__init__()
        self._private = private  # whether names with a leading underscore are data

    def __missing__(self, name: object) -> bool:
        if type(name) is not str or not 0 < len(name) <= _SHORT_NAME or "." in name:
            raise LookupError
        if not (name.isascii() and name.isprintable()):
            raise LookupError
        if len(self) >= _KNOWN_NAMES:
            self.clear()
        decision = self[name] = self._private or not name.startswith("_")
        return decision


public_names: Final = _Names(private=False)
_all_names: Final = _Names(private=True)


def snapshot(  # noqa: C901, PLR0912  (measured: the hot path of every before and after; a call less is 10 %)
    state: object, *, fields: frozenset[str] | None = None, exclude: frozenset[str] = _NOTHING
) -> Snapshot:
    """Return the state's fields by value: names, dotted where it is nested, to scalars.

    Args:
        state: Any object. None has no fields; a single value is the field ``value``.
        fields: The only names to take; a name takes everything below it.
        exclude: Names to leave out, with everything below them.

    Returns:
        At most 100 fields and 96 KiB of JSON. A field that cannot be read is `UNKNOWN`, one that was never
        loaded `DEFERRED`; when something did not fit, the name ``...`` is there and unknown.

    Never raises, whatever the object does, except for KeyboardInterrupt, SystemExit and GeneratorExit, which
    are not about it. Runs no code of the object's class. Thread-safe.
    """
    try:
        plan = PLANS[type(state)]
        if plan.pairs is None:
            return _Flattening(fields, exclude).of(state)
        pairs = plan.pairs(state)
        if plan.sized and len(pairs) > MAX_NAMES:  # type: ignore[arg-type]  # a view of a dict
            return _Flattening(fields, exclude).of(state)
        names = _all_names if plan.private else public_names
        flat: Snapshot = {}
        size = 0
        for name, value in pairs:
            if not names[name] and (fields is None or name not in fields):
                continue
            kind = type(value)
            if kind is str:
                if not value.isascii():
                    break
                size += len(value)
            elif kind is int:
                if not -INT_LIMIT <= value < INT_LIMIT:
                    break
            elif kind is float:
                if value - value != 0.0:  # true of NaN and the infinities, and of nothing else
                    break
            elif kind is not bool and value is not None and kind is not Unknown:
                break
            flat[name] = value
        else:
            if size <= SMALL and len(flat) <= MAX_NAMES and (flat or plan.private):
                return flat if fields is None and not exclude else _selected(flat, fields, exclude)
    except NOT_OURS:
        raise
    except BaseException:  # noqa: BLE001, S110  (the long way finds out what it is that cannot be read)
        pass
    return _Flattening(fields, exclude).of(state)


def _selected(flat: Snapshot, fields: frozenset[str] | None, exclude: frozenset[str]) -> Snapshot:
    return {name: value for name, value in flat.items() if (fields is None or name in fields) and name not in exclude}


class _Flattening:
    """One walk through a state, with what it may still use up."""

    def __init__(self, fields: frozenset[str] | None, exclude: frozenset[str]) -> None:
        self._flat: Snapshot = {}
        self._fields = fields
        self._exclude = exclude
        self._room = MAX_ROOM
        self._nodes = MAX_NODES
        self._inside: list[object] = []  # the objects that lead to where we are, to see a cycle
        self._veiled: dict[str, tuple[object, ...]] = {}
        self._met: list[object] = []  # what the value that is made now shows nothing of

    def of(self, state: object) -> Snapshot:
        try:
            state, plan = _found(state, named=True)
            if state is None:
                return self._flat
            if plan is OPAQUE:
                self._flat[REST] = UNKNOWN
            elif plan.pairs is None:
                self._put("value", state)
            else:
                self._enter("", state, plan)
        except NOT_OURS:
            raise
        except BaseException:  # noqa: BLE001  (what is in the snapshot stays; what is not is unknown)
            self._flat[REST] = UNKNOWN
        flat = self._flat
        if self._fields is not None or self._exclude:
            flat = {name: value for name, value in flat.items() if name == REST or self._chosen(name)}
        veiled = {name: objects for name, objects in self._veiled.items() if name in flat}
        return Veiled(flat, veiled) if veiled else flat

    def _chosen(self, path: str) -> bool:
        ways = [path[:end] for end in range(len(path) + 1) if end == len(path) or path[end] == "."]
        asked = self._fields is None or any(way in self._fields for way in ways)
        return asked and not any(way in self._exclude for way in ways)

    def _wanted(self, path: str) -> bool:
        """Return whether the field is worth reading: it is chosen, or something below it may be."""
        if path in self._exclude:
            return False
        if self._fields is None or self._chosen(path):
            return True
        return any(each.startswith(f"{path}.") for each in self._fields)

    def _named(self, path: str) -> bool:
        """Return whether a private field is asked for by its name, or for what is below it."""
        return self._fields is not None and any(each == path or each.startswith(f"{path}.") for each in self._fields)

    def _enter(self, path: str, state: object, plan: Plan) -> None:
        self._inside.append(state)
        private = plan.private
        conceals = plan.conceals
        taken = 0
        for name, value in _settled(plan.pairs, state, MAX_ITEMS + 1):
            text = _name(name)
            if not private and text.startswith("_") and not self._named(f"{path}.{text}" if path else text):
                conceals = True
                continue
            taken += 1
            if not text or len(text) > MAX_NAME or len(self._flat) >= MAX_NAMES or taken > MAX_ITEMS:
                self._flat[REST] = UNKNOWN
                continue
            inner = f"{path}.{text}" if path else text
            if not self._wanted(inner):
                continue
            if inner in self._flat and type(name) is not str:
                inner = f"{inner} ({type_name(type(name))})"
            self._field(inner, value)
        self._inside.pop()
        if path and not taken:
            self._put(path, "{}" if private else self._veil(state))
        elif conceals and not taken:
            self._flat[REST] = UNKNOWN

    def _field(self, path: str, value: object) -> None:
        value, plan = _found(value)
        if plan.pairs is None or type(value) is Unknown:
            self._put(path, value)
        elif self._is_cycle(value):
            self._put(path, "<cycle>")
        elif len(self._inside) >= MAX_DEPTH:
            self._put(path, self._veil(value))
            self._flat[REST] = UNKNOWN
        else:
            self._enter_safely(path, value, plan)

    def _enter_safely(self, path: str, value: object, plan: Plan) -> None:
        depth = len(self._inside)
        try:
            self._enter(path, value, plan)
        except NOT_OURS:
            raise
        except BaseException:  # noqa: BLE001  (one object that cannot be read takes none of the others with it)
            del self._inside[depth:]
            self._put(path, self._veil(value, "<unreadable>"))

    def _is_cycle(self, value: object) -> bool:
        return any(each is value for each in self._inside)

    def _put(self, path: str, value: object) -> None:
        """Keep one value if there is room for it, under a name that is not taken."""
        stored = value if type(value) is Unknown else self._scalar(value)
        count = 1
        unique = path
        while unique in self._flat:
            count += 1
            unique = f"{path} #{count}"
        self._room -= len(quote(unique)) + (len(quote(stored)) if type(stored) is str else 24)
        if self._room < 0 or len(self._flat) >= MAX_NAMES:
            self._flat[REST] = UNKNOWN
        else:
            self._flat[unique] = stored
            if self._met:
                self._veiled[unique] = tuple(self._met)
        self._met.clear()

    def _veil(self, value: object, shown: str = "") -> str:
        """Return what stands for a value of which nothing is told, and remember that."""
        self._met.append(value)
        return shown or marker(value)

    def _scalar(self, value: object) -> Scalar:
        try:
            plan = _plan_of(value)
            if plan.scalar is not None:
                return plan.scalar(value)
            if plan.items is not None:
                return bounded_text(_as_json(self._jsonable(value)))
        except NOT_OURS:
            raise
        except BaseException:  # noqa: BLE001  (a tzinfo or a library may raise anything)
            return self._veil(value, "<unreadable>")
        return self._veil(value)

    def _jsonable(self, value: object) -> Any:
        """Return an element of a list, or a list, as JSON takes it."""
        self._nodes -= 1
        value, plan = _found(value)
        if type(value) is Unknown or (plan.pairs is None and plan.items is None):
            return "<unknown>" if type(value) is Unknown else self._scalar(value)
        if self._is_cycle(value):
            return "<cycle>"
        if len(self._inside) >= MAX_DEPTH or self._nodes < 0:
            self._flat[REST] = UNKNOWN
            return self._veil(value)
        self._inside.append(value)
        try:
            return self._list(value, plan) if plan.items is not None else self._object(value, plan)
        finally:
            self._inside.pop()

    def _list(self, value: object, plan: Plan) -> list[Any]:
        items = _settled(plan.items, value, MAX_ITEMS + 1)
        listed = [self._jsonable(each) for each in items[:MAX_ITEMS]]
        if not plan.ordered:
            _sort(listed)
        if len(items) > MAX_ITEMS:
            self._flat[REST] = UNKNOWN
            listed.append("<more>")
        return listed

    def _object(self, value: object, plan: Plan) -> dict[str, Any] | str:
        shown: dict[str, Any] = {}
        for name, inner in _settled(plan.pairs, value, MAX_ITEMS + 1):
            text = _name(name)
            if not plan.private and text.startswith("_"):
                continue
            if len(text) > MAX_NAME or len(shown) >= MAX_NAMES:
                self._flat[REST] = UNKNOWN
                continue
            while text in shown:
                text = f"{text} ({type_name(type(name))})"
            shown[text] = self._jsonable(inner)
        return shown if shown or plan.private else self._veil(value)


def _plan_of(value: object) -> Plan:
    try:
        return PLANS[type(value)]
    except NOT_OURS:
        raise
    except BaseException:  # noqa: BLE001  (a metaclass's __hash__ may raise anything)
        return OPAQUE


def _found(value: object, *, named: bool = False) -> tuple[object, Plan]:
    """Return what a value stands for, and how that is read; the value itself where that is not known.

    Args:
        value: A proxy, or any other object.
        named: Whether the application named it as the state, so that it may be asked.
    """
    plan = _plan_of(value)
    for _ in range(MAX_DEPTH):
        proxying = plan.proxying
        if proxying is None:
            return value, plan
        if proxying.asks and not named:
            break
        try:
            value = proxying.behind(value)
        except NOT_OURS:
            raise
        except BaseException:  # noqa: BLE001  (it is not made yet, or asking it may raise anything)
            break
        plan = _plan_of(value)
    return value, OPAQUE


def _settled(read: Callable[[Any], Iterable[Any]] | None, state: object, limit: int) -> list[Any]:
    """Return what a plan reads, at one moment: another thread that adds to it meanwhile must not stop us."""
    assert read is not None  # noqa: S101  (for the type checker: the caller looked)
    for _ in range(3):
        try:
            return list(islice(read(state), limit))
        except RuntimeError:  # it changed size
            continue
    return list(read(state))[:limit]  # in one step of the interpreter


def _sort(listed: list[Any]) -> None:
    try:
        listed.sort()
    except TypeError:
        listed.sort(key=_as_json)


def _name(name: object) -> str:
    """Return a key as text."""
    if type(name) is str:
        return whole_text(name)
    key, plan = _found(name)
    if plan.scalar is None:
        return marker(key)
    return whole_text(str(plan.scalar(key)))
