"""Answers of the token endpoint (RFC 6749, section 5.1)."""

from dataclasses import dataclass, field

from authlib.oauth2.rfc6749 import InvalidGrantError

from svc_auth.domain.claims import SECOND
from svc_auth.domain.oauth2.grant import Grant, IssuedToken
from svc_auth.domain.oauth2.scopes import OPENID
from svc_auth.ports import Users
from svc_auth.ports_oauth2 import AccessToken, OAuthTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client gets; `expires_in` is in seconds."""

    access_token: str = field(repr=False)
    expires_in: int
    scopes: tuple[str, ...]
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A user's access token that is signed but not yet noted or handed out."""

    grant: Grant
    scopes: tuple[str, ...]
    access: AccessToken
    at: int

    @property
    def noted(self) -> IssuedToken:
        """How the store knows it."""
        return IssuedToken(
            id=self.access.id,
            client_id=self.grant.client_id,
            expires_at=self.access.token.expires_at,
            user_id=self.grant.user_id,
            grant_id=self.grant.id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """Makes tokens for a grant, as long as its user may come in."""

    users: Users
    tokens: OAuthTokens

    async def mint(self, grant: Grant, scopes: tuple[str, ...], *, at: int) -> Minted:
        """An access token for what the grant, or a part of it, allows; InvalidGrantError."""
        user = await self.users.find_user(grant.user_id)
        if user is None or user.disabled:
            raise InvalidGrantError("the user is gone or disabled")
        access = self.tokens.for_user(user, grant, scopes, at=at)
        return Minted(grant=grant, scopes=scopes, access=access, at=at)

    def answer(self, minted: Minted, *, refresh: str | None, nonce: str | None) -> Answer:
        """The answer, with an ID token where the scopes ask for one."""
        text = minted.access.token.text
        identified = OPENID in minted.scopes
        return Answer(
            access_token=text,
            expires_in=(minted.access.token.expires_at - minted.at) // SECOND,
            scopes=minted.scopes,
            refresh_token=refresh,
            id_token=self.tokens.id_token(minted.grant, text, nonce=nonce) if identified else None,
        )
