"""Where clients ask about their user (OpenID Connect Core, section 5.3)."""

from dataclasses import dataclass

from authlib.oauth2.rfc6749 import InvalidRequestError
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from svc_auth.oauth2.answers import NO_STORE, guarded, json
from svc_auth.oauth2.parameters import form, single
from svc_auth.usecases.oauth2.userinfo import UserInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInfoEndpoint:
    """/userinfo, by GET and POST."""

    userinfo: UserInfo

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(tags=["oauth2"])
        summary = "The user that an access token stands for"
        for method in ("GET", "POST"):
            router.add_api_route(
                "/userinfo", guarded(self._userinfo), methods=[method], summary=summary
            )
        return router

    async def _userinfo(self, request: Request) -> Response:
        token = await _token_of(request)
        if not token:
            # RFC 6750, section 3.1: who has shown nothing is told nothing.
            challenge = {"WWW-Authenticate": 'Bearer realm="leaky-tokens"'}
            return Response(status_code=401, headers=NO_STORE | challenge)
        return json(await self.userinfo(token))


async def _token_of(request: Request) -> str:
    """From the header or the form (RFC 6750, sections 2.1 and 2.2), never from the query."""
    scheme, _, from_header = request.headers.get("authorization", "").partition(" ")
    header = from_header.strip() if scheme.lower() == "bearer" else ""
    body = ""
    if request.method == "POST" and request.headers.get("content-type"):
        body = single(await form(request)).get("access_token", "")
    if header and body:
        raise InvalidRequestError("the access token is given twice")
    return header or body
