"""The destinations that need no network."""

from __future__ import annotations

import asyncio
import io
import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from auditkit.errors import ConfigurationError, Paused, Rejected, TemporaryFailure
from auditkit.event import Event
from auditkit.rendering import line_of
from auditkit.transports import ConsoleTransport, JSONLinesTransport, MemoryTransport, Route
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def test_memory_keeps_events_in_order() -> None:
    """The newest is last, a reading is a list of its own, and clear() forgets."""
    memory = MemoryTransport()
    first, second = an_event(), an_event()
    memory.send([first])
    seen = memory.events
    memory.send([second])

    assert (seen, memory.events, memory.inline) == ([first], [first, second], True)
    memory.clear()
    assert memory.events == []


def test_line_holds_time_actor_action_target_and_change() -> None:
    """A person reads who did what to what, and what it was before."""
    assert line_of(an_event(metadata={"body_was": "a", "body": "b", "via": {"app": "web"}, "n": None})) == (
        "2019-05-01T12:00:00.000000Z  user@email.com (user_1)  tweet.update  T (tweet_5)  "
        "body: a -> b  via: {app: web}  n: (none)"
    )


def test_line_cannot_steer_a_terminal() -> None:
    """Escapes, line breaks and bidirectional marks in an event are shown, not obeyed."""
    line = line_of(an_event(actor_name="\x1b[2J\r\nroot\u202e\x9b\u2028", target_id="", target_name=""))

    assert "\\x1b[2J\\x0d\\x0aroot\\u202e\\x9b\\u2028 (user_1)" in line
    assert line.isprintable()


def test_console_writes_a_line_an_event_in_any_encoding() -> None:
    """A character that the terminal does not know is shown as its escape."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    ConsoleTransport(stream).send([an_event(actor_name="ü" * 99), an_event()])

    text = raw.getvalue().decode("ascii")
    assert text.count("\n") == 2
    assert "\\xfc\\xfc" in text


def test_console_writes_to_the_standard_output_of_the_moment(capsys: pytest.CaptureFixture[str]) -> None:
    """A redirected standard output is followed."""
    ConsoleTransport().send([an_event()])

    assert capsys.readouterr().out.startswith("2019-05-01T12:00:00.000000Z")


def test_json_lines_append_whole_events_privately(tmp_path: Path) -> None:
    """Each line gives its event back, the file is its owner's, and a second transport goes on in it."""
    path = tmp_path / "events.jsonl"
    events = [an_event(actor_name="ü\n"), an_event(), an_event()]
    for part in (events[:2], events[2:]):
        lines = JSONLinesTransport(path)
        lines.send(part)
        lines.close()

    assert [Event.from_dict(json.loads(line)) for line in path.read_text().splitlines()] == events
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_json_lines_end_a_torn_line_before_their_own(tmp_path: Path) -> None:
    """Half a line that a crash left spoils no event after it."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"half')
    lines = JSONLinesTransport(path)
    lines.send([an_event()])
    lines.close()

    half, whole = path.read_bytes().splitlines()
    assert (half, json.loads(whole)["action"]) == (b'{"half', "tweet.update")


def test_json_lines_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """A dash is standard output, which is not a destination to remember."""
    lines = JSONLinesTransport("-")
    lines.send([an_event()])
    lines.close()

    assert json.loads(capsys.readouterr().out)["action"] == "tweet.update"
    assert (lines.durable, repr(lines)) == (False, "<JSONLinesTransport 'json_lines' to standard output>")


def test_json_lines_path_is_judged_at_the_start(tmp_path: Path) -> None:
    """A directory, or a file in a directory that does not exist, is refused with the remedy."""
    with pytest.raises(ConfigurationError, match="got the directory"):
        JSONLinesTransport(tmp_path)
    with pytest.raises(ConfigurationError, match="make "):
        JSONLinesTransport(tmp_path / "no" / "events.jsonl")


def test_json_lines_that_cannot_be_opened_are_paused(tmp_path: Path) -> None:
    """Nothing is lost to a wrong permission: delivery waits until it is right."""
    path = tmp_path / "events.jsonl"
    lines = JSONLinesTransport(path)
    path.mkdir()

    with pytest.raises(Paused, match=r"cannot append to .*events\.jsonl"):
        lines.send([an_event()])
    path.rmdir()
    lines.send([an_event()])
    lines.close()
    assert path.read_bytes().count(b"\n") == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_json_lines_on_a_full_disk_raise(tmp_path: Path) -> None:
    """An event that is not on the device is not accepted, and who asks why is told which file, and what to do."""
    path = tmp_path / "full"
    path.symlink_to("/dev/full")
    lines = JSONLinesTransport(path)

    with pytest.raises(TemporaryFailure, match="/full: No space left on device; once its disk has room"):
        lines.send([an_event()])
    lines.close()


def test_route_forwards_what_matches() -> None:
    """The other events count as accepted, and the transport is not called for nothing."""
    memory = MemoryTransport()
    route = Route(memory, when=lambda event: event.group == "a")
    ours = an_event(group="a")
    route.send([an_event(group="b")])
    route.send([an_event(group="b"), ours])
    route.close()

    assert memory.events == [ours]
    assert (route.name, route.inline, route.durable, route.max_batch) == ("memory", True, False, 1000)
    assert Route(memory, when=bool, name="a only").name == "a only"


def test_route_passes_on_what_is_awaited() -> None:
    """An asynchronous transport behind a route stays one."""
    seen: list[Event] = []

    class Later(MemoryTransport):
        async def send(self, events: Sequence[Event]) -> None:  # type: ignore[override]  # the seam takes both
            seen.extend(events)

    event = an_event()
    waiting = Route(Later(), when=bool).send([event])
    assert waiting is not None

    async def wait() -> None:
        await waiting

    asyncio.run(wait())
    assert seen == [event]


def test_route_rejects_an_event_that_its_predicate_cannot_judge() -> None:
    """It is neither lost nor sent where it may not belong, and the error repeats none of its data."""

    def judge(event: Event) -> bool:
        raise KeyError(event.actor_name)

    with pytest.raises(Rejected, match="raised KeyError") as caught:
        Route(MemoryTransport(), when=judge).send([an_event()])

    assert "user@email.com" not in str(caught.value)
    assert caught.value.__context__ is None


def test_route_needs_a_predicate() -> None:
    """What cannot be called is refused where it is given."""
    with pytest.raises(ConfigurationError, match="must be callable"):
        Route(MemoryTransport(), when="group")  # type: ignore[arg-type]


@pytest.mark.parametrize("module", ["memory", "console", "json_lines", "route"])
def test_local_transports_need_no_httpx(module: str) -> None:
    """The files of the local transports name nothing that speaks to a network."""
    source = f"import ast, pathlib, auditkit.transports.{module} as m; print(pathlib.Path(m.__file__).read_text())"
    text = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout

    assert "httpx" not in text
    assert "transports.http" not in text
