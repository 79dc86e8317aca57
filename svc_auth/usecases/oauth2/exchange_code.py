"""Exchanges codes (RFC 6749, section 4.1.3)."""

import hmac
from dataclasses import dataclass

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oauth2.rfc7636.challenge import CODE_VERIFIER_PATTERN

from svc_auth.domain.caller import Caller
from svc_auth.domain.oauth2.client import GrantType, OAuthClient
from svc_auth.domain.oauth2.grant import Grant
from svc_auth.domain.oauth2.scopes import OFFLINE_ACCESS, OPENID
from svc_auth.ports import Opaque, Revocations
from svc_auth.ports_oauth2 import Grants
from svc_auth.usecases.oauth2.issue import Answer, Issue


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeCode:
    """Gives tokens for a code, once; a second time takes them back.

    The code is spent whoever shows it and whatever is wrong with the rest.
    """

    grants: Grants
    issue: Issue
    opaque: Opaque
    revocations: Revocations

    async def __call__(
        self,
        caller: Caller,
        client: OAuthClient,
        *,
        code: str,
        redirect_uri: str,
        verifier: str | None,
        at: int,
    ) -> Answer:
        """The tokens, for a client that was looked up after `at`; OAuth2Error otherwise."""
        found = await self.grants.redeem_code(self.opaque.hash(code), at=at, caller=caller)
        if found is not None and not found.first:
            self.revocations.announce()
        if found is None or not found.first or at >= found.grant.code_ends_at:
            raise InvalidGrantError("the code is unknown, spent or expired")
        grant = found.grant
        if grant.client_id != client.id or grant.redirect_uri != redirect_uri:
            raise InvalidGrantError("the code is for another client or redirect_uri")
        _check_proof(grant, verifier)
        return await self._issue(client, grant, at)

    async def _issue(self, client: OAuthClient, grant: Grant, at: int) -> Answer:
        minted = await self.issue.mint(grant, grant.scopes, at=at)
        refresh = self.opaque.new_secret() if _lasting(client, grant) else None
        refresh_hash = self.opaque.hash(refresh) if refresh else None
        if not await self.grants.issue(minted.noted, refresh_hash):
            raise InvalidGrantError("the grant has been revoked meanwhile")
        return self.issue.answer(minted, refresh=refresh, nonce=grant.nonce)


def _lasting(client: OAuthClient, grant: Grant) -> bool:
    # OpenID Connect Core, section 11; plain OAuth2 knows no scope for it.
    asked = OFFLINE_ACCESS in grant.scopes or OPENID not in grant.scopes
    return asked and client.may(GrantType.REFRESH_TOKEN)


def _check_proof(grant: Grant, verifier: str | None) -> None:
    if grant.code_challenge is None:
        if verifier is not None:
            # RFC 9700, section 4.8.2: a challenge that was stripped on its way.
            raise InvalidGrantError("there was no code_challenge for this code_verifier")
        return
    if verifier is None:
        raise InvalidRequestError("code_verifier is missing")
    if not CODE_VERIFIER_PATTERN.match(verifier):
        raise InvalidGrantError("code_verifier is none")
    made: str = create_s256_code_challenge(verifier)
    if not hmac.compare_digest(made, grant.code_challenge):
        raise InvalidGrantError("code_verifier does not fit the code_challenge")
