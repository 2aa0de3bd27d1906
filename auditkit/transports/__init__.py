"""Destinations: where events are delivered to, and the plain clients of WorkOS's API."""

from __future__ import annotations

from auditkit.transports.console import ConsoleTransport
from auditkit.transports.json_lines import JSONLinesTransport
from auditkit.transports.memory import MemoryTransport
from auditkit.transports.probing import Probed
from auditkit.transports.route import Route
from auditkit.transports.workos import WorkOSTransport
from auditkit.transports.workos_audit_logs import WorkOSAuditLogsTransport
from auditkit.transports.workos_client import AsyncWorkOSClient, WorkOSClient

__all__ = [
    "AsyncWorkOSClient",
    "ConsoleTransport",
    "JSONLinesTransport",
    "MemoryTransport",
    "Probed",
    "Route",
    "WorkOSAuditLogsTransport",
    "WorkOSClient",
    "WorkOSTransport",
]
