"""Where a request comes from, also behind proxies that are trusted."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from starlette.types import Scope

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# One customer's network usually has a whole /64: its addresses are free to invent.
IPV6_OWN_BITS = 64
SCOPE_KEY = "leaky.client"
# Few places ask often; to read an address takes a tenth of what a request does.
_REMEMBERED = 4_096
# Characters of X-Forwarded-For; what is longer is read each time.
_LONGEST = 256


class Addresses:
    """Tells addresses by the `trusted` networks, comma-separated, whose X-Forwarded-For counts."""

    def __init__(self, trusted: str) -> None:
        self._trusted: Sequence[Network] = tuple(
            ipaddress.ip_network(network, strict=False) for network in trusted.split(",") if network
        )
        self._remembered = lru_cache(_REMEMBERED)(self._sender)

    def of(self, scope: Scope) -> str:
        """Who sent an HTTP request; empty when unknown."""
        client = scope.get("client")
        peer: str = client[0] if client else ""
        if not self._trusted:
            return self.client(peer, "")
        hops = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        return self.client(peer, b",".join(hops).decode("latin-1"))

    def client(self, peer: str, forwarded: str) -> str:
        """Who sent the request: the peer, or the last hop that no trusted proxy added.

        `forwarded` is the X-Forwarded-For header, read only when a trusted peer
        sent it.
        """
        if not self._trusted and ":" not in peer:
            return peer
        known = self._remembered if len(forwarded) <= _LONGEST else self._sender
        return known(peer, forwarded)

    def _sender(self, peer: str, forwarded: str) -> str:
        address = _parse(peer)
        for hop in reversed(forwarded.split(",")):
            if address is None or not self._trusts(address):
                break
            before = _parse(hop.strip())
            if before is None:
                break
            address = before
        return peer if address is None else str(address)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def counted(client: str) -> str:
    """What stands for an address where requests are counted: of an IPv6 address its /64."""
    return _network(client) if ":" in client else client


@lru_cache(_REMEMBERED)
def _network(client: str) -> str:
    address = _parse(client)
    if not isinstance(address, ipaddress.IPv6Address):
        return client
    network = ipaddress.IPv6Address(int(address) >> IPV6_OWN_BITS << IPV6_OWN_BITS)
    return f"{network}/{128 - IPV6_OWN_BITS}"
