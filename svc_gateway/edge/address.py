"""Where a request comes from, also behind proxies that are trusted."""

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# One customer's network usually has a whole /64: its addresses are free to invent.
IPV6_PREFIX = 64


def client_address(peer: str, forwarded: str, trusted: Iterable[str]) -> str:
    """The address that counts: the peer's, or the last one that a trusted proxy did not add.

    `forwarded` is the X-Forwarded-For header; it is read only when the peer is
    in one of the `trusted` networks.
    """
    networks = [ipaddress.ip_network(network, strict=False) for network in trusted]
    address = _parse(peer)
    for hop in reversed([part.strip() for part in forwarded.split(",") if part.strip()]):
        if address is None or not any(address in network for network in networks):
            break
        before = _parse(hop)
        if before is None:
            break
        address = before
    return peer if address is None else _counted(address)


def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _counted(address: Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
