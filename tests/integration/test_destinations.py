"""``auditkit destinations``: for whom a directory keeps events, and one forgotten beside living processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditkit import AuditTrail, files
from auditkit.__main__ import main
from auditkit.errors import Rejected
from auditkit.journal import backlog
from auditkit.journal.letters import Letterbox
from auditkit.ledger import LedgerReader
from auditkit.testing import ScriptedTransport
from auditkit.trail.catching_up import remembered
from auditkit.trail.dead_letters import DeadLetters
from auditkit.trail.status import status_of
from tests.integration.terminal import answer
from tests.journals import segments
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from collections.abc import Iterator

SIDECAR = """
from auditkit.transports import JSONLinesTransport
siem = JSONLinesTransport("siem.jsonl", name="siem")
"""
pytestmark = [
    pytest.mark.usefixtures("sidecar"),
    pytest.mark.skipif(os.name != "posix", reason="pty and kills are POSIX's"),
]


def recorded(number: int = 1, *names: str, ledger: bool = True) -> list[str]:
    """Leave events that only an application recorded, for destinations that it names; return their ids."""
    transports = [ScriptedTransport(name=name) for name in names]
    trail = AuditTrail(transports, directory="audit", deliver=False, ledger=ledger)
    events = [an_event() for _ in range(number)]
    for event in events:
        trail.emit(event)
    trail.shutdown(10)
    return [event.id for event in events]


def refused(name: str = "siem", number: int = 1) -> list[str]:
    """Leave dead letters of a destination; return their events' ids."""
    trail = AuditTrail(ScriptedTransport(*[Rejected("no")] * number, name=name), directory="audit", ledger=False)
    receipts = [trail.emit(an_event()) for _ in range(number)]
    assert trail.flush(10)
    trail.shutdown(10)
    return [receipt.id for receipt in receipts]


def deliver(*words: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "auditkit", "deliver", *words], capture_output=True, check=False
    ).returncode


@contextmanager
def following() -> Iterator[subprocess.Popen[bytes]]:
    """Work the destination beside the test; whatever happens, that does not outlive it."""
    command = [sys.executable, "-m", "auditkit", "deliver", "--follow", "--no-ledger", "--transport", "sidecar:siem"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            while [process.pid] != [each.pid for each in status_of("audit").destinations["siem"].workers]:
                pass
            yield process
        finally:
            process.kill()


# ---------------------------------------------------------------------- listed


@pytest.mark.parametrize("words", [[], ["audit"], ["list"], ["list", "--directory", "audit"]])
def test_list_tells_for_whom_events_are_kept(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each destination: what waits for it, its dead letters, and who works it."""
    refused("lake", 2)
    recorded(3, "siem")
    with following() as process:
        while status_of("audit").destinations["siem"].pending:
            pass
        status = main(["destinations", *words])
    rows = [line.split(maxsplit=3) for line in capsys.readouterr().out.splitlines()]

    assert 0 == status
    assert ["DESTINATION", "PENDING", "DEAD", "LETTERS  WORKED BY"] == rows[0]
    assert [["lake", "3", "2", "nobody"], ["ledger", "3", "0", "nobody"]] == rows[1:3]
    assert rows[3][:3] == ["siem", "0", "0"]
    assert rows[3][3].startswith(f"process {process.pid} on ")


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line."""
    recorded(2, "siem")
    assert 0 == main(["destinations", "--json"])

    assert [{"destination": name, "pending": 2, "dead_letters": 0, "workers": []} for name in ("ledger", "siem")] == [
        json.loads(line) for line in capsys.readouterr().out.splitlines()
    ]


def test_list_of_none(capsys: pytest.CaptureFixture[str]) -> None:
    """A directory that keeps nothing for anybody says so."""
    Path("audit").mkdir(mode=0o700)

    assert 0 == main(["destinations"])
    assert ("", "it keeps events for no destination\n") == capsys.readouterr()


# ---------------------------------------------------------------------- dropped


def test_what_waits_for_a_dropped_destination_holds_nothing_back(capsys: pytest.CaptureFixture[str]) -> None:
    """A destination that is dropped gets nothing more, the others get all, and then no segment stays."""
    ids = recorded(3, "siem")
    assert 1 == deliver()  # the ledger has all; siem has not
    held = segments(Path("audit"))
    status = main(["destinations", "drop", "siem", "--yes"])
    told = capsys.readouterr()
    after = deliver()

    assert (0, ("siem: dropped, with 3 events that it had still to take\n", "")) == (status, told)
    assert (1, 0, []) == (len(held), after, segments(Path("audit")))
    assert ({"ledger"}, ids) == (remembered("audit"), [entry.event.id for entry in LedgerReader("audit").events()])


def test_destination_is_dropped_beside_a_living_service() -> None:
    """A service that works the others goes on, and lets go of what only the dropped one waited for."""
    recorded(2, "siem")
    lake = ScriptedTransport(name="lake")
    trail = AuditTrail(lake, directory="audit", ledger=False)
    trail.emit(an_event())
    lake.wait_for_events(3)
    for name in ("siem", "ledger"):
        assert 0 == main(["destinations", "drop", name, "--yes"])
    trail.emit(an_event())

    assert trail.flush(10)
    assert 4 == len(lake.events)
    trail.shutdown(10)
    assert ([], {"lake"}) == (segments(Path("audit")), remembered("audit"))


def test_destination_that_is_worked_is_not_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    """While a process works it a destination stays, whatever is said; once that is killed it can be dropped."""
    recorded(1, "siem")
    with following() as process:
        worked = main(["destinations", "drop", "siem", "--yes"])
        unsure = main(["destinations", "drop", "siem"])
        told = capsys.readouterr().err.splitlines()
        process.kill()
        process.wait()
    gone = main(["destinations", "drop", "siem", "--yes"])

    message = "auditkit: a process works siem; take it out of that one's configuration, or stop it, then drop it"
    assert ([2, 2, 0], [message, message]) == ([worked, unsure, gone], told)


def test_process_that_holds_a_place_alone_works_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Who delivers a segment works its destination, also where he could leave no word of that."""
    recorded(1, "siem")
    (cursor,) = Path("audit/lanes/siem").glob("*.cursor")
    held = files.locked(cursor)
    assert held is not None
    status = main(["destinations", "drop", "siem", "--yes"])
    files.close(held)

    assert 2 == status
    assert "a process works siem" in capsys.readouterr().err


def test_dead_letters_stay_and_what_is_put_back_goes(capsys: pytest.CaptureFixture[str]) -> None:
    """The record of what was refused stays; what a killed requeue was about to put back goes with what waits."""
    first, second = refused("siem", 2)
    DeadLetters("audit").requeue("siem", [second])
    (path,) = Path("audit/journal").glob("*@siem.closed")
    path.rename(Path("audit/dead") / path.name)  # as where a requeue was killed before its end
    Path("audit/dead/0193@siem.open").touch()
    status = main(["destinations", "drop", "siem", "--yes"])

    told = "siem: dropped, with 1 event that it had still to take; kept: 1 dead letter\n"
    assert (0, told) == (status, capsys.readouterr().out)
    assert ["siem.jsonl"] == [each.name for each in Path("audit/dead").iterdir()]
    assert [first] == [letter.id for letter in DeadLetters("audit")]
    recorded()
    deliver()
    assert [] == segments(Path("audit"))


def test_destination_whose_letters_are_being_put_back_is_not_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    """While somebody puts dead letters back for it, a destination stays."""
    refused()
    with Letterbox.opened(Path("audit"), "siem"):
        Path("audit/dead/0193@siem.open").touch()
        status = main(["destinations", "drop", "siem", "--yes"])

    assert 2 == status
    told = "auditkit: dead letters are being put back for siem; drop it when that has ended\n"
    assert told == capsys.readouterr().err
    assert 0 == main(["destinations", "drop", "siem", "--yes"])


def test_drop_that_was_killed_is_finished_by_the_next() -> None:
    """A destination is forgotten at once or not at all; what a killed drop left behind goes with the next one."""
    recorded(1, "siem", "lake")
    for name in ("lake", "siem"):
        Path("audit/lanes", name).rename(f"audit/.{name}.dropped")
    assert {"ledger"} == remembered("audit")
    recorded(1, "siem")
    assert 0 == main(["destinations", "drop", "siem", "--yes"])

    assert {"ledger"} == remembered("audit")
    assert ["journal", "lanes"] == sorted(each.name for each in Path("audit").iterdir())


def test_destination_that_was_dropped_may_come_back() -> None:
    """A service that still has it remembers it anew, and it gets what is there then, and what comes."""
    old = recorded(1, "siem")
    assert 0 == main(["destinations", "drop", "siem", "--yes"])
    new = recorded(1, "siem")
    with following():
        while backlog(Path("audit"), "siem"):
            pass

    assert [*old, *new] == [json.loads(line)["id"] for line in Path("siem.jsonl").read_text().splitlines()]


def test_drop_asks_on_a_terminal() -> None:
    """What is to go is shown, and has to be confirmed."""
    recorded(2, "siem")
    no = answer("", "destinations", "drop", "siem")
    kept = remembered("audit")
    yes = answer("yes", "destinations", "drop", "siem")

    assert ({"ledger", "siem"}, {"ledger"}) == (kept, remembered("audit"))
    assert (2, 0) == (no[0], yes[0])
    head, row, question, end = no[1].splitlines()
    assert ("DESTINATION  PENDING", ["siem", "2", "0", "nobody"]) == (head[:20], row.split())
    assert "Drop siem for good? It never gets the events that wait for it. [y/N]" == question
    assert "auditkit: nothing was dropped" == end
    assert yes[1].endswith("siem: dropped, with 2 events that it had still to take\n")


@pytest.mark.parametrize(
    "words, told",
    [
        (["drop", "siem"], "there is no destination siem in audit; it keeps events for lake, ledger"),
        (
            ["drop", "../journal", "--yes"],
            "there is no destination ../journal in audit; it keeps events for lake, ledger",
        ),
        (["drop", "lake"], "to drop a destination for good without being asked, give --yes"),
        (["drop", "lake", "--directory", "elsewhere"], "there is no audit directory elsewhere; name one"),
        (["drop", "lake", "--directory", "empty"], "there is no destination lake in empty; it keeps events for none"),
        (["list", "elsewhere"], "there is no audit directory elsewhere; name one"),
    ],
)
def test_what_cannot_be_done_is_said(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not there, or needs a yes, is one message with what would be right, and nothing changes."""
    recorded(1, "lake")
    Path("empty").mkdir(mode=0o700)

    assert (2, ("", f"auditkit: {told}\n")) == (main(["destinations", *words]), capsys.readouterr())
    assert {"lake", "ledger"} == remembered("audit")


def test_directory_that_cannot_be_written_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the system refuses, the destination stays and the reason is said."""
    recorded(1, "siem")
    Path("audit/.siem.dropped").touch()

    assert 2 == main(["destinations", "drop", "siem", "--yes"])
    assert "auditkit: cannot drop siem from audit: Not a directory\n" == capsys.readouterr().err
    assert {"ledger", "siem"} == remembered("audit")
