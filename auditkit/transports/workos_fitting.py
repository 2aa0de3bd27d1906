"""Metadata cut to what WorkOS takes: 50 keys, 40 characters a key, 500 characters a value. Pure.

Nothing here fails: what does not fit is shortened or left out, and its name is given back, so that the wire's
copy says what is missing from it. The whole event stays in journal and ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditkit.cutting import TRUNCATED, by_rank, cut_text, head, length, name_all, pairs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditkit.event import MetadataValue, Scalar

MAX_KEYS = 50
MAX_KEY = 40  # characters
MAX_VALUE = 500  # characters

_PLAIN = frozenset({int, float, bool})
_WAS = "_was"
_DIGEST = 8  # hex digits that keep two shortened keys apart


@dataclass(slots=True)
class Fitted:
    """What was kept, and the names of what was shortened or left out, in their order."""

    kept: dict[str, Any] = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)


def fit(metadata: Mapping[str, MetadataValue], *, keys: int = MAX_KEYS, value: int = MAX_VALUE) -> Fitted:
    """Return metadata within the limits.

    ``None`` and empty maps are left out: WorkOS has no such values. Where keys are too many, auditkit's own
    come first, then what changed, then the rest, each in recorded order. A ``name_was`` stays with its
    ``name``.

    Args:
        metadata: What was recorded: scalars, or maps of scalars.
        keys: How many keys may be kept.
        value: How many characters a value may have.
    """
    present = {key: each for key, each in metadata.items() if each is not None and each != {}}
    fitted = Fitted()
    kept: dict[str, Any] = {}
    for group in by_rank(present) if len(present) > keys else pairs(present):
        names = _names(group)
        if len(kept) + len(group) > keys or any(name in kept for name in names):
            fitted.cut.extend(group)
            continue
        for key, name in zip(group, names, strict=True):
            kept[name] = _value(key, present[key], value, fitted.cut)
            if name != key and key not in fitted.cut:
                fitted.cut.append(key)
    fitted.kept = {name: each for name, each in kept.items() if each != {}}
    return fitted


def fit_and_say(
    metadata: Mapping[str, MetadataValue], *, also_cut: Iterable[str] = (), value: int = MAX_VALUE
) -> dict[str, Any]:
    """Return fitted metadata in which ``auditkit_truncated`` names what was cut, if anything was.

    Args:
        metadata: What was recorded.
        also_cut: The names of what was cut elsewhere in the same body.
        value: How many characters a value may have.
    """
    if not also_cut and _fits(metadata, value):
        return dict(metadata)
    said = metadata.get(TRUNCATED)
    rest = {key: each for key, each in metadata.items() if key != TRUNCATED}
    fitted = fit(rest, value=value, keys=MAX_KEYS - (said is not None))
    if not fitted.cut and not also_cut and said is None:
        return fitted.kept
    fitted = fit(rest, value=value, keys=MAX_KEYS - 1)  # the note itself takes one
    earlier = said.split(", ") if isinstance(said, str) else []
    names = dict.fromkeys([*earlier, *also_cut, *fitted.cut])
    if names:
        fitted.kept[TRUNCATED] = name_all(list(names), max(value, MAX_KEY))
    return fitted.kept


def _fits(metadata: Mapping[str, MetadataValue], limit: int) -> bool:
    """Return whether there is plainly nothing to cut or to leave out, as in most events: a third of fitting's cost."""
    return (
        len(metadata) <= MAX_KEYS
        and TRUNCATED not in metadata
        and all(
            length(key) <= MAX_KEY and (length(value) <= limit if isinstance(value, str) else type(value) in _PLAIN)
            for key, value in metadata.items()
        )
    )


def _names(group: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys' names on the wire: themselves, or shortened alike, so that a pair stays one."""
    if all(length(key) <= MAX_KEY for key in group):
        return group
    last = group[-1]
    base = last if len(group) > 1 else last.removesuffix(_WAS)
    digest = hashlib.sha256(base.encode("utf-8", "replace")).hexdigest()[:_DIGEST]
    short = f"{head(base, MAX_KEY - len(_WAS) - _DIGEST - 1)}…{digest}"
    return tuple(short if key == base else short + _WAS for key in group)


def _value(key: str, value: MetadataValue, limit: int, cut: list[str]) -> Scalar | dict[str, Any]:
    if isinstance(value, Mapping):
        inner = fit(value, value=limit)
        cut.extend(f"{key}.{name}" for name in inner.cut)
        return inner.kept
    if isinstance(value, str):
        shown = cut_text(value, limit)
        if shown is not value:
            cut.append(key)
        return shown
    return value
