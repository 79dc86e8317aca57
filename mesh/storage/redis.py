"""Redis behind redis-py: bounded waits, no repeats, and one word about each outage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.resilience.breaker import Breaker, BreakerPolicy, State

log = structlog.get_logger("redis")
# For connecting and all answers together.
PATIENCE_SECONDS = 1.0
# One failure may be a connection that was cut; two in a row are an outage.
POLICY = BreakerPolicy(window=2, min_calls=2, failure_percent=100, open_seconds=0.25, half_open=1)


@asynccontextmanager
async def open_redis(url: str) -> AsyncIterator["Redis"]:
    """A client for `redis://[user:password@]host:port/db`, or `rediss://` over TLS.

    It connects with its first command, repeats none, and has no time limits of
    its own: RedisReach bounds what is done with it. Raises ValueError for an URL
    that cannot be read, without saying what it holds.
    """
    try:
        client: Redis = Redis.from_url(
            url,
            protocol=2,
            driver_info=None,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=None,
            socket_connect_timeout=None,
        )
    except (ValueError, TypeError):
        raise ValueError("this is no URL of a Redis: redis://HOST:PORT/DB is one") from None
    async with client:
        yield client


class RedisReach:
    """Whether Redis can be reached. While it is known to be away nobody waits for it.

    `store` says what is kept there; it is a metric's label and comes from a
    closed set.
    """

    def __init__(self, store: str) -> None:
        self.store = store
        clock = asyncio.get_running_loop().time
        self._breaker = Breaker(f"redis:{store}", lambda: POLICY, clock, _untold)
        self._away = False

    @asynccontextmanager
    async def reaching(self) -> AsyncIterator[None]:
        """Raises AppError UNAVAILABLE after PATIENCE_SECONDS, or at once during an outage.

        What was sent may have been done nevertheless.
        """
        permit = self._breaker.allow()
        if permit is None:
            raise self._unavailable()
        with permit:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    yield
            except (RedisError, OSError) as error:
                permit.record(success=False)
                raise self.refused(error) from error
            permit.record(success=True)

    def refused(self, error: Exception) -> AppError:
        """The AppError for what Redis said, or for its silence; an outage is logged once."""
        if not self._away:
            self._away = True
            said = f"{type(error).__name__}: {error}"
            log.warning("redis is away", store=self.store, error=said)
        return self._unavailable()

    def answered(self) -> None:
        """Redis did what it was asked."""
        if self._away:
            self._away = False
            log.warning("redis is back", store=self.store)

    def _unavailable(self) -> AppError:
        return AppError(REASON_UNAVAILABLE, f"the store of {self.store} is away", retry_after=1)


def _untold(_name: str, _state: State) -> None:
    """Probes come and go several times a second; an outage is told of once, by `refused`."""
