"""``auditkit dead``: what a destination refused is looked at, put back or dropped, beside whoever works it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import auditkit
from auditkit import AuditTrail, Event
from auditkit.__main__ import main
from auditkit.errors import Rejected
from auditkit.ledger import LedgerReader
from auditkit.testing import ScriptedTransport, WorkOSDouble
from auditkit.transports import WorkOSTransport
from tests.integration.terminal import answer
from tests.marks import traced
from tests.unit.transports.examples import an_event
from tests.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "a secret of some length"
SIDECAR = """
import os
from auditkit.transports import WorkOSTransport
workos = WorkOSTransport(os.environ["KEY"], base_url=os.environ["URL"])
"""
pytestmark = [
    pytest.mark.usefixtures("sidecar"),
    pytest.mark.skipif(os.name != "posix", reason="pty, kills and strace are POSIX's"),
]


def note(name: str) -> Event:
    return an_event(group="acme", action="note.create", action_type="C", target_id="1", target_name=name)


def refused(double: WorkOSDouble, number: int = 1, *, secret: str | None = None) -> list[str]:
    """Leave so many events that WorkOS refused and the ledger has; return their ids."""
    trail = AuditTrail(WorkOSTransport(double.api_key, base_url=double.base_url), directory="audit", secret=secret)
    double.fail(422, times=number)
    receipts = [trail.emit(note(f"note {each}")) for each in range(number)]
    assert trail.flush(10)
    trail.shutdown(10)
    double.clear()
    return [receipt.id for receipt in receipts]


def reach(double: WorkOSDouble, **further: str) -> dict[str, str]:
    return {**os.environ, "KEY": double.api_key, "URL": double.base_url, **further}


def deliver(double: WorkOSDouble, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "auditkit", "deliver", "--transport", "sidecar:workos"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=reach(double, **environment))


@contextmanager
def following(double: WorkOSDouble) -> Iterator[None]:
    """Deliver beside the test; whatever happens, that does not outlive it."""
    command = [sys.executable, "-m", "auditkit", "deliver", "--follow", "--transport", "sidecar:workos"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=reach(double)) as process:
        try:
            yield
        finally:
            process.kill()


def dead(*words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "auditkit", "dead", *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Return what the list tells as JSON."""
    assert 0 == main(["dead", "--json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def arrivals(double: WorkOSDouble) -> Counter[str]:
    return Counter(request.headers["idempotency-key"] for request in double.requests)


# ---------------------------------------------------------------------- put back


def test_mended_event_arrives_once_beside_a_living_process(
    workos: WorkOSDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once its cause is mended, an event that is put back reaches WorkOS with its id, once, and the ledger not again."""
    first, second = refused(workos, 2)
    with following(workos):
        status = main(["dead", "requeue", first])
        workos.wait_for_events(1)

    assert (0, "workos: 1 requeued\n") == (status, capsys.readouterr().out)
    assert Counter([first]) == arrivals(workos)
    assert [second] == [letter["id"] for letter in listed(capsys)]
    assert [first, second] == [entry.event.id for entry in LedgerReader("audit").events()]


def test_event_that_is_refused_again_is_a_letter_again(
    workos: WorkOSDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """An event that is put back too early is refused again, and is one dead letter as before."""
    (event,) = refused(workos)
    main(["dead", "requeue", event])
    workos.fail(422)
    done = deliver(workos)

    assert 1 == done.returncode
    capsys.readouterr()
    assert [event] == [letter["id"] for letter in listed(capsys)]


def test_event_put_back_is_not_taken_for_the_one_that_was_refused(
    workos: WorkOSDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """While WorkOS knows the key with another body, an event stays a dead letter that says so; a day later it arrives."""
    (event,) = refused(workos)
    before = WorkOSTransport(workos.api_key, base_url=workos.base_url)
    before.send_encoded(event, before.encode(note("what another mapping made of it")))
    before.close()
    main(["dead", "requeue", event])
    early = deliver(workos)
    capsys.readouterr()
    (letter,) = listed(capsys)
    workos.expire_idempotency_keys()
    main(["dead", "requeue", event])
    late = deliver(workos)

    assert (1, 0) == (early.returncode, late.returncode)
    assert event == letter["id"]
    assert "with another body before, and knows that for 24 hours" in str(letter["reason"])
    assert ["what another mapping made of it", "note 0"] == [each["target_name"] for each in workos.events]


@traced
@pytest.mark.parametrize("when", [3, 4])
def test_killed_requeue_is_finished_by_the_next_delivery(workos: WorkOSDouble, when: int) -> None:
    """Killed before its letters go, or before its events are in the journal, delivery has each event once."""
    ids = Counter(refused(workos, 3))
    command = [sys.executable, "-m", "auditkit", "dead", "requeue", "--all"]
    calls = "rename,renameat,renameat2"
    under = ["strace", "-f", "-o", "trace", "-e", f"trace={calls}", "-e", f"inject={calls}:signal=KILL:when={when}"]
    quiet = {**unmeasured(), "PYTHONDONTWRITEBYTECODE": "1"}  # no renames but the command's own
    killed = subprocess.run([*under, *command], capture_output=True, text=True, check=False, env=quiet)
    first, second = deliver(workos), deliver(workos)

    assert (-signal.SIGKILL, 0, 0) == (killed.returncode, first.returncode, second.returncode)
    assert ids == arrivals(workos)


def test_two_requeues_at_once_put_back_once(workos: WorkOSDouble) -> None:
    """Two people with one idea beside a living process: each event arrives once."""
    ids = Counter(refused(workos, 20))
    with following(workos):
        processes = [dead("requeue", "--all") for _ in range(2)]
        told = [process.communicate()[0] for process in processes]
        workos.wait_for_events(20)

    assert [0, 0] == [process.returncode for process in processes]
    assert 20 == sum(int(words.split()[1]) for words in told if words)
    assert ids == arrivals(workos)


def test_requeue_signs_with_the_secret(workos: WorkOSDouble) -> None:
    """With the service's secret what is put back is signed with it, and delivered."""
    (event,) = refused(workos, secret=SECRET)
    process = dead("requeue", "--all", AUDITKIT_SECRET=SECRET)
    process.communicate()
    done = deliver(workos, AUDITKIT_SECRET=SECRET)

    assert (0, 0) == (process.returncode, done.returncode)
    assert [event] == list(arrivals(workos))


def test_destinations_are_put_back_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """An event that two destinations refused is put back for both, or for the one that is named."""
    siem = ScriptedTransport(Rejected("no"), name="siem")
    lake = ScriptedTransport(Rejected("no"), name="lake")
    trail = auditkit.configure([siem, lake], directory="audit")
    event = auditkit.emit(note("note")).id
    trail.flush(10)
    for words, told in (
        (["--destination", "lake"], ["lake"]),
        ([], ["siem"]),
    ):
        assert 0 == main(["dead", "requeue", event, *words])
        assert [f"{name}: 1 requeued" for name in told] == capsys.readouterr().out.splitlines()
    trail.flush(10)

    assert [2, 2] == [sum(each.id == event for call in one.calls for each in call) for one in (siem, lake)]


def test_destination_that_nobody_has_any_more_is_refused(
    workos: WorkOSDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a destination is remembered no more, nothing would ever deliver what is put back: it is said, and stays."""
    (event,) = refused(workos)
    shutil.rmtree("audit/lanes/workos")

    assert 2 == main(["dead", "requeue", "--all"])
    assert "nothing is delivered to workos any more; start the service that has it" in capsys.readouterr().err
    assert [event] == [letter["id"] for letter in listed(capsys)]
    assert 0 == main(["dead", "drop", event, "--yes"])


@pytest.mark.parametrize("words", [["--all"], []])
def test_destination_that_cannot_have_its_own_keeps_nobody_from_theirs(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What can be put back is, and what cannot is told with the reason and stays: the status says that it is not all."""
    transports = [ScriptedTransport(Rejected("no"), name=name) for name in ("lake", "old", "siem")]
    trail = AuditTrail(transports, directory="audit", ledger=False)
    event = trail.emit(note("note")).id
    trail.flush(10)
    trail.shutdown(10)
    main(["destinations", "drop", "old", "--yes"])
    capsys.readouterr()
    status = main(["dead", "requeue", *(words or [event])])
    told = capsys.readouterr()

    assert (1, "lake: 1 requeued\nsiem: 1 requeued\n") == (status, told.out)
    assert "auditkit: nothing is delivered to old any more; start the service that has it, then requeue\n" == told.err
    assert [("old", event)] == [(letter["destination"], letter["id"]) for letter in listed(capsys)]


# ---------------------------------------------------------------------- looked at


def hostile() -> str:
    """Leave a letter whose texts would steer a terminal and tell a secret; return its event's id."""
    reason = "no schema\x1b]0;owned\x07\r\n for sk_live_51HqJ2eZvKYlo2C0abcdefgh"
    trail = AuditTrail(ScriptedTransport(Rejected(reason), name="siem"), directory="audit")
    receipt = trail.emit(note("note\x1b[2J\u202e"))
    trail.flush(10)
    trail.shutdown(10)
    return receipt.id


@pytest.mark.parametrize("words", [["dead"], ["dead", "audit"], ["dead", "list", "--directory", "audit"]])
def test_list_tells_who_refused_what_and_why(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each letter: destination, time, action, id, reason; nothing that steers a terminal, no secret."""
    event = hostile()
    status = main(words)
    head, line = capsys.readouterr().out.splitlines()

    assert 0 == status
    assert ["DESTINATION", "REFUSED", "AT", "ACTION", "ID", "REASON"] == head.split()
    assert ["siem", "note.create", event] == [line.split()[each] for each in (0, 2, 3)]
    assert r"no schema\x1b]0;owned\x07\x0d\x0a for [redacted]" in line


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_show_tells_the_whole_event(form: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One letter with its event, for people or as JSON; nothing that steers a terminal, no secret."""
    event = hostile()
    status = main(["dead", "show", event, *form])
    told = capsys.readouterr().out

    assert 0 == status
    assert ("\x1b" in told, "sk_live" in told, "[redacted]" in told) == (False, False, True)
    if form:
        assert event == json.loads(told)["event"]["id"]
    else:
        assert "destination: siem\n" in told
        assert r"note\x1b[2J\u202e" in told
        assert "in acme" in told


def test_letter_without_an_event_can_be_seen_and_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged letter is listed under a name, shown as it stands, not put back, and dropped by its name."""
    good = hostile()
    with Path("audit/dead/siem.jsonl").open("ab") as file:
        file.write(b"damaged \x1b[2J\n")
    (name,) = [str(letter["id"]) for letter in listed(capsys) if letter["event"] is None]
    statuses = [main(["dead", *words]) for words in (["list"], ["show", name], ["requeue", "--all"])]
    told, errors = capsys.readouterr()

    assert [0, 0, 1] == statuses
    assert "(no event)" in told
    assert "damaged \\x1b[2J\n" in told
    assert f"auditkit: {name} holds no event that can be delivered: look at it, and drop it\n" == errors
    assert 0 == main(["dead", "drop", name, "--yes"])
    capsys.readouterr()
    assert (good, []) == (name_of_segment(), listed(capsys))


def name_of_segment() -> str:
    """Return the id of the one event that waits in the journal."""
    (path,) = Path("audit/journal").iterdir()
    _, line, _ = path.read_bytes().splitlines()
    return str(json.loads(line[64:])["id"])


def test_interrupted_requeue_is_told(workos: WorkOSDouble, capsys: pytest.CaptureFixture[str]) -> None:
    """While events lie between letters and journal, every command says so."""
    refused(workos)
    Path("audit/dead/0193@workos.open").touch()
    main(["dead"])

    assert "auditkit: events are being put back for workos; where a requeue was killed" in capsys.readouterr().err


# ---------------------------------------------------------------------- dropped


def test_drop_asks_on_a_terminal(workos: WorkOSDouble, capsys: pytest.CaptureFixture[str]) -> None:
    """What is to go is shown and has to be confirmed; the ledger keeps its entry."""
    first, second = refused(workos, 2)
    no, yes = answer("", "dead", "drop", first), answer("y", "dead", "drop", first)

    assert (2, 0) == (no[0], yes[0])
    assert "Drop 1 for good? The destination never gets them; the ledger keeps its own. [y/N]\n" in no[1]
    assert (first in no[1], second in no[1], "auditkit: nothing was dropped\n" in no[1]) == (True, False, True)
    assert yes[1].endswith("workos: 1 dropped\n")
    assert [second] == [letter["id"] for letter in listed(capsys)]
    assert [first, second] == [entry.event.id for entry in LedgerReader("audit").events()]


def test_drop_of_many_shows_some(workos: WorkOSDouble) -> None:
    """Of more letters than a screen holds some are shown, and how many more there are."""
    refused(workos, 22)
    status, told = answer("yes", "dead", "drop", "--all")

    assert 0 == status
    assert "and 2 more\n" in told
    assert told.endswith("workos: 22 dropped\n")


def test_drop_without_a_terminal_wants_yes(workos: WorkOSDouble) -> None:
    """Where nobody can be asked, nothing goes without --yes."""
    refused(workos)
    asked, said = dead("drop", "--all"), dead("drop", "--all", "--yes", "--destination", "nobody")

    assert "give --yes" in asked.communicate()[1]
    assert ("", "there are no dead letters\n") == said.communicate()
    assert (2, 0) == (asked.returncode, said.returncode)
    sure = dead("drop", "--all", "--yes")
    assert ("workos: 1 dropped\n", "") == sure.communicate()


# ---------------------------------------------------------------------- what cannot be


@pytest.mark.parametrize(
    "words, status, told",
    [
        (["list"], 0, "there are no dead letters\n"),
        (["list", "elsewhere"], 2, "auditkit: there is no audit directory elsewhere; name one\n"),
        (["show", "one\x1b"], 1, "auditkit: there is no dead letter one\\x1b\n"),
        (
            ["requeue", "two", "one"],
            1,
            "auditkit: there is no dead letter one\nauditkit: there is no dead letter two\n",
        ),
        (["requeue", "--all"], 0, "there are no dead letters\n"),
        (["drop", "one"], 1, "auditkit: there is no dead letter one\n"),
        (["drop"], 2, "auditkit: auditkit dead drop takes ids, or --all, and not both\n"),
        (["requeue", "one", "--all"], 2, "auditkit: auditkit dead requeue takes ids, or --all, and not both\n"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str], status: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not there, or makes no sense, is one message with what would be right."""
    Path("audit").mkdir(mode=0o700)

    assert (status, ("", told)) == (main(["dead", *words]), capsys.readouterr())
    assert [] == os.listdir("audit")


@pytest.mark.parametrize(
    "words, told",
    [
        (["requeue", "--all"], "cannot requeue the dead letters of workos in audit: Is a directory; none is lost"),
        (["drop", "--all", "--yes"], "cannot drop the dead letters of workos in audit: Is a directory; none is lost"),
    ],
)
def test_letters_that_cannot_be_written_anew(
    words: list[str], told: str, workos: WorkOSDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the system refuses is told, and every letter stays."""
    (event,) = refused(workos)
    Path("audit/dead/.workos.jsonl.new").mkdir()

    assert 2 == main(["dead", *words])
    assert f"auditkit: {told}\n" == capsys.readouterr().err
    assert [event] == [letter["id"] for letter in listed(capsys)]


def test_letters_that_cannot_be_read(workos: WorkOSDouble, capsys: pytest.CaptureFixture[str]) -> None:
    """What may not be looked into is told with its place."""
    refused(workos)
    Path("audit/dead/workos.jsonl").rename("kept")
    Path("audit/dead/workos.jsonl").symlink_to(Path("kept").resolve())
    first = main(["dead"])
    shutil.rmtree("audit/dead")
    Path("audit/dead").touch()
    second = main(["dead"])
    errors = capsys.readouterr().err

    assert [2, 2] == [first, second]
    assert "auditkit: cannot read the dead letters of workos in audit: Too many levels of symbolic links" in errors
    assert "auditkit: cannot look into audit: Not a directory\n" in errors
