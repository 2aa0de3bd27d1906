"""The one place that knows connections: one for each thread, kept, closed, and never in anybody's way.

`httpx.HTTPTransport` is used directly: `httpx.Client` around it costs half as much again (measured: 459
against 303 us of CPU a request), and a pool shared by threads collapses with their number.
"""

from __future__ import annotations

import math
import os
import ssl
import threading
import weakref
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from auditkit import patience
from auditkit.clock import SystemClock
from auditkit.errors import ConfigurationError, TemporaryFailure
from auditkit.forking import renew_in_child
from auditkit.transports.base_url import is_loopback
from auditkit.transports.raw_answer import MAX_ANSWER, RawAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditkit.clock import Clock

_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30.0)


def check_timeout(timeout: float) -> float:
    """Return a timeout in seconds.

    Raises:
        ConfigurationError: It is not a finite number above 0.
    """
    if type(timeout) not in {int, float} or not 0 < timeout < math.inf:
        raise ConfigurationError(f"timeout must be a number of seconds above 0, got {timeout!r}")
    return float(timeout)


def proxy_for(url: str) -> httpx.Proxy | None:
    """Return the proxy that the environment states for a URL, as other HTTP clients find it.

    This machine is never reached through a proxy: the proxy's own loopback is another, and plain http would
    hand it the key.

    Raises:
        ConfigurationError: The environment states one that httpx cannot use. The text repeats nothing of it:
            it may hold a password.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    stated = proxies.get(parts.scheme) or proxies.get("all")
    if not stated:
        return None
    try:
        proxy = httpx.Proxy(stated if "://" in stated else f"http://{stated}")
    except (ValueError, httpx.InvalidURL):
        proxy = None
    if proxy is None or proxy.url.scheme not in {"http", "https"} or not proxy.url.host:
        raise ConfigurationError(
            f"the proxy for {parts.scheme} in the environment must be an http:// or https:// URL (not shown)"
        )
    return proxy


def certificates(url: str) -> ssl.SSLContext:
    """Return whom to trust: as httpx does, ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` included."""
    if url.startswith("https:"):
        return httpx.create_ssl_context(trust_env=True)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used; reading the real ones costs 20 ms


def _import_what_sending_needs() -> None:
    """Let httpx and the resolver import here what they import when they are first used.

    A fork while a lane's thread imports a module leaves that module locked in the child, for ever.
    """
    httpx.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False).close()
    "localhost".encode("idna")


class Connections:
    """Post bodies to one URL, each thread over a connection of its own. Safe to call from any thread.

    A forked child makes connections of its own; those of a thread that ended are closed with it.

    Args:
        url: Where every body goes.
        headers: What every request carries; shown by no repr where it is an authorization.
        timeout: Seconds for one whole request, to the answer's last byte; each wait of the socket is rounded
            up to a whole second.
        clock: Whose ``monotonic`` measures them.

    Raises:
        ConfigurationError: The environment states a proxy that cannot be used.
    """

    def __init__(self, url: str, headers: Mapping[str, str], *, timeout: float, clock: Clock | None = None) -> None:
        self._url = httpx.URL(url)
        # Without compression nobody can make a small answer large.
        stated = {"Host": self._url.netloc.decode("ascii"), **headers, "Accept-Encoding": "identity"}
        self._headers = _encoded(stated)
        self._timeout = timeout
        self._monotonic = (clock or SystemClock()).monotonic
        self._host = self._url.host
        self._proxy = proxy_for(url)
        self._certificates: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._mine = threading.local()
        self._all: weakref.WeakSet[_Connection] = weakref.WeakSet()
        renew_in_child(self._renew)
        _import_what_sending_needs()

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def post(self, body: bytes, headers: Mapping[str, str]) -> RawAnswer:
        """Send one request and return its answer. Redirects are not followed.

        Args:
            body: The request's body.
            headers: What this request carries besides.

        Returns:
            The answer, its body cut after 1 MiB.

        Raises:
            TemporaryFailure: No whole answer came. The request may have been received nevertheless.
        """
        return self._ask("POST", body, [*_encoded(headers), (b"Content-Length", b"%d" % len(body))])

    def get(self) -> RawAnswer:
        """Ask for what is there and return the answer; redirects are not followed.

        Raises:
            TemporaryFailure: No whole answer came.
        """
        return self._ask("GET", b"", [])

    def _ask(self, method: str, body: bytes, headers: list[tuple[bytes, bytes]]) -> RawAnswer:
        seconds = min(self._timeout, patience.left(self._monotonic()))
        if not seconds:
            raise TemporaryFailure(f"no time left to ask {self._host}")
        deadline = _Deadline(seconds, self._monotonic)
        timeout = {"connect": seconds, "pool": seconds, "read": deadline, "write": deadline}
        # As httpx itself makes one of a body and a mapping, at a sixth of the cost (measured: 5 against 29 us).
        request = httpx.Request(
            method,
            self._url,
            headers=[*self._headers, *headers],
            stream=httpx.ByteStream(body),
            extensions={"timeout": timeout},
        )
        try:
            return self._exchange(request)
        except httpx.HTTPError as error:
            trouble = describe_trouble(error)
        # Raised out here, so that httpx's exception, whose frames hold the request, is not its context.
        raise TemporaryFailure(f"no answer from {self._host}: {trouble}")

    def close(self) -> None:
        """Close every connection, of all threads; call it after the last `post`."""
        with self._lock:
            for connection in list(self._all):
                connection.close()

    def _exchange(self, request: httpx.Request) -> RawAnswer:
        response = self._connection().handle_request(request)
        try:
            return RawAnswer(
                status=response.status_code,
                headers=response.headers,
                body=_capped(response),
            )
        finally:
            response.close()

    def _connection(self) -> httpx.HTTPTransport:
        connection: _Connection | None = getattr(self._mine, "connection", None)
        if connection is None or connection.process != os.getpid():
            with self._lock:
                if self._certificates is None:
                    self._certificates = certificates(str(self._url))
                connection = _Connection(self._certificates, self._proxy)
                self._all.add(connection)
            self._mine.connection = connection
        return connection.transport


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


class _Connection:
    """One thread's connection. It closes when its thread, and with it the thread's locals, is gone."""

    __slots__ = ("__weakref__", "close", "process", "transport")

    def __init__(self, verify: ssl.SSLContext, proxy: httpx.Proxy | None) -> None:
        self.process = os.getpid()  # a child that used its parent's socket would mix both their answers
        self.transport = httpx.HTTPTransport(verify=verify, proxy=proxy, limits=_ONE)
        self.close = weakref.finalize(self, _close, self.transport, self.process)
        # The interpreter calls those before it lets the lanes end: in the middle of their last requests.
        self.close.atexit = False


_inherited: list[httpx.HTTPTransport] = []


def _close(transport: httpx.HTTPTransport, process: int) -> None:
    """Close a connection of this process; leave one of the parent's alone.

    A fork ends all threads but one in the child, and with them their connections, before the child's first
    line runs: to close one takes a lock that its thread may have held at the fork, for ever.
    """
    if process == os.getpid():
        transport.close()
    else:
        _inherited.append(transport)


class _Deadline:
    """Stand where a socket's timeout is expected, and give what is left of the request's time.

    A timeout of seconds begins anew with every byte: a server that sends one now and then holds its client
    for ever. `socket.settimeout` takes any integer-like object, and asks it before each operation.
    """

    __slots__ = ("_end", "_monotonic")

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + seconds

    def __index__(self) -> int:
        left = self._end - self._monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long")  # httpx makes its own timeout of it
        return math.ceil(left)


def _capped(response: httpx.Response) -> bytes:
    body = bytearray()  # a server may send each byte as a chunk of its own
    for chunk in cast("httpx.SyncByteStream", response.stream):  # `iter_raw`, without what it does for clients
        body += chunk
        if len(body) > MAX_ANSWER:
            break
    return bytes(body[:MAX_ANSWER])


def describe_trouble(error: httpx.HTTPError | httpx.StreamError) -> str:
    """Say why there was no answer, without anything of the request."""
    kind = type(error).__name__
    if isinstance(error, httpx.NetworkError | httpx.TimeoutException):
        # Only these speak of the network alone; a protocol error may repeat a header.
        return f"{kind} ({error})" if str(error) else kind
    return kind
