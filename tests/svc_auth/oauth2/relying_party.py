"""A client that runs the code flow and believes nothing that it has not checked.

ID tokens are verified by joserfc and Authlib, which are not ours.
"""

from dataclasses import dataclass, field
from typing import Any

import httpx
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.svc_auth.oauth2.driver import ISSUER, Browser, Client, request

MICROSECONDS = 1_000_000


def refused(response: httpx.Response, error: str, status: int = 400) -> httpx.Response:
    """A refusal as RFC 6749, section 5.2, has it."""
    assert (response.status_code, response.json().get("error")) == (status, error), response.text
    assert response.headers["cache-control"] == "no-store"
    assert set(response.json()) <= {"error", "error_description"}
    return response


@dataclass
class Tokens:
    """An answer of the token endpoint, with its ID token's claims read and checked."""

    body: dict[str, Any]
    id_token: dict[str, Any]
    kid: str

    @property
    def access(self) -> str:
        return str(self.body["access_token"])

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}


@dataclass
class RelyingParty:
    """One client, with a user at a browser of its own."""

    client: Client
    browser: Browser
    http: httpx.AsyncClient
    now_us: Any
    post_secret: bool = False
    # The parameters of the last request, and what came back.
    asked: dict[str, Any] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)

    async def flow(self, *, post: bool = False, verifier: str | None = None, **changes: Any) -> Any:
        """The whole code flow: Tokens."""
        await self.authorize(post=post, **changes)
        return await self.exchange(self.told["code"], verifier=verifier)

    async def authorize(self, *, post: bool = False, **changes: Any) -> dict[str, str]:
        """The answer at the redirect URI, with what every answer must say checked."""
        self.asked = request(self.client, **changes)
        self.told = await self.browser.authorize(self.asked, post=post)
        self.check_answer()
        assert set(self.told) == {"code", "state", "iss"}
        return self.told

    def check_answer(self) -> None:
        assert self.told.get("state") == self.asked.get("state")
        assert self.told["iss"] == ISSUER

    async def token(self, **data: Any) -> httpx.Response:
        """A call of the token endpoint with the client's secret."""
        given = {name: value for name, value in data.items() if value is not None}
        if not self.client.secret:
            return await self.http.post("/oauth2/token", data=given | {"client_id": self.client.id})
        if self.post_secret:
            own = {"client_id": self.client.id, "client_secret": self.client.secret}
            return await self.http.post("/oauth2/token", data=given | own)
        basic = (self.client.id, self.client.secret)
        return await self.http.post("/oauth2/token", data=given, auth=basic)

    async def show_code(self, code: str, *, verifier: str | None = None) -> httpx.Response:
        return await self.token(
            grant_type="authorization_code",
            code=code,
            redirect_uri=self.client.redirect_uri,
            code_verifier=verifier,
        )

    async def exchange(self, code: str, *, verifier: str | None = None) -> Tokens:
        response = await self.show_code(code, verifier=verifier)
        return await self.checked(response, nonce=self.asked.get("nonce"))

    async def refresh(self, tokens: Tokens, **data: Any) -> Tokens:
        response = await self.token(
            grant_type="refresh_token", refresh_token=tokens.body["refresh_token"], **data
        )
        return await self.checked(response, nonce=None)

    async def checked(self, response: httpx.Response, *, nonce: str | None) -> Tokens:
        """What RFC 6749, section 5.1, and OpenID Connect Core, 3.1.3.7, have a client check."""
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        assert response.headers["cache-control"] == "no-store"
        body = response.json()
        assert (body["token_type"], body["expires_in"] > 0) == ("Bearer", True)
        jwks = KeySet.import_key_set((await self.http.get("/oauth2/jwks")).json())
        read = jwt.decode(body["id_token"], jwks, algorithms=["RS256"])
        options = {"iss": {"value": ISSUER}, "aud": {"value": self.client.id}}
        params = {
            "client_id": self.client.id,
            "access_token": body["access_token"],
            "nonce": nonce,
            "max_age": self.asked.get("max_age"),
        }
        claims = CodeIDToken(read.claims, read.header, options, params)
        claims.validate(now=self.now_us() // MICROSECONDS)
        assert ("nonce" in claims) is (nonce is not None)
        assert claims["at_hash"]
        assert len(claims["sub"]) <= 255
        return Tokens(body=body, id_token=dict(read.claims), kid=str(read.header["kid"]))

    async def introspect(self, token: str) -> dict[str, Any]:
        basic = (self.client.id, self.client.secret)
        response = await self.http.post("/oauth2/introspect", data={"token": token}, auth=basic)
        assert response.status_code == 200, response.text
        assert response.headers["cache-control"] == "no-store"
        return dict(response.json())

    async def userinfo(self, tokens: Tokens) -> dict[str, Any]:
        response = await self.http.get("/userinfo", headers=tokens.bearer)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        info = dict(response.json())
        assert info["sub"] == tokens.id_token["sub"]
        return info
