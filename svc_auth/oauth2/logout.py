"""Where browsers are logged out (OpenID Connect RP-Initiated Logout 1.0)."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from svc_auth.domain.oauth2.logout import LogoutRequest
from svc_auth.domain.user import User
from svc_auth.oauth2.bounded import Endpoint
from svc_auth.oauth2.browser import Browser, Ticket
from svc_auth.oauth2.callers import caller_of
from svc_auth.oauth2.pages import page
from svc_auth.oauth2.parameters import Repeated, query, single
from svc_auth.oauth2.problems import paged
from svc_auth.oauth2.redirects import as_get, see_other, shown, with_query
from svc_auth.usecases.oauth2.browser import BrowserLogout, FindBrowserUser
from svc_auth.usecases.oauth2.validate_logout import ValidateLogout

LOGOUT = "/oauth2/logout"
_OUT = {
    "title": "Logged out",
    "message": "You are logged out here. Applications that you allowed something go on.",
}
_IN = {"title": "Still logged in", "message": "You are still logged in."}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutEndpoint:
    """/oauth2/logout, the `end_session_endpoint`, and the form that it may lead to."""

    validate: ValidateLogout
    user_of: FindBrowserUser
    log_out: BrowserLogout
    browser: Browser

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(tags=["oauth2"])
        routes: tuple[tuple[str, str, Endpoint, str], ...] = (
            (LOGOUT, "GET", self._ask, "Ends the login of the user's browser"),
            (LOGOUT, "POST", self._ask_by_form, "The same, as a form"),
            (f"{LOGOUT}/confirm", "POST", self._confirm, "What the logout page sends"),
        )
        for path, method, endpoint, summary in routes:
            router.add_api_route(path, paged(endpoint), methods=[method], summary=summary)
        return router

    async def _ask(self, request: Request) -> Response:
        parameters = query(request)
        asked = await self.validate(single(parameters))
        user = await self.user_of(self.browser.cookie_of(request))
        if user is not None and not asked.certain(user.id):
            return self._question(request, parameters, asked, user)
        return await self._leave(request, asked, user)

    async def _ask_by_form(self, request: Request) -> Response:
        return await as_get(request, f"{self.browser.base}{LOGOUT}")

    async def _confirm(self, request: Request) -> Response:
        given, ticket, cookie = await self.browser.form(request)
        if given.get("action") != "logout":
            return page("done", _IN)
        asked = await self.validate(single(ticket.parameters))
        return await self._leave(request, asked, await self.user_of(cookie))

    def _question(
        self, request: Request, parameters: Repeated, asked: LogoutRequest, user: User
    ) -> Response:
        cookie = self.browser.cookie_of(request)
        ticket = Ticket(parameters=parameters, asked_at=self.browser.clock.now_us())
        uri = asked.redirect_uri or ""
        values = {
            **self.browser.hidden(cookie, ticket),
            "user": user,
            "client": asked.client,
            "target": shown(uri),
        }
        return page("logout", values, redirect_uri=uri)

    async def _leave(self, request: Request, asked: LogoutRequest, user: User | None) -> Response:
        if user is not None:
            await self.log_out(caller_of(request), user, self.browser.cookie_of(request))
        response = self._on(asked)
        self.browser.drop_cookie(response)
        return response

    def _on(self, asked: LogoutRequest) -> Response:
        if asked.redirect_uri is None:
            return page("done", _OUT)
        said: Mapping[str, str] = {} if asked.state is None else {"state": asked.state}
        return see_other(with_query(asked.redirect_uri, said))
