"""How the fields of each class are read: decided once per class, without running the class's own code.

Only what an instance holds is read (its ``__dict__`` and its slots), through the descriptors that the
interpreter made: no property, no ``__getattr__`` or ``__getattribute__``, no ``items`` or ``__iter__`` of a
subclass. What a library keeps beside it (a mapper's columns, a model's fields) says which of it is data and
what is not loaded.
"""

from __future__ import annotations

from collections import UserDict, deque
from functools import partial
from operator import attrgetter
from types import (
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodDescriptorType,
    SimpleNamespace,
)
from typing import TYPE_CHECKING, Any, Final

from auditkit.by_class import ByClass, mro_of, namespace_of
from auditkit.errors import NOT_OURS
from auditkit.loaded import loaded_class
from auditkit.snapshot.proxies import Proxying, proxying_of
from auditkit.snapshot.scalars import of_text, scalar_of
from auditkit.snapshot.unknown import DEFERRED, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from auditkit.event import Scalar

    Pairs = Iterable[tuple[Any, Any]]
    Columns = tuple[tuple[Any, ...], tuple[Any, ...]]
    Namespaces = Sequence[Mapping[str, Any]]
    Held = Callable[[Any], dict[str, Any]]  # gives an instance's own __dict__

_flags_of: Callable[[type], int] = type.__dict__["__flags__"].__get__
_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement or an extension, not built in


class Plan:
    """How instances of one class are read; with none of proxying, scalar, pairs and items they are not looked into.

    Attributes:
        proxying: Finds what one stands for, which is read in its place.
        scalar: Turns one into a scalar.
        pairs: Gives the names and values of its fields.
        columns: Gives all names and all values that ``pairs`` chooses among, at a part of its cost; None where
            there is no such short way.
        items: Gives its elements.
        private: Whether names with a leading underscore are data too, as they are in a mapping.
        conceals: Whether there may be more than ``pairs`` gives, even where it gives nothing.
        sized: Whether what ``pairs`` gives has a length.
        ordered: False for a set.
    """

    __slots__ = ("columns", "conceals", "items", "ordered", "pairs", "private", "proxying", "scalar", "sized")

    def __init__(  # noqa: PLR0913  (the ways to read)
        self,
        *,
        proxying: Proxying | None = None,
        scalar: Callable[[Any], Scalar] | None = None,
        pairs: Callable[[Any], Pairs] | None = None,
        columns: Callable[[Any], Columns] | None = None,
        items: Callable[[Any], Iterable[Any]] | None = None,
        private: bool = False,
        conceals: bool = False,
        sized: bool = False,
        ordered: bool = True,
    ) -> None:
        """Keep the way."""
        self.proxying = proxying
        self.scalar = scalar
        self.pairs = pairs
        self.columns = columns
        self.items = items
        self.private = private
        self.conceals = conceals
        self.sized = sized
        self.ordered = ordered


OPAQUE: Final = Plan()
MAX_NAMES: Final = 100  # fields of a snapshot
_DESCRIPTORS: Final = frozenset({GetSetDescriptorType, MemberDescriptorType})
_PYDANTIC: Final = ("__pydantic_extra__", "__pydantic_private__")  # slots with more fields of a model's instance
_DEFAULTS: Final = frozenset({str, bool, int, float, type(None)})
_VIEWS: Final[tuple[Any, ...]] = (type({}.keys()), type({}.values()), type({}.items()))
_SEQUENCES: Final[dict[type, Callable[[Any], Iterable[Any]]]] = {
    list: list.__iter__,
    tuple: tuple.__iter__,
    deque: deque.__iter__,
    set: set.__iter__,
    frozenset: frozenset.__iter__,
    **{view: view.__iter__ for view in _VIEWS},
}


def _proxied(state: MappingProxyType[Any, Any]) -> Pairs:
    return dict.items(dict(state))


class _Plans(ByClass[Plan]):
    """The plan of each class; one that cannot be made now is tried again with the next instance."""

    def __missing__(self, kind: type) -> Plan:
        try:
            return super().__missing__(kind)
        except NOT_OURS:
            raise
        except BaseException:  # noqa: BLE001  (a metaclass may raise anything; a library may not be set up yet)
            return OPAQUE


def _plan(kind: type) -> Plan:
    mro = mro_of(kind)
    namespaces = [namespace_of(base) for base in mro]
    if (plan := _builtin_plan(mro, namespaces)) is not None:
        return plan
    if type in mro:
        return OPAQUE  # there is no data in classes
    dicts = [each["__dict__"] for each in namespaces if type(each.get("__dict__")) in _DESCRIPTORS]
    held = dicts[0].__get__ if dicts else None
    if (proxying := proxying_of(mro, partial(_found, namespaces), held)) is not None:
        return Plan(proxying=proxying)
    if not (kind is SimpleNamespace or _flags_of(kind) & _HEAP_TYPE):
        return OPAQUE  # nor in functions, modules, locks
    return _native_plan(namespaces, held) or _object_plan(namespaces, held, is_user_dict=UserDict in mro)


PLANS: Final = _Plans(_plan)


def _builtin_plan(mro: tuple[type, ...], namespaces: Namespaces) -> Plan | None:
    """Return the plan of a builtin class that is known by itself, also for a class that is derived from it."""
    for base in mro:
        if (scalar := scalar_of(base)) is not None:
            return Plan(scalar=scalar)
        if base is dict:
            return Plan(pairs=dict.items, columns=_columns, private=True, sized=True)
        if base is MappingProxyType:
            return Plan(pairs=_proxied, private=True, sized=True)
        if base is tuple and type(names := _found(namespaces, "_fields")) is tuple:
            return Plan(pairs=partial(_named, names))
        if base in _SEQUENCES or base in loaded_class("array", "array"):
            read = _SEQUENCES.get(base) or namespace_of(base)["__iter__"]
            return Plan(items=read, ordered=base not in {set, frozenset})
    return None


def _columns(state: dict[Any, Any]) -> Columns:
    if len(state) > MAX_NAMES:
        raise LookupError
    held = dict.copy(state)  # in one step of the interpreter: names and values that belong together
    return tuple(held), tuple(held.values())


class HeldColumns:
    """The names and values in an instance's own dict, for as long as they are few.

    Attributes:
        held: Gives the dict.
    """

    __slots__ = ("held",)

    def __init__(self, held: Held) -> None:
        self.held = held

    def __call__(self, state: Any) -> Columns:
        """Return the names and values of an instance."""
        return _columns(self.held(state))


class SlotColumns:
    """The names of slots, all of them filled, and their values.

    Attributes:
        names: Their names.
        read: Gives their values in one call.
    """

    __slots__ = ("names", "read")

    def __init__(self, names: tuple[str, ...], read: Callable[[Any], tuple[Any, ...]]) -> None:
        self.names = names
        self.read = read

    def __call__(self, state: Any) -> Columns:
        """Return the names and values of an instance."""
        return self.names, self.read(state)


def _named(names: tuple[str, ...], state: tuple[Any, ...]) -> Pairs:
    return zip(names, tuple.__iter__(state), strict=False)


def _found(namespaces: Namespaces, name: str) -> Any:
    """Return what the first class that has the name has under it, as it stands: no descriptor is run."""
    for namespace in namespaces:
        if name in namespace:
            return namespace[name]
    return None


def _object_plan(namespaces: Namespaces, held: Held | None, *, is_user_dict: bool) -> Plan:
    slots = _slots(namespaces)
    if held is not None:
        if is_user_dict:
            return Plan(pairs=lambda state: dict.items(held(state)["data"]), private=True, sized=True)
        if (manager := _found(namespaces, "_sa_class_manager")) is not None:
            return Plan(pairs=_mapped(held, manager.mapper))
        if (options := _found(namespaces, "_meta")) is not None and hasattr(options, "concrete_fields"):
            return Plan(pairs=_model(held, options.concrete_fields))
    own = {name: read for name, read in slots.items() if not name.startswith("__")}
    if held is None:
        return _slotted(own, namespaces) if own else OPAQUE
    conceals = _conceals(namespaces, slots)
    more: Mapping[str, Any] = {name: slots[name] for name in _PYDANTIC if name in slots}
    hidden, defaults = _hidden(namespaces), _defaults(namespaces)
    if own or more or hidden or defaults:
        return Plan(pairs=_layered(held, own, more, hidden, defaults), sized=True, conceals=conceals)
    columns = HeldColumns(held)
    return Plan(pairs=lambda state: dict.items(held(state)), columns=columns, sized=True, conceals=conceals)


def _native_plan(namespaces: Namespaces, held: Held | None) -> Plan | None:
    """Return the plan of what a library keeps in an object of its own compiled code: a row, an address."""
    values, places = _found(namespaces, "_data"), _found(namespaces, "_key_to_index")
    if type(values) in _DESCRIPTORS and type(places) in _DESCRIPTORS:  # SQLAlchemy's rows
        return Plan(pairs=_row(values.__get__, places.__get__), private=True)
    text = _found(namespaces, "unicode_string")
    if type(text) is MethodDescriptorType:  # what pydantic's addresses are made of
        return Plan(scalar=lambda state: of_text(text(state)))
    if held is not None and text is not None and _found(namespaces, "_constraints") is not None:
        return Plan(scalar=lambda state: PLANS[type(held(state)["_url"])].scalar(held(state)["_url"]))  # type: ignore[misc]
    return None


def _row(values: Callable[[Any], Any], places: Callable[[Any], Any]) -> Callable[[Any], Pairs]:
    """Read a SQLAlchemy row by its names, beside which there are columns and entities for keys."""

    def pairs(state: Any) -> Pairs:
        held = values(state)
        for name, place in dict.items(places(state)):
            if type(name) is str and type(place) is int:
                yield name, held[place]

    return pairs


def _layered(
    held: Held,
    slots: Mapping[str, Callable[[Any], Any]],
    more: Mapping[str, Callable[[Any], Any]],
    hidden: frozenset[str],
    defaults: Sequence[tuple[str, Mapping[str, Any]]],
) -> Callable[[Any], Pairs]:
    """Return the reader of a class that holds its values in more than one place."""

    def pairs(state: Any) -> Pairs:
        values: dict[Any, Any] = {name: namespace[name] for name, namespace in defaults if name in namespace}
        values.update(_filled(slots, state))
        values.update(pair for pair in dict.items(held(state)) if pair[0] not in hidden)
        for _, further in _filled(more, state):
            if type(further) is dict:
                values.update(further)
        return values.items()

    return pairs


def _filled(slots: Mapping[str, Callable[[Any], Any]], state: object) -> Pairs:
    for name, read in slots.items():
        try:
            value = read(state)
        except AttributeError:  # a slot that was never filled
            continue
        yield name, value


def _slots(namespaces: Namespaces) -> dict[str, Callable[[Any], Any]]:
    """Return how each slot is read, from the base on, in the order in which people declared them."""
    found: dict[str, Callable[[Any], Any]] = {}
    for namespace in reversed(namespaces):
        declared = namespace.get("__slots__")
        for name in (*(declared if isinstance(declared, tuple | list) else ()), *namespace):
            if type(namespace.get(name)) is MemberDescriptorType:
                found[name] = namespace[name].__get__
    return found


def _all_slots(namespaces: Namespaces, names: tuple[str, ...]) -> Callable[[Any], Any] | None:
    """Return a reader of all slots in one call (half the time), where no code of the class would run in it."""
    if (
        len(names) < 2  # noqa: PLR2004  (with one name the reader gives a value, not a tuple)
        or _found(namespaces, "__getattr__") is not None
        or _found(namespaces, "__getattribute__") is not object.__dict__["__getattribute__"]
        or any(type(_found(namespaces, name)) is not MemberDescriptorType for name in names)
    ):
        return None
    return attrgetter(*names)


def _slotted(slots: Mapping[str, Callable[[Any], Any]], namespaces: Namespaces) -> Plan:
    """Return the plan of a class that holds its values in slots alone; one that was never filled is not there."""
    names = tuple(slots)
    if (read := _all_slots(namespaces, names)) is None:
        return Plan(pairs=partial(_filled, slots))

    def pairs(state: Any) -> Pairs:
        try:
            return zip(names, read(state))  # noqa: B905  (as many by construction, and strict= costs 0.3 us)
        except AttributeError:
            return _filled(slots, state)

    public = tuple(name for name in names if not name.startswith("_"))
    read_public = _all_slots(namespaces, public)
    return Plan(pairs=pairs, columns=None if read_public is None else SlotColumns(public, read_public))


def _conceals(namespaces: Namespaces, slots: Mapping[str, Any]) -> bool:
    """Return whether descriptors that are not the interpreter's own may keep values somewhere else."""
    return any(
        name not in slots and not name.startswith("__") and _has(value, "__set__") and not _is_read_only(value)
        for namespace in namespaces
        for name, value in namespace.items()
    )


def _is_read_only(value: object) -> bool:
    return type(value) is property and value.fset is None


def _hidden(namespaces: Namespaces) -> frozenset[str]:
    """Return the names under which an instance keeps what a property of its class worked out.

    Such a descriptor has no ``__set__``: it leaves its result in the instance, to be found before itself.
    """
    return frozenset(
        name
        for namespace in namespaces
        for name, value in namespace.items()
        if not (name.startswith("__") or callable(value) or type(value) is classmethod)
        and _has(value, "__get__")
        and not _has(value, "__set__")
    )


def _has(value: object, name: str) -> bool:
    return any(name in namespace_of(base) for base in mro_of(type(value)))


def _defaults(namespaces: Namespaces) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """Return where the class-level values are that stand for fields until an instance has its own.

    Without them the first change from ``status = "new"`` would be told as one from nothing. Names in capitals
    are constants.
    """
    fields = _found(namespaces, "__dataclass_fields__")
    declared = fields if type(fields) is dict else None
    found: dict[str, Mapping[str, Any]] = {}
    for namespace in reversed(namespaces):
        for name, value in namespace.items():
            found.pop(name, None)
            # Instances of a dataclass have every field for themselves, but those that __init__ leaves out.
            is_shared = declared is None or (name in declared and not declared[name].init)
            if is_shared and type(value) in _DEFAULTS and not (name.startswith("_") or name.isupper()):
                found[name] = namespace
    return tuple(found.items())


def _mapped(held: Held, mapper: Any) -> Callable[[Any], Pairs]:
    """Read a SQLAlchemy instance: its columns, as far as they are loaded; its key also from its identity."""
    names = tuple(each.key for each in mapper.column_attrs)
    keys = {mapper.get_property_by_column(column).key: index for index, column in enumerate(mapper.primary_key)}

    def pairs(state: Any) -> Pairs:
        inside = held(state)
        kept = inside["_sa_instance_state"]
        for name in names:
            if name in inside:
                yield name, inside[name]
            elif name in keys and kept.key is not None:
                yield name, kept.key[1][keys[name]]
            else:
                yield name, UNKNOWN if name in kept.expired_attributes else DEFERRED

    return pairs


def _model(held: Held, columns: Iterable[Any]) -> Callable[[Any], Pairs]:
    """Read a Django model instance: its concrete fields, as far as they are loaded."""
    names = tuple(each.attname for each in columns)
    files = frozenset(each.attname for each in columns if hasattr(each, "attr_class"))

    def pairs(state: Any) -> Pairs:
        inside = held(state)
        for name in names:
            value = inside.get(name, DEFERRED)
            # A file field holds an object that leads back to its model; its data is the stored file's name.
            yield name, vars(value).get("name") if name in files and hasattr(value, "instance") else value

    return pairs
