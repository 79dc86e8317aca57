"""What does not arrive or is not read costs no more than its time, nor does an endless head."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from mesh import http_arriving, http_server
from mesh.http_arriving import ARRIVE_SECONDS, HEAD_BYTES
from mesh.http_server import HttpServer
from mesh.resilience.adaptive_limit import AdaptiveLimit
from tests.mesh.rpc.serving import Loop, on_travelling_loop

pytestmark = pytest.mark.anyio
PATIENCE = 20.0
POST = "POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\n\r\n"
EARLY = POST.replace("POST /", "POST /early")
SERVED, TOO_SLOW, TOO_LARGE = b"HTTP/1.1 200 ", b"HTTP/1.1 408 ", b"HTTP/1.1 431 "


@dataclass
class App:
    """Answers once it has the body; /early before, /much with more than goes on its way."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun.set()
        try:
            await self._answer(scope["path"], receive, send)
        finally:
            self.ended.set()

    async def _answer(self, path: str, receive: Any, send: Any) -> None:
        if path == "/slow":
            await self.go_on.wait()
        body, more = b"", path != "/early"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        self.bodies.append(body)
        size = 32_000_000 if path == "/much" else 2
        headers = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for left in range(size, 0, -1_000_000):
            part = b"x" * min(left, 1_000_000)
            await send({"type": "http.response.body", "body": part, "more_body": left > 1_000_000})


async def came(event: asyncio.Event) -> None:
    async with asyncio.timeout(PATIENCE):
        await event.wait()


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, text: str) -> None:
        self.writer.write(text.encode())

    async def until_closed(self) -> bytes:
        """All that comes. What the server has not read of what was sent makes its end a reset."""
        answer = b""
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionResetError):
                while part := await self.reader.read(10_000):
                    answer += part
        return answer


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """For who is to be late: a second may be over at once, as timers go by whole ones."""
    monkeypatch.setattr(http_arriving, "ARRIVE_SECONDS", 1.0)


@pytest.fixture
def limit() -> AdaptiveLimit:
    return AdaptiveLimit(lambda: 1_000)


@asynccontextmanager
async def talking(app: Any, limit: AdaptiveLimit | None) -> AsyncIterator[Client]:
    server = HttpServer(app, "127.0.0.1", 0, 1, limit=limit)
    reader, writer = await asyncio.open_connection("127.0.0.1", await server.start(), limit=10_000)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()
        await server.stop()


@pytest.mark.usefixtures("hurried")
async def test_a_body_that_does_not_come_ends_its_request(limit: AdaptiveLimit) -> None:
    app = App()
    async with talking(app, limit) as client:
        client.send(POST + "x")
        answer = await client.until_closed()
        assert answer.startswith(TOO_SLOW)
        assert answer.endswith(b"the request was not whole within 1 s")
        await came(app.ended)
        assert app.bodies == []
        assert limit.in_flight == 0


# Only the gateway's port has one.
@pytest.mark.parametrize("limited", [True, False])
@pytest.mark.usefixtures("hurried")
async def test_a_head_that_does_not_end_is_not_waited_for(
    limited: object, limit: AdaptiveLimit
) -> None:
    async with talking(App(), limit if limited else None) as client:
        client.send("GET / HTTP/1.1\r\nhost: he")
        assert (await client.until_closed()).startswith(TOO_SLOW)


def test_a_request_in_pieces_has_its_time_anew(limit: AdaptiveLimit) -> None:
    async def run(loop: Loop) -> None:
        app = App()
        async with talking(app, limit) as client:
            for _ in range(3):
                app.begun.clear()
                app.ended.clear()
                for piece in (POST[:20], POST[20:], "o"):
                    client.send(piece)
                    await asyncio.sleep(0.01)
                await came(app.begun)
                # Of the time of one request; of all three together it is more than that.
                loop.travel(ARRIVE_SECONDS / 2)
                client.send("k")
                await came(app.ended)
        assert app.bodies == [b"ok"] * 3

    on_travelling_loop(run)


@pytest.mark.parametrize("end", ["", "\r\n"])
@pytest.mark.parametrize("piece", [4_000, HEAD_BYTES])
async def test_a_head_that_is_too_large_is_refused(
    piece: int, end: str, limit: AdaptiveLimit
) -> None:
    app = App()
    async with talking(app, limit) as client:
        client.send("GET / HTTP/1.1\r\nhost: here\r\n")
        for number in range(0, HEAD_BYTES, piece):
            client.send(f"x-{number}: {'y' * piece}\r\n")
        client.send(end)
        answer = await client.until_closed()
        assert answer.startswith(TOO_LARGE)
        assert answer.endswith(b"the request's head is larger than 65536 bytes")
        assert app.bodies == []


async def test_a_large_head_is_served(limit: AdaptiveLimit) -> None:
    async with talking(App(), limit) as client:
        client.send(
            f"GET / HTTP/1.1\r\nconnection: close\r\nx-a: {'y' * (HEAD_BYTES - 100)}\r\n\r\n"
        )
        assert (await client.until_closed()).startswith(SERVED)


async def test_one_that_comes_too_early_and_is_too_large_takes_no_other_ones_answer(
    limit: AdaptiveLimit,
) -> None:
    app = App()
    async with talking(app, limit) as client:
        client.send(POST.replace("POST /", "POST /slow") + "ok")
        client.send(f"GET / HTTP/1.1\r\nx-a: {'y' * HEAD_BYTES}\r\n\r\n")
        assert await client.until_closed() == b""
        app.go_on.set()
        await came(app.ended)


@pytest.mark.usefixtures("hurried")
async def test_who_does_not_read_is_cut_off(limit: AdaptiveLimit) -> None:
    app = App()
    async with talking(app, limit) as client:
        client.send(POST.replace("POST /", "POST /much") + "ok")
        await came(app.ended)
        assert limit.in_flight == 0


async def test_a_connection_without_a_request_is_closed(
    limit: AdaptiveLimit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "KEEP_ALIVE_SECONDS", 1)
    async with talking(App(), limit) as client:
        assert await client.until_closed() == b""


async def test_a_body_after_its_answer_leaves_the_connection_no_longer_open(
    limit: AdaptiveLimit, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A second at least: it is open before it has anything to do.
    monkeypatch.setattr(http_server, "KEEP_ALIVE_SECONDS", 2)
    async with talking(App(), limit) as client:
        client.send(EARLY)
        async with asyncio.timeout(PATIENCE):
            await client.reader.readuntil(b"\r\n\r\nxx")
        client.send("ok")
        assert await client.until_closed() == b""
