"""What the edge is compared with, each answering the same requests as the edge.

`python -m bench.yardsticks NAME PORT` serves one, by uvicorn set up as ours is.
"""

import sys
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import uvicorn
from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from starlette.types import ASGIApp, Receive, Scope, Send

NAMES = ("bare", "fastapi")
_BODY = b'{"userId":"00000000-0000-0000-0000-000000000000","provider":"openai","tokens":1}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]


async def bare(_scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body and answers; nobody can do less."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


class Quota(BaseModel):
    """As GET /api/v1/tokens/quota answers."""

    userId: UUID  # noqa: N815 JSON's name
    provider: str
    totalTokens: int  # noqa: N815
    remainingTokens: int  # noqa: N815
    resetTime: datetime  # noqa: N815
    updatedAt: datetime  # noqa: N815


class Spend(BaseModel):
    """As POST /api/v1/tokens/consume takes."""

    userId: UUID  # noqa: N815
    provider: str
    tokens: Annotated[int, Field(ge=1, le=10_000)]
    prompt: str | None = None


class Spent(BaseModel):
    """As POST /api/v1/tokens/consume answers."""

    allowed: bool
    capacity: int
    used: int
    remaining: int
    waitSeconds: int  # noqa: N815
    timestamp: datetime
    providerResponse: dict[str, Any]  # noqa: N815


def echo() -> FastAPI:
    """FastAPI and pydantic in their usual form: typed in, typed out, nothing done."""
    app = FastAPI()

    @app.get("/api/v1/tokens/quota")
    async def quota(user: Annotated[UUID, Query(alias="userId")], provider: str) -> Quota:
        now = datetime.now(UTC)
        return Quota(
            userId=user,
            provider=provider,
            totalTokens=100_000,
            remainingTokens=99_970,
            resetTime=now,
            updatedAt=now,
        )

    @app.post("/api/v1/tokens/consume")
    async def consume(spend: Spend) -> Spent:
        return Spent(
            allowed=True,
            capacity=1000,
            used=spend.tokens,
            remaining=1000 - spend.tokens,
            waitSeconds=0,
            timestamp=datetime.now(UTC),
            providerResponse={"provider": spend.provider, "received": spend.prompt},
        )

    return app


def serve(name: str, port: int) -> None:
    """Serves until it is told to end."""
    app: ASGIApp = bare if name == "bare" else echo()
    uvicorn.run(
        app,
        port=port,
        http="httptools",
        loop="uvloop",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
