"""The form of an exported context: how it is written and signed, and what is believed when it is read. Pure.

What crosses is a dict of plain values, so that any queue can take it; fields that are not bound are left out. The
signature is HMAC-SHA256 (RFC 2104) over the JSON of all the rest, with its keys sorted, no spaces, and all but
ASCII escaped. What is verified is the very copy that is then used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from auditkit.errors import ContextRefused, InvalidEventError
from auditkit.event import check_id, check_metadata, describe_kind, whole_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VERSION: Final = 1
MAX_BYTES: Final = 64 * 1024  # of the JSON that is signed

_VERSION: Final = "version"
_SIGNATURE: Final = "signature"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_PARTY: Final = {"id", "name", "type"}


def fits(fields: Mapping[str, Any]) -> bool:
    """Return whether an export of these fields is small enough to be taken back."""
    return len(_canonical(fields)) <= MAX_BYTES


def sealed(fields: Mapping[str, Any], keys: Sequence[bytes]) -> dict[str, Any]:
    """Return the export of these fields, signed with the first key if there is one."""
    export = {_VERSION: VERSION, **fields}
    if keys:
        export[_SIGNATURE] = _digest(fields, keys[0])
    return export


def is_signed(data: object) -> bool:
    """Return whether what came has a signature."""
    return isinstance(data, Mapping) and _SIGNATURE in data


def opened(data: object, keys: Sequence[bytes]) -> dict[str, Any]:
    """Return the fields of what came as an export, if it is to be believed.

    Args:
        data: Whatever came.
        keys: Any of which may have signed it; without one it is believed unsigned.

    Raises:
        ContextRefused: It is not what an export is, too large, or not signed with any of the keys. Repeats
            nothing of it.
    """
    if not isinstance(data, dict):
        raise ContextRefused("shape", f"it must be the dict of export_context(), got {describe_kind(data)}")
    version = data.get(_VERSION)
    if type(version) is not int or version != VERSION:
        raise ContextRefused("version", f"this auditkit reads version {VERSION}, and it has another or none")
    fields: dict[str, Any] = {}
    for name, given in data.items():
        if name in {_VERSION, _SIGNATURE}:
            continue
        read = _READ.get(name)
        if read is None:
            raise ContextRefused("shape", "it has a field that export_context() does not write")
        fields[name] = read(name, given)
    if not fits(fields):
        raise ContextRefused("size", f"it is larger than {MAX_BYTES} bytes of JSON")
    if keys:
        _verify(fields, data.get(_SIGNATURE), keys)
    return fields


def _verify(fields: Mapping[str, Any], signature: object, keys: Sequence[bytes]) -> None:
    if signature is None:
        raise ContextRefused(
            "unsigned", "it is not signed; give the process that exported it the secret that this one has"
        )
    # compare_digest takes no other text than ASCII
    if not isinstance(signature, str) or not _DIGEST.fullmatch(signature):
        raise ContextRefused("shape", "its signature must be 64 hexadecimal digits")
    import hmac  # noqa: PLC0415  (see `_digest`)

    if not any(hmac.compare_digest(_digest(fields, key), signature) for key in keys):
        raise ContextRefused(
            "forged", "its signature is not right: it was changed on its way, or signed with a secret unknown here"
        )


def _canonical(fields: Mapping[str, Any]) -> bytes:
    return json.dumps({_VERSION: VERSION, **fields}, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _digest(fields: Mapping[str, Any], key: bytes) -> str:
    import hashlib  # noqa: PLC0415  (only who has a secret needs them: `import auditkit` stays light)
    import hmac  # noqa: PLC0415

    return hmac.new(key, _canonical(fields), hashlib.sha256).hexdigest()


def _text(name: str, given: object) -> str:
    if isinstance(given, str) and given:
        return whole_text(given)
    raise ContextRefused("shape", f"its {name} must be a non-empty str, got {describe_kind(given)}")


def _party(name: str, given: object) -> dict[str, str]:
    if not isinstance(given, dict) or set(given) != _PARTY:
        raise ContextRefused("shape", f"its {name} must be a dict with id, name and type")
    return {each: _text(f"{name}'s {each}", given[each]) for each in sorted(_PARTY)}


def _event_id(name: str, given: object) -> str:
    try:
        return check_id(name, given)
    except InvalidEventError as error:
        raise ContextRefused("shape", f"its {name} must be {error.expected}") from None


def _metadata(name: str, given: object) -> dict[str, Any]:
    try:
        return plain(check_metadata(given))
    except InvalidEventError as error:  # its text repeats what was given, names of keys included
        raise ContextRefused("shape", f"its {name} has something in it that must be {error.expected}") from None


def plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata as JSON takes it."""
    return {key: dict(value) if isinstance(value, Mapping) else value for key, value in metadata.items()}


_READ: Final[dict[object, Callable[[str, object], Any]]] = {
    "group": _text,
    "actor": _party,
    "location": _text,
    "on_behalf_of": _party,
    "metadata": _metadata,
    "correlation_id": _text,
    "parent_id": _event_id,
}
