"""``auditkit doctor`` on real directories, servers and users: what it says, and what it never shows."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import auditkit
from auditkit.__main__ import main
from auditkit.doctor import Grade, examine
from auditkit.testing import DrivenClock, ScriptedTransport, WorkOSDouble
from auditkit.transports import Route, WorkOSAuditLogsTransport, WorkOSTransport
from tests.marks import as_root
from tests.unmeasured import unmeasured

if TYPE_CHECKING:
    from auditkit.doctor import Finding

NOBODY = 65534


def examined(
    directory: str | Path = "audit", *transports: Any, shared: bool = False, **environment: str
) -> dict[str, Finding]:
    """Return what is found, by what was looked at; of two the last."""
    found = examine(directory, transports, shared_group=shared, environment=environment)
    return {each.check: each for each in found}


def problems(found: dict[str, Finding]) -> list[str]:
    return [check for check, each in found.items() if each.grade is Grade.PROBLEM]


def record_one(**settings: Any) -> None:
    auditkit.configure(**settings)
    auditkit.record("note.create", "C", actor="a", group="g", location="l", target="t")
    auditkit.shutdown()


def test_sound_directory_has_no_problem() -> None:
    """Of what auditkit itself has made there is nothing to complain, and the examination leaves nothing behind."""
    record_one()
    before = sorted(Path("audit").rglob("*"))
    found = examined()

    assert [] == problems(found)
    assert "its owner alone may enter (mode 0700)" == found["permissions"].text
    assert {
        "versions",
        "directory",
        "filesystem",
        "space",
        "fsync",
        "locks",
        "sqlite",
        "secret",
        "key",
        "proxy",
    } < found.keys()
    assert before == sorted(Path("audit").rglob("*"))


def test_directory_that_is_not_there_yet_is_not_made() -> None:
    """Before the application's first start the place is judged, and stays as it is."""
    found = examined(Path("somewhere") / "audit")

    assert [] == problems(found)
    assert found["directory"].text.endswith("somewhere/audit is not there yet; the application makes it")
    assert [] == os.listdir(".")


@pytest.mark.parametrize("kind", ["file", "link", "group", "others"])
def test_directory_that_configure_refuses_is_a_problem(kind: str) -> None:
    """What configure() would refuse is told in its words, and nothing is written there."""
    path = Path("audit")
    if kind == "file":
        path.touch()
    elif kind == "link":
        path.symlink_to(".")
    else:
        path.mkdir()
        path.chmod(0o770 if kind == "group" else 0o707)
    found = examined()
    with pytest.raises(auditkit.AuditError) as refusal:
        auditkit.configure()

    assert "directory" in problems(found)
    assert str(refusal.value) == f"{found['directory'].text}; {found['directory'].remedy}"


def test_declared_group_is_no_problem() -> None:
    """A shared directory is fit where its group is declared, and refused where it is not."""
    record_one(shared_group=True)

    assert [] == problems(examined(shared=True))
    assert "its group alone may enter (mode 2770)" == examined(shared=True)["permissions"].text
    assert ["directory"] == problems(examined())


def test_file_that_others_may_read_is_warned_of() -> None:
    """A permission that somebody gave by hand is found, with the command that takes it back."""
    record_one()
    Path("audit", "ledger", "ledger.sqlite3").chmod(0o644)
    found = examined()["permissions"]

    assert (Grade.WARNING, f"chmod -R go-rwx {Path.cwd()}/audit") == (found.grade, found.remedy)
    assert found.text.endswith("ledger.sqlite3")


@as_root
def test_files_of_another_user_are_found() -> None:
    """What a command run as root has left in a user's directory is a problem; so is a doctor of another user, a little."""
    record_one()
    for path in (Path("audit"), *Path("audit").rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.chown(Path("audit", "ledger"), 0, 0)
    os.chown(Path("audit", "lanes"), 0, 0)
    found = examined()

    assert ["permissions"] == problems(found)
    assert found["permissions"].text.endswith("and 1 more belongs to another user than the directory")
    assert f"chown -R {NOBODY} {Path.cwd()}/audit" == found["permissions"].remedy
    assert Grade.WARNING is found["user"].grade


AS_NOBODY = f"""
import importlib.metadata, os, sys, auditkit.__main__, auditkit.cli.doctor, auditkit.transports, auditkit.ledger
importlib.metadata.version("httpx")  # while the interpreter's own files can be read: it imports what it needs late
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
sys.exit(auditkit.__main__.main(["doctor", "--json", sys.argv[1]]))
"""


@as_root
@pytest.mark.parametrize("mode, inside", [(0o555, "audit"), (0o555, ""), (0o711, ""), (0o700, "inside/audit")])
def test_user_who_may_not_write_there_is_told(mode: int, inside: str) -> None:
    """Run as the user of a service, it says what that user may not do."""
    with tempfile.TemporaryDirectory() as reachable:
        Path(reachable).chmod(0o755)
        place = Path(reachable) / "place"
        place.mkdir()
        place.chmod(mode)
        command = [sys.executable, "-c", AS_NOBODY, str(place / inside)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50, env=unmeasured())
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)

    assert (1, False) == (done.returncode, told["ok"])
    assert {"directory", "fsync"} == {each["check"] for each in told["findings"] if each["grade"] == "problem"}


def test_destination_is_asked_without_a_key_and_without_an_event() -> None:
    """A probe proves that somebody answers; it carries no authorization, and records nothing."""
    with WorkOSDouble() as workos:
        transports = [
            WorkOSTransport("sk_canary", base_url=workos.base_url),
            Route(WorkOSAuditLogsTransport("sk_canary", base_url=workos.base_url), lambda event: True),
            ScriptedTransport(),
        ]
        found = examined("audit", *transports)
        requests = workos.requests
        events = workos.events

    assert [] == problems(found)
    assert [("GET", "/", b"")] * 2 == [(each.method, each.path, each.body) for each in requests]
    assert [] == [each for each in requests if "authorization" in each.headers or "sk_canary" in str(each)]
    assert [] == events
    assert found["destination workos"].text.startswith(f"{workos.base_url}/ answers 401 after ")
    assert "within" in found["clock"].text
    assert "cannot be asked without an event" in found["destination scripted"].text


def test_clock_that_is_off_is_a_problem() -> None:
    """This machine's time is compared with the destination's."""
    with WorkOSDouble() as workos:
        transport = WorkOSTransport("sk", base_url=workos.base_url)
        clock = DrivenClock(start_ns=0)
        found = {
            each.check: each for each in examine("audit", [transport], shared_group=False, environment={}, clock=clock)
        }

    assert Grade.PROBLEM is found["clock"].grade
    assert "behind 127.0.0.1's" in found["clock"].text


def test_destination_that_is_not_there_is_a_problem() -> None:
    """Who does not answer is named, with why."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, and nobody listens
        transport = WorkOSTransport("sk_canary", base_url=f"http://127.0.0.1:{closed.getsockname()[1]}")
        found = examined("audit", transport)

    assert ["destination workos"] == problems(found)
    assert "no answer from 127.0.0.1: ConnectError" in found["destination workos"].text


@pytest.mark.skipif(shutil.which("openssl") is None, reason="nothing here makes a certificate")
def test_certificate_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that nobody vouches for is a problem; with SSL_CERT_FILE it is one that somebody does."""
    words = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost"
    subprocess.run(
        ["openssl", *words.split(), "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("cert.pem", "key.pem")
    found = []
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            transport = WorkOSTransport("sk", base_url=f"https://127.0.0.1:{server.server_port}")
            found.append(examined("audit", transport))
            monkeypatch.setenv("SSL_CERT_FILE", "cert.pem")
            found.append(examined("audit", transport))
        finally:
            server.shutdown()
            thread.join()

    assert [["destination workos"], []] == [problems(each) for each in found]
    assert "CERTIFICATE_VERIFY_FAILED" in found[0]["destination workos"].text
    assert "answers 200 after" in found[1]["destination workos"].text


def test_remembered_destination_of_which_nothing_is_known_is_told() -> None:
    """A directory that keeps events for somebody who is not named here is warned of."""
    record_one(transport=ScriptedTransport())

    assert "the directory keeps events for scripted, of which nothing is known here" == examined()["destinations"].text


def test_environment_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment states wrongly is told, and of its secrets nothing."""
    monkeypatch.setenv("WORKOS_API_KEY", "sk canary")
    environment = {
        "AUDITKIT_DISABLED": "1",
        "SSL_CERT_FILE": "/nowhere",
        "AUDITKIT_SECRET": "canary",
        "WORKOS_API_KEY": "sk canary",
    }
    found = list(examine("audit", [], shared_group=False, environment=environment))
    told = {(each.check, str(each.grade)) for each in found}

    assert {("environment", "warning"), ("environment", "problem"), ("secret", "problem"), ("key", "problem")} <= told
    assert "canary" not in str(found)


def test_command_tells_each_finding_with_its_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line each, the remedy below it; the secret, the key and a proxy's password in none."""
    for name, value in {
        "AUDITKIT_SECRET": "canary canary canary",
        "WORKOS_API_KEY": "sk_canary",
        "https_proxy": "http://ada:canary@127.0.0.1:9",
        "AUDITKIT_TRANSPORT": "workos_audit_logs",
    }.items():
        monkeypatch.setenv(name, value)
    status = main(["doctor"])
    printed, errors = capsys.readouterr()
    lines = printed.splitlines()

    assert (1, "") == (status, errors)
    assert "ok       secret       AUDITKIT_SECRET is set (not shown)" in lines
    assert "ok       key          WORKOS_API_KEY is set (not shown)" in lines
    assert "ok       proxy        https by http://127.0.0.1:9" in lines
    assert any(
        line.startswith("problem  destination workos_audit_logs no answer from api.workos.com: ") for line in lines
    )
    assert any(line.startswith(" " * 21 + " -> everything is kept and tried again") for line in lines)
    assert "canary" not in printed


@pytest.mark.parametrize("words", [["--transport", "nothing:here"], ["--transport", "os:sep"]])
def test_destination_that_cannot_be_made_is_a_finding(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong with a destination keeps the doctor from nothing else."""
    status = main(["doctor", "--json", *words])
    told = json.loads(capsys.readouterr().out)

    assert (1, False) == (status, told["ok"])
    assert ["destinations"] == [each["check"] for each in told["findings"] if each["grade"] == "problem"]
    assert "versions" in {each["check"] for each in told["findings"]}


def test_sound_service_ends_with_zero() -> None:
    """Without a problem the exit status is 0, and the JSON says so."""
    record_one()
    command = [sys.executable, "-m", "auditkit", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)

    assert (0, "") == (done.returncode, done.stderr)
    assert json.loads(done.stdout)["ok"]
