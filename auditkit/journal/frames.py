"""The journal's lines: framed, chained, and found again after damage. Pure.

A line is ``<64 hex digits> <JSON>\\n``. The digits are BLAKE2b (RFC 7693) over the line before's digits and
this line's JSON: at once the frame's checksum and its tamper evidence. The first line of a segment is its
header, the last one of a segment closed properly is its end.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FORMAT = 1
DIGITS = 64
OVERHEAD = DIGITS + 2  # the space and the line break
START = b"0" * DIGITS  # what the header is chained to
END_ROOM = 128  # bytes kept free in every segment for the line that ends it

_PERSON = b"auditkit.journal"
_END = b'{"end":'
_HEADER = b'{"auditkit":'


class Chain:
    """Compute a line's digits from those of the line before.

    Args:
        key: Up to 64 secret bytes; with them only their holder can continue or imitate the chain.
    """

    __slots__ = ("_state", "key_id")

    def __init__(self, key: bytes | None = None) -> None:
        """Prepare the keyed state once; each line copies it."""
        self._state = hashlib.blake2b(digest_size=DIGITS // 2, key=key or b"", person=_PERSON)
        self.key_id = None if key is None else hashlib.blake2b(key, digest_size=4, person=b"auditkit.key-id").hexdigest()

    def link(self, previous: bytes, body: bytes) -> bytes:
        """Return the digits of the line that holds ``body`` after the line with the digits ``previous``."""
        state = self._state.copy()
        state.update(previous + body)  # unambiguous: the digits have one length
        return state.hexdigest().encode("ascii")


class Keys:
    """The chains of a directory: the first secret writes, all of them read, and so does no secret.

    Args:
        secrets: Subkeys for the chain, the one to write with first; none for an unkeyed chain.
    """

    def __init__(self, secrets: Sequence[bytes] = ()) -> None:
        """Prepare one chain for each."""
        chains = [*map(Chain, secrets), Chain()]
        self.writing = chains[0]
        self._by_id = {chain.key_id: chain for chain in chains}

    def of(self, data: bytes) -> Chain | None:
        """Return the chain that a segment's first bytes say it was written with, or None where it is not ours.

        Raises:
            ValueError: There is no header, or one of a newer format.
        """
        line = data[: data.find(b"\n") + 1]
        if not line[DIGITS + 1 :].startswith(_HEADER):
            raise ValueError("no header")
        fields = json.loads(line[DIGITS + 1 :])
        if fields["auditkit"] != FORMAT:
            raise ValueError(f"format {fields['auditkit']}, and this auditkit reads format {FORMAT}")
        return self._by_id.get(fields.get("key"))


class Frame(NamedTuple):
    """One line that verifies: its JSON, its digits and where the next one begins."""

    body: bytes
    head: bytes
    end: int

    @property
    def is_end(self) -> bool:
        """Return whether this line ends its segment."""
        return self.body.startswith(_END)

    @property
    def is_header(self) -> bool:
        """Return whether this line begins its segment."""
        return self.body.startswith(_HEADER)


class Damage(NamedTuple):
    """Bytes between two offsets that do not verify."""

    start: int
    end: int


def frame(head: bytes, body: bytes) -> bytes:
    """Return a line's bytes."""
    return b"%b %b\n" % (head, body)


def header(fields: dict[str, Any]) -> bytes:
    """Return the JSON of a segment's first line."""
    return json.dumps({"auditkit": FORMAT, **fields}, separators=(",", ":")).encode("ascii")


def end(records: int) -> bytes:
    """Return the JSON of the line that ends a segment of so many records."""
    return b'{"end":%d}' % records


def read_frames(data: bytes, previous: bytes, chain: Chain, *, offset: int = 0) -> Iterator[Frame]:
    """Yield the lines of ``data`` for as long as they verify.

    Args:
        data: Bytes of a segment that begin with a line.
        previous: The digits of the line before it.
        chain: The segment's chain.
        offset: Where in the segment ``data`` begins; `Frame.end` counts from the segment's beginning.
    """
    start = 0
    while (stop := data.find(b"\n", start)) >= 0:
        found = _parse(data, start, stop)
        if found is None or chain.link(previous, found[1]) != found[0]:
            return
        previous, body = found
        start = stop + 1
        yield Frame(body, previous, offset + start)


def _parse(data: bytes, start: int, stop: int) -> tuple[bytes, bytes] | None:
    if stop - start < OVERHEAD or data[start + DIGITS : start + DIGITS + 1] != b" ":
        return None
    return data[start : start + DIGITS], data[start + DIGITS + 1 : stop]


def resynchronise(data: bytes, previous: bytes, chain: Chain) -> Iterator[Frame | Damage]:
    """Yield every line of a whole, finished segment that verifies, and the damage between them.

    A line verifies after damage by the digits that the damaged line states, or by those that its JSON has
    where only the digits were hit. So one flipped byte costs at most the line it fell into, and where it
    fell into the digits not even that: a line which the next one vouches for is whole.

    Args:
        data: The segment from its first byte; zeros at its end are space not yet used.
        previous: The digits before its first line.
        chain: The segment's chain.
    """
    data = data.rstrip(b"\0")
    start, damaged = 0, -1
    suspect: Frame | None = None  # the damaged line's JSON with the digits it should have had
    while start < len(data):
        stop = data.find(b"\n", start)
        stop = len(data) if stop < 0 else stop
        found = _parse(data, start, stop) if stop < len(data) else None
        after = min(stop + 1, len(data))
        if found is not None and (vouched := _vouched(found, previous, suspect, chain)) is not None:
            if damaged >= 0:
                yield suspect if vouched is suspect and suspect is not None else Damage(damaged, start)
            yield Frame(found[1], found[0], after)
            damaged, suspect, previous = -1, None, found[0]
        else:
            suspect = None if found is None or damaged >= 0 else Frame(found[1], chain.link(previous, found[1]), after)
            damaged = start if damaged < 0 else damaged
            previous = found[0] if found is not None else previous
        start = after
    if damaged >= 0:
        yield Damage(damaged, len(data))


def _vouched(found: tuple[bytes, bytes], previous: bytes, suspect: Frame | None, chain: Chain) -> object | None:
    head, body = found
    if suspect is not None and chain.link(suspect.head, body) == head:
        return suspect
    return found if chain.link(previous, body) == head else None
