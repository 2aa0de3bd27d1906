"""From the journal to the destinations: lanes, their retries, and the receipts that tell of them."""

from __future__ import annotations

from auditkit.delivery.dispatcher import SCAN_INTERVAL
from auditkit.delivery.lane import Lane
from auditkit.delivery.receipt import Followed, Nobody, Receipt, Watch
from auditkit.delivery.tally import LaneStats

__all__ = ["SCAN_INTERVAL", "Followed", "Lane", "LaneStats", "Nobody", "Receipt", "Watch"]
