"""How entries are listed, and in which style."""

from __future__ import annotations

import io
import json

import pytest

from auditkit import Event
from auditkit.cli.output import Listing, say
from auditkit.ledger import Entry


def entries(*groups: str) -> list[Entry]:
    """Return entries of these groups."""
    return [
        Entry(
            position,
            Event(
                group=group, action="a.b", action_type="C", actor_name="ada", actor_id="ada",
                target_name="t", target_id="t", location="here",
            ),
        )
        for position, group in enumerate(groups, 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("known", "groups", "told"),
    [
        (None, ["acme", "acme", "zeta", "acme"], [True, False, True, True]),
        (None, ["default", "default"], [False, False]),
        ("acme", ["acme", "acme"], [False, False]),
    ],
)
def test_listing_tells_a_group_where_it_changes(known: str | None, groups: list[str], told: list[bool]) -> None:
    """A group is told where it is another one than before, unless it was asked for or is the default."""
    stream = io.StringIO()
    last = Listing(stream, color="never", group=known).show(entries(*groups))

    assert told == [
        line.endswith(f"  in {group}") for line, group in zip(stream.getvalue().splitlines(), groups, strict=True)
    ]
    assert len(groups) == last


def test_listing_goes_on_where_it_was() -> None:
    """What is shown later is compared with what was shown before, as when a trail is followed."""
    stream = io.StringIO()
    listing = Listing(stream, color="never")
    listing.show(entries("acme"))
    listing.show(entries("acme"))

    assert 1 == stream.getvalue().count("in acme")


def test_listing_of_nothing_ends_nowhere() -> None:
    """No entry has no position."""
    assert 0 == Listing(io.StringIO(), color="always").show([])


def test_listing_as_json_gives_all() -> None:
    """Each entry is one line that has every field and its place, with nothing but ASCII in it."""
    stream = io.StringIO()
    (entry,) = entries("Åsa\u202e\n")
    Listing(stream, color="always", as_json=True).show([entry])

    assert {"position": 1, **entry.event.to_dict()} == json.loads(stream.getvalue())
    assert stream.getvalue().isascii()
    assert 1 == stream.getvalue().count("\n")


def test_listing_tells_possible_duplicates() -> None:
    """An event that a destination may have twice says so, for people and in JSON; the others say nothing."""
    stream, json_lines = io.StringIO(), io.StringIO()
    first, second = entries("acme", "acme")
    doubts = {second.event.id: ("logs", "workos")}
    Listing(stream, color="never", doubts=doubts).show([first, second])
    Listing(json_lines, color="never", as_json=True, doubts=doubts).show([first, second])

    assert stream.getvalue().endswith("\n                      possible duplicate at logs, workos\n")
    assert 1 == stream.getvalue().count("possible")
    assert [None, ["logs", "workos"]] == [
        json.loads(line).get("possible_duplicate") for line in json_lines.getvalue().splitlines()
    ]


def test_say_shows_what_an_encoding_lacks() -> None:
    """A terminal that cannot show a character shows its escape."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    say(stream, "Åsa")

    assert b"\\xc5sa\n" == raw.getvalue()
