"""Follows what svc_auth revokes, and makes the caches forget it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

import structlog
from prometheus_client import Counter

from leaky.auth.v1.credential_service_pb2 import (
    REVOCATION_KIND_API_KEY,
    REVOCATION_KIND_CLIENT,
    REVOCATION_KIND_GRANT,
    REVOCATION_KIND_MEMBERSHIP,
    REVOCATION_KIND_SESSIONS,
    REVOCATION_KIND_TOKEN,
    REVOCATION_KIND_UNSPECIFIED,
    REVOCATION_KIND_USER,
    WatchRevocationsRequest,
    WatchRevocationsResponse,
)
from mesh.errors import AppError
from mesh.identity.pulse import Pulse
from mesh.identity.revoked import Revoked, revoked_of
from mesh.resilience.backoff import Backoff
from mesh.rpc.channel import Channel
from mesh.rpc.method import rpc

WATCH = rpc(WatchRevocationsRequest, WatchRevocationsResponse)
# Short, because a revocation is to arrive within a second of svc_auth's return.
BACKOFF = Backoff(first=0.1, cap=0.5)
CONNECTED = Counter("identity_revocation_streams_total", "Revocation streams that came to life.")
_KNOWN = {
    REVOCATION_KIND_API_KEY,
    REVOCATION_KIND_USER,
    REVOCATION_KIND_MEMBERSHIP,
    REVOCATION_KIND_TOKEN,
    REVOCATION_KIND_SESSIONS,
    REVOCATION_KIND_CLIENT,
    REVOCATION_KIND_GRANT,
}
log = structlog.get_logger("identity")


class Cache(Protocol):
    """Something that remembers what can be revoked."""

    def drop(self, revoked: Revoked) -> None:
        """Forgets what this revocation ends, and refuses it from here on."""
        ...

    def clear(self) -> None:
        """Forgets everything."""
        ...


class Revocations:
    """One stream from svc_auth, begun again whenever it ends or falls silent."""

    def __init__(
        self,
        *,
        channel: Channel,
        pulse: Pulse,
        caches: Sequence[Cache],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._channel = channel
        self._pulse = pulse
        self._caches = caches
        self._pause = pause
        self._alive = False
        self._told_all = False

    async def run(self) -> None:
        """Follows until cancelled."""
        failures = 0
        while True:
            ending = await self._attempt()
            failures = 1 if self._alive else failures + 1
            if self._alive:
                log.warning("the revocation stream ended", why=ending)
                self._alive = False
            await self._pause(BACKOFF.delay(failures))

    async def _attempt(self) -> str:
        request = WatchRevocationsRequest()
        stream = self._channel.stream(WATCH, request)
        try:
            await self._follow(stream)
        except TimeoutError:
            return "silence"
        except AppError as error:
            return error.outcome.name
        finally:
            await _close(stream)
        return "closed by the other side"

    async def _follow(self, stream: AsyncIterator[WatchRevocationsResponse]) -> None:
        while True:
            async with asyncio.timeout(self._pulse.silence):
                message = await anext(stream, None)
            if message is None:
                return
            if not self._alive:
                self._begin()
            self._apply(message)
            # Before its first heartbeat a stream tells what was revoked earlier:
            # who has not heard all of that is not to be trusted yet.
            self._told_all |= message.kind == REVOCATION_KIND_UNSPECIFIED
            if self._told_all:
                self._pulse.beat()

    def _begin(self) -> None:
        # What was revoked before the first message of this stream went unheard.
        self._alive = True
        self._told_all = False
        CONNECTED.inc()
        log.info("the revocation stream is alive")
        self._clear()

    def _apply(self, message: WatchRevocationsResponse) -> None:
        if message.kind in _KNOWN:
            for cache in self._caches:
                cache.drop(revoked_of(message))
        elif message.kind != REVOCATION_KIND_UNSPECIFIED:
            # A kind that a newer svc_auth knows: forgetting all covers it.
            self._clear()

    def _clear(self) -> None:
        for cache in self._caches:
            cache.clear()


async def _close(stream: AsyncIterator[WatchRevocationsResponse]) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()
