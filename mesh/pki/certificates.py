"""A process's own certificate as its folder has it now, and while the process runs."""

import asyncio
import datetime as dt
import math
from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import Gauge

from mesh.clock import Clock
from mesh.pki.authority import issued
from mesh.pki.leaf import Leaf
from mesh.pki.leaf_folder import LeafFolder
from mesh.pki.refused import CertificateError
from mesh.pki.spiffe import SpiffeId

POLL_SECONDS = 1.0
LATE_SECONDS = 3600.0
EXPIRY = Gauge(
    "pki_certificate_expiry_timestamp_seconds",
    "When this process's certificate ends, and the root that it leads to; seconds since 1970.",
    ["certificate"],
)
ISSUED = Gauge(
    "pki_certificate_issued_timestamp_seconds",
    "When this process's certificate was issued, and the root it leads to; seconds since 1970.",
    ["certificate"],
)
log = structlog.get_logger("pki")


def moment(clock: Clock) -> dt.datetime:
    """The clock's time as certificates have it."""
    return dt.datetime.fromtimestamp(clock.now_us() / 1_000_000, dt.UTC)


class Certificates:
    """The leaf of one process; `current` is always the last good one.

    Raises CertificateError where there is none to begin with that is `who`'s.
    """

    def __init__(self, *, folder: LeafFolder, who: SpiffeId, clock: Clock) -> None:
        self._folder, self._who, self._clock = folder, who, clock
        self._listeners: list[Callable[[Leaf], None]] = []
        # Noted before it is read, so that a change during the start is not missed.
        self._seen = folder.stamp()
        self._refused, self._silent_until = "", -math.inf
        self.current = self._good()

    def on_change(self, listener: Callable[[Leaf], None]) -> None:
        """Calls the listener after each change, with the leaf that there was before."""
        self._listeners.append(listener)

    def now(self) -> dt.datetime:
        """The time by which certificates begin and end."""
        return moment(self._clock)

    def seconds_left(self, leaf: Leaf) -> float:
        """How long a leaf is good for; negative once it has ended."""
        return (leaf.until - self.now()).total_seconds()

    async def follow(self, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Watches the folder, until cancelled."""
        while True:
            await pause(POLL_SECONDS)
            self.look()

    def look(self) -> None:
        """Takes over what is new in the folder, if it is good; else it is looked at again.

        Says each hour that nobody renews the one that there is, where little of its life is left.
        """
        self._take()
        now = self.now()
        if (
            self.current.until - now < self.current.life / 4
            and now.timestamp() >= self._silent_until
        ):
            self._silent_until = now.timestamp() + LATE_SECONDS
            log.warning("nobody renews the certificate", until=_told(self.current))

    def _take(self) -> None:
        stamp = self._folder.stamp()
        if stamp == self._seen:
            return
        try:
            before, self.current = self.current, self._good()
        except CertificateError as error:
            self._refuse(str(error))
            return
        self._seen, self._refused = stamp, ""
        log.info("a new certificate", until=_told(self.current))
        for listener in self._listeners:
            listener(before)

    def _refuse(self, error: str) -> None:
        # It may become good as it is: when its time begins, or files can be opened again.
        if error != self._refused:
            log.warning("a new certificate is refused, the last good one stays", error=error)
        self._refused = error

    def _good(self) -> Leaf:
        leaf = self._folder.read()
        if leaf.who != self._who:
            raise CertificateError(f"{self._folder.path}: it is {leaf.who}, not {self._who}")
        try:
            root = leaf.root(self.now())
        except CertificateError as error:
            raise CertificateError(f"{self._folder.path}: {error}") from error
        EXPIRY.labels("leaf").set(leaf.until.timestamp())
        EXPIRY.labels("root").set(root.not_valid_after_utc.timestamp())
        ISSUED.labels("leaf").set(leaf.issued.timestamp())
        ISSUED.labels("root").set(issued(root).timestamp())
        return leaf


def _told(leaf: Leaf) -> str:
    return f"{leaf.until:%Y-%m-%dT%H:%M:%SZ}"
