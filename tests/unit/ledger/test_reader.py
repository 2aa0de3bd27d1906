from __future__ import annotations

from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditkit.errors import LedgerError
from auditkit.ledger import Entry, LedgerReader, LedgerWriter, ledger_path
from tests.unit.ledger.builders import NOON, edit, event_of, write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditkit.event import Event

PEOPLE = [("u1", "Ann"), ("u2", "ann"), ("u1", "Ärger"), ("ann", "u2")]
ACTIONS = ["tweet.update", "tweet.delete", "tweets.read", "user.tweet.read"]
TIMES = [NOON + timedelta(minutes=minute) for minute in range(4)]


def positions(entries: Iterable[Entry]) -> list[int]:
    return [entry.position for entry in entries]


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    return [
        event_of(
            number,
            actor_id=actor[0],
            actor_name=actor[1],
            target_id=target[0],
            target_name=target[1],
            action=draw(st.sampled_from(ACTIONS)),
            group=draw(st.sampled_from(["org_1", "org_2"])),
            occurred_at=draw(st.sampled_from(TIMES)),
        )
        for number, (actor, target) in enumerate(
            draw(st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(PEOPLE)), max_size=12)), start=1
        )
    ]


def optional(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from(values)


filters = st.fixed_dictionaries(
    {
        "actor": optional(["u1", "ANN", "ärger", "nobody"]),
        "target": optional(["u2", "Ann", "ÄRGER", "%"]),
        "action": optional(["tweet.update", "tweet.*", "*.read", "*", "tweet", "t?eet.*"]),
        "group": optional(["org_1", "ORG_1"]),
        "since": optional(TIMES),
        "until": optional(TIMES),
        "after_position": st.integers(0, 12),
        "before_position": optional([1, 4, 20]),
    }
)


def person(asked: str | None, person_id: str, name: str) -> bool:
    return asked is None or asked == person_id or asked.casefold() == name.casefold()


def matches(entry: Entry, asked: dict[str, Any]) -> bool:
    event = entry.event
    action = asked["action"]
    return (
        person(asked["actor"], event.actor_id, event.actor_name)
        and person(asked["target"], event.target_id, event.target_name)
        and (action is None or fnmatchcase(event.action, action.replace("?", "[?]")))
        and asked["group"] in {None, event.group}
        and (asked["since"] is None or event.occurred_at >= asked["since"])
        and (asked["until"] is None or event.occurred_at < asked["until"])
        and entry.position > asked["after_position"]
        and (asked["before_position"] is None or entry.position < asked["before_position"])
    )


@settings(max_examples=60)
@given(events(), st.lists(st.tuples(filters, st.none() | st.integers(0, 5), st.booleans()), min_size=5))
def test_filters_find_what_a_list_would(
    recorded: list[Event], questions: list[tuple[dict[str, Any], int | None, bool]]
) -> None:
    """Every combination of filters gives just the entries that a plain list would give, whole and in order."""
    with TemporaryDirectory() as place:
        directory = Path(place) / "audit"
        LedgerWriter(directory).send([*recorded, event_of(99, actor_id="last", target_id="last")])
        everything = [Entry(position, event) for position, event in enumerate(recorded, start=1)]
        everything.append(Entry(len(recorded) + 1, event_of(99, actor_id="last", target_id="last")))
        reader = LedgerReader(directory)
        for asked, limit, newest_first in questions:
            expected = [entry for entry in everything if matches(entry, asked)]
            expected = expected if limit is None else expected[len(expected) - min(limit, len(expected)) :]
            actual = list(reader.events(**asked, limit=limit, newest_first=newest_first))

            assert (expected[::-1] if newest_first else expected) == actual


def test_reader_restores_the_event_as_it_was(tmp_path: Path) -> None:
    """What is read is the event that was recorded: nested metadata, empty values and odd characters too."""
    event = event_of(
        actor_name="\x00 \u202e 名前",
        target_id="",
        target_name="",
        parent_id="outer",
        correlation_id="request-1",
        metadata={"empty": None, "count": 2**62, "share": 0.1, "on": True, "inner": {"a.b": "c"}},
    )
    LedgerWriter(tmp_path / "audit").send([event])

    assert [Entry(1, event)] == list(LedgerReader(tmp_path / "audit").events())


def test_reader_gives_more_than_a_page(tmp_path: Path) -> None:
    """A trail longer than a page comes whole, in both directions."""
    write(tmp_path / "audit", range(1, 451))
    reader = LedgerReader(tmp_path / "audit")

    assert list(range(1, 451)) == positions(reader.events())
    assert list(range(450, 0, -1)) == positions(reader.events(newest_first=True))
    assert list(range(201, 451)) == positions(reader.events(limit=250))


def test_limit_gives_no_more_when_entries_come_meanwhile(tmp_path: Path) -> None:
    """The last entries are those there were when they were asked for."""
    write(tmp_path / "audit", range(1, 4))
    found = LedgerReader(tmp_path / "audit").events(limit=2)
    write(tmp_path / "audit", range(4, 6))

    assert [2, 3] == positions(found)


def test_after_gives_what_came_since(tmp_path: Path) -> None:
    """Who follows the trail gets each new entry once, filtered like the first ones."""
    write(tmp_path / "audit", range(1, 4))
    reader = LedgerReader(tmp_path / "audit")
    seen = reader.last_position()
    write(tmp_path / "audit", range(4, 7))

    assert [4, 5, 6] == positions(reader.after(seen))
    assert [5] == positions(reader.after(seen, target="tweet_5"))
    assert [] == positions(reader.after(6))


def test_after_begins_anew_with_a_new_ledger(tmp_path: Path) -> None:
    """A follower whose ledger was damaged and begun anew sees the new one from its beginning."""
    write(tmp_path / "audit", range(1, 3))

    assert [1, 2] == positions(LedgerReader(tmp_path / "audit").after(500))


def test_missing_ledger_says_where_and_what_to_do(tmp_path: Path) -> None:
    """Asking a directory without a ledger is an error at once, with the place and the remedy."""
    with pytest.raises(LedgerError, match=r"no ledger in .*nowhere: .* give the directory that configure"):
        LedgerReader(tmp_path / "nowhere").events()


def test_file_that_is_no_database_is_a_ledger_error(tmp_path: Path) -> None:
    """A reader says of a damaged ledger what will become of it, and leaves it alone."""
    write(tmp_path / "audit", range(1, 2))
    ledger_path(tmp_path / "audit").write_bytes(b"not a database" * 500)

    with pytest.raises(LedgerError, match="the next batch written moves it aside"):
        LedgerReader(tmp_path / "audit").events()
    assert b"not a database" * 500 == ledger_path(tmp_path / "audit").read_bytes()


def test_ledger_created_but_not_yet_filled_is_an_empty_trail(tmp_path: Path) -> None:
    """A process that died between creating the ledger and its first batch leaves an empty trail."""
    ledger_path(tmp_path).parent.mkdir()
    ledger_path(tmp_path).touch()
    reader = LedgerReader(tmp_path)

    assert [] == list(reader.events())
    assert [] == list(reader.events(limit=3))
    assert 0 == reader.last_position()


def test_body_that_is_no_event_is_named(tmp_path: Path) -> None:
    """A record that somebody changed into something else is named, with the command that tells more."""
    write(tmp_path / "audit", range(1, 4))
    edit(tmp_path / "audit", "UPDATE entries SET body = '[7]' WHERE position = 2")
    found = LedgerReader(tmp_path / "audit").events()

    assert 1 == next(found).position
    with pytest.raises(LedgerError, match=r"entry 2 of .* run: auditkit verify"):
        next(found)


def test_erased_entry_is_left_out(tmp_path: Path) -> None:
    """An erased entry has nothing to show."""
    write(tmp_path / "audit", range(1, 4))
    edit(tmp_path / "audit", "UPDATE entries SET body = NULL, salt = NULL WHERE position = 2")

    assert [1, 3] == positions(LedgerReader(tmp_path / "audit").events())


def test_negative_limit_is_refused(tmp_path: Path) -> None:
    """A limit below nothing is refused with the value."""
    write(tmp_path / "audit", range(1, 2))

    with pytest.raises(LedgerError, match="limit must be >= 0, got -1"):
        LedgerReader(tmp_path / "audit").events(limit=-1)
