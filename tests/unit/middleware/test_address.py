"""The client's address: who is believed, how far, and what is made of what stands there."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auditkit.errors import ConfigurationError
from auditkit.middleware.address import NOBODY, Proxies, client_address, parse_address

TEN = Proxies.declared(["10.0.0.0/8"])
SIX = Proxies.declared(["2001:db8:aaaa::/48", "10.0.0.0/8"])
UNIX = Proxies.declared(["unix"])
UNIX_AND_TEN = Proxies.declared(["unix", "10.0.0.0/8"])
ONE, TWO = Proxies.declared(hops=1), Proxies.declared(hops=2)


def xff(*values: str) -> list[tuple[str, str]]:
    return [("x-forwarded-for", value) for value in values]


def fwd(*values: str) -> list[tuple[str, str]]:
    return [("forwarded", value) for value in values]


PEERS = [  # what the socket says, and nobody is declared
    ("192.0.2.1", "192.0.2.1"),
    ("2001:db8::1", "2001:db8::1"),
    ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
    ("::ffff:192.0.2.1", "192.0.2.1"),
    ("::ffff:c000:201", "192.0.2.1"),
    ("fe80::1%eth0", "fe80::1"),
    ("192.0.2.1:4711", "192.0.2.1"),
    ("", None),
    (None, None),
    ("localhost", None),  # waitress, for a Unix socket
    ("testclient", None),  # Starlette's test client
    ("/run/app.sock", None),
]

TEXTS = [  # what an address is made of
    ("192.0.2.1", "192.0.2.1"),
    ("  192.0.2.1\t", "192.0.2.1"),
    ("192.0.2.1:80", "192.0.2.1"),
    ("192.0.2.1:_port", "192.0.2.1"),
    ("192.0.2.1:", None),
    ("192.0.2.1:123456", None),
    ("192.0.2.1:80:80", None),
    ("[2001:db8::1]", "2001:db8::1"),
    ("[2001:db8::1]:443", "2001:db8::1"),
    ("[2001:db8::1]:_x", "2001:db8::1"),
    ("2001:db8::1", "2001:db8::1"),
    ("[2001:db8::1", None),
    ("2001:db8::1]", None),
    ("[[2001:db8::1]]", None),
    ("[192.0.2.1]", None),
    ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
    ("fe80::1%25eth0", "fe80::1"),
    ("[fe80::1%eth0]:80", "fe80::1"),
    ('2001:db8::1%"><script>', "2001:db8::1"),
    ("2001:db8::1%\r\nX: y", "2001:db8::1"),
    ("unknown", None),
    ("_hidden", None),
    ("_SEVKISEK", None),
    ("", None),
    ("256.0.0.1", None),
    ("192.0.2", None),
    ("192.0.2.01", None),  # an octal number to some, a decimal to others
    ("0x7f.1", None),
    ("3221225985", None),
    ("١٩٢.0.2.1", None),
    ("192.0.2.1\x00", None),
    ("192.0.2.1\n", None),
    ("example.com", None),
    ("<script>", None),
    ("1" * 5000, None),
    ("192.0.2.1%" + "x" * 5000, None),
]

WALKS = [  # peer, headers, proxies -> address
    # nobody is declared: what headers say does not matter
    ("192.0.2.1", xff("203.0.113.9"), NOBODY, "192.0.2.1"),
    ("192.0.2.1", fwd("for=203.0.113.9"), NOBODY, "192.0.2.1"),
    (None, xff("203.0.113.9"), NOBODY, None),
    ("10.0.0.1", xff("203.0.113.9"), Proxies.declared(hops=0), "10.0.0.1"),
    # the peer is no declared proxy
    ("192.0.2.1", xff("203.0.113.9"), TEN, "192.0.2.1"),
    ("110.0.0.1", xff("203.0.113.9"), TEN, "110.0.0.1"),
    # one, two, three proxies
    ("10.0.0.1", xff("203.0.113.9"), TEN, "203.0.113.9"),
    ("10.0.0.1", xff("203.0.113.9, 10.0.0.2"), TEN, "203.0.113.9"),
    ("10.0.0.1", xff("203.0.113.9,10.0.0.3 , 10.0.0.2"), TEN, "203.0.113.9"),
    ("::ffff:10.0.0.1", xff("203.0.113.9, ::ffff:10.0.0.2"), TEN, "203.0.113.9"),
    ("2001:db8:aaaa::1", xff("2001:db8::9, 10.0.0.2"), SIX, "2001:db8::9"),
    # what a client wrote itself
    ("10.0.0.1", xff("198.51.100.66, 203.0.113.9"), TEN, "203.0.113.9"),
    ("10.0.0.1", xff("10.0.0.7, 203.0.113.9, 10.0.0.2"), TEN, "203.0.113.9"),
    ("10.0.0.1", xff('"198.51.100.66, 203.0.113.9'), TEN, "203.0.113.9"),
    ("10.0.0.1", xff("\x00garbage", "203.0.113.9"), TEN, "203.0.113.9"),
    # several lines are one list
    ("10.0.0.1", xff("198.51.100.66", "203.0.113.9", "10.0.0.2"), TEN, "203.0.113.9"),
    ("10.0.0.1", xff("203.0.113.9", ""), TEN, "203.0.113.9"),
    ("10.0.0.1", [("X-FORWARDED-FOR", "203.0.113.9")], TEN, "203.0.113.9"),
    # empty elements count for nothing
    ("10.0.0.1", xff(", 203.0.113.9, ,"), TEN, "203.0.113.9"),
    ("10.0.0.1", xff(""), TEN, "10.0.0.1"),
    ("10.0.0.1", [], TEN, "10.0.0.1"),
    ("10.0.0.1", [("x-real-ip", "203.0.113.9")], TEN, "10.0.0.1"),
    # a request of a proxy's own
    ("10.0.0.1", xff("10.0.0.3, 10.0.0.2"), TEN, "10.0.0.3"),
    # a proxy that does not know or tell
    ("10.0.0.1", xff("unknown"), TEN, None),
    ("10.0.0.1", xff("198.51.100.66, unknown"), TEN, None),
    ("10.0.0.1", xff("203.0.113.9, unknown, 10.0.0.2"), TEN, None),
    ("10.0.0.1", fwd("for=_hidden"), TEN, None),
    ("10.0.0.1", fwd("by=10.0.0.1;proto=https"), TEN, None),
    # ports, brackets and quotes
    ("10.0.0.1", xff("[2001:db8::9]:443, 10.0.0.2:8080"), TEN, "2001:db8::9"),
    ("10.0.0.1", xff('"[2001:db8::9]:443"'), TEN, "2001:db8::9"),
    ("10.0.0.1", fwd('for="[2001:db8::9]:443"'), TEN, "2001:db8::9"),
    ("10.0.0.1", fwd("for=203.0.113.9:443"), TEN, "203.0.113.9"),
    ("10.0.0.1", fwd('FOR="203.0.113.9:_obf"; Proto=https;by=10.0.0.1'), TEN, "203.0.113.9"),
    ("10.0.0.1", fwd('for="203\\.0.113.9"'), TEN, "203.0.113.9"),
    ("10.0.0.1", fwd("for=198.51.100.66, for=203.0.113.9;proto=http , for=10.0.0.2"), TEN, "203.0.113.9"),
    ("10.0.0.1", fwd("for=198.51.100.66", "for=203.0.113.9"), TEN, "203.0.113.9"),
    # a client that leaves a quote open, and one whose host is quoted by the proxy
    ("10.0.0.1", fwd('for="198.51.100.66, for=203.0.113.9'), TEN, "203.0.113.9"),
    ("10.0.0.1", fwd('for="198.51.100.66\\', "for=203.0.113.9"), TEN, "203.0.113.9"),
    ("10.0.0.1", fwd('for=203.0.113.9;host="a,for=198.51.100.66;x="'), TEN, "203.0.113.9"),
    ("10.0.0.1", fwd('for=203.0.113.9;host="a\\",for=198.51.100.66;x=";proto=http'), TEN, "203.0.113.9"),
    ("10.0.0.1", fwd('for=203.0.113.9;host="a\\\\"'), TEN, "203.0.113.9"),
    ("10.0.0.1", fwd('for=203.0.113.9;host="b,for=198.51.100.66;x=\\"";proto=http'), TEN, "203.0.113.9"),
    # malformed where the proxy wrote
    ("10.0.0.1", fwd("for=203.0.113.9;for=198.51.100.66"), TEN, None),
    ("10.0.0.1", fwd("203.0.113.9"), TEN, None),
    ("10.0.0.1", fwd('for="203.0.113.9'), TEN, None),
    ("10.0.0.1", fwd("for"), TEN, None),
    # both headers: X-Forwarded-For alone is read
    ("10.0.0.1", [*fwd("for=198.51.100.66"), *xff("203.0.113.9")], TEN, "203.0.113.9"),
    ("10.0.0.1", [*xff("203.0.113.9"), *fwd("for=198.51.100.66")], ONE, "203.0.113.9"),
    ("10.0.0.1", [*xff(""), *fwd("for=198.51.100.66")], TEN, "10.0.0.1"),
    # Unix sockets
    (None, xff("203.0.113.9"), TEN, None),
    (None, xff("203.0.113.9"), UNIX, "203.0.113.9"),
    ("", xff("203.0.113.9"), UNIX, "203.0.113.9"),
    ("localhost", xff("203.0.113.9"), UNIX, "203.0.113.9"),
    ("192.0.2.1", xff("203.0.113.9"), UNIX, "192.0.2.1"),
    ("", xff("203.0.113.9, 10.0.0.2"), UNIX_AND_TEN, "203.0.113.9"),
    ("", xff("203.0.113.9, unknown"), UNIX_AND_TEN, None),
    ("", [], UNIX, None),
    ("", xff("203.0.113.9"), ONE, "203.0.113.9"),
    # a number of proxies
    ("192.0.2.1", xff("198.51.100.66, 203.0.113.9"), ONE, "203.0.113.9"),
    ("192.0.2.1", xff("198.51.100.66, 203.0.113.9, 10.0.0.2"), TWO, "203.0.113.9"),
    ("192.0.2.1", xff("203.0.113.9"), TWO, "192.0.2.1"),
    ("192.0.2.1", [], ONE, "192.0.2.1"),
    ("192.0.2.1", xff("unknown"), ONE, None),
    ("192.0.2.1", xff("203.0.113.9, unknown"), TWO, "203.0.113.9"),
    ("192.0.2.1", fwd("for=198.51.100.66, for=203.0.113.9"), ONE, "203.0.113.9"),
    # very long
    ("10.0.0.1", xff("198.51.100.66, " * 100_000 + "203.0.113.9"), TEN, "203.0.113.9"),
    ("10.0.0.1", xff(*["198.51.100.66"] * 50_000, "203.0.113.9"), TEN, "203.0.113.9"),
    ("10.0.0.1", xff("1" * 1_000_000), TEN, "10.0.0.1"),
    ("10.0.0.1", fwd('"\\' * 500_000 + ", for=203.0.113.9"), TEN, "203.0.113.9"),
    ("10.0.0.1", xff("10.0.0.2," * 100_000), TEN, "10.0.0.2"),
    ("10.0.0.1", xff("x, 203.0.113.9" + ",10.0.0.2" * 10_000), TEN, "10.0.0.2"),
]


@pytest.mark.parametrize("peer, expected", PEERS)
def test_peer_is_the_client_where_nobody_is_declared(peer: str | None, expected: str | None) -> None:
    """Without declared proxies the client is who is at the other end of the socket."""
    assert expected == client_address(peer, [])


@pytest.mark.parametrize("text, expected", TEXTS)
def test_text_names_an_address_or_none(text: str, expected: str | None) -> None:
    """Ports, brackets and zones come off; what is no address is none, whatever it is."""
    found = parse_address(text)

    assert expected == (None if found is None else str(found))


@pytest.mark.parametrize("peer, headers, proxies, expected", WALKS)
def test_walk(peer: str | None, headers: list[tuple[str, str]], proxies: Proxies, expected: str | None) -> None:
    """Headers are read from the right, as far as declared proxies vouch for them and no farther."""
    assert expected == client_address(peer, headers, proxies)


PIECES = st.sampled_from([
    ",", ", ", '"', "\\", ";", "for=", "For=", "[", "]", ":", "%", "=", " ", "\t", "\x00", "unknown", "_x", "10.0.0.1",
    "10.1.2.3:80", "198.51.100.66", "[2001:db8::1]:443", "::ffff:10.0.0.1", "fe80::1%e", "é", "\ud800",
])  # fmt: skip
NOISE = st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join)
NAMES = st.sampled_from(["x-forwarded-for", "X-Forwarded-For", "forwarded", "Forwarded", "x-real-ip"])
HEADERS = st.lists(st.tuples(NAMES, NOISE), max_size=6)
PROXIES = st.sampled_from([NOBODY, TEN, SIX, UNIX, UNIX_AND_TEN, ONE, TWO])
STRANGERS = st.one_of(st.ip_addresses(network="203.0.113.0/24"), st.ip_addresses(network="2001:db8:bbbb::/48"))
OURS = st.lists(st.ip_addresses(network="10.0.0.0/8"), max_size=4)


@given(st.none() | NOISE | st.ip_addresses().map(str), HEADERS, PROXIES)
def test_answer_is_an_address_or_none(peer: str | None, headers: list[tuple[str, str]], proxies: Proxies) -> None:
    """Whatever the texts are, nothing is raised, and the answer is the plain text of an address or None."""
    found = client_address(peer, headers, proxies)

    assert found is None or found == str(ip_address(found))
    assert found is None or "%" not in found


@given(st.none() | NOISE | st.ip_addresses().map(str), HEADERS)
def test_headers_never_matter_where_nobody_is_declared(peer: str | None, headers: list[tuple[str, str]]) -> None:
    """Without declared proxies no header changes the answer."""
    assert client_address(peer, []) == client_address(peer, headers)


@given(STRANGERS, HEADERS, st.sampled_from([TEN, SIX, UNIX]))
def test_headers_never_matter_from_a_stranger(peer: Any, headers: list[tuple[str, str]], proxies: Proxies) -> None:
    """Who comes past the declared proxies cannot say where it is."""
    assert str(peer) == client_address(str(peer), headers, proxies)


@given(st.lists(NOISE, max_size=5), NOISE, STRANGERS, OURS, st.sampled_from([TEN, SIX]))
@example(['for="'], "", IPv4Address("203.0.113.9"), [], TEN)
@example([], "x" * 5000 + ",", IPv4Address("203.0.113.9"), [], TEN)
def test_what_is_prepended_never_matters(
    lines: list[str], before: str, client: Any, ours: list[Any], proxies: Proxies
) -> None:
    """What a client puts before, in lines of its own or in the same, changes nothing: in either header, however walked."""
    hops = [client, *ours]
    plain = ", ".join(map(str, hops))
    pairs = ", ".join(f'for="[{each}]";proto=https' if each.version == 6 else f"for={each}" for each in hops)
    counted = Proxies.declared(hops=len(hops))

    for trusting in (proxies, counted):
        assert str(client) == client_address("10.9.9.9", xff(*lines, f"{before}, {plain}"), trusting)
        assert str(client) == client_address("10.9.9.9", fwd(*lines, f"{before}, {pairs}"), trusting)
        assert str(client) == client_address("10.9.9.9", [*fwd(*lines, before), *xff(plain)], trusting)


@given(STRANGERS, st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_what_a_proxy_quotes_is_no_element(client: Any, host: str) -> None:
    """A host that the client asked for, quoted by the proxy as RFC 7239 has it, says nothing of the client."""
    escaped = host.replace("\\", "\\\\").replace('"', '\\"')
    node = f"[{client}]" if client.version == 6 else client

    assert str(client) == client_address("10.0.0.1", fwd(f'for="{node}";host="{escaped}"'), TEN)


@pytest.mark.parametrize(
    "given_proxies, hops, told",
    [
        (["10.0.0.0/8"], 1, "trusted_proxies and hops were both given"),
        (["unix"], 0, "trusted_proxies and hops were both given"),
        ("10.0.0.0/8", None, 'write it as trusted_proxies=["10.0.0.0/8"]'),
        (b"10", None, "trusted_proxies takes a list of networks"),
        (5, None, "trusted_proxies takes a list of networks, got 5"),
        (None, None, "trusted_proxies takes a list of networks, got None"),
        (["10.0.0.1/8"], None, "did you mean '10.0.0.0/8'?"),
        (["10.0.0.0/33"], None, "trusted_proxies has '10.0.0.0/33', which is no network; write it as '10.0.0.0/8'"),
        (["proxy.internal"], None, "which is no network"),
        ([167772160], None, "trusted_proxies has 167772160, which is no network"),
        ([""], None, "trusted_proxies has '', which is no network"),
        (["*"], None, "which is everybody"),
        (["0.0.0.0/0"], None, "which is everybody"),
        (["::/0"], None, "which is everybody"),
        (["::ffff:0:0/96"], None, "which is everybody"),
        ((), -1, "hops must be the number of proxies that each request passes (0, 1, 2...), got -1"),
        ((), True, "hops must be the number of proxies"),
        ((), 1.5, "hops must be the number of proxies"),
        ((), "1", "hops must be the number of proxies"),
    ],
)
def test_declaration_that_cannot_work_is_refused(given_proxies: Any, hops: Any, told: str) -> None:
    """What cannot work, or would believe everybody, is refused with what to write instead."""
    with pytest.raises(ConfigurationError) as caught:
        Proxies.declared(given_proxies, hops)

    assert told in str(caught.value)


@pytest.mark.parametrize(
    "declared",
    [
        ["10.0.0.0/8"],
        [" 10.0.0.1 "],
        ["::ffff:10.0.0.0/104"],
        [IPv6Network("::ffff:10.0.0.0/104")],
        [IPv4Address("10.0.0.1")],
        iter(["10.0.0.1", "unix"]),
    ],
)
def test_declaration_takes_networks_and_addresses(declared: Any) -> None:
    """Networks and addresses are taken as texts and as `ipaddress` has them, mapped ones as what they map."""
    assert "203.0.113.9" == client_address("10.0.0.1", xff("203.0.113.9"), Proxies.declared(declared))
