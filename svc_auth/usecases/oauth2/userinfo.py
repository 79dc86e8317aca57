"""Tells of the user that a token stands for (OpenID Connect Core, section 5.3)."""

from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6750 import InsufficientScopeError, InvalidTokenError

from svc_auth.domain.oauth2.scopes import OPENID
from svc_auth.domain.oauth2.userinfo import userinfo
from svc_auth.ports import Users
from svc_auth.ports_oauth2 import Grants, OAuthTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInfo:
    """The claims that the token's scopes allow."""

    grants: Grants
    users: Users
    tokens: OAuthTokens

    async def __call__(self, text: str) -> dict[str, Any]:
        """The claims; InvalidTokenError or InsufficientScopeError (RFC 6750, section 3.1)."""
        access = self.tokens.read_access(text)
        if access is None or await self.grants.find_token(access.token_id) is None:
            raise InvalidTokenError("the access token is unknown, revoked or expired")
        if OPENID not in access.scopes:
            raise InsufficientScopeError("the scope openid is needed")
        user = await self.users.find_user(access.subject)
        if user is None or user.disabled:
            raise InvalidTokenError("the user is gone or disabled")
        return userinfo(user, access.scopes)
