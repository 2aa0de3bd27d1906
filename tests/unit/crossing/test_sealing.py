"""What an exported context looks like, and what is believed of one that comes back."""

from __future__ import annotations

import hmac
import json
import pickle
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from auditkit.crossing.sealing import MAX_BYTES, fits, is_signed, opened, sealed
from auditkit.errors import AuditError, ContextRefused

KEY, NEW_KEY, OTHER_KEY = b"k" * 32, b"n" * 32, b"o" * 32
CANARY = "canary4711"

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
PARTIES = st.fixed_dictionaries({"id": TEXTS, "name": TEXTS, "type": TEXTS})
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "group": TEXTS,
        "actor": PARTIES,
        "location": TEXTS,
        "on_behalf_of": PARTIES,
        "metadata": st.dictionaries(TEXTS, SCALARS | st.dictionaries(TEXTS, SCALARS, max_size=3), max_size=4),
        "correlation_id": TEXTS,
        "parent_id": st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255),
    },
)
WHOLE: dict[str, Any] = {
    "group": "acme",
    "actor": {"id": "user_1", "name": "Ada", "type": "user"},
    "location": "203.0.113.7",
    "on_behalf_of": {"id": "user_2", "name": "Bob", "type": "user"},
    "metadata": {"plan": "pro", "seats": 3, "ratio": 0.5, "trial": False, "note": None, "device": {"os": "x"}},
    "correlation_id": "req_1",
    "parent_id": "01a",
}
SIGNED = sealed(WHOLE, (KEY,))


def refusal(data: object, *keys: bytes) -> ContextRefused:
    """Return the refusal of what must be refused."""
    with pytest.raises(ContextRefused) as caught:
        opened(data, keys)
    return caught.value


def same(one: object, other: object) -> bool:
    """Return whether two values are one to JSON, to which 1, 1.0 and true are three."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(FIELDS, st.sampled_from([(), (KEY,), (KEY, OTHER_KEY)]))
def test_round_trip_through_json(fields: dict[str, Any], keys: tuple[bytes, ...]) -> None:
    """Whatever is sealed comes back from JSON as it was, signed or not."""
    assert same(fields, opened(json.loads(json.dumps(sealed(fields, keys))), keys))


@given(FIELDS, st.randoms(use_true_random=False))
def test_order_of_keys_means_nothing(fields: dict[str, Any], chance: Any) -> None:
    """A queue that gives keys back in another order changes nothing."""

    def shuffled(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        pairs = [(key, shuffled(each)) for key, each in value.items()]
        chance.shuffle(pairs)
        return dict(pairs)

    assert same(fields, opened(shuffled(sealed(fields, (KEY,))), (KEY,)))


@given(st.data())
def test_every_changed_character_is_refused(data: st.DataObject) -> None:
    """Whatever character of a signed export's JSON is changed, removed or put in, it is refused or still the same."""
    text = json.dumps(SIGNED)
    at = data.draw(st.integers(0, len(text) - 1), "at")
    put = data.draw(st.text(st.characters(codec="utf-8"), max_size=2), "put")
    cut = data.draw(st.integers(0, 2), "cut")
    try:
        changed = json.loads(text[:at] + put + text[at + cut :])
    except ValueError:
        changed = None
    assume(not same(SIGNED, changed))

    refusal(changed, KEY)


PATHS = [
    (name,) if not isinstance(value, dict) else (name, inner)
    for name, value in SIGNED.items()
    for inner in (value if isinstance(value, dict) else [""])
]
JSON_VALUES = st.recursive(SCALARS, lambda each: st.lists(each, max_size=2) | st.dictionaries(TEXTS, each, max_size=2))


@given(st.sampled_from(PATHS), JSON_VALUES)
def test_every_changed_field_is_refused(path: tuple[str, ...], value: object) -> None:
    """Whatever any field of a signed export is replaced by, it is refused."""
    changed = json.loads(json.dumps(SIGNED))
    holder = changed
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = value
    assume(not same(SIGNED, changed))

    refusal(changed, KEY)


@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_every_missing_field_is_refused(path: tuple[str, ...]) -> None:
    """Whatever field of a signed export is taken away, it is refused."""
    changed = json.loads(json.dumps(SIGNED))
    holder = changed
    for name in path[:-1]:
        holder = holder[name]
    del holder[path[-1]]

    refusal(changed, KEY)


@given(FIELDS)
def test_field_cannot_be_added(fields: dict[str, Any]) -> None:
    """A signature of less does not vouch for more."""
    assume(fields)

    assert "forged" == refusal({**sealed({}, (KEY,)), **fields}, KEY).reason


@pytest.mark.parametrize("keys", [(KEY,), (NEW_KEY, KEY), (KEY, NEW_KEY)], ids=["one", "second", "first"])
def test_either_of_two_keys_verifies(keys: tuple[bytes, ...]) -> None:
    """What was signed with either of two secrets is believed, so that a secret can be changed."""
    assert same(WHOLE, opened(SIGNED, keys))


def test_first_key_signs() -> None:
    """Of two secrets the first signs."""
    assert sealed(WHOLE, (NEW_KEY,)) == sealed(WHOLE, (NEW_KEY, KEY))
    assert "forged" == refusal(sealed(WHOLE, (NEW_KEY, KEY)), KEY).reason


def test_signature_is_of_the_documented_text() -> None:
    """The signature is HMAC-SHA256 over the sorted JSON without spaces, so that the other release knows it too."""
    text = rb'{"actor":{"id":"u","name":"u","type":"user"},"group":"acm\u00e9","version":1}'
    fields = {"group": "acmé", "actor": {"type": "user", "name": "u", "id": "u"}}

    assert hmac.new(KEY, text, "sha256").hexdigest() == sealed(fields, (KEY,))["signature"]


@pytest.mark.parametrize("signature", ["", "0" * 63, "A" * 64, "é" * 64, 5, [], {}], ids=repr)
def test_signature_of_another_form_is_refused(signature: object) -> None:
    """A signature that is no text of 64 hexadecimal digits is refused as such, in whatever alphabet it is."""
    assert "shape" == refusal({**SIGNED, "signature": signature}, KEY).reason


def test_right_digits_in_capitals_are_refused() -> None:
    """There is one way to write a signature."""
    assert "shape" == refusal({**SIGNED, "signature": SIGNED["signature"].upper()}, KEY).reason


@pytest.mark.parametrize(
    "data, reason",
    [
        (None, "shape"),
        ("{}", "shape"),
        ([], "shape"),
        ({}, "version"),
        ({"version": 2}, "version"),
        ({"version": True}, "version"),
        ({"version": 1.0}, "version"),
        ({"version": "1"}, "version"),
        ({"version": 1, "unknown": 1}, "shape"),
        ({"version": 1, 5: 1}, "shape"),
        ({"version": 1, "group": None}, "shape"),
        ({"version": 1, "group": ""}, "shape"),
        ({"version": 1, "group": 5}, "shape"),
        ({"version": 1, "actor": "user_1"}, "shape"),
        ({"version": 1, "actor": {"id": "user_1"}}, "shape"),
        ({"version": 1, "actor": {"id": "user_1", "name": "", "type": "user"}}, "shape"),
        ({"version": 1, "actor": {"id": "u", "name": "u", "type": "user", "more": "x"}}, "shape"),
        ({"version": 1, "metadata": []}, "shape"),
        ({"version": 1, "metadata": {"a": []}}, "shape"),
        ({"version": 1, "metadata": {"a": {"b": {}}}}, "shape"),
        ({"version": 1, "metadata": {"a": float("nan")}}, "shape"),
        ({"version": 1, "metadata": {"a": 2**63}}, "shape"),
        ({"version": 1, "metadata": {"": 1}}, "shape"),
        ({"version": 1, "parent_id": "a b"}, "shape"),
        ({"version": 1, "parent_id": "a" * 256}, "shape"),
        ({"version": 1, "group": "a" * MAX_BYTES}, "size"),
        ({"version": 1, "metadata": dict.fromkeys(map(str, range(MAX_BYTES)))}, "size"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value)[:60],
)
@pytest.mark.parametrize("keys", [(), (KEY,)], ids=["no-secret", "secret"])
def test_what_is_no_export_is_refused(data: object, reason: str, keys: tuple[bytes, ...]) -> None:
    """What has another form, another version or too much in it is refused, with a secret and without."""
    assert reason == refusal(data, *keys).reason


def test_depth_is_bounded() -> None:
    """What is nested a hundred thousand times is refused, and overflows no stack."""
    nested: Any = {}
    for _ in range(100_000):
        nested = {"a": nested}

    assert "shape" == refusal({"version": 1, "metadata": {"a": nested}}).reason


def test_unsigned_is_refused_where_there_is_a_secret() -> None:
    """Without its signature nothing is believed by who has a secret, and told so."""
    unsigned = sealed(WHOLE, ())

    assert "unsigned" == refusal(unsigned, KEY).reason
    assert same(WHOLE, opened(unsigned, ()))


def test_signature_means_nothing_without_a_secret() -> None:
    """Who has no secret takes a signed export too, and can see that it is signed."""
    assert same(WHOLE, opened(SIGNED, ()))
    assert (True, False, False) == (is_signed(SIGNED), is_signed(sealed(WHOLE, ())), is_signed(None))


def test_what_is_used_is_a_copy() -> None:
    """What was verified cannot be changed after that by who has the dict."""
    data = json.loads(json.dumps(SIGNED))
    fields = opened(data, (KEY,))
    data["actor"]["id"] = data["metadata"]["device"]["os"] = "changed"

    assert same(WHOLE, fields)


@pytest.mark.parametrize("size", [MAX_BYTES - 24, MAX_BYTES - 23], ids=["fits", "does not"])
def test_largest_export_is_told_alike_on_both_sides(size: int) -> None:
    """What fits when it is made is taken back, and one byte more is neither."""
    fields = {"group": "a" * size}

    assert fits(fields) == (size == MAX_BYTES - 24)
    if fits(fields):
        assert fields == opened(sealed(fields, (KEY,)), (KEY,))
    else:
        assert "size" == refusal(sealed(fields, (KEY,)), KEY).reason


@pytest.mark.parametrize(
    "data",
    [
        {"version": CANARY},
        {"version": 1, CANARY: 1},
        {"version": 1, "group": {CANARY: CANARY}},
        {"version": 1, "parent_id": f"{CANARY} "},
        {"version": 1, "actor": {"id": CANARY}},
        {"version": 1, "metadata": {CANARY: [CANARY]}},
        {"version": 1, "metadata": {CANARY: {CANARY: [CANARY]}}},
        {"version": 1, "metadata": {CANARY: {"": CANARY}}},
        {"version": 1, "group": CANARY * MAX_BYTES},
        {"version": 1, "group": CANARY, "signature": CANARY},
        {"version": 1, "group": CANARY, "signature": "0" * 64},
    ],
    ids=lambda data: repr(data)[:60],
)
def test_refusal_repeats_nothing(data: object) -> None:
    """No refusal shows what came, a key, or the signature that would have been right."""
    told = str(refusal(data, KEY))

    assert CANARY not in told
    assert not re.search(r"[0-9a-f]{64}|kkk", told)


def test_refusal_is_an_audit_error_that_pickles() -> None:
    """A refusal is an AuditError, and passes between processes with its reason."""
    error = refusal(None)
    copy = pickle.loads(pickle.dumps(error))

    assert isinstance(error, AuditError)
    assert (str(error), "shape", error.text) == (str(copy), copy.reason, copy.text)
    assert "an exported context was refused: it must be the dict of export_context(), got None" == str(error)
