"""What is too much is refused at the door of a real server, over real connections."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY
from starlette.types import Receive, Scope, Send

from mesh.edge.sending import respond
from mesh.http_server import HttpServer
from mesh.resilience.adaptive_limit import AdaptiveLimit
from tests.mesh.edge.conftest import World

pytestmark = pytest.mark.anyio
PATIENCE = 20.0
STATUS, CONSUME = "/api/v1/tokens/status", "/api/v1/tokens/consume"
ORIGIN = "https://page.example"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Connection:
    """One, as a client keeps it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, verb: str, path: str, *headers: str, body: bytes = b"") -> None:
        lines = [f"{verb} {path} HTTP/1.1", "host: edge", *headers]
        if body:
            lines.append(f"content-length: {len(body)}")
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    async def answer(self, verb: str = "GET") -> Answer:
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode().strip().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines)
            size = 0 if verb == "HEAD" else int(headers.get("content-length", 0))
            body = await self.reader.readexactly(size)
        return Answer(status=int(first.split()[1]), headers=headers, body=body)

    async def ask(self, verb: str, path: str, *headers: str, body: bytes = b"") -> Answer:
        self.send(verb, path, *headers, body=body)
        return await self.answer(verb)

    async def never_read(self) -> None:
        transport: Any = self.writer.transport
        transport.pause_reading()
        while True:
            for _ in range(1_000):
                self.send("GET", STATUS)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def is_closed(self) -> bool:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read(1) == b""


@dataclass
class Served:
    """An app on a port, behind a limit."""

    port: int
    limit: AdaptiveLimit
    opened: list[Connection] = field(default_factory=list)

    async def connect(self) -> Connection:
        streams = await asyncio.open_connection("127.0.0.1", self.port)
        self.opened.append(Connection(*streams))
        return self.opened[-1]

    async def idle(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.limit.in_flight:  # noqa: ASYNC110 bare numbers wake nobody
                await asyncio.sleep(0)


@asynccontextmanager
async def served(app: Any, limit: int = 0) -> AsyncIterator[Served]:
    bound = AdaptiveLimit(lambda: 1_000)
    bound.limit = limit
    server = HttpServer(app, "127.0.0.1", 0, 1, limit=bound)
    up = Served(port=await server.start(), limit=bound)
    try:
        yield up
    finally:
        for each in up.opened:
            each.writer.close()
        async with asyncio.timeout(PATIENCE):
            await server.stop()


def shed() -> float:
    return REGISTRY.get_sample_value("http_server_shed_total") or 0.0


def refused(answer: Answer) -> bool:
    return answer.status == 503 and answer.json["reason"] == "OVERLOADED"


class Untouched:
    """A hook that must not be asked."""

    async def __call__(self, _request: Any) -> None:
        raise AssertionError("somebody looked at the request")


async def test_it_answers_as_documented(make_world: Any) -> None:
    before = shed()
    async with served(make_world(before=(Untouched(),)).app) as up:
        client = await up.connect()
        answer = await client.ask("GET", f"{STATUS}?a=b", "X-Correlation-Id: mine-1")
    assert answer.status == 503
    assert answer.headers["retry-after"] in ("1", "2")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-correlation-id"] == "mine-1"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "date" in answer.headers
    assert "strict-transport-security" not in answer.headers
    body = answer.json
    assert len(body.pop("traceId")) == 32
    assert body == {
        "message": "too many requests at once",
        "timestamp": "2023-11-14T22:13:20.123456Z",
        "path": STATUS,
        "status": 503,
        "reason": "OVERLOADED",
    }
    assert shed() == before + 1


async def test_callers_are_told_to_come_back_at_different_times(world: World) -> None:
    async with served(world.app) as up:
        client = await up.connect()
        waits = [(await client.ask("GET", STATUS)).headers["retry-after"] for _ in range(10)]
    assert sorted(waits) == ["1"] * 5 + ["2"] * 5


async def test_what_is_refused_is_counted_under_its_route(world: World) -> None:
    labels = {"uri": CONSUME, "method": "POST", "status": "503"}

    def counted() -> float:
        return REGISTRY.get_sample_value("http_server_requests_seconds_count", labels) or 0.0

    before = counted()
    async with served(world.app) as up:
        await (await up.connect()).ask("POST", CONSUME, body=b"{}")
    assert counted() == before + 1


@pytest.mark.parametrize(
    "path", ["/actuator/health", "/metrics", "/v3/api-docs", "/nowhere", "/api/v1/nothing"]
)
async def test_all_but_the_methods_are_let_in(world: World, path: str) -> None:
    async with served(world.app) as up:
        answer = await (await up.connect()).ask("GET", path)
    assert answer.status == (404 if path.startswith(("/nowhere", "/api")) else 200)


async def test_another_verb_is_told_as_ever(world: World) -> None:
    async with served(world.app) as up:
        answer = await (await up.connect()).ask("DELETE", STATUS)
    assert answer.status == 405


async def test_an_encoded_path_is_refused_like_any(world: World) -> None:
    async with served(world.app) as up:
        client = await up.connect()
        answers = [
            await client.ask("GET", path)
            for path in ("/api/v1/tokens%2Fstatus", "/%61pi/v1/tokens/status")
        ]
    assert [answer.status for answer in answers] == [404, 503]


async def test_a_body_is_neither_read_nor_kept_and_the_connection_goes_on(world: World) -> None:
    async with served(world.app) as up:
        client = await up.connect()
        for _ in range(3):
            client.send("POST", CONSUME, "content-length: 200000")
            assert refused(await client.answer())
            for _ in range(20):
                client.writer.write(b"x" * 10_000)
                await client.writer.drain()
        up.limit.limit = 1
        assert (await client.ask("GET", STATUS)).status == 200
        await up.idle()
    assert [type(one).__name__ for one in world.script.requests] == ["GetStatusRequest"]


async def test_requests_behind_each_other_are_answered_in_order(world: World) -> None:
    async with served(world.app) as up:
        client = await up.connect()
        for path in (STATUS, "/actuator/health", STATUS):
            client.send("GET", path)
        first, second = await client.answer(), await client.answer()
        third = await client.answer()
    assert refused(first)
    assert second.status == 200
    # It waited for its turn on the connection, so that it is no more at once.
    assert third.status == 200


async def test_a_head_has_no_body(world: World) -> None:
    async with served(world.app) as up:
        client = await up.connect()
        answer = await client.ask("HEAD", STATUS)
        assert (answer.status, refused(await client.ask("GET", STATUS))) == (503, True)
    assert int(answer.headers["content-length"]) > 0


async def test_who_would_rather_speak_another_protocol_is_refused_all_the_same(
    world: World,
) -> None:
    async with served(world.app) as up:
        client = await up.connect()
        assert refused(await client.ask("GET", STATUS, "connection: upgrade", "upgrade: h2c"))


@pytest.mark.parametrize("last", ["connection: close", "expect: 100-continue"])
async def test_a_connection_that_may_not_go_on_is_closed(world: World, last: str) -> None:
    async with served(world.app) as up:
        client = await up.connect()
        answer = await client.ask("GET", STATUS, last)
        assert (answer.status, answer.headers["connection"]) == (503, "close")
        assert await client.is_closed()


async def test_an_old_client_is_told_the_end_by_the_connections(world: World) -> None:
    async with served(world.app) as up:
        client = await up.connect()
        head = f"GET {STATUS} HTTP/1.0\r\nhost: edge\r\nconnection: keep-alive\r\n\r\n"
        client.writer.write(head.encode())
        assert refused(await client.answer())
        assert await client.is_closed()


async def test_who_reads_no_refusals_is_cut_off(world: World) -> None:
    async with served(world.app) as up:
        client = await up.connect()
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(client.never_read(), PATIENCE)


@pytest.mark.parametrize(("origins", "told"), [("*", "*"), (ORIGIN, ORIGIN)])
async def test_a_page_may_read_how_long_to_wait(make_world: Any, origins: str, told: str) -> None:
    app = make_world({"LEAKY_CORS_ALLOWED_ORIGINS": origins}).app
    async with served(app) as up:
        client = await up.connect()
        refusal = await client.ask("GET", STATUS, f"origin: {ORIGIN}")
        other = await client.ask("GET", STATUS, "origin: https://other.example")
        plain = await client.ask("GET", STATUS)
        up.limit.limit = 1
        usual = await client.ask("GET", STATUS, f"origin: {ORIGIN}")
    shared = {name: text for name, text in usual.headers.items() if name.startswith("access-")}
    assert shared["access-control-allow-origin"] == told
    exposed = shared["access-control-expose-headers"].split(", ")
    assert {"Retry-After", "X-RateLimit-Reset", "WWW-Authenticate"} <= {*exposed}
    assert len(exposed) == len({*exposed})
    assert shared.items() <= refusal.headers.items()
    assert refusal.headers["vary"] == usual.headers["vary"] == "Origin"
    assert other.headers.get("access-control-allow-origin") == ("*" if told == "*" else None)
    assert "access-control-allow-origin" not in plain.headers


class Held:
    """An app that holds its requests, and then does what it is told to."""

    def __init__(self) -> None:
        self.begun, self.let_go = asyncio.Semaphore(0), asyncio.Event()
        self.error: Exception | None = None
        self.refuse: Any = lambda _scope: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun.release()
        await self.let_go.wait()
        if self.error is not None:
            raise self.error
        await receive()
        await respond(scope, send, 200, [(b"content-length", b"0")], b"")


async def all_begun(app: Held, number: int) -> None:
    async with asyncio.timeout(PATIENCE):
        for _ in range(number):
            await app.begun.acquire()


async def clients(up: Served, number: int) -> Sequence[Connection]:
    return [await up.connect() for _ in range(number)]


@pytest.mark.parametrize("error", [None, RuntimeError("broken")])
async def test_an_answer_and_an_error_make_room(error: Exception | None) -> None:
    app = Held()
    app.error = error
    async with served(app, limit=10) as up:
        for client in (several := await clients(up, 3)):
            client.send("GET", "/")
        await all_begun(app, 3)
        assert (up.limit.in_flight, up.limit.most) == (3, 3)
        app.let_go.set()
        statuses = {(await client.answer()).status for client in several}
        await up.idle()
    assert statuses == {500 if error else 200}
    assert up.limit.most == 3


async def test_a_client_that_leaves_makes_room_when_its_request_ends() -> None:
    app = Held()
    async with served(app, limit=10) as up:
        client = await up.connect()
        client.send("GET", "/")
        await all_begun(app, 1)
        client.writer.close()
        app.let_go.set()
        await up.idle()


async def test_a_request_that_is_cut_at_the_end_makes_room() -> None:
    app = Held()
    async with served(app, limit=10) as up:
        (await up.connect()).send("GET", "/")
        await all_begun(app, 1)
    assert up.limit.in_flight == 0


async def test_of_a_burst_only_the_limit_is_let_in(world: World) -> None:
    app, edge = Held(), cast("Any", world.app)
    app.refuse = edge.refuse
    async with served(app, limit=5) as up:
        several = await clients(up, 20)
        for client in several:
            client.send("GET", STATUS)
        answers = asyncio.as_completed([client.answer() for client in several])
        statuses = [(await next(answers)).status for _ in range(15)]
        await all_begun(app, 5)
        assert (up.limit.in_flight, up.limit.most) == (5, 5)
        app.let_go.set()
        statuses += [(await answer).status for answer in answers]
    assert statuses == [503] * 15 + [200] * 5


async def test_an_app_without_a_door_takes_all() -> None:
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        await respond(scope, send, 204, [], b"")

    async with served(app) as up:
        assert (await (await up.connect()).ask("GET", STATUS)).status == 204
