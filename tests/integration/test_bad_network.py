"""A whole trail on networks that fail: nothing is lost, nobody else waits, and the reason is told."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditkit.testing import DrivenClock, WorkOSDouble
from auditkit.transports import WorkOSAuditLogsTransport, WorkOSTransport
from tests.integration.children import arrivals, deliver, once
from tests.marks import unshared
from tests.unit.transports.examples import an_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditkit import AuditTrail
    from tests.integration.children import Run


def trouble_of(trail: AuditTrail, name: str = "workos") -> str:
    """Return what keeps a destination from accepting events, as soon as there is something."""
    while not (trouble := trail.stats().destinations[name].trouble):
        pass
    return trouble


# ---------------------------------------------------------------------- names and certificates


@unshared
def test_name_that_cannot_be_resolved_is_waited_for(run: Run, workos: WorkOSDouble, tmp_path: Path) -> None:
    """Where no name is resolved everything waits, the reason is told, and the next process delivers it."""
    child = run(
        """
trail = auditkit.configure(WorkOSTransport(key, base_url="https://workos.invalid"), directory=directory)
ids = [emit() for _ in range(3)]
while not (found := trail.stats().destinations["workos"]).trouble:
    pass
say(found.trouble, found.pending, trail.health().ok)
say(*ids)
os.kill(os.getpid(), signal.SIGKILL)
""",
        under=["unshare", "-n"],
    )
    told, ids = child.heard(), child.heard()
    child.gone()
    deliver(workos, tmp_path / "audit")

    assert ["no answer from workos.invalid: ConnectError", 3, False] == [told[0][:43], *told[1:]]
    assert once(ids) == arrivals(workos)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="nothing here makes a certificate")
def test_certificate_that_nobody_vouches_for_gets_nothing(
    workos: WorkOSDouble, make: Callable[..., AuditTrail], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server with a certificate of its own making is told no key and no event; once it is trusted it gets all."""
    words = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost"
    subprocess.run(
        ["openssl", *words.split(), "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("cert.pem", "key.pem")
    server = workos._server._server
    server.socket = context.wrap_socket(server.socket, server_side=True)
    base_url = workos.base_url.replace("http:", "https:")
    trail = make(WorkOSTransport(workos.api_key, base_url=base_url), ledger=False, clock=DrivenClock())
    ids = [trail.emit(an_event()).id for _ in range(3)]
    told = trouble_of(trail)
    requests = workos.requests
    trail.shutdown(timeout=0)
    for thread in threading.enumerate():  # what is under way ends by itself, and holds its segment until then
        if thread.name.startswith("auditkit-workos"):
            thread.join()
    monkeypatch.setenv("SSL_CERT_FILE", "cert.pem")
    trusting = make(WorkOSTransport(workos.api_key, base_url=base_url), ledger=False)

    assert trusting.flush(timeout=20)
    assert "CERTIFICATE_VERIFY_FAILED" in told
    assert [] == requests
    assert once(ids) == arrivals(workos)


# ---------------------------------------------------------------------- one among others


def test_unknown_organization_of_one_tenant_holds_up_no_other(make: Callable[..., AuditTrail], tmp_path: Path) -> None:
    """Events of a tenant that WorkOS does not know are dead letters with the reason; all others' are delivered."""
    with WorkOSDouble(organizations={"org_1", "org_3"}) as workos:
        logs = WorkOSAuditLogsTransport(
            workos.api_key, base_url=workos.base_url, organization=lambda group: group.replace("tenant", "org")
        )
        trail = make(logs, delivery_share=1)
        events = [an_event(group=f"tenant_{1 + number % 3}") for number in range(30)]
        for event in events:
            trail.emit(event)

        assert trail.flush(timeout=20)
        found = trail.stats().destinations["workos_audit_logs"]
        accepted = Counter(event["organization_id"] for event in workos.events)
    letters = [
        json.loads(line)
        for line in (tmp_path / "audit" / "dead" / "workos_audit_logs.jsonl").read_text("ascii").splitlines()
    ]

    assert {"org_1": 10, "org_3": 10} == accepted
    assert (20, 10, 0) == (found.delivered, found.dead_letters, found.pending)
    assert once([event.id for event in events if event.group == "tenant_2"]) == once(
        [letter["event"]["id"] for letter in letters]
    )
    assert {True} == {"Organization not found" in letter["reason"] for letter in letters}


def test_event_that_does_not_match_its_schema_is_a_letter_with_workos_s_reason(
    workos: WorkOSDouble, make: Callable[..., AuditTrail], tmp_path: Path
) -> None:
    """A dead letter says where and why the schema of an action was not met, without what stood there; others go on."""
    wrong = {
        "instancePath": "/metadata/plan",
        "keyword": "enum",
        "data": "a private plan",
        "message": "a private plan?",
    }
    workos.fail(400, body={"code": "invalid_audit_log", "message": "Invalid Audit Log event", "errors": [wrong]})
    logs = WorkOSAuditLogsTransport(
        workos.api_key, base_url=workos.base_url, versions={"tweet.update": 2}, concurrency=1
    )
    trail = make(logs, delivery_share=1)
    refused, other = (an_event(group="org_1", metadata={"plan": plan}) for plan in ("a private plan", "pro"))
    trail.emit(refused)
    trail.emit(other)

    assert trail.flush(timeout=20)
    (letter,) = map(
        json.loads, (tmp_path / "audit" / "dead" / "workos_audit_logs.jsonl").read_text("ascii").splitlines()
    )
    assert refused.id == letter["event"]["id"]
    assert letter["reason"].startswith("WorkOS answered 400: Invalid Audit Log event (/metadata/plan: enum)")
    assert "private" not in letter["reason"]
    assert [("pro", 2)] == [(each["event"]["metadata"]["plan"], each["event"]["version"]) for each in workos.events]


def test_answer_that_was_lost_for_more_than_a_day_is_marked(
    workos: WorkOSDouble, make: Callable[..., AuditTrail], tmp_path: Path
) -> None:
    """The answer is lost, and WorkOS forgets its key before the event comes again: it is there twice, and said to be."""
    clock = DrivenClock()
    trail = make(WorkOSTransport(workos.api_key, base_url=workos.base_url), clock=clock)
    workos.lose_answer()
    trail.emit(an_event())
    trouble_of(trail)
    workos.expire_idempotency_keys()
    clock.advance(25 * 3600)

    assert trail.flush(timeout=20)
    assert 2 == len(workos.events)
    assert workos.requests[0].body == workos.requests[1].body
    assert workos.requests[0].headers["idempotency-key"] == workos.requests[1].headers["idempotency-key"]
    assert 1 == trail.stats().destinations["workos"].possible_duplicates


# ---------------------------------------------------------------------- down for long


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks /proc for a process's memory")
def test_long_outage_costs_disk_and_no_memory(run: Run) -> None:
    """A destination is down for 50,000 events: memory grows by less than 3 MiB, and then each event arrives once."""
    child = run(
        """
from collections import Counter
from auditkit.errors import TemporaryFailure

class Down:
    name, max_batch, concurrency, durable = "down", 500, 2, True
    down, got = True, Counter()

    def send(self, events):
        if self.down:
            raise TemporaryFailure("nobody is there")
        self.got.update(event.id for event in events)

    def close(self):
        pass

def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def fill(first, last):
    for number in range(first, last):
        trail.emit(Event("g", "user.login", "C", "a", "a", "t", "t", "1.1.1.1", id=f"event-{number}"))

destination = Down()
trail = auditkit.configure(destination, directory=directory, ledger=False)
fill(0, 5_000)
before = memory()
fill(5_000, 50_000)
say(memory() - before, trail.stats().destinations["down"].pending)
destination.down = False
say(trail.flush(50), destination.got == Counter(f"event-{number}" for number in range(50_000)))
""",
        measured=False,
    )
    grown, pending = child.heard()

    assert 50_000 == pending
    assert grown < 3 * 2**20  # of 64 MiB for a million events
    assert [True, True] == child.heard()
    child.end()
