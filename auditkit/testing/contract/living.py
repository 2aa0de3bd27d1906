"""How a transport lives with threads, forks and the end of its process."""

from __future__ import annotations

import os
import selectors
import signal
import threading
import warnings
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from auditkit.testing.contract.broken import BrokenPromise
from auditkit.testing.contract.promise import Promise
from auditkit.testing.contract.samples import sample, samples
from auditkit.testing.contract.subject import Served

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditkit.event import Event
    from auditkit.testing.contract.subject import Subject

_LONGEST = 30.0  # seconds after which what was begun is taken to hang
_LONGEST_END = 2.0  # seconds that a closed transport's threads may take to end
_WELL = "well"  # what a child says whose send returned
_ROUNDS = 5  # sends of each thread
_MOST = 8  # threads at once, whatever a transport says


def _serves_any_thread(subject: Subject) -> None:
    with subject.served() as served:
        served.takes([sample()], "one event")
        _together([lambda: served.takes([sample()], "one event from another thread")])


def _serves_several_at_once(subject: Subject) -> None:
    with subject.served() as served:
        threads = min(served.transport.concurrency, _MOST)
        before = subject.received()
        _together([partial(_send_all, served, samples(_ROUNDS)) for _ in range(threads)])
        arrived, sent = subject.received() - before, threads * _ROUNDS
        if arrived != sent:
            raise BrokenPromise(f"{threads} threads sent {sent} events, and the destination has {arrived} more")


def _send_all(served: Served, events: Sequence[Event]) -> None:
    for event in events:
        served.send([event])


def _leaves_no_thread(subject: Subject) -> None:
    before = {*threading.enumerate()}
    with subject.served() as served:
        served.takes([sample()], "one event")
    for thread in {*threading.enumerate()} - before:
        if not thread.daemon:
            thread.join(_LONGEST_END)
            if thread.is_alive():
                raise BrokenPromise(f"after close() its thread {thread.name!r} runs on, and would hold up the exit")


def _serves_a_forked_child(subject: Subject) -> None:
    if not hasattr(os, "fork"):
        return
    with subject.served() as served:
        served.takes([sample()], "one event")
        told = _in_child(served)
        if told:
            raise BrokenPromise(f"{told}: give it new locks and connections (os.register_at_fork)")
        served.takes([sample()], "one event after a fork")


def _in_child(served: Served) -> str:
    """Return what went wrong with a send in a forked child; empty when nothing did."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python >= 3.12 warns of forks beside threads
        child = os.fork()
    if not child:
        _be_child(served, writing)
    os.close(writing)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(reading, selectors.EVENT_READ)
            if not selector.select(_LONGEST):
                os.kill(child, signal.SIGKILL)
                return f"send() in a forked child did not return within {_LONGEST:.0f} s"
        told = os.read(reading, 4096).decode(errors="replace") or "send() in a forked child ended it"
        return "" if told == _WELL else told
    finally:
        os.close(reading)
        os.waitpid(child, 0)


def _be_child(served: Served, writing: int) -> NoReturn:
    try:
        try:
            Served(served.transport, lambda: 0).send([sample()])
            told = _WELL
        except BaseException as error:  # noqa: BLE001  (told to the parent)
            told = f"send() in a forked child raised {type(error).__name__}: {error}"
        os.write(writing, told.encode(errors="replace")[:4096])
    finally:
        os._exit(0)  # nothing of the test must run twice


def _together(acts: Sequence[Callable[[], object]]) -> None:
    """Do each in a thread of its own, all at once, and raise what one of them raised."""
    raised: list[BaseException] = []
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        with suppress(threading.BrokenBarrierError):
            start.wait(_LONGEST)
        try:
            act()
        except BaseException as error:  # noqa: BLE001  (raised again by who waits)
            raised.append(error)

    threads = [threading.Thread(target=run, args=(act,), daemon=True) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_LONGEST)
    if any(thread.is_alive() for thread in threads):
        raise BrokenPromise(f"send() from {len(acts)} threads did not return within {_LONGEST:.0f} s")
    for error in raised:
        if isinstance(error, BrokenPromise):
            raise error
        raise BrokenPromise(f"send() from {len(acts)} threads raised {type(error).__name__}: {error}") from error


PROMISES = (
    Promise("it can be called from any thread", _serves_any_thread),
    Promise("it takes as many sends at once as concurrency says", _serves_several_at_once),
    Promise("it serves a forked child, and its parent after", _serves_a_forked_child),
    Promise("it leaves no thread behind", _leaves_no_thread),
)
