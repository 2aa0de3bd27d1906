"""What was sent of a segment, byte for byte, for whoever delivers it next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditkit import files
from auditkit.journal.bodies import Bodies, discard
from auditkit.protocols import Frozen

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

BODY = Frozen('{"who": "Zoë"}\n'.encode(), 1_700_000_000_000_000_000)


def opened(cursor: Path, accepted: Collection[int] = ()) -> Bodies:
    return Bodies(cursor, accepted.__contains__)


def test_nothing_is_made_before_something_is_kept(tmp_path: Path) -> None:
    """A lane that meets no body makes no file."""
    bodies = opened(tmp_path / "1.cursor")

    assert bodies.get(3) is None
    bodies.forget([3])
    bodies.drop(3)
    bodies.remove()
    assert [] == [*tmp_path.iterdir()]


def test_body_comes_back_in_the_next_process(tmp_path: Path) -> None:
    """What one holder kept is what the next one sends: the bytes, and when they were first sent."""
    first = opened(tmp_path / "1.cursor")
    first.keep(3, BODY)
    first.close()

    assert BODY == opened(tmp_path / "1.cursor").get(3)
    assert opened(tmp_path / "2.cursor").get(3) is None


def test_bodies_are_private(tmp_path: Path) -> None:
    """Nobody else may read what was sent."""
    opened(tmp_path / "1.cursor").keep(3, BODY)

    assert 0o600 == (tmp_path / "1.bodies").stat().st_mode & 0o777


actions = st.lists(
    st.tuples(
        st.sampled_from(["keep", "drop", "forget", "die"]),
        st.integers(0, 5),
        st.binary(min_size=1, max_size=100_000),
    ),
    max_size=30,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions)
def test_bodies_are_what_a_dictionary_would_hold(tmp_path: Path, actions: list[tuple[str, int, bytes]]) -> None:
    """However bodies are kept, dropped and accepted, and processes killed, what was not accepted stays as it was."""
    cursor = tmp_path / "1.cursor"
    bodies, model, accepted = opened(cursor), dict[int, Frozen](), set[int]()
    for step, (action, index, body) in enumerate(actions):
        if action == "keep":
            model[index] = Frozen(body, step)
            accepted.discard(index)
            bodies.keep(index, model[index])
        elif action == "drop":
            model.pop(index, None)
            bodies.drop(index)
        elif action == "forget":
            model.pop(index, None)
            accepted.add(index)
            bodies.forget([index])
        else:  # nothing of it is written anywhere else
            bodies.close()
            bodies = opened(cursor, frozenset(accepted))
        assert model == {each: found for each in range(6) if (found := bodies.get(each)) is not None}
    bodies.remove()
    assert not [*tmp_path.glob("*.bodies*")]


def test_file_stays_small(tmp_path: Path) -> None:
    """A destination that accepts for years does not make the file grow, whether all or most of it was accepted."""
    bodies = opened(tmp_path / "1.cursor")
    bodies.keep(0, BODY)
    for index in range(1, 2000):
        bodies.keep(index, Frozen(bytes(1000), index))
        bodies.forget([index])

    assert (tmp_path / "1.bodies").stat().st_size < 600_000
    assert BODY == bodies.get(0)
    bodies.forget([0])
    bodies.keep(3000, Frozen(bytes(300_000), 1))
    bodies.forget([3000])
    assert 0 == (tmp_path / "1.bodies").stat().st_size
    bodies.keep(3001, BODY)
    bodies.close()
    assert BODY == opened(tmp_path / "1.cursor").get(3001)


def test_file_stays_small_where_nothing_is_taken(tmp_path: Path) -> None:
    """A destination that is configured wrongly for months, and asked every minute, does not make the file grow."""
    bodies = opened(tmp_path / "1.cursor")
    for number in range(2000):
        bodies.keep(number % 7, Frozen(bytes(1000), number))
        bodies.drop(number % 7)

    assert (tmp_path / "1.bodies").stat().st_size < 300_000
    assert [None] * 7 == [opened(tmp_path / "1.cursor").get(index) for index in range(7)]


def test_torn_or_damaged_body_is_none(tmp_path: Path) -> None:
    """A body that was being written when its process was killed, or was changed since, is not sent; those before it are."""
    cursor, path = tmp_path / "1.cursor", tmp_path / "1.bodies"
    bodies = opened(cursor)
    bodies.keep(0, BODY)
    bodies.keep(1, BODY)
    bodies.close()
    whole = path.read_bytes()
    half = len(whole) // 2
    damaged = [whole[:end] for end in range(half, len(whole))]
    damaged += [whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :] for at in range(half, len(whole))]
    for data in damaged:
        path.write_bytes(data)
        found = opened(cursor)

        assert (BODY, None) == (found.get(0), found.get(1))
        found.keep(2, Frozen(b"later", 1))
        found.close()
        again = opened(cursor)
        assert (BODY, None, Frozen(b"later", 1)) == tuple(map(again.get, range(3)))
        again.close()


def test_new_file_that_could_not_be_made_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room to make the file anew, it stays as it was."""
    bodies = opened(tmp_path / "1.cursor")
    bodies.keep(0, BODY)
    bodies.keep(1, Frozen(bytes(300_000), 1))
    monkeypatch.setattr(files, "create_private", _no_room)

    with pytest.raises(OSError, match="no room"):
        bodies.forget([1])
    assert BODY == bodies.get(0)


def _no_room(path: Path) -> files.Handle:
    del path
    raise OSError(28, "no room")


def test_bodies_go_with_their_cursor(tmp_path: Path) -> None:
    """What a process that was killed has left is removed with the cursor, if there is any."""
    opened(tmp_path / "1.cursor").keep(0, BODY)
    discard(tmp_path / "1.cursor")
    discard(tmp_path / "1.cursor")

    assert [] == [*tmp_path.iterdir()]
