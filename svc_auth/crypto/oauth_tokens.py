"""Mints and reads the tokens of OAuth2 and OpenID Connect."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from authlib.oidc.core.util import create_half_hash

from mesh.clock import Clock, Ids
from mesh.identity import jose
from svc_auth.crypto.keyring import Keyring
from svc_auth.domain.claims import API_AUDIENCE, SECOND, Token
from svc_auth.domain.oauth2.grant import Grant
from svc_auth.domain.oauth2.scopes import joined, split
from svc_auth.domain.user import ADMIN, User
from svc_auth.ports_oauth2 import AccessClaims, AccessToken, IdentityHint


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthMinter:
    """Implements OAuthTokens; `lifetime` is in microseconds."""

    keyring: Keyring
    issuer: Callable[[], str]
    lifetime: Callable[[], int]
    clock: Clock
    ids: Ids

    def for_user(self, user: User, grant: Grant, scopes: Sequence[str], *, at: int) -> AccessToken:
        """An access token for the data of a user who was looked up after `at`.

        What a user may do as an ADMIN is nothing that an application gets.
        """
        roles = [role for role in user.roles if role != ADMIN]
        about = {"sub": user.id, "username": user.username, "roles": roles, "grant_id": grant.id}
        return self._access(about, grant.client_id, scopes, at)

    def for_client(self, client_id: str, scopes: Sequence[str], *, at: int) -> AccessToken:
        """An access token for the client itself, which has no role."""
        return self._access({"sub": client_id, "roles": []}, client_id, scopes, at)

    def id_token(self, grant: Grant, access_token: str, *, nonce: str | None) -> str:
        """An ID token beside the access token; both end together."""
        said = self._stamped(grant.client_id, self.clock.now_us()) | {
            "sub": grant.user_id,
            "azp": grant.client_id,
            "auth_time": grant.auth_time // SECOND,
            "at_hash": _half_hash(access_token),
        }
        named = {} if nonce is None else {"nonce": nonce}
        return jose.sign(said | named, key=self.keyring.session)

    def read_access(self, text: str) -> AccessClaims | None:
        """What an access token says; None for one that is none of ours, or has ended."""
        claims = self._read(text, (API_AUDIENCE,), jose.AT_JWT)
        if claims is None:
            return None
        return AccessClaims(
            token_id=claims["jti"],
            subject=claims["sub"],
            client_id=claims["client_id"],
            username=claims.get("username", ""),
            scopes=split(claims["scope"]),
            expires_at=claims["exp"] * SECOND,
            claims=claims,
        )

    def read_hint(self, text: str) -> IdentityHint | None:
        """What an ID token says, also an expired one; None for one that is none of ours."""
        try:
            client_id = jose.audience(text)
        except jose.InvalidToken:
            return None
        claims = self._read(text, (client_id,), "jwt", ended=True)
        # A session's token has the same type; it is for the API, and names no client.
        if claims is None or claims.get("azp") != client_id:
            return None
        return IdentityHint(user_id=claims["sub"], client_id=client_id)

    def _access(
        self, about: dict[str, Any], client_id: str, scopes: Sequence[str], at: int
    ) -> AccessToken:
        said = self._stamped(API_AUDIENCE, at) | about
        # To the microsecond (RFC 7519, section 2): a login that was ended and one that
        # was begun in the same second are told apart.
        said |= {"iat": at / SECOND, "client_id": client_id, "scope": joined(scopes)}
        text = jose.sign(said, key=self.keyring.session, typ=jose.AT_JWT)
        token = Token(text=text, expires_at=said["exp"] * SECOND)
        return AccessToken(token=token, id=said["jti"])

    def _stamped(self, audience: str, at: int) -> dict[str, Any]:
        now = at // SECOND
        return {
            "iss": self.issuer(),
            "aud": audience,
            "iat": now,
            "exp": now + self.lifetime() // SECOND,
            "jti": self.ids.new(),
        }

    def _read(
        self, text: str, audiences: Collection[str], typ: str, *, ended: bool = False
    ) -> dict[str, Any] | None:
        try:
            jwk = self.keyring.find(jose.key_id(text))
            if jwk is None or jose.token_type(text) != typ:
                return None
            return jose.verify(
                text,
                jwk=jwk,
                issuer=self.issuer(),
                audiences=audiences,
                now_us=self.clock.now_us(),
                ended=ended,
            )
        except jose.InvalidToken:
            return None


def _half_hash(text: str) -> str:
    # None is for algorithms without a hash, which RS256 is not.
    return (create_half_hash(text, jose.RS256) or b"").decode()
