"""What the environment switches on or off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_OFF: Final = frozenset({"", "0", "false", "no", "off"})


def is_on(environment: Mapping[str, str], name: str) -> bool:
    """Return whether a variable is set to anything but 0, false, no and off."""
    return environment.get(name, "").strip().lower() not in _OFF
