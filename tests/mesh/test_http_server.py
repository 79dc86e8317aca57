import asyncio
import socket
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from mesh.http_server import ACCEPTS, HttpServer
from mesh.rpc.server import PortTakenError
from tests.ports import free_port

pytestmark = pytest.mark.anyio
PATIENCE = 20.0


class App:
    """A page at once, and one that waits."""

    def __init__(self) -> None:
        self.begun, self.finish = asyncio.Event(), asyncio.Event()
        self.pages = 0
        self.asgi = Starlette(routes=[Route("/", self._page), Route("/slow", self._slow)])

    async def _page(self, request: Request) -> PlainTextResponse:
        self.pages += 1
        return PlainTextResponse(request.client.host if request.client else "nobody")

    async def _slow(self, _request: Request) -> PlainTextResponse:
        self.begun.set()
        await self.finish.wait()
        return PlainTextResponse("finished")


def client(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE)


async def test_an_app_is_served_on_the_port() -> None:
    server = HttpServer(App().asgi, "127.0.0.1", 0, 1)
    async with client(await server.start()) as http:
        answer = await http.get("/", headers={"X-Forwarded-For": "203.0.113.9"})
    # Whom to believe about addresses, the app decides.
    assert answer.text == "127.0.0.1"
    assert "server" not in answer.headers
    await server.stop()


async def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = HttpServer(App().asgi, "127.0.0.1", port, 1)
        with pytest.raises(PortTakenError, match=f"cannot listen on 127.0.0.1:{port}: Address"):
            await server.start()
        await server.stop()


def test_one_turn_of_the_loop_accepts_many() -> None:
    async def turns_for(count: int) -> int:
        """Those in which any was accepted; what is accepted takes others to be served."""
        app = App()
        server = HttpServer(app.asgi, "127.0.0.1", 0, 1)
        port = await server.start()
        async with client(port) as http:
            await http.get("/")
        with ExitStack() as open_:
            # The kernel takes them, while the loop does something else.
            for _ in range(count):
                one = open_.enter_context(socket.create_connection(("127.0.0.1", port)))
                one.send(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            turns, connections = 0, server._server.server_state.connections
            async with asyncio.timeout(PATIENCE):
                while app.pages <= count:
                    before = len(connections)
                    await asyncio.sleep(0)
                    turns += len(connections) > before
        await server.stop()
        return turns

    assert uvloop.run(turns_for(4 * ACCEPTS)) < ACCEPTS


async def test_an_address_that_is_not_ours_is_told() -> None:
    with pytest.raises(PortTakenError, match=r"cannot listen on 192\.0\.2\.1:"):
        await HttpServer(App().asgi, "192.0.2.1", 0, 1).start()


async def test_a_request_in_flight_is_answered_and_new_ones_are_not_taken() -> None:
    app, port = App(), free_port()
    server = HttpServer(app.asgi, "127.0.0.1", port, 30)
    await server.start()
    async with client(port) as http:
        slow = asyncio.ensure_future(http.get("/slow"))
        await app.begun.wait()
        stopping = asyncio.ensure_future(server.stop())
        await refused(port)
        assert not stopping.done()
        app.finish.set()
        assert (await slow).text == "finished"
        async with asyncio.timeout(PATIENCE):
            await stopping


async def refused(port: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return
            writer.close()
            await asyncio.sleep(0.01)


async def test_idle_connections_hold_nothing_up() -> None:
    server = HttpServer(App().asgi, "127.0.0.1", 0, 30)
    async with client(await server.start()) as http:
        await http.get("/")
        async with asyncio.timeout(PATIENCE):
            await server.stop()


async def test_a_request_that_outlives_the_grace_is_cut() -> None:
    app = App()
    server = HttpServer(app.asgi, "127.0.0.1", 0, 0.1)
    async with client(await server.start()) as http:
        slow: asyncio.Future[Any] = asyncio.ensure_future(http.get("/slow"))
        await app.begun.wait()
        async with asyncio.timeout(PATIENCE):
            await server.stop()
        app.finish.set()
        with pytest.raises(httpx.HTTPError):
            (await slow).raise_for_status()


async def test_a_stop_right_after_the_start_leaves_the_port() -> None:
    port = free_port()
    server = HttpServer(App().asgi, "127.0.0.1", port, 1)
    await server.start()
    await server.stop()
    with socket.create_server(("127.0.0.1", port)):
        pass
    await HttpServer(App().asgi, "127.0.0.1", 0, 1).stop()
