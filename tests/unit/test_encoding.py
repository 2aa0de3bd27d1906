"""Events as JSON bytes and back, and times as the wire writes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.encoding import decode, draft_of, encode, encode_event, wire_time
from auditkit.event import Event, instant_of, wire_text

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.datetimes(timezones=st.just(UTC)),
)
KEYS = st.text(min_size=1)
NON_EMPTY = st.text(min_size=1)
IDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)
MOMENTS = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001  (hypothesis adds the zone)
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001  (hypothesis adds the zone)
    timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
EVENTS = st.builds(
    Event,
    group=NON_EMPTY,
    action=st.from_regex(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+", fullmatch=True),
    action_type=st.sampled_from("CRUD"),
    actor_name=st.text(),
    actor_id=NON_EMPTY,
    target_name=st.text(),
    target_id=st.text(),
    location=NON_EMPTY,
    occurred_at=MOMENTS,
    metadata=st.dictionaries(KEYS, st.one_of(SCALARS, st.dictionaries(KEYS, SCALARS, max_size=3)), max_size=4),
    id=IDS,
    actor_type=NON_EMPTY,
    target_type=st.text(),
    parent_id=st.none() | IDS,
    correlation_id=st.none() | NON_EMPTY,
)


def an_event(**fields: Any) -> Event:
    given: dict[str, Any] = {
        "group": "acme", "action": "user.login", "action_type": "C", "actor_name": "n", "actor_id": "u1",
        "target_name": "t", "target_id": "t1", "location": "1.1.1.1",
    } | fields  # fmt: skip
    return Event(**given)


@given(EVENTS)
def test_decode_gives_the_event_back(event: Event) -> None:
    """What was encoded is decoded to the equal event, which encodes to the same bytes."""
    again = decode(encode_event(event))

    assert event == again
    assert encode_event(event) == encode_event(again)


@given(EVENTS)
def test_encoded_is_what_to_dict_says(event: Event) -> None:
    """The JSON of an event is its plain dict's, in one line of ASCII."""
    body = encode_event(event)

    assert event.to_dict() == json.loads(body)
    assert body.isascii()
    assert 1 == len(body.splitlines())
    assert body.decode().isprintable()


@given(EVENTS)
def test_draft_gives_the_event_back(event: Event) -> None:
    """The draft of an event makes the equal event and the same bytes."""
    draft = draft_of(event)

    assert event == draft.event()
    assert encode(draft) == encode(draft_of(draft.event()))


def test_kinds_of_numbers_are_kept() -> None:
    """True stays a bool, 1 an int, 1.0 a float and -0.0 negative, through the bytes and back."""
    metadata = {"bool": True, "int": 1, "float": 1.0, "zero": -0.0, "small": 5e-324, "large": 1.7976931348623157e308}

    again = decode(encode_event(an_event(metadata=metadata)))

    assert [repr(each) for each in metadata.values()] == [repr(each) for each in again.metadata.values()]


def test_decoded_event_is_immutable() -> None:
    """A decoded event's metadata can be changed as little as a stated one's, nor a mapping in it."""
    again = decode(encode_event(an_event(metadata={"m": {"x": 1}})))
    with pytest.raises(TypeError):
        again.metadata["n"] = 1  # type: ignore[index]
    with pytest.raises(TypeError):
        again.metadata["m"]["x"] = 2  # type: ignore[index]

    assert {"m": {"x": 1}} == again.metadata


def test_many_names_are_quoted_rightly() -> None:
    """However many different keys and types pass, each is written as itself."""
    wrong = []
    for number in range(5000):
        event = an_event(target_type=f'type"{number}', metadata={f'k"{number}': number, "long" * 30: number})
        wrong += [number] if event.to_dict() != json.loads(encode_event(event)) else []

    assert [] == wrong


@pytest.mark.parametrize("name", sorted(an_event().to_dict()))
def test_decode_refuses_a_missing_field(name: str) -> None:
    """A record without one of its fields is a ValueError that names the field."""
    plain = an_event().to_dict()
    del plain[name]
    with pytest.raises(ValueError, match=f"not a recorded event.*{name}"):
        decode(json.dumps(plain).encode())


DEEP = b'{"metadata":' * 100_000  # deeper than the interpreter goes


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{}",
        b"\xff\xfe",
        b"[1, 2]",
        b"\x00",
        DEEP,
        encode_event(an_event()) + b"{}",
    ],
)
def test_decode_refuses_what_is_no_record(body: bytes) -> None:
    """Bytes that are not the JSON of a record are a ValueError, whatever they are."""
    with pytest.raises(ValueError, match=r"."):
        decode(body)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("occurred_at", "yesterday"),
        ("occurred_at", 5),
        ("occurred_at", None),
        ("action_type", "X"),
        ("action_type", []),
        ("metadata", None),
        ("metadata", []),
        ("metadata", "text"),
    ],
)
def test_decode_refuses_a_damaged_field(name: str, value: object) -> None:
    """A record with a field of another kind is a ValueError."""
    plain = an_event().to_dict() | {name: value}
    with pytest.raises(ValueError, match=r"."):
        decode(json.dumps(plain).encode())


@given(st.datetimes(min_value=datetime(1970, 1, 1)))  # noqa: DTZ001  (taken for UTC below)
def test_wire_time_is_what_datetime_writes(naive: datetime) -> None:
    """For every microsecond of the years 1970 to 9999, wire_time writes what datetime does."""
    instant = naive.replace(tzinfo=UTC)
    since = instant - instant_of(0)
    time_ns = (since // timedelta(microseconds=1)) * 1000

    assert instant.isoformat(timespec="microseconds").replace("+00:00", "Z") == wire_time(time_ns)
    assert wire_text(instant) == wire_time(time_ns)
    assert instant == instant_of(time_ns)


@pytest.mark.parametrize("year", [1970, 1999, 2000, 2024, 2038, 2039, 2100, 2106, 2107, 9999])
def test_wire_time_at_the_turns(year: int) -> None:
    """The first and the last microsecond of a year are written with their own year."""
    first = (datetime(year, 1, 1, tzinfo=UTC) - instant_of(0)) // timedelta(microseconds=1)
    last = (datetime(year, 12, 31, 23, 59, 59, 999_999, UTC) - instant_of(0)) // timedelta(microseconds=1)

    assert f"{year}-01-01T00:00:00.000000Z" == wire_time(first * 1000)
    assert f"{year}-12-31T23:59:59.999999Z" == wire_time(last * 1000 + 999)


@given(st.lists(st.integers(0, 3_000_000_000), min_size=2, max_size=20))
def test_wire_time_does_not_depend_on_what_was_asked_before(times: list[int]) -> None:
    """Times in any order, forward and back within and across seconds, are each written as themselves."""
    expected = [wire_text(instant_of(each)) for each in times]

    assert expected == [wire_time(each) for each in times]


@pytest.mark.parametrize("year", [1, 999, 1969, 1970, 9999])
def test_early_and_late_years_come_back(year: int) -> None:
    """An event of any year that datetime knows is written with four digits and comes back equal."""
    event = an_event(occurred_at=datetime(year, 6, 1, 12, 30, 15, 7, UTC))

    assert f"{year:04d}-06-01T12:30:15.000007Z" == json.loads(encode_event(event))["occurred_at"]
    assert event == decode(encode_event(event))


def test_event_of_a_draft_shares_nothing_with_what_was_given() -> None:
    """A mapping inside metadata that is changed later does not change the event that was made of it."""
    inner = {"a": 1}
    draft = draft_of(Event("g", "user.login", "C", "a", "a", "t", "t", "here"))._replace(metadata={"m": inner})
    event = draft.event()
    inner["a"] = 2
    with pytest.raises(TypeError):
        event.metadata["m"]["a"] = 3  # type: ignore[index]

    assert {"m": {"a": 1}} == event.metadata
