"""What an application's own tests need: a driven clock, a scripted destination, a stand-in for WorkOS, checks."""

from __future__ import annotations

from auditkit.testing.clock import DrivenClock
from auditkit.testing.contract import transport_contract
from auditkit.testing.recorded_events import RecordedEvents
from auditkit.testing.recording import recording
from auditkit.testing.transport import ScriptedTransport
from auditkit.testing.workos_double import WorkOSDouble

__all__ = ["DrivenClock", "RecordedEvents", "ScriptedTransport", "WorkOSDouble", "recording", "transport_contract"]
