"""A real server that answers as it is told, and one way to call both clients."""

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from leaky.client import AsyncClient, Client, RetryPolicy

# Reading the machine's certificates takes longer than most of these tests.
TLS = ssl.create_default_context()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One scripted answer; `drop` closes the connection instead, `hang` never answers."""

    status: int = 200
    body: Any = None
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    hang: bool = False

    @property
    def content(self) -> bytes:
        if self.raw is not None:
            return self.raw
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it arrived. Header names are lower case."""

    verb: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Server:
    """Answers with its replies in turn, the last one for ever."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.replies: list[Reply] = []
        self.arrived = threading.Event()
        self.closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536  # head and body in one packet: no waiting for Nagle

            def _serve(self) -> None:
                server.serve(self)

            do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 the names it looks up

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its own name
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def answers(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        content = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        target = urlsplit(handler.path)
        self.seen.append(
            Seen(
                verb=handler.command,
                path=target.path,
                query={name: values[0] for name, values in parse_qs(target.query).items()},
                headers={name.lower(): value for name, value in handler.headers.items()},
                body=json.loads(content) if content else None,
            )
        )
        self.arrived.set()
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if reply.hang:
            self.closing.wait()
        if reply.hang or reply.drop:
            handler.close_connection = True
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(reply.content)))
        handler.end_headers()
        handler.wfile.write(reply.content)

    def close(self) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class FakeClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_700_000_000.0 + self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Twin:
    """The async or the sync client behind one way of calling: `twin(server, "quota.get_quota")`.

    The clock stands still but for the waits, each as long as it may be.
    """

    name: str
    clock: FakeClock

    def run(self, url: str, calls: list[tuple[str, dict[str, Any]]], **options: Any) -> list[Any]:
        """What each call, made in turn by one client, gave back or raised."""
        options = {"retry": RetryPolicy(jitter=lambda: 1.0), "clock": self.clock} | options
        if self.name == "sync":
            return self._sync(url, calls, options)
        return asyncio.run(self._async(url, calls, options))

    def call(self, url: str, method: str, /, **arguments: Any) -> Any:
        """The result of one call; raises what it raised."""
        options = arguments.pop("client", {})
        [result] = self.run(url, [(method, arguments)], **options)
        if isinstance(result, Exception):
            raise result
        return result

    def _sync(self, url: str, calls: list[tuple[str, dict[str, Any]]], options: Any) -> list[Any]:
        results: list[Any] = []
        with (
            httpx.Client(verify=TLS) as http,
            Client(base_url=url, sleep=self.clock.sleep, http_client=http, **options) as client,
        ):
            for name, arguments in calls:
                service, _, method = name.partition(".")
                try:
                    results.append(getattr(getattr(client, service), method)(**arguments))
                except Exception as error:  # noqa: BLE001 handed on
                    results.append(error)
        return results

    async def _async(
        self, url: str, calls: list[tuple[str, dict[str, Any]]], options: Any
    ) -> list[Any]:
        results: list[Any] = []
        async with (
            httpx.AsyncClient(verify=TLS) as http,
            AsyncClient(
                base_url=url, sleep=self.clock.asleep, http_client=http, **options
            ) as client,
        ):
            for name, arguments in calls:
                service, _, method = name.partition(".")
                try:
                    results.append(await getattr(getattr(client, service), method)(**arguments))
                except Exception as error:  # noqa: BLE001 handed on
                    results.append(error)
        return results


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture(params=["async", "sync"])
def twin(request: pytest.FixtureRequest) -> Twin:
    return Twin(request.param, FakeClock())
