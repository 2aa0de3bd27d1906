"""WorkOS's API key: found, judged, and turned at once into the one header that carries it."""

from __future__ import annotations

import os
import re
from typing import NoReturn

from auditkit.errors import ConfigurationError

_VARIABLE = "WORKOS_API_KEY"
_KEY = re.compile(r"[\x21-\x7e]+")


def authorization(api_key: str | None) -> str:
    """Return the value of the Authorization header.

    Args:
        api_key: The key, or None to take it from ``WORKOS_API_KEY``.

    Raises:
        ConfigurationError: There is no key, or it cannot be one. The text never holds the key.
    """
    key = os.environ.get(_VARIABLE) if api_key is None else api_key
    if not key:
        raise ConfigurationError(f"there is no WorkOS API key: give api_key= or set {_VARIABLE}")
    if not isinstance(key, str):
        raise ConfigurationError(f"the WorkOS API key must be a str, got a value of type {type(key).__name__}")
    if not _KEY.fullmatch(key):
        # Anything else would end the header or begin another one. The usual cause is a file's last line.
        raise ConfigurationError(
            "the WorkOS API key must be visible ASCII characters only, got one with a space, a line break or "
            "another character (not shown); strip() what was read from a file"
        )
    return f"Bearer {key}"


def check_key() -> None:
    """Return if ``WORKOS_API_KEY`` holds what can be a key.

    Raises:
        ConfigurationError: It does not. The text never holds the key.
    """
    authorization(None)


def key_of(stated: str) -> str:
    """Return the key of an Authorization header's value, to be looked for where it must not be."""
    return stated.removeprefix("Bearer ")


def refuse_pickling(holder: object) -> NoReturn:
    """Raise what every holder of a key answers to pickle and copy.

    Raises:
        TypeError: Always, as Python does for what cannot be pickled.
    """
    name = type(holder).__name__
    raise TypeError(f"{name} holds an API key, so it is never pickled or copied: make one in each process")
