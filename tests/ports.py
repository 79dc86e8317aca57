"""Ports for what a test starts, which are nobody else's until this process ends.

They lie below those that the kernel gives outgoing connections (ip_local_port_range): of those,
any connection of another test may take one between its choice and the start of a server there,
and a client that tries again and again to reach a stopped server may end up connected to itself.
"""

import random
from collections.abc import Iterator
from itertools import islice
from socket import socket

RANGE = range(20_000, 32_000)
BLOCK = 50
_claims: list[socket] = []


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on, each handed out once.

    Raises RuntimeError where there are no more.
    """
    ports = list(islice(_numbers, count))
    if len(ports) < count:
        raise RuntimeError(f"no port is free from {RANGE.start} to {RANGE.stop}")
    return ports


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]


def _free() -> Iterator[int]:
    starts = list(RANGE[::BLOCK])
    random.shuffle(starts)
    for start in starts:
        if _claimed(start):
            yield from filter(_unused, range(start + 1, start + BLOCK))


def _claimed(start: int) -> bool:
    """Whether this process has the block now: the first port of it is held as a sign."""
    claim = socket()
    try:
        claim.bind(("127.0.0.1", start))
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def _unused(port: int) -> bool:
    with socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


_numbers = _free()
