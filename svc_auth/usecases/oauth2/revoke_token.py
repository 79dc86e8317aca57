"""Takes tokens back (RFC 7009)."""

from dataclasses import dataclass

from mesh.clock import Clock
from svc_auth.domain.oauth2.client import OAuthClient
from svc_auth.ports_oauth2 import AccessClaims, Grants, OAuthTokens, Opaque
from svc_auth.usecases.finish import finish
from svc_auth.usecases.oauth2.withdraw import Withdraw


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken:
    """Ends an access token, or with a refresh token its whole family.

    A token that is unknown, or another client's, is left alone without a word
    (RFC 7009, section 2.2).
    """

    grants: Grants
    tokens: OAuthTokens
    opaque: Opaque
    withdraw: Withdraw
    clock: Clock

    async def __call__(self, client: OAuthClient, text: str) -> None:
        """Returns whether there was something to revoke or not."""
        access = self.tokens.read_access(text)
        await finish(self._access(client, access) if access else self._refresh(client, text))

    async def _access(self, client: OAuthClient, access: AccessClaims) -> None:
        if access.client_id != client.id:
            return
        revoked = await self.grants.revoke_token(access.token_id, at=self.clock.now_us())
        await self.withdraw.announce([revoked] if revoked else [])

    async def _refresh(self, client: OAuthClient, text: str) -> None:
        found = await self.grants.find_refresh(self.opaque.hash(text))
        if found is None or found.grant.client_id != client.id:
            return
        revoked = await self.grants.revoke_grant(found.grant.id, at=self.clock.now_us())
        await self.withdraw.announce(revoked)
