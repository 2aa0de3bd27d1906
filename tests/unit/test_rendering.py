"""An event as a person reads it."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.event import Event
from auditkit.rendering import coloured, line_of, lines_of, printable

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def an_event(**changes: Any) -> Event:
    """Return an event with some of its fields changed."""
    fields: dict[str, Any] = {
        "group": "acme",
        "action": "invoice.update",
        "action_type": "U",
        "actor_name": "ada@example.com",
        "actor_id": "user_1",
        "target_name": "inv_1",
        "target_id": "inv_1",
        "location": "203.0.113.7",
        "occurred_at": "2026-11-23T07:35:01Z",
    }
    return Event(**{**fields, **changes})


def test_first_line_says_who_did_what_to_what_from_where() -> None:
    """Time, actor, action, target and location stand in one line."""
    expected = "2026-11-23 07:35:01Z  ada@example.com       invoice.update    inv_1  203.0.113.7"

    assert expected == lines_of(an_event())


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"amount_was": 1, "amount": 2}, "amount: 1 -> 2"),
        ({"amount_was": None, "amount": 2}, "amount: (none) -> 2"),
        ({"amount_was": 1}, "amount: was 1"),
        ({"note_was": "", "note": "paid"}, "note: (empty) -> paid"),
        ({"amount": 1}, "amount: 1"),
        ({"plan": {"id": "p", "seats": 3}}, "plan: {id: p, seats: 3}"),
        ({"text": "x" * 100}, f"text: {'x' * 52}"),
    ],
)
def test_changes_stand_below(metadata: dict[str, Any], told: str) -> None:
    """What changed is told as it was and as it is."""
    assert told == lines_of(an_event(metadata=metadata)).splitlines()[1].strip()


def test_long_values_are_cut_and_wrapped() -> None:
    """A long value is shown by its beginning, and no line of it is wider than 80 columns."""
    text = "word " * 30
    shown = lines_of(an_event(metadata={"body_was": text, "body": text})).splitlines()[1:]
    told = " ".join(line.strip() for line in shown)

    assert f"body: {text[:60]}… -> {text[:60]}…" == told
    assert [] == [line for line in shown if len(line) > 80]


def test_long_parts_go_to_a_row_of_their_own() -> None:
    """What does not fit in 80 columns stands below, whole."""
    shown = lines_of(an_event(actor_name="a" * 30, target_name="t" * 40)).splitlines()

    assert [
        "2026-11-23 07:35:01Z  " + "a" * 30 + "  invoice.update",
        " " * 22 + "t" * 40 + " (inv_1)",
        "203.0.113.7",
    ] == [
        shown[0],
        shown[1],
        shown[2].strip(),
    ]


def test_group_is_told_when_asked_for() -> None:
    """The group stands behind the location, or below it where there is no room."""
    assert lines_of(an_event(location="::1", group="a"), group=True).endswith("  inv_1  ::1  in a")
    assert f"{lines_of(an_event())}\n{' ' * 22}in acme" == lines_of(an_event(), group=True)


def columns(text: str) -> int:
    """Return how many columns of a terminal an East Asian text takes."""
    return sum(2 if unicodedata.east_asian_width(each) in "FW" else 1 for each in text)


def test_wide_characters_take_two_columns() -> None:
    """Columns stay aligned and lines within 80 columns where a character is as wide as two."""
    event = an_event(
        actor_name="山田太郎", target_name="請求書", target_id="請求書", location="::1", metadata={"備考": "あ" * 200}
    )
    first, *rest = lines_of(event).splitlines()

    assert 20 + 2 + 20 + 2 == columns(first.partition("invoice.update")[0])
    assert 2 <= len(rest)
    assert [] == [line for line in (first, *rest) if columns(line) > 80]
    assert f"備考:{'あ' * 60}…" == "".join("".join(rest).split())


@pytest.mark.parametrize("name", ["Zoe\u0308", "👩\u200d🔬"])
def test_marks_take_no_column(name: str) -> None:
    """What is drawn over or joined with another character leaves the columns where they are."""
    first = lines_of(an_event(actor_name=name))
    visible = sum(unicodedata.category(each) not in {"Mn", "Cf"} for each in name)
    wide = sum(unicodedata.east_asian_width(each) == "W" for each in name)

    assert f"{name}{' ' * (20 - visible - wide)}  invoice.update" in first


@pytest.mark.parametrize("outcome", ["failure", "denied"])
def test_outcome_stands_out(outcome: str) -> None:
    """What did not succeed is told right behind the action, also where the target is long."""
    first = lines_of(an_event(target_name="t" * 60, metadata={"outcome": outcome})).splitlines()[0]

    assert f"invoice.update    {outcome.upper()}" in first


@pytest.mark.parametrize(
    "metadata", [{"amount_was": 1, "amount": 2, "outcome": "failure"}, {"text": "word " * 30}, {"n" * 90: "v"}]
)
@pytest.mark.parametrize("target", ["inv_1", "t" * 60])
@pytest.mark.parametrize("action_type", ["C", "R", "U", "D"])
def test_colours_only_surround(action_type: str, target: str, metadata: dict[str, Any]) -> None:
    """Without its colours a coloured event is the plain one."""
    event = an_event(action_type=action_type, target_name=target, metadata=metadata)

    assert lines_of(event) == re.sub(r"\x1b\[[0-9;]+m", "", lines_of(event, coloured))
    assert lines_of(event) != lines_of(event, coloured)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("one\r\ntwo", "one\\x0d\\x0atwo"),
        ("\x7f\x00", "\\x7f\\x00"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("a\u2028b", "a\\u2028b"),
        ("ad\u200bmin", "ad\\u200bmin"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("Åsa 👩\u200d🔬", "Åsa 👩\u200d🔬"),
    ],
)
def test_printable_shows_what_steers(text: str, shown: str) -> None:
    """What would steer a terminal or cannot be seen is shown as its escape, everything else as it is."""
    assert shown == printable(text)


steering = st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Lu"]))


@given(st.one_of(st.text(), steering))
def test_nothing_steers_the_terminal(text: str) -> None:
    """No control, no change of direction and no line break of an event's text is printed as it is."""
    event = an_event(
        actor_name=text,
        target_name=text,
        target_id=text,
        location=text or "x",
        metadata={"k" + text: text, "k" + text + "_was": text[::-1], "outcome": text, "m": {"k" + text: text}},
    )
    rows = lines_of(event).split("\n")
    shown = "".join(rows) + line_of(event) + printable(text)

    assert set() == {each for each in shown if unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"}}
    assert set() == {each for each in shown if unicodedata.bidirectional(each) in BIDI}
    assert rows == lines_of(event).splitlines()
