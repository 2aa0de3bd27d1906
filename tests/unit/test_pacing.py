"""Breathing: where work in the background lets others in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditkit.ledger import LedgerWriter
from auditkit.pacing import AT_ONCE, breathe, breathing
from auditkit.trail import AuditTrail
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from pathlib import Path


def test_breath_is_drawn_inside_only() -> None:
    """Who breathes inside calls what was set, innermost first; elsewhere nothing happens."""
    breaths: list[str] = []
    breathe()
    with breathing(lambda: breaths.append("outer")):
        with breathing(lambda: breaths.append("inner")):
            breathe()
        breathe()
    breathe()

    assert ["inner", "outer"] == breaths


def test_ledger_breathes_between_events(tmp_path: Path) -> None:
    """A batch for the ledger is made, and inserted, a few events at a time."""
    breaths: list[str] = []
    with breathing(lambda: breaths.append("breath")):
        LedgerWriter(tmp_path).send([an_event() for _ in range(3 * AT_ONCE + 1)])

    assert 3 + 3 == len(breaths)


def test_feed_breathes_between_events(tmp_path: Path) -> None:
    """A journal is read a few events at a time."""
    recorder = AuditTrail(directory=tmp_path / "audit", ledger=False, deliver=False)
    for _ in range(3 * AT_ONCE + 1):
        recorder.emit(an_event())
    feed = recorder._engine.ready().journal.feed("reader", durable=True)
    feed.scan(eager=True)
    breaths: list[str] = []
    with breathing(lambda: breaths.append("breath")):
        taken = feed.take(1000)
    feed.close()
    recorder.shutdown()

    assert (3 * AT_ONCE + 1, 3) == (len(taken), len(breaths))
