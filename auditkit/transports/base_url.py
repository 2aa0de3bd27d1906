"""Where an API lives: judged when it is stated, not when the first event fails."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from auditkit.errors import ConfigurationError


def check_base_url(base_url: str) -> str:
    """Return the URL without its last slash.

    Args:
        base_url: ``https://host[:port][/prefix]``; ``http`` only to this machine, for tests and sidecars.

    Raises:
        ConfigurationError: It is not such a URL. What is repeated of it never holds a password.
    """
    if not isinstance(base_url, str):
        raise ConfigurationError(f"base_url must be a str, got a value of type {type(base_url).__name__}")
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError("base_url must be a URL such as 'https://api.workos.com', got no URL") from None
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("base_url must hold no user or password (not shown): the key has its own header")
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise ConfigurationError(f"base_url must be a URL such as 'https://api.workos.com', got {_shown(base_url)}")
    if parts.query or parts.fragment or not base_url.isascii() or not base_url.isprintable() or " " in base_url:
        raise ConfigurationError(
            f"base_url must be plain ASCII without a query, a fragment or spaces, got {_shown(base_url)}"
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            f"base_url must begin with https://, got {_shown(base_url)}: plain http would show the API key and "
            "every event to the network; only this machine (localhost, 127.0.0.1, ::1) may be reached by it"
        )
    return base_url.rstrip("/")


def _shown(base_url: str) -> str:
    """Return the URL up to where it may hold a secret: what is misspelled may have its password anywhere."""
    if "@" in base_url:
        return "one with '@' (not shown)"
    place = re.split(r"[?#]", base_url, maxsplit=1)[0]
    return repr(place) if place == base_url else f"{place!r} and a query or fragment (not shown)"


def is_loopback(host: str) -> bool:
    """Return whether a host's name or address is certainly this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
