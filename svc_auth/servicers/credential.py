"""leaky.auth.v1.CredentialService."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import ClassVar, Protocol

from google.protobuf.descriptor import ServiceDescriptor

from leaky.auth.v1 import credential_service_pb2
from leaky.auth.v1.credential_service_pb2 import (
    REVOCATION_KIND_API_KEY,
    REVOCATION_KIND_CLIENT,
    REVOCATION_KIND_GRANT,
    REVOCATION_KIND_MEMBERSHIP,
    REVOCATION_KIND_SESSIONS,
    REVOCATION_KIND_TOKEN,
    REVOCATION_KIND_UNSPECIFIED,
    REVOCATION_KIND_USER,
    ExchangeApiKeyRequest,
    ExchangeApiKeyResponse,
    GetJwksRequest,
    GetJwksResponse,
    GetUserRolesRequest,
    GetUserRolesResponse,
    WatchRevocationsRequest,
    WatchRevocationsResponse,
)
from mesh.rpc.call import Call
from mesh.rpc.times import timestamp
from svc_auth.domain.revocation import Kind, Revocation
from svc_auth.servicers.wire import uuid_of
from svc_auth.usecases.exchange_api_key import ExchangeApiKey
from svc_auth.usecases.get_user_roles import GetUserRoles
from svc_auth.usecases.watch_revocations import WatchRevocations


class PublicKeys(Protocol):
    """What tokens are verified with."""

    @property
    def jwks(self) -> bytes:
        """A JWK set, as it is at this moment."""
        ...


KINDS = {
    Kind.HEARTBEAT: REVOCATION_KIND_UNSPECIFIED,
    Kind.API_KEY: REVOCATION_KIND_API_KEY,
    Kind.USER: REVOCATION_KIND_USER,
    Kind.MEMBERSHIP: REVOCATION_KIND_MEMBERSHIP,
    Kind.TOKEN: REVOCATION_KIND_TOKEN,
    Kind.SESSIONS: REVOCATION_KIND_SESSIONS,
    Kind.CLIENT: REVOCATION_KIND_CLIENT,
    Kind.GRANT: REVOCATION_KIND_GRANT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialServicer:
    """What the other services need to know of credentials."""

    SERVICE: ClassVar[ServiceDescriptor] = credential_service_pb2.DESCRIPTOR.services_by_name[
        "CredentialService"
    ]
    exchange: ExchangeApiKey
    roles_of: GetUserRoles
    watch: WatchRevocations
    keys: PublicKeys

    async def exchange_api_key(
        self, request: ExchangeApiKeyRequest, _call: Call
    ) -> ExchangeApiKeyResponse:
        """Exchanges an API key for a short-lived token."""
        key, token = await self.exchange(request.api_key)
        return ExchangeApiKeyResponse(
            token=token.text,
            expires_at=timestamp(token.expires_at),
            api_key_id=key.id,
            user_id=key.user_id,
        )

    async def get_jwks(self, _request: GetJwksRequest, _call: Call) -> GetJwksResponse:
        """The public keys."""
        return GetJwksResponse(jwks=self.keys.jwks)

    async def get_user_roles(
        self, request: GetUserRolesRequest, _call: Call
    ) -> GetUserRolesResponse:
        """The roles of a user."""
        roles = await self.roles_of(user_id=uuid_of("user_id", request.user_id))
        return GetUserRolesResponse(roles=roles)

    async def watch_revocations(
        self, _request: WatchRevocationsRequest, _call: Call
    ) -> AsyncIterator[WatchRevocationsResponse]:
        """What is to be remembered, then the news, until the caller leaves or falls behind."""
        return _messages(await self.watch())


async def _messages(
    revocations: AsyncGenerator[Revocation, None],
) -> AsyncIterator[WatchRevocationsResponse]:
    async with aclosing(revocations):
        async for revocation in revocations:
            yield WatchRevocationsResponse(
                kind=KINDS[revocation.kind],
                subject=revocation.subject,
                at=timestamp(revocation.at),
                until=timestamp(revocation.until),
            )
