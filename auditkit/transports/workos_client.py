"""WorkOS's Audit Trail API for those who want the API itself: a pair of clients, used like httpx's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar

import httpx

from auditkit.clock import SystemClock
from auditkit.errors import WorkOSConnectionError
from auditkit.event import instant_of
from auditkit.transports.api_key import authorization, key_of, refuse_pickling
from auditkit.transports.base_url import check_base_url
from auditkit.transports.http import certificates, check_timeout, describe_trouble, proxy_for
from auditkit.transports.raw_answer import MAX_ANSWER, RawAnswer
from auditkit.transports.workos_answer import Answer, read_answer
from auditkit.transports.workos_calls import create_call, judge_created, judge_listed, list_call
from auditkit.transports.workos_endpoint import BASE_URL, TIMEOUT
from auditkit.transports.workos_listing import EventPage, list_query

if TYPE_CHECKING:
    from types import TracebackType

    from auditkit.event import Event
    from auditkit.transports.workos_calls import Call
    from auditkit.transports.workos_listing import Instant, Order, Texts

CreatedT = TypeVar("CreatedT")
ListedT = TypeVar("ListedT")


class _API(ABC, Generic[CreatedT, ListedT]):
    """What both clients offer, said once; they differ in how a call is made and in whether it is awaited."""

    def create_event(self, event: Event, *, idempotency_key: str | None = None) -> CreatedT:
        """Create one event and return when WorkOS has accepted it. There is no retry.

        Args:
            event: What happened. What WorkOS could not take of its metadata is fitted to its limits.
            idempotency_key: 1 to 255 visible ASCII characters; the event's id by default. With the same key
                and event WorkOS accepts again and keeps one; with the same key and another event it answers
                400.

        Raises:
            WorkOSError: WorkOS refused it; `WorkOSConnectionError` where no answer came.
            InvalidEventError: The idempotency key cannot be one.
        """
        return self._create(create_call(event, idempotency_key))

    def list_events(  # noqa: PLR0913  (WorkOS's filters)
        self,
        *,
        group: Texts = None,
        action: Texts = None,
        action_type: Texts = None,
        actor_name: Texts = None,
        actor_id: Texts = None,
        target_name: Texts = None,
        target_id: Texts = None,
        occurred_at: Instant = None,
        occurred_at_gte: Instant = None,
        occurred_at_gt: Instant = None,
        occurred_at_lte: Instant = None,
        occurred_at_lt: Instant = None,
        search: str | None = None,
        limit: int | None = None,
        before: str | None = None,
        after: str | None = None,
        order: Order | None = None,
    ) -> ListedT:
        """Return one page of the events that match all filters.

        Args:
            group: One group, or several of which any may match; likewise the six filters after it.
            action: Such as ``"user.login"``.
            action_type: C, R, U or D.
            actor_name: What the actor is called.
            actor_id: Who acted.
            target_name: What the target is called.
            target_id: What was acted on.
            occurred_at: Exactly this time: an aware ``datetime`` or ISO-8601 text. Excludes the next four.
            occurred_at_gte: From this time on, included. Excludes ``occurred_at_gt``.
            occurred_at_gt: After this time.
            occurred_at_lte: Until this time, included. Excludes ``occurred_at_lt``.
            occurred_at_lt: Before this time.
            search: A text to look for.
            limit: How many events at most; WorkOS gives 10 by default.
            before: A cursor: the page before this one.
            after: A cursor: the page after this one.
            order: ``"asc"`` or ``"desc"`` by time.

        Raises:
            ConfigurationError: Two filters exclude each other, or one is not what it must be.
            WorkOSError: WorkOS refused; `WorkOSConnectionError` where no answer came.
        """
        query = list_query(
            group=group,
            action=action,
            action_type=action_type,
            actor_name=actor_name,
            actor_id=actor_id,
            target_name=target_name,
            target_id=target_id,
            occurred_at=occurred_at,
            occurred_at_gte=occurred_at_gte,
            occurred_at_gt=occurred_at_gt,
            occurred_at_lte=occurred_at_lte,
            occurred_at_lt=occurred_at_lt,
            search=search,
            limit=limit,
            before=before,
            after=after,
            order=order,
        )
        return self._list(list_call(query))

    @abstractmethod
    def _create(self, call: Call) -> CreatedT: ...

    @abstractmethod
    def _list(self, call: Call) -> ListedT: ...

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied."""
        refuse_pickling(self)


class WorkOSClient(_API[None, EventPage]):
    """Talk to WorkOS's Audit Trail API. Close it, or use it in a ``with`` block.

    Args:
        api_key: The key, or None to take it from ``WORKOS_API_KEY``. It is in no repr, log, error or pickle.
        base_url: Where the API lives; https, or http on this machine only.
        timeout: Seconds for connecting, and for each wait on the network after that.

    Raises:
        ConfigurationError: There is no key, or one of these cannot work.

    Thread-safety: as httpx.Client's: one client may serve several threads.
    """

    def __init__(self, api_key: str | None = None, *, base_url: str = BASE_URL, timeout: float = TIMEOUT) -> None:
        self._base_url = check_base_url(base_url)
        self._http = httpx.Client(**_options(self._base_url, api_key, timeout))

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<WorkOSClient to {self._base_url}>"

    def _create(self, call: Call) -> None:
        judge_created(self._ask(call))

    def _list(self, call: Call) -> EventPage:
        return judge_listed(self._ask(call))

    def _ask(self, call: Call) -> Answer:
        try:
            with self._http.stream(**_arguments(self._base_url, call)) as response:
                body = bytearray()
                for chunk in response.iter_raw():
                    body += chunk
                    if len(body) > MAX_ANSWER:
                        break
                return _read(response, bytes(body), call)
        except (httpx.HTTPError, httpx.StreamError) as error:
            trouble = describe_trouble(error)
        # Raised out here, so that httpx's exception, whose frames hold the request, is not its context.
        raise WorkOSConnectionError(f"no answer from {self._base_url}: {trouble}")


class AsyncWorkOSClient(_API[Coroutine[Any, Any, None], Coroutine[Any, Any, EventPage]]):
    """Talk to WorkOS's Audit Trail API from a coroutine: `WorkOSClient` with ``await`` and ``async with``.

    Args:
        api_key: The key, or None to take it from ``WORKOS_API_KEY``. It is in no repr, log, error or pickle.
        base_url: Where the API lives; https, or http on this machine only.
        timeout: Seconds for connecting, and for each wait on the network after that.

    Raises:
        ConfigurationError: There is no key, or one of these cannot work.

    Thread-safety: none; it belongs to the event loop that it was first used on.
    """

    def __init__(self, api_key: str | None = None, *, base_url: str = BASE_URL, timeout: float = TIMEOUT) -> None:
        self._base_url = check_base_url(base_url)
        self._http = httpx.AsyncClient(**_options(self._base_url, api_key, timeout))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<AsyncWorkOSClient to {self._base_url}>"

    async def _create(self, call: Call) -> None:
        judge_created(await self._ask(call))

    async def _list(self, call: Call) -> EventPage:
        return judge_listed(await self._ask(call))

    async def _ask(self, call: Call) -> Answer:
        try:
            async with self._http.stream(**_arguments(self._base_url, call)) as response:
                body = bytearray()
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > MAX_ANSWER:
                        break
                return _read(response, bytes(body), call)
        except (httpx.HTTPError, httpx.StreamError) as error:
            trouble = describe_trouble(error)
        raise WorkOSConnectionError(f"no answer from {self._base_url}: {trouble}")


def _options(base_url: str, api_key: str | None, timeout: float) -> dict[str, Any]:
    return {
        "headers": {
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # without compression nobody can make a small answer large
            "User-Agent": "auditkit",
            "Authorization": authorization(api_key),
        },
        "timeout": check_timeout(timeout),
        "follow_redirects": False,  # wherever a redirect points, the key does not go there
        "trust_env": False,  # what the environment says about proxies and certificates is read by these two:
        "proxy": proxy_for(base_url),
        "verify": certificates(base_url),
    }


def _arguments(base_url: str, call: Call) -> dict[str, Any]:
    return {
        "method": call.method,
        "url": base_url + call.path,
        "params": call.query,
        "headers": call.headers,
        "content": call.body or None,
    }


def _read(response: httpx.Response, body: bytes, call: Call) -> Answer:
    raw = RawAnswer(status=response.status_code, headers=response.headers, body=body)
    sent = [] if response.is_success else [key_of(response.request.headers["Authorization"]), *call.data()]
    return read_answer(raw, instant_of(SystemClock.time_ns()), sent)
