"""Errors as the REST contract prints them."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
import structlog
from starlette.types import Scope

from leaky.common.v1 import reason_pb2
from leaky.common.v1.reason_pb2 import REASON_INTERNAL
from mesh.clock import Clock
from mesh.edge.answering import Answering, Headers, printable
from mesh.edge.codec.wellknown import rfc3339
from mesh.edge.trace import SCOPE_KEY
from mesh.errors import AppError, FieldViolation
from mesh.rpc.method import Method
from mesh.telemetry.redact import scrub_path

log = structlog.get_logger("edge")
Unavailable = Callable[[Method[Any, Any], str, AppError], dict[str, Any] | None]
JSON = (b"content-type", b"application/json")
# After it the server closes the connection.
CLOSE = (b"connection", b"close")
_UNAUTHORIZED, _TOO_LARGE, _SERVER_ERROR, _UNAVAILABLE = 401, 413, 500, 503
_LOGGED = "leaky.logged"
# RFC 6750, section 3.1: who needs another credential is told what for.
_CHALLENGES = {
    reason_pb2.REASON_SCOPE_INSUFFICIENT: b'Bearer error="insufficient_scope"',
}
_DOWN = (reason_pb2.REASON_UNAVAILABLE, reason_pb2.REASON_CIRCUIT_OPEN)
# Of HTTP errors that did not begin as an AppError.
_REASONS = {
    401: reason_pb2.REASON_UNAUTHENTICATED,
    403: reason_pb2.REASON_PERMISSION_DENIED,
    404: reason_pb2.REASON_PATH_NOT_FOUND,
    405: reason_pb2.REASON_METHOD_NOT_ALLOWED,
    413: reason_pb2.REASON_BODY_TOO_LARGE,
    415: reason_pb2.REASON_UNSUPPORTED_MEDIA_TYPE,
    429: reason_pb2.REASON_RATE_LIMIT_EXCEEDED,
    503: reason_pb2.REASON_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error as a response."""

    status: int
    body: bytes
    headers: Headers


class Failures:
    """Turns errors into responses.

    `unavailable` gives the body for a method, at the path it was asked for, whose
    service is away, or None for the usual one.
    """

    def __init__(self, clock: Clock, unavailable: Unavailable) -> None:
        self._clock = clock
        self._unavailable = unavailable

    def of(
        self,
        error: AppError,
        scope: Scope,
        *,
        method: Method[Any, Any] | None = None,
        answer: Answering | None = None,
        status: int = 0,
    ) -> Failure:
        """The response; `method` and `answer` are the route's, where there is one.

        `status` is one that a framework chose; the reason's counts otherwise.
        """
        status = status or error.outcome.http_status
        headers = [JSON, *_headers(error, status)]
        refusal = _refusal(error, answer)
        if refusal is not None and answer is not None:
            headers += answer.headers_of(refusal)
            return Failure(status=status, body=answer.body_of(refusal), headers=headers)
        away = error.reason in _DOWN
        body = self._unavailable(method, scope["path"], error) if method and away else None
        if body is None:
            body = self.document(error, scope, status)
        return Failure(status=status, body=orjson.dumps(body), headers=headers)

    def document(self, error: AppError, scope: Scope, status: int) -> dict[str, Any]:
        """The usual body: {message, timestamp, path, status, reason, traceId[, errors]}."""
        seconds, micros = divmod(self._clock.now_us(), 1_000_000)
        body: dict[str, Any] = {
            "message": _message(error),
            "timestamp": rfc3339(seconds, micros * 1_000),
            # A path may hold halves of surrogate pairs, which are no UTF-8, and a secret.
            "path": scrub_path(scope["path"].encode("utf-8", "replace").decode()),
            "status": status,
            "reason": error.outcome.name,
            "traceId": scope[SCOPE_KEY].trace_id,
        }
        if error.violations:
            body["errors"] = [
                {"field": camel(one.field), "message": one.message} for one in error.violations
            ]
        if error.reason == reason_pb2.REASON_RATE_LIMIT_EXCEEDED:
            body["retryAfterSeconds"] = _seconds(error)
        return body


def _refusal(error: AppError, answer: Answering | None) -> Any:
    """The documented body that a refusal carries, of the method's own response type."""
    if answer is None or error.reason != reason_pb2.REASON_RATE_LIMITED:
        return None
    return next((one for one in error.details if isinstance(one, answer.response)), None)


def _headers(error: AppError, status: int) -> Headers:
    headers: Headers = []
    if error.retry_after is not None or status in (429, _UNAVAILABLE):
        headers.append((b"retry-after", str(_seconds(error)).encode()))
    if status == _UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    if error.reason in _CHALLENGES:
        headers.append((b"www-authenticate", _CHALLENGES[error.reason]))
    if status == _TOO_LARGE:
        # The rest of the body is still on its way and nobody will read it.
        headers.append(CLOSE)
    return headers


def _seconds(error: AppError) -> int:
    return max(1, math.ceil(error.retry_after or 1))


def _message(error: AppError) -> str:
    if error.outcome.http_status == _SERVER_ERROR:
        return "internal error"
    message = error.message
    for violation in error.violations:
        message = message.replace(f"{violation.field}: ", f"{camel(violation.field)}: ", 1)
    return message


def camel(path: str) -> str:
    """A field path with JSON names for proto names."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), path)


def unexpected(error: Exception, scope: Scope) -> AppError:
    """Logs what should not have happened, once, and gives the error that says nothing of it."""
    if scope.get(_LOGGED) is not error:
        scope[_LOGGED] = error
        log.error(
            "unexpected error",
            trace_id=scope[SCOPE_KEY].trace_id,
            correlation_id=scope[SCOPE_KEY].correlation_id,
            exc_info=error,
        )
    return AppError(REASON_INTERNAL, "internal error")


def from_http(status: int, message: str, violations: tuple[FieldViolation, ...] = ()) -> AppError:
    """An error for a status that a framework chose; the response keeps that status."""
    fallback = REASON_INTERNAL if status >= _SERVER_ERROR else reason_pb2.REASON_INVALID_ARGUMENT
    return AppError(_REASONS.get(status, fallback), message, violations=violations)


def as_headers(names: Mapping[str, str]) -> Headers:
    """Header texts as ASGI sends them."""
    return [(_name(name), printable(text)) for name, text in names.items()]


@cache
def _name(name: str) -> bytes:
    # Names are written in the program, so they are few.
    return name.lower().encode("latin-1")
