"""Dead letters as lines of a file: read whatever stands there, added and removed by turns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit import files
from auditkit.encoding import encode_event
from auditkit.journal import Letterbox, lanes_with_letters, letters_of
from auditkit.journal.letters import Letter, bury
from tests.unit.test_encoding import EVENTS
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from auditkit.event import Event

AT = "2026-11-23T12:00:00.000000Z"


def lined(stated: object) -> bytes:
    return json.dumps({"event": stated, "reason": stated, "at": stated}).encode() + b"\n"


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return files.private_directory(tmp_path / "audit")


def buried(audit: Path, number: int = 1, lane: str = "lane") -> list[str]:
    """Leave so many dead letters; return the events' ids."""
    events = [an_event() for _ in range(number)]
    for event in events:
        bury(audit, lane, event.to_dict(), "no such schema", AT)
    return [event.id for event in events]


def left(audit: Path, lane: str = "lane") -> list[str]:
    return [letter.id for letter in letters_of(audit, lane)]


def remove(audit: Path, ids: Collection[str], lane: str = "lane") -> None:
    with Letterbox.opened(audit, lane) as box:
        assert box is not None
        box.remove(ids)


def test_letter_gives_the_event_back(audit: Path) -> None:
    """What is read is the event as it was refused, when and why."""
    event = an_event(metadata={"was": None, "how": {"often": 2}})
    bury(audit, "lane", event.to_dict(), "no such schema", AT)
    (letter,) = letters_of(audit, "lane")

    assert (event, event.id, "no such schema", AT) == (letter.event, letter.id, letter.reason, letter.at)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not JSON",
        b"[]",
        b'"text"',
        b'{"event": null}',
        b'{"event": {"record": "what was no event"}, "reason": "not an event"}',
        b'{"event": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        json.dumps({"event": an_event().to_dict() | {"id": "two words"}}).encode(),
        json.dumps({"event": an_event().to_dict() | {"action": 'a","group":"b'}}).encode(),
        json.dumps({"event": an_event().to_dict() | {"group": 7}}).encode(),
        json.dumps({"event": an_event().to_dict() | {"metadata": {"text": "x" * 2**18}}}).encode(),
    ],
)  # fmt: skip
def test_letter_without_an_event_has_a_name(line: bytes) -> None:
    """Whatever stands in a line, it is read, can be named and so dropped, and is never put back."""
    letter = Letter.read("lane", line + b"\n")

    assert letter.event is None
    assert letter.id.startswith("unreadable-")
    assert letter.id == Letter.read("lane", line).id


@given(EVENTS)
def test_any_event_can_be_put_back_as_it_was(event: Event) -> None:
    """Whatever can be recorded is read from its letter as the event whose record has the very same bytes."""
    letter = Letter.read("lane", json.dumps({"event": event.to_dict(), "reason": "no", "at": AT}).encode() + b"\n")

    assert letter.event is not None
    assert (event.id, encode_event(event)) == (letter.id, encode_event(letter.event))


@given(st.binary() | st.recursive(st.none() | st.text(), lambda each: st.dictionaries(st.text(), each)).map(lined))
def test_no_line_keeps_the_others_from_being_read(line: bytes) -> None:
    """Whatever bytes, or JSON, stand in a line, reading it raises nothing and gives it a name of printable ASCII."""
    letter = Letter.read("lane", line)

    assert letter.id.isascii()
    assert letter.id.isprintable()


def test_letters_are_removed_by_their_ids(audit: Path) -> None:
    """The letters that were named go, the others stay as they stood, in their order."""
    first, second, third = buried(audit, 3)
    path = audit / "dead" / "lane.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    remove(audit, {second, "unheard of"})

    assert [first, third] == left(audit)
    assert lines[0] + lines[2] == path.read_bytes()
    assert (0o600, ["lane.jsonl"]) == (path.stat().st_mode & 0o777, [each.name for each in path.parent.iterdir()])


def test_letterbox_is_opened_by_one(audit: Path) -> None:
    """Who does not want to wait learns that another one has it, also when that one has removed letters."""
    with Letterbox.opened(audit, "lane") as mine, Letterbox.opened(audit, "lane", wait=False) as theirs:
        assert (True, None) == (mine is not None, theirs)
    with Letterbox.opened(audit, "lane") as mine:
        assert mine is not None
        mine.remove(())
        with Letterbox.opened(audit, "lane", wait=False) as theirs:
            assert theirs is None


def test_half_written_letter_harms_no_other(audit: Path) -> None:
    """A line that a dead writer left half written is no letter, and the next one stands for itself."""
    (first,) = buried(audit)
    path = audit / "dead" / "lane.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:100])
    assert [first] == left(audit)
    (second,) = buried(audit)

    assert [first, second] == [each for each in left(audit) if not each.startswith("unreadable-")]


def test_last_letter_without_its_line_break_is_one(audit: Path) -> None:
    """A letter whose line break an editor has taken is a letter still."""
    (first,) = buried(audit)
    path = audit / "dead" / "lane.jsonl"
    path.write_bytes(path.read_bytes().rstrip(b"\n") + b"\n\n" + path.read_bytes().rstrip(b"\n"))
    remove(audit, ())

    assert [first, first] == left(audit)
    assert path.read_bytes().endswith(b"}\n")


def test_destinations_are_those_with_a_file(audit: Path) -> None:
    """Who has dead letters is told by name; a directory without any has none."""
    assert [] == lanes_with_letters(audit)
    buried(audit, lane="my.lane")
    buried(audit, lane="ledger")
    (audit / "dead" / ".ledger.jsonl.new").touch()

    assert ["ledger", "my.lane"] == lanes_with_letters(audit)
    assert [] == left(audit, "other")
