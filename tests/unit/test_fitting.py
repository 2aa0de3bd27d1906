"""A draft that is too long for a record, made to fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from auditkit.cutting import TRUNCATED
from auditkit.encoding import MAX_RECORD, decode, encode
from auditkit.fitting import fit
from tests.journals import draft

if TYPE_CHECKING:
    from auditkit.draft import Draft

ROOM = 8192  # bytes: the least limit that these tests set
KIB = 1024


def fitted(given: Draft, limit: int = MAX_RECORD) -> dict[str, Any]:
    """Return the metadata of a draft that was made to fit; that it does is looked at."""
    cut = fit(given, len(encode(given)) - limit)

    assert len(encode(cut)) <= limit
    assert decode(encode(cut)) == cut.event()
    return dict(cut.metadata)


def of(metadata: dict[str, Any]) -> Draft:
    return draft()._replace(metadata=metadata)


def test_longest_values_are_cut_to_one_length() -> None:
    """Of many long values each keeps as much as the others; short ones stay whole; all that were cut are named."""
    metadata = {f"page_{number}": "x" * 16 * KIB for number in range(17)}
    cut = fitted(of({"outcome": "failure", **metadata, "count": 5}))
    shares = {len(cut[name]) for name in metadata}

    assert ("failure", 5) == (cut["outcome"], cut["count"])
    assert 1 == len(shares)
    assert min(shares) > 15_000
    assert cut["page_0"].endswith("x… (16384 characters)")
    assert ", ".join(metadata) == cut[TRUNCATED]


def test_one_long_value_takes_what_the_others_leave() -> None:
    """A text beyond all bounds keeps nearly the whole record, counted as JSON has it."""
    cut = fitted(of({"note": "ü" * 10**6, "other": "x" * KIB}))

    assert 6 * len(cut["note"]) > MAX_RECORD - 5 * KIB
    assert ("x" * KIB, "note") == (cut["other"], cut[TRUNCATED])


def test_names_and_places_are_cut_too() -> None:
    """A target, an actor or a location may be what is too long."""
    given = draft()._replace(target_name="t" * MAX_RECORD)
    given.scene.location = "l" * MAX_RECORD
    cut = fit(given, len(encode(given)) - MAX_RECORD)

    assert len(encode(cut)) <= MAX_RECORD
    assert ("t", "a") == (cut.target_id, cut.scene.actor_id)
    assert cut.target_name.endswith(f"… ({MAX_RECORD} characters)")
    assert "location, target_name" == cut.metadata[TRUNCATED]
    assert MAX_RECORD == len(given.scene.location)


def test_mass_of_keys_loses_the_last_that_matter_least() -> None:
    """Where keys alone are too many, auditkit's own stay, then what changed, then the first of the rest."""
    metadata: dict[str, Any] = {f"key_{number}": number for number in range(50_000)}
    metadata |= {"body_was": "a" * 2000, "body": "b" * 2000, "outcome": "failure"}
    cut = fitted(of(metadata))

    assert ("failure", "a" * 100, "b" * 100) == (cut["outcome"], cut["body_was"][:100], cut["body"][:100])
    assert (0, None) == (cut["key_0"], cut.get("key_49999"))
    assert cut[TRUNCATED].startswith("body_was, body, key_")
    assert cut[TRUNCATED].endswith(" more")


def test_what_was_stays_with_what_is() -> None:
    """A pair has room or has none: one without the other would tell another change."""
    metadata: dict[str, Any] = {}
    for number in range(3000):
        metadata |= {f"field_{number}_was": "a" * 50, f"field_{number}": "b" * 50}
    cut = fitted(of(metadata), ROOM)
    names = {name.removesuffix("_was") for name in cut} - {TRUNCATED}

    assert 10 < len(names) < 3000
    assert all({name, f"{name}_was"} <= cut.keys() for name in names)


def test_mapping_keeps_its_first_entries() -> None:
    """Of a mapping as much is kept as has room, each of its texts cut as any other."""
    cut = fitted(of({"headers": {f"h{number}": "x" * 100 for number in range(5000)}, "empty": {}, "last": 1}), ROOM)

    assert cut["headers"]["h0"] == "x" * 100
    assert 20 < len(cut["headers"]) < 5000
    assert cut[TRUNCATED].startswith("headers.h")


def test_earlier_cuts_stay_named() -> None:
    """What an event already says was cut from it is said again, beside what is cut now."""
    cut = fitted(of({TRUNCATED: "page, row", "note": "x" * 2 * ROOM}), ROOM)

    assert "page, row, note" == cut[TRUNCATED]


_SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
_TEXTS = st.builds(lambda text, times: text * times, st.text(max_size=8), st.sampled_from([1, 100, 3000]))
_KEYS = st.builds(lambda text, times: text * times, st.text(min_size=1, max_size=8), st.sampled_from([1, 20, 1000]))
_VALUES = _SCALARS | _TEXTS
_METADATA = st.dictionaries(_KEYS, _VALUES | st.dictionaries(_KEYS, _VALUES, max_size=6), max_size=12)


@given(metadata=_METADATA, location=_TEXTS, name=_TEXTS, limit=st.integers(ROOM, 4 * ROOM))
def test_whatever_is_too_long_fits(metadata: dict[str, Any], location: str, name: str, limit: int) -> None:
    """Any draft fits any limit; what is in it as it was is not named, and what is not is."""
    given = of(metadata)._replace(target_name=name)
    given.scene.location = location
    excess = len(encode(given)) - limit
    if excess <= 0:
        return
    cut = fit(given, excess)

    assert len(encode(cut)) <= limit
    assert cut.metadata[TRUNCATED]
    assert cut.metadata.keys() - {TRUNCATED} <= metadata.keys()
