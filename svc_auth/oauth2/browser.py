"""A browser's cookie, and the proof that a form is one of our pages' own."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from mesh.clock import Clock
from svc_auth.oauth2.parameters import Repeated, form, single
from svc_auth.ports import Opaque, Proofs

# How long a page may stand open.
PATIENCE = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A request on its way through our pages, and when it came, in microseconds."""

    parameters: Repeated
    asked_at: int


class StaleFormError(Exception):
    """The form was not made for this browser, or too long ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """Cookies and tickets.

    A ticket is no secret, and nobody else's word: what travels beside it as
    `csrf_token` is made under a key of ours, of it and of the cookie. So no other
    site can have made the form, and whoever has the browser can neither change
    what was asked nor when, which says how old a login may be.
    """

    opaque: Opaque
    proofs: Proofs
    issuer: Callable[[], str]
    clock: Clock

    @property
    def base(self) -> str:
        """The path that our pages are below: a proxy may have put us there."""
        return urlsplit(self.issuer()).path

    def cookie_of(self, request: Request) -> str:
        """The cookie; empty without one."""
        return request.cookies.get(self._name, "")

    def new_cookie(self) -> str:
        """The cookie of a browser that nobody has logged in with."""
        return self.opaque.new_secret()

    def set_cookie(self, response: Response, cookie: str) -> None:
        """Gives the browser its cookie, which ends with the browser or the session."""
        response.set_cookie(
            self._name, cookie, path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def drop_cookie(self, response: Response) -> None:
        """Takes the cookie from the browser."""
        response.delete_cookie(
            self._name, path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def proof(self, cookie: str, ticket: str) -> str:
        """What a form must bring along."""
        return self.proofs.prove(ticket, holder=cookie)

    def read(self, cookie: str, ticket: str, proof: str) -> Ticket:
        """The ticket of a form. Raises StaleFormError."""
        if not cookie or not self.proofs.proves(proof, ticket, holder=cookie):
            raise StaleFormError
        read = _read(ticket)
        if self.clock.now_us() - read.asked_at > PATIENCE:
            raise StaleFormError
        return read

    def written(self, ticket: Ticket) -> str:
        """The ticket as a form's value."""
        body: dict[str, Any] = {"of": ticket.parameters, "at": ticket.asked_at}
        return urlsafe_b64encode(json.dumps(body).encode()).decode()

    async def form(self, request: Request) -> tuple[Mapping[str, str], Ticket, str]:
        """What one of our forms sent, its ticket, and the cookie. Raises StaleFormError."""
        given = single(await form(request))
        cookie = self.cookie_of(request)
        proof = given.get("csrf_token", "")
        return given, self.read(cookie, given.get("ticket", ""), proof), cookie

    def hidden(self, cookie: str, ticket: Ticket) -> dict[str, Any]:
        """What every page with a form of ours needs."""
        text = self.written(ticket)
        return {"base": self.base, "ticket": text, "csrf_token": self.proof(cookie, text)}

    @property
    def _secure(self) -> bool:
        return self.issuer().startswith("https:")

    @property
    def _name(self) -> str:
        # The prefix has browsers refuse a cookie that another host or path has planted.
        return "__Host-leaky_session" if self._secure else "leaky_session"


def _read(ticket: str) -> Ticket:
    read = json.loads(urlsafe_b64decode(ticket))
    return Ticket(parameters=read["of"], asked_at=read["at"])
