"""What a request says of itself: its client's address, its id and its user agent, and what is made of nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.context import audit_context, current_context
from auditkit.middleware.address import Proxies
from auditkit.middleware.facts import HEADERS, Request, context_values

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def request(*headers: tuple[str, str], peer: str | None = "192.0.2.1") -> Request:
    return Request(path="/", peer=peer, headers=headers)


def made() -> str:
    return "made"


def test_request_says_where_from_and_which() -> None:
    """Location, user agent and request id come from the request; the request id is what its events share."""
    asked = request(("user-agent", "curl/8.5.0"), ("x-request-id", "req-1"))

    assert {
        "location": "192.0.2.1",
        "metadata": {"request_id": "req-1", "user_agent": "curl/8.5.0"},
        "correlation_id": "req-1",
    } == context_values(asked, made)


def test_silent_request_gets_an_id() -> None:
    """A request that says nothing has an id that was made for it, and nothing else."""
    assert {
        "location": None,
        "metadata": {"request_id": "made"},
        "correlation_id": "made",
    } == context_values(request(peer=None), made)


def test_location_is_what_declared_proxies_say() -> None:
    """The address is the one that declared proxies vouch for."""
    asked = request(("x-forwarded-for", "203.0.113.9"))

    assert "192.0.2.1" == context_values(asked, made)["location"]
    assert "203.0.113.9" == context_values(asked, made, Proxies.declared(hops=1))["location"]


@pytest.mark.parametrize(
    "headers, expected",
    [
        ([("x-request-id", "a")], "a"),
        ([("x-request-id", " a ")], "a"),
        ([("x-request-id", "~" * 128)], "~" * 128),
        ([("x-request-id", "~" * 129)], "made"),
        ([("x-request-id", "")], "made"),
        ([("x-request-id", "two words")], "made"),
        ([("x-request-id", "a\x1b[31m")], "made"),
        ([("x-request-id", "a\r\nb")], "made"),
        ([("x-request-id", "é")], "made"),
        ([("x-request-id", "a"), ("x-request-id", "b")], "made"),
        ([("x-request-id", "a"), ("traceparent", f"00-{TRACE}-{SPAN}-01")], "a"),
        ([("x-request-id", "two words"), ("traceparent", f"00-{TRACE}-{SPAN}-01")], TRACE),
        ([("traceparent", f"00-{TRACE}-{SPAN}-00")], TRACE),
        ([("traceparent", f"cc-{TRACE}-{SPAN}-01")], TRACE),
        ([("traceparent", f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like")], TRACE),
        ([("traceparent", f"cc-{TRACE}-{SPAN}-01.what")], "made"),
        ([("traceparent", f"00-{TRACE}-{SPAN}-01-more")], "made"),
        ([("traceparent", f"ff-{TRACE}-{SPAN}-01")], "made"),
        ([("traceparent", f"00-{TRACE.upper()}-{SPAN}-01")], "made"),
        ([("traceparent", f"00-{'0' * 32}-{SPAN}-01")], "made"),
        ([("traceparent", f"00-{TRACE}-{'0' * 16}-01")], "made"),
        ([("traceparent", f"00-{TRACE[1:]}-{SPAN}-01")], "made"),
        ([("traceparent", f"00-{TRACE}-{SPAN}")], "made"),
        ([("traceparent", f"00-{TRACE}-{SPAN}-01"), ("traceparent", f"00-{TRACE}-{SPAN}-01")], "made"),
    ],
)
def test_request_id(headers: list[tuple[str, str]], expected: str) -> None:
    """A well-formed X-Request-ID, else a well-formed trace's id, else a new one; what was said twice was not said."""
    values = context_values(request(*headers), made)

    assert expected == values["correlation_id"] == values["metadata"]["request_id"]


@pytest.mark.parametrize(
    "given_agent, expected",
    [
        ("Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (X11; Linux x86_64)"),
        ("  ", None),
        ("", None),
        ("x" * 100_000, "x" * 256),
        ("a\x1b[31mb\x9bc\n", "a\ufffd[31mb\ufffdc"),
    ],
)
def test_user_agent_is_bounded_and_harmless(given_agent: str, expected: str | None) -> None:
    """A user agent is cut at 256 characters, and cannot drive a terminal."""
    assert expected == context_values(request(("user-agent", given_agent)), made)["metadata"].get("user_agent")


@given(st.none() | st.text(), st.lists(st.tuples(st.sampled_from(HEADERS), st.text()), max_size=8))
def test_whatever_a_request_says_is_a_context(peer: str | None, headers: list[tuple[str, str]]) -> None:
    """Nothing that a request says raises, or is refused by the context it is for."""
    values = context_values(Request(path="/", peer=peer, headers=headers), made, Proxies.declared(["unix"]))

    with audit_context(**values):
        assert values["correlation_id"] == current_context().correlation_id
        assert values["location"] == current_context().location
        assert {*values["metadata"]} == {*current_context().metadata}
