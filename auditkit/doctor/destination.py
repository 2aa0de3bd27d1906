"""Where events go: whether it can be reached, through what, and what its clock says. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from auditkit.doctor.finding import Finding, ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditkit.transports import Probed

_NEAR, _FAR = 5.0, 300.0  # seconds that two clocks may differ; the header tells whole seconds
_SERVER_ERROR, _PROXY_AUTHENTICATION = 500, 407


def judge_probe(name: str, probed: Probed) -> Finding:
    """Say what an answer to a request without a key and without an event means."""
    check = f"destination {name}"
    text = f"{probed.url} answers {probed.status} after {probed.seconds * 1000:.0f} ms"
    if probed.status >= _SERVER_ERROR:
        return warning(check, text, "see the destination's own status; everything is kept and tried again")
    if probed.status == _PROXY_AUTHENTICATION:
        return problem(check, f"{text}: a proxy wants a password", "put it into the proxy's URL in the environment")
    return ok(check, text)


def judge_clock(probed: Probed, now: float) -> Finding | None:
    """Compare this machine's clock with a destination's; None where that told no time.

    Args:
        probed: The answer.
        now: Seconds since the epoch when it had come.
    """
    if probed.date is None:
        return None
    ahead = now - probed.date.timestamp()
    # It was written at some moment of the request, in whole seconds.
    off = max(0.0, ahead - probed.seconds - 1.0) if ahead > 0 else -ahead
    side = "ahead of" if ahead > 0 else "behind"
    text = f"this machine's clock is {abs(ahead):.0f} s {side} {urlsplit(probed.url).hostname}'s"
    if off > _FAR:
        return problem("clock", text, "set it, and let NTP keep it: every event carries its time")
    if off > _NEAR:
        return warning("clock", text, "let NTP keep it: every event carries its time")
    return ok("clock", f"within {max(1.0, off):.0f} s of {urlsplit(probed.url).hostname}'s")


def judge_proxies(proxies: Mapping[str, str]) -> Iterator[Finding]:
    """Say through which proxies requests go; of their URLs neither user nor password."""
    shown = [
        f"{scheme} by {_without_userinfo(proxies[scheme])}" for scheme in ("http", "https", "all") if scheme in proxies
    ]
    if not shown:
        yield ok("proxy", "none in the environment")
    else:
        exempt = f"; not for {proxies['no']}" if proxies.get("no") else ""
        yield ok("proxy", f"{', '.join(shown)}{exempt}")


def _without_userinfo(url: str) -> str:
    """Return scheme, host and port of a URL; what cannot be read as one may hold a password anywhere."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        is_one = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return "what is no URL (not shown)"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if is_one else "what is no URL (not shown)"
