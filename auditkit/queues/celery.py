"""The audit context of who sends a Celery task, in the worker that runs it.

Celery is imported by whoever uses this, not by auditkit.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from auditkit.context import audit_context, bind_context
from auditkit.crossing import export_context, restored_context
from auditkit.errors import ContextRefused
from auditkit.trail import end_all

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

HEADER: Final = "auditkit"  # of a task's message
TASK_ID: Final = "celery_task_id"  # in the metadata of a task's events


def carry_context_to_tasks() -> None:
    """Send the audit context along with every Celery task, and restore it around the task where it runs.

    One call where the Celery application is made, so that those who send and the workers both make it; a second one
    changes nothing. It connects to Celery's signals, for all applications of the process:

    - What is sent has the context that is there then, as `export_context` gives it, in the message's header
      ``auditkit``. A retry, and what Celery makes of a task's own message, keeps the context that it came with.
    - A task runs in the scope of `restored_context`: with the sender's actor, group, location, metadata and correlation
      id, and the audited call in which it was sent as the parent of its events. They have ``celery_task_id`` in their
      metadata. A task that came without a context, as those of beat do, has a scope that says nothing else.
    - With a secret a context that is forged, or not signed, is refused as `restored_context` tells it. The task runs
      nevertheless, also with ``on_audit_error="raise"``, with the trail's defaults.
    - A task that runs eagerly, in the process that sends it, is in the scope that is there.
    - A pool's process that ends delivers what it can first, as the interpreter's exit does elsewhere: Celery leaves
      these without it.

    Thread-safety: may be called from any thread. Tasks may run in processes, threads and greenlets.
    Source: https://docs.celeryq.dev/en/stable/userguide/signals.html
    """
    from celery import signals  # noqa: PLC0415  (see above)

    for signal, receiver in (
        (signals.before_task_publish, _send),
        (signals.task_prerun, _enter),
        (signals.task_postrun, _leave),
        (signals.worker_process_shutdown, _end),
    ):
        signal.connect(receiver, weak=False, dispatch_uid=HEADER)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A task that runs here.

    Attributes:
        request: Celery's own object of this run.
        scope: What leaves its scope.
        around: The task that runs it eagerly, if one does.
    """

    request: Any
    scope: ExitStack
    around: _Run | None


_RUN: ContextVar[_Run | None] = ContextVar("auditkit_celery_run", default=None)


def _send(*, headers: Any = None, **_: Any) -> None:
    # As text: a broker's own types are not JSON's, and a signature holds for what was signed.
    if isinstance(headers, dict) and HEADER not in headers:
        headers[HEADER] = json.dumps(export_context())


def _enter(*, task: Any, task_id: str, **_: Any) -> None:
    with ExitStack() as entered:
        entered.enter_context(_scope(task.request))
        bind_context(metadata={TASK_ID: task_id})
        _RUN.set(_Run(request=task.request, scope=entered.pop_all(), around=_RUN.get()))


def _leave(*, task: Any, **_: Any) -> None:
    run = _RUN.get()
    if run is not None and run.request is task.request:
        _RUN.set(run.around)
        run.scope.close()


def _end(**_: Any) -> None:
    end_all()


def _scope(request: Any) -> AbstractContextManager[None]:
    if request.is_eager:
        return audit_context()
    sent = request.get(HEADER)
    if sent is None:
        return audit_context(inherit=False)
    try:
        return restored_context(_read(sent))
    except ContextRefused:  # told already: who acted is not known, and the work is to be done
        return audit_context(inherit=False)


def _read(sent: object) -> object:
    """Return what a header says; one that is no JSON as it is, for `restored_context` to refuse."""
    try:
        return json.loads(sent) if isinstance(sent, str) else sent
    except (ValueError, RecursionError):
        return sent
