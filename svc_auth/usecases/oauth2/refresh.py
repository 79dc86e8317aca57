"""Exchanges refresh tokens (RFC 6749, section 6) for new ones (RFC 9700, section 4.14)."""

from dataclasses import dataclass

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidScopeError

from mesh.clock import Clock
from svc_auth.domain.oauth2 import scopes
from svc_auth.domain.oauth2.client import OAuthClient
from svc_auth.domain.oauth2.grant import Grant, IssuedToken
from svc_auth.ports import Users
from svc_auth.ports_oauth2 import Grants, OAuthTokens, Opaque
from svc_auth.usecases.finish import finish
from svc_auth.usecases.oauth2.issue import Answer, answer, mint
from svc_auth.usecases.oauth2.withdraw import Withdraw


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """Gives new tokens for a refresh token, which is worth nothing afterwards.

    Whoever shows one a second time, thief or owner, ends the whole family.
    """

    grants: Grants
    users: Users
    tokens: OAuthTokens
    opaque: Opaque
    withdraw: Withdraw
    clock: Clock

    async def __call__(self, client: OAuthClient, *, token: str, scope: str) -> Answer:
        """The tokens; OAuth2Error otherwise. `scope` may ask for less than was granted."""
        now, token_hash = self.clock.now_us(), self.opaque.hash(token)
        found = await self.grants.find_refresh(token_hash)
        if found is None or found.grant.client_id != client.id:
            raise InvalidGrantError("the refresh token is unknown")
        grant = found.grant
        if found.used and not found.revoked:
            await finish(self._end(grant, now))
        if not found.good(now):
            raise InvalidGrantError("the refresh token is spent, revoked or expired")
        return await self._exchange(grant, _narrowed(grant, scope), token_hash, now)

    async def _exchange(
        self, grant: Grant, narrowed: tuple[str, ...], token_hash: str, now: int
    ) -> Answer:
        user = await self.users.find_user(grant.user_id)
        if user is None:
            raise InvalidGrantError("the user is gone")
        minted = mint(self.tokens, grant, user, narrowed)
        successor = self.opaque.new_secret()
        rotate = self._rotate(token_hash, self.opaque.hash(successor), minted.noted, now)
        if not await finish(rotate):
            raise InvalidGrantError("the refresh token is spent or revoked")
        # OpenID Connect Core, section 12.2: no nonce, there was no request.
        return answer(minted, self.tokens, now=now, refresh=successor, nonce=None)

    async def _rotate(
        self, token_hash: str, successor_hash: str, token: IssuedToken, now: int
    ) -> bool:
        rotation = await self.grants.rotate_refresh(
            token_hash, successor_hash=successor_hash, token=token, at=now
        )
        await self.withdraw.announce(rotation.revoked)
        return rotation.done

    async def _end(self, grant: Grant, now: int) -> None:
        await self.withdraw.announce(await self.grants.revoke_grant(grant.id, at=now))


def _narrowed(grant: Grant, scope: str) -> tuple[str, ...]:
    asked = scopes.split(scope)
    if not asked:
        return grant.scopes
    if not set(asked) <= set(grant.scopes):
        raise InvalidScopeError("scope names more than was granted")
    return asked
