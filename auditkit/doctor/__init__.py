"""Whether a directory, its machine and its destinations are fit for an audit trail, each with a remedy."""

from __future__ import annotations

from auditkit.doctor.examination import examine
from auditkit.doctor.finding import Finding, Grade

__all__ = ["Finding", "Grade", "examine"]
