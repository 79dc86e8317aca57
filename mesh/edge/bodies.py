"""Request bodies: JSON only, and not endless."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leaky.common.v1.reason_pb2 import REASON_BODY_TOO_LARGE, REASON_UNSUPPORTED_MEDIA_TYPE
from mesh.errors import AppError

LIMIT = 1024 * 1024
_TOO_LARGE = 413


class Disconnected(Exception):  # noqa: N818 nobody is there to be told
    """The client went away before its body was whole."""


class Bounded:
    """Lets no route of FastAPI's read more than the limit, declared or not.

    Whoever reads past it gets an HTTPException 413, which FastAPI passes through;
    a body that nobody reads is nobody's trouble.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        read = 0

        async def bounded() -> Message:
            nonlocal read
            if not read and _declared(scope) > LIMIT:
                raise HTTPException(_TOO_LARGE)
            message = await receive()
            read += len(message.get("body", b""))
            if read > LIMIT:
                raise HTTPException(_TOO_LARGE)
            return message

        await self._app(scope, bounded if scope["type"] == "http" else receive, send)


async def read_body(headers: Mapping[str, str], receive: Receive) -> bytes:
    """The whole body; AppError UNSUPPORTED_MEDIA_TYPE or BODY_TOO_LARGE, or Disconnected."""
    _refuse_other_types(headers)
    _bound(_number(headers.get("content-length", "")))
    body, more = await _chunk(receive)
    _bound(len(body))
    if not more:
        return body
    whole = bytearray(body)
    while more:
        part, more = await _chunk(receive)
        whole += part
        _bound(len(whole))
    return bytes(whole)


def _bound(size: int) -> None:
    if size > LIMIT:
        raise AppError(REASON_BODY_TOO_LARGE, f"the body is larger than {LIMIT} bytes")


async def _chunk(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    return message.get("body", b""), message.get("more_body", False)


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and (number := _number(value.decode("latin-1"))):
            return number
    return 0


def _number(declared: str) -> int:
    return int(declared[:20]) if declared.isdecimal() else 0


def _refuse_other_types(headers: Mapping[str, str]) -> None:
    given = headers.get("content-type", "application/json")
    if given != "application/json" and not _is_json(given):
        raise AppError(REASON_UNSUPPORTED_MEDIA_TYPE, "the body must be application/json")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise AppError(REASON_UNSUPPORTED_MEDIA_TYPE, "the body must not be encoded")


def _is_json(given: str) -> bool:
    kind, *parameters = (part.strip().lower() for part in given.split(";"))
    suffixed = kind.startswith("application/") and kind.endswith("+json")
    charsets = [part.partition("=")[2] for part in parameters if part.startswith("charset=")]
    known = all(charset.strip('"') in ("utf-8", "utf8") for charset in charsets)
    return known and (suffixed or kind == "application/json")
