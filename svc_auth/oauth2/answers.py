"""JSON answers of the endpoints, and their refusals (RFC 6749, sections 5.1 and 5.2)."""

from collections.abc import Mapping
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidClientError
from authlib.oauth2.rfc6750 import InsufficientScopeError, InvalidTokenError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from svc_auth.oauth2.bounded import Endpoint, bounded

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_UNAUTHORIZED = 401


def json(body: Mapping[str, Any], status: int = 200) -> Response:
    """An answer that nobody keeps."""
    return JSONResponse(dict(body), status, headers=NO_STORE)


def refusal(error: OAuth2Error) -> Response:
    """The error's code and description, and what it says of credentials."""
    response = json(told(error), error.status_code)
    challenge = _challenge(error)
    if challenge:
        response.headers["WWW-Authenticate"] = challenge
    return response


def told(error: OAuth2Error) -> dict[str, str]:
    """The error's code and description, as they are sent."""
    return {name: text for name, text in error.get_body() if text}


def guarded(endpoint: Endpoint) -> Endpoint:
    """The endpoint, in time and with its refusals as answers."""
    endpoint = bounded(endpoint)

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except OAuth2Error as error:
            return refusal(error)

    return answered


def _challenge(error: OAuth2Error) -> str:
    if isinstance(error, InvalidClientError) and error.status_code == _UNAUTHORIZED:
        return 'Basic realm="leaky-tokens"'
    if isinstance(error, InvalidTokenError | InsufficientScopeError):
        # RFC 6750, section 3.1; descriptions hold no quotes (RFC 6749, section 5.2).
        said = f', error="{error.error}", error_description="{error.get_error_description()}"'
        return f'Bearer realm="leaky-tokens"{said}'
    return ""
