"""A stand-in for WorkOS's API on loopback: validates, keeps and lists as WorkOS does, fails on demand."""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from auditkit.testing.loopback_server import LoopbackServer, RecordedRequest, Sent
from auditkit.testing.workos_account import Reply, WorkOSAccount

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class _Fault:
    """What happens to one request: a reply instead of WorkOS's, or a reset before or after it is handled."""

    reply: Reply | None = None
    handled: bool = False


class WorkOSDouble:
    """Serve WorkOS's Audit Trail and Audit Logs on a free port of 127.0.0.1.

    Usage::

        with WorkOSDouble() as workos:
            transport = WorkOSTransport(workos.api_key, base_url=workos.base_url)
            ...
            assert workos.events[0]["action"] == "user.login"

    Args:
        api_key: The only key that is let in.
        organizations: The organizations that Audit Logs knows; None takes any.

    Attributes:
        api_key: The key to send.
        base_url: Where to send it: ``http://127.0.0.1:PORT``.

    Thread-safety: all methods may be called from any thread, also while requests come in.
    Source: design section "Facts of the wire"; recorded answers of WorkOS.
    """

    def __init__(self, *, api_key: str = "sk_test_double", organizations: Collection[str] | None = None) -> None:
        self.api_key = api_key
        self._account = WorkOSAccount(api_key, organizations)
        self._requests: list[RecordedRequest] = []
        self._faults: deque[_Fault] = deque()
        self._changed = threading.Condition()
        self._held = 0
        self._closed = False
        self._server = LoopbackServer(self._answer)
        self.base_url = self._server.base_url

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return the bodies of the accepted events, of both endpoints, oldest first."""
        with self._changed:
            return list(self._account.events)

    @property
    def requests(self) -> list[RecordedRequest]:
        """Return all requests as they arrived, refused ones included, oldest first."""
        with self._changed:
            return list(self._requests)

    def fail(
        self,
        status: int,
        *,
        times: int = 1,
        retry_after: float | str | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer the next requests with this, and do not look at what they hold.

        Faults happen in the order in which they were asked for, one a request.

        Args:
            status: The HTTP status.
            times: For how many requests.
            retry_after: The value of ``Retry-After``.
            body: A JSON value; ``str`` and ``bytes`` go out as they stand. WorkOS's usual words by default.
            headers: More headers, such as ``Location``.
        """
        more = dict(headers or {})
        if retry_after is not None:
            more["Retry-After"] = str(retry_after)
        content = {"message": f"scripted {status}"} if body is None else body
        self._plan(_Fault(Reply(status=status, body=content, headers=more)), times)

    def reset_connection(self, times: int = 1) -> None:
        """Reset the connection of the next requests before they are handled: no event is accepted."""
        self._plan(_Fault(), times)

    def lose_answer(self, times: int = 1) -> None:
        """Handle the next requests as usual, then reset the connection instead of answering."""
        self._plan(_Fault(handled=True), times)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Let requests arrive and wait, and answer them when the block ends."""
        with self._changed:
            self._held += 1
        try:
            yield
        finally:
            with self._changed:
                self._held -= 1
                self._changed.notify_all()

    def wait_for_events(self, count: int, timeout: float = 10.0) -> list[dict[str, Any]]:
        """Return the accepted events as soon as there are ``count`` of them.

        Raises:
            TimeoutError: There were fewer after ``timeout`` seconds.
        """
        self._wait(lambda: len(self._account.events), count, timeout, "events were accepted")
        return self.events

    def wait_for_requests(self, count: int, timeout: float = 10.0) -> list[RecordedRequest]:
        """Return the requests as soon as ``count`` of them have arrived, answered or not.

        Raises:
            TimeoutError: There were fewer after ``timeout`` seconds.
        """
        self._wait(lambda: len(self._requests), count, timeout, "requests arrived")
        return self.requests

    def expire_idempotency_keys(self) -> None:
        """Forget every idempotency key, as WorkOS does after 24 hours: the same event is then a new one."""
        with self._changed:
            self._account.forget_keys()

    def clear(self) -> None:
        """Forget events, requests, keys and faults still to come."""
        with self._changed:
            self._account.clear()
            self._requests.clear()
            self._faults.clear()

    def close(self) -> None:
        """End every connection and return when all threads have ended; a second call does nothing."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<WorkOSDouble at {self.base_url}>"

    def _plan(self, fault: _Fault, times: int) -> None:
        with self._changed:
            self._faults.extend([fault] * times)

    def _wait(self, number: Callable[[], int], count: int, timeout: float, what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: number() >= count, timeout):
                raise TimeoutError(f"{number()} of {count} {what} within {timeout} s")

    def _answer(self, request: RecordedRequest) -> Sent | None:
        with self._changed:
            self._requests.append(request)
            number = len(self._requests)
            fault = self._faults.popleft() if self._faults else None
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._held or self._closed)
            if fault is None or fault.handled:
                reply: Reply | None = self._account.answer(request)
                self._changed.notify_all()
            else:
                reply = fault.reply
        if reply is None or (fault is not None and fault.handled):
            return None
        return Sent(reply.status, self._headers(number, request, reply), _content(reply.body))

    def _headers(self, number: int, request: RecordedRequest, reply: Reply) -> dict[str, str]:
        kind = "text/html" if isinstance(reply.body, str | bytes) else "application/json; charset=utf-8"
        headers = {"Content-Type": kind, "X-Request-ID": f"req_{number:08d}"}
        if "idempotency-key" in request.headers:
            headers["Idempotency-Key"] = request.headers["idempotency-key"]
        return headers | dict(reply.headers)


def _content(body: object) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()
