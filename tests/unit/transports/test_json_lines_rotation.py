"""A file of events that is full, or that somebody else puts aside."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from auditkit.errors import ConfigurationError, Paused, TemporaryFailure
from auditkit.event import Event
from auditkit.files import close, sync
from auditkit.transports import JSONLinesTransport, line_file
from auditkit.transports.json_lines import lines_of
from tests.unit.transports.examples import an_event
from tests.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LINE = len(lines_of([an_event()])[0])


def files_in(directory: Path) -> list[Path]:
    """Return the full files, oldest first, and the current one as the last."""
    current, *full = sorted(directory.iterdir())
    return [*full, current]


def events_in(paths: Sequence[Path]) -> list[Event]:
    return [Event.from_dict(json.loads(line)) for path in paths for line in path.read_bytes().splitlines()]


def test_full_file_is_put_aside(tmp_path: Path) -> None:
    """No file is longer than max_bytes, none is lost or cut in two, and their names sort as the events came."""
    lines = JSONLinesTransport(tmp_path / "events.jsonl", max_bytes=3 * LINE)
    events = [an_event() for _ in range(20)]
    for start in range(0, len(events), 5):
        lines.send(events[start : start + 5])

    files = files_in(tmp_path)
    assert events_in(files) == events
    assert [file.stat().st_size for file in files] == [3 * LINE] * 6 + [2 * LINE]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_event_longer_than_a_file_may_be_has_one_of_its_own(tmp_path: Path) -> None:
    """No event is refused or cut for max_bytes."""
    lines = JSONLinesTransport(tmp_path / "events.jsonl", max_bytes=LINE)
    events = [an_event(), an_event(metadata={"long": "x" * 5000}), an_event()]
    lines.send(events)

    assert [events_in([file]) for file in files_in(tmp_path)] == [[event] for event in events]


def test_full_files_beyond_keep_are_removed(tmp_path: Path) -> None:
    """The newest full files are left beside the current one, and nothing of anybody else's is touched."""
    (tmp_path / "events.jsonl.1").write_text("logrotate's")
    lines = JSONLinesTransport(tmp_path / "events.jsonl", max_bytes=LINE, keep=2)
    events = [an_event() for _ in range(6)]
    lines.send(events)
    (tmp_path / "events.jsonl.1").unlink()

    assert events_in(files_in(tmp_path)) == events[-3:]


def test_next_file_is_whose_the_full_one_was(tmp_path: Path) -> None:
    """Who was let read the file may read the next."""
    path = tmp_path / "events.jsonl"
    path.touch()
    path.chmod(0o640)
    group = next((group for group in os.getgroups() if group != os.getgid()), os.getgid())
    os.chown(path, -1, group)
    lines = JSONLinesTransport(path, max_bytes=LINE)
    lines.send([an_event(), an_event()])

    assert len([*tmp_path.iterdir()]) == 2
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_gid) == (0o640, group)


def test_next_file_is_private_where_it_cannot_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot have the other's group is not opened to whatever group it has."""
    path = tmp_path / "events.jsonl"
    path.touch()
    path.chmod(0o640)

    def refuse(*arguments: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "fchown", refuse)
    JSONLinesTransport(path, max_bytes=LINE).send([an_event(), an_event()])

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_link_stays_a_link(tmp_path: Path) -> None:
    """The file that a link leads to is put aside where it is, and the link leads to the next."""
    (tmp_path / "volume").mkdir()
    (tmp_path / "app").mkdir()
    link = tmp_path / "app" / "events.jsonl"
    link.symlink_to(tmp_path / "volume" / "audit.jsonl")
    events = [an_event(), an_event()]
    JSONLinesTransport(link, max_bytes=LINE).send(events)

    assert link.is_symlink()
    assert events_in([link]) == events[1:]
    assert events_in(files_in(tmp_path / "volume")) == events


def test_file_taken_away_is_begun_anew(tmp_path: Path) -> None:
    """Renamed by logrotate, or removed, between two events: nobody has to be told, and nothing goes to the old one."""
    path, first = tmp_path / "events.jsonl", tmp_path / "events.jsonl.1"
    lines = JSONLinesTransport(path)
    events = [an_event(), an_event(), an_event()]
    lines.send(events[:1])
    path.rename(first)
    lines.send(events[1:2])

    assert (events_in([first]), events_in([path])) == (events[:1], events[1:2])
    path.unlink()
    lines.send(events[2:])
    assert events_in([path]) == events[2:]


def test_file_taken_away_in_mid_write_gets_the_lines_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who took the file may have read it to its end before the lines were there: they stand in the next one too."""
    path, taken = tmp_path / "events.jsonl", tmp_path / "events.jsonl.1"

    def take(descriptor: int) -> None:
        if not taken.exists():
            path.rename(taken)
        sync(descriptor)

    monkeypatch.setattr(line_file, "sync_if_possible", take)
    event = an_event()
    JSONLinesTransport(path).send([event])

    assert (events_in([taken]), events_in([path])) == ([event], [event])


def test_file_that_cannot_be_put_aside_pauses(tmp_path: Path) -> None:
    """Where the full file cannot be renamed its destination is paused, with the path: nothing is lost or removed."""
    path = tmp_path / ("e" * 250)  # as long as names may be: there is no room for the time
    lines = JSONLinesTransport(path, max_bytes=LINE, keep=1)
    first = an_event()
    lines.send([first])

    with pytest.raises(Paused, match="is full and cannot be put aside: File name too long; make its directory"):
        lines.send([an_event()])
    assert events_in([path]) == [first]


def test_file_that_cannot_be_locked_pauses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks is named as the reason."""

    def refuse(descriptor: int, *, wait: bool) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(line_file, "lock", refuse)

    with pytest.raises(Paused, match="cannot lock .*: No locks available; keep it on a local file system"):
        JSONLinesTransport(tmp_path / "events.jsonl").send([an_event()])


@pytest.mark.parametrize(
    "options, told",
    [
        ({"max_bytes": 0}, "max_bytes must be a whole number > 0 or None, got 0"),
        ({"max_bytes": True}, "max_bytes must be a whole number > 0 or None, got True"),
        ({"max_bytes": 9, "keep": "all"}, "keep must be a whole number > 0 or None, got 'all'"),
        ({"keep": 3}, "keep=3 needs max_bytes"),
    ],
)
def test_rotation_is_judged_at_the_start(options: dict[str, Any], told: str, tmp_path: Path) -> None:
    """What cannot work is refused where it is stated."""
    with pytest.raises(ConfigurationError, match=told):
        JSONLinesTransport(tmp_path / "events.jsonl", **options)


def test_standard_output_is_not_put_aside() -> None:
    """A size of standard output is refused, not ignored."""
    with pytest.raises(ConfigurationError, match="max_bytes needs a file"):
        JSONLinesTransport("-", max_bytes=9)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs named pipes")
    os.mkfifo(path)
    return path


def test_pipe_gets_each_event_once(pipe: Path) -> None:
    """What cannot be synced, such as a container's standard output, has the lines when they are written."""
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        lines, events = JSONLinesTransport(pipe), [an_event() for _ in range(3)]
        lines.send(events[:1])
        lines.send(events[1:])

        assert [Event.from_dict(json.loads(line)) for line in os.read(reader, 65536).splitlines()] == events
    finally:
        os.close(reader)


def test_pipe_that_nobody_reads_is_waited_for(pipe: Path) -> None:
    """What is written to such a pipe would be lost with it: its events wait in the journal."""
    with pytest.raises(TemporaryFailure, match="nobody reads .*pipe; once somebody does it goes on"):
        JSONLinesTransport(pipe).send([an_event()])


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs sockets that have names")
def test_socket_is_refused_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service manager's standard output may be a socket, which nobody can open by a name."""
    monkeypatch.chdir(tmp_path)  # a socket's name is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("stdout")

        with pytest.raises(Paused, match="cannot append to .*stdout: it is a socket; give .* for standard output"):
            JSONLinesTransport("stdout").send([an_event()])


def test_pipe_whose_reader_goes_is_waited_for(pipe: Path) -> None:
    """The reader that goes in the middle of a write took nothing that counts."""
    code = "import os, sys; reader = os.open(sys.argv[1], os.O_RDONLY); print(flush=True); os.read(reader, 1)"
    reader = subprocess.Popen([sys.executable, "-c", code, str(pipe)], env=unmeasured(), stdout=subprocess.PIPE)
    assert reader.stdout is not None
    writer = os.open(pipe, os.O_WRONLY)
    reader.stdout.readline()
    os.close(writer)
    with pytest.raises(TemporaryFailure, match="nobody reads"):
        JSONLinesTransport(pipe).send([an_event(metadata={"long": "x" * 200_000})])  # more than a pipe holds

    reader.communicate()


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="needs a device")
def test_size_of_what_is_no_file_is_refused() -> None:
    """A pipe, a terminal or a device is never full, and is not renamed."""
    with pytest.raises(ConfigurationError, match="max_bytes needs a regular file: /dev/null cannot be put aside"):
        JSONLinesTransport("/dev/null", max_bytes=9)


def test_device_that_cannot_be_locked_is_written_to(monkeypatch: pytest.MonkeyPatch, pipe: Path) -> None:
    """Systems that lock no pipes keep nobody from writing to one."""

    def refuse(descriptor: int, *, wait: bool) -> bool:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr(line_file, "lock", refuse)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        JSONLinesTransport(pipe).send([an_event()])

        assert len(os.read(reader, 65536).splitlines()) == 1
    finally:
        os.close(reader)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_in_mid_write_holds_nobody_up(tmp_path: Path) -> None:
    """A child that lives on does not keep the lock that its parent held when it forked."""
    lines = JSONLinesTransport(tmp_path / "events.jsonl")
    file = lines._file
    assert file is not None
    held = file._locked()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(writing)
        os.read(reading, 1)  # until the parent is done
        os._exit(0)
    os.close(reading)
    try:
        close(held)
        lines.send([an_event()])
    finally:
        os.close(writing)
        os.waitpid(child, 0)

    assert len(events_in([tmp_path / "events.jsonl"])) == 1


WRITER = """
import os, sys
from auditkit import Event
from auditkit.transports import JSONLinesTransport

def an_event():
    return Event("acme", "user.login", "C", "ada", "user_1", "ada", "user_1", "203.0.113.7")

lines = JSONLinesTransport({path!r}, max_bytes={max_bytes}, keep=None)
sys.stdin.read(1)  # all at once
for _ in range({batches}):
    events = [an_event() for _ in range(3)]
    lines.send(events)
    os.write(1, "".join(f"{{event.id}}\\n" for event in events).encode())
"""


def test_several_processes_share_one_file(tmp_path: Path) -> None:
    """Whatever is accepted is in the files once, whole, though processes rotate one file together and one is killed."""
    out = tmp_path / "out"
    out.mkdir()
    code = WRITER.format(path=str(out / "events.jsonl"), max_bytes=10 * LINE, batches=60)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env=unmeasured(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # what is read before communicate() is all that is taken
        )
        for _ in range(4)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"g")
        writer.stdin.flush()
    doomed = writers[0].stdout
    assert doomed is not None
    accepted = [doomed.readline().decode()[:-1]]
    writers[0].send_signal(signal.SIGKILL)
    for writer in writers:
        told = writer.communicate()[0].decode()
        accepted += told[: told.rfind("\n") + 1].split()

    whole = [line for file in out.iterdir() for line in file.read_bytes().splitlines() if line.endswith(b"}")]
    ids = [json.loads(line)["id"] for line in whole]
    assert len(accepted) > 3 * 60 * 3
    assert {*accepted} <= {*ids}
    assert len(ids) == len({*ids})
    assert len({*ids} - {*accepted}) <= 3  # what the killed one had written and not yet told
    assert max(file.stat().st_size for file in out.iterdir()) <= 10 * LINE + 1  # half a line of the killed one is ended
