"""The command line in real processes."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from auditkit import Event

WRITER = """
import sys, auditkit
from auditkit import record
trail = auditkit.configure(deliver=sys.argv[1] == "deliver")
for line in sys.stdin:
    record("note.create", "C", actor="writer", group="acme", location="here", target=line.strip())
    trail.flush(10)
    print("recorded", flush=True)
"""


def auditkit(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "auditkit", *words],
        capture_output=True, text=True, timeout=50, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def writer(deliver: str) -> subprocess.Popen[str]:
    """Start a process that records one event for each line it is given, and answers."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, deliver], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def tell(process: subprocess.Popen[str], line: str) -> None:
    """Give a writer one line, and wait until it is recorded."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "recorded\n"


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process and close its pipes."""
    process.kill()
    process.communicate()


@pytest.fixture
def demo() -> str:
    """Run the demo once, and return what it printed."""
    done = auditkit("demo")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def actions(*words: str) -> list[str]:
    """Return the actions that a log with these filters has."""
    return [json.loads(line)["action"] for line in auditkit("log", "--json", *words).stdout.splitlines()]


def test_demo_shows_the_trail_and_what_to_try_next(demo: str) -> None:
    """The demo prints changes as they were and are, where they are, and commands that work as they stand."""
    commands = re.findall(r"^  python -m auditkit (.+)$", demo, re.MULTILINE)

    assert "amount: 1200 -> 1250" in demo
    assert "password: [redacted] -> [redacted]" in demo
    assert f"12 events recorded in {Path('audit').absolute()}, 12 delivered" in demo
    assert len(commands) == 3
    assert auditkit("log", "--actor", "ada@example.com").stdout.count("\n2026-") >= 0


def test_demo_keeps_no_secret(demo: str) -> None:
    """The demo's passwords are in no file."""
    found = [path for path in Path("audit").rglob("*") if path.is_file() and b"battery staple" in path.read_bytes()]

    assert "battery staple" not in demo
    assert [] == found


def test_demo_runs_again(demo: str) -> None:
    """A second demo adds its events to the first's."""
    again = auditkit("demo")

    assert 0 == again.returncode
    assert demo.count("invoice.pay") == again.stdout.count("invoice.pay")
    assert 24 == len(auditkit("log", "--json").stdout.splitlines())


def test_demo_delivers_to_workos_only_with_a_key() -> None:
    """--deliver without a key says so, and begins nothing."""
    done = auditkit("demo", "--deliver")

    assert 2 == done.returncode
    assert "WORKOS_API_KEY" in done.stderr
    assert not Path("audit").exists()


@pytest.mark.usefixtures("demo")
def test_log_filters() -> None:
    """Each filter leaves out what does not match, and the last N come oldest first."""
    assert ["user.login", "invoice.create", "invoice.update", "account.update"] == actions("--actor", "ADA@example.com")
    assert ["invoice.update"] == actions("--action", "invoice.up*")
    assert ["account.update", "account.update"] == actions("--target", "acc_1")
    assert [] == actions("--group", "nobody")
    assert [] == actions("--until", "1h")
    assert 12 == len(actions("--since", "1h", "--group", "acme"))
    assert ["invoice.delete", "account.update"] == actions("--limit", "2")


@pytest.mark.usefixtures("demo")
def test_log_json_gives_events_back() -> None:
    """Each line of --json is an event and its place."""
    lines = [json.loads(line) for line in auditkit("log", "--json").stdout.splitlines()]
    places = [line.pop("position") for line in lines]

    assert list(range(1, 13)) == places
    assert lines == [Event.from_dict(line).to_dict() for line in lines]


def test_log_without_a_directory_says_what_to_do() -> None:
    """A directory that is not there is an error that names it, and it is not made."""
    done = auditkit("log", "nowhere")

    assert (2, "") == (done.returncode, done.stdout)
    assert "there is no audit directory nowhere" in done.stderr
    assert not Path("nowhere").exists()


def test_log_without_a_ledger_says_what_to_do() -> None:
    """A directory that never had a ledger is an error, and gets none."""
    Path("empty").mkdir(mode=0o700)
    done = auditkit("log", "empty")

    assert 2 == done.returncode
    assert "no ledger in" in done.stderr
    assert [] == list(Path("empty").iterdir())


@pytest.mark.usefixtures("demo")
def test_log_says_that_nothing_matches() -> None:
    """An empty answer is told on the error stream, and is no failure."""
    done = auditkit("log", "--actor", "nobody")

    assert (0, "") == (done.returncode, done.stdout)
    assert "no event of audit matches" in done.stderr


def test_log_shows_what_a_killed_process_left() -> None:
    """Events of a process that was killed before its ledger's turn are read all the same."""
    process = writer("deliver")
    tell(process, "one")
    end(process)
    process = writer("record only")
    tell(process, "two")
    end(process)
    shown = auditkit("log", "--json").stdout.splitlines()

    assert ["one", "two"] == [json.loads(line)["target_id"] for line in shown]


def test_log_follows() -> None:
    """--follow prints what comes, and ends quietly when interrupted."""
    process = writer("deliver")
    tell(process, "one")
    follower = subprocess.Popen(
        [sys.executable, "-m", "auditkit", "log", "--json", "--follow"], stdout=subprocess.PIPE, text=True
    )
    assert follower.stdout is not None
    seen = [json.loads(follower.stdout.readline())["target_id"]]
    tell(process, "two")
    seen.append(json.loads(follower.stdout.readline())["target_id"])
    follower.send_signal(signal.SIGINT)
    rest, _ = follower.communicate(timeout=30)
    end(process)

    assert ["one", "two"] == seen
    assert (0, "") == (follower.returncode, rest)


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize(("variables", "colours"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_log_is_coloured_on_a_terminal(variables: dict[str, str], colours: bool) -> None:  # noqa: FBT001  (a parameter of the test)
    """A terminal gets colours unless NO_COLOR is set; a pipe gets none."""
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "auditkit", "log", "--limit", "1"],
        stdout=theirs, check=True, timeout=50, env={**os.environ, **variables},
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 65536)
    os.close(ours)

    assert colours == (b"\x1b[" in shown)
    assert "\x1b[" not in auditkit("log").stdout


@pytest.mark.usefixtures("demo")
def test_log_ends_quietly_with_its_reader() -> None:
    """A reader that goes away early, as `head` does, is no error."""
    command = f"{sys.executable} -m auditkit log --json | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False, timeout=50
    )

    assert (0, "") == (done.returncode, done.stderr)


def test_version() -> None:
    """--version prints the distribution's version."""
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", auditkit("--version").stdout)
