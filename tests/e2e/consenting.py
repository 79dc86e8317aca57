"""A user at a browser of auth's own pages, who allows applications what they ask for."""

from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from tests.e2e.system import System
from tests.svc_auth.oauth2.driver import Page

CALLBACK = "https://app.example/callback"
# RFC 7636, appendix B.
_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


class Consenting:
    """Stays logged in, so that a password is compared once."""

    def __init__(self, system: System, username: str, password: str) -> None:
        self._http = system.client("auth")
        self._login = {"username": username, "password": password}

    def allow(self, client_id: str) -> None:
        """Says yes to all that the application asks."""
        request = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": CALLBACK,
            "scope": "openid",
            "code_challenge": _CHALLENGE,
            "code_challenge_method": "S256",
        }
        response = self._http.get("/oauth2/authorize", params=request)
        for _ in range(2):
            if not response.is_redirect:
                response = self._answer(response)
        assert response.is_redirect, response.text
        assert "code" in parse_qs(urlsplit(response.headers["location"]).query)

    def close(self) -> None:
        """Closes the browser."""
        self._http.close()

    def _answer(self, response: httpx.Response) -> httpx.Response:
        page = Page(response)
        assert page.form is not None, response.text
        login = "password" in page.form.fields
        said = self._login | {"action": "login"} if login else {"action": "allow"}
        url = urljoin(page.url, page.form.action)
        return self._http.post(url, data=page.form.fields | said)
