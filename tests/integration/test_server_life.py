"""Services on real servers whose processes are killed or replaced in mid-life: what was accepted is delivered."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.integration.children import arrivals, deliver
from tests.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from auditkit.testing import WorkOSDouble

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="gunicorn forks, and uvicorn's reload is ended by SIGTERM"
)

# A service that answers each request with its process, its version and the id of the event that it recorded.
COMMON = """
import json, os
import auditkit
from auditkit.transports import WorkOSTransport

VERSION = {version!r}
auditkit.configure(WorkOSTransport({key!r}, base_url={url!r}), directory="audit", delivery_share=1)

def answered():
    receipt = auditkit.record("page.view", "R", actor="ada", group="acme", location="here", target="page")
    return json.dumps([os.getpid(), VERSION, receipt.id]).encode()
"""
WSGI = """
def service(environ, start_response):
    body = answered()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
ASGI = """
async def service(scope, receive, send):
    if scope["type"] == "http":
        body = answered()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({{"type": "http.response.start", "status": 200, "headers": headers}})
        await send({{"type": "http.response.body", "body": body}})
    else:
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({{"type": message["type"] + ".complete"}})
        await send({{"type": "lifespan.shutdown.complete"}})
"""


def write_service(place: Path, kind: str, workos: WorkOSDouble, version: str) -> None:
    text = (COMMON + kind).format(version=version, key=workos.api_key, url=workos.base_url)
    (place / "served.py").write_text(text, "utf-8")


@contextmanager
def served(place: Path, words: Sequence[str], said: str) -> Iterator[str]:
    """Run a server until the block ends; gives where it listens, which it says by a line."""
    environment = unmeasured() | {"AUDITKIT_SHUTDOWN_TIMEOUT": "0.5", "PYTHONDONTWRITEBYTECODE": "1"}
    listening: Future[str] = Future()

    def read(log: Iterable[str]) -> None:  # to its end: a full pipe would hold the server
        for line in log:
            if (found := re.search(said, line)) and not listening.done():
                listening.set_result(found[1])

    with subprocess.Popen(
        [sys.executable, "-m", *words], cwd=place, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        reading = threading.Thread(target=read, args=(process.stderr,))
        reading.start()
        try:
            yield listening.result(30)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(50)
            reading.join()


def ask(server: str) -> tuple[int, str, str] | None:
    """Ask once; None where no whole answer came, since the process that had the request died."""
    connection = http.client.HTTPConnection(server, timeout=30)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert 200 == answer.status
        pid, version, event = json.loads(answer.read())
    except (http.client.HTTPException, OSError):
        return None
    finally:
        connection.close()
    return pid, version, event


class Load:
    """Clients that ask one question after the other, each on a thread."""

    def __init__(self, server: str, clients: int) -> None:
        self.answers: list[tuple[int, str, str]] = []
        self._server = server
        self._changed = threading.Condition()
        self._enough = False
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        while not self._enough:
            answer = ask(self._server)
            with self._changed:
                if answer:
                    self.answers.append(answer)
                self._changed.notify_all()

    def wait_until(self, holds: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(holds, timeout=50)

    def end(self) -> None:
        self._enough = True
        for thread in self._threads:
            thread.join()

    def processes(self) -> set[int]:
        return {pid for pid, _, _ in self.answers}

    def versions(self) -> set[str]:
        return {version for _, version, _ in self.answers}

    def ids(self) -> set[str]:
        return {event for _, _, event in self.answers}


def test_preloaded_worker_killed_in_mid_load_loses_nothing(workos: WorkOSDouble, tmp_path: Path) -> None:
    """gunicorn --preload with three workers, one killed in mid-load: each answered request's event arrives once."""
    write_service(tmp_path, WSGI, workos, "1")
    words = ["gunicorn", "--preload", "--workers=3", "--bind=127.0.0.1:0", "--no-control-socket", "served:service"]
    with served(tmp_path, words, r"Listening at: http://(\S+)") as server:
        load = Load(server, clients=6)
        try:
            load.wait_until(lambda: len(load.answers) > 150 and len(load.processes()) == 3)
            before = load.processes()
            os.kill(load.answers[-1][0], signal.SIGKILL)
            load.wait_until(lambda: bool(load.processes() - before))  # gunicorn has forked another one
            reached = len(load.answers)
            load.wait_until(lambda: len(load.answers) > reached + 100)
        finally:
            load.end()
    deliver(workos, tmp_path / "audit")

    sent = arrivals(workos)
    assert set() == load.ids() - {*sent}
    assert len(sent) == len(workos.events)  # by its id each event is there once
    assert len(sent) - len(load.ids()) in range(7)  # a request whose answer was lost: one for each client
    assert sum(sent.values()) - len(sent) in range(17)  # what each of four processes had in flight when it ended


def test_reload_in_mid_life_loses_nothing(workos: WorkOSDouble, tmp_path: Path) -> None:
    """uvicorn --reload while WorkOS hangs: what the replaced process had not delivered arrives, each event once."""
    write_service(tmp_path, ASGI, workos, "1")
    words = ["uvicorn", "served:service", "--reload", "--port=0", "--log-level=info", "--lifespan=on"]
    with served(tmp_path, words, r"running on http://(\S+)") as server:
        load = Load(server, clients=3)
        try:
            load.wait_until(lambda: len(load.answers) > 50)
            with workos.holding():
                reached = len(load.answers)
                load.wait_until(lambda: len(load.answers) > reached + 50)
                write_service(
                    tmp_path, ASGI, workos, "the second"
                )  # of another length: the time stamp may be too coarse
                load.wait_until(lambda: "the second" in load.versions())
            reached = len(load.answers)
            load.wait_until(lambda: len(load.answers) > reached + 50)
        finally:
            load.end()
    deliver(workos, tmp_path / "audit")

    sent = arrivals(workos)
    assert {"1", "the second"} == load.versions()
    assert 2 == len(load.processes())
    assert set() == load.ids() - {*sent}
    assert len(sent) == len(workos.events)
    assert len(sent) - len(load.ids()) in range(4)
