"""An ASGI app on a port, inside a process that has other things to do."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp, Scope

from mesh.http_arriving import ArrivingProtocol
from mesh.http_protocol import BoundedConfig, BoundedProtocol
from mesh.resilience.adaptive_limit import AdaptiveLimit
from mesh.rpc.server import PortTakenError

BACKLOG = 2048
# Connections that one turn of the loop accepts: libuv (since 1.45) takes one for each descriptor
# that listens. A loop that is late by 20 ms would take 50 a second, and all others would wait.
ACCEPTS = 16
# Longer than clients keep idle connections, also when it is over a second early: who closes
# second never meets the other's request.
KEEP_ALIVE_SECONDS = 76


def _serves_all(_scope: Scope) -> None:
    return None


class _Uvicorn(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The process's own lifecycle listens to signals.
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens; with what a tick makes, as the first request may come before the first tick."""
        await self.on_tick(0)
        await super().startup(sockets)


class HttpServer:
    """Serves an app with uvicorn on the running loop.

    At the end, requests in flight get `grace` seconds, rounded to whole ones.
    `limit` bounds the requests that are served at once, of all servers that share it; what
    is too much, the app's `refuse` answers, a mesh.edge.door.Door. Without both, all are served.
    A `shared` port is one on which other processes listen too.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        grace: float,
        *,
        limit: AdaptiveLimit | None = None,
        shared: bool = False,
    ) -> None:
        self._host, self._port, self._shared = host, port, shared
        config = BoundedConfig(
            app,
            http=BoundedProtocol if limit else ArrivingProtocol,
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(grace)),
        )
        if limit:
            config.limit, config.refuse = limit, getattr(app, "refuse", _serves_all)
        self._server = _Uvicorn(config)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listens, and returns the port, for one given as 0. Raises PortTakenError."""
        sock = self._bind()
        sockets = [sock, *(sock.dup() for _ in range(ACCEPTS - 1))]
        self._serving = asyncio.create_task(self._server.serve(sockets=sockets))
        port: int = sock.getsockname()[1]
        return port

    async def stop(self) -> None:
        """Takes no new requests and returns when those in flight have ended."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            sock.bind((self._host, self._port))
            sock.listen(BACKLOG)
        except OSError as error:
            sock.close()
            address = f"{self._host}:{self._port}"
            raise PortTakenError(f"cannot listen on {address}: {error.strerror}") from error
        sock.setblocking(False)
        return sock
