"""The example shop on Celery: real senders, and a real worker with processes of its own."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "celery"

CUSTOMERS = 100

# So many customers order at once. Then somebody who can write to the queue sends tasks in another's name, and one comes
# from a process that sends no context.
SEND = f"""
import json
from concurrent.futures import ThreadPoolExecutor

from celery import signals

from auditkit import audit_context, export_context
from orders_on_celery import place_order, tell_customer

def order(number):
    with audit_context(actor=f"user_{{number}}", group=f"group_{{number}}", location=f"198.51.100.{{number}}"):
        place_order(number)

with ThreadPoolExecutor(8) as pool:
    list(pool.map(order, range({CUSTOMERS})))

with audit_context(actor="mallory"):
    export = export_context()
    export["actor"]["id"] = "ada"
    unsigned = {{name: value for name, value in export.items() if name != "signature"}}
    for number, sent in enumerate([json.dumps(export), json.dumps(unsigned), "{{", 7]):
        tell_customer.apply_async((f"forged_{{number}}",), headers={{"auditkit": sent}})
    signals.before_task_publish.disconnect(dispatch_uid="auditkit")
    tell_customer.delay("unsaid")
"""
TOLD = CUSTOMERS + 5


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "shop", ignore=shutil.ignore_patterns("home", "__pycache__")))


def surroundings() -> dict[str, str]:
    """Return an environment in which a project's own folder is importable, as `celery` needs it."""
    unsafe = {name: value for name, value in unmeasured().items() if name != "PYTHONSAFEPATH"}
    return {**unsafe, "ORDERS_SECRET": "the secret of this shop"}


@contextmanager
def working(shop: Path, *options: str) -> Iterator[Iterator[str]]:
    """Run a worker, and give what it says; it ends when this is left, and then has ended in order."""
    command = [sys.executable, "-m", "celery", "--app", "orders_on_celery", "worker", "--loglevel=INFO", "--without-mingle", "--without-gossip"]  # fmt: skip
    with subprocess.Popen(
        [*command, *options], cwd=shop, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=surroundings()
    ) as worker:
        assert worker.stdout is not None
        try:
            yield iter(worker.stdout.readline, "")
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.stdout.read()
    assert 0 == worker.returncode


@pytest.mark.skipif(sys.platform == "win32", reason="Celery's pool needs fork")
def test_tasks_are_their_senders(shop: Path) -> None:
    """A hundred customers at once: each task, its retry and the task that it sends are that customer's; what is forged is nobody's, and is done."""
    subprocess.run([sys.executable, "-c", SEND], cwd=shop, check=True, env=surroundings())
    with working(shop, "--pool=prefork", "--concurrency=2") as said:
        told = (line for line in said if "orders_on_celery.tell_customer" in line and "succeeded" in line)
        assert TOLD == sum(1 for _, _ in zip(range(TOLD), told, strict=False))

    # Celery ends its pool's processes without the interpreter's exit, and each delivers what it recorded nevertheless.
    assert [] == [*(shop / "home" / "audit" / "journal").iterdir()]
    events = events_in(shop)
    ids = {each["id"]: each for each in events}
    senders = Counter(
        (each["action"], each["target_id"], each["metadata"].get("outcome"), *who(each), sent_by(each, ids))
        for each in events
        if each["actor_id"] != "anonymous"
    )
    assert senders == Counter(
        (action, str(n), outcome, f"user_{n}", f"group_{n}", f"198.51.100.{n}", parent)
        for n in range(CUSTOMERS)
        for action, outcome, parent in [
            ("order.place", None, None),
            *([("order.ship", "failure", f"order.place {n}")] if n % 10 == 0 else []),
            ("order.ship", None, f"order.place {n}"),
            ("order.tell", None, f"order.ship {n}"),
        ]
    )
    assert CUSTOMERS == len({each["correlation_id"] for each in events if each["actor_id"] != "anonymous"})
    nobodys = {each["target_id"] for each in events if each["actor_id"] == "anonymous"}
    assert {"forged_0", "forged_1", "forged_2", "forged_3", "unsaid"} == nobodys


def who(event: Mapping[str, Any]) -> tuple[str, str, str]:
    return event["actor_id"], event["group"], event["location"]


def sent_by(event: Mapping[str, Any], ids: Mapping[str, Mapping[str, Any]]) -> str | None:
    parent = ids.get(event.get("parent_id", ""))
    return None if parent is None else f"{parent['action']} {parent['target_id']}"


def events_in(shop: Path) -> list[Mapping[str, Any]]:
    command = [sys.executable, "-m", "auditkit", "log", "home/audit", "--json", "--limit", "2000"]
    done = subprocess.run(command, cwd=shop, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]
