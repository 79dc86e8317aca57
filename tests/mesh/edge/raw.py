"""Requests as an ASGI server hands them over, for what no client would send or see."""

import weakref
from collections.abc import Sequence
from typing import Any


async def asked(
    app: Any,
    verb: str,
    path: str,
    *,
    query: bytes = b"",
    headers: Sequence[tuple[bytes, bytes]] = (),
    body: bytes = b"",
) -> tuple[int, "weakref.ref[Any]"]:
    """The answer's status, and what tells whether anybody still holds the request."""
    sent: list[Any] = []
    scope: dict[str, Any] = {
        "type": "http",
        "method": verb,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": list(headers),
        "client": None,
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return int(sent[0]["status"]), weakref.ref(receive)
