"""One attribute, key or element of a value, read without asking a database for it.

How the values of a class are read is decided once per class. What a mapper (SQLAlchemy, Django) has loaded is
read; what it would have to load is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import getitem
from typing import Any, Final

from auditkit.by_class import ByClass

# Reads what a value has under a name.
Way = Callable[[Any, str], Any]


class NotLoaded(LookupError):  # noqa: N818  (a state of the value, not a fault)
    """Say that the value has it, and would have to ask its database."""


def _way(kind: type) -> Way:
    if kind is dict:
        return getitem
    if issubclass(kind, Mapping):
        return _of_mapping
    if issubclass(kind, list | tuple):
        return _of_sequence
    if (manager := getattr(kind, "_sa_class_manager", None)) is not None:
        return _of_mapped(manager.mapper)
    if hasattr(getattr(kind, "_meta", None), "concrete_fields"):
        return _of_model(kind._meta.concrete_fields)  # type: ignore[attr-defined]  # noqa: SLF001  (Django's public name)
    return getattr


WAYS: Final = ByClass(_way)
"""How the values of each class are read."""


def _of_mapping(value: Any, name: str) -> Any:
    """Read a key, else an attribute; asking first, since a `defaultdict` makes what it is asked for."""
    return value[name] if name in value else getattr(value, name)


def _of_sequence(value: Any, name: str) -> Any:
    """Read an element by its number, else an attribute: of a named tuple, and of what is derived from these."""
    return value[int(name)] if name.isdecimal() else getattr(value, name)


def _of_mapped(mapper: Any) -> Way:
    """Read a SQLAlchemy instance: what is loaded, and its key also from its identity."""
    mapped = frozenset(mapper.attrs.keys())
    keys = {mapper.get_property_by_column(column).key: index for index, column in enumerate(mapper.primary_key)}

    def read(value: Any, name: str) -> Any:
        if name not in mapped:
            return getattr(value, name)
        inside = vars(value)
        if name in inside:
            return inside[name]
        identity = inside["_sa_instance_state"].key
        if name in keys and identity is not None:
            return identity[1][keys[name]]
        raise NotLoaded

    return read


def _of_model(columns: Any) -> Way:
    """Read a Django model instance: what is loaded."""
    names = frozenset(each.attname for each in columns)
    relations = {each.name: each for each in columns if each.is_relation}

    def read(value: Any, name: str) -> Any:
        relation = relations.get(name)
        if (name in names and name not in vars(value)) or not (relation is None or relation.is_cached(value)):
            raise NotLoaded
        return getattr(value, name)

    return read


def identified(value: object) -> object:
    """Return an object of a mapper's as the id and the name it has loaded; all else as it is.

    `Actor.of` and `Target.of` read an object's attributes, which may run a query.
    """
    way = WAYS[type(value)]
    if way in {getattr, getitem, _of_mapping, _of_sequence}:
        return value
    found = {name: _loaded(way, value, name) for name in ("pk", "id", "name")}
    name = found["name"]
    key = found["id"] if found["pk"] is None else found["pk"]
    return {"id": key, "name": name if isinstance(name, str) else None}


def _loaded(way: Way, value: object, name: str) -> Any:
    try:
        return way(value, name)
    except (AttributeError, LookupError):
        return None
