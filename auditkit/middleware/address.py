"""Where a request came from: the client's address, believed only as far as declared proxies vouch for it. Pure.

Anybody can send ``X-Forwarded-For`` and ``Forwarded``. Each proxy adds the address that it was called from at the
right, so what is to be believed is read from the right, and only as far as the proxies that were declared reach.
What a client wrote stands left of that, and is never looked at: neither its values nor its quotes and commas.

Where both headers are there, ``X-Forwarded-For`` is read and ``Forwarded`` is not. Nearly every proxy writes the
former; one that does so passes a client's ``Forwarded`` on as it came.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from auditkit.errors import ConfigurationError
from auditkit.event import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNIX: Final = "unix"  # declares a proxy that comes through a Unix socket, and so has no address

_MAX_CHARACTERS: Final = 4096  # of a header, from its right: what proxies add is short
_MAX_ADDRESS: Final = 128  # characters of one address with its port and zone
_BLANKS: Final = " \t"
_PORT: Final = r"(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?"
_IN_BRACKETS: Final = re.compile(r"\[([^\[\]]*:[^\[\]]*)\]" + _PORT)
_BEFORE_PORT: Final = re.compile(r"([0-9.]+)" + _PORT)
# A parameter of an element of Forwarded. Stricter readers would refuse an address that is not quoted, such as
# `for=192.0.2.1:80`; proxies write it.
_PARAMETER: Final = re.compile(r'[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^";]*))[ \t]*(?:;|\Z)')
_MAPPED: Final = IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """Which proxies were declared: by their networks, or by their number.

    Attributes:
        networks: Where the service's own proxies are.
        unix: Whether a peer without an address is one of them.
        hops: How many proxies each request passes; 0 where that is not what was declared.
    """

    networks: tuple[Network, ...] = ()
    unix: bool = False
    hops: int = 0

    @classmethod
    def declared(cls, trusted_proxies: Iterable[object] = (), hops: int | None = None) -> Proxies:
        """Return what a user declared, checked.

        Args:
            trusted_proxies: Networks (``"10.0.0.0/8"``), addresses, and ``"unix"`` for a proxy that comes through
                a Unix socket.
            hops: How many proxies each request passes, instead.

        Raises:
            ConfigurationError: That cannot work, or would believe everybody.
        """
        if isinstance(trusted_proxies, str | bytes) or not hasattr(trusted_proxies, "__iter__"):
            raise ConfigurationError(
                f"trusted_proxies takes a list of networks, got {describe(trusted_proxies)}; "
                'write it as trusted_proxies=["10.0.0.0/8"]'
            )
        declared = [*trusted_proxies]
        if hops is None:
            networks = tuple(_network(each) for each in declared if each != UNIX)
            return cls(networks=networks, unix=UNIX in declared)
        if declared:
            raise ConfigurationError(
                "trusted_proxies and hops were both given; give the networks your proxies are in, or the number of "
                "proxies that each request passes, and not both"
            )
        return cls(hops=_count(hops))

    def trusts(self, address: Address | None) -> bool:
        """Return whether this is one of the declared networks' addresses; None is a peer without one."""
        if address is None:
            return self.unix
        return any(address in network for network in self.networks)


NOBODY: Final = Proxies()


def client_address(peer: str | None, headers: Iterable[tuple[str, str]], proxies: Proxies = NOBODY) -> str | None:
    """Return the client's address, without port and zone; an IPv4 address that was mapped into IPv6 as IPv4.

    Args:
        peer: Who is at the other end of the socket; None or a text that is no address for a Unix socket.
        headers: Names, in any case, and values, in the order in which they came.
        proxies: Who may say for whom a request is. Without any, the answer is the peer.

    Returns:
        With networks: the first address from the right that is in none of them, or the last that there is. With
        hops: the address that the farthest of so many proxies was called from, or the peer if fewer left a trace.
        None where a proxy says ``unknown``, a hidden name or anything else that is no address, and for a Unix
        socket without a declared proxy. Never raises, whatever the texts are.
    """
    nearest = parse_address(peer or "")
    if proxies.hops:
        address = _after_hops(nearest, headers, proxies.hops)
    elif proxies.trusts(nearest):
        address = _first_stranger(nearest, headers, proxies)
    else:
        address = nearest
    return None if address is None else str(address)


def parse_address(text: str) -> Address | None:
    """Return the address that a text names, with or without brackets, port and zone; None if it names none."""
    text = text.strip(_BLANKS)
    if len(text) > _MAX_ADDRESS:
        return None
    found = _IN_BRACKETS.fullmatch(text) or _BEFORE_PORT.fullmatch(text)
    bare = (found[1] if found else text).partition("%")[0]  # ipaddress takes any text for a zone: it is dropped
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    return _unmapped(address)


def _unmapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _after_hops(nearest: Address | None, headers: Iterable[tuple[str, str]], hops: int) -> Address | None:
    for count, address in enumerate(_chain(headers), start=1):
        if count == hops:
            return address
    return nearest


def _first_stranger(nearest: Address | None, headers: Iterable[tuple[str, str]], proxies: Proxies) -> Address | None:
    last = nearest
    for address in _chain(headers):
        if address is None or not proxies.trusts(address):
            return address
        last = address
    return last


def _chain(headers: Iterable[tuple[str, str]]) -> Iterator[Address | None]:
    """Yield who called each proxy, the nearest proxy's caller first; None for what is no address."""
    x_forwarded_for: list[str] = []
    forwarded: list[str] = []
    for name, value in headers:
        lowered = name.lower()
        if lowered == "x-forwarded-for":
            x_forwarded_for.append(value)
        elif lowered == "forwarded":
            forwarded.append(value)
    lines, read = (x_forwarded_for, _plain) if x_forwarded_for else (forwarded, _forwarded_for)
    for element in _elements_from_right(",".join(lines)):
        yield _read(element, read)


def _read(element: str, read: Callable[[str], str]) -> Address | None:
    return parse_address(read(element))


def _elements_from_right(text: str) -> Iterator[str]:
    """Yield the elements of a list, the last one first, without empty ones (which count for nothing).

    Whether a comma is quoted is known from the right alone: a quote that a client left open must not swallow what a
    proxy added after it. And what a proxy quoted, such as the host that the client asked for, must not be taken for
    an element.
    """
    cut = len(text) > _MAX_CHARACTERS
    text = text[-_MAX_CHARACTERS:]
    end = len(text)
    quoted = False
    for at in range(len(text) - 1, -1, -1):
        character = text[at]
        if character == '"':
            quoted = not quoted or _is_escaped(text, at)
        elif character == "," and not quoted:
            element = text[at + 1 : end].strip(_BLANKS)
            end = at
            if element:
                yield element
    first = text[:end].strip(_BLANKS)
    if first and not cut:  # else half of one
        yield first


def _is_escaped(text: str, at: int) -> bool:
    before = text[max(0, at - _MAX_ADDRESS) : at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _plain(element: str) -> str:
    """Return what an element of X-Forwarded-For says; some proxies quote it."""
    quoted = len(element) > 1 and element[0] == element[-1] == '"'
    return element[1:-1] if quoted else element


def _forwarded_for(element: str) -> str:
    """Return what an element of Forwarded (RFC 7239) says in ``for``; nothing if it is malformed."""
    found: list[str] = []
    at = 0
    while at < len(element):
        parameter = _PARAMETER.match(element, at)
        if parameter is None:
            return ""
        name, quoted, token = parameter.groups()
        if name.lower() == "for":
            found.append(token.strip(_BLANKS) if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        at = parameter.end()
    return found[0] if len(found) == 1 else ""


def _count(given: object) -> int:
    """Return the number of proxies that a user declared."""
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise ConfigurationError(
            f"hops must be the number of proxies that each request passes (0, 1, 2...), got {describe(given)}"
        )
    return given


def _network(given: object) -> Network:
    """Return the network that a user declared."""
    if isinstance(given, str):
        try:
            network = ip_network(given.strip())
        except ValueError as error:
            raise ConfigurationError(_not_a_network(given)) from error
    elif isinstance(given, IPv4Network | IPv6Network | IPv4Address | IPv6Address):
        network = ip_network(given)
    else:
        raise ConfigurationError(_not_a_network(given))
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped or IPv4Address(0)
        network = IPv4Network((mapped, network.prefixlen - _MAPPED.prefixlen))
    if network.prefixlen == 0:
        raise ConfigurationError(
            f"trusted_proxies has {str(given)!r}, which is everybody: any client could then say where it is; "
            "declare the networks that your own proxies are in, or how many there are: hops=1"
        )
    return network


def _not_a_network(given: object) -> str:
    if given == "*":
        return (
            "trusted_proxies has '*', which is everybody: any client could then say where it is; "
            "declare the networks that your own proxies are in, or how many there are: hops=1"
        )
    wrong = f"trusted_proxies has {describe(given)}, which is no network"
    if isinstance(given, str):
        try:
            meant = ip_network(given.strip(), strict=False)
        except ValueError:
            pass
        else:
            return f"{wrong}: its address has bits beyond its prefix; did you mean {str(meant)!r}?"
    return f"{wrong}; write it as '10.0.0.0/8', '192.0.2.1' or '2001:db8::/32', or 'unix' for a Unix socket"
