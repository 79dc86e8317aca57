"""The public keys that svc_auth signs with."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from leaky.auth.v1.credential_service_pb2 import GetJwksRequest, GetJwksResponse
from mesh.clock import Clock
from mesh.errors import AppError
from mesh.identity.flights import Flights
from mesh.identity.jose import ES256, RS256, InvalidToken
from mesh.identity.refusals import unavailable
from mesh.resilience.backoff import Backoff
from mesh.rpc.channel import Channel
from mesh.rpc.method import rpc

GET_JWKS = rpc(GetJwksRequest, GetJwksResponse)
REFRESH_SECONDS = 300.0
BACKOFF = Backoff(first=0.2, cap=2.0)
# Tokens with invented key ids cost svc_auth no more than this often.
_GAP_SECONDS = 2.0
_GAP_AFTER_FAILURE_SECONDS = 0.25
_FLIGHT = "jwks"
log = structlog.get_logger("identity")


class KeySet:
    """Keys by their id, fetched when one is missing and refreshed by a worker.

    What is cached stays good while svc_auth is away. `version` grows whenever
    a key has been withdrawn, so that what it proved can be forgotten.
    """

    def __init__(self, *, channel: Channel, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock
        self._keys: dict[str, dict[str, Any]] = {}
        self._flights: Flights[str, None] = Flights()
        self._fetched_at = -math.inf
        self._failed = False
        self.version = 0
        # Set by the first fetch that brought keys.
        self.known = asyncio.Event()

    async def find(self, kid: str) -> Mapping[str, Any]:
        """The key with this id, as a JWK.

        Raises InvalidToken when svc_auth has no such key, and AppError
        UNAVAILABLE when it cannot be asked.
        """
        if kid not in self._keys:
            await self._refetch()
        if kid in self._keys:
            return self._keys[kid]
        if self._failed:
            raise unavailable()
        raise InvalidToken("signed with an unknown key")

    async def run(self, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Keeps the set fresh until cancelled, so that it is there when svc_auth is not."""
        failures = 0
        while True:
            await self._flights.join(_FLIGHT, self._fetch)
            failures = failures + 1 if self._failed else 0
            await pause(BACKOFF.delay(failures) if failures else REFRESH_SECONDS)

    async def _refetch(self) -> None:
        gap = _GAP_AFTER_FAILURE_SECONDS if self._failed else _GAP_SECONDS
        if _FLIGHT in self._flights or self._clock.monotonic() - self._fetched_at >= gap:
            await self._flights.join(_FLIGHT, self._fetch)

    async def _fetch(self) -> None:
        try:
            response = await self._channel.unary(GET_JWKS, GetJwksRequest())
            self._take(_parse(response.jwks))
        except (AppError, ValueError) as error:
            if not self._failed:
                log.warning("signing keys cannot be fetched", error=str(error))
            self._failed = True
        else:
            self._failed = False
        finally:
            self._fetched_at = self._clock.monotonic()

    def _take(self, keys: dict[str, dict[str, Any]]) -> None:
        if any(keys.get(kid) != key for kid, key in self._keys.items()):
            self.version += 1
        self._keys = keys
        self.known.set()


def _parse(text: bytes) -> dict[str, dict[str, Any]]:
    document = json.loads(text)
    listed = document.get("keys") if isinstance(document, dict) else None
    usable = filter(_usable, listed) if isinstance(listed, list) else ()
    keys = {key["kid"]: key for key in usable}
    if not keys:
        message = "a key set without a usable key"
        raise ValueError(message)
    return keys


def _usable(key: object) -> bool:
    return (
        isinstance(key, dict)
        and isinstance(key.get("kid"), str)
        and key.get("alg") in {RS256, ES256}
        and key.get("use", "sig") == "sig"
    )
