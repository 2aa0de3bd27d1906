"""Celery's tasks, where ``@audited`` stands above ``@app.task``: what workers run is the function inside.

Celery is never imported here: without it there is no task to decorate.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from auditkit.errors import AuditDefinitionError
from auditkit.loaded import loaded_class

if TYPE_CHECKING:
    from collections.abc import Callable


def decorated_inside(given: Any, decorate: Callable[[Any], Any]) -> bool:
    """Decorate the function inside of a task, and return whether this is one.

    A task that Celery has not made yet is not made for this: it would read a configuration that may not be
    complete. Its function is decorated, with all checks, now; and put into the task when that is made.

    Raises:
        AuditDefinitionError: It is a stand-in of `shared_task`, which has no function yet; or what ``decorate`` says.
    """
    kind = type(given)  # by its very type: asking a lazy object for its class would make what it stands for
    if issubclass(kind, loaded_class("celery.local", "PromiseProxy")):
        function = _awaited(given)
        decorated = None if function is None else decorate(function)
        given.__then__(lambda: _install(given.__maybe_evaluate__(), function, decorated, decorate))
        return True
    if issubclass(kind, loaded_class("celery.local", "Proxy")):
        raise AuditDefinitionError(
            "audited() cannot stand above @shared_task, whose function is not known before an application is; "
            "write @shared_task first and @audited(...) below it"
        )
    if issubclass(kind, loaded_class("celery.app.task", "Task")):
        _install(given, None, None, decorate)
        return True
    return False


def _awaited(promise: Any) -> Any:
    """Return the function of a task that was not made yet; None where it was, or is kept elsewhere."""
    try:
        (function,) = object.__getattribute__(promise, "_Proxy__args")
    except (AttributeError, ValueError):
        return None
    return function


def _install(task: Any, function: Any, decorated: Any, decorate: Callable[[Any], Any]) -> None:
    """Let a task run its function decorated, below all that Celery itself put around it."""
    run = inspect.getattr_static(type(task), "run")
    below = run.__func__ if isinstance(run, staticmethod) else run
    # What Celery itself wrapped, as for models of pydantic, is another one than we saw.
    audited = decorated if decorated is not None and below is function else decorate(below)
    task.__wrapped__ = audited
    bound = audited if isinstance(run, staticmethod) else audited.__get__(task, type(task))
    setattr(task, "_orig_run" if "_orig_run" in vars(task) else "run", bound)  # the former where it retries by itself
