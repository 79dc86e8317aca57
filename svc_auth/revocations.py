"""Tells every watcher of this process what to drop, and once a second that it is still there."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from prometheus_client import Counter, Gauge

from mesh.clock import Clock
from svc_auth.domain.revocation import Kind, Revocation

HEARTBEAT_SECONDS = 1.0
# A watcher that is this far behind starts over sooner than it would catch up.
PENDING = 1024
WATCHERS = Gauge("auth_revocation_watchers", "Streams of revocations that are open.")
DROPPED = Counter("auth_revocation_watchers_dropped_total", "Streams ended for being too slow.")


class Watcher:
    """What one stream still has to be told; an async iterator that ends when it fell behind."""

    def __init__(self, limit: int, closed: Callable[["Watcher"], None]) -> None:
        self._limit = limit
        self._on_close = closed
        self._pending: deque[Revocation] = deque()
        self._wake = asyncio.Event()
        self._closed = False

    def offer(self, revocation: Revocation) -> bool:
        """Queues it; False when the queue is full."""
        if len(self._pending) >= self._limit:
            return False
        self._pending.append(revocation)
        self._wake.set()
        return True

    def close(self) -> None:
        """Ends the iteration at once; a gap in it must not go unnoticed."""
        self._on_close(self)
        self._closed = True
        self._pending.clear()
        self._wake.set()

    def __aiter__(self) -> "Watcher":
        return self

    async def __anext__(self) -> Revocation:
        while not self._pending:
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._pending.popleft()


class Broadcaster:
    """Implements Revocations and Watching."""

    def __init__(
        self,
        clock: Clock,
        *,
        pending: int = PENDING,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._pending = pending
        self._sleep = sleep
        self._watchers: set[Watcher] = set()

    def watch(self) -> Watcher:
        """A watcher that misses nothing from here on; its first word is a heartbeat."""
        watcher = Watcher(self._pending, self._leave)
        watcher.offer(self._revocation(Kind.HEARTBEAT, ""))
        self._watchers.add(watcher)
        WATCHERS.set(len(self._watchers))
        return watcher

    def _leave(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)
        WATCHERS.set(len(self._watchers))

    def publish(self, kind: Kind, subject: str) -> None:
        """Tells every watcher; one whose queue is full is ended and has to start over."""
        revocation = self._revocation(kind, subject)
        for watcher in tuple(self._watchers):
            if not watcher.offer(revocation):
                watcher.close()
                DROPPED.inc()

    async def run(self) -> None:
        """Sends heartbeats until cancelled; then ends every watcher."""
        try:
            while True:
                await self._sleep(HEARTBEAT_SECONDS)
                self.publish(Kind.HEARTBEAT, "")
        finally:
            for watcher in tuple(self._watchers):
                watcher.close()

    def _revocation(self, kind: Kind, subject: str) -> Revocation:
        return Revocation(kind=kind, subject=subject, at=self._clock.now_us())
