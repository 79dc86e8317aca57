"""How an answer leaves: as ASGI's two messages, or as a whole where the server takes one.

A server that does gives the app a `send` with a method `whole`. What is known at once then
goes out as one block, past the checks that a server owes to headers that others have made.

What only hands on to the next one is no coroutine of its own: each answer passes them all.
"""

from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any

from starlette.types import Message, Send

from mesh.edge.answering import Headers
from mesh.edge.errors import JSON
from mesh.edge.headers import dressed

_NO_CONTENT = 204


def respond(
    scope: Mapping[str, Any], send: Send, status: int, headers: Headers, body: bytes
) -> Awaitable[None]:
    """Sends a whole response; to HEAD, what would have been its headers."""
    if body and JSON not in headers:
        headers.append(JSON)
    if status != _NO_CONTENT:
        headers.append((b"content-length", b"%d" % len(body)))
    return send_whole(send, status, headers, b"" if scope["method"] == "HEAD" else body)


def send_whole(send: Send, status: int, headers: Headers, body: bytes) -> Awaitable[None]:
    """Sends what is complete, in the way that `send` takes it."""
    whole = getattr(send, "whole", None) or partial(_in_two, send)
    sending: Awaitable[None] = whole(status, headers, body)
    return sending


async def _in_two(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Dressed:
    """A `send` that adds what every response carries, and remembers the status; 0 before."""

    __slots__ = ("_correlation_id", "_send", "_tls", "status")

    def __init__(self, send: Send, correlation_id: str, *, tls: bool) -> None:
        self._send = send
        self._correlation_id = correlation_id
        self._tls = tls
        self.status = 0

    async def __call__(self, message: Message) -> None:
        """Sends one of ASGI's messages."""
        if message["type"] == "http.response.start":
            message["headers"] = self._begun(message["status"], list(message.get("headers", ())))
        await self._send(message)

    def whole(self, status: int, headers: Headers, body: bytes) -> Awaitable[None]:
        """Sends all of it at once."""
        return send_whole(self._send, status, self._begun(status, headers), body)

    def _begun(self, status: int, headers: Headers) -> Headers:
        self.status = status
        return dressed(headers, self._correlation_id, tls=self._tls)
