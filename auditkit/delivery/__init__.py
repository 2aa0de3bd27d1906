"""From the journal to the destinations: lanes, their retries, and the receipts that tell of them."""

from __future__ import annotations

from auditkit.delivery.lane import Lane, LaneStats
from auditkit.delivery.receipt import Receipt

__all__ = ["Lane", "LaneStats", "Receipt"]
