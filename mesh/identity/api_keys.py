"""API keys: exchanged at svc_auth for a short token of the mesh, and remembered for a while."""

import hashlib
from functools import partial
from typing import Protocol

import structlog

from leaky.auth.v1.credential_service_pb2 import (
    REVOCATION_KIND_API_KEY,
    REVOCATION_KIND_USER,
    ExchangeApiKeyRequest,
    ExchangeApiKeyResponse,
)
from leaky.common.v1 import reason_pb2
from mesh.clock import Clock
from mesh.errors import AppError
from mesh.identity.answers import Answer, Answers
from mesh.identity.bearer import MESH_AUDIENCE, Bearer, Proof
from mesh.identity.jose import InvalidToken
from mesh.identity.lru import Lru
from mesh.identity.principal import Found, Principal
from mesh.identity.pulse import Pulse
from mesh.identity.refusals import invalid_api_key, unavailable
from mesh.identity.revoked import Revoked
from mesh.rpc.channel import Channel
from mesh.rpc.method import rpc

EXCHANGE = rpc(ExchangeApiKeyRequest, ExchangeApiKeyResponse)
_CAPACITY = 10_000
_LONGEST = 512
_REFUSED_SECONDS = 5.0
# A token handed on must outlive the call that it is handed on in.
_MARGIN_SECONDS = 10.0
# Only these speak of the key; that this service is refused, say, does not.
_REFUSALS = frozenset({reason_pb2.REASON_INVALID_API_KEY, reason_pb2.REASON_INVALID_ARGUMENT})
log = structlog.get_logger("identity")


class OnApiKey(Protocol):
    """Hears of each key that is looked for among those remembered."""

    def __call__(self, *, known: bool) -> None:
        """`known` where svc_auth was not asked, be the key good or bad."""
        ...


class ApiKeys:
    """Whom API keys stand for. Keys are remembered by their hash only."""

    def __init__(
        self,
        *,
        channel: Channel,
        bearer: Bearer,
        clock: Clock,
        pulse: Pulse,
        ttl_seconds: float,
    ) -> None:
        self._channel = channel
        self._bearer = bearer
        self._clock = clock
        self._ttl = ttl_seconds
        self._answers: Answers[bytes, Principal] = Answers(
            capacity=_CAPACITY, clock=clock, pulse=pulse
        )
        self._refused: Lru[bytes, bool] = Lru(_CAPACITY)
        self.listener: OnApiKey = _nobody

    def principal(self, key: str) -> Found:
        """The key's user, with the exchanged token. Raises INVALID_API_KEY or UNAVAILABLE."""
        if not key or len(key) > _LONGEST or not key.isascii():
            raise invalid_api_key()
        digest = hashlib.sha256(key.encode()).digest()
        held = self._answers.known(digest)
        refused = held is None and bool(self._refused.get(digest, now=self._clock.monotonic()))
        self.listener(known=refused or held is not None)
        if held is not None:
            return held
        if refused:
            raise invalid_api_key()
        return self._answers.get(digest, partial(self._exchange, digest, key))

    def drop(self, revoked: Revoked) -> None:
        """Forgets what this revocation ends."""
        kind, subject = revoked.kind, revoked.subject
        if kind == REVOCATION_KIND_API_KEY:
            self._answers.drop(lambda _, held: held.api_key_id == subject)
        elif kind == REVOCATION_KIND_USER:
            self._answers.drop(lambda _, held: held.user_id == subject)

    def clear(self) -> None:
        """Forgets every key; the refused ones stay refused for their few seconds."""
        self._answers.clear()

    async def _exchange(self, digest: bytes, key: str) -> Answer[Principal]:
        proof = await self._proof(await self._ask(digest, key))
        left = (proof.until_us - self._clock.now_us()) / 1_000_000
        return Answer(proof.principal, min(self._ttl, left - _MARGIN_SECONDS))

    async def _ask(self, digest: bytes, key: str) -> str:
        request = ExchangeApiKeyRequest(api_key=key)
        try:
            response = await self._channel.unary(EXCHANGE, request)
        except AppError as error:
            if error.reason not in _REFUSALS:
                log.warning("an API key cannot be checked", reason=error.outcome.name)
                raise unavailable() from error
            until = self._clock.monotonic() + _REFUSED_SECONDS
            self._refused.put(digest, value=True, until=until)
            raise invalid_api_key() from None
        return response.token

    async def _proof(self, token: str) -> Proof:
        try:
            proof = await self._bearer.verify(token, (MESH_AUDIENCE,))
        except InvalidToken as error:
            # Svc_auth vouched for the key: what is wrong is between us and it.
            log.warning("an exchanged token does not verify", error=str(error))
            raise unavailable() from error
        if not proof.principal.api_key_id:
            log.warning("an exchanged token names no API key")
            raise unavailable()
        return proof


def _nobody(*, known: bool) -> None:
    """Hears nothing."""
