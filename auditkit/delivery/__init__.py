"""From the journal to the destinations: lanes and their retries."""

from __future__ import annotations

from auditkit.delivery.dispatcher import SCAN_INTERVAL
from auditkit.delivery.lane import Lane
from auditkit.delivery.tally import LaneStats

__all__ = ["SCAN_INTERVAL", "Lane", "LaneStats"]
