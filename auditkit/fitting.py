"""A draft that is too long for a record, made to fit. Pure.

Its longest texts are cut, all to one length; where even that is not enough, entries go that an event can best do
without. It names what was cut under ``auditkit_truncated``: an event that says that it is not whole is worth more than
none.
"""

from __future__ import annotations

from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from auditkit.cutting import TRUNCATED, by_rank, cut_text, name_all
from auditkit.draft import Draft, Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditkit.event import MetadataValue

_OF_SCENE: Final = ("group", "actor_id", "actor_name", "actor_type", "location", "correlation_id")
_OF_DRAFT: Final = ("target_id", "target_name", "target_type")
_LEAST: Final = 128  # bytes of JSON that every value may have before any has more
_LISTED: Final = 400  # characters in which is said what was cut
_NOTE: Final = 6 * _LISTED + len(TRUNCATED) + 8  # bytes of JSON that this takes at most


class _Entry(NamedTuple):
    """One value of metadata.

    Attributes:
        path: Its key, or the key of a mapping and the one inside of it.
        value: The value, no mapping but an empty one.
        around: The bytes that it takes as JSON besides the value; the first of a mapping has the mapping's too.
    """

    path: tuple[str, ...]
    value: MetadataValue
    around: int


def fit(draft: Draft, excess: int) -> Draft:
    """Return a draft as it is but for what must be cut from it.

    Args:
        draft: Any draft.
        excess: By how many bytes its JSON is too long.

    Returns:
        One that is shorter by as much, unless what is never cut (its action and ids) is itself too long.
    """
    fields = _fields(draft)
    metadata = dict(draft.metadata)
    said = metadata.pop(TRUNCATED, None)
    entries = [entry for key, value in metadata.items() for entry in _entries(key, value)]
    room = sum(map(_size, fields.values())) + sum(each.around + _size(each.value) for each in entries) - excess - _NOTE

    admitted = _admitted(metadata, room - sum(min(_size(text), _LEAST) for text in fields.values()))
    kept = [each for each in entries if each.path in admitted]
    fixed = sum(each.around + (0 if isinstance(each.value, str) else _size(each.value)) for each in kept)
    texts = [*fields.values(), *(each.value for each in kept if isinstance(each.value, str))]
    limit = _level(sorted(map(_size, texts)), room - fixed)

    cut: list[str] = said.split(", ") if isinstance(said, str) else []
    shown = {name: _shown(text, limit, name, cut) for name, text in fields.items()}
    fitted: dict[str, Any] = {}
    for path, value, _ in kept:
        inside = fitted if len(path) == 1 else fitted.setdefault(path[0], {})
        name = ".".join(path)
        inside[path[-1]] = _shown(value, limit, name, cut) if isinstance(value, str) else value
    cut += [".".join(each.path) for each in entries if each.path not in admitted]
    fitted[TRUNCATED] = name_all(list(dict.fromkeys(cut)), _LISTED)
    return _with(draft, shown, fitted)


def _fields(draft: Draft) -> dict[str, str]:
    """Return the fields that may be of any length."""
    found = {name: getattr(draft.scene, name) for name in _OF_SCENE}
    found |= {name: getattr(draft, name) for name in _OF_DRAFT}
    return {name: text for name, text in found.items() if text is not None}


def _with(draft: Draft, fields: dict[str, str], metadata: dict[str, Any]) -> Draft:
    of_scene: dict[str, Any] = {name: fields.get(name) for name in _OF_SCENE}
    of_draft: dict[str, Any] = {name: fields[name] for name in _OF_DRAFT}
    scene = Scene(**of_scene, metadata=draft.scene.metadata, missing=draft.scene.missing)
    return draft._replace(scene=scene, metadata=metadata, **of_draft)


def _entries(key: str, value: MetadataValue) -> list[_Entry]:
    own = len(quote(key)) + 2  # a colon and a comma
    if not isinstance(value, Mapping) or not value:
        return [_Entry((key,), value, own)]
    found = [_Entry((key, inner), each, len(quote(inner)) + 2) for inner, each in value.items()]
    return [found[0]._replace(around=found[0].around + own + 2), *found[1:]]


def _size(value: MetadataValue) -> int:
    return len(quote(value)) if isinstance(value, str) else len(repr(value))  # as long as JSON's text for these


def _admitted(metadata: Mapping[str, MetadataValue], room: int) -> set[tuple[str, ...]]:
    """Return the entries that have room, each with the least that a value may have; what matters most comes first."""
    admitted: set[tuple[str, ...]] = set()
    for pair in by_rank(metadata):
        entries = [entry for key in pair for entry in _entries(key, metadata[key])]
        # What was and what is are kept together or not at all; of a mapping, as much as has room.
        for together in [entries] if len(entries) == len(pair) else [[each] for each in entries]:
            size = sum(each.around + min(_size(each.value), _LEAST) for each in together)
            if size > room:
                break
            room -= size
            admitted.update(each.path for each in together)
    return admitted


def _level(sizes: Sequence[int], room: int) -> int:
    """Return the size to which all texts must be cut that are larger, for all of them to have room.

    Args:
        sizes: The texts' sizes, the smallest first.
        room: How much all of them together may have.
    """
    for number, size in enumerate(sizes):
        share = room // (len(sizes) - number)
        if size > share:
            return share
        room -= size
    return sizes[-1]


def _shown(text: str, limit: int, name: str, cut: list[str]) -> str:
    """Return a text within the limit; the name of one that had to be cut is added to those."""
    if _size(text) <= limit:
        return text
    cut.append(name)
    return cut_text(text, limit, _size)
