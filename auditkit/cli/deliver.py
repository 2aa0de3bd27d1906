"""``auditkit deliver``: deliver a directory's events from outside the application that records them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditkit.cli import surroundings
from auditkit.cli.named_transports import named_transports
from auditkit.cli.output import say
from auditkit.cli.progress import Patience, Progress, standing
from auditkit.clock import SystemClock
from auditkit.configuration import exit_timeout
from auditkit.errors import ConfigurationError
from auditkit.files import home
from auditkit.rendering import printable
from auditkit.trail.delivering import delivering

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from auditkit.trail.delivering import Delivery

_POLL = 0.5  # seconds between looks at how it goes


class _Stop:
    """Whether somebody asked to stop. A plain attribute: a signal handler must take no lock."""

    asked = False


def run(arguments: argparse.Namespace) -> int:
    """Deliver until nothing is left or time is up, and return 1 where something is; or until asked to stop."""
    directory = Path(arguments.directory or surroundings.default_directory())
    transports = named_transports(arguments.transport)
    if not transports and arguments.no_ledger:
        raise ConfigurationError(
            "there is nothing to deliver to: set AUDITKIT_TRANSPORT, give --transport, or leave --no-ledger out"
        )
    with _stopping(interrupts=arguments.follow) as stop:
        if not _is_there(directory, stop, wait=arguments.follow):
            return 0
        with delivering(
            directory,
            transports,
            ledger=not arguments.no_ledger,
            secret=surroundings.secret(),
            shared_group=arguments.shared_group or surroundings.shared_group(),
            end_within=exit_timeout(os.environ),
        ) as delivery:
            done = _follow(delivery, stop) if arguments.follow else _drain(delivery, stop, arguments.timeout)
    for name, stats in delivery.stats().items():
        say(sys.stdout, standing(name, stats))
    return 0 if arguments.follow else _judge(delivery, done=done)


@contextmanager
def _stopping(*, interrupts: bool) -> Iterator[_Stop]:
    """Let SIGTERM, and an interrupt where that is how it ends, ask to stop; the second one ends us at once.

    One that we were started to ignore, as by nohup, stays ignored.
    """
    stop = _Stop()
    before: dict[signal.Signals, Any] = {}

    def ask(number: int, frame: object) -> None:
        del frame
        stop.asked = True
        signal.signal(number, before[signal.Signals(number)])

    for number in (signal.SIGTERM, *([signal.SIGINT] if interrupts else [])):
        handler = signal.getsignal(number)
        if handler is not signal.SIG_IGN:
            before[number] = signal.SIG_DFL if handler is None else handler  # None: one that Python cannot set again
            signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_there(directory: Path, stop: _Stop, *, wait: bool) -> bool:
    """Return whether there is an audit directory; with ``wait`` as soon as the application has made it.

    Made here, it would belong to this user rather than to the application's.
    """
    if home(directory).is_dir():
        return True
    if not wait:
        raise ConfigurationError(f"there is no audit directory {directory}; name one")
    say(sys.stderr, f"auditkit: waiting for {printable(str(directory))}, which the application makes")
    pause = threading.Event()
    while not stop.asked and not home(directory).is_dir():
        pause.wait(_POLL)
    return home(directory).is_dir()


def _drain(delivery: Delivery, stop: _Stop, timeout: float | None) -> bool:
    progress = Progress(sys.stderr, SystemClock())
    patience = Patience(SystemClock(), timeout)
    pause = threading.Event()
    try:
        while not (done := delivery.drained(patience.share(_POLL))) and not stop.asked:
            stats = delivery.stats()
            progress.show(stats)
            is_rest_unreadable = delivery.unreadable() and not any(each.pending for each in stats.values())
            if is_rest_unreadable or patience.ends(stats):
                break
            pause.wait(patience.share(_POLL / 5))  # a destination that is left alone is not waited for
    finally:
        progress.clear()
    return done


def _follow(delivery: Delivery, stop: _Stop) -> bool:
    progress = Progress(sys.stderr, SystemClock())
    pause = threading.Event()
    try:
        while not stop.asked:
            progress.show(delivery.stats())
            pause.wait(_POLL)
    finally:
        progress.clear()
    return True


def _judge(delivery: Delivery, *, done: bool) -> int:
    """Return 1 where any event is not delivered, and tell of those that are not this command's, or were damaged."""
    all_stats = delivery.stats()
    others = delivery.left_to_others()
    for name, number in others.items():
        reason = "in other processes' hands" if name in all_stats else "and this command does not deliver there"
        say(sys.stderr, f"auditkit: {name} has {number} more to take, {reason}")
    is_damaged = delivery.met_damage()
    if is_damaged:
        say(sys.stderr, "auditkit: damage was found, and what it hit was put aside: auditkit verify names the files")
    is_short = bool(others) or any(each.pending or each.dead_letters for each in all_stats.values())
    return 0 if done and not is_damaged and not is_short else 1
