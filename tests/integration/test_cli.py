"""The command line in real processes."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditkit import AuditTrail, Event
from auditkit.testing import WorkOSDouble
from auditkit.transports import WorkOSTransport
from tests.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

SECRET = "a secret of some length"
WRITER = """
import os, sys, auditkit
from auditkit import record
trail = auditkit.configure(deliver=sys.argv[1] == "deliver", secret=os.environ.get("AUDITKIT_SECRET"))
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


def writer(deliver: str, **environment: str) -> subprocess.Popen[str]:
    """Start a process that records one event for each line it is given, and answers."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, deliver],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment},
    )  # fmt: skip


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


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command whose output is read as it comes; whatever happens, it does not outlive the test."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=unmeasured())
    try:
        yield process
    finally:
        end(process)


def next_line(process: subprocess.Popen[str]) -> str:
    """Return the next line that a command prints."""
    assert process.stdout is not None
    return process.stdout.readline()


def interrupt(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Interrupt a command, and return its exit status and what else it printed."""
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=30)
    return process.returncode, rest, errors


def following() -> AbstractContextManager[subprocess.Popen[str]]:
    """Start `log --follow`, one JSON object a line."""
    return running(sys.executable, "-m", "auditkit", "log", "--json", "--follow")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the demo once, and return its directory and what it printed."""
    place = tmp_path_factory.mktemp("shown") / "audit"
    done = auditkit("demo", "--directory", str(place))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return place, done.stdout


@pytest.fixture
def demo(shown: tuple[Path, str]) -> str:
    """Have what the demo leaves in the working directory, and return what it printed."""
    place, printed = shown
    shutil.copytree(place, "audit")
    return printed


def actions(*words: str) -> list[str]:
    """Return the actions that a log with these filters has."""
    return [json.loads(line)["action"] for line in auditkit("log", "--json", *words).stdout.splitlines()]


def test_demo_shows_the_trail_and_where_it_is() -> None:
    """The demo prints changes as they were and are, what did not succeed, and what became of its events."""
    demo = auditkit("demo").stdout
    rows = [line for line in demo.splitlines() if re.match(r"\d{4}-\d\d-\d\d ", line)]

    assert 12 == len(rows)
    assert ["DENIED", "FAILURE"] == sorted(
        word for row in rows for word in row.split() if word.isalpha() and word.isupper()
    )
    assert "amount: 1200 -> 1250" in demo
    assert "amount: was 80" in demo
    assert "password: [redacted] -> [redacted]" in demo
    assert "on_behalf_of_name: ada@example.com" in demo
    assert f"12 events recorded in {Path('audit').absolute()}, 12 delivered" in demo
    assert [] == [line for line in demo.partition("\n12 events")[0].splitlines() if len(line) > 80]


def test_demo_nests_its_calls() -> None:
    """The payment that went through is the parent of what was done inside it, and all of a scope correlates."""
    auditkit("demo")
    events = [json.loads(line) for line in auditkit("log", "--json").stdout.splitlines()]
    settled = next(each for each in events if each["action"] == "invoice.settle")
    paid = [each for each in events if each["action"] == "invoice.pay" and "outcome" not in each["metadata"]]

    assert [settled["parent_id"]] == [each["id"] for each in paid]
    assert 3 == len({each["actor_id"] for each in events})
    assert 2 == len({each["correlation_id"] for each in events})


@pytest.mark.parametrize("words", [(), ("--directory", "another place")])
def test_demo_suggests_commands_that_work_as_typed(words: tuple[str, ...]) -> None:
    """Each of the three commands does its work when it is copied into a shell."""
    demo = auditkit("demo", *words, AUDITKIT_DIRECTORY="" if words else "audit")
    commands = re.findall(r"^  (.+)$", demo.stdout.partition("Try next:\n")[2], re.MULTILINE)
    filtered, as_json, endless = commands

    assert 4 == in_a_shell(filtered).count("ada@example.com       ")
    assert 3 == len([json.loads(line) for line in in_a_shell(as_json).splitlines()])
    with running("bash", "-c", f"exec {endless}") as follower:
        assert "user.login" in next_line(follower)
        assert 0 == interrupt(follower)[0]


def in_a_shell(command: str) -> str:
    """Return what a command line prints."""
    return subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True, timeout=50).stdout


def test_demo_hints_name_the_directory_that_they_need() -> None:
    """Where AUDITKIT_DIRECTORY names another directory, the hints name the demo's."""
    done = auditkit("demo", AUDITKIT_DIRECTORY="elsewhere")

    assert " -m auditkit log audit --actor" in done.stdout


def test_demo_leaves_a_services_events_alone() -> None:
    """A directory with events for the real WorkOS is refused: they are not given to the stand-in."""
    service = """
import auditkit
from auditkit.transports import WorkOSTransport
auditkit.configure(WorkOSTransport("sk_of_the_service", base_url="http://127.0.0.1:9"))
auditkit.record("payroll.paid", "C", actor="ada", group="acme", location="here", target="p1")
auditkit.shutdown(0)
"""
    subprocess.run([sys.executable, "-c", service], check=True, capture_output=True, timeout=50)
    done = auditkit("demo")
    with WorkOSDouble() as workos:
        trail = AuditTrail(WorkOSTransport(workos.api_key, base_url=workos.base_url))
        trail.flush(10)
        trail.shutdown(10)

        assert ["payroll.paid"] == [each["action"] for each in workos.events]
    assert (2, "") == (done.returncode, done.stdout)
    assert "audit delivers to workos, which would get the demo's events too" in done.stderr


@pytest.mark.usefixtures("demo")
def test_demo_leaves_nothing_for_a_service() -> None:
    """A service that begins in the demo's directory delivers none of its events, and waits for no stand-in."""
    assert ["ledger"] == [each.name for each in Path("audit", "lanes").iterdir()]

    with WorkOSDouble() as workos:
        trail = AuditTrail(WorkOSTransport(workos.api_key, base_url=workos.base_url))
        trail.flush(10)
        trail.shutdown(10)

        assert [] == workos.events


def test_demo_says_that_auditing_is_disabled() -> None:
    """With AUDITKIT_DISABLED there is nothing to show, and the demo says why."""
    done = auditkit("demo", AUDITKIT_DISABLED="1")

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("auditkit: AUDITKIT_DISABLED is set")
    assert 1 == done.stderr.count("\n")


def test_demo_needs_a_directory_that_it_can_make() -> None:
    """A directory that cannot be made is one clear line."""
    Path("file").write_text("", "utf-8")
    done = auditkit("demo", "--directory", "file")

    assert (2, "") == (done.returncode, done.stdout)
    assert "file is a file, not a directory" in done.stderr
    assert 1 == done.stderr.count("\n")


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


@pytest.mark.usefixtures("demo")
def test_log_takes_the_directory_as_the_demo_does() -> None:
    """The directory is named by its place or by --directory, and only once."""
    Path("audit").rename("elsewhere")

    assert 12 == len(actions("--directory", "elsewhere")) == len(actions("elsewhere"))
    assert "not allowed with argument" in auditkit("log", "elsewhere", "--directory", "elsewhere").stderr


@pytest.mark.parametrize("words", [("log", ""), ("log", "--directory", ""), ("demo", "--directory", "")])
def test_directory_without_a_name_is_refused(words: tuple[str, ...]) -> None:
    """An empty name, as of a variable that is not set, is neither the default nor the working directory."""
    done = auditkit(*words)

    assert (2, "") == (done.returncode, done.stdout)
    assert "must not be empty" in done.stderr
    assert [] == list(Path().iterdir())


@pytest.mark.parametrize("words", [("log",), ("demo", "--directory")])
def test_directory_that_the_system_refuses_is_one_line(words: tuple[str, ...]) -> None:
    """What the operating system refuses is one clear line, whatever it is."""
    done = auditkit(*words, "d" * 300)

    assert (2, "") == (done.returncode, done.stdout)
    assert "File name too long" in done.stderr
    assert 1 == done.stderr.count("\n")


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize(
    ("redirection", "told"),
    [(">/dev/full", "No space left on device"), (">&-", "standard output is closed")],
)
def test_output_that_cannot_be_written_is_one_line(redirection: str, told: str) -> None:
    """A full disk or a closed output is told once, and is no success."""
    command = f"{sys.executable} -m auditkit log {redirection}"
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}  # then Python would try again at its exit
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=50, env=buffered
    )

    assert 2 == done.returncode
    assert told in done.stderr
    assert 1 == done.stderr.count("\n")


def test_log_lacks_a_secret() -> None:
    """What was signed with a secret that AUDITKIT_SECRET does not hold is told to wait, and read with it."""
    process = writer("deliver", AUDITKIT_SECRET=SECRET)
    tell(process, "one")
    end(process)
    process = writer("record only", AUDITKIT_SECRET=SECRET)
    tell(process, "two")
    end(process)
    without, having = auditkit("log", "--json"), auditkit("log", "--json", AUDITKIT_SECRET=SECRET)

    assert (0, 1) == (without.returncode, without.stdout.count("\n"))
    assert "set AUDITKIT_SECRET" in without.stderr
    assert "auditkit: some events may still wait in the journal of audit" in without.stderr
    assert (0, 2, "") == (having.returncode, having.stdout.count("\n"), having.stderr)


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
    with following() as follower:
        seen = [json.loads(next_line(follower))["target_id"]]
        tell(process, "two")
        seen.append(json.loads(next_line(follower))["target_id"])
        told = interrupt(follower)
    end(process)

    assert ["one", "two"] == seen
    assert (0, "", "") == told


def test_log_follows_what_a_killed_process_left() -> None:
    """--follow shows what nobody else puts into the ledger any more, also when it comes later."""
    process = writer("deliver")
    tell(process, "one")
    end(process)
    with following() as follower:
        seen = [json.loads(next_line(follower))["target_id"]]
        process = writer("record only")
        tell(process, "two")
        end(process)
        seen.append(json.loads(next_line(follower))["target_id"])
        told = interrupt(follower)

    assert ["one", "two"] == seen
    assert (0, "", "") == told


@pytest.fixture
def more_than_a_pipe_holds() -> None:
    """Leave a trail whose end nobody can print before somebody reads its beginning."""
    trail = AuditTrail()
    for number in range(40):
        trail.emit(
            Event(
                group="acme", action="note.create", action_type="C", actor_name="ada", actor_id="ada",
                target_name=str(number), target_id=str(number), location="here", metadata={"body": "x" * 10_000},
            )
        )  # fmt: skip
    trail.shutdown(10)


@pytest.mark.usefixtures("more_than_a_pipe_holds")
def test_log_that_is_interrupted_says_so() -> None:
    """Without --follow an interruption is one, also where nobody reads what is printed."""
    with running(sys.executable, "-m", "auditkit", "log", "--json") as process:
        next_line(process)
        code, _, errors = interrupt(process)

    assert (130, "") == (code, errors)


@pytest.mark.usefixtures("more_than_a_pipe_holds")
def test_log_ends_quietly_with_its_reader() -> None:
    """A reader that goes away early, as `head` does, is no error."""
    with running(sys.executable, "-m", "auditkit", "log", "--json") as process:
        next_line(process)
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        told = process.stderr.read()

        assert (0, "") == (process.wait(30), told)


def test_log_reads_what_it_may_not_write() -> None:
    """In a directory that auditkit would not write to, the ledger is read all the same, and the rest is told."""
    process = writer("deliver")
    tell(process, "one")
    end(process)
    Path("audit").chmod(0o770)
    done = auditkit("log", "--json")

    assert ["one"] == [json.loads(line)["target_id"] for line in done.stdout.splitlines()]
    assert (0, "auditkit: some events may still wait in the journal of audit\n") == (done.returncode, done.stderr)


def test_log_escapes_what_steers_a_terminal() -> None:
    """An event's text cannot colour or clear the terminal, nor turn a line around."""
    process = writer("deliver")
    tell(process, "\x1b[2J\u202egnp\x9b1m")
    end(process)
    done = auditkit("log")

    assert "\\x1b[2J\\u202egnp\\x9b1m" in done.stdout
    assert done.stdout.replace("\n", "").isprintable()


def test_error_is_one_line_that_steers_nothing() -> None:
    """What a person typed does not come back as something that steers the terminal."""
    done = auditkit("log", "no\x1b[2J\nwhere")

    assert 2 == done.returncode
    assert "no\\x1b[2J\\x0awhere" in done.stderr
    assert 1 == done.stderr.count("\n")


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize(
    ("variables", "words", "colours"),
    [
        ({"TERM": "xterm"}, (), True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, (), False),
        ({"TERM": "dumb"}, (), False),
        ({"TERM": "xterm"}, ("--color", "never"), False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, ("--color", "always"), True),
    ],
)
def test_log_is_coloured_on_a_terminal(
    variables: dict[str, str],
    words: tuple[str, ...],
    colours: bool,  # noqa: FBT001  (a parameter of the test)
) -> None:
    """A terminal gets colours unless it has none, NO_COLOR is set, or the command line says otherwise."""
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "auditkit", "log", "--limit", "1", *words],
        stdout=theirs, check=True, timeout=50, env={**os.environ, **variables},
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 65536)
    os.close(ours)

    assert colours == (b"\x1b[" in shown)


@pytest.mark.usefixtures("demo")
def test_log_is_plain_in_a_pipe() -> None:
    """A pipe gets no colours unless the command line asks for them."""
    assert "\x1b[" not in auditkit("log").stdout
    assert "\x1b[" in auditkit("log", "--color", "always").stdout


def test_version() -> None:
    """--version prints the distribution's version."""
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", auditkit("--version").stdout)


def test_no_command_is_a_call_for_help() -> None:
    """Without a command the help is printed, with every command and what to begin with."""
    done = auditkit()

    assert (0, "") == (done.returncode, done.stderr)
    assert [
        "demo",
        "log",
        "deliver",
        "status",
        "verify",
        "doctor",
        "dead",
        "destinations",
        "actions",
        "uncovered",
    ] == re.findall(r"^    (\w+)  ", done.stdout, re.MULTILINE)
    assert "first: auditkit demo" in done.stdout
