"""The ledger's hash chain. Pure.

``digest = H(salt, body)`` and ``link = H(previous link, position, id, digest)``, both BLAKE2b-256, each with
a domain of its own, both keyed where a secret is configured. An entry can be erased: its body and salt go,
its digest and link stay, and the chain still holds; without its salt no guess at the body can be checked.

Source: design section "Promises" 6; RFC 7693 (BLAKE2, keyed mode); RFC 6962 section 2.1 for the domains.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from auditkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SALT_SIZE = 16
HASH_SIZE = 32
GENESIS = bytes(HASH_SIZE)  # what the first entry is linked to
UNSIGNED = b""  # the key id of an entry made without a secret

_KEY_SIZES = range(16, 65)  # bytes; more than 64 is not BLAKE2b
_KEY_ID_SIZE = 8
_DIGEST_DOMAIN = b"auditkit.digest1"  # 16 bytes at most; a new construction gets a new number
_LINK_DOMAIN = b"auditkit.link.1"
_KEY_DOMAIN = b"auditkit.key.1"
# Everything before the last part has a fixed size or states it, so that no two inputs make the same bytes.
_SALT_LENGTH = Struct(">B").pack
_PLACE = Struct(">QH").pack


class Hasher:
    """Compute what an entry is chained with.

    Args:
        key: The secret's subkey, 16 to 64 bytes; None for a chain that shows only damage: whoever cuts an entry out
            of that could make it anew.

    Attributes:
        key_id: What is kept beside an entry to say which secret signed it; it tells nothing about the secret.

    Raises:
        ConfigurationError: The key has another size.

    Thread-safety: the states made here are copied and never changed.
    """

    __slots__ = ("_digest", "_link", "key_id")

    def __init__(self, key: bytes | None = None) -> None:
        """Prepare the states that each entry copies: half of what it takes to make one."""
        if key is not None and len(key) not in _KEY_SIZES:
            raise ConfigurationError(f"a ledger key must have 16 to 64 bytes, got {len(key)}")
        given = key or b""
        self._digest = blake2b(digest_size=HASH_SIZE, key=given, person=_DIGEST_DOMAIN)
        self._link = blake2b(digest_size=HASH_SIZE, key=given, person=_LINK_DOMAIN)
        self.key_id = blake2b(digest_size=_KEY_ID_SIZE, key=key, person=_KEY_DOMAIN).digest() if key else UNSIGNED

    def digest(self, salt: bytes, body: bytes) -> bytes:
        """Return the digest of a recorded body under its salt."""
        state = self._digest.copy()
        state.update(_SALT_LENGTH(len(salt)) + salt + body)
        return state.digest()

    def link(self, previous: bytes, position: int, event_id: str, digest: bytes) -> bytes:
        """Return the link of the entry at ``position``, which holds everything before it in place.

        Args:
            previous: The link of the entry before, ``GENESIS`` for the first; 32 bytes.
            position: Counted from 1.
            event_id: The entry's id.
            digest: What `digest` gave; 32 bytes.
        """
        name = event_id.encode("utf-8", "surrogatepass")
        state = self._link.copy()
        state.update(previous + digest + _PLACE(position, len(name)) + name)
        return state.digest()


class ChainedRow(NamedTuple):
    """What the chain says of one entry."""

    position: int
    id: str
    key_id: bytes
    salt: bytes | None
    digest: bytes
    link: bytes
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Break:
    """The first bad record: where, which, and why.

    Attributes:
        position: Its place in the ledger, counted from 1.
        id: Its event's id as it is there now, or None where the record itself is gone.
        reason: What is wrong, to be read after "entry <position>".
    """

    position: int
    id: str | None
    reason: str


class Walk:
    """Follow a chain from its beginning, one row at a time, in order. For one thread.

    Args:
        keys: The subkeys that may have signed; entries made without a secret need none.

    Attributes:
        position: The last good entry; 0 before the first.
        link: Its link.
        signed: How many good entries were signed with one of the keys.
    """

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._hashers = {hasher.key_id: hasher for hasher in (Hasher(), *map(Hasher, keys))}
        self.position = 0
        self.link = GENESIS
        self.signed = 0

    def follow(self, row: ChainedRow) -> Break | None:
        """Go on to the next row; return what is wrong with it, after which the walk is over."""
        expected = self.position + 1
        if row.position != expected:
            return Break(expected, None, f"is missing; the next one there is {row.position}")
        reason = self._judge(row)
        if reason is not None:
            return Break(row.position, row.id, reason)
        self.position = expected
        self.link = row.link
        self.signed += row.key_id != UNSIGNED
        return None

    def _judge(self, row: ChainedRow) -> str | None:
        reason = _malformed(row)
        if reason is not None:
            return reason
        hasher = self._hashers.get(row.key_id)
        if hasher is None:
            return "was signed with a secret that was not given"
        if self.signed and row.key_id == UNSIGNED:
            return "is not signed, though entries before it are"
        if row.body is not None and row.salt is not None and hasher.digest(row.salt, row.body) != row.digest:
            return "was changed: its body does not match its digest"
        if hasher.link(self.link, row.position, row.id, row.digest) != row.link:
            return "was changed or moved: its link does not match what comes before it"
        return None


def _malformed(row: ChainedRow) -> str | None:
    # A ledger that somebody edited may hold any value anywhere; nothing after this may stumble over one.
    values: dict[str, object] = row._asdict()
    if not isinstance(values["id"], str):
        return "was changed: its id is not text"
    if not (isinstance(values["digest"], bytes) and len(row.digest) == HASH_SIZE):
        return "was changed: its digest is not 32 bytes"
    if not (isinstance(values["link"], bytes) and isinstance(values["key_id"], bytes)):
        return "was changed: its link or key id is not the bytes it was"
    if row.salt is None and row.body is None:
        return None  # erased
    if not (isinstance(values["salt"], bytes) and isinstance(values["body"], bytes)):
        return "was changed: its body or salt is not the bytes it was"
    return None


def first_break(rows: Iterable[ChainedRow], keys: Sequence[bytes] = ()) -> Break | None:
    """Return the first bad row of a chain that begins with the first of ``rows``, or None."""
    walk = Walk(keys)
    return next((found for row in rows if (found := walk.follow(row)) is not None), None)
