"""What a request says of its client (RFC 6749, section 2.3.1)."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError
from starlette.requests import Request

from svc_auth.usecases.oauth2.authenticate_client import ClientCredentials


def credentials_of(request: Request, form: Mapping[str, str]) -> ClientCredentials:
    """From the header Authorization or from the form, never from both.

    Raises InvalidRequestError for both, InvalidClientError for neither.
    """
    header = request.headers.get("authorization")
    if header is None:
        return _from_form(form)
    given = _from_header(header)
    if "client_secret" in form or form.get("client_id", given.client_id) != given.client_id:
        raise InvalidRequestError("the client is named twice")
    return given


def _from_form(form: Mapping[str, str]) -> ClientCredentials:
    if "client_id" not in form:
        raise InvalidClientError(description="the client is not named", status_code=401)
    return ClientCredentials(client_id=form["client_id"], secret=form.get("client_secret"))


def _from_header(header: str) -> ClientCredentials:
    scheme, _, encoded = header.partition(" ")
    client_id, colon, secret = _decoded(encoded).partition(":")
    if scheme.lower() != "basic" or not colon:
        raise InvalidClientError(description="Authorization is no client's", status_code=401)
    # Authlib's reader takes a plus for itself, where RFC 6749 means a blank.
    return ClientCredentials(client_id=unquote_plus(client_id), secret=unquote_plus(secret))


def _decoded(text: str) -> str:
    try:
        return b64decode(text.strip(), validate=True).decode()
    except (ValueError, binascii.Error):
        return ""
