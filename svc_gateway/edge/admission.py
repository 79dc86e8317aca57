"""Authenticates a request once, counts it against its caller, and hands on who is calling."""

from collections.abc import Mapping
from typing import Protocol

from leaky.common.v1.reason_pb2 import REASON_INVALID_API_KEY, REASON_RATE_LIMIT_EXCEEDED
from leaky.edge.v1.options_pb2 import ACCESS_PUBLIC
from mesh.edge.address import counted
from mesh.edge.request import EdgeRequest
from mesh.errors import AppError
from mesh.identity.principal import NOBODY, Found, Principal
from mesh.settings import Live
from svc_gateway.metrics import VALIDATIONS
from svc_gateway.settings import GatewaySettings, KeyStrategy
from svc_gateway.usecases.limit_request import LimitRequest

API_KEY = "x-api-key"
AUTHORIZATION = "authorization"
VALID, INVALID = VALIDATIONS.of("valid"), VALIDATIONS.of("invalid")
UNAVAILABLE = VALIDATIONS.of("unavailable")


class Authenticator(Protocol):
    """Verifies credentials; mesh.identity's Identity is one."""

    def authenticate(self, metadata: Mapping[str, str]) -> Found:
        """Who sent these; NOBODY without a credential. Raises AppError for a bad one."""
        ...


class Admission:
    """The edge's hook: runs before a request's body is read.

    It sees what leads to a method. Documentation, health, fallbacks and paths
    that are not found are no limited requests: they reach no service.
    """

    def __init__(
        self, *, settings: Live[GatewaySettings], authenticator: Authenticator, limit: LimitRequest
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._limit = limit

    async def __call__(self, request: EdgeRequest) -> None:
        """Raises AppError RATE_LIMIT_EXCEEDED, or what is wrong with the credential.

        UNAVAILABLE when the request cannot be counted and must be; where it need
        not be it passes, and no X-RateLimit header says what nobody knows.

        A bad credential counts against the address that it came from, so that
        guessing keys is limited too.
        """
        principal, refusal = await self._authenticate(request)
        verdict = await self._limit(request.path, self._caller(request, principal))
        if verdict is not None:
            request.response_headers += verdict.headers()
            if not verdict.allowed:
                raise AppError(
                    REASON_RATE_LIMIT_EXCEEDED,
                    "rate limit exceeded",
                    retry_after=verdict.retry_after,
                )
        if refusal is not None:
            try:
                raise refusal
            finally:
                # An error that its own frame knows keeps the request in memory.
                del refusal

    async def _authenticate(self, request: EdgeRequest) -> tuple[Principal, AppError | None]:
        if request.rpc.access == ACCESS_PUBLIC:
            return NOBODY, None
        try:
            self._rename_key(request)
        except AppError as refusal:
            INVALID.inc()
            return NOBODY, refusal
        metadata = request.metadata
        if not self._settings.current.feature.flags.gateway.api_key_validation:
            # The services check the key themselves, each time.
            metadata = {key: text for key, text in metadata.items() if key != API_KEY}
        # A key beside an Authorization is not looked at.
        keyed = API_KEY in metadata and AUTHORIZATION not in metadata
        try:
            found = self._authenticator.authenticate(metadata)
            principal = found if isinstance(found, Principal) else await found
        except AppError as refusal:
            if keyed:
                (INVALID if refusal.reason == REASON_INVALID_API_KEY else UNAVAILABLE).inc()
            return NOBODY, refusal
        if keyed:
            VALID.inc()
        if not principal.anonymous:
            request.principal = principal.user_id
            request.metadata.pop(API_KEY, None)
            request.metadata[AUTHORIZATION] = principal.authorization
        return principal, None

    def _rename_key(self, request: EdgeRequest) -> None:
        header = self._settings.current.gateway.api_key.header.lower()
        if header != API_KEY:
            request.metadata.pop(API_KEY, None)
            if header in request.headers:
                request.hand_on(API_KEY, request.headers[header])

    def _caller(self, request: EdgeRequest, principal: Principal) -> str:
        strategy = self._settings.current.gateway.rate_limit.key_strategy
        if strategy is not KeyStrategy.IP and not principal.anonymous:
            key = principal.api_key_id if strategy is KeyStrategy.AUTO else ""
            return f"key:{key}" if key else f"user:{principal.user_id}"
        return f"ip:{counted(request.client)}"
