"""A provider's double over real HTTP, and calls to it."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
import uvicorn
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from leaky.common.v1.reason_pb2 import REASON_PROVIDER_CALL_FAILED
from mesh.errors import AppError
from mesh.settings import MeshSettings
from mesh.settings.source import load
from providers.egress import ProviderCallFailed, Providers
from providers.settings import EgressSettings, ProviderSettings, default_providers

PROMPT = "my darkest secret"
BODY = b'{"choices": [ 1.50 ],\n "b":"\xc3\xa9"}\n'
Answer = Callable[[Request], Awaitable[Response]]


class Settings(MeshSettings):
    providers: dict[str, ProviderSettings] = Field(default_factory=default_providers)
    provider: EgressSettings = EgressSettings()


class Double:
    """A provider that does as the test says, one answer after the other, the last for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = answers
        self.requests: list[Request] = []
        self.times: list[float] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await request.body()
        self.requests.append(request)
        self.times.append(time.monotonic())
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        await (await answer(request))(scope, receive, send)


def says(status: int, body: bytes = BODY, **headers: str) -> Answer:
    async def answer(_request: Request) -> Response:
        return Response(body, status, {name.replace("_", "-"): of for name, of in headers.items()})

    return answer


async def hangs(request: Request) -> Response:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


class Cut(Response):
    """Promises a hundred bytes, sends one and hangs up."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"100")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{"})


async def cut_short(_request: Request) -> Response:
    return Cut()


class Slow:
    """Answers when the test opens the door; counts who waits inside."""

    def __init__(self) -> None:
        self.door = asyncio.Event()
        self.inside = 0
        self.most = 0

    async def __call__(self, _request: Request) -> Response:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await self.door.wait()
        self.inside -= 1
        return Response(BODY)


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    sock = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, log_level="critical", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup([sock])
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        await server.shutdown([sock])


class Clock:
    """Monotonic time that the breaker sees; the test moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def now_us(self) -> int:
        return 1_700_000_000_000_000

    def monotonic(self) -> float:
        return self.now


@asynccontextmanager
async def calling(
    double: Any, provider: str = "openai", clock: Clock | None = None, **values: str
) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    """Calls to the double as `provider`, quick ones unless the values say otherwise."""
    async with serving(double) as url:
        told = {
            "provider.timeout": "5s",
            "provider.retry-wait": "1ms",
            f"providers.{provider}.base-url": url,
            **{name.replace("__", ".").replace("_", "-"): value for name, value in values.items()},
        }
        settings = load(Settings, {}, told)
        providers = Providers(lambda: settings, clock=clock)
        try:
            yield lambda: providers.complete(provider, prompt=PROMPT, tokens=30, request_id="r-1")
        finally:
            await providers.close()


async def fails(call: Callable[[], Awaitable[bytes]]) -> str:
    """The cause, as logged."""
    with structlog.testing.capture_logs() as logs, pytest.raises(ProviderCallFailed) as failed:
        await call()
    assert isinstance(failed.value, AppError)
    assert failed.value.reason == REASON_PROVIDER_CALL_FAILED
    assert str(failed.value) == "provider call failed"
    assert failed.value.details == ()
    assert PROMPT not in repr(logs)
    return str([entry["cause"] for entry in logs if "cause" in entry][-1])
