"""Single values as the scalars that metadata takes, whatever subclass they come as. Pure.

Every conversion names the base type's own method, so that nothing a subclass overrides is run.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from enum import Enum
from json.encoder import encode_basestring_ascii as quote
from math import isfinite
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from auditkit.event import whole_text, wire_text
from auditkit.loaded import loaded_class

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditkit.event import Scalar

INT_LIMIT: Final = 2**63  # what a ledger's integer and most receivers hold
MAX_TEXT: Final = 16 * 1024  # characters of one value
_MAX_QUOTED: Final = 2 * MAX_TEXT  # and its bytes as JSON, where one character may take six
_TOKEN: Final = 1024  # a cut goes back to a space at most this far, so that it rarely parts a secret from its shape
_LONG_INT: Final = 10_000  # bits; Python refuses the text of much longer ones
_HEX_BYTES: Final = 32

type_name: Callable[[type], str] = type.__dict__["__name__"].__get__  # no metaclass has a say in it


def fingerprint(data: bytes) -> str:
    """Return 8 hex digits that tell one long value from another where only a part of it is kept."""
    from hashlib import blake2b  # noqa: PLC0415  (it takes milliseconds, and long values are rare)

    return blake2b(data, digest_size=4).hexdigest()


def marker(value: object) -> str:
    """Return what stands for an object that is not looked into: its type's name, never its repr."""
    return f"<{whole_text(type_name(type(value)))[:100]} object>"


def bounded_text(text: str) -> str:
    """Return the text whole, or its beginning and a mark with its length and a fingerprint of all of it."""
    if len(text) <= MAX_TEXT and len(quote(text)) <= _MAX_QUOTED:
        return text
    head = text[:MAX_TEXT]
    while len(quote(head)) > _MAX_QUOTED:
        head = head[: len(head) // 2]
    space = head.rfind(" ", len(head) - _TOKEN)
    digest = fingerprint(text.encode("utf-8", "replace"))
    return f"{head[:space] if space > 0 else head}... <cut: {len(text)} characters, {digest}>"


def of_text(value: str) -> str:
    """Return a text without lone surrogates and of bounded length."""
    return bounded_text(whole_text(value))


def of_int(value: int) -> Scalar:
    """Return an int that 64 bits hold as it is, a larger one as text."""
    number = int.__int__(value)
    if -INT_LIMIT <= number < INT_LIMIT:
        return number
    bits = number.bit_length()
    if bits <= _LONG_INT:
        return int.__repr__(number)
    return f"<int of {bits} bits, {fingerprint(number.to_bytes(bits // 8 + 1, 'big', signed=True))}>"


def of_float(value: float) -> Scalar:
    """Return a finite float as it is; JSON has no word for the others, so they become texts."""
    number = float.__float__(value)
    if isfinite(number):
        return number
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"  # noqa: PLR0124  (NaN's own test)


def of_bytes(value: bytes | bytearray | memoryview) -> str:
    """Return short bytes as readable text or as hex, longer ones as a length and a fingerprint."""
    data = memoryview(value).tobytes()
    if len(data) > _HEX_BYTES:
        return f"<{len(data)} bytes, {fingerprint(data)}>"
    if data.isascii() and (text := data.decode("ascii")).isprintable():
        return text  # so that a secret in it still has its shape when redaction looks
    return f"0x{data.hex()}"


def of_datetime(value: datetime) -> str:
    """Return an aware time as the wire writes it, a naive one as ISO-8601 without an offset."""
    if datetime.utcoffset(value) is None:
        return datetime.isoformat(value)
    return wire_text(value)


_instance_dict: Callable[[Enum], dict[str, object]] = Enum.__dict__["__dict__"].__get__


def of_enum(value: Enum) -> Scalar:
    """Return an enum's value where that is a scalar, its name otherwise."""
    inside = _instance_dict(value)
    convert = scalar_of(type(inside.get("_value_")))
    return of_text(str(inside["_name_"])) if convert is None else convert(inside["_value_"])


def _text_by(method: Callable[[Any], str]) -> Callable[[Any], Scalar]:
    return lambda value: of_text(method(value))


def _itself(value: Any) -> Any:
    return value


_SCALARS: Final[dict[type, Callable[[Any], Scalar]]] = {
    str: of_text,
    bool: _itself,
    int: of_int,
    float: of_float,
    type(None): _itself,
    bytes: of_bytes,
    bytearray: of_bytes,
    memoryview: of_bytes,
    complex: complex.__repr__,
    range: _text_by(range.__repr__),
    datetime: of_datetime,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: timedelta.__str__,
    PurePath: _text_by(PurePath.__str__),
    Enum: of_enum,
}
_LATER: Final = (  # their modules take milliseconds: who has a value of them has loaded them
    ("decimal", "Decimal"),
    ("uuid", "UUID"),
    ("fractions", "Fraction"),
    ("ipaddress", "IPv4Address"),
    ("ipaddress", "IPv4Interface"),
    ("ipaddress", "IPv4Network"),
    ("ipaddress", "IPv6Address"),
    ("ipaddress", "IPv6Interface"),
    ("ipaddress", "IPv6Network"),
)


def scalar_of(kind: type) -> Callable[[Any], Scalar] | None:
    """Return how an instance of a type, or of a class derived from it, becomes a scalar; None where it does not."""
    if kind in _SCALARS:
        return _SCALARS[kind]
    for names in _LATER:
        if kind in loaded_class(*names):
            as_text: Any = kind.__str__  # its own, as it is no class that derives from it
            return _text_by(as_text)
    return None
