"""Ways out of our pages."""

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from svc_auth.oauth2.parameters import form

_SEE_OTHER = 303


def see_other(uri: str) -> Response:
    """Sends the browser there with a GET, and nobody keeps that."""
    headers = {"Location": uri, "Cache-Control": "no-store"}
    return Response(status_code=_SEE_OTHER, headers=headers)


def with_query(uri: str, said: Mapping[str, str]) -> str:
    """The URI with more parameters; its own query stays as it was (RFC 6749, section 3.1.2)."""
    if not said:
        return uri
    joint = "&" if urlsplit(uri).query else "" if uri.endswith("?") else "?"
    return f"{uri}{joint}{urlencode(said)}"


async def as_get(request: Request, uri: str) -> Response:
    """Once more as a GET: a form from another site comes without the cookie."""
    return see_other(f"{uri}?{urlencode(await form(request), doseq=True)}")


def shown(uri: str) -> str:
    """Where the browser goes in the end, for a page: the host, or an application's scheme."""
    parts = urlsplit(uri)
    return parts.netloc or parts.scheme
