"""Calls to providers: tries, waits, bulkhead and breaker within one time limit."""

import asyncio
from collections.abc import Callable

import aiohttp
import orjson
import structlog

from leaky.common.v1.reason_pb2 import REASON_PROVIDER_CALL_FAILED
from mesh.clock import Clock, SystemClock
from mesh.errors import AppError
from mesh.failpoints import failpoint
from mesh.resilience.breaker import Breaker, BreakerPolicy
from mesh.resilience.bulkhead import Bulkhead
from mesh.rpc.call import CURRENT
from mesh.telemetry.closed import Closed
from mesh.telemetry.tally import Histogram
from providers.attempt import AttemptError, Kind, Post
from providers.following import chatting
from providers.lane import Lane
from providers.settings import EgressSettings, HasProviders, api_of, base_url
from providers.wire import WIRES

log = structlog.get_logger("providers")
OK, ABORTED = "ok", "aborted"
SECONDS = Closed(
    Histogram,
    "provider_call_seconds",
    "Calls to providers, all tries.",
    {"provider": (), "outcome": (OK, ABORTED, *Kind)},
)
# What is left of the caller's time so that it can still give tokens back.
RESERVE_SECONDS = 0.1
# More than any service lets in at once; it bounds memory, the timeout bounds the wait.
QUEUE = 1000
# Below the 5 s after which uvicorn closes idle connections, so that none is used as it goes.
KEEPALIVE_SECONDS = 4.0
# Of each call; the answer is handed on byte for byte.
_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}
_CALLING = failpoint("provider.call.before")
_ANSWERED = failpoint("provider.call.after")


class ProviderCallFailed(AppError):  # noqa: N818 the outcome's own name
    """The provider gave no usable answer; why is in the log only."""

    def __init__(self) -> None:
        super().__init__(REASON_PROVIDER_CALL_FAILED, "provider call failed")


class Providers:
    """All providers of the settings, which are read at each call.

    To be made on the running event loop, once: it holds the connection pool.
    """

    def __init__(self, settings: Callable[[], HasProviders], *, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._lanes: dict[str, Lane] = {}
        SECONDS.admit("provider", settings().providers)
        # The bulkheads bound the connections; a second bound would only queue unseen.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_SECONDS)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
        )

    async def close(self) -> None:
        """Closes all connections."""
        await self._session.close()

    def known(self, provider: str) -> bool:
        """Whether the settings name this provider."""
        return provider in self._settings().providers

    async def complete(
        self, provider: str, *, prompt: str | None, tokens: int, request_id: str
    ) -> bytes:
        """The provider's answer, a JSON object byte for byte, for at most `tokens` tokens.

        Raises ProviderCallFailed, for an unknown or disabled provider too.
        """
        settings = self._settings()
        if not self.known(provider) or not settings.providers[provider].enabled:
            log.warning("provider call failed", cause="unknown or disabled provider")
            raise ProviderCallFailed
        if provider not in self._lanes:
            # It may have come with a change of the settings.
            SECONDS.admit("provider", [provider])
        with chatting(provider) as step:
            started = self._clock.monotonic()
            outcome = ABORTED
            try:
                _CALLING()
                body = await self._tries(settings, provider, prompt or "", tokens, request_id)
                _ANSWERED()
                outcome = OK
            except AttemptError as error:
                outcome = error.kind
                log.warning(
                    "provider call failed",
                    provider=provider,
                    request_id=request_id,
                    cause=str(error),
                )
                raise ProviderCallFailed from None
            finally:
                SECONDS.of(provider, outcome).observe(self._clock.monotonic() - started)
                step.tell("leaky.outcome", outcome)
            return body

    async def _tries(
        self, settings: HasProviders, provider: str, prompt: str, tokens: int, request_id: str
    ) -> bytes:
        egress = settings.provider
        deadline = _deadline(egress.timeout)
        post = _post(settings, provider, prompt, tokens, request_id)
        lane = self._lane(settings, provider, post.url)
        tries = 0
        while True:
            tries += 1
            try:
                return await lane.send(post, deadline=deadline, usual=egress.timeout)
            except AttemptError as error:
                wait = max(egress.retry_wait, error.retry_after)
                late = asyncio.get_running_loop().time() + wait >= deadline
                if not error.retry or tries >= egress.retries or late:
                    raise
            await asyncio.sleep(wait)

    def _lane(self, settings: HasProviders, provider: str, url: str) -> Lane:
        lane = self._lanes.get(provider)
        if lane is None or lane.url != url:
            lane = self._lanes[provider] = Lane(
                url=url,
                breaker=Breaker(f"provider:{provider}", self._policy, self._clock.monotonic),
                bulkhead=Bulkhead(limit=settings.provider.bulkhead, queue=QUEUE),
                session=self._session,
                clock=self._clock,
            )
        return lane

    def _policy(self) -> BreakerPolicy:
        return _policy(self._settings().provider)


def _policy(egress: EgressSettings) -> BreakerPolicy:
    return BreakerPolicy(
        window=egress.breaker.window,
        min_calls=egress.breaker.min_calls,
        failure_percent=egress.breaker.failure_percent,
        open_seconds=egress.breaker.open,
    )


def _deadline(timeout: float) -> float:
    deadline = asyncio.get_running_loop().time() + timeout
    call = CURRENT.get()
    return deadline if call is None else min(deadline, call.deadline - RESERVE_SECONDS)


def _post(settings: HasProviders, provider: str, prompt: str, tokens: int, request_id: str) -> Post:
    own = settings.providers[provider]
    wire = WIRES[api_of(settings, provider)]
    model = own.model or wire.model
    return Post(
        url=base_url(settings, provider) + wire.path_for(model),
        headers={"X-Client-Request-Id": request_id, **wire.headers(own.api_key)},
        body=orjson.dumps(wire.body(model, prompt, tokens)),
    )
