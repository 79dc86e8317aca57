"""A response that goes out as one block is what uvicorn would have written, byte for byte."""

import asyncio
from typing import Any

import pytest

from mesh.edge.sending import send_whole
from mesh.http_server import KEEP_ALIVE_SECONDS, HttpServer
from mesh.resilience.adaptive_limit import AdaptiveLimit
from tests.mesh.rpc.serving import Loop, on_travelling_loop

pytestmark = pytest.mark.anyio
PATIENCE = 20.0
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
KNOWN = f"x-correlation-id: c\r\ntraceparent: {TRACE}\r\n"
STATUS, CONSUME = "/api/v1/tokens/status", "/api/v1/tokens/consume"
LARGE = 2_000_000


def request(verb: str, path: str, *headers: str, version: str = "1.1", body: str = "") -> bytes:
    lines = [f"{verb} {path} HTTP/{version}", "host: edge", *headers]
    return ("\r\n".join(lines) + f"\r\n{KNOWN}\r\n{body}").encode()


def last(verb: str, path: str, *headers: str, body: str = "") -> bytes:
    return request(verb, path, "connection: close", *headers, body=body)


CASES = {
    "an answer": last("GET", STATUS),
    "its headers": last("HEAD", STATUS),
    "no content": last("OPTIONS", STATUS),
    "another verb": last("PUT", STATUS),
    "a body that is wrong": last("POST", CONSUME, "content-length: 2", body="{}"),
    "a body that is too large": request("POST", CONSUME, f"content-length: {LARGE}"),
    "a body that is asked for": last(
        "POST", CONSUME, "content-length: 2", "expect: 100-continue", body="{}"
    ),
    "a page's request": last("GET", STATUS, "origin: https://page.example"),
    "an old client": request("GET", STATUS, version="1.0"),
    "one after the other": request("GET", STATUS) + last("GET", STATUS),
    "what is not ours": last("GET", "/actuator/info"),
    "what is not there": last("GET", "/nowhere"),
}


async def told(app: Any, sent: bytes, limit: AdaptiveLimit | None) -> list[bytes]:
    """All that the server says to it until it closes, without the time of day, in order."""
    server = HttpServer(app, "127.0.0.1", 0, 5, limit=limit)
    reader, writer = await asyncio.open_connection("127.0.0.1", await server.start())
    async with asyncio.timeout(PATIENCE):
        writer.write(sent)
        answer = await reader.read()
    writer.close()
    await server.stop()
    lines = [line for line in answer.split(b"\r\n") if not line.startswith(b"date: ")]
    # Where among them `connection` is nobody reads.
    return sorted(lines)


# With origins that are allowed, CORS stands between, and takes two messages.
@pytest.mark.parametrize("origins", ["", "https://page.example"])
@pytest.mark.parametrize("case", CASES)
async def test_it_is_as_uvicorn_writes_it(case: str, origins: str, make_world: Any) -> None:
    app = make_world({"LEAKY_CORS_ALLOWED_ORIGINS": origins}).app
    limit = AdaptiveLimit(lambda: 1_000)
    ours = await told(app, CASES[case], limit)
    assert ours == await told(app, CASES[case], None)
    assert any(line.startswith(b"HTTP/1.1 ") for line in ours)
    assert limit.in_flight == 0


async def test_a_header_with_a_line_break_is_not_sent() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send_whole(send, 200, [(b"x-a", b"1\r\nset-cookie: b=2")], b"")

    lines = await told(app, last("GET", "/"), AdaptiveLimit(lambda: 10))
    assert b"HTTP/1.1 500 Internal Server Error" in lines
    assert not any(b"set-cookie" in line for line in lines)


async def test_who_does_not_read_is_waited_for() -> None:
    waiting: list[int] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        waiting.append(len(waiting))
        await send_whole(send, 200, [(b"content-length", b"%d" % LARGE)], b"a" * LARGE)

    server = HttpServer(app, "127.0.0.1", 0, 5, limit=AdaptiveLimit(lambda: 10))
    reader, writer = await asyncio.open_connection("127.0.0.1", await server.start())
    async with asyncio.timeout(PATIENCE):
        for _ in range(9):
            writer.write(request("GET", "/"))
        writer.write(last("GET", "/"))
        answer = await reader.read()
    writer.close()
    await server.stop()
    assert answer.count(b"HTTP/1.1 200") == len(waiting) == 10
    assert answer.count(b"a" * LARGE) == 10


def test_a_connection_that_is_idle_is_closed() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send_whole(send, 200, [(b"content-length", b"0")], b"")

    async def run(loop: Loop) -> None:
        server = HttpServer(app, "127.0.0.1", 0, 5, limit=AdaptiveLimit(lambda: 10))
        reader, writer = await asyncio.open_connection("127.0.0.1", await server.start())
        for _ in range(3):
            # Together these are more than it may be idle at once.
            loop.travel(KEEP_ALIVE_SECONDS / 2)
            # What is due by then comes first.
            await asyncio.sleep(0)
            writer.write(request("GET", "/"))
            async with asyncio.timeout(PATIENCE):
                await reader.readuntil(b"\r\n\r\n")
        loop.travel(KEEP_ALIVE_SECONDS)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()
        await server.stop()

    on_travelling_loop(run)
