"""One endpoint of WorkOS's API that takes one event a request: what both WorkOS transports send through."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from auditkit.clock import SystemClock
from auditkit.errors import ConfigurationError
from auditkit.event import instant_of
from auditkit.transports.api_key import authorization, key_of
from auditkit.transports.base_url import check_base_url
from auditkit.transports.http import Connections, check_timeout
from auditkit.transports.probing import Probed, probe
from auditkit.transports.workos_answer import is_success, read_answer, texts_of
from auditkit.transports.workos_verdict import verdict

if TYPE_CHECKING:
    from auditkit.clock import Clock

BASE_URL = "https://api.workos.com"
TIMEOUT = 30.0  # seconds

HEADERS = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "auditkit"}


def check_concurrency(concurrency: int) -> int:
    """Return how many requests may be under way at once.

    Raises:
        ConfigurationError: It is not an int above 0.
    """
    if type(concurrency) is not int or concurrency < 1:
        raise ConfigurationError(f"concurrency must be an int above 0, got {concurrency!r}")
    return concurrency


class Endpoint:
    """Post bodies made of events and say what became of them. Safe to call from any thread.

    Args:
        path: The endpoint's path, such as ``"/events"``.
        api_key: The key, or None to take it from ``WORKOS_API_KEY``.
        base_url: Where the API lives.
        timeout: Seconds for one whole request.
        clock: What ``Retry-After`` dates and the timeout are measured by.

    Raises:
        ConfigurationError: One of these cannot work.
    """

    def __init__(
        self, path: str, api_key: str | None, *, base_url: str, timeout: float, clock: Clock | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self._base_url = check_base_url(base_url)
        url = self._base_url + path
        seconds = check_timeout(timeout)
        stated = authorization(api_key)
        headers = {**HEADERS, "Authorization": stated}
        self._key = key_of(stated)  # what answers and proxies repeat of it is not shown
        self._connections = Connections(url, headers, timeout=seconds, clock=self._clock)
        self.url = url

    def post(self, key: str, body: bytes) -> None:
        """Return when WorkOS has accepted the body.

        Args:
            key: The idempotency key: the event's id, 1 to 255 visible ASCII characters.
            body: The body; the same bytes for the same key, always.

        Raises:
            TemporaryFailure: Send the same again; also where no answer came.
            Paused: The configuration is wrong.
            Rejected: WorkOS will never take it.
        """
        raw = self._connections.post(body, {"Idempotency-Key": key})
        if is_success(raw):
            return
        sent = chain([self._key], texts_of(body))
        answer = read_answer(raw, instant_of(self._clock.time_ns()), sent, key=key)
        failure = verdict(answer)
        if failure is not None:
            raise failure

    def probe(self) -> Probed:
        """Ask whether the API's server is there; neither a key nor an event is sent.

        Raises:
            TemporaryFailure: No answer came; says why.
        """
        return probe(self._base_url, clock=self._clock)

    def close(self) -> None:
        """Close every connection; called once, after the last `post`."""
        self._connections.close()
