"""What `auditkit log` prints, and that it prints nothing twice."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditkit import Event
from auditkit.cli import log
from auditkit.cli.output import Listing
from auditkit.ledger import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator


def entry(position: int) -> Entry:
    """Return an entry at a position."""
    event = Event(
        group="acme", action="a.b", action_type="C", actor_name="ada", actor_id="ada",
        target_name="t", target_id="t", location="here", occurred_at=datetime(2026, 11, 23, tzinfo=UTC),
    )  # fmt: skip
    return Entry(position, event)


@dataclass
class Ledger:
    """A reader's part of a ledger to which others write: the ends that it tells, then an interruption."""

    ends: list[int]
    grown_to: int  # what is there once the entries are read, later than the end was asked for
    asked: list[int] = field(default_factory=list)

    def last_position(self) -> int:
        if not self.ends:
            raise KeyboardInterrupt
        return self.ends.pop(0)

    def after(self, position: int, **filters: Any) -> Iterator[Entry]:
        self.asked.append(position)
        start = position if position <= self.grown_to else 0
        return (entry(each) for each in range(start + 1, self.grown_to + 1))


def follow(ledger: Ledger, after: int, capsys: pytest.CaptureFixture[str], journal: Path | None = None) -> list[int]:
    """Follow until the interruption, and return the positions that were printed."""
    listing = Listing(sys.stdout, color="never", as_json=True)
    with pytest.raises(KeyboardInterrupt):
        log._follow(ledger, after, {}, listing, journal)  # type: ignore[arg-type]  # all of a reader that it needs
    shown = capsys.readouterr()
    sys.stderr.write(shown.err)
    return [json.loads(line)["position"] for line in shown.out.splitlines()]


def test_follow_prints_nothing_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """What was recorded between asking for the end and reading the entries is printed once."""
    ledger = Ledger([2, 4], grown_to=4)

    assert [2, 3, 4] == follow(ledger, 1, capsys)
    assert [1] == ledger.asked


def test_follow_begins_anew_with_the_ledger(capsys: pytest.CaptureFixture[str]) -> None:
    """A ledger that ends before what was seen was begun anew: all of it is printed."""
    assert [1, 2] == follow(Ledger([2], grown_to=2), 7, capsys)


def test_follow_tells_once_that_it_cannot_look_at_the_journal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that cannot be looked at any more is told once, and the ledger is followed all the same."""
    Path("audit", "lanes", "ledger").mkdir(parents=True)
    Path("audit").chmod(0o770)
    monkeypatch.setattr("auditkit.cli.log._POLL", 0)
    ends = [0] * 3 * log._POLLS

    assert [1, 2] == follow(Ledger([*ends, 2], grown_to=2), 0, capsys, Path("audit"))
    assert "auditkit: some events may still wait in the journal of audit\n" == capsys.readouterr().err
