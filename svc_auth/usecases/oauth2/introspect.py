"""Says what tokens are worth (RFC 7662)."""

from dataclasses import dataclass
from typing import Any

from mesh.clock import Clock
from svc_auth.domain.claims import SECOND
from svc_auth.domain.oauth2 import scopes
from svc_auth.domain.oauth2.client import OAuthClient
from svc_auth.ports import Opaque
from svc_auth.ports_oauth2 import AccessClaims, Grants, OAuthTokens

INACTIVE = {"active": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Introspect:
    """Tells a client of its own tokens; somebody else's are as inactive as none at all."""

    grants: Grants
    tokens: OAuthTokens
    opaque: Opaque
    clock: Clock

    async def __call__(self, client: OAuthClient, text: str) -> dict[str, Any]:
        """The members of RFC 7662, section 2.2."""
        access = self.tokens.read_access(text)
        if access is not None:
            return await self._access(client, access)
        return await self._refresh(client, text)

    async def _access(self, client: OAuthClient, access: AccessClaims) -> dict[str, Any]:
        issued = await self.grants.find_token(access.token_id)
        if issued is None or access.client_id != client.id:
            return INACTIVE
        told = {name: access.claims[name] for name in ("iss", "sub", "aud", "exp", "jti")}
        named = {"username": access.username} if access.username else {}
        return {
            "active": True,
            "token_type": "Bearer",
            "client_id": client.id,
            "scope": scopes.joined(access.scopes),
            **told,
            # RFC 7662, section 2.2: whole seconds, whatever the token says.
            "iat": int(access.claims["iat"]),
            **named,
        }

    async def _refresh(self, client: OAuthClient, text: str) -> dict[str, Any]:
        found = await self.grants.find_refresh(self.opaque.hash(text))
        if found is None or not found.good(self.clock.now_us()):
            return INACTIVE
        if found.grant.client_id != client.id:
            return INACTIVE
        return {
            "active": True,
            "client_id": client.id,
            "sub": found.grant.user_id,
            "scope": scopes.joined(found.grant.scopes),
            "exp": found.grant.ends_at // SECOND,
        }
