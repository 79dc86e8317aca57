"""Errors of FastAPI's own routes, in the shape of all others."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT
from mesh.edge.answering import printable
from mesh.edge.errors import Failure, Failures, from_http, unexpected
from mesh.errors import AppError, FieldViolation

Handler = Callable[[Request, Any], Awaitable[Response]]
_SERVER_ERROR = 500


def handlers(failures: Failures) -> dict[type[Exception], Handler]:
    """For FastAPI's `exception_handlers`."""

    async def app_error(request: Request, error: AppError) -> Response:
        return _response(failures.of(error, request.scope))

    async def http_error(request: Request, error: HTTPException) -> Response:
        text = error.detail.lower() if error.status_code < _SERVER_ERROR else "internal error"
        as_ours = from_http(error.status_code, text)
        failure = failures.of(as_ours, request.scope, status=error.status_code)
        return _response(failure, error.headers)

    async def invalid(request: Request, error: RequestValidationError) -> Response:
        violations = tuple(
            FieldViolation(field=".".join(map(str, one["loc"][1:])), message=str(one["msg"]))
            for one in error.errors()
        )
        as_ours = AppError(REASON_INVALID_ARGUMENT, "invalid request", violations=violations)
        return _response(failures.of(as_ours, request.scope))

    async def other(request: Request, error: Exception) -> Response:
        # Starlette raises it once more after this answer; it is logged here already.
        return _response(failures.of(unexpected(error, request.scope), request.scope))

    return {
        AppError: app_error,
        HTTPException: http_error,
        RequestValidationError: invalid,
        Exception: other,
    }


def _response(failure: Failure, more: Any = None) -> Response:
    response = Response(failure.body, failure.status)
    given = [(name.lower().encode(), printable(text)) for name, text in (more or {}).items()]
    names = {name for name, _ in given}
    ours = [header for header in failure.headers if header[0] not in names]
    response.raw_headers = [*response.raw_headers, *ours, *given]
    return response
