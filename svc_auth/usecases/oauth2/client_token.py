"""Tokens for applications themselves (RFC 6749, section 4.4)."""

from dataclasses import dataclass

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidScopeError

from svc_auth.domain.claims import SECOND
from svc_auth.domain.oauth2 import scopes
from svc_auth.domain.oauth2.client import OAuthClient
from svc_auth.domain.oauth2.grant import IssuedToken
from svc_auth.ports_oauth2 import Grants, OAuthTokens
from svc_auth.usecases.oauth2.issue import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientToken:
    """Gives a client a token of its own, which stands for no user and owns nothing."""

    grants: Grants
    tokens: OAuthTokens

    async def __call__(self, client: OAuthClient, *, scope: str, at: int) -> Answer:
        """An access token for a client that was looked up after `at`.

        Without `scope` it is for all that the client may have by itself.
        """
        allowed = client.allowed_itself()
        asked = scopes.split(scope) or allowed
        if not asked or not set(asked) <= set(allowed):
            raise InvalidScopeError("scope names what the client may not have by itself")
        access = self.tokens.for_client(client.id, asked, at=at)
        ends = access.token.expires_at
        issued = IssuedToken(id=access.id, client_id=client.id, expires_at=ends)
        if not await self.grants.issue(issued, None):
            raise InvalidClientError(description="the client has been removed", status_code=401)
        return Answer(
            access_token=access.token.text, expires_in=(ends - at) // SECOND, scopes=asked
        )
