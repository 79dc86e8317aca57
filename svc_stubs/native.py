"""The providers' own HTTP APIs, answered before anything else in the app: plain ASGI, no routing.

What is not a native path goes on to the app of documented paths.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from prometheus_client import Counter
from starlette.types import ASGIApp, Receive, Scope, Send

from mesh.edge.following import continued
from mesh.errors import AppError
from svc_stubs.ports import Faults, Trouble
from svc_stubs.usecases.chat import Complete

ANSWERS = Counter(
    "stubs_answers", "Answers on the providers' own paths.", labelnames=("provider", "status")
)
MAX_BYTES = 1 << 20
# A path that names the model has it as its group.
PATHS: Mapping[str, re.Pattern[str]] = {
    "openai": re.compile("/v1/chat/completions()"),
    "gemini": re.compile("/v1(?:beta)?/models/([^/:]+):generateContent"),
    "qwen": re.compile("/api/v1/services/aigc/text-generation/generation()"),
}


def _openai_error(status: int, message: str) -> dict[str, Any]:
    kind = "invalid_request_error" if status < 500 else "server_error"  # noqa: PLR2004
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def _gemini_error(status: int, message: str) -> dict[str, Any]:
    kind = "INVALID_ARGUMENT" if status < 500 else "UNAVAILABLE"  # noqa: PLR2004
    return {"error": {"code": status, "message": message, "status": kind}}


def _qwen_error(status: int, message: str) -> dict[str, Any]:
    kind = "InvalidParameter" if status < 500 else "InternalError"  # noqa: PLR2004
    return {"code": kind, "message": message}


ERRORS: Mapping[str, Callable[[int, str], dict[str, Any]]] = {
    "openai": _openai_error,
    "gemini": _gemini_error,
    "qwen": _qwen_error,
}


class GoneError(Exception):
    """The client has hung up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """One provider's double over HTTP."""

    provider: str
    complete: Complete
    faults: Faults
    otherwise: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI app."""
        match = scope["type"] == "http" and PATHS[self.provider].fullmatch(scope["path"])
        if not match:
            await self.otherwise(scope, receive, send)
            return
        with continued(scope, "chat") as step:
            try:
                status, body = await self._answer(scope, receive, match[1])
            except GoneError:
                return
            await _send(send, status, body)
            step.tell("http.response.status_code", status)
        ANSWERS.labels(self.provider, str(status)).inc()

    async def _answer(self, scope: Scope, receive: Receive, model: str) -> tuple[int, bytes]:
        if scope["method"] != "POST":
            return self._error(405, "only POST is allowed")
        body = await _read(receive)
        if body is None:
            return self._error(413, "the request is larger than 1 MiB")
        trouble = self.faults.of(self.provider)
        await _suffer(trouble, receive)
        if trouble.status:
            return self._error(trouble.status, "a fault switch is on")
        try:
            return 200, self.complete(self.provider, body, model)
        except AppError as error:
            return self._error(error.outcome.http_status, error.message)

    def _error(self, status: int, message: str) -> tuple[int, bytes]:
        return status, orjson.dumps(ERRORS[self.provider](status, message))


async def _read(receive: Receive) -> bytes | None:
    """The body; None when it is too large."""
    chunks, size = [], 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise GoneError
        chunk = event.get("body", b"")
        size += len(chunk)
        if size > MAX_BYTES:
            return None
        chunks.append(chunk)
        if not event.get("more_body"):
            return b"".join(chunks)


async def _suffer(trouble: Trouble, receive: Receive) -> None:
    if trouble.delay:
        await asyncio.sleep(trouble.delay)
    if trouble.hang:
        while (await receive())["type"] != "http.disconnect":
            pass
        raise GoneError


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == 405:  # noqa: PLR2004
        headers.append((b"allow", b"POST"))
    # These statuses have no body (RFC 9110, 6.4.1).
    if status in {204, 205, 304}:
        headers, body = [], b""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
