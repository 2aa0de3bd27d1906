"""What every transport promises, checked for any of them."""

from __future__ import annotations

from auditkit.testing.contract.checking import transport_contract

__all__ = ["transport_contract"]
