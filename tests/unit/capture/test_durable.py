"""Audited calls on a trail that keeps its events in a directory."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

import auditkit
from auditkit import (
    AuditTrail,
    Event,
    JournalUnavailable,
    RecordingFailed,
    audit_context,
    audited,
    auditing,
    record,
)
from auditkit.encoding import decode
from auditkit.journal import frames
from auditkit.transports import MemoryTransport
from tests.unit.capture.builders import Refused, Tweet, only

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "sk_live_0123456789abcdef"


def written(directory: Path) -> bytes:
    """Return everything that lies in the journal."""
    return b"".join(each.read_bytes() for each in sorted((directory / "journal").iterdir()))


def events(directory: Path) -> list[Event]:
    """Return the events that lie in the journal."""
    lines = written(directory).rstrip(b"\0").splitlines()
    return [decode(line[frames.DIGITS :]) for line in lines if b'"occurred_at":' in line]


def test_event_is_written_before_the_call_returns(make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """What an audited call did lies in the journal when it returns, whoever reads the file."""
    trail = make(directory=str(tmp_path), deliver=False)

    @audited("tweet.update", "U", target="tweet.id", capture="tweet", trail=trail)
    def update(tweet: Tweet, body: str) -> None:
        tweet.body = body

    with audit_context(actor="user_1"):
        update(Tweet(), "a new body")

    assert b'"metadata":{"body_was":"old","body":"a new body"}' in written(tmp_path)


HUGE = "x" * 300 * 1024
PAGES = {f"page_{number}": "x" * 16 * 1024 for number in range(17)}


def _call(trail: AuditTrail) -> None:
    @audited("tweet.update", "U", capture="tweet", metadata=PAGES, trail=trail)
    def update(tweet: Tweet) -> None:
        tweet.body = "new"

    update(Tweet())


def _call_in_a_large_context(trail: AuditTrail) -> None:
    @audited("tweet.update", "U", capture="tweet", trail=trail)
    def update(tweet: Tweet) -> None:
        tweet.body = "new"

    with audit_context(metadata={"note": HUGE}):
        update(Tweet())


def _block_of_a_mass_of_keys(trail: AuditTrail) -> None:
    tweet = Tweet()
    with auditing("tweet.update", "U", capture=tweet, trail=trail) as entry:
        entry.metadata.update({f"key_{number}": number for number in range(20_000)})
        tweet.body = "new"


def _fact(trail: AuditTrail) -> None:
    with audit_context(metadata={f"{number}{'k' * 2000}": number for number in range(200)}):
        record("tweet.update", "U", before={"body": "old"}, after={"body": "new"}, metadata=PAGES)


def _event(trail: AuditTrail) -> None:
    metadata = {**PAGES, "body_was": "old", "body": "new"}
    trail.emit(Event("g", "tweet.update", "U", "Ada", "user_1", HUGE, "tweet_5", "here", metadata=metadata))


@pytest.mark.parametrize("do", [_call, _call_in_a_large_context, _block_of_a_mass_of_keys, _fact, _event])
def test_event_that_is_too_large_is_kept_with_what_matters(tmp_path: Path, do: Callable[[AuditTrail], None]) -> None:
    """However much an event is given to tell, it is recorded, with what changed, and says what was cut from it."""
    trail = auditkit.configure(directory=str(tmp_path), deliver=False, on_audit_error="raise")
    do(trail)
    (event,) = events(tmp_path)

    assert {"body": ("old", "new")} == event.changes
    assert event.metadata["auditkit_truncated"]
    assert (1, 1) == (trail.stats().recorded, trail.stats().troubles["truncated"])
    assert {"truncated"} == trail.stats().troubles.keys() - {"default"}


def test_nothing_of_a_secret_is_written(make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """A secret in state, metadata, context or an exception never reaches the journal."""
    trail = make(directory=str(tmp_path), deliver=False, on_error="record")

    @audited(
        "user.update", "U", capture="user", metadata={"password": SECRET, "note": lambda key: f"key {key}"}, trail=trail
    )
    def update(user: dict[str, Any], key: str) -> None:
        user["settings"] = {"token": SECRET, "free": SECRET}
        if not key:
            raise Refused(SECRET)

    with audit_context(metadata={"authorization": SECRET}):
        update({}, SECRET)
        with pytest.raises(Refused):
            update({}, "")
    found = written(tmp_path)

    assert 2 == trail.stats().recorded
    assert b"[redacted]" in found
    assert SECRET.encode() not in found


@pytest.mark.parametrize("fails", [False, True], ids=["returns", "raises"])
def test_function_waits_for_the_device_where_that_was_asked_for(
    make: Callable[..., AuditTrail], tmp_path: Path, *, fails: bool
) -> None:
    """Under fsync="always" a plain function returns, or raises, what it would without auditkit."""
    trail = make(directory=str(tmp_path), fsync="always", deliver=False)

    @audited("tweet.update", "U", on_error="record", trail=trail)
    def update() -> str:
        if fails:
            raise Refused
        return "done"

    if fails:
        with pytest.raises(Refused):
            update()
    else:
        assert "done" == update()

    assert 1 == trail.stats().recorded


async def test_coroutine_waits_for_the_device_without_holding_the_loop(
    make: Callable[..., AuditTrail], tmp_path: Path
) -> None:
    """Under fsync="always" coroutines are recorded, and no loop is told to have waited for the disk."""
    trail = make(directory=str(tmp_path), fsync="always", deliver=False)

    @audited("tweet.update", "U", on_error="record", trail=trail)
    async def update(number: int) -> int:
        if not number:
            raise Refused
        return number

    results = await asyncio.gather(*map(update, range(4)), return_exceptions=True)

    assert [Refused, 1, 2, 3] == [type(results[0]), *results[1:]]
    assert 4 == trail.stats().recorded
    assert "loop_held" not in trail.stats().troubles


async def test_closed_coroutine_awaits_nothing(make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """A coroutine that is thrown away while it waits is recorded, and closes, though the device is waited for."""
    trail = make(directory=str(tmp_path), fsync="always", deliver=False)

    @audited("tweet.update", "U", trail=trail)
    async def update() -> None:
        await asyncio.sleep(0)

    coroutine = update()
    coroutine.send(None)
    coroutine.close()

    assert b'"outcome":"cancelled","error":"GeneratorExit"' in written(tmp_path)


@pytest.fixture
def broken(make: Callable[..., AuditTrail], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AuditTrail:
    """Return a trail whose device takes what is written and fails to keep it."""
    trail = make(directory=str(tmp_path), fsync="always", deliver=False, on_audit_error="raise")

    def settle(_: int) -> None:
        raise JournalUnavailable("the device failed")

    monkeypatch.setattr(trail._engine.ready().journal, "settle", settle)
    return trail


FAILED = "its event could not be brought to the device (JournalUnavailable: the device failed)"


async def test_device_that_fails_is_raised_with_the_result(broken: AuditTrail) -> None:
    """The call ran: who asked for errors is given one that carries what it returned."""

    @audited("tweet.update", "U", trail=broken)
    def update() -> str:
        return "done"

    @audited("tweet.update", "U", trail=broken)
    async def update_later() -> str:
        return "done later"

    with pytest.raises(RecordingFailed) as caught:
        update()
    with pytest.raises(RecordingFailed) as caught_later:
        await update_later()

    assert (f"tweet.update ran, and {FAILED}", "done") == (str(caught.value), caught.value.result)
    assert (f"tweet.update ran, and {FAILED}", "done later") == (str(caught_later.value), caught_later.value.result)


async def test_device_that_fails_is_noted_on_the_functions_own_exception(broken: AuditTrail) -> None:
    """A function's own exception is not replaced, but told what went wrong besides."""

    @audited("tweet.update", "U", on_error="record", trail=broken)
    def update(error: Refused) -> None:
        raise error

    @audited("tweet.update", "U", on_error="record", trail=broken)
    async def update_later(error: Refused) -> None:
        raise error

    first, second = Refused(), Refused()
    with pytest.raises(Refused):
        update(first)
    with pytest.raises(Refused):
        await update_later(second)
    note = f"auditkit: tweet.update raised this, and {FAILED}"

    assert [[note], [note]] == [first.__notes__, second.__notes__]


@pytest.mark.parametrize("on_audit_error", ["log"])
async def test_device_that_fails_is_only_counted_where_that_was_asked_for(
    broken: AuditTrail, on_audit_error: Any
) -> None:
    """A function declared too important to be stopped returns."""

    @audited("tweet.update", "U", trail=broken, on_audit_error=on_audit_error)
    async def update() -> str:
        return "done"

    assert "done" == await update()
    assert 1 == broken.stats().troubles["not_recorded"]


def test_forked_child_records_under_its_own_id(make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """Where a call forks, both processes return from it: each records an event of its own."""
    trail = make(directory=str(tmp_path), deliver=False)

    @audited("service.start", "U", trail=trail)
    def start() -> int:
        return os.fork()

    child = start()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    ids = [line.split(b'"')[0] for line in written(tmp_path).split(b'"id":"')[1:]]

    assert 2 == len(set(ids)) == len(ids)


def test_working_directory_that_is_gone_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The first event of a process that configured nothing finds no place for its directory: that is only told."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    @audited("tweet.update", "U")
    def update() -> str:
        return "done"

    assert "done" == update()
    assert 1 == auditkit.stats().recorded
    assert "directory must be absolute where the working directory is gone, got 'audit'" in caplog.text


def test_record_and_call_share_one_journal(make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """What is recorded and what is delivered are the same events, in one order."""
    memory = MemoryTransport()
    auditkit.configure(memory, directory=tmp_path, deliver=False)

    @audited("tweet.update", "U")
    def update() -> str:
        return record("tweet.note", "C").id

    noted = update()
    child, parent = memory.events

    assert (noted, parent.id) == (child.id, child.parent_id)
    assert written(tmp_path).index(child.id.encode()) < written(tmp_path).index(b'"action":"tweet.update"')


def test_memory_is_for_one_test_only(memory: MemoryTransport) -> None:
    """The process-wide trail of a test is its own."""
    record("tweet.note", "C")

    assert "tweet.note" == only(memory).action
