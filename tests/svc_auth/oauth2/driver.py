"""A user at a browser, and a client behind it: both speak HTTP and nothing else."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

ISSUER = "https://auth.example"
PASSWORD = "correct horse"


@dataclass
class Form:
    """The only form of a page: its fields with what they hold, and its buttons."""

    action: str = ""
    method: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """A page as a reader of HTML sees it."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.url = str(response.url)
        self.status = response.status_code
        self.form: Form | None = None
        self.labels: dict[str, str] = {}
        self.ids: set[str] = set()
        self.alerts: list[str] = []
        self.title = self.text = self.lang = ""
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(response.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.add(given["id"])
        if tag == "html":
            self.lang = given.get("lang", "")
        elif tag == "form":
            self.form = Form(action=given["action"], method=given["method"])
        elif tag == "input" and self.form is not None:
            self.form.fields[given["name"]] = given.get("value", "")
        elif tag == "button" and self.form is not None and "name" in given:
            self.form.buttons.append((given["name"], given["value"]))
        if tag not in {"input", "meta", "br"}:
            self._open.append((tag, given))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self._open]
        if "title" in tags:
            self.title += data
        if "body" in tags:
            self.text += data
        for tag, given in self._open:
            if tag == "label":
                self.labels[given.get("for", "")] = data
            if given.get("role") == "alert":
                self.alerts.append(data)


@dataclass
class Client:
    """A registered client, as itself knows it."""

    id: str
    # Empty for a public client.
    secret: str
    redirect_uri: str = "https://app.example/callback"


@dataclass
class Browser:
    """Cookies, redirects and forms; stops where a redirect leaves the issuer."""

    http: httpx.AsyncClient
    username: str = "alice"
    issuer: str = ISSUER
    # Every page that was shown, in order.
    seen: list[Page] = field(default_factory=list)

    async def go(self, url: str, params: Mapping[str, Any] | None = None) -> httpx.Response:
        response = await self.http.get(url, params=params)
        return await self._follow(response)

    async def post(self, url: str, data: Mapping[str, Any]) -> httpx.Response:
        return await self._follow(await self.http.post(url, data=data))

    async def submit(self, button: str, **fields: str) -> httpx.Response:
        """Presses a button of the page that is shown."""
        form = self.seen[-1].form
        assert form is not None
        names = dict(form.buttons)
        assert ("action", button) in form.buttons, names
        data = form.fields | fields | {"action": button}
        return await self.post(urljoin(self.seen[-1].url, form.action), data)

    async def _follow(self, response: httpx.Response) -> httpx.Response:
        while response.is_redirect:
            target = urljoin(str(response.url), response.headers["location"])
            if not target.startswith(self.issuer):
                return response
            response = await self.http.get(target)
        if response.headers.get("content-type", "").startswith("text/html"):
            self.seen.append(Page(response))
        return response

    async def authorize(self, params: Mapping[str, Any], *, post: bool = False) -> dict[str, str]:
        """The answer at the redirect URI, after having said yes to everything."""
        url = f"{self.issuer}/oauth2/authorize"
        return answer(await self.agree(await (self.post if post else self.go)(url, params)))

    async def agree(self, response: httpx.Response) -> httpx.Response:
        """Says yes to whatever is asked, until there is nothing left to ask."""
        before = len(self.seen)
        while not response.is_redirect:
            assert len(self.seen) - before < 3, "asked too often"
            title = self.seen[-1].title
            if title.startswith("Log in"):
                response = await self.submit("login", username=self.username, password=PASSWORD)
            elif title.startswith("Allow"):
                response = await self.submit("allow")
            else:
                raise AssertionError(self.seen[-1].text)
        return response

    def asked_since(self, mark: int) -> list[str]:
        """The first words of the titles of pages shown since the mark."""
        return [page.title.split(" -")[0] for page in self.seen[mark:]]


def answer(response: httpx.Response) -> dict[str, str]:
    """The parameters that a redirect to a client carries."""
    assert response.is_redirect, response.text
    parts = urlsplit(response.headers["location"])
    assert not parts.fragment
    read = parse_qs(parts.query, keep_blank_values=True)
    assert all(len(values) == 1 for values in read.values())
    return {name: values[0] for name, values in read.items()}


def request(client: Client, **changes: Any) -> dict[str, Any]:
    """An authorization request in order; a change to None leaves a parameter out."""
    params: dict[str, Any] = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": client.redirect_uri,
        "scope": "openid",
        "state": secrets.token_urlsafe(8),
        "nonce": secrets.token_urlsafe(8),
    }
    params.update(changes)
    return {name: value for name, value in params.items() if value is not None}
