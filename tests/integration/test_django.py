"""The example service on Django: its own tests, and many requests at once on real servers."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.test_middleware import REQUESTS, address_of, get

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "django"
ADDRESS = re.compile(r"(?:Listening at: |running on )http://([\d.:]+)")

# So many users, each logged in by Django itself and with a plan of their own.
PREPARE = f"""
import json
from django.contrib.auth.models import User
from django.test import Client
from plans.models import Plan

users = User.objects.bulk_create([User(pk=n + 1, username=f"user_{{n}}") for n in range({REQUESTS})])
Plan.objects.bulk_create([Plan(pk=n + 1, name="Basic") for n in range({REQUESTS})])
cookies = []
for user in users:
    client = Client()
    client.force_login(user)
    cookies.append(client.cookies["sessionid"].value)
print(json.dumps(cookies))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "service"))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Return a project with its users, and the cookie of each one's session."""
    project = Path(shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("prepared") / "service"))
    run(project, "migrate", "--verbosity=0")
    cookies: list[str] = json.loads(run(project, "shell", "--no-imports", "-c", PREPARE).splitlines()[-1])
    return project, cookies


def run(project: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env=surroundings(),
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def surroundings() -> dict[str, str]:
    """Return an environment in which a project's own folder is importable, as `python manage.py` needs it."""
    unsafe = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    return {**unsafe, "PLANS_PROXIES": "127.0.0.1"}


def test_tests_of_the_example_pass(project: Path) -> None:
    """The example is what a user copies: its own tests pass with Django's runner."""
    run(project, "test")


@contextmanager
def served(project: Path, *words: str) -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", *words], cwd=project, stderr=subprocess.PIPE, text=True, env=surroundings()
    ) as process:
        assert process.stderr is not None
        try:
            yield next(filter(None, map(ADDRESS.search, iter(process.stderr.readline, ""))))[1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.stderr.read()


GUNICORN = ("gunicorn", "--workers=2", "--worker-class=gthread", "--threads=8", "--bind=127.0.0.1:0", "--no-control-socket", "wsgi")  # fmt: skip
UVICORN = ("uvicorn", "--port=0", "--no-proxy-headers", "asgi:application")


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")
@pytest.mark.parametrize(
    ("server", "path", "action"),
    [
        (GUNICORN, "/plans/{}/rename?name=Pro", "plan.update"),
        (UVICORN, "/plans/{}/show", "plan.read"),
        (UVICORN, "/plans/{}/rename?name=Pro", "plan.update"),
    ],
    ids=["gunicorn", "uvicorn-async-view", "uvicorn-sync-view"],
)
async def test_requests_at_once_are_apart(
    prepared: tuple[Path, list[str]], tmp_path: Path, server: tuple[str, ...], path: str, action: str
) -> None:
    """Two hundred users at once, each in a session of Django's: every event is its own request's in everything."""
    project = Path(shutil.copytree(prepared[0], tmp_path / "service"))
    cookies = prepared[1]
    with served(project, *server) as address:
        answers = await asyncio.gather(
            *(
                get(address, path.format(number + 1), {**headers_of(number), "Cookie": f"sessionid={cookie}"})
                for number, cookie in enumerate(cookies)
            )
        )
    assert {"HTTP/1.1 200 OK"} == {answer.partition("\r\n")[0] for answer in answers}

    seen = {
        (each["target_id"], each["actor_id"], each["actor_name"], each["location"], each["metadata"]["request_id"])
        for each in events_in(project)
        if each["action"] == action
    }
    assert seen == {(str(n + 1), str(n + 1), f"user_{n}", address_of(n), f"request_{n}") for n in range(REQUESTS)}


def headers_of(number: int) -> dict[str, str]:
    return {"X-Forwarded-For": f"198.51.100.66, {address_of(number)}", "X-Request-ID": f"request_{number}"}


def events_in(project: Path) -> list[Mapping[str, Any]]:
    command = [sys.executable, "-m", "auditkit", "log", "audit", "--json", "--limit", "1000"]
    done = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]
