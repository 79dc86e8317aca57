"""Whether a peer waits for the core that this process is on."""

import os
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit


def on_one_core(address: str) -> Callable[[], bool]:
    """Tells whether a process at HOST:PORT has only the one core that this process has.

    So it is when this process may use one and the peer is on the same machine; told anew
    each time, as both are moved while they run.
    """
    here = _is_here(urlsplit(f"//{address}").hostname or "")
    return lambda: here and _cores() == 1


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _cores() -> int:
    # Not every system has it.
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
