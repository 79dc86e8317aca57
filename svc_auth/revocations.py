"""Tells every watcher of this process what was revoked, here or by another instance."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from prometheus_client import Counter, Gauge

from mesh.clock import Clock
from mesh.errors import AppError
from mesh.telemetry.quiet import Quiet
from svc_auth.domain.revocation import Revocation, heartbeat
from svc_auth.domain.tail import BEHIND, Tail
from svc_auth.ports import RevocationLog

log = structlog.get_logger("auth.revocations")
# Within a second others must have heard, and the heart must have beaten.
POLL_SECONDS = 0.25
HEARTBEAT_SECONDS = 1.0
FORGET_SECONDS = 300.0
# What has ended is kept a while for readers whose clocks are behind.
KEPT_US = 3_600_000_000
PAGE = 1000
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


async def _woken(wake: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wake.wait()


class Broadcaster:
    """Implements Revocations and Watching, over what is stored.

    The store is read, not the caller believed: so instances on one database
    hear each other, commands that work on it are heard too, and what a caller
    could not announce before it died is announced all the same. While the store
    cannot be read the heart does not beat, and nobody trusts what it remembers.
    """

    def __init__(
        self,
        clock: Clock,
        stored: RevocationLog,
        *,
        pending: int = PENDING,
        pause: Callable[[asyncio.Event, float], Awaitable[None]] = _woken,
    ) -> None:
        self._clock = clock
        self._stored = stored
        self._pending = pending
        self._pause = pause
        self._watchers: set[Watcher] = set()
        self._wake = asyncio.Event()
        self._tail = Tail()
        self._started = asyncio.Event()
        self._quiet = Quiet()
        self._beat_at = self._forget_at = clock.monotonic()

    async def started(self) -> None:
        """Returns once the store is followed: what is stored from then on is told."""
        await self._started.wait()

    def watch(self) -> Watcher:
        """A watcher that misses nothing that is stored from here on."""
        watcher = Watcher(self._pending, self._leave)
        self._watchers.add(watcher)
        WATCHERS.set(len(self._watchers))
        return watcher

    def _leave(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)
        WATCHERS.set(len(self._watchers))

    def announce(self) -> None:
        """Has the store read now, and not only in its turn."""
        self._wake.set()

    async def poll(self) -> None:
        """Tells what is new in the store. Raises AppError UNAVAILABLE."""
        now = self._clock.monotonic()
        if not self._started.is_set():
            await self._start(now)
        found = await self._stored.after(self._tail.newest, also=self._tail.gaps, limit=PAGE)
        for one in self._tail.fresh(found, now):
            self._tell(one.revocation)
        if len(found) == PAGE:
            self.announce()

    async def _start(self, now: float) -> None:
        newest = await self._stored.newest()
        seen = await self._stored.after(max(0, newest - BEHIND - 1), also=(), limit=PAGE)
        self._tail.start(newest, [one for one in seen if one.seq <= newest], now)
        self._started.set()

    async def turn(self) -> None:
        """One look at the store, and what is due beside it; a store that is away is waited for."""
        self._wake.clear()
        now = self._clock.monotonic()
        try:
            await self.poll()
            if now >= self._forget_at:
                self._forget_at = now + FORGET_SECONDS
                await self._stored.forget(ended_before=self._clock.now_us() - KEPT_US)
        except AppError as error:
            if self._quiet.lets():
                log.warning("revocations cannot be read", error=error.message)
            return
        if now >= self._beat_at:
            self._beat_at = now + HEARTBEAT_SECONDS
            self._tell(heartbeat(self._clock.now_us()))

    async def run(self) -> None:
        """Takes turns until cancelled; then ends every watcher."""
        try:
            while True:
                await self.turn()
                await self._pause(self._wake, POLL_SECONDS)
        finally:
            for watcher in tuple(self._watchers):
                watcher.close()

    def _tell(self, revocation: Revocation) -> None:
        # One whose queue is full is ended, and has to start over.
        for watcher in tuple(self._watchers):
            if not watcher.offer(revocation):
                watcher.close()
                DROPPED.inc()
