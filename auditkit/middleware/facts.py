"""What a request says of itself, as what ``audit_context`` takes. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypedDict

from auditkit.middleware.address import NOBODY, Proxies, client_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# The headers that are read; an edge need not decode any other.
HEADERS: Final = ("forwarded", "traceparent", "user-agent", "x-forwarded-for", "x-request-id")

_CGI: Final = {"HTTP_" + name.upper().replace("-", "_"): name for name in HEADERS}  # as RFC 3875, 4.1.18 names them
_MAX_USER_AGENT: Final = 256  # characters
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")
# W3C Trace Context, level 1: version 00 has four parts, later ones may have more, and ff is none.
_TRACEPARENT: Final = re.compile(
    r"(?:00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}"
    r"|(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an edge reads of a request.

    Attributes:
        path: What was asked for, decoded, without the query.
        peer: Who is at the other end of the socket; None where that has no address.
        headers: Names in small letters and values, in the order in which they came; at least those in `HEADERS`.
    """

    path: str
    peer: str | None
    headers: Sequence[tuple[str, str]]


def headers_of(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the headers that are read of an environment of CGI, as those of WSGI and Django are."""
    return [(name, environment[key]) for key, name in _CGI.items() if key in environment]


class ContextValues(TypedDict):
    """What ``audit_context`` is given for a request."""

    location: str | None
    metadata: dict[str, str]
    correlation_id: str


def context_values(request: Request, make_id: Callable[[], str], proxies: Proxies = NOBODY) -> ContextValues:
    """Return what a request says of itself.

    Args:
        request: The request.
        make_id: Gives an id to a request that brings none.
        proxies: Who may say for whom a request is.
    """
    request_id = _request_id(request) or _trace_id(request) or make_id()
    metadata = {"request_id": request_id}
    user_agent = _user_agent(request)
    if user_agent:
        metadata["user_agent"] = user_agent
    return {
        "location": client_address(request.peer, request.headers, proxies),
        "metadata": metadata,
        "correlation_id": request_id,
    }


def _only(request: Request, name: str) -> str:
    """Return the value of a header that came once; nothing if it is missing, or said twice."""
    values = [value for key, value in request.headers if key == name]
    return values[0].strip() if len(values) == 1 else ""


def _request_id(request: Request) -> str | None:
    found = _REQUEST_ID.fullmatch(_only(request, "x-request-id"))
    return found[0] if found else None


def _trace_id(request: Request) -> str | None:
    found = _TRACEPARENT.fullmatch(_only(request, "traceparent"))
    if found is None:
        return None
    trace_id, parent_id = (part for part in found.groups() if part is not None)
    return trace_id if trace_id.strip("0") and parent_id.strip("0") else None


def _user_agent(request: Request) -> str:
    """Return the first user agent, cut; a control character, which has no business there, is U+FFFD."""
    for key, value in request.headers:
        if key == "user-agent":
            return _CONTROL.sub("\ufffd", value[:_MAX_USER_AGENT].strip())
    return ""
