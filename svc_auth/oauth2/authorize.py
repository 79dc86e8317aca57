"""Where users say who they are and what they allow (OpenID Connect Core, section 3.1.2)."""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AccessDeniedError
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_auth.domain.caller import Caller
from svc_auth.domain.oauth2.request import AuthorizationRequest, ReplyTo, ResponseMode
from svc_auth.domain.oauth2.session import LoginSession
from svc_auth.oauth2.answers import told
from svc_auth.oauth2.bounded import Endpoint
from svc_auth.oauth2.browser import Browser, Ticket
from svc_auth.oauth2.callers import caller_of
from svc_auth.oauth2.pages import page
from svc_auth.oauth2.parameters import query
from svc_auth.oauth2.problems import paged
from svc_auth.oauth2.redirects import as_get, see_other, shown, with_query
from svc_auth.usecases.oauth2.authorize import Authorize, CodeGiven, ConsentNeeded, LoginNeeded
from svc_auth.usecases.oauth2.browser import BrowserLogin, FindBrowserUser, FindSession
from svc_auth.usecases.oauth2.validate_authorization import ValidateAuthorization

AUTHORIZE = "/oauth2/authorize"
_BAD_REQUEST, _UNAUTHORIZED = 400, 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A browser with an authorization request that is in order."""

    request: AuthorizationRequest
    ticket: Ticket
    cookie: str
    caller: Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeEndpoint:
    """/oauth2/authorize, and the forms that it may lead to."""

    validate: ValidateAuthorization
    authorize: Authorize
    login: BrowserLogin
    session_of: FindSession
    user_of: FindBrowserUser
    browser: Browser
    issuer: Callable[[], str]

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(tags=["oauth2"])
        routes: tuple[tuple[str, str, Endpoint, str], ...] = (
            (AUTHORIZE, "GET", self._ask, "Asks a user for an authorization code"),
            (AUTHORIZE, "POST", self._ask_by_form, "The same, as a form"),
            ("/oauth2/login", "POST", self._log_in, "What the login page sends"),
            ("/oauth2/consent", "POST", self._agree, "What the consent page sends"),
        )
        for path, method, endpoint, summary in routes:
            router.add_api_route(path, paged(endpoint), methods=[method], summary=summary)
        return router

    async def _ask(self, request: Request) -> Response:
        ticket = Ticket(parameters=query(request), asked_at=self.authorize.clock.now_us())
        cookie = self.browser.cookie_of(request)

        async def asked(visit: Visit) -> Response:
            return await self._next(visit, await self.session_of(cookie))

        return await self._visit(request, ticket, cookie, asked)

    async def _ask_by_form(self, request: Request) -> Response:
        return await as_get(request, f"{self.browser.base}{AUTHORIZE}")

    async def _log_in(self, request: Request) -> Response:
        given, ticket, cookie = await self.browser.form(request)

        async def posted(visit: Visit) -> Response:
            if given.get("action") == "cancel":
                raise AccessDeniedError
            return await self._enter(visit, given)

        return await self._visit(request, ticket, cookie, posted)

    async def _enter(self, visit: Visit, given: Mapping[str, str]) -> Response:
        username = given.get("username", "")
        try:
            cookie, session = await self.login(
                visit.caller,
                username=username,
                password=given.get("password", ""),
                old_cookie=visit.cookie,
            )
        except AppError as error:
            if error.reason == REASON_UNAVAILABLE:
                raise
            return await self._login_page(visit, username=username, error=error)
        response = await self._next(replace(visit, cookie=cookie), session)
        self.browser.set_cookie(response, cookie)
        return response

    async def _agree(self, request: Request) -> Response:
        given, ticket, cookie = await self.browser.form(request)
        action = given.get("action")

        async def posted(visit: Visit) -> Response:
            if action == "switch":
                return await self._login_page(visit)
            if action != "allow":
                raise AccessDeniedError
            return await self._next(visit, await self.session_of(cookie), agreed=True)

        return await self._visit(request, ticket, cookie, posted)

    async def _next(
        self, visit: Visit, session: LoginSession | None, *, agreed: bool = False
    ) -> Response:
        step = await self.authorize(
            visit.caller, visit.request, session, asked_at=visit.ticket.asked_at, agreed=agreed
        )
        match step:
            case LoginNeeded():
                return await self._login_page(visit, username=visit.request.login_hint)
            case ConsentNeeded(user=user):
                return self._form_page("consent", visit, {"user": user})
            case CodeGiven(code=code):
                return self._reply(visit.request.reply_to, {"code": code})

    async def _login_page(
        self, visit: Visit, *, username: str = "", error: AppError | None = None
    ) -> Response:
        said = _sentence(error) if error else ""
        user = await self.user_of(visit.cookie)
        values = {"username": username, "error": said, "user": user}
        response = self._form_page("login", visit, values)
        if error is not None:
            status = error.outcome.http_status
            # 401 would ask for a scheme of HTTP's own.
            response.status_code = _BAD_REQUEST if status == _UNAUTHORIZED else status
            if error.retry_after is not None:
                response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
        return response

    def _form_page(self, name: str, visit: Visit, values: Mapping[str, Any]) -> Response:
        cookie = visit.cookie or self.browser.new_cookie()
        uri = visit.request.reply_to.redirect_uri
        common: dict[str, Any] = {
            **self.browser.hidden(cookie, visit.ticket),
            "client": visit.request.client,
            "scopes": visit.request.scopes,
            "target": shown(uri),
        }
        response = page(name, {**common, **values}, redirect_uri=uri)
        if not visit.cookie:
            self.browser.set_cookie(response, cookie)
        return response

    async def _visit(
        self,
        request: Request,
        ticket: Ticket,
        cookie: str,
        work: Callable[[Visit], Awaitable[Response]],
    ) -> Response:
        """Works on the request in the ticket; what it is refused with goes back to the client."""
        reply_to = await self.validate.reply_to(ticket.parameters)
        try:
            asked = self.validate(ticket.parameters, reply_to)
            caller = caller_of(request)
            return await work(Visit(request=asked, ticket=ticket, cookie=cookie, caller=caller))
        except OAuth2Error as error:
            return self._reply(reply_to, told(error))

    def _reply(self, reply_to: ReplyTo, answer: Mapping[str, str]) -> Response:
        state = {} if reply_to.state is None else {"state": reply_to.state}
        # RFC 9207: a client with several servers must know whose answer this is.
        said = {**answer, **state, "iss": self.issuer()}
        uri = reply_to.redirect_uri
        if reply_to.mode is ResponseMode.FORM_POST:
            return page("form_post", {"action": uri, "answer": said}, redirect_uri=uri)
        return see_other(with_query(uri, said))


def _sentence(error: AppError) -> str:
    text = error.message
    return f"{text[:1].upper()}{text[1:]}."
