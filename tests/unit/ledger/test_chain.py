from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.errors import ConfigurationError
from auditkit.ledger.chain import (
    GENESIS,
    UNSIGNED,
    Break,
    ChainedRow,
    Hasher,
    Walk,
    first_break,
)
from tests.unit.ledger.builders import KEY, OTHER_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

SALT = b"s" * 16
BODY = b'{"id":"e1"}'


def chain(bodies: Sequence[bytes], keys: Sequence[bytes | None]) -> list[ChainedRow]:
    rows: list[ChainedRow] = []
    link = GENESIS
    for position, (body, key) in enumerate(zip(bodies, keys, strict=True), start=1):
        event_id = f"e{position}"
        digest = Hasher(key).digest(SALT, body)
        link = Hasher(key).link(link, position, event_id, digest)
        rows.append(ChainedRow(position, event_id, Hasher(key).key_id, SALT, digest, link, body))
    return rows


def altered(row: ChainedRow, part: str, value: object) -> ChainedRow:
    return ChainedRow(**{**row._asdict(), part: value})


@pytest.mark.parametrize(
    "key, digest, link",
    [
        (
            None,
            "176dcd13f72ed4093c76a45a0f92e08b6f292650413e07c508b05389380b8468",
            "624485a1ec1629a9ee82fe0fa90988fdd5521ba28da509f62f7e3513bfc8542c",
        ),
        (
            KEY,
            "f89d97142ae3e63feacecf28ef11bf2dd40d7e35986a2a6634093b9ce720769f",
            "6068e2a9cb8924e45950b2ff3626acf46b77ed4d5565344c82d6ae01cc1e3fda",
        ),
    ],
    ids=["unsigned", "signed"],
)
def test_chain_keeps_its_construction(key: bytes | None, digest: str, link: str) -> None:
    """A ledger written by this version verifies for ever: the two hashes never change."""
    made = Hasher(key).digest(SALT, BODY)

    assert digest == made.hex()
    assert link == Hasher(key).link(GENESIS, 1, "e1", made).hex()


def test_key_id_keeps_its_construction() -> None:
    """The mark that says which secret signed never changes."""
    assert "4277c327165581bf" == Hasher(KEY).key_id.hex()


@pytest.mark.parametrize("key", [b"", b"short", b"x" * 65], ids=["empty", "short", "long"])
def test_key_of_another_size_is_refused(key: bytes) -> None:
    """A key that BLAKE2b would not take, or take as none, is refused with its size."""
    with pytest.raises(ConfigurationError, match=f"16 to 64 bytes, got {len(key)}"):
        Hasher(key)


@given(st.binary(max_size=20), st.binary(max_size=20), st.binary(max_size=20), st.binary(max_size=20))
def test_digest_is_unambiguous(salt: bytes, body: bytes, other_salt: bytes, other_body: bytes) -> None:
    """No byte can move between salt and body without another digest."""
    same = (salt, body) == (other_salt, other_body)

    assert same == (Hasher().digest(salt, body) == Hasher().digest(other_salt, other_body))


@given(
    st.lists(st.tuples(st.binary(), st.sampled_from([None, KEY])), min_size=1).map(
        lambda pairs: sorted(pairs, key=lambda pair: pair[1] is not None)
    )
)
def test_untouched_chain_holds(entries: list[tuple[bytes, bytes | None]]) -> None:
    """A chain begun without a secret and gone on with one has no break."""
    rows = chain(*zip(*entries, strict=True))

    assert first_break(rows, [KEY]) is None


@given(st.data())
def test_change_of_any_part_is_found_at_its_place(data: st.DataObject) -> None:
    """Whatever byte of whatever row is changed, that row is the first bad one."""
    rows = chain([b"body %d" % number for number in range(5)], [KEY] * 5)
    place = data.draw(st.integers(0, 4))
    part = data.draw(st.sampled_from(["salt", "digest", "link", "body", "key_id"]))
    value = bytearray(getattr(rows[place], part))
    value[data.draw(st.integers(0, len(value) - 1))] ^= data.draw(st.integers(1, 255))
    rows[place] = altered(rows[place], part, bytes(value))

    found = first_break(rows, [KEY])

    assert found is not None
    assert (place + 1, f"e{place + 1}") == (found.position, found.id)


@given(st.integers(0, 3))
def test_row_cut_out_is_named(place: int) -> None:
    """A row that is gone, the first included, is named by its position."""
    rows = chain([b"x"] * 5, [None] * 5)
    del rows[place]

    assert Break(place + 1, None, f"is missing; the next one there is {place + 2}") == first_break(rows)


@given(st.permutations(range(5)).filter(lambda order: order != sorted(order)))
def test_rows_in_another_order_are_found(order: list[int]) -> None:
    """Rows that changed places, their positions made to fit, break the chain at the first of them."""
    rows = chain([b"%d" % number for number in range(5)], [None] * 5)
    moved = [rows[source]._replace(position=place) for place, source in enumerate(order, start=1)]

    found = first_break(moved)

    assert found is not None
    assert next(at for at, source in enumerate(order) if at != source) + 1 == found.position


def test_erased_row_keeps_the_chain() -> None:
    """An entry whose body and salt are gone, as when a person is erased, leaves the chain whole."""
    rows = chain([b"a", b"b", b"c"], [KEY] * 3)
    rows[1] = rows[1]._replace(body=None, salt=None)

    assert first_break(rows, [KEY]) is None


@pytest.mark.parametrize("part", ["body", "salt"])
def test_half_erased_row_is_found(part: str) -> None:
    """A body without its salt, or a salt without its body, is no erasure."""
    rows = chain([b"a", b"b"], [None] * 2)
    rows[1] = altered(rows[1], part, None)

    assert Break(2, "e2", "was changed: its body or salt is not the bytes it was") == first_break(rows)


@pytest.mark.parametrize("part", ["id", "digest", "link", "key_id", "salt", "body"])
def test_value_of_another_type_is_found(part: str) -> None:
    """Whatever value somebody puts into a column, it is a bad record and not a crash."""
    rows = chain([b"a", b"b"], [None] * 2)
    rows[1] = altered(rows[1], part, 7)

    found = first_break(rows)

    assert found is not None
    assert 2 == found.position


def test_secret_before_the_current_one_still_verifies() -> None:
    """Entries of an old secret and of the one that replaced it verify when both are given."""
    walk = Walk([OTHER_KEY, KEY])

    assert all(walk.follow(row) is None for row in chain([b"a", b"b"], [KEY, OTHER_KEY]))
    assert 2 == walk.signed


def test_signed_row_without_its_secret_is_not_vouched_for() -> None:
    """Without the secret a signed entry is neither good nor called changed."""
    rows = chain([b"a", b"b"], [None, KEY])

    assert Break(2, "e2", "was signed with a secret that was not given") == first_break(rows)


def test_unsigned_row_after_signed_ones_is_found() -> None:
    """Who has the files but not the secret cannot go on with unsigned entries."""
    rows = chain([b"a", b"b"], [KEY, None])

    assert UNSIGNED == rows[1].key_id
    assert Break(2, "e2", "is not signed, though entries before it are") == first_break(rows, [KEY])
