"""Secrets planted in everything that auditkit takes, and then looked for in everything that leaves it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import traceback
from base64 import b64encode, urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, quote_plus

import pytest

import auditkit
from auditkit import (
    Event,
    RecordingFailed,
    audit_context,
    audited,
    auditing,
    bind_context,
    carry_context,
    current_context,
    current_entry,
    export_context,
    record,
    ref,
    registered_actions,
    restored_context,
)
from auditkit.errors import DeliveryError, DeliveryRejected, WorkOSError
from auditkit.ledger import LedgerReader
from auditkit.testing import DrivenClock, WorkOSDouble
from auditkit.transports import (
    ConsoleTransport,
    JSONLinesTransport,
    MemoryTransport,
    WorkOSAuditLogsTransport,
    WorkOSClient,
    WorkOSTransport,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

PRIVATE = 'Zoë\'s "divorce"\n(draft)'  # no secret: it is recorded, and is in no log, error or health
NAMES = (
    "password", "user_password", "Passphrase", "access_token", "refreshToken", "api_key", "X-API-Key", "apiKey", "client_secret",
    "Authorization", "proxy-authorization", "cookie", "Set-Cookie", "session_id", "private_key", "credentials", "card_number",
    "cvv", "pin", "otp", "ssn", "jwt",
)  # fmt: skip
SHAPES = (
    "Bearer {}", "authorization: bearer {}", "eyJhbGciOiJIUzI1NiJ9.eyJ{0}.{0}",
    "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", "sk_live_{}", "rk_test_{}", "whsec_{}", "ghp_{}", "xoxb-{}",
    "postgres://svc:{}@db.internal/prod", "redis://:{}@cache", "https://{}@git.example/repo",
    "https://example.com/cb?access_token={}&state=1", "sessionid={}; theme=dark", '{{"password": "{}"}}',
    "host=db password={} port=5432", "first line\nsk_live_{}", "Zoë\tBearer {}",
)  # fmt: skip


MARK = "canaryXv9Kd"  # in every secret


class Canaries:
    """Make secrets of which no two are alike, and find them however they were written."""

    def __init__(self) -> None:
        self._forms: dict[str, set[bytes]] = {}

    def plain(self, where: str) -> str:
        """Return a secret that nothing but its name tells."""
        core = f"Zq{len(self._forms):04d}{MARK}"  # long enough for every shape
        self._forms[f"{where}: {core}"] = {*_forms(core)}
        return core

    def shaped(self, where: str) -> list[str]:
        """Return a secret in each shape."""
        shaped = [shape.format(self.plain(f"{where} {shape}")) for shape in SHAPES]
        shaped.append(f"Basic {b64encode(f'svc:{self.plain(where)}'.encode()).decode()}")
        return shaped

    def named(self, where: str) -> dict[str, Any]:
        """Return a mapping whose names tell of secrets."""
        return {name: self.plain(f"{where} {name}") for name in NAMES}

    def state(self, where: str) -> dict[str, Any]:
        """Return a state with secrets at every depth and of every kind, and one field that is none."""
        short = self.plain(where)
        return {
            "body": PRIVATE,
            **self.named(where),
            "settings": {"smtp": {"password": self.plain(where), "deep": [{"token": self.plain(where)}]}},
            "keys": [{"api_key": self.plain(where)}, {"name": "DB_PASSWORD", "value": self.plain(where)}],
            "headers": [("Authorization", self.plain(where)), ("Cookie", self.plain(where))],
            "secret_bytes": self.plain(where).encode(),
            "token_list": [self.plain(where), self.plain(where).encode()],
            "notes": self.shaped(where),
            "each": {f"n{number}": text for number, text in enumerate(self.shaped(where))},
            "raw": f"sk_live_{short}".encode(),
            "raw_line": f"sk_live_{short}\n".encode(),
            "raw_lines": [bytearray(f"\0sk_live_{short}".encode()), memoryview(f"ghp_{short}\r\n".encode())],
            "text": json.dumps({"user": {"password": self.plain(where)}}),
        }

    def found_in(self, data: bytes | str) -> list[str]:
        """Return which secrets are there, by where they were planted."""
        data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        if not any(form in data for form in MARKS):
            return []
        found = [where for where, forms in self._forms.items() if any(form in data for form in forms)]
        return found or ["a part of one"]

    def assert_none_in(self, shown: dict[str, bytes | str]) -> None:
        """Fail with the place and the secret."""
        assert {} == {place: found for place, data in shown.items() if (found := self.found_in(data))}


def _forms(text: str) -> Iterator[bytes]:
    raw = text.encode()
    yield from (raw, json.dumps(text)[1:-1].encode(), quote(text).encode(), quote_plus(text).encode())
    yield from (raw.hex().encode(), raw.hex().upper().encode(), raw[::-1])
    for encode in (b64encode, urlsafe_b64encode):
        for shift in range(3):  # wherever it begins in what was encoded; what its neighbours share is left out
            yield encode(b"\0" * shift + raw)[(0, 2, 3)[shift] :].rstrip(b"=")[:-2]


MARKS = frozenset(_forms(MARK))  # one search for all of them


def test_canary_is_found_in_every_form() -> None:
    """What looks for secrets sees them raw, escaped, quoted, as hex and inside of base64."""
    canaries = Canaries()
    core = canaries.plain("here")
    texts = [core, f'{{"a": "{core}"}}', core.encode().hex(), b64encode(f"ab{core}cd".encode()).decode()]
    texts += [b64encode(f"{pad}{core}".encode()).decode() for pad in ("", "a", "ab", "abc")]

    assert [[f"here: {core}"]] * len(texts) == [[*dict.fromkeys(canaries.found_in(text))] for text in texts]
    assert ["a part of one"] == canaries.found_in(core[1:])
    assert [] == canaries.found_in("canary")


# What plants them.


@dataclass
class Account:
    """An object with secrets in it, before and after."""

    id: str
    state: dict[str, Any]
    password: str
    history: list[Any] = field(default_factory=list)


class Hostile:
    """Raise, with a secret, whatever is asked of it."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> NoReturn:
        raise self._error

    def __str__(self) -> str:
        raise self._error

    __repr__ = __str__


def failing(error: Exception) -> Callable[[], Any]:
    def fail() -> NoReturn:
        raise error

    return fail


def the_error(canaries: Canaries, kind: type[Exception] = ValueError) -> Exception:
    """Return an exception with a secret in its message, its arguments, its notes, its attributes and its cause."""
    error = kind(canaries.plain("error"))  # neither a name nor a shape would give it away
    error.__dict__["details"] = {"token": canaries.plain("error")}
    error.add_note(f"sk_live_{canaries.plain('note')}")
    error.__dict__["api_key"] = canaries.plain("attribute")
    error.__cause__ = RuntimeError(canaries.plain("cause"))
    return error


def plant_in_decorated_calls(canaries: Canaries) -> list[object]:
    """Audit functions whose arguments, states, results and metadata are secret."""

    @audited(
        "account.update",
        "U",
        target="account.id",
        capture="account",
        redact=("shoe_size",),
        metadata={**canaries.named("decorator"), "note": canaries.shaped("decorator")[0], "token": ref("password")},
    )
    def update(account: Account, password: str, **more: Any) -> str:
        account.state = canaries.state("after")
        account.password = canaries.plain("after")
        account.history.append({"shoe_size": canaries.plain("shoe_size")})
        entry = current_entry()
        entry.metadata.update(canaries.state("entry"))
        entry.metadata["shoe_size"] = canaries.plain("shoe_size")
        entry.watch(canaries.state("watch"))
        entry.add_target("row_1", before=canaries.state("row"), after=canaries.state("row"))
        entry.add_target("row_2", after=canaries.state("row"))
        return canaries.plain("result")

    @audited("account.create", "C", capture="result", metadata={"pin": lambda result: result["pin"]})
    async def create(api_key: str) -> dict[str, Any]:
        return canaries.state("created")

    @audited("account.delete", "D", capture="account", redact=("shoe_size",))
    def delete(account: Account, cookie: str) -> None:
        """Delete it."""

    @audited("account.read", "R", after=lambda: canaries.state("read"))
    def read(token: str) -> Iterator[str]:
        yield canaries.plain("yielded")

    account = Account("account_1", canaries.state("before"), canaries.plain("before"))
    update(account, canaries.plain("argument"), authorization=canaries.plain("argument"))
    asyncio.run(create(canaries.plain("argument")))
    delete(account, canaries.plain("argument"))
    list(read(canaries.plain("argument")))
    carry_context(update)(account, canaries.plain("argument"))
    return [update, create, delete, read]


def plant_in_failing_calls(canaries: Canaries) -> list[object]:
    """Audit what raises, and declare references and callables that raise, all with secrets in their errors."""
    error = the_error(canaries)

    @audited("account.fail", "U", capture="account", on_error="record", metadata={"token": canaries.plain("failed")})
    def fail(account: Account, password: str) -> None:
        raise error

    @audited("account.deny", "U", on_error="account.denied")
    async def deny(password: str) -> None:
        raise the_error(canaries, PermissionError)

    @audited(
        "account.stumble",
        "U",
        target=failing(the_error(canaries)),
        actor=failing(the_error(canaries)),
        group=failing(the_error(canaries)),
        before=failing(the_error(canaries)),
        after=failing(the_error(canaries)),
        metadata={"why": failing(the_error(canaries))},
        when=failing(the_error(canaries)),
        outcome=failing(the_error(canaries)),
    )
    def stumble(password: str) -> None:
        with suppress(ValueError):
            current_entry().set_target(Hostile(the_error(canaries)))
        current_entry().watch(Hostile(the_error(canaries)))
        current_entry().metadata["hostile"] = Hostile(the_error(canaries))

    @audited("account.insist", "U", target="account.id", on_audit_error="raise")
    def insist(account: Hostile) -> None:
        """Never run."""

    with pytest.raises(ValueError, match=MARK) as raised:
        fail(Account("account_2", canaries.state("failed"), canaries.plain("failed")), canaries.plain("argument"))
    assert error is raised.value
    with pytest.raises(PermissionError):
        asyncio.run(deny(canaries.plain("argument")))
    stumble(canaries.plain("argument"))
    with pytest.raises(RecordingFailed) as refused:
        insist(Hostile(the_error(canaries)))
    return [fail, deny, stumble, insist, _whole(refused.value)]


def plant_in_blocks_and_facts(canaries: Canaries) -> list[object]:
    """State facts and audit blocks with secrets in every value, usable or not."""
    with auditing("account.edit", "U", target="account_3", before=canaries.state("block"), after=canaries.state("block"),
                  metadata={**canaries.state("block")}, redact=("shoe_size",)) as entry:  # fmt: skip
        entry.metadata["shoe_size"] = canaries.plain("block")
    with suppress(ValueError), auditing("account.edit", "U", capture=canaries.state("block"), on_error="record"):
        raise the_error(canaries)
    entry.metadata["late"] = canaries.plain("late")
    receipt = record(
        "account.state", "U", before=canaries.state("record"), after=canaries.state("record"),
        metadata={**canaries.named("record"), "notes": {str(at): text for at, text in enumerate(canaries.shaped("record"))}},
    )  # fmt: skip
    unusable: list[dict[str, Any]] = [
        {"metadata": {"password": [canaries.plain("unusable")]}},
        {"metadata": {"a": {"b": {"token": canaries.plain("unusable")}}}},
        {"metadata": {"note": Hostile(the_error(canaries))}},
        {"target": Hostile(the_error(canaries))},
        {"actor": {"password": canaries.plain("unusable")}},
        {"group": [canaries.plain("unusable")]},
        {"before": Hostile(the_error(canaries)), "after": canaries.state("unusable")},
    ]
    receipts = [record("account.state", "U", **each) for each in unusable]
    event = Event(
        "acme", "account.emit", "U", "Ada", "ada", "T", "t", "here",
        metadata={**canaries.named("emit"), "notes": {str(at): text for at, text in enumerate(canaries.shaped("emit"))}},
    )  # fmt: skip
    return [entry, receipt, *receipts, auditkit.emit(event)]


def plant(canaries: Canaries) -> list[object]:
    """Give auditkit secrets wherever it takes anything; return what it gave."""
    metadata = {**canaries.named("context"), "map": canaries.named("context map")}
    metadata |= {f"note{number}": text for number, text in enumerate(canaries.shaped("context"))}
    shown: list[object] = []
    with audit_context(actor=("ada", "Ada"), group="acme", location="here", metadata=metadata):
        bind_context(metadata={"token": canaries.plain("bound"), "lines": canaries.shaped("bound")[-3]})
        shown += plant_in_decorated_calls(canaries)
        exported = export_context()
        with restored_context(exported):
            shown += plant_in_failing_calls(canaries)
        shown += [exported, json.dumps(exported)]
        with audit_context(
            actor=failing(the_error(canaries)),
            location=Hostile(the_error(canaries)),
            metadata=lambda: canaries.named("asked"),
        ):
            shown += plant_in_blocks_and_facts(canaries)
    return shown


# What leaves.


def _whole(error: BaseException) -> str:
    """Return all that a log or a report shows of an error."""
    parts = [repr(error), str(error), repr(error.__dict__), repr(getattr(error, "__notes__", ""))]
    return "\n".join([*parts, *traceback.format_exception(error)])


def _locals(error: BaseException) -> str:
    """Return what a debugger shows of an error, in auditkit's own frames."""
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    return "\n".join(str(frame.locals) for frame in frames if "auditkit/transports" in frame.filename)


def _files(directory: Path) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for path in sorted(directory.rglob("*")):
        with suppress(FileNotFoundError):  # a segment that was delivered meanwhile
            if path.is_file():
                found[str(path)] = path.read_bytes() + os.fsencode(path.name)
    return found


def _shown(values: Iterable[object]) -> dict[str, bytes | str]:
    return {f"{number} {type(each)}": f"{each!r} {each!s}" for number, each in enumerate(values)}


def _numbered(lines: list[str]) -> dict[str, bytes | str]:
    return {f"line {number}": line for number, line in enumerate(lines)}


def _requests(workos: WorkOSDouble) -> dict[str, bytes | str]:
    return {
        f"request {number}": request.body
        + f"{request.method} {request.path} ".encode()
        + repr({name: text for name, text in request.headers.items() if name != "authorization"}).encode()
        for number, request in enumerate(workos.requests)
    }


class Log(logging.Handler):
    """Keep every record, formatted with whatever traceback it has, and its parts."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, entry: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(entry)} {entry.__dict__!r}")


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    logger = logging.getLogger("auditkit")
    level = logger.level
    logger.addHandler(log)
    logger.setLevel(logging.DEBUG)
    yield log
    logger.removeHandler(log)
    logger.setLevel(level)


def printed(directory: Path, *words: str, **environment: str) -> str:
    """Return what ``auditkit log`` prints, both its streams."""
    done = subprocess.run(
        [sys.executable, "-m", "auditkit", "log", str(directory), *words],
        capture_output=True, text=True, timeout=50, check=True, env={**os.environ, **environment},
    )  # fmt: skip
    assert "account.update" in done.stdout
    return done.stdout + done.stderr


@pytest.mark.parametrize("configured", [True, False], ids=["secret", "no secret"])
@pytest.mark.parametrize("kind", [WorkOSTransport, WorkOSAuditLogsTransport])
def test_no_secret_is_anywhere(
    configured: bool,  # noqa: FBT001  (a parameter)
    kind: Callable[..., WorkOSTransport | WorkOSAuditLogsTransport],
    log: Log,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """No file, request, log line, repr, error, count, dead letter or listing holds a secret that was given."""
    canaries = Canaries()
    secret = canaries.plain("secret of auditkit") if configured else None
    memory, clock = MemoryTransport(), DrivenClock()
    with WorkOSDouble(api_key=f"sk_live_{canaries.plain('key')}") as workos:
        transport = kind(workos.api_key, base_url=workos.base_url, concurrency=1)
        lines = JSONLinesTransport(tmp_path / "events.jsonl")
        trail = auditkit.configure([transport, memory, lines, ConsoleTransport()], secret=secret)
        environment = {"AUDITKIT_SECRET": secret} if secret else {}
        with workos.holding():
            given = plant(canaries)
            workos.wait_for_requests(1)
            canaries.assert_none_in(_files(tmp_path))
        assert trail.flush(10)
        canaries.assert_none_in(_files(tmp_path))
        trail.shutdown(10)

        told = [
            *given,
            trail,
            trail.settings,
            trail.redactor,
            transport,
            memory,
            lines,
            workos,
            trail.stats(),
            trail.health(),
        ]
        told += [
            *memory.events,
            *LedgerReader(tmp_path / "audit").events(),
            *registered_actions(),
            current_entry(),
            clock,
        ]
        canaries.assert_none_in(_shown(told))
        canaries.assert_none_in(_requests(workos))
        canaries.assert_none_in(_files(tmp_path))
        canaries.assert_none_in(_numbered(log.lines))
        canaries.assert_none_in({"console": "".join(capfd.readouterr())})
        canaries.assert_none_in({
            "log": printed(tmp_path / "audit", **environment),
            "log --json": printed(tmp_path / "audit", "--json", **environment),
        })  # fmt: skip

    assert f"Bearer {workos.api_key}" == workos.requests[0].headers["authorization"]
    assert "stumble could not be read" in " ".join(log.lines)  # something was told of all that
    assert any("sk" not in str(event.metadata) and "[redacted" in str(event.metadata) for event in memory.events)
    assert PRIVATE not in " ".join(log.lines)


def echoes(key: str) -> list[object]:
    """Return what a server may say that repeats all it was sent."""
    inside = json.dumps({"body": PRIVATE, "authorization": f"Bearer {key}"})
    return [
        {"message": f"Invalid API key '{key}'", "errors": [{"field": PRIVATE, "code": f"not {key}"}]},
        {
            "message": f"no: {inside}",
            "errors": [{"instancePath": "/metadata/body", "keyword": PRIVATE, "data": PRIVATE}],
        },
        {"message": f"no: {json.dumps(inside)}", "error": PRIVATE, "data": {"metadata": {"body": PRIVATE}}},
        {"message": f"Cannot GET /events?search={quote_plus(PRIVATE)}&key={quote(key)}"},
        f"<html>Bearer {key} {PRIVATE}</html>",
    ]


SAID = [PRIVATE, json.dumps(PRIVATE)[1:-1], json.dumps(PRIVATE, ensure_ascii=False)[1:-1], "divorce"]


@pytest.mark.parametrize("number", range(len(echoes(""))))
@pytest.mark.parametrize("kind", [WorkOSTransport, WorkOSAuditLogsTransport])
def test_nothing_that_a_server_echoes_is_shown(
    kind: Callable[..., WorkOSTransport | WorkOSAuditLogsTransport], number: int, log: Log, tmp_path: Path
) -> None:
    """Neither the key nor the event's data come back in counts, health, receipts, dead letters, errors or logs."""
    canaries, clock, shown = Canaries(), DrivenClock(), list[str]()
    with WorkOSDouble(api_key=f"sk_live_{canaries.plain('key')}") as workos:
        echo = echoes(workos.api_key)[number]
        trail = auditkit.AuditTrail(
            kind(workos.api_key, base_url=workos.base_url, concurrency=1, name="workos"), clock=clock
        )
        auditkit.configure(directory=None)
        for status in (401, 503, 302, 422):
            workos.fail(status, body=echo)
        receipt = trail.emit(Event("g", "note.write", "C", "Ada", "ada", "T", "t", "here", metadata={"body": PRIVATE}))
        for failures in (1, 2, 3):  # kept, and tried again
            while trail.stats().destinations["workos"].failures < failures:
                clock.advance(1)
            shown += [repr(trail.stats()), repr(trail.health())]
            clock.advance(300)
        with pytest.raises(DeliveryRejected, match="422") as rejected:
            receipt.result(10)
        shown += [
            _whole(rejected.value),
            rejected.value.reason,
            repr(receipt),
            repr(trail.stats()),
            repr(trail.health()),
        ]
        dead = (tmp_path / "audit" / "dead" / "workos.jsonl").read_text("ascii")
        shown += [json.loads(line)["reason"] for line in dead.splitlines()]
        trail.shutdown(10)
        for status in (400, 401, 404, 422, 500, 200):
            workos.fail(status, body=echo, times=3)
            shown += errors_of(kind, workos)

    canaries.assert_none_in({"dead letters": dead, **_numbered(shown), **_numbered(log.lines)})
    assert [] == [said for said in SAID for text in [*shown, *log.lines] if said in text]


def errors_of(kind: Callable[..., WorkOSTransport | WorkOSAuditLogsTransport], workos: WorkOSDouble) -> Iterator[str]:
    """Yield what is shown of the errors of a transport and a client."""
    event = Event("g", "note.write", "C", "Ada", "ada", "T", "t", "here", metadata={"body": PRIVATE})
    transport = kind(workos.api_key, base_url=workos.base_url)
    with WorkOSClient(workos.api_key, base_url=workos.base_url) as client:
        uses: list[Callable[[], object]] = [
            lambda: transport.send([event]),
            lambda: client.create_event(event),
            lambda: client.list_events(search=PRIVATE),
        ]
        for use in uses:
            with pytest.raises((DeliveryError, WorkOSError)) as caught:
                use()
            yield _whole(caught.value)
            yield repr([transport, client, transport.__dict__, client.__dict__])
    transport.close()


def test_key_is_in_no_frame_of_an_error() -> None:
    """What a debugger or an error tracker reads from auditkit's frames has no key in it."""
    canaries = Canaries()
    with WorkOSDouble(api_key=f"sk_live_{canaries.plain('key')}") as workos:
        transport = WorkOSTransport(workos.api_key, base_url=workos.base_url)
        workos.fail(401)
        with pytest.raises(DeliveryError) as caught:
            transport.send([Event("g", "note.write", "C", "Ada", "ada", "T", "t", "here")])
        transport.close()

    assert "raw" in _locals(caught.value)
    canaries.assert_none_in({"locals": _locals(caught.value)})


def _in_context_of_text(secret: str) -> None:
    with audit_context(metadata=secret):  # type: ignore[arg-type]
        record("note.write", "C")


def _judged_by_text(secret: str) -> None:
    @audited("note.write", "C", outcome=lambda result: result)
    def write() -> str:
        return secret

    write()


def _in_block_of_text(secret: str) -> None:
    with auditing("note.write", "C", metadata=secret):  # type: ignore[arg-type]
        pass


MISTAKES: dict[str, Callable[[str], object]] = {
    "record": lambda secret: record("note.write", "C", metadata=secret),  # type: ignore[arg-type]
    "context": _in_context_of_text,
    "outcome": _judged_by_text,
    "block": _in_block_of_text,
    "emit": auditkit.emit,  # type: ignore[dict-item]
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_text_in_the_wrong_place_is_not_logged(mistake: str, log: Log) -> None:
    """What was given where something else belongs may be a secret, and is not repeated in the log."""
    canaries = Canaries()
    auditkit.configure(directory=None)
    MISTAKES[mistake](f"sk_live_{canaries.plain(mistake)}")

    canaries.assert_none_in(_numbered(log.lines))


def test_context_shows_no_secret() -> None:
    """A context that is printed shows nothing that its events would not."""
    canaries = Canaries()
    with audit_context(metadata=canaries.named("context")):
        canaries.assert_none_in(_shown([current_context()]))
