"""Where browsers are logged out (OpenID Connect RP-Initiated Logout 1.0)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from svc_auth.domain.oauth2.logout import LogoutRequest
from svc_auth.domain.user import User
from svc_auth.oauth2.browser import Browser, Ticket
from svc_auth.oauth2.callers import caller_of
from svc_auth.oauth2.pages import page
from svc_auth.oauth2.parameters import Repeated, form, query, single
from svc_auth.oauth2.problems import Page, paged
from svc_auth.oauth2.redirects import see_other, with_query
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
    issuer: Callable[[], str]

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(tags=["oauth2"])
        routes: tuple[tuple[str, str, Page, str], ...] = (
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
        # Once more as a GET: a form from another site comes without the cookie.
        pairs = [(name, one) for name, values in (await form(request)).items() for one in values]
        return see_other(f"{self._base}{LOGOUT}?{urlencode(pairs)}")

    async def _confirm(self, request: Request) -> Response:
        given = single(await form(request))
        cookie = self.browser.cookie_of(request)
        proof = given.get("csrf_token", "")
        ticket = self.browser.read(cookie, given.get("ticket", ""), proof)
        if given.get("action") != "logout":
            return page("done", _IN)
        asked = await self.validate(single(ticket.parameters))
        return await self._leave(request, asked, await self.user_of(cookie))

    def _question(
        self, request: Request, parameters: Repeated, asked: LogoutRequest, user: User
    ) -> Response:
        cookie = self.browser.cookie_of(request)
        now = self.user_of.clock.now_us()
        ticket = self.browser.written(Ticket(parameters=parameters, asked_at=now))
        uri = asked.redirect_uri or ""
        values = {
            "base": self._base,
            "user": user,
            "client": asked.client,
            "target": urlsplit(uri).netloc or urlsplit(uri).scheme,
            "ticket": ticket,
            "csrf_token": self.browser.proof(cookie, ticket),
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

    @property
    def _base(self) -> str:
        # A proxy may have put us below a path.
        return urlsplit(self.issuer()).path
