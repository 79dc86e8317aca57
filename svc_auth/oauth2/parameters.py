"""Parameters of requests: queries and forms, read alike."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749 import InvalidRequestError
from starlette.requests import Request

Repeated = dict[str, list[str]]
_FORM = "application/x-www-form-urlencoded"
_MOST = 100


def query(request: Request) -> Repeated:
    """The query's parameters, each with all its values."""
    return _parsed(request.scope["query_string"])


async def form(request: Request) -> Repeated:
    """The form's parameters, each with all its values. Raises InvalidRequestError for no form."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != _FORM:
        raise InvalidRequestError(f"the body must be {_FORM}")
    return _parsed(await request.body())


def single(parameters: Repeated) -> Mapping[str, str]:
    """One value each; what is sent without a value was not sent (RFC 6749, section 3.2)."""
    if any(len(values) > 1 for values in parameters.values()):
        raise InvalidRequestError("a parameter is given more than once")
    return {name: values[0] for name, values in parameters.items() if values[0]}


def needed(parameters: Mapping[str, str], name: str) -> str:
    """The parameter's value. Raises InvalidRequestError when it is missing."""
    if name not in parameters:
        raise InvalidRequestError(f"{name} is missing")
    return parameters[name]


def _parsed(text: bytes) -> Repeated:
    try:
        pairs = parse_qsl(
            text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST
        )
    except ValueError:
        raise InvalidRequestError("the parameters cannot be read") from None
    read: Repeated = {}
    for name, value in pairs:
        read.setdefault(name, []).append(value)
    return read
