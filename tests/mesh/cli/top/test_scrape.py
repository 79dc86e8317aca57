"""Reading /metrics over real connections."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from mesh.cli.top.scrape import scrape
from mesh.cli.top.target import Target
from mesh.http_server import HttpServer
from tests.mesh.cli.top.exposition import Told
from tests.ports import free_port

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def serving(*answers: Any, bearer: str = "") -> AsyncIterator[str]:
    """Processes behind one port, which answer in turn."""
    turn = iter(answers * 20)

    async def metrics(request: Request) -> PlainTextResponse:
        if bearer and request.headers.get("authorization") != f"Bearer {bearer}":
            return PlainTextResponse("", 401)
        return PlainTextResponse(next(turn))

    server = HttpServer(Starlette(routes=[Route("/metrics", metrics)]), "127.0.0.1", 0, 1.0)
    port = await server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.stop()


def target(url: str | None, name: str = "token", health: str = "healthy") -> Target:
    return Target(service="token", name=name, url=url, health=health)


async def read(*targets: Target, **headers: str) -> list[Any]:
    async with httpx.AsyncClient(headers=headers, trust_env=False) as client:
        return await scrape(client, targets)


async def test_those_that_answer_and_those_that_do_not_are_told_in_their_order() -> None:
    told = Told()
    told.called("GetQuota", 0.05)
    nobody = f"http://127.0.0.1:{free_port()}"
    async with serving(told.text) as url:
        up, down, unknown = await read(target(url), target(nobody, "dead"), target(None, "none"))
    assert up.samples is not None
    assert up.samples.of("grpc_server_handling_seconds_count")
    assert (down.target.name, down.samples) == ("dead", None)
    assert "refused" in down.problem or "connect" in down.problem
    assert (unknown.samples, unknown.problem) == (None, "no REST port is known")


async def test_the_bearer_of_the_actuator_goes_with_it_and_its_absence_is_told() -> None:
    async with serving(Told().text, bearer="secret") as url:
        [shut] = await read(target(url))
        [open_] = await read(target(url), authorization="Bearer secret")
    assert "answers 401; it wants actuator.token" in shut.problem
    assert open_.samples is not None


async def test_what_is_no_exposition_is_told() -> None:
    async with serving("<html></html>") as url:
        [found] = await read(target(url))
    assert "text format" in found.problem
