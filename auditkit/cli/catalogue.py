"""The catalogue of what a service audits, in forms to read, to keep and to compare. Pure."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from auditkit.capture.registered import RegisteredAction

_STATED = (
    "target", "actor", "group", "capture", "before", "after", "fields", "exclude", "when", "outcome", "on_error",
)  # fmt: skip
_NAMES = ("redact", "metadata")  # of which none is as good as not stated


def names_of(registered: RegisteredAction) -> list[str]:
    """Return the actions that a function may be recorded as: its own, and the one for calls that raise."""
    failing = registered.on_error
    return [registered.action] if failing in {None, "skip", "record"} else [registered.action, str(failing)]


def document(actions: Iterable[RegisteredAction]) -> list[dict[str, Any]]:
    """Return the catalogue as data: it changes only when what is audited, where, or how changes.

    So it has no path, no line and no docstring, and of the options only those that are stated.
    """
    return sorted(map(_entry, actions), key=lambda entry: (entry["action"], entry["function"], text_of(entry)))


def _entry(registered: RegisteredAction) -> dict[str, Any]:
    stated = {name: getattr(registered, name) for name in _STATED if getattr(registered, name) is not None}
    names = {name: getattr(registered, name) for name in _NAMES if getattr(registered, name)}
    told = {name: list(value) if isinstance(value, tuple) else value for name, value in {**stated, **names}.items()}
    return {
        "action": registered.action,
        "action_type": str(registered.action_type),
        "function": registered.name,
        **told,
    }


def text_of(data: object) -> str:
    """Return data as JSON of many short lines, in ASCII, so that nothing in it steers a terminal."""
    return json.dumps(data, indent=2, sort_keys=True)


def difference(kept: object, now: object, names: tuple[str, str]) -> Iterator[str]:
    """Yield the lines of a unified diff of two catalogues; however the kept one was laid out."""
    before, after = (text_of(each).splitlines() for each in (kept, now))
    return difflib.unified_diff(before, after, *names, lineterm="")


def conflicts(actions: Iterable[RegisteredAction]) -> Iterator[str]:
    """Yield a line about each action that is of different types in different places."""
    places: dict[str, dict[str, list[str]]] = {}
    for registered in actions:
        for name in names_of(registered):
            places.setdefault(name, {}).setdefault(str(registered.action_type), []).append(registered.name)
    for name, types in sorted(places.items()):
        if len(types) > 1:
            yield f"{name} is " + ", and ".join(f"{kind} in {_list(types[kind])}" for kind in sorted(types))


def _list(functions: Sequence[str]) -> str:
    return ", ".join(sorted(functions))
