"""Ways out of our pages."""

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from starlette.responses import Response

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
