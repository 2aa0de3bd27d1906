from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from auditkit.errors import LedgerError
from auditkit.ledger import Break, ledger_path, verify
from auditkit.ledger.chain import Hasher
from tests.unit.ledger.builders import KEY, OTHER_KEY, ask, edit, write

if TYPE_CHECKING:
    from pathlib import Path


def test_untouched_ledger_verifies(tmp_path: Path) -> None:
    """A ledger written in several batches and pages is vouched for whole, with its head."""
    for start in (1, 301, 601):
        write(tmp_path, range(start, start + 300), key=KEY)

    found = verify(tmp_path, keys=[KEY])

    assert (900, 900, None) == (found.checked, found.signed, found.first_bad)
    assert ask(tmp_path, "SELECT hex(link) FROM head").lower() == found.head


@pytest.mark.parametrize(
    "statements, position, event_id, reason",
    [
        (
            ["UPDATE entries SET body = replace(CAST(body AS TEXT), 'user_1', 'user_9') WHERE position = 4"],
            4,
            "event-4",
            "its body or salt is not the bytes",
        ),
        (
            ["UPDATE entries SET body = CAST(replace(body, 'user_1', 'user_9') AS BLOB) WHERE position = 4"],
            4,
            "event-4",
            "its body does not match its digest",
        ),
        (["UPDATE entries SET actor_id = 'user_9' WHERE position = 5"], 5, "event-5", "its columns are not"),
        (["UPDATE entries SET actor_id = CAST(x'ff' AS TEXT) WHERE position = 5"], 5, "event-5", "its columns"),
        (["UPDATE entries SET id = 'other' WHERE position = 5"], 5, "other", "its link does not match"),
        (["DELETE FROM entries WHERE position = 3"], 3, None, "is missing; the next one there is 4"),
        (["DELETE FROM entries WHERE position <= 2"], 1, None, "is missing; the next one there is 3"),
        (["DELETE FROM entries WHERE position > 7"], 8, None, "is missing; the chain ended at 9"),
        (["DELETE FROM entries"], 1, None, "is missing; the chain ended at 9"),
        (["DELETE FROM head"], 1, None, "stands beyond the end"),
        (["UPDATE head SET link = zeroblob(32)"], 9, None, "is not the end of the chain"),
        (["UPDATE head SET position = 7"], 8, None, "stands beyond the end"),
        (
            [
                "UPDATE entries SET position = 99 WHERE position = 3",
                "UPDATE entries SET position = 3 WHERE position = 6",
                "UPDATE entries SET position = 6 WHERE position = 99",
            ],
            3,
            "event-6",
            "its link does not match what comes before it",
        ),
        (["DELETE FROM entries WHERE position = 9", "UPDATE head SET position = 8"], 8, None, "is not the end"),
    ],
)
def test_edit_is_found_and_named(
    tmp_path: Path, statements: list[str], position: int, event_id: str | None, reason: str
) -> None:
    """Whatever is changed, removed or reordered, the first bad record is named, and why."""
    write(tmp_path, range(1, 10))
    edit(tmp_path, *statements)

    found = verify(tmp_path).first_bad

    assert found is not None
    assert (position, event_id) == (found.position, found.id)
    assert re.search(re.escape(reason), found.reason)


def test_tail_cut_with_its_head_is_not_claimed(tmp_path: Path) -> None:
    """Who cuts the end off and sets the head back is not noticed here: what is there is vouched for, no more."""
    write(tmp_path, range(1, 10))
    edit(
        tmp_path,
        "DELETE FROM entries WHERE position > 5",
        "UPDATE head SET position = 5, link = (SELECT link FROM entries WHERE position = 5)",
    )

    found = verify(tmp_path)

    assert (5, None) == (found.checked, found.first_bad)


def test_erased_entry_is_vouched_for(tmp_path: Path) -> None:
    """An erased person leaves a ledger that still verifies."""
    write(tmp_path, range(1, 10))
    edit(tmp_path, "UPDATE entries SET body = NULL, salt = NULL WHERE position = 4")

    assert verify(tmp_path).first_bad is None


def test_body_that_is_no_event_is_named(tmp_path: Path) -> None:
    """A record that fits the chain, as anybody can make one without a secret, but is no event is named."""
    write(tmp_path, range(1, 2))
    body, salt = b"[" * 5000, b"s" * 16
    digest = Hasher().digest(salt, body)
    before = bytes.fromhex(ask(tmp_path, "SELECT hex(link) FROM entries"))
    link = Hasher().link(before, 2, "event-2", digest)
    edit(
        tmp_path,
        "INSERT INTO entries SELECT 2, 'event-2', occurred_at, group_id, actor_id, actor_name, action, "
        f"target_id, target_name, key_id, x'{salt.hex()}', x'{digest.hex()}', x'{link.hex()}', x'{body.hex()}' "
        "FROM entries",
    )

    assert Break(2, "event-2", "is not a recorded event") == verify(tmp_path).first_bad


def test_secret_may_change(tmp_path: Path) -> None:
    """A ledger begun without a secret, signed with one and then with another verifies with both."""
    write(tmp_path, range(1, 3))
    write(tmp_path, range(3, 5), key=KEY)
    write(tmp_path, range(5, 7), key=OTHER_KEY)

    found = verify(tmp_path, keys=[OTHER_KEY, KEY])

    assert (6, 4, None) == (found.checked, found.signed, found.first_bad)


def test_signed_ledger_without_its_secret_is_not_vouched_for(tmp_path: Path) -> None:
    """Without the secret nothing is claimed of what it signed."""
    write(tmp_path, range(1, 3))
    write(tmp_path, range(3, 5), key=KEY)

    found = verify(tmp_path)

    assert 2 == found.checked
    assert Break(3, "event-3", "was signed with a secret that was not given") == found.first_bad


def test_empty_ledger_verifies(tmp_path: Path) -> None:
    """A ledger with nothing in it has nothing bad in it."""
    ledger_path(tmp_path).parent.mkdir()
    ledger_path(tmp_path).touch()

    assert (0, None) == (verify(tmp_path).checked, verify(tmp_path).first_bad)


def test_page_that_cannot_be_read_is_a_bad_record(tmp_path: Path) -> None:
    """A ledger damaged in the middle is vouched for up to there, and what follows cannot be read."""
    write(tmp_path, range(1, 400))
    with ledger_path(tmp_path).open("r+b") as file:
        file.seek(ledger_path(tmp_path).stat().st_size // 2 & ~4095)
        file.write(b"\xff" * 4096 * 10)

    found = verify(tmp_path)

    assert found.first_bad is not None
    assert (found.checked + 1, None) == (found.first_bad.position, found.first_bad.id)
    assert "cannot be read" in found.first_bad.reason


def test_missing_ledger_is_an_error(tmp_path: Path) -> None:
    """Nothing to verify is no success."""
    with pytest.raises(LedgerError, match="no ledger in"):
        verify(tmp_path)
