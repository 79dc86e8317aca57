"""Who offers a service right now, and how callers hear that it changed."""

import asyncio
import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol


class Instances:
    """The addresses of one service's instances, "host:port", kept up to date by its discovery.

    Not known yet is not the same as none: `known` waits for the first answer.
    """

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        self.current: tuple[str, ...] = tuple(addresses)
        self._known, self._some = asyncio.Event(), asyncio.Event()
        self._listeners: list[Callable[[tuple[str, ...]], None]] = []
        if self.current:
            self._known.set()
            self._some.set()

    @property
    def is_known(self) -> bool:
        """Whether there was an answer, or the news that there is none to be had."""
        return self._known.is_set()

    async def known(self) -> None:
        """Returns when `is_known`."""
        await self._known.wait()

    async def found(self) -> None:
        """Returns when there is one, or was."""
        await self._some.wait()

    def on_change(self, listener: Callable[[tuple[str, ...]], None]) -> None:
        """Calls the listener with the new addresses after each change."""
        self._listeners.append(listener)

    def update(self, addresses: Iterable[str]) -> None:
        """Takes a discovery's answer over."""
        new = tuple(sorted(set(addresses)))
        self._known.set()
        if new == self.current:
            return
        self.current = new
        if new:
            self._some.set()
        for listener in self._listeners:
            listener(new)

    def unanswered(self) -> None:
        """Ends the wait for a first answer; what was known stays."""
        self._known.set()


class Discovery(Protocol):
    """Finds services by name."""

    def instances(self, service: str) -> Instances:
        """A service's live instances, the same object at each call.

        Raises AttributeError for a service that has no settings.
        """
        ...


def address(host: str, port: int) -> str:
    """Host and port as gRPC takes them, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_ip(host: str) -> bool:
    """Whether the host is an IP address and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def target(addresses: Sequence[str]) -> str:
    """One gRPC target for all addresses; a name can only stand alone.

    gRPC knows lists of one family, so beside IPv6 an IPv4 address is written as
    one that is mapped into it (RFC 4291, 2.5.5.2).
    """
    if len(addresses) == 1 and not is_ip(_host(addresses[0])):
        return f"dns:///{addresses[0]}"
    if not any(":" in _host(one) for one in addresses):
        return "ipv4:" + ",".join(addresses)
    return "ipv6:" + ",".join(map(_mapped, addresses))


def _host(one: str) -> str:
    return one.rpartition(":")[0].strip("[]")


def _mapped(one: str) -> str:
    return one if one.startswith("[") else f"[::ffff:{_host(one)}]:{one.rpartition(':')[2]}"
