"""``auditkit demo``: see an audit trail come to be."""

from __future__ import annotations

import asyncio
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import auditkit
from auditkit.cli import demo_service
from auditkit.cli.log import catch_up
from auditkit.cli.output import paint_for, say
from auditkit.ledger import LedgerReader
from auditkit.rendering import lines_of
from auditkit.testing import WorkOSDouble
from auditkit.transports import WorkOSTransport

if TYPE_CHECKING:
    import argparse

_PATIENCE = 30.0  # seconds for everything to be delivered


def run(arguments: argparse.Namespace) -> int:
    """Run the service, deliver its events, and print the trail that this left."""
    directory = Path(arguments.directory)
    with ExitStack() as stack:
        if arguments.deliver:
            transport, destination = WorkOSTransport(), "WorkOS"
        else:
            double = stack.enter_context(WorkOSDouble())
            transport = WorkOSTransport(double.api_key, base_url=double.base_url)
            destination = f"a stand-in for WorkOS at {double.base_url}"
        catch_up(directory)
        before = _last(directory)
        trail = auditkit.configure(transport, directory=directory)
        asyncio.run(demo_service.run())
        delivered = trail.flush(_PATIENCE)
        accepted = trail.stats().destinations[transport.name].delivered
        trail.shutdown(_PATIENCE)
    _show(directory, before, arguments.color)
    _conclude(directory, trail, f"{accepted} delivered to {destination}")
    return 0 if delivered else 1


def _last(directory: Path) -> int:
    reader = LedgerReader(directory)
    return reader.last_position() if reader.path.exists() else 0


def _show(directory: Path, after: int, color: str) -> None:
    paint = paint_for(sys.stdout, color)
    say(sys.stdout, paint("bold", "The trail of a morning:") + "\n")
    for entry in LedgerReader(directory).events(after_position=after):
        say(sys.stdout, lines_of(entry.event, paint))


def _conclude(directory: Path, trail: auditkit.AuditTrail, fate: str) -> None:
    command = shlex.quote(sys.argv[0]) if Path(sys.argv[0]).name == "auditkit" else "python -m auditkit"
    place = "" if directory == Path("audit") else f" {shlex.quote(str(directory))}"
    say(
        sys.stdout,
        f"\n{trail.stats().recorded} events recorded in {directory.absolute()}, {fate}.\n\n"
        f"Try next:\n"
        f"  {command} log{place} --actor ada@example.com\n"
        f"  {command} log{place} --action 'invoice.*' --limit 3 --json\n"
        f"  {command} log{place} --since 1h --follow",
    )
