"""What a recorded event states, without an `Event` made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.encoding import decode, encode_event
from auditkit.stated import read_stated, stated_of
from tests.unit.test_encoding import EVENTS, an_event

if TYPE_CHECKING:
    from auditkit.event import Event

FULL = an_event(
    target_name='a "quoted" ü \\ \n name',
    metadata={"a": 1, "b": -1.5e-7, "c": None, "d": True, "m": {"x": "é", "y": 1e22}, "e": {}, "t": "plain"},
    parent_id="p",
    correlation_id="c",
    occurred_at="2026-01-02T03:04:05.678901Z",
)


@given(EVENTS)
def test_body_states_what_its_event_says(event: Event) -> None:
    """Every body that is recorded has the form, whatever is in it, and states what its event would."""
    assert stated_of(event) == read_stated(encode_event(event))


@given(st.data())
def test_what_has_the_form_can_be_decoded(data: st.DataObject) -> None:
    """A body that was changed anywhere either has not the form, or decodes to what it was read to state."""
    body = bytearray(encode_event(data.draw(st.sampled_from([FULL, an_event()]))))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(body) - 1))
        stop = start + data.draw(st.integers(0, 3))
        body[start:stop] = data.draw(
            st.sampled_from([*'0123456789"\\{}[]:,eE+-.ntfu \n\x7f', "9" * 30, "1e999"])
        ).encode()
    changed = bytes(body)
    stated = read_stated(changed)

    assert stated is None or stated == stated_of(decode(changed))


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"2026-01-02", b"2026-02-30"),
        (b"2026-01-02T", b"2026-01-02 "),
        (b'"action_type":"C"', b'"action_type":"X"'),
        (b'"group":"acme"', b'"group":null'),
        (b'"group":"acme",', b""),
        (b'"d":true', b'"d":[true]'),
        (b'"d":true', b'"d":{"e":{"f":1}}'),
        (b'"a":1', b'"a":1' + b"0" * 5000),
        (b'"a":1', b'"a":01'),
        (b'"a":1', b'"a":1,"a\n":2'),
        (b'"t":"plain"}', b'"t":"plain"},"more":1'),
        (b'"t":"plain"}}', b'"t":"plain"}} '),
    ],
    ids=str,
)
def test_other_forms_are_left_to_decode(was: bytes, becomes: bytes) -> None:
    """A field that is missing, of another kind or too many makes another form."""
    body = encode_event(FULL)

    assert 1 == body.count(was)
    assert read_stated(body) is not None
    assert read_stated(body.replace(was, becomes)) is None


def test_old_surrogates_are_replaced() -> None:
    """A lone surrogate that an old record holds escaped becomes U+FFFD, as SQLite could not bind it."""
    body = encode_event(an_event(group="GROUP")).replace(b"GROUP", b"a\\ud800b")

    assert "a�b" == dict(enumerate(read_stated(body) or ()))[2]
    assert read_stated(body) == stated_of(decode(body))
