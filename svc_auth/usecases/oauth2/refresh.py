"""Exchanges refresh tokens (RFC 6749, section 6) for new ones (RFC 9700, section 4.14)."""

from dataclasses import dataclass

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidScopeError

from svc_auth.domain.caller import Caller
from svc_auth.domain.oauth2 import scopes
from svc_auth.domain.oauth2.audit import REFRESH_TOKEN_REUSED
from svc_auth.domain.oauth2.client import OAuthClient
from svc_auth.domain.oauth2.grant import Grant
from svc_auth.ports import Opaque, Revocations
from svc_auth.ports_oauth2 import Grants
from svc_auth.usecases.oauth2.issue import Answer, Issue


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """Gives new tokens for a refresh token, which is worth nothing afterwards.

    Whoever shows one a second time, thief or owner, ends the whole family.
    """

    grants: Grants
    issue: Issue
    opaque: Opaque
    revocations: Revocations

    async def __call__(
        self, caller: Caller, client: OAuthClient, *, token: str, scope: str, at: int
    ) -> Answer:
        """The tokens, for a client that was looked up after `at`; OAuth2Error otherwise.

        `scope` may ask for less than was granted.
        """
        token_hash = self.opaque.hash(token)
        found = await self.grants.find_refresh(token_hash)
        if found is None or found.grant.client_id != client.id:
            raise InvalidGrantError("the refresh token is unknown")
        if found.used:
            await self._end(caller, found.grant, at)
        if not found.good(at):
            raise InvalidGrantError("the refresh token is spent, revoked or expired")
        narrowed = _narrowed(found.grant, scope)
        return await self._exchange(caller, found.grant, narrowed, token_hash, at)

    async def _exchange(
        self, caller: Caller, grant: Grant, narrowed: tuple[str, ...], token_hash: str, at: int
    ) -> Answer:
        minted = await self.issue.mint(grant, narrowed, at=at)
        successor = self.opaque.new_secret()
        done = await self.grants.rotate_refresh(
            token_hash,
            successor_hash=self.opaque.hash(successor),
            token=minted.noted,
            at=at,
            caller=caller,
        )
        if not done:
            self.revocations.announce()
            raise InvalidGrantError("the refresh token is spent or revoked")
        # OpenID Connect Core, section 12.2: no nonce, there was no request.
        return self.issue.answer(minted, refresh=successor, nonce=None)

    async def _end(self, caller: Caller, grant: Grant, at: int) -> None:
        await self.grants.revoke_grant(grant.id, at=at, caller=caller, why=REFRESH_TOKEN_REUSED)
        self.revocations.announce()


def _narrowed(grant: Grant, scope: str) -> tuple[str, ...]:
    asked = scopes.split(scope)
    if not asked:
        return grant.scopes
    if not set(asked) <= set(grant.scopes):
        raise InvalidScopeError("scope names more than was granted")
    return asked
