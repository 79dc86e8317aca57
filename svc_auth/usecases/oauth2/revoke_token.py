"""Takes tokens back (RFC 7009)."""

from dataclasses import dataclass

from mesh.clock import Clock
from svc_auth.domain.caller import Caller
from svc_auth.domain.oauth2.client import OAuthClient
from svc_auth.ports import Opaque, Revocations
from svc_auth.ports_oauth2 import Grants, OAuthTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken:
    """Ends an access token, or with a refresh token its whole family.

    A token that is unknown, or another client's, is left alone without a word
    (RFC 7009, section 2.2).
    """

    grants: Grants
    tokens: OAuthTokens
    opaque: Opaque
    revocations: Revocations
    clock: Clock

    async def __call__(self, caller: Caller, client: OAuthClient, text: str) -> None:
        """Returns whether there was something to revoke or not."""
        now, access = self.clock.now_us(), self.tokens.read_access(text)
        if access is not None:
            if access.client_id == client.id:
                await self.grants.revoke_token(access.token_id, at=now, caller=caller)
        else:
            found = await self.grants.find_refresh(self.opaque.hash(text))
            if found is not None and found.grant.client_id == client.id:
                await self.grants.revoke_grant(found.grant.id, at=now, caller=caller)
        self.revocations.announce()
