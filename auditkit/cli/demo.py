"""``auditkit demo``: see an audit trail come to be."""

from __future__ import annotations

import asyncio
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import auditkit
from auditkit.cli import demo_service, surroundings
from auditkit.cli.output import Listing, paint_for, say
from auditkit.cli.spelling import spelling
from auditkit.configuration import LEDGER
from auditkit.errors import ConfigurationError
from auditkit.ledger import LedgerReader
from auditkit.rendering import printable
from auditkit.testing import WorkOSDouble
from auditkit.trail.catching_up import catch_up, remembered
from auditkit.transports import WorkOSTransport

if TYPE_CHECKING:
    import argparse

    from auditkit.trail.telling import Stats

_PATIENCE = 10.0  # seconds for everything to be delivered


class _DoubleTransport(WorkOSTransport):
    """Deliver what this process records to a double that ends with it.

    Not durable: the journal must neither give the double what waits for the real WorkOS, nor keep anything for
    a double that is gone.
    """

    durable = False


def run(arguments: argparse.Namespace) -> int:
    """Run the service, deliver its events, and print the trail that this left."""
    directory = Path(arguments.directory)
    with ExitStack() as stack:
        double = None if arguments.deliver else stack.enter_context(WorkOSDouble())
        transport = _transport(double)
        _refuse_others(directory, transport.name)
        secret = surroundings.secret()
        shared = surroundings.shared_group()
        catch_up(directory, secret=secret, shared_group=shared, timeout=_PATIENCE)
        trail = auditkit.configure(transport, directory=directory, secret=secret, shared_group=shared)
        before = _last(directory)
        if not trail.enabled:
            raise ConfigurationError("AUDITKIT_DISABLED is set, so nothing is recorded; unset it to see the demo")
        asyncio.run(demo_service.run())
        flushed = trail.flush(_PATIENCE)
        stats = trail.stats()
        trail.shutdown(_PATIENCE)
        fate = (
            f"{stats.destinations[transport.name].delivered} delivered to WorkOS"
            if double is None
            else f"{len(double.events)} delivered to a stand-in for WorkOS at {double.base_url}"
        )
    _show(directory, before, arguments.color)
    _conclude(directory, stats.recorded, fate)
    return _judge(stats, flushed=flushed)


def _transport(double: WorkOSDouble | None) -> WorkOSTransport:
    if double is None:
        return WorkOSTransport()
    return _DoubleTransport(double.api_key, base_url=double.base_url, name="workos_double")


def _refuse_others(directory: Path, own: str) -> None:
    """Keep the demo's events from the destinations of a real service: they would get all that is recorded here."""
    others = sorted(remembered(directory) - {LEDGER, own})
    if others:
        raise ConfigurationError(
            f"{directory} delivers to {', '.join(others)}, which would get the demo's events too; "
            "give the demo a directory of its own: --directory DIR"
        )


def _last(directory: Path) -> int:
    reader = LedgerReader(directory)
    return reader.last_position() if reader.path.exists() else 0


def _show(directory: Path, after: int, color: str) -> None:
    paint = paint_for(sys.stdout, color)
    say(sys.stdout, paint("bold", "The trail of a morning:") + "\n")
    Listing(sys.stdout, color=color).show(LedgerReader(directory).events(after_position=after))


def _conclude(directory: Path, recorded: int, fate: str) -> None:
    command = spelling(sys.argv, sys.orig_argv, sys.executable)
    named = directory.absolute() != Path(surroundings.default_directory()).absolute()
    place = f" {printable(shlex.quote(str(directory)))}" if named else ""
    say(
        sys.stdout,
        f"\n{recorded} events recorded in {printable(str(directory.absolute()))}, {fate}.\n\n"
        f"Try next:\n"
        f"  {command} log{place} --actor ada@example.com\n"
        f"  {command} log{place} --action 'invoice.*' --limit 3 --json\n"
        f"  {command} log{place} --since 1h --follow",
    )


def _judge(stats: Stats, *, flushed: bool) -> int:
    """Return 0 when every destination accepted every event; otherwise say which did not, and why."""
    bad = [(name, lane) for name, lane in stats.destinations.items() if lane.dead_letters or lane.pending]
    for name, lane in bad:
        reason = f": {printable(lane.trouble)}" if lane.trouble else ""
        say(
            sys.stderr,
            f"auditkit: {name} refused {lane.dead_letters} events and has yet to take {lane.pending}{reason}",
        )
    if not flushed and not bad:
        say(sys.stderr, "auditkit: not everything was recorded in time")
    return 0 if flushed and not bad else 1
