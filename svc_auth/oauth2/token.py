"""Where clients get tokens, ask about them and give them back."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import (
    InvalidClientError,
    UnauthorizedClientError,
    UnsupportedGrantTypeError,
)
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from mesh.clock import Clock
from svc_auth.domain.caller import CLIENT, Caller
from svc_auth.domain.oauth2.client import GrantType, OAuthClient
from svc_auth.domain.oauth2.scopes import joined
from svc_auth.oauth2.answers import guarded, json
from svc_auth.oauth2.callers import caller_of
from svc_auth.oauth2.client_auth import credentials_of
from svc_auth.oauth2.parameters import form, needed, single
from svc_auth.usecases.oauth2.authenticate_client import AuthenticateClient
from svc_auth.usecases.oauth2.client_token import ClientToken
from svc_auth.usecases.oauth2.exchange_code import ExchangeCode
from svc_auth.usecases.oauth2.introspect import Introspect
from svc_auth.usecases.oauth2.issue import Answer
from svc_auth.usecases.oauth2.refresh import Refresh
from svc_auth.usecases.oauth2.revoke_token import RevokeToken

Form = Mapping[str, str]
Exchange = Callable[[Caller, OAuthClient, Form, int], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEndpoints:
    """/oauth2/token, /oauth2/introspect and /oauth2/revoke."""

    authenticate: AuthenticateClient
    exchange_code: ExchangeCode
    refresh: Refresh
    client_token: ClientToken
    introspect: Introspect
    revoke: RevokeToken
    clock: Clock

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(tags=["oauth2"])
        for path, endpoint, summary in (
            ("/oauth2/token", self._token, "Exchanges a code, a refresh token or a secret"),
            ("/oauth2/introspect", self._introspect, "Says what a token is worth (RFC 7662)"),
            ("/oauth2/revoke", self._revoke, "Takes a token back (RFC 7009)"),
        ):
            router.add_api_route(path, guarded(endpoint), methods=["POST"], summary=summary)
        return router

    async def _token(self, request: Request) -> Response:
        given = single(await form(request))
        # What ends the client's tokens after it was looked at ends these, too.
        at = self.clock.now_us()
        client = await self.authenticate(credentials_of(request, given))
        grant_type = needed(given, "grant_type")
        exchanges: dict[str, Exchange] = {
            GrantType.AUTHORIZATION_CODE: self._from_code,
            GrantType.REFRESH_TOKEN: self._from_refresh,
            GrantType.CLIENT_CREDENTIALS: self._from_client,
        }
        if grant_type not in exchanges:
            raise UnsupportedGrantTypeError(grant_type)
        if not client.may(GrantType(grant_type)):
            raise UnauthorizedClientError("the client may not use this grant_type")
        caller = caller_of(request, CLIENT)
        return json(_body(await exchanges[grant_type](caller, client, given, at)))

    async def _from_code(self, caller: Caller, client: OAuthClient, given: Form, at: int) -> Answer:
        return await self.exchange_code(
            caller,
            client,
            code=needed(given, "code"),
            redirect_uri=needed(given, "redirect_uri"),
            verifier=given.get("code_verifier"),
            at=at,
        )

    async def _from_refresh(
        self, caller: Caller, client: OAuthClient, given: Form, at: int
    ) -> Answer:
        token = needed(given, "refresh_token")
        return await self.refresh(caller, client, token=token, scope=given.get("scope", ""), at=at)

    async def _from_client(
        self, _caller: Caller, client: OAuthClient, given: Form, at: int
    ) -> Answer:
        return await self.client_token(client, scope=given.get("scope", ""), at=at)

    async def _introspect(self, request: Request) -> Response:
        given = single(await form(request))
        client = await self.authenticate(credentials_of(request, given))
        if not client.confidential:
            # RFC 7662, section 2.1: nobody may try out tokens here.
            raise InvalidClientError(description="only for clients with a secret", status_code=401)
        return json(await self.introspect(client, needed(given, "token")))

    async def _revoke(self, request: Request) -> Response:
        given = single(await form(request))
        client = await self.authenticate(credentials_of(request, given))
        await self.revoke(caller_of(request, CLIENT), client, needed(given, "token"))
        return json({})


def _body(answer: Answer) -> dict[str, Any]:
    body: dict[str, Any] = {
        "access_token": answer.access_token,
        "token_type": "Bearer",
        "expires_in": answer.expires_in,
        "scope": joined(answer.scopes),
    }
    optional = {"refresh_token": answer.refresh_token, "id_token": answer.id_token}
    return body | {name: text for name, text in optional.items() if text is not None}
